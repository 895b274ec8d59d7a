//! What belongs to a script and not to a version of it.

use std::collections::BTreeSet;

use serde_json::json;

use super::observed::Live;
use super::script_tags;
use super::step::{Change, Step};
use crate::environment::script::Script;

/// The steps for tags, observability and workers.dev.
pub(super) fn steps(script: &Script, live: Option<&Live>) -> Vec<Step> {
    let wanted = script_tags::of(script);
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
            tags: wanted,
            observability: script.observability,
            changes,
        });
    }
    // A new Worker is served on workers.dev unless that is switched off.
    let mut changes = Vec::new();
    if live.is_none_or(|live| live.workers_dev != script.workers_dev) {
        changes.push(Change {
            what: "workers.dev".to_owned(),
            before: live.map(|live| json!(live.workers_dev)),
            after: Some(json!(script.workers_dev)),
        });
    }
    if live.is_some_and(|live| live.previews) {
        changes.push(Change {
            what: "previews on workers.dev".to_owned(),
            before: Some(json!(true)),
            after: Some(json!(false)),
        });
    }
    if !changes.is_empty() {
        steps.push(Step::WorkersDev {
            script: script.name.clone(),
            enabled: script.workers_dev,
            changes,
        });
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::script::room;

    fn script() -> Script {
        let source = "[worker]\nname = \"w\"\ncompatibility_date = \"2026-10-01\"\n[cloudflare]\nzone = \"glow.trade\"\n[[routes]]\nhost = \"a.glow.trade\"\n[secrets.WEBHOOK_SECRET]\nsource = \"env:X\"\n";
        let written = crate::environment::Written {
            name: &"e".parse().unwrap(),
            path: "e.toml",
            source,
            manifest: crate::environment::manifest::parse("e.toml", source).unwrap(),
        };
        room(&crate::environment::understand(written).unwrap())
    }

    #[test]
    fn previews_alone_are_named_as_what_changes() {
        let tags = ["cf:service=w-room", "cf:environment=e"].map(ToOwned::to_owned);
        let live = Live {
            tags: tags.into(),
            observability: true,
            previews: true,
            ..Live::default()
        };
        let shown: Vec<String> = steps(&script(), Some(&live))
            .iter()
            .flat_map(Step::changes)
            .map(ToString::to_string)
            .collect();
        assert_eq!(shown, ["~ previews on workers.dev: true -> false"]);
    }
}
