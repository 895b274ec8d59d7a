//! `sandbox`: the stand-in for Cloudflare, kept running.

use std::collections::BTreeSet;

use anyhow::Context as _;
use edge_broadcast_sandbox::{self as sandbox, Console, Options, Strictness};
use serde_json::json;

use super::Context;
use crate::build::toolchain;
use crate::commands::cli::Sandbox as Args;
use crate::environment::Environment;

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    // Of the manifests that are good: another one's mistake is told by the commands that need it
    let environments: Vec<&Environment> = context.project.good().collect();
    let zones = environments.iter().map(|it| it.zone.to_string());
    let zones: BTreeSet<String> = zones.collect();
    let records = environments.iter().flat_map(|it| it.routed_hosts());
    let runner = context.runner.clone();
    let workerd = tokio::task::spawn_blocking(move || toolchain::workerd(&runner))
        .await
        .context("installing workerd")??;
    let mut sandbox = sandbox::start(Options {
        workerd,
        api_port: args.api_port,
        port: args.port,
        state: args.state.clone(),
        zones: zones.into_iter().collect(),
        records: records.collect(),
        strictness: if args.lenient {
            Strictness::Lenient
        } else {
            Strictness::Strict
        },
        console: Console::Alone,
    })
    .await
    .context("starting the sandbox")?;
    let ready = json!({
        "api": sandbox.api(),
        "ingress": format!("http://{}", sandbox.ingress()),
        "account_id": sandbox.account_id(),
        "token": sandbox.token(),
    });
    crate::terminal::output::line(&ready.to_string())?;
    while let Some(notice) = sandbox.notice().await {
        context.progress.say(&notice);
    }
    // Ctrl-C ends this command from outside, and dropping the sandbox ends the runtime
    std::future::pending::<()>().await;
    drop(sandbox);
    Ok(())
}
