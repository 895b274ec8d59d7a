//! Performs a plan, step by step, and reports what was done and what was not. Decides nothing.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Serialize;

use crate::build::Worker;
use crate::cloudflare::execute::{self, Change, OldSecrets, Overtaken};
pub use crate::cloudflare::payload::Inputs;
use crate::cloudflare::{Cloudflare, observe};
use crate::plan::{Lane, Plan, Shift, Split, Step, Then, Upload, release};

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
/// back to the versions before. `tell` hears of each step before it begins.
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
        splits: BTreeMap::new(),
    };
    let stopped = async {
        run.perform(changes, &check).await?;
        run.verify(&check).await?;
        run.perform(removals, &check).await
    }
    .await;
    match stopped {
        Ok(()) => Ok(()),
        Err(Stop::Step(error)) if error.downcast_ref::<Overtaken>().is_none() => Err(error),
        Err(Stop::Step(error) | Stop::Check(error)) => {
            run.undo(&plan.steps).await;
            Err(error)
        }
    }
}

struct Run<'a, T> {
    cloudflare: &'a Cloudflare,
    inputs: &'a Inputs,
    report: &'a mut Report,
    tell: T,
    /// The split that this run gave each script last.
    splits: BTreeMap<String, Split>,
}

impl<T: Fn(&str)> Run<'_, T> {
    async fn perform(
        &mut self,
        steps: &[Step],
        check: &impl AsyncFn(Probe<'_>) -> anyhow::Result<()>,
    ) -> Result<(), Stop> {
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
                self.check(shift, check).await.map_err(|error| {
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
                self.uploaded(upload, version);
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

    fn uploaded(&mut self, upload: &Upload, version: String) {
        if matches!(upload.lane, Lane::Lifecycle { .. }) {
            self.splits
                .insert(upload.script.clone(), Split::all(&version));
        }
        self.report.versions.insert(upload.script.clone(), version);
    }

    /// The checks after a share of the traffic was given. A request names a version of the gateway; which one a room runs is
    /// decided per object.
    async fn check(
        &self,
        shift: &Shift,
        check: &impl AsyncFn(Probe<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let version = &self.report.versions[&shift.script];
        match shift.role {
            Worker::Gateway => {
                let script = &shift.script;
                check(Probe::Version { script, version }).await?;
            }
            Worker::Room => {
                let percent = shift.percent;
                check(Probe::Rooms { version, percent }).await?;
            }
        }
        if shift.percent > 0 {
            check(Probe::Live).await?;
        }
        Ok(())
    }

    /// Checks the environment after every change, before anything is removed.
    async fn verify(
        &mut self,
        check: &impl AsyncFn(Probe<'_>) -> anyhow::Result<()>,
    ) -> Result<(), Stop> {
        self.report.failed = Some("verify what is live".to_owned());
        self.undisturbed()
            .await
            .context("failed to verify what is live")
            .map_err(Stop::Step)?;
        check(Probe::Whole {
            versions: &self.report.versions,
        })
        .await
        .map_err(Stop::Check)?;
        self.report.failed = None;
        Ok(())
    }

    /// Two deployments at once must not end as a mix: what this run has shifted must be live as it was left, and what it has only
    /// uploaded must still be the newest.
    async fn undisturbed(&self) -> anyhow::Result<()> {
        for (script, version) in &self.report.versions {
            let ours = match self.splits.get(script) {
                Some(split) => {
                    let now = observe::split(self.cloudflare, script).await?;
                    now.is_same(split)
                }
                None => {
                    let newest = observe::newest_version(self.cloudflare, script).await?;
                    newest.is_some_and(|newest| newest.id == *version)
                }
            };
            if !ours {
                return Err(Overtaken(format!(
                    "somebody else is deploying `{script}` at the same time; plan again when that is over"
                ))
                .into());
            }
        }
        Ok(())
    }

    /// Gives the scripts that this run shifted back to the versions before, the last one first.
    async fn undo(&mut self, steps: &[Step]) {
        let mut shifts: Vec<&Shift> = Vec::new();
        for step in steps {
            if let Step::Shift(shift) = step
                && self.splits.contains_key(&shift.script)
                && !shifts.iter().any(|known| known.script == shift.script)
            {
                shifts.push(shift);
            }
        }
        for shift in shifts.into_iter().rev() {
            let Shift { script, from, .. } = shift;
            (self.tell)(&format!("give all traffic of `{script}` back to `{from}`"));
            let before = self.splits[script].clone();
            match self.shift(shift, from, Split::all(from), &before).await {
                Ok(()) => self.report.returned.push(script.clone()),
                Err(error) => {
                    self.report
                        .not_returned
                        .insert(script.clone(), format!("{error:#}"));
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
