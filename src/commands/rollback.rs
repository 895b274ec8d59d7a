//! `rollback`: back to the version before, or to a named one.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use edge_broadcast_protocol::binding::WEBHOOK_SECRET;
use serde::Serialize;

use super::Context;
use crate::apply;
use crate::cli::Rollback as Args;
use crate::cloudflare::error::ApiError;
use crate::cloudflare::execute::{self, OldSecrets, Split};
use crate::cloudflare::{Cloudflare, observe};
use crate::confirm;
use crate::environment::Environment;
use crate::half_done::{HalfDone, Undertaking};
use crate::output::Format;
use crate::remote::Remote;
use crate::rollback::{self, History, Target};
use crate::script::{self, CodeUpdateStrategy};
use crate::secret;
use crate::verify::{self, Expected, Publisher, verify};

/// How long the version that came back may take to answer everywhere.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct Answer {
    environment: String,
    rolled_back: Vec<Target>,
    not_rolled_back: Vec<Target>,
    /// Absent when not everything was rolled back.
    verified: Option<verify::Report>,
    /// Why the command failed.
    failure: Option<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for Target {
            script, from, to, ..
        } in &self.rolled_back
        {
            writeln!(f, "{script}: {from} -> {to}")?;
        }
        match &self.verified {
            Some(report) => write!(f, "\nverified {report}"),
            None => write!(f, "\nnot everything was rolled back"),
        }
    }
}

pub async fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let environment = context.project.environment(&args.environment.environment)?;
    let remote = Remote::from_env(&environment).await?;
    let cloudflare = &remote.cloudflare;
    let (histories, mut targets) = targets(cloudflare, &environment, args.to.as_deref())
        .await
        .with_context(|| format!("`{}` cannot be rolled back", environment.name))?;
    if targets.is_empty() {
        bail!(
            "`{}` has that version live already; nothing was changed",
            environment.name
        );
    }
    if environment.protected && !args.yes {
        let shown: Vec<String> = targets
            .iter()
            .map(|target| format!("{}: {} -> {}", target.script, target.from, target.to))
            .collect();
        confirm::protected(environment.name.as_str(), &shown.join("\n"), "status")?;
    }
    let mut secrets = if args.accept_old_secrets {
        OldSecrets::Accept
    } else {
        OldSecrets::Refuse
    };
    let mut run = HalfDone::new(Undertaking::Rollback, environment.name.as_str());
    let result = give_all(
        context,
        cloudflare,
        &environment,
        &targets,
        &mut secrets,
        &mut run.report,
    )
    .await;
    let not_rolled_back = targets.split_off(run.report.done.len());
    let (verified, error) = match result {
        Ok(()) => {
            let gateway = environment.gateway_script();
            let target = targets.iter().find(|target| target.script == gateway);
            let version = match target {
                Some(target) => Some(target.to.as_str()),
                None => histories[0].live(),
            };
            let report = checked(context, &remote, &environment, version).await?;
            let error = (!report.passed()).then(|| does_not_work(&environment, &report));
            (Some(report), error)
        }
        Err(error) => (None, Some(error.context(format!("{run}\ncause")))),
    };
    run.over();
    let answer = Answer {
        environment: environment.name.to_string(),
        rolled_back: targets,
        not_rolled_back,
        verified,
        failure: error.as_ref().map(|error| format!("{error:#}")),
    };
    if answer.verified.is_some() || context.format == Format::Json {
        context.format.answer(&answer)?;
    }
    match error {
        Some(error) => Err(error),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// What became of both scripts, and what is to go where: the gateway first, because the old gateway works with the new room, as it
/// did while the release was under way.
async fn targets(
    cloudflare: &Cloudflare,
    environment: &Environment,
    to: Option<&str>,
) -> anyhow::Result<([History; 2], Vec<Target>)> {
    let histories = [
        history(cloudflare, environment.gateway_script()).await?,
        history(cloudflare, environment.room_script()).await?,
    ];
    let targets = match to {
        Some(version) => rollback::to(&histories, version)?,
        None => rollback::previous(&histories)?,
    };
    for target in &targets {
        same_migration(cloudflare, target).await?;
    }
    Ok((histories, targets))
}

async fn give_all(
    context: &Context,
    cloudflare: &Cloudflare,
    environment: &Environment,
    targets: &[Target],
    secrets: &mut OldSecrets,
    report: &mut apply::Report,
) -> anyhow::Result<()> {
    let title =
        |target: &Target| format!("give all traffic of `{}` to `{}`", target.script, target.to);
    let code_update = script::gateway(environment).code_update;
    report.not_attempted = targets.iter().map(title).collect();
    for target in targets {
        let title = report.not_attempted.remove(0);
        context.progress.say(&title);
        report.failed = Some(title.clone());
        give(cloudflare, environment, target, code_update, secrets)
            .await
            .with_context(|| format!("failed to {title}"))?;
        report.failed = None;
        report.done.push(title);
    }
    Ok(())
}

/// Verifies what came back. A rollback must not wait for a secret: without its value the rest is checked.
async fn checked(
    context: &Context,
    remote: &Remote,
    environment: &Environment,
    version: Option<&str>,
) -> anyhow::Result<verify::Report> {
    let source = &environment.secrets[WEBHOOK_SECRET].source;
    let value = secret::read(WEBHOOK_SECRET, source, &context.project.root);
    let absent = format!("the source of `{WEBHOOK_SECRET}` gave no value");
    let expected = Expected {
        publisher: match &value {
            Ok(value) => Publisher::Secret(value),
            Err(_) => Publisher::Absent(&absent),
        },
        version,
        patience: PATIENCE,
    };
    Ok(verify(&remote.site(environment)?, environment, expected).await)
}

fn does_not_work(environment: &Environment, report: &verify::Report) -> anyhow::Error {
    let name = &environment.name;
    if report.only_the_secret_differs() {
        anyhow::anyhow!(
            "`{name}` is rolled back, but the version that came back has another value of `{WEBHOOK_SECRET}` than its source gives: bring it to where it is missing with `edge-broadcast secrets set {name} {WEBHOOK_SECRET}`"
        )
    } else {
        anyhow::anyhow!(
            "`{name}` is rolled back, but it does not work as it must: see the failed checks"
        )
    }
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
        before: &target.before,
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
                    "a secret of `{}` changed since `{}`, which would bring the old value back to `{}`",
                    target.script, target.to, environment.name
                ),
                "--accept-old-secrets",
            )?;
            *secrets = OldSecrets::Accept;
            execute::shift(cloudflare, split(*secrets)).await
        }
        result => result,
    }
}
