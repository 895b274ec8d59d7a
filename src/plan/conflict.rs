//! What stands in the way of a plan.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::desired::Wanted;
use super::observed::{Live, Observed};
use super::upload::begun;

/// Something live that a deployment would have to destroy or take over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    pub problem: String,
    pub way_out: String,
}

/// Conflicts as an error: nothing was written.
#[derive(Debug)]
pub struct Conflicts(pub Vec<Conflict>);

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("nothing was changed, because of what is live:")?;
        for conflict in &self.0 {
            write!(f, "\n  - {}\n    {}", conflict.problem, conflict.way_out)?;
        }
        Ok(())
    }
}

impl std::error::Error for Conflicts {}

/// What is live of a script that a deployment would destroy.
pub(super) fn of_script(
    wanted: &Wanted,
    live: Option<&Live>,
    observed: &Observed,
) -> Vec<Conflict> {
    let script = &wanted.script;
    let name = &script.name;
    let mut conflicts = Vec::new();
    let Some(live) = live else { return conflicts };
    if live.split.len() > 1 && begun(wanted, live).is_none() {
        let parts: Vec<String> = live
            .split
            .iter()
            .map(|share| format!("`{}` at {} %", share.version_id, share.percentage))
            .collect();
        conflicts.push(Conflict {
            problem: format!(
                "`{name}` has a gradual deployment running: {}",
                parts.join(", ")
            ),
            way_out: format!(
                "it is not of what is to be deployed now; `edge-broadcast rollback {}` ends it",
                script.environment
            ),
        });
    }
    if let Some(tag) = &live.active.migration_tag
        && !script
            .migrations
            .iter()
            .any(|migration| migration.tag == *tag)
    {
        conflicts.push(Conflict {
            problem: format!("`{name}` is at the Durable Object migration `{tag}`, which this project does not know"),
            way_out: "replaying migrations over it could delete rooms: use another `worker.name`, or the version of this project that made it".to_owned(),
        });
    }
    let wanted_classes: BTreeSet<&String> = script
        .migrations
        .iter()
        .flat_map(|migration| &migration.new_sqlite_classes)
        .collect();
    for class in observed.classes.get(name).into_iter().flatten() {
        if !wanted_classes.contains(class) {
            conflicts.push(Conflict {
                problem: format!("`{name}` has a Durable Object class `{class}`, which this project would delete with all its data"),
                way_out: "use another `worker.name`, or delete the class with a migration of its own project".to_owned(),
            });
        }
    }
    conflicts
}
