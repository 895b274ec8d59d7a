//! `secrets rotate`: a new webhook secret without a refused publish.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;

use super::super::Context;
use super::{Consent, confirm};
use crate::cli::RotateSecret as Args;
use crate::cloudflare::secrets;
use crate::deploy::remote::Remote;
use crate::rotation::idle::Evidence;
use crate::rotation::run::{Rotation, uses};
use crate::rotation::status::Status;
use crate::terminal::advice::Advice;

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let environment = context.project.environment(&args.environment.environment)?;
    let name = &environment.name;
    if args.name != WEBHOOK_SECRET {
        bail!(Advice::new(
            format!("only `{WEBHOOK_SECRET}` has two slots to rotate in"),
            format!(
                "`edge-broadcast secrets set {name} {}` replaces a value at once",
                args.name
            )
        ));
    }
    let remote = Remote::from_env(&environment, &context.progress).await?;
    let site = remote.site(&environment)?;
    let script = environment.gateway_script();
    let live = secrets::read(&remote.cloudflare, &script)
        .await?
        .with_context(|| format!("`{script}` does not exist: deploy the environment first"))?;
    if args.status {
        let uses = uses(&environment, &live, &site, &context.project.root).await;
        let status = Status::of(&environment, &live, uses.as_ref());
        context.format.answer(&status)?;
        return Ok(ExitCode::SUCCESS);
    }
    confirm(
        &environment,
        &format!("rotate `{WEBHOOK_SECRET}`"),
        Consent::of(args.yes),
    )?;
    let tell = |line: &str| context.progress.say(line);
    let mut rotation = Rotation::new(
        &remote.cloudflare,
        site,
        &environment,
        &context.project.root,
        &tell,
    );
    rotation.evidence = match (args.finish, args.without_evidence) {
        (true, _) => Evidence::Told,
        (_, true) => Evidence::TimeAlone,
        _ => Evidence::Counters,
    };
    rotation.take_over = args.take_over;
    let report = match (args.abort, args.compromised) {
        (true, _) => rotation.abort().await?,
        (_, true) => rotation.replace().await?,
        _ => rotation.rotate().await?,
    };
    context.format.answer(&report)?;
    remote.close().await?;
    Ok(ExitCode::SUCCESS)
}
