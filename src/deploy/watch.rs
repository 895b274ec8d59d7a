//! What the workers count while a new version has a share of the traffic, and what follows from it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde::Serialize;

use crate::build::Worker;
use crate::cloudflare::analytics::ask;
use crate::cloudflare::{Cloudflare, observe};
use crate::environment::manifest::OnInconclusive;
use crate::environment::{Environment, Rollout};
use crate::metric::evidence::{Evidence, Limits, Verdict, evidence};
use crate::metric::question::{self, Trial};
use crate::plan::{Plan, Shift, Step, Then};
use crate::terminal::advice::Advice;

/// Stands before the reason why a rollout stays at the share that it reached: nothing is wrong with the new version as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held;

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the rollout stays at that share")
    }
}

/// The verdict on one share.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Judged {
    script: String,
    percent: u8,
    new_version: String,
    old_version: String,
    #[serde(flatten)]
    evidence: Evidence,
}

/// Watches one rollout.
pub(crate) struct Watch<'a> {
    cloudflare: &'a Cloudflare,
    environment: &'a Environment,
    dataset: &'a str,
    rollout: &'a Rollout,
    /// The worker that is being rolled out, and since when it has its first share: what counts is what was counted from then on. A run
    /// that goes on from a share begins with that one, however long ago it was reached.
    begun: Cell<Option<(Worker, SystemTime)>>,
    judged: RefCell<Vec<Judged>>,
}

impl<'a> Watch<'a> {
    /// None where the manifest wants none, or where nothing gets a share.
    pub(crate) fn of(
        cloudflare: &'a Cloudflare,
        environment: &'a Environment,
        plan: &Plan,
    ) -> Option<Self> {
        let is_share = |step: &Step| matches!(step, Step::Shift(shift) if shift.then == Then::Check && shift.percent > 0);
        if !plan.steps.iter().any(is_share) {
            return None;
        }
        Some(Self {
            cloudflare,
            environment,
            dataset: environment.dataset.as_ref()?.as_str(),
            rollout: environment.rollout.as_ref()?,
            begun: Cell::default(),
            judged: RefCell::default(),
        })
    }

    /// Asks once, before anything is written: a token that may not read what is counted would be found out at the first share.
    pub(crate) async fn can_ask(&self) -> anyhow::Result<()> {
        let trial = self.trial(SystemTime::now(), ["", ""]);
        let asked = ask(self.cloudflare, &question::evidence(trial)).await;
        asked.map(drop).context(
            "asking what the workers counted, by which `[rollout]` of the manifest wants a release to be judged",
        )
    }

    /// Since when the worker of `shift` has a share.
    async fn since(&self, shift: &Shift) -> anyhow::Result<SystemTime> {
        let begun = self.begun.get().filter(|(role, _)| *role == shift.role);
        let since = match begun {
            Some((_, since)) => since,
            None => observe::split_since(self.cloudflare, &shift.script).await?,
        };
        self.begun.set(Some((shift.role, since)));
        Ok(since)
    }

    /// Judges `version`, which has the share of `shift`.
    pub(crate) async fn judge(
        &self,
        shift: &Shift,
        version: &str,
        tell: impl Fn(&str),
    ) -> anyhow::Result<()> {
        let evidence = self.evidence(shift, version).await.context(Held)?;
        tell(&format!(
            "`{}` at {} %: {evidence}",
            shift.script, shift.percent
        ));
        self.judged.borrow_mut().push(Judged {
            script: shift.script.clone(),
            percent: shift.percent,
            new_version: version.to_owned(),
            old_version: shift.from.clone(),
            evidence: evidence.clone(),
        });
        match (evidence.verdict, self.rollout.on_inconclusive) {
            (Verdict::NoWorse, _) => Ok(()),
            (Verdict::Worse, _) => Err(self.worse(version, &evidence).into()),
            (Verdict::TooFewSamples, OnInconclusive::Continue) => {
                tell("that is too little to judge by, and the manifest says to continue");
                Ok(())
            }
            (Verdict::TooFewSamples, OnInconclusive::Hold) => {
                Err(anyhow::Error::new(self.too_few(&evidence)).context(Held))
            }
        }
    }

    async fn evidence(&self, shift: &Shift, version: &str) -> anyhow::Result<Evidence> {
        let versions = [version, shift.from.as_str()];
        let trial = self.trial(self.since(shift).await?, versions);
        let events = ask(self.cloudflare, &question::evidence(trial)).await?;
        let rooms = match shift.role {
            Worker::Room => Some(ask(self.cloudflare, &question::rooms(trial)).await?),
            Worker::Gateway => None,
        };
        let limits = Limits {
            min_samples: self.rollout.min_samples,
            max_refusal_delta: self.rollout.max_refusal_delta,
            max_p99_ratio: self.rollout.max_p99_ratio,
        };
        Ok(evidence(&events, rooms.as_deref(), versions, limits))
    }

    fn trial<'b>(&self, since: SystemTime, versions: [&'b str; 2]) -> Trial<'b>
    where
        'a: 'b,
    {
        let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
        Trial {
            dataset: self.dataset,
            since: since.as_secs(),
            versions,
        }
    }

    fn worse(&self, version: &str, evidence: &Evidence) -> Advice {
        Advice::new(
            format!("`{version}` is worse than the version before it: {evidence}"),
            format!(
                "`edge-broadcast stats {} --by version` shows both; the limits are those of `[rollout]` in the manifest",
                self.environment.name
            ),
        )
    }

    fn too_few(&self, evidence: &Evidence) -> Advice {
        let name = &self.environment.name;
        Advice::new(
            format!(
                "too little was counted to judge by: {} events of the new version and {} of the one before, where the manifest wants {}",
                evidence.new_samples, evidence.old_samples, self.rollout.min_samples
            ),
            format!(
                "run `edge-broadcast deploy {name} --rollout` again when more was counted, or `edge-broadcast rollback {name}` to end it"
            ),
        )
    }

    /// What was judged, in its order.
    pub(crate) fn judged(&self) -> Vec<Judged> {
        self.judged.take()
    }
}
