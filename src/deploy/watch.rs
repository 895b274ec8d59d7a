//! What the workers count while a new version has a share of the traffic, and what follows from it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

use crate::build::Worker;
use crate::cloudflare::Cloudflare;
use crate::cloudflare::analytics::ask;
use crate::environment::manifest::OnInconclusive;
use crate::environment::{Environment, Rollout};
use crate::metric::evidence::{Evidence, Limits, Verdict, evidence};
use crate::metric::question::{self, Scope};
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
    /// The script that is being rolled out, and when it got its first share.
    begun: Cell<Option<(Worker, Instant)>>,
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
        let scope = self.scope(1);
        let asked = ask(self.cloudflare, &question::evidence(scope, ["", ""])).await;
        asked.map(drop).context(
            "asking what the workers counted, by which `[rollout]` of the manifest wants a release to be judged",
        )
    }

    /// A version gets a share.
    pub(crate) fn begin(&self, role: Worker) {
        let before = self.begun.get().filter(|(known, _)| *known == role);
        let begun = before.unwrap_or_else(|| (role, Instant::now()));
        self.begun.set(Some(begun));
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
        let begun = self.begun.get().map(|(_, begun)| begun);
        let seconds = begun.map_or(0, |begun| begun.elapsed().as_secs());
        // The data set's times are whole seconds
        let scope = self.scope(seconds + 1);
        let versions = [version, shift.from.as_str()];
        let events = ask(self.cloudflare, &question::evidence(scope, versions)).await?;
        let rooms = match shift.role {
            Worker::Room => Some(ask(self.cloudflare, &question::rooms(scope, versions)).await?),
            Worker::Gateway => None,
        };
        let limits = Limits {
            min_samples: self.rollout.min_samples,
            max_refusal_delta: self.rollout.max_refusal_delta,
            max_p99_ratio: self.rollout.max_p99_ratio,
        };
        Ok(evidence(&events, rooms.as_deref(), versions, limits))
    }

    fn scope(&self, seconds: u64) -> Scope<'a> {
        Scope {
            dataset: self.dataset,
            seconds,
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
                "run `edge-broadcast deploy {name} --rollout` again with a longer `--pause` to go on from here, or `edge-broadcast rollback {name}` to end it"
            ),
        )
    }

    /// What was judged, in its order.
    pub(crate) fn judged(&self) -> Vec<Judged> {
        self.judged.take()
    }
}
