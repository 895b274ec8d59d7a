//! `deploy`: plan, build, confirm, apply, verify.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;
use serde::Serialize;

use super::Context;
use crate::build::{Bundles, Outcome, Worker};
use crate::cloudflare::error::advice;
use crate::cloudflare::observe::observe;
use crate::cloudflare::payload::Inputs;
use crate::commands::cli::Deploy as Args;
use crate::deploy::apply::{self, Probe};
use crate::deploy::remote::Remote;
use crate::deploy::running::Running;
use crate::deploy::verification::{Publishes, Verification};
use crate::deploy::watch::{Judged, Watch};
use crate::environment::name::Stages;
use crate::environment::{Environment, script};
use crate::live::site::Site;
use crate::live::verify;
use crate::plan::finding::{self, Finding, Lines};
use crate::plan::saved::SavedPlan;
use crate::plan::{self, Desired, Observed, Plan};
use crate::secret::{Secrets, Value};
use crate::terminal::advice::Advice;
use crate::terminal::output::Format;
use crate::terminal::step_summary;

#[derive(Serialize)]
struct Answer {
    environment: String,
    plan: Plan,
    findings: Vec<Finding>,
    applied: apply::Report,
    /// Absent when a step failed before.
    verified: Option<verify::Report>,
    /// What was said of each share of a rollout; absent where nothing was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidence: Vec<Judged>,
    /// Why the command failed.
    failure: Option<String>,
    /// And what to do about it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let notes = Lines(&self.findings).to_string();
        self.plan.fmt_with(f, &notes)?;
        match &self.verified {
            Some(verified) => write!(f, "\n\nverified {verified}"),
            None => Ok(()),
        }
    }
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let environment = super::distinct(context, &args.environment)?;
    let saved = args.plan.as_deref().map(SavedPlan::read).transpose()?;
    let rollout = match &saved {
        Some(saved) => saved.rollout.parse().map_err(anyhow::Error::msg)?,
        None => super::plan::rollout(&environment, &args.rollout)?,
    };
    let artifacts = super::generate::rendered_if_all_are_good(context)?;
    let remote = remote(context, args, &environment).await?;
    let site = remote.site(&environment, &context.headers(&environment))?;
    let tell = |line: &str| context.progress.say(line);
    let mut sources = context.secrets(&environment);
    if args.sandbox {
        sources = sources.or_made_up(&tell);
    }
    let (bundles, observed) = built(context, &remote, &environment, &sources).await?;
    let adopt = saved.as_ref().map_or(&args.adopt, |saved| &saved.adopt);
    let take = takes(context, args, &environment, saved.as_ref(), &observed)?;
    let desired = Desired::of(&environment, &bundles).adopting(adopt);
    let desired = desired.taking_from(&take);
    super::plan::tell_needless(context, &desired, &observed);
    let plan = match Plan::between(&desired, &observed, &rollout) {
        Ok(plan) => plan,
        Err(conflicts) => {
            return Err(super::plan::refuse(
                context,
                &environment,
                &title(&environment),
                finding::of(&environment, &observed),
                conflicts,
            ));
        }
    };
    if let Some(saved) = &saved {
        let of = remote.cloudflare.account();
        let now = SavedPlan::new(of, &observed, &plan, &rollout, adopt, &take)?;
        saved.check(&now)?;
    }
    let (secrets, publishes) = read_secrets(&sources, &plan)?;
    if !plan.is_empty() && !args.yes && !args.sandbox {
        super::confirm(&environment, &plan, "plan")?;
    }
    super::generate::refresh(context, &artifacts)?;
    let inputs = inputs(&environment, desired, &bundles, secrets);
    let ready = Ready {
        remote: &remote,
        site,
        environment: &environment,
        observed: &observed,
        plan,
        inputs: &inputs,
        publishes,
        pause: args.pause,
    };
    carry_out(context, ready).await?;
    remote.close().await
}

/// All that a deployment needs.
struct Ready<'a> {
    remote: &'a Remote,
    site: Site,
    environment: &'a Environment,
    observed: &'a Observed,
    plan: Plan,
    inputs: &'a Inputs,
    publishes: Publishes,
    pause: Duration,
}

/// The remote that is deployed to; for a rehearsal a sandbox of its own.
async fn remote(
    context: &Context,
    args: &Args,
    environment: &Environment,
) -> anyhow::Result<Remote> {
    match args.sandbox {
        true => Remote::rehearsal(environment, &context.runner).await,
        false => Remote::from_env(environment, &context.progress).await,
    }
}

/// Deploys to a sandbox that goes on, as far as it is not there yet; what was done.
pub(super) async fn brought_up(
    context: &Context,
    remote: &Remote,
    environment: &Environment,
    sources: &Secrets<'_>,
) -> anyhow::Result<Plan> {
    let artifacts = super::generate::rendered_if_all_are_good(context)?;
    let site = remote.site(environment, &context.headers(environment))?;
    let (bundles, observed) = built(context, remote, environment, sources).await?;
    let desired = Desired::of(environment, &bundles);
    let plan = Plan::between(&desired, &observed, &Stages::at_once())?;
    let (secrets, publishes) = read_secrets(sources, &plan)?;
    super::generate::refresh(context, &artifacts)?;
    let inputs = inputs(environment, desired, &bundles, secrets);
    let ready = Ready {
        remote,
        site,
        environment,
        observed: &observed,
        plan,
        inputs: &inputs,
        publishes,
        pause: Duration::ZERO,
    };
    let (answer, error) = carried_out(context, ready).await?;
    error.map_or(Ok(answer.plan), Err)
}

/// Applies the plan and verifies what came of it; answers as soon as anything may have been written.
async fn carry_out(context: &Context, ready: Ready<'_>) -> anyhow::Result<()> {
    let environment = ready.environment;
    let (answer, error) = carried_out(context, ready).await?;
    if answer.verified.is_some() || context.format == Format::Json {
        context.format.answer(&answer)?;
    }
    let title = title(environment);
    match error.as_ref().map(advice) {
        Some(told) => step_summary::append(&title, &format!("{answer}\n\n{told:#}")),
        None => step_summary::append(&title, &answer),
    }
    error.map_or(Ok(()), Err)
}

/// The same without a word on stdout: the answer, and why it failed.
///
/// # Errors
/// What was found before anything was written.
async fn carried_out(
    context: &Context,
    ready: Ready<'_>,
) -> anyhow::Result<(Answer, Option<anyhow::Error>)> {
    let Ready {
        remote,
        site,
        environment,
        observed,
        plan,
        inputs,
        publishes,
        pause,
    } = ready;
    let tell = |line: &str| context.progress.say(line);
    let watch = Watch::of(&remote.cloudflare, environment, &plan);
    if let Some(watch) = &watch {
        watch.can_ask().await?;
    }
    let mut verification =
        Verification::new(environment, site, publishes, &plan, observed, pause, &tell).await;
    verification.watch = watch;
    let mut running = Running::new(["deployment", "deploy"], environment.name.as_str());
    let applied = apply::apply(
        &remote.cloudflare,
        &plan,
        inputs,
        &mut running.report,
        tell,
        async |probe: Probe<'_>| verification.check(probe).await,
    )
    .await;
    let error = verification.failure(applied, &running);
    let told = error.as_ref().map(advice);
    let answer = Answer {
        environment: environment.name.to_string(),
        verified: verification.report.take(),
        evidence: verification
            .watch
            .map(|watch| watch.judged())
            .unwrap_or_default(),
        findings: verification.causes.findings,
        plan,
        applied: running.finish(),
        failure: told.as_ref().map(|told| told.what.clone()),
        help: told.and_then(|told| told.fix),
    };
    Ok((answer, error))
}

/// The scripts that may lose hosts: as a saved plan has them, or as they were typed.
fn takes(
    context: &Context,
    args: &Args,
    environment: &Environment,
    saved: Option<&SavedPlan>,
    observed: &Observed,
) -> anyhow::Result<Vec<String>> {
    let take = match saved {
        Some(saved) => saved.take_route_from.clone(),
        None => super::plan::takes(context, environment, &args.take_route_from)?,
    };
    super::plan::tell_vain_takes(context, &take, observed);
    Ok(take)
}

fn title(environment: &Environment) -> String {
    format!("deployment of {}", environment.name)
}

/// Builds both Workers, and observes what is live after that.
async fn built(
    context: &Context,
    remote: &Remote,
    environment: &Environment,
    secrets: &Secrets<'_>,
) -> anyhow::Result<(Bundles, Observed)> {
    let observed = observe(&remote.cloudflare, environment).await?;
    let tell = |line: &str| context.progress.say(line);
    expect_secrets(environment, secrets, &observed, tell)?;
    let [(gateway, gateway_was), (room, room_was)] = super::build::built(context).await?;
    let observed = match (gateway_was, room_was) {
        (Outcome::Unchanged, Outcome::Unchanged) => observed,
        // Much may have happened while it compiled
        _ => observe(&remote.cloudflare, environment).await?,
    };
    let bundles = Bundles::new(&context.project.root, gateway, room)?;
    Ok((bundles, observed))
}

/// Refuses what is certain to fail before minutes of compiling: a secret that will be sent and has no value here. One that is only
/// wanted for a check is not needed.
fn expect_secrets(
    environment: &Environment,
    secrets: &Secrets<'_>,
    observed: &Observed,
    tell: impl Fn(&str),
) -> anyhow::Result<()> {
    let gateway = script::gateway(environment);
    for name in plan::unset(&gateway, observed.scripts.get(&gateway.name)) {
        secrets.expect(&name)?;
    }
    if let Some(why) = secrets.lacks(WEBHOOK_SECRET) {
        tell(&format!(
            "if something has to change, one check of it will be skipped: {}",
            why.what
        ));
    } else if let Err(error) = secrets.expect(WEBHOOK_SECRET) {
        tell(&format!(
            "if something has to change, this will stop: {:#}",
            Advice::of(&error)
        ));
    }
    Ok(())
}

/// Reads the secrets that `plan` sends, and the one that the verification publishes with, which it can do without. Where nothing
/// changes no source is read.
fn read_secrets(
    sources: &Secrets<'_>,
    plan: &Plan,
) -> anyhow::Result<(BTreeMap<String, Value>, Publishes)> {
    let read = |name: &str| Ok((name.to_owned(), sources.good(name)?.clone()));
    let sent: anyhow::Result<BTreeMap<_, _>> = plan.secrets().into_iter().map(read).collect();
    let publishes = if plan.is_empty() {
        Err("nothing changed, so no secret was read; `verify` makes it".to_owned())
    } else {
        match sources.value(WEBHOOK_SECRET) {
            Ok(_) => Ok(sources.good(WEBHOOK_SECRET)?.clone()),
            Err(error) => Err(format!(
                "{}; the live one stays, and `verify` makes this check where its value is known",
                Advice::of(&error).what
            )),
        }
    };
    Ok((sent?, publishes))
}

fn inputs(
    environment: &Environment,
    desired: Desired,
    bundles: &Bundles,
    secrets: BTreeMap<String, Value>,
) -> Inputs {
    let gateway = plan::gateway(environment, bundles);
    let scripts = desired.scripts.into_iter();
    Inputs {
        zone: desired.zone,
        scripts: scripts.map(|wanted| wanted.script).collect(),
        bundles: [
            (Worker::Gateway, gateway.clone()),
            (Worker::Room, bundles.room.clone()),
        ]
        .into(),
        secrets,
    }
}
