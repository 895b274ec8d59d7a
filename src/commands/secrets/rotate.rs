//! `secrets rotate`: a new webhook secret without a refused publish.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use edge_broadcast_protocol::binding::{ADMIN_SECRET, WEBHOOK_SECRET};

use super::super::Context;
use super::{Consent, confirm};
use crate::cli::RotateSecret as Args;
use crate::cloudflare::secrets;
use crate::environment::Environment;
use crate::remote::Remote;
use crate::rotation::live::counters;
use crate::rotation::run::{Evidence, Rotation};
use crate::rotation::status::Status;
use crate::rotation::uses::Counters;

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let environment = context.project.environment(&args.environment.environment)?;
    let name = &environment.name;
    if args.name != WEBHOOK_SECRET {
        bail!(
            "only `{WEBHOOK_SECRET}` has two slots to rotate in; `edge-broadcast secrets set {name} {}` replaces a value at once",
            args.name
        );
    }
    let remote = Remote::from_env(&environment).await?;
    let site = remote.site(&environment)?;
    let script = environment.gateway_script();
    let live = secrets::read(&remote.cloudflare, &script)
        .await?
        .with_context(|| format!("`{script}` does not exist: deploy the environment first"))?;
    let counters = counters(&environment, &live, &site, &context.project.root);
    if args.status {
        let uses = match counters {
            Ok(Some(counters)) => counters.read().await.ok(),
            _ => None,
        };
        context
            .format
            .answer(&Status::of(&environment, &live, uses.as_ref()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let counters = counters?;
    let evidence = evidence(&environment, args, counters.clone())?;
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
    rotation.evidence = evidence;
    rotation.counters = counters;
    let report = match (args.abort, args.compromised) {
        (true, _) => rotation.abort().await?,
        (_, true) => rotation.replace().await?,
        _ => rotation.rotate().await?,
    };
    context.format.answer(&report)?;
    remote.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// What the revocation will rest on; known before the first write.
fn evidence(
    environment: &Environment,
    args: &Args,
    counters: Option<Counters>,
) -> anyhow::Result<Evidence> {
    if args.finish || args.compromised {
        return Ok(Evidence::Told);
    }
    if args.without_evidence {
        return Ok(Evidence::TimeAlone);
    }
    counters.map(Evidence::Counters).with_context(|| {
        format!(
            "`{0}` has no `{ADMIN_SECRET}`, so nobody can tell when the old value is unused; nothing was changed; add `[secrets.{ADMIN_SECRET}]` to the manifest and deploy or set it, or run with `--without-evidence` (wait for the retry horizon only) or `--finish` (do not wait)",
            environment.name
        )
    })
}
