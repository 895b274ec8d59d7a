//! `plan`: what a deployment would change.

use std::process::ExitCode;

use super::Context;
use crate::bundle;
use crate::cli::Plan as Args;
use crate::cloudflare::observe::observe;
use crate::plan::{Desired, Plan};
use crate::remote::Remote;
use crate::saved_plan::SavedPlan;
use crate::summary;

/// As Terraform's `-detailed-exitcode`: something has to change.
const CHANGES: u8 = 2;

pub async fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let environment = context.project.environment(&args.environment.environment)?;
    let remote = Remote::from_env(&environment).await?;
    let bundles = bundle::load(&context.project.root)?;
    let desired = Desired::new(
        &environment,
        bundles.gateway.tag().to_owned(),
        bundles.room.tag().to_owned(),
    );
    let observed = observe(&remote.cloudflare, &environment).await?;
    let plan = Plan::between(&desired, &observed, &args.rollout)?;
    if let Some(path) = &args.out {
        SavedPlan::new(remote.cloudflare.account(), &observed, &plan, &args.rollout)?
            .write(path)?;
    }
    summary::append(&format!("plan for {}", environment.name), &plan)?;
    context.format.answer(&plan)?;
    Ok(match (args.detailed_exitcode, plan.is_empty()) {
        (true, false) => ExitCode::from(CHANGES),
        _ => ExitCode::SUCCESS,
    })
}
