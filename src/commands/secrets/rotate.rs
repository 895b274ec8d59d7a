//! `secrets rotate`: a new webhook secret without a refused publish.

use anyhow::bail;
use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;

use super::super::Context;
use super::confirm;
use crate::commands::cli::RotateSecret as Args;
use crate::deploy::remote::Remote;
use crate::rotation::idle::Evidence;
use crate::rotation::run::{Rotation, live, uses};
use crate::rotation::status::Status;
use crate::terminal::advice::Advice;

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
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
    let headers = context.headers(&environment);
    let any_site = || remote.site_at_any_rate(&environment, &headers, &context.progress);
    let live = live(&remote.cloudflare, &environment).await?;
    let sources = context.secrets(&environment);
    if args.status {
        let uses = uses(&live, any_site, &sources).await;
        let status = Status::of(&environment, &live, uses.as_ref());
        return context.format.answer(&status);
    }
    let site = match args.compromised {
        // A leaked value must be revoked by whoever can, and proved by who can reach the hosts
        true => any_site()?,
        false => remote.site(&environment, &headers)?,
    };
    if !args.yes {
        confirm(&environment, &format!("rotate `{WEBHOOK_SECRET}`"))?;
    }
    let tell = |line: &str| context.progress.say(line);
    let mut rotation = Rotation::new(
        &remote.cloudflare,
        site,
        &environment,
        &sources,
        &context.project.root,
        &tell,
    );
    rotation.evidence = match (args.finish, args.without_evidence) {
        (true, _) => Evidence::Waived,
        (_, true) => Evidence::TimeAlone,
        _ => Evidence::Counters,
    };
    rotation.take_over = args.take_over;
    rotation.to_file = args.to_file.as_deref();
    let report = match (args.abort, args.compromised) {
        (true, _) => rotation.abort().await?,
        (_, true) => rotation.replace().await?,
        _ => rotation.rotate().await?,
    };
    context.format.answer(&report)?;
    remote.close().await
}
