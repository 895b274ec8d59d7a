//! What is live beside what the manifest and the built workers ask for.

use crate::build::Bundles;
use crate::commands::secrets::facts::Facts;
use crate::environment::Environment;
use crate::environment::name::Stages;
use crate::plan::{Desired, Observed, Plan};
use crate::rotation::inventory::{Cell, State};
use crate::terminal::advice::Advice;

use super::finding::Finding;

/// Whether what is live is what the manifest and the built workers ask for.
pub(super) fn drift(
    environment: &Environment,
    bundles: &Bundles,
    observed: &Observed,
) -> Vec<Finding> {
    let name = &environment.name;
    let desired = Desired::of(environment, bundles);
    match Plan::between(&desired, observed, &Stages::at_once()) {
        Ok(plan) if plan.is_empty() => {
            vec![Finding::well("what is live is what the manifest asks for")]
        }
        Ok(_) if observed.scripts.is_empty() => vec![Finding::wrong(
            "it is not deployed",
            format!("edge-broadcast deploy {name}"),
        )],
        Ok(plan) => vec![Finding::wrong(
            format!(
                "what is live is not what the manifest asks for, by {} steps",
                plan.steps.len()
            ),
            format!("look at `edge-broadcast plan {name}`, then deploy"),
        )],
        Err(conflicts) => {
            let conflicts = conflicts.0.into_iter();
            let wrong = conflicts.map(|conflict| {
                let Advice { what, fix } = conflict.advice();
                Finding::wrong(what, fix.unwrap_or_default())
            });
            wrong.collect()
        }
    }
}

/// The facts of `plan`, `status` and `secrets list`, each with what to do about it.
pub(super) fn secrets(environment: &Environment, facts: &Facts) -> Vec<Finding> {
    let name = &environment.name;
    let mut findings = Vec::new();
    for cell in &facts.inventory {
        let Cell {
            name: secret,
            script,
            ..
        } = cell;
        let mend = match cell.state {
            State::Missing => format!("edge-broadcast deploy {name}"),
            State::Extra => format!("edge-broadcast secrets list {name} --prune"),
            _ if cell.is_due() => format!("edge-broadcast secrets rotate {name}"),
            _ => continue,
        };
        let what = format!("secret {secret} of {script}: {cell}");
        findings.push(Finding::wrong(what, mend));
    }
    if let Some(status) = facts.open_rotation() {
        findings.push(Finding::wrong(
            format!("secret {}: {}", status.secret, status.stage),
            format!("edge-broadcast secrets rotate {name} --status"),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::well("every secret is there and none is due"));
    }
    findings
}
