//! Performs a plan, step by step, and reports what was done and what was not. Decides nothing.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde::Serialize;

use crate::bundle::{Bundle, Worker};
use crate::cloudflare::execute::{self, OldSecrets, Split};
use crate::cloudflare::{Cloudflare, observe};
use crate::plan::{Plan, Shift, Step, Then};
use crate::script::Script;
use crate::secret::Value;

/// Everything that a plan's steps send, gathered before the first write.
pub struct Inputs {
    pub zone: String,
    pub scripts: Vec<Script>,
    pub bundles: BTreeMap<Worker, Bundle>,
    pub secrets: BTreeMap<String, Value>,
}

impl Inputs {
    /// The settings of the script in `role`.
    pub fn script(&self, role: Worker) -> &Script {
        self.scripts
            .iter()
            .find(|script| script.role == role)
            .expect("inputs hold both scripts")
    }

    /// The code of the script in `role`.
    pub fn bundle(&self, role: Worker) -> &Bundle {
        &self.bundles[&role]
    }
}

/// What became of a plan.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub done: Vec<String>,
    pub failed: Option<String>,
    pub not_attempted: Vec<String>,
    /// Scripts whose traffic went back to the version before.
    pub returned: Vec<String>,
    /// The version ids that this run made or took, by script.
    pub versions: BTreeMap<String, String>,
}

/// What a check between two steps looks at.
#[derive(Clone, Copy, Debug)]
pub enum Probe<'a> {
    /// A version that gets no traffic, named by the request.
    Version { script: &'a str, version: &'a str },
    /// What clients get.
    Live,
}

/// Performs the steps in order and stops at the first that fails, or whose check fails; then the scripts that this run
/// has shifted go back to the versions before. `tell` hears of each step before it begins.
pub async fn apply(
    cloudflare: &Cloudflare,
    plan: &Plan,
    inputs: &Inputs,
    report: &mut Report,
    tell: impl Fn(&str),
    check: impl AsyncFn(Probe<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    report.not_attempted = plan.steps.iter().map(Step::title).collect();
    for (at, step) in plan.steps.iter().enumerate() {
        let title = report.not_attempted.remove(0);
        tell(&title);
        report.failed = Some(title.clone());
        perform(cloudflare, step, inputs, report)
            .await
            .with_context(|| format!("failed to {title}"))?;
        if let Step::Shift(Shift {
            then: Then::Check,
            percent,
            script,
            ..
        }) = step
        {
            let probe = match percent {
                0 => Probe::Version {
                    script,
                    version: &report.versions[script],
                },
                _ => Probe::Live,
            };
            if let Err(error) = check(probe).await {
                let error = error.context(format!("the check at {percent} % of `{script}` failed"));
                undo(cloudflare, &plan.steps[..=at], inputs, report, tell).await?;
                return Err(error);
            }
        }
        report.failed = None;
        report.done.push(title);
    }
    Ok(())
}

async fn perform(
    cloudflare: &Cloudflare,
    step: &Step,
    inputs: &Inputs,
    report: &mut Report,
) -> anyhow::Result<()> {
    match step {
        Step::Upload(upload) => {
            unchanged(cloudflare, report).await?;
            let version = execute::upload(cloudflare, upload, inputs).await?;
            report.versions.insert(upload.script.clone(), version);
            Ok(())
        }
        Step::Shift(shift) => {
            unchanged(cloudflare, report).await?;
            let to = report.versions[&shift.script].clone();
            give(cloudflare, shift, &to, &shift.from, shift.percent, inputs).await
        }
        step => execute::execute(cloudflare, &inputs.zone, step).await,
    }
}

/// Two deployments at once must not end as a mix: what this run has uploaded must still be the newest.
async fn unchanged(cloudflare: &Cloudflare, report: &Report) -> anyhow::Result<()> {
    for (script, version) in &report.versions {
        let newest = observe::versions(cloudflare, script)
            .await?
            .into_iter()
            .next();
        if newest.is_none_or(|newest| newest.id != *version) {
            bail!(
                "somebody else is deploying `{script}` at the same time; plan again when that is over"
            );
        }
    }
    Ok(())
}

/// Gives the scripts that `steps` shifted back to the versions before, the last one first.
pub async fn undo(
    cloudflare: &Cloudflare,
    steps: &[Step],
    inputs: &Inputs,
    report: &mut Report,
    tell: impl Fn(&str),
) -> anyhow::Result<()> {
    for step in steps.iter().rev() {
        let Step::Shift(shift) = step else { continue };
        if report.returned.contains(&shift.script) {
            continue;
        }
        tell(&format!(
            "give all traffic of `{}` back to `{}`",
            shift.script, shift.from
        ));
        let new = report.versions[&shift.script].clone();
        give(cloudflare, shift, &shift.from, &new, 100, inputs)
            .await
            .with_context(|| {
                format!(
                    "failed to give the traffic of `{}` back to `{}`",
                    shift.script, shift.from
                )
            })?;
        report.returned.push(shift.script.clone());
    }
    Ok(())
}

async fn give(
    cloudflare: &Cloudflare,
    shift: &Shift,
    to: &str,
    from: &str,
    percent: u8,
    inputs: &Inputs,
) -> anyhow::Result<()> {
    let script = inputs.script(shift.role);
    let split = Split {
        script: &shift.script,
        to,
        percent,
        from,
        message: &format!("edge-broadcast {}", script.environment),
        code_update: script.code_update,
        // The version before may lack only what this run added
        secrets: OldSecrets::Accept,
    };
    execute::shift(cloudflare, split).await
}
