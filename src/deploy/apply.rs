//! Performs a plan, step by step, and reports what was done and what was not. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use serde::Serialize;

use crate::build::Worker;
use crate::cloudflare::error::{advice, was_not_made};
use crate::cloudflare::execute::{self, Change, OldSecrets};
use crate::cloudflare::overtaken::Overtaken;
pub use crate::cloudflare::payload::Inputs;
use crate::cloudflare::{Cloudflare, observe};
use crate::deploy::watch::Held;
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
    /// Hosts that this run had moved from another script and that have it again, by their routes' patterns or names.
    pub moved_back: Vec<String>,
    /// Why hosts that should have gone back did not.
    pub not_moved_back: BTreeMap<String, String>,
    /// The version ids that this run made or took, by script.
    pub versions: BTreeMap<String, String>,
    /// Scripts that are live with what this run gave them, as far as it knows, and that no check has passed since.
    pub unverified: BTreeSet<String>,
}

impl Report {
    /// The next thing is begun: a run that ends now has failed to do it. Its title.
    pub(crate) fn begin(&mut self, tell: impl Fn(&str)) -> String {
        let title = self.not_attempted.remove(0);
        tell(&title);
        self.failed = Some(title.clone());
        title
    }

    /// It is done.
    pub(crate) fn end(&mut self) {
        self.done.extend(self.failed.take());
    }
}

/// The thing that a check looks at.
#[derive(Clone, Copy, Debug)]
pub enum Probe<'a> {
    /// A version, which a request names: whatever its share of the traffic is.
    Version { script: &'a str, version: &'a str },
    /// Rooms, of which the version has a share.
    Rooms { version: &'a str, percent: u8 },
    /// The answers that clients get in the middle of a gradual deployment, from one version or the other, and what the workers count
    /// of both. The version is the one that has the share of the shift.
    Live { shift: &'a Shift, version: &'a str },
    /// The environment after every change, before anything is removed. The versions are this run's, by script.
    Whole {
        versions: &'a BTreeMap<String, String>,
    },
    /// The answers that clients get after a run that ends before its last change.
    Left,
}

/// Reason why a run ends before its last step.
enum Stop {
    /// A step failed: the next run goes on from here.
    Step(anyhow::Error),
    /// The live environment does not work.
    Check(anyhow::Error),
}

/// Performs the steps in order and stops at the first that fails, or whose check fails. What only takes away comes last, after a
/// check of everything else. When a check fails, or another deployment came between, the hosts that this run has moved and the
/// scripts that it has shifted go back to what was before, unless it was not the gateway that answered. `tell` hears of each step
/// before it begins.
///
/// When a step fails after traffic was given to something new, that is checked before the run ends. What could not be is
/// `unverified` in the report, at every moment: a run that is interrupted has told it.
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
        given: BTreeMap::new(),
    };
    let stopped = async {
        run.perform(changes).await?;
        run.verify().await?;
        run.perform(removals).await
    }
    .await;
    match stopped {
        Ok(()) => Ok(()),
        Err(Stop::Step(error)) if error.downcast_ref::<Overtaken>().is_none() => {
            run.leave(&plan.steps).await;
            Err(error)
        }
        // The version before would not be answered for either
        Err(Stop::Check(error)) if error.is::<Unproved>() || error.is::<Held>() => Err(error),
        Err(Stop::Step(error) | Stop::Check(error)) => {
            run.move_back(&plan.steps).await;
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
    /// What of each script this run gave traffic to.
    given: BTreeMap<String, Given>,
}

/// A share of a script's traffic.
#[derive(Clone, Copy)]
struct Given {
    role: Worker,
    percent: u8,
}

impl<T: Fn(&str), C: AsyncFn(Probe<'_>) -> anyhow::Result<()>> Run<'_, T, C> {
    async fn perform(&mut self, steps: &[Step]) -> Result<(), Stop> {
        for step in steps {
            let title = self.report.begin(&self.tell);
            self.step_told(step)
                .await
                .with_context(|| format!("failed to {title}"))
                .map_err(Stop::Step)?;
            if let Step::Shift(shift) = step
                && shift.then == Then::Check
            {
                let checked = self.check_shift(shift).await;
                let is_held = checked.as_ref().is_err_and(anyhow::Error::is::<Held>);
                if checked.is_ok() || is_held {
                    self.report.unverified.remove(&shift.script);
                }
                if is_held {
                    self.report.end();
                }
                checked.map_err(|error| {
                    let result = if is_held {
                        "found too little"
                    } else {
                        "failed"
                    };
                    Stop::Check(error.context(format!(
                        "the check at {} % of `{}` {result}",
                        shift.percent, shift.script
                    )))
                })?;
            }
            self.report.end();
        }
        Ok(())
    }

    /// Performs a step. What it gives traffic to is unverified from before it is sent: it may be carried out and the answer lost.
    async fn step_told(&mut self, step: &Step) -> anyhow::Result<()> {
        let Some((script, given)) = traffic(step) else {
            return self.step(step).await;
        };
        let is_new = self.report.unverified.insert(script.to_owned());
        let done = self.step(step).await;
        match &done {
            Ok(()) => drop(self.given.insert(script.to_owned(), given)),
            Err(error) if is_new && was_not_made(error) => {
                self.report.unverified.remove(script);
            }
            Err(_) => {}
        }
        done
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

    /// The checks after a share of the traffic was given.
    async fn check_shift(&self, shift: &Shift) -> anyhow::Result<()> {
        let &Shift { role, percent, .. } = shift;
        self.check_share(&shift.script, Given { role, percent })
            .await?;
        if percent > 0 {
            let version = &self.report.versions[&shift.script];
            (self.check)(Probe::Live { shift, version }).await?;
        }
        Ok(())
    }

    /// Checks what has a share. A request names a version of the gateway; which one a room runs is decided per object.
    async fn check_share(&self, script: &str, given: Given) -> anyhow::Result<()> {
        let Given { role, percent } = given;
        let version = &self.report.versions[script];
        (self.check)(match role {
            Worker::Gateway => Probe::Version { script, version },
            Worker::Room => Probe::Rooms { version, percent },
        })
        .await
    }

    /// A step failed: checks what this run has given traffic to, so that it does not end with what nobody has looked at. What
    /// does not pass goes back.
    async fn leave(&mut self, steps: &[Step]) {
        let is_way = |step: &Step| {
            matches!(
                step,
                Step::AddRoute { .. }
                    | Step::AddDomain { .. }
                    | Step::MoveRoute { .. }
                    | Step::MoveDomain { .. }
            )
        };
        // They come after the code where nothing leads to it yet: the gateway is new, or the hosts are another script's
        let unreachable = steps[self.report.done.len()..].iter().any(is_way);
        let left: Vec<(String, Given)> = self
            .given
            .iter()
            .filter(|(script, _)| self.report.unverified.contains(*script))
            .map(|(script, given)| (script.clone(), *given))
            .collect();
        if left.is_empty() || unreachable {
            return;
        }
        (self.tell)("the run ends here: verify what is live");
        let checked = async {
            for (script, given) in &left {
                self.check_share(script, *given).await?;
            }
            (self.check)(Probe::Left).await
        }
        .await;
        match checked {
            Ok(()) => {
                for (script, _) in &left {
                    self.report.unverified.remove(script);
                }
            }
            Err(error) => {
                let told = advice(&error).line();
                (self.tell)(&format!("what is live failed its check: {told}"));
                if !error.is::<Unproved>() {
                    self.move_back(steps).await;
                    self.undo(steps).await;
                }
            }
        }
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
        self.report.unverified.clear();
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

    /// Gives the hosts that this run moved back to the scripts that had them, the last one first.
    async fn move_back(&mut self, steps: &[Step]) {
        let done = &steps[..self.report.done.len()];
        for back in done.iter().rev().filter_map(Step::back) {
            let (Step::MoveRoute { pattern: host, .. } | Step::MoveDomain { hostname: host, .. }) =
                &back
            else {
                continue;
            };
            (self.tell)(&back.title());
            match execute::execute(self.cloudflare, &self.inputs.zone, &back).await {
                Ok(()) => self.report.moved_back.push(host.clone()),
                Err(error) => {
                    let why = advice(&error).line();
                    self.report.not_moved_back.insert(host.clone(), why);
                }
            }
        }
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
                Ok(()) => {
                    self.report.unverified.remove(script);
                    self.report.returned.push(script.clone());
                }
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

/// The script that a step gives traffic to, and how much.
fn traffic(step: &Step) -> Option<(&str, Given)> {
    match step {
        Step::Upload(upload) if matches!(upload.lane, Lane::Lifecycle { .. }) => {
            let (role, percent) = (upload.role, 100);
            Some((&upload.script, Given { role, percent }))
        }
        Step::Shift(shift) if shift.percent > 0 => {
            let &Shift { role, percent, .. } = shift;
            Some((&shift.script, Given { role, percent }))
        }
        _ => None,
    }
}
