//! `rollback`: back to the version before, or to a named one.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use edge_broadcast_protocol::binding::WEBHOOK_SECRET;
use serde::Serialize;

use super::Context;
use crate::cli::Rollback as Args;
use crate::cloudflare::error::ApiError;
use crate::cloudflare::execute::{self, OldSecrets, Split};
use crate::cloudflare::{Cloudflare, observe};
use crate::confirm;
use crate::environment::Environment;
use crate::remote::Remote;
use crate::rollback::{self, History, Target};
use crate::script::{self, CodeUpdateStrategy};
use crate::secret;
use crate::verify::{self, verify};

#[derive(Serialize)]
struct Answer {
    rolled_back: Vec<Target>,
    /// Absent when the secret's source gave no value: a rollback must not wait for that.
    verified: Option<verify::Report>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for Target { script, from, to } in &self.rolled_back {
            writeln!(f, "{script}: {from} -> {to}")?;
        }
        match &self.verified {
            Some(report) => write!(f, "\nverified {report}"),
            None => write!(
                f,
                "\nnot verified: the source of `{WEBHOOK_SECRET}` gave no value"
            ),
        }
    }
}

pub async fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let environment = context.project.environment(&args.environment.environment)?;
    let remote = Remote::from_env(&environment).await?;
    let cloudflare = &remote.cloudflare;
    // The gateway first: the old gateway works with the new room, as it did while the release was under way
    let histories = [
        history(cloudflare, environment.gateway_script()).await?,
        history(cloudflare, environment.room_script()).await?,
    ];
    let targets = match &args.to {
        Some(version) => rollback::to(&histories, version)?,
        None => rollback::previous(&histories)?,
    };
    if targets.is_empty() {
        bail!("that version is live already; nothing was changed");
    }
    for target in &targets {
        same_migration(cloudflare, target).await?;
    }
    if environment.protected && !args.yes {
        let shown: Vec<String> = targets
            .iter()
            .map(|Target { script, from, to }| format!("{script}: {from} -> {to}"))
            .collect();
        confirm::protected(environment.name.as_str(), &shown.join("\n"), "status")?;
    }
    let code_update = script::gateway(&environment).code_update;
    let mut secrets = if args.accept_old_secrets {
        OldSecrets::Accept
    } else {
        OldSecrets::Refuse
    };
    for (done, target) in targets.iter().enumerate() {
        context.progress.say(&format!(
            "give all traffic of `{}` to `{}`",
            target.script, target.to
        ));
        give(cloudflare, &environment, target, code_update, &mut secrets)
            .await
            .with_context(|| {
                let before: Vec<&str> = targets[..done]
                    .iter()
                    .map(|target| target.script.as_str())
                    .collect();
                match before.as_slice() {
                    [] => format!("nothing was rolled back: `{}` could not be", target.script),
                    before => format!(
                        "`{}` is rolled back, `{}` is not; run again",
                        before.join("`, `"),
                        target.script
                    ),
                }
            })?;
    }
    let source = &environment.secrets[WEBHOOK_SECRET].source;
    let verified = match secret::read(WEBHOOK_SECRET, source, &context.project.root) {
        Ok(value) => Some(
            verify(
                &remote.site(&environment)?,
                &environment,
                &value,
                Duration::from_secs(10),
            )
            .await,
        ),
        Err(_) => None,
    };
    let passed = verified.as_ref().is_none_or(verify::Report::passed);
    context.format.answer(&Answer {
        rolled_back: targets,
        verified,
    })?;
    if !passed {
        bail!(
            "`{}` is rolled back, but it does not work as it must: see the failed checks",
            environment.name
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn history(cloudflare: &Cloudflare, script: String) -> anyhow::Result<History> {
    let (deployments, versions) = tokio::try_join!(
        observe::deployments(cloudflare, &script),
        observe::versions(cloudflare, &script),
    )?;
    let deployments = deployments
        .with_context(|| format!("there is no script `{script}`: it was never deployed"))?;
    Ok(History {
        script,
        deployments,
        versions,
    })
}

/// Cloudflare cannot go back over a change of Durable Object classes (docs: Workers, Rollbacks, "Limits").
async fn same_migration(cloudflare: &Cloudflare, target: &Target) -> anyhow::Result<()> {
    let (from, to) = tokio::try_join!(
        observe::migration_tag(cloudflare, &target.script, &target.from),
        observe::migration_tag(cloudflare, &target.script, &target.to),
    )?;
    if from == to {
        return Ok(());
    }
    let shown = |tag: Option<String>| tag.map_or("none".to_owned(), |tag| format!("`{tag}`"));
    bail!(
        "`{}` cannot go back to `{}`: its Durable Object migration is {}, and {} since; deploy the old code as a new version instead",
        target.script,
        target.to,
        shown(to),
        shown(from)
    )
}

async fn give(
    cloudflare: &Cloudflare,
    environment: &Environment,
    target: &Target,
    code_update: CodeUpdateStrategy,
    secrets: &mut OldSecrets,
) -> anyhow::Result<()> {
    let message = format!("edge-broadcast {} rollback", environment.name);
    let split = |secrets| Split {
        script: &target.script,
        to: &target.to,
        percent: 100,
        from: &target.from,
        message: &message,
        code_update,
        secrets,
    };
    match execute::shift(cloudflare, split(*secrets)).await {
        Err(error)
            if error
                .downcast_ref()
                .is_some_and(|error: &ApiError| error.is(&[10220])) =>
        {
            confirm::go_on(
                &format!(
                    "a secret of `{}` changed since `{}`, which would bring the old value back",
                    target.script, target.to
                ),
                "--accept-old-secrets",
            )?;
            *secrets = OldSecrets::Accept;
            execute::shift(cloudflare, split(*secrets)).await
        }
        result => result,
    }
}
