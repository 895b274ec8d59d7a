//! `deploy`: plan, build, confirm, apply, verify.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;
use serde::Serialize;

use super::Context;
use crate::build::{Bundles, Outcome, Worker};
use crate::cli::Deploy as Args;
use crate::cloudflare::observe::observe;
use crate::cloudflare::payload::Inputs;
use crate::deploy::apply::{self, Probe};
use crate::deploy::half_done::{HalfDone, Undertaking};
use crate::deploy::remote::Remote;
use crate::environment::{Environment, script};
use crate::live::rooms::{self, Proof, Sought};
use crate::live::site::Site;
use crate::live::verify::{self, Expected, Publisher, verify};
use crate::plan::saved::SavedPlan;
use crate::plan::{self, Desired, Observed, Plan, Step};
use crate::secret::{Secrets, Value};
use crate::terminal::confirm;
use crate::terminal::output::Format;
use crate::terminal::step_summary;

/// How long a deployment may take to be reachable: DNS, certificate, route and version spread in that time.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a version may take until a request can name it.
const SPREAD: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct Answer {
    environment: String,
    plan: Plan,
    applied: apply::Report,
    /// Absent when a step failed before.
    verified: Option<verify::Report>,
    /// Why the command failed.
    failure: Option<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.plan)?;
        match &self.verified {
            Some(verified) => write!(f, "\n\nverified {verified}"),
            None => Ok(()),
        }
    }
}

pub async fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let environment = context.project.environment(&args.environment.environment)?;
    let kept = args.plan.as_deref().map(SavedPlan::read).transpose()?;
    let artifacts = super::generate::rendered(context)?;
    let remote = if args.sandbox {
        Remote::rehearsal(&environment, &context.runner).await?
    } else {
        Remote::from_env(&environment, &context.progress).await?
    };
    let tell = |line: &str| context.progress.say(line);
    let mut sources = context.secrets(&environment);
    if args.sandbox {
        sources = sources.or_made_up(&tell);
    }
    let observed = observe(&remote.cloudflare, &environment).await?;
    expect_secrets(&environment, &sources, &observed, tell)?;
    let [(gateway, gateway_was), (room, room_was)] = super::build::built(context).await?;
    let observed = match (gateway_was, room_was) {
        (Outcome::Unchanged, Outcome::Unchanged) => observed,
        // Much may have happened while it compiled
        _ => observe(&remote.cloudflare, &environment).await?,
    };
    let bundles = Bundles { gateway, room };
    let desired = Desired::of(&environment, &bundles);
    let rollout = match &kept {
        Some(kept) => kept.rollout.parse().map_err(anyhow::Error::msg)?,
        None => args.rollout.clone(),
    };
    let title = format!("deployment of {}", environment.name);
    let plan = match Plan::between(&desired, &observed, &rollout) {
        Ok(plan) => plan,
        Err(conflicts) => return super::plan::refuse(context, &environment, &title, conflicts),
    };
    if let Some(kept) = &kept {
        kept.check(&SavedPlan::new(
            remote.cloudflare.account(),
            &observed,
            &plan,
            &rollout,
        )?)?;
    }
    let mut secrets = BTreeMap::new();
    if !plan.is_empty() {
        for name in plan.secrets().into_iter().chain([WEBHOOK_SECRET]) {
            secrets.insert(name.to_owned(), sources.good(name)?.clone());
        }
    }
    if !plan.is_empty() && environment.protected && !args.yes && !args.sandbox {
        confirm::protected(environment.name.as_str(), &plan, "plan")?;
    }
    super::generate::refresh(context, &artifacts)?;
    let verification = Verification {
        environment: &environment,
        site: remote.site(&environment)?,
        secret: secrets.get(WEBHOOK_SECRET).cloned(),
        brings_secret: plan.secrets().contains(WEBHOOK_SECRET),
        live: live_gateway(&environment, &observed),
        pause: args.pause,
        report: RefCell::default(),
        room: plan.replaces(Worker::Room),
        probe: Cell::new(rand::random()),
        tell: &tell,
    };
    let accepted = verification.accepted_before(&plan).await;
    let mut run = HalfDone::new(Undertaking::Deployment, environment.name.as_str());
    let applied = apply::apply(
        &remote.cloudflare,
        &plan,
        &inputs(&desired, bundles, secrets),
        &mut run.report,
        tell,
        async |probe: Probe<'_>| verification.check(probe, accepted).await,
    )
    .await;
    let verified = verification.report.take();
    let failed = verified.as_ref().is_some_and(|report| !report.passed());
    let error = match applied {
        Ok(()) if failed => Some(anyhow::anyhow!(other_secret(&environment))),
        Ok(()) => None,
        Err(_) if failed => Some(anyhow::anyhow!(does_not_work(
            &environment,
            &plan,
            &run.report
        ))),
        Err(error) => Some(error.context(format!("{run}\ncause"))),
    };
    let answer = Answer {
        environment: environment.name.to_string(),
        plan,
        applied: run.over(),
        verified,
        failure: error.as_ref().map(|error| format!("{error:#}")),
    };
    if answer.verified.is_some() || context.format == Format::Json {
        context.format.answer(&answer)?;
    }
    match (answer.failure.as_ref(), error) {
        (Some(failure), Some(error)) => {
            step_summary::append(&title, &format!("{answer}\n\n{failure}"));
            Err(error)
        }
        _ => {
            step_summary::append(&title, &answer);
            remote.close().await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Cheap and certain first: a secret that will be sent, and that nobody can have here, shows before minutes of compiling.
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
    if let Err(error) = secrets.expect(WEBHOOK_SECRET) {
        tell(&format!(
            "if something has to change, this will stop: {error:#}"
        ));
    }
    Ok(())
}

/// The version of the gateway that answers now.
fn live_gateway(environment: &Environment, observed: &Observed) -> Option<String> {
    let live = observed.scripts.get(&environment.gateway_script())?;
    Some(live.active.id.clone())
}

fn inputs(desired: &Desired, bundles: Bundles, secrets: BTreeMap<String, Value>) -> Inputs {
    Inputs {
        zone: desired.zone.clone(),
        scripts: desired
            .scripts
            .iter()
            .map(|wanted| wanted.script.clone())
            .collect(),
        bundles: [
            (Worker::Gateway, bundles.gateway),
            (Worker::Room, bundles.room),
        ]
        .into(),
        secrets,
    }
}

/// How this deployment is checked.
struct Verification<'a> {
    environment: &'a Environment,
    site: Site,
    /// None when nothing changes: then no source was read.
    secret: Option<Value>,
    /// Whether the plan sends the webhook secret.
    brings_secret: bool,
    /// The gateway's version before the deployment.
    live: Option<String>,
    pause: Duration,
    /// Of the environment as a whole.
    report: RefCell<Option<verify::Report>>,
    /// The script of the room when a version of it is replaced.
    room: Option<String>,
    /// The room to ask next: one that was asked a moment ago may keep the version that it ran then.
    probe: Cell<u8>,
    tell: &'a dyn Fn(&str),
}

impl Verification<'_> {
    /// Whether the live gateway accepts the webhook secret already. After a rotation the source that CI reads may still give the
    /// old value, which is no fault of what is being deployed.
    async fn accepted_before(&self, plan: &Plan) -> Option<bool> {
        let secret = self.secret.as_ref()?;
        if self.brings_secret || self.live.is_none() || plan.is_empty() {
            return None;
        }
        verify::accepts(&self.site, self.environment, secret).await
    }

    async fn check(&self, probe: Probe<'_>, accepted: Option<bool>) -> anyhow::Result<()> {
        let publisher = match &self.secret {
            Some(secret) => Publisher::Secret(secret),
            None => Publisher::Absent("nothing changed, so no secret was read; `verify` makes it"),
        };
        let of_share = match accepted {
            Some(false) => Publisher::Absent(
                "the version before refuses the secret that the manifest's source gives, too",
            ),
            _ => publisher,
        };
        let (site, expected) = match probe {
            Probe::Version { script, version } => (
                self.site.at_version(script, version),
                Expected {
                    publisher: of_share,
                    version: Some(version),
                    patience: SPREAD,
                },
            ),
            Probe::Rooms { version, percent } => {
                return self.rooms(version, percent).await;
            }
            Probe::Live => {
                tokio::time::sleep(self.pause).await;
                let expected = Expected {
                    publisher: of_share,
                    version: None,
                    patience: Duration::ZERO,
                };
                (self.site.clone(), expected)
            }
            Probe::Whole { versions } => {
                let version = versions.get(&self.environment.gateway_script());
                let expected = Expected {
                    publisher,
                    version: version.or(self.live.as_ref()).map(String::as_str),
                    patience: PATIENCE,
                };
                let mut report = verify(&self.site, self.environment, expected).await;
                if report.passed()
                    && let Some(version) = self.room.as_ref().and_then(|room| versions.get(room))
                {
                    let fresh = self.rooms(version, 100).await;
                    report.add("fresh rooms run the new version", fresh);
                }
                let excused = report.only_the_secret_differs()
                    && !self.brings_secret
                    && accepted != Some(true);
                let passed = report.passed() || excused;
                self.report.replace(Some(report));
                if !passed {
                    bail!("a check failed");
                }
                return Ok(());
            }
        };
        let report = verify(&site, self.environment, expected).await;
        if !report.passed() {
            bail!("{report}");
        }
        Ok(())
    }
}

impl Verification<'_> {
    async fn rooms(&self, version: &str, percent: u8) -> anyhow::Result<()> {
        let first = self.probe.get();
        let count = u8::try_from(rooms::needed(percent) % 256).unwrap_or_default();
        self.probe.set(first.wrapping_add(count));
        let sought = Sought {
            version,
            percent,
            first,
            patience: if self.site.is_sandboxed() {
                Duration::ZERO
            } else {
                SPREAD
            },
        };
        if let Proof::Impossible(why) = rooms::prove(&self.site, sought).await? {
            (self.tell)(&format!("not proved that rooms run the new version: {why}"));
        }
        Ok(())
    }
}

fn other_secret(environment: &Environment) -> String {
    let name = &environment.name;
    let source = &environment.secrets[WEBHOOK_SECRET].source;
    format!(
        "`{name}` is deployed and stays, but it could not be proved to deliver: the source `{source}` gives another value of `{WEBHOOK_SECRET}` than the deployed one, which this deployment did not touch; after a rotation, give the source the new value, then run `edge-broadcast verify {name}`"
    )
}

fn does_not_work(environment: &Environment, plan: &Plan, applied: &apply::Report) -> String {
    let name = &environment.name;
    let uploads = plan
        .steps
        .iter()
        .any(|step| matches!(step, Step::Upload(_)));
    let mut text = match (applied.returned.as_slice(), applied.not_returned.is_empty()) {
        ([], true) if uploads => format!(
            "`{name}` is deployed, but it does not work as it must: see the failed checks; no version before it could take over"
        ),
        ([], _) => format!("`{name}` does not work as it must: see the failed checks"),
        (returned, _) => format!(
            "`{name}` did not work as it must: see the failed checks; `{}` went back to the version before",
            returned.join("`, `")
        ),
    };
    for (script, why) in &applied.not_returned {
        text += &format!("; `{script}` could not go back to the version before: {why}");
    }
    text
}
