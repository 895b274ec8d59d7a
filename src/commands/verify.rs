//! `verify`: does the deployed environment work?

use std::time::Duration;

use anyhow::bail;
use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;

use super::Context;
use crate::cloudflare::observe;
use crate::commands::cli::Environment as Args;
use crate::deploy::causes::Causes;
use crate::deploy::remote::Remote;
use crate::live::verify::{Expected, Publisher, verify};
use crate::terminal::advice::Advice;

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let environment = context.project.environment(&args.environment)?;
    let remote = Remote::from_env(&environment, &context.progress).await?;
    let gateway = environment.gateway_script();
    if observe::split(&remote.cloudflare, &gateway)
        .await?
        .is_empty()
    {
        bail!(Advice::new(
            format!(
                "`{}` is not deployed: the account `{}` has no Worker `{gateway}`",
                environment.name,
                remote.cloudflare.account()
            ),
            format!("`edge-broadcast deploy {}` deploys it", environment.name)
        ));
    }
    // Not before it is needed: a source may ask, or run a program
    let secrets = context.secrets(&environment);
    let value = secrets.value(WEBHOOK_SECRET)?;
    let site = remote.site(&environment, &context.headers(&environment))?;
    let expected = Expected {
        publisher: Publisher::Secret(value),
        version: None,
        patience: Duration::ZERO,
    };
    let mut report = verify(&site, &environment, expected).await;
    if report.passed() {
        return context.format.answer(&report);
    }
    let tell = |line: &str| context.progress.say(line);
    let causes = Causes::sought(&remote.cloudflare, &environment, tell).await;
    causes.attribute(&mut report);
    context.format.answer(&report)?;
    let (seen, fixes) = causes.told("it is seen");
    bail!(Advice {
        what: format!(
            "`{}` does not work as it must: see the failed checks{seen}",
            environment.name
        ),
        fix: (!fixes.is_empty()).then(|| fixes.join("; ")),
    })
}
