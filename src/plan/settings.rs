//! What belongs to a script and not to a version of it.

use std::collections::BTreeSet;

use serde_json::json;

use super::observed::Live;
use super::step::{Change, Step};
use crate::script::Script;

/// The steps for tags, observability and workers.dev.
pub(super) fn steps(script: &Script, live: Option<&Live>) -> Vec<Step> {
    let wanted: BTreeSet<String> = [
        format!("cf:service={}", script.service),
        format!("cf:environment={}", script.environment),
    ]
    .into();
    let mut steps = Vec::new();
    let tags: BTreeSet<String> = live.map(|live| live.tags.clone()).unwrap_or_default();
    let observability = live.is_some_and(|live| live.observability);
    let mut changes = Vec::new();
    if !tags.is_superset(&wanted) {
        let merged: BTreeSet<&String> = tags.union(&wanted).collect();
        changes.push(Change {
            what: "tags".to_owned(),
            before: live.map(|_| json!(tags)),
            after: Some(json!(merged)),
        });
    }
    if observability != script.observability && live.is_some() {
        changes.push(Change {
            what: "observability".to_owned(),
            before: Some(json!(observability)),
            after: Some(json!(script.observability)),
        });
    }
    if !changes.is_empty() {
        steps.push(Step::Settings {
            script: script.name.clone(),
            tags: tags.union(&wanted).cloned().collect(),
            observability: script.observability,
            kept: live.map(|live| live.kept.clone()).unwrap_or_default(),
            changes,
        });
    }
    // A new Worker is served on workers.dev unless that is switched off.
    if live.is_none_or(|live| live.workers_dev != script.workers_dev || live.previews) {
        steps.push(Step::WorkersDev {
            script: script.name.clone(),
            enabled: script.workers_dev,
            changes: vec![Change {
                what: "workers.dev".to_owned(),
                before: live.map(|live| json!(live.workers_dev)),
                after: Some(json!(script.workers_dev)),
            }],
        });
    }
    steps
}
