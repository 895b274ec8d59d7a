//! Performs a plan, step by step, and reports what was done and what was not. Decides nothing.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Serialize;

use crate::bundle::{Bundle, Worker};
use crate::cloudflare::{Cloudflare, execute};
use crate::plan::{Desired, Plan};
use crate::script::Script;
use crate::secret::Value;

/// Everything that a plan's steps send, gathered before the first write.
pub struct Inputs {
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
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub done: Vec<String>,
    pub failed: Option<String>,
    pub not_attempted: Vec<String>,
}

/// Performs the steps in order and stops at the first that fails. `tell` hears of each step before it begins.
pub async fn apply(
    cloudflare: &Cloudflare,
    desired: &Desired,
    plan: &Plan,
    inputs: &Inputs,
    tell: impl Fn(&str),
) -> (Report, anyhow::Result<()>) {
    let mut report = Report::default();
    let mut steps = plan.steps.iter();
    for step in steps.by_ref() {
        let title = step.title();
        tell(&title);
        if let Err(error) = execute::execute(cloudflare, &desired.zone, step, inputs).await {
            report.failed = Some(title.clone());
            report.not_attempted = steps.map(crate::plan::Step::title).collect();
            return (
                report,
                Err(error).with_context(|| format!("failed to {title}")),
            );
        }
        report.done.push(title);
    }
    (report, Ok(()))
}
