//! Performs a plan, step by step, and reports what was done and what was not. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use serde::Serialize;

use crate::build::Worker;
use crate::cloudflare::error::advice;
use crate::cloudflare::execute::{self, Change, OldSecrets};
use crate::cloudflare::overtaken::Overtaken;
pub use crate::cloudflare::payload::Inputs;
use crate::cloudflare::{Cloudflare, observe};
use crate::live::elsewhere::Unproved;
use crate::plan::{Lane, Plan, Shift, Split, Step, Then, release};
use crate::terminal::advice::Advice;

/// Outcome of a plan, step by step.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub done: Vec<String>,
    pub failed: Option<String>,
    pub not_attempted: Vec<String>,
    /// Scripts whose traffic went back to the version before.
    pub returned: Vec<String>,
    /// Why scripts that should have gone back did not.
    pub not_returned: BTreeMap<String, String>,
    /// The version ids that this run made or took, by script.
    pub versions: BTreeMap<String, String>,
}

/// The thing that a check looks at.
#[derive(Clone, Copy, Debug)]
pub enum Probe<'a> {
    /// A version, which a request names: whatever its share of the traffic is.
    Version { script: &'a str, version: &'a str },
    /// Rooms, of which the version has a share.
    Rooms { version: &'a str, percent: u8 },
    /// The answers that clients get in the middle of a gradual deployment: one version or the other.
    Live,
    /// The environment after every change, before anything is removed. The versions are this run's, by script.
    Whole {
        versions: &'a BTreeMap<String, String>,
    },
}

/// Reason why a run ends before its last step.
enum Stop {
    /// A step failed: the next run goes on from here.
    Step(anyhow::Error),
    /// The live environment does not work.
    Check(anyhow::Error),
}

/// Performs the steps in order and stops at the first that fails, or whose check fails. What only takes away comes last, after a
/// check of everything else. When a check fails, or another deployment came between, the scripts that this run has shifted go
/// back to the versions before, unless it was not the gateway that answered. `tell` hears of each step before it begins.
///
/// Cloudflare has no way to change a split only if it still is what was read. Between two deployments at once a moment is left in
/// which both pass the last look; the one that finds itself overtaken takes its own shifts back.
pub async fn apply(
    cloudflare: &Cloudflare,
    plan: &Plan,
    inputs: &Inputs,
    report: &mut Report,
    tell: impl Fn(&str),
    check: impl AsyncFn(Probe<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    report.not_attempted = plan.steps.iter().map(Step::title).collect();
    let changes = plan.steps.partition_point(|step| !step.only_removes());
    let (changes, removals) = plan.steps.split_at(changes);
    let mut run = Run {
        cloudflare,
        inputs,
        report,
        tell,
        check,
        splits: BTreeMap::new(),
    };
    let stopped = async {
        run.perform(changes).await?;
        run.verify().await?;
        run.perform(removals).await
    }
    .await;
    match stopped {
        Ok(()) => Ok(()),
        Err(Stop::Step(error)) if error.downcast_ref::<Overtaken>().is_none() => Err(error),
        // The version before would not be answered for either
        Err(Stop::Check(error)) if error.is::<Unproved>() => Err(error),
        Err(Stop::Step(error) | Stop::Check(error)) => {
            run.undo(&plan.steps).await;
            Err(error)
        }
    }
}

struct Run<'a, T, C> {
    cloudflare: &'a Cloudflare,
    inputs: &'a Inputs,
    report: &'a mut Report,
    tell: T,
    check: C,
    /// The split that this run gave each script last.
    splits: BTreeMap<String, Split>,
}

impl<T: Fn(&str), C: AsyncFn(Probe<'_>) -> anyhow::Result<()>> Run<'_, T, C> {
    async fn perform(&mut self, steps: &[Step]) -> Result<(), Stop> {
        for step in steps {
            let title = self.report.not_attempted.remove(0);
            (self.tell)(&title);
            self.report.failed = Some(title.clone());
            self.step(step)
                .await
                .with_context(|| format!("failed to {title}"))
                .map_err(Stop::Step)?;
            if let Step::Shift(shift) = step
                && shift.then == Then::Check
            {
                self.check_shift(shift).await.map_err(|error| {
                    Stop::Check(error.context(format!(
                        "the check at {} % of `{}` failed",
                        shift.percent, shift.script
                    )))
                })?;
            }
            self.report.failed = None;
            self.report.done.push(title);
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> anyhow::Result<()> {
        match step {
            Step::Upload(upload) => {
                self.undisturbed().await?;
                let version = execute::upload(self.cloudflare, upload, self.inputs).await?;
                let script = &upload.script;
                if matches!(upload.lane, Lane::Lifecycle { .. }) {
                    self.splits.insert(script.clone(), Split::all(&version));
                }
                self.report.versions.insert(script.clone(), version);
                Ok(())
            }
            Step::Shift(shift) => {
                self.undisturbed().await?;
                let to = self.report.versions[&shift.script].clone();
                let before = self.splits.get(&shift.script).cloned();
                let before =
                    before.unwrap_or_else(|| Split::between(&to, shift.reached, &shift.from));
                let split = Split::between(&to, shift.percent, &shift.from);
                self.shift(shift, &to, split, &before).await
            }
            step => execute::execute(self.cloudflare, &self.inputs.zone, step).await,
        }
    }

    /// The checks after a share of the traffic was given. A request names a version of the gateway; which one a room runs is
    /// decided per object.
    async fn check_shift(&self, shift: &Shift) -> anyhow::Result<()> {
        let &Shift {
            ref script,
            percent,
            role,
            ..
        } = shift;
        let version = &self.report.versions[script];
        (self.check)(match role {
            Worker::Gateway => Probe::Version { script, version },
            Worker::Room => Probe::Rooms { version, percent },
        })
        .await?;
        if percent > 0 {
            (self.check)(Probe::Live).await?;
        }
        Ok(())
    }

    /// Checks the environment after every change, before anything is removed.
    async fn verify(&mut self) -> Result<(), Stop> {
        self.report.failed = Some("verify what is live".to_owned());
        self.undisturbed()
            .await
            .context("failed to verify what is live")
            .map_err(Stop::Step)?;
        let versions = &self.report.versions;
        let checked = (self.check)(Probe::Whole { versions }).await;
        checked.map_err(Stop::Check)?;
        self.report.failed = None;
        Ok(())
    }

    /// Two deployments at once must not end as a mix: what this run has shifted must be live as it was left, and what it has only
    /// uploaded must still be the newest.
    async fn undisturbed(&self) -> anyhow::Result<()> {
        for (script, version) in &self.report.versions {
            let ours = match self.splits.get(script) {
                Some(split) => observe::split(self.cloudflare, script)
                    .await?
                    .is_same(split),
                None => observe::newest_version(self.cloudflare, script)
                    .await?
                    .is_some_and(|newest| newest.id == *version),
            };
            if !ours {
                bail!(Overtaken(Advice::new(
                    format!("somebody else is deploying `{script}` at the same time"),
                    "plan again when that is over"
                )));
            }
        }
        Ok(())
    }

    /// Gives the scripts that this run shifted back to the versions before, the last one first.
    async fn undo(&mut self, steps: &[Step]) {
        let mut seen = BTreeSet::new();
        let shifts = steps.iter().filter_map(|step| match step {
            Step::Shift(shift) => Some(shift),
            _ => None,
        });
        let shifts: Vec<&Shift> = shifts
            .filter(|shift| self.splits.contains_key(&shift.script) && seen.insert(&shift.script))
            .collect();
        for shift in shifts.into_iter().rev() {
            let Shift { script, from, .. } = shift;
            (self.tell)(&format!("give all traffic of `{script}` back to `{from}`"));
            let before = self.splits[script].clone();
            match self.shift(shift, from, Split::all(from), &before).await {
                Ok(()) => self.report.returned.push(script.clone()),
                Err(error) => {
                    self.report
                        .not_returned
                        .insert(script.clone(), advice(&error).line());
                }
            }
        }
    }

    async fn shift(
        &mut self,
        shift: &Shift,
        to: &str,
        split: Split,
        before: &Split,
    ) -> anyhow::Result<()> {
        let script = self.inputs.script(shift.role);
        let change = Change {
            script: &shift.script,
            to,
            split: &split,
            before,
            message: &release::of_deployment(&script.environment),
            code_update: script.code_update,
            // The version before may lack only what this run added
            secrets: OldSecrets::Accept,
        };
        execute::shift(self.cloudflare, change).await?;
        self.splits.insert(shift.script.clone(), split);
        Ok(())
    }
}
