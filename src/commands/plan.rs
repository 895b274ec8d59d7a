//! `plan`: what a deployment would change.

use std::fmt;
use std::process::ExitCode;

use serde::Serialize;

use super::Context;
use super::secrets::facts::Facts;
use crate::build;
use crate::cli::Plan as Args;
use crate::cloudflare::observe::observe;
use crate::deploy::remote::Remote;
use crate::environment::Environment;
use crate::environment::name::EnvironmentName;
use crate::live::occupancy::{self, Occupied};
use crate::plan::finding::{self, Finding, Lines};
use crate::plan::saved::SavedPlan;
use crate::plan::{Conflict, Conflicts, Desired, Plan, SocketImpact};
use crate::terminal::output::{self, Format};
use crate::terminal::step_summary;

/// As Terraform's `-detailed-exitcode`: something has to change.
const CHANGES: u8 = 2;

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    plan: Plan,
    findings: Vec<Finding>,
    /// The rooms that were asked; only where sockets would reconnect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    occupied: Vec<Occupied>,
    secrets: Facts,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rooms: String = self
            .occupied
            .iter()
            .map(|Occupied { token, sockets }| format!("\n  {sockets} of `{token}`"))
            .collect();
        let notes = format!("{rooms}{}{}", self.secrets, Lines(&self.findings));
        self.plan.fmt_with(f, &notes)
    }
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let environment = context.project.environment(&args.environment.environment)?;
    let remote = Remote::from_env(&environment, &context.progress).await?;
    let bundles = build::load(&context.project.root, |line| context.progress.say(line))?;
    let desired = Desired::of(&environment, &bundles);
    let observed = observe(&remote.cloudflare, &environment).await?;
    let title = format!("plan for {}", environment.name);
    let findings = finding::of(&environment, &observed);
    let plan = match Plan::between(&desired, &observed, &args.rollout) {
        Ok(plan) => plan,
        Err(conflicts) => {
            return Err(refuse(context, &environment, &title, findings, conflicts));
        }
    };
    if let Some(path) = &args.out {
        SavedPlan::new(remote.cloudflare.account(), &observed, &plan, &args.rollout)?
            .write(path)?;
    }
    let occupied = match plan.socket_impact {
        SocketImpact::Reconnect => {
            occupancy::ask(
                &remote.site(&environment)?,
                &environment,
                &args.room,
                &context.secrets(&environment),
            )
            .await?
        }
        SocketImpact::None => Vec::new(),
    };
    let secrets = Facts::observed(&remote.cloudflare, &environment, &observed).await?;
    let answer = Answer {
        plan,
        findings,
        occupied,
        secrets,
    };
    context.format.answer(&answer)?;
    step_summary::append(&title, &answer);
    let plan = answer.plan;
    Ok(match (args.detailed_exitcode, plan.is_empty()) {
        (true, false) => ExitCode::from(CHANGES),
        _ => ExitCode::SUCCESS,
    })
}

/// What stands in the way of a plan, for programs.
#[derive(Serialize)]
struct Refused<'a> {
    environment: &'a EnvironmentName,
    conflicts: &'a [Conflict],
    findings: Vec<Finding>,
}

/// Tells the conflicts wherever somebody looks: people get them as this error.
pub(super) fn refuse(
    context: &Context,
    environment: &Environment,
    title: &str,
    findings: Vec<Finding>,
    conflicts: Conflicts,
) -> anyhow::Error {
    for finding in &findings {
        context.progress.say(&finding.to_string());
    }
    if context.format == Format::Json {
        let refused = Refused {
            environment: &environment.name,
            conflicts: &conflicts.0,
            findings,
        };
        if let Err(error) = output::json(&refused) {
            return error;
        }
    }
    step_summary::append(title, &conflicts);
    conflicts.into()
}
