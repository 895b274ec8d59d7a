//! Settings that belong to a script and not to a version of it.

use std::collections::BTreeSet;

use super::foreign;
use super::observed::Live;
use super::script_tags;
use super::step::{Change, Step};
use crate::environment::script::Script;

/// The steps for tags, observability and workers.dev.
pub(super) fn steps(script: &Script, live: Option<&Live>) -> Vec<Step> {
    let wanted = script_tags::of(script);
    let mut steps = Vec::new();
    let tags: BTreeSet<String> = live.map(|live| live.tags.clone()).unwrap_or_default();
    let merged = script_tags::merged(&tags, &wanted);
    let shown = live.map(|live| foreign::tags(&live.tags));
    let changes = found([
        Change::between("tags", shown, Some(foreign::tags(&merged))),
        live.and_then(|live| {
            let before = Some(live.observability);
            Change::between("observability", before, Some(script.observability))
        }),
    ]);
    if !changes.is_empty() {
        steps.push(Step::Settings {
            script: script.name.clone(),
            tags: wanted,
            observability: script.observability,
            changes,
        });
    }
    // A new Worker is served on workers.dev unless that is switched off
    let served = live.map(|live| live.workers_dev);
    let previews = live.map(|live| live.previews);
    let changes = found([
        Change::between("workers.dev", served, Some(script.workers_dev)),
        Change::between("previews on workers.dev", previews, previews.map(|_| false)),
    ]);
    if !changes.is_empty() {
        steps.push(Step::WorkersDev {
            script: script.name.clone(),
            enabled: script.workers_dev,
            changes,
        });
    }
    steps
}

fn found(changes: [Option<Change>; 2]) -> Vec<Change> {
    changes.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;
    use crate::environment::script::room;

    fn script() -> Script {
        let source = "[worker]\nname = \"w\"\ncompatibility_date = \"2026-10-01\"\n[cloudflare]\nzone = \"glow.trade\"\n[[routes]]\nhost = \"a.glow.trade\"\n[secrets.WEBHOOK_SECRET]\nsource = \"env:X\"\n";
        let name = "e".parse().unwrap();
        room(&Environment::resolve(&name, "e.toml", source).unwrap())
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
