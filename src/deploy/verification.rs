//! The checks of a deployment: which are made at each stage, what passes, and what is said when one fails.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::anyhow;
use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;

use super::apply::{Probe, Report};
use super::causes::Causes;
use super::running::Running;
use super::watch::Watch;
use crate::build::Worker;
use crate::environment::Environment;
use crate::live::acceptance::{self, Answer};
use crate::live::elsewhere::{Elsewhere, Unproved, is_certain};
use crate::live::loss::{self, Trials};
use crate::live::rooms::{self, Proof, Sought};
use crate::live::site::Site;
use crate::live::verify::{self, Expected, Publisher, ask_health, verify, verify_main};
use crate::plan::{Observed, Plan, Shift, Step};
use crate::secret::Value;
use crate::terminal::advice::Advice;
use crate::terminal::wait::{until, wait};

/// How long a deployment may take to be reachable: DNS, certificate, route and version spread in that time.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a version may take until a request can name it.
const SPREAD: Duration = Duration::from_secs(30);

/// What a check publishes with, or why there is nothing.
pub(crate) type Publishes = Result<Value, String>;
/// What the time is needed for.
const SPREADS: &str = "what is deployed takes a while to answer everywhere as it must";
const ROOMS: &str = "rooms take a while to run the new version";

/// The way in which one deployment is checked.
pub(crate) struct Verification<'a> {
    environment: &'a Environment,
    site: Site,
    secret: Publishes,
    plan: &'a Plan,
    /// What was seen of what is live before: it may be why a check fails.
    pub(crate) causes: Causes,
    /// The gateway's version before the deployment.
    live: Option<String>,
    /// Whether the live gateway accepted the webhook secret already; none where the plan brings it. After a rotation the source that
    /// CI reads may still give the old value, which is no fault of what is being deployed.
    accepted_before: Option<Answer>,
    /// How long clients get both versions before a stage is checked.
    pause: Duration,
    /// Of the environment as a whole.
    pub(crate) report: RefCell<Option<verify::Report>>,
    /// The room to ask next: one that was asked a moment ago may keep the version that it ran then.
    next_room: Cell<u8>,
    tell: &'a dyn Fn(&str),
    /// What goes by what the workers count, where the manifest wants it.
    pub(crate) watch: Option<Watch<'a>>,
}

impl<'a> Verification<'a> {
    /// The checks of `plan`, which is not begun yet.
    pub(crate) async fn new(
        environment: &'a Environment,
        site: Site,
        secret: Publishes,
        plan: &'a Plan,
        observed: &Observed,
        pause: Duration,
        tell: &'a dyn Fn(&str),
    ) -> Self {
        let gateway = observed.scripts.get(&environment.gateway_script());
        let mut new = Self {
            environment,
            site,
            secret,
            plan,
            causes: Causes::of(environment, observed),
            live: gateway.map(|live| live.active.id.clone()),
            accepted_before: None,
            pause,
            report: RefCell::default(),
            next_room: Cell::new(rand::random()),
            tell,
            watch: None,
        };
        if let Ok(secret) = &new.secret
            && !new.brings_secret()
            && new.live.is_some()
        {
            let answer = acceptance::once(&new.site, environment, secret).await;
            new.accepted_before = answer.ok();
        }
        new
    }

    /// Makes the checks of `probe`.
    pub(crate) async fn check(&self, probe: Probe<'_>) -> anyhow::Result<()> {
        match probe {
            Probe::Version { script, version } => {
                let site = self.site.at_version(script, version);
                self.share(&site, Some(version), SPREAD).await
            }
            Probe::Rooms { version, percent } => self.rooms(version, percent).await,
            Probe::Live { shift, version } => self.live(shift, version).await,
            Probe::Whole { versions } => self.whole(versions).await,
            Probe::Left => self.share(&self.site, None, Duration::ZERO).await,
        }
    }

    /// Checks what clients get while a version has a share of the traffic, and judges it by what was counted in that time.
    async fn live(&self, shift: &Shift, version: &str) -> anyhow::Result<()> {
        let why = "clients get both versions, and are watched for that long";
        wait(self.tell, self.pause, why).await;
        self.share(&self.site, None, Duration::ZERO).await?;
        self.lost(shift, version).await?;
        match &self.watch {
            Some(watch) => watch.judge(shift, version, self.tell).await,
            None => Ok(()),
        }
    }

    /// Publishes until a version that loses some of what it accepts would have lost one. A request can name a version of the gateway; of
    /// rooms as many are tried as are asked for their version.
    async fn lost(&self, shift: &Shift, version: &str) -> anyhow::Result<()> {
        let Publisher::Secret(secret) = self.publisher_of_share() else {
            return Ok(());
        };
        let (site, trials) = match shift.role {
            Worker::Gateway => {
                let site = self.site.at_version(&shift.script, version);
                (site, Trials { rooms: 4, each: 10 })
            }
            Worker::Room => {
                let rooms = rooms::needed(shift.percent);
                (self.site.clone(), Trials { rooms, each: 3 })
            }
        };
        let trials = trials.within(self.environment);
        loss::none_is_lost(&site, self.environment, secret, trials).await
    }

    /// Checks a version that has a share of the traffic.
    async fn share(
        &self,
        site: &Site,
        version: Option<&str>,
        patience: Duration,
    ) -> anyhow::Result<()> {
        let expected = Expected {
            publisher: self.publisher_of_share(),
            version,
            patience,
        };
        let made = verify_main(site, self.environment, expected);
        let mut report = until(self.tell, patience, SPREADS, made).await;
        self.causes.attribute(&mut report);
        if report.passed() {
            return Ok(());
        }
        Err(proved(&report, anyhow!("{report}")))
    }

    async fn whole(&self, versions: &BTreeMap<String, String>) -> anyhow::Result<()> {
        let version = versions.get(&self.environment.gateway_script());
        let expected = Expected {
            publisher: self.publisher(),
            version: version.or(self.live.as_ref()).map(String::as_str),
            patience: PATIENCE,
        };
        let made = verify(&self.site, self.environment, expected);
        let mut report = until(self.tell, PATIENCE, SPREADS, made).await;
        self.causes.attribute(&mut report);
        let room = self.plan.replaces(Worker::Room);
        if report.passed()
            && let Some(version) = room.and_then(|room| versions.get(&room))
        {
            let fresh = self.rooms(version, 100).await;
            report.add("fresh rooms run the new version", fresh);
        }
        let is_excused = report.only_the_secret_differs()
            && !self.brings_secret()
            && self.accepted_before != Some(Answer::Accepted);
        let passed = report.passed() || is_excused;
        let failed = proved(&report, anyhow!("a check failed"));
        self.report.replace(Some(report));
        if passed { Ok(()) } else { Err(failed) }
    }

    async fn rooms(&self, version: &str, percent: u8) -> anyhow::Result<()> {
        let first = self.next_room.get();
        let count = u8::try_from(rooms::needed(percent) % 256).unwrap_or_default();
        self.next_room.set(first.wrapping_add(count));
        let sought = Sought {
            version,
            percent,
            first,
            patience: match self.site.is_sandboxed() {
                true => Duration::ZERO,
                false => SPREAD,
            },
        };
        let made = rooms::prove(&self.site, sought);
        match until(self.tell, SPREAD, ROOMS, made).await {
            Ok(Proof::Given) => Ok(()),
            Ok(Proof::Impossible(why)) => {
                (self.tell)(&format!("not proved that rooms run the new version: {why}"));
                Ok(())
            }
            Err(error) => Err(self.whose(error).await),
        }
    }

    /// The failure of a check of rooms; where it is not the gateway that answers, that instead.
    async fn whose(&self, error: anyhow::Error) -> anyhow::Error {
        let Err(other) = ask_health(&self.site, self.environment, &[]).await else {
            return error;
        };
        let elsewhere: Option<&Elsewhere> = other.downcast_ref();
        let of_route = |it: &Elsewhere| it.of_route(|host, path| self.causes.taken(host, path));
        let other = elsewhere.and_then(of_route).unwrap_or(other);
        match is_certain(&other) {
            true => other.context(Unproved),
            false => error,
        }
    }

    /// What a version with a share is published to with: no secret that the version before refuses, too.
    fn publisher_of_share(&self) -> Publisher<'_> {
        match self.accepted_before {
            Some(Answer::Refused) => Publisher::Absent(
                "the version before refuses the secret that the manifest's source gives, too",
            ),
            _ => self.publisher(),
        }
    }

    fn publisher(&self) -> Publisher<'_> {
        match &self.secret {
            Ok(secret) => Publisher::Secret(secret),
            Err(why) => Publisher::Absent(why),
        }
    }

    /// Whether the plan sends the webhook secret.
    fn brings_secret(&self) -> bool {
        self.plan.secrets().contains(WEBHOOK_SECRET)
    }

    /// The error of a deployment that ended with `applied`.
    pub(crate) fn failure(
        &self,
        applied: anyhow::Result<()>,
        running: &Running,
    ) -> Option<anyhow::Error> {
        let report = self.report.borrow();
        let failed = report.as_ref().is_some_and(|report| !report.passed());
        match applied {
            Ok(()) if failed => Some(other_secret(self.environment)),
            Ok(()) => None,
            Err(_) if failed => Some(self.does_not_work(&running.report)),
            Err(error) => Some(running.stopped_by(error)),
        }
    }

    fn does_not_work(&self, applied: &Report) -> anyhow::Error {
        let name = &self.environment.name;
        let mut steps = self.plan.steps.iter();
        let uploads = steps.any(|step| matches!(step, Step::Upload(_)));
        let report = self.report.borrow();
        let (seen, mut fixes) = self.causes.told("before, it was seen");
        fixes.insert(0, "see the failed checks".to_owned());
        if report
            .as_ref()
            .is_some_and(verify::Report::only_others_answered)
        {
            let fixes = fixes.join("; ");
            return Advice::new(
                format!(
                    "`{name}` is live and unverified: it was not the gateway that answered. That says nothing of its code, so nothing went back{seen}"
                ),
                format!("{fixes}, then run `edge-broadcast verify {name}`"),
            )
            .into();
        }
        let mut text = match (applied.returned.as_slice(), applied.not_returned.is_empty()) {
            ([], true) if uploads => format!(
                "`{name}` is deployed, but it does not work as it must; no version before it could take over"
            ),
            ([], _) => format!("`{name}` does not work as it must"),
            (returned, _) => format!(
                "`{name}` did not work as it must; `{}` went back to the version before",
                returned.join("`, `")
            ),
        };
        if !applied.moved_back.is_empty() {
            let hosts = applied.moved_back.join("`, `");
            text += &format!("; `{hosts}` went back to the script before");
        }
        for (host, why) in &applied.not_moved_back {
            text += &format!("; `{host}` could not go back to the script before: {why}");
        }
        for (script, why) in &applied.not_returned {
            text += &format!("; `{script}` could not go back to the version before: {why}");
        }
        Advice::new(text + &seen, fixes.join("; ")).into()
    }
}

/// The failure of checks, marked where only others answered in the gateway's place.
fn proved(report: &verify::Report, error: anyhow::Error) -> anyhow::Error {
    match report.only_others_answered() {
        true => error.context(Unproved),
        false => error,
    }
}

fn other_secret(environment: &Environment) -> anyhow::Error {
    let name = &environment.name;
    let source = &environment.secrets[WEBHOOK_SECRET].source;
    Advice::new(
        format!(
            "`{name}` is deployed and stays, but it could not be proved to deliver: the source `{source}` gives another value of `{WEBHOOK_SECRET}` than the deployed one, which this deployment did not touch"
        ),
        format!(
            "after a rotation, give the source the new value, then run `edge-broadcast verify {name}`"
        ),
    )
    .into()
}
