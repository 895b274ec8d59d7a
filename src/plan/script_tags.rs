//! The tags of a script, which are no part of a version: what this tool notes there, among what others do.

use std::collections::BTreeSet;

use crate::environment::script::Script;

/// In front of how far a rotation is.
pub(crate) const ROTATION: &str = "edge-broadcast:rotation=";
/// In front of a secret's name and since when its value is set.
pub(crate) const SET: &str = "edge-broadcast:set=";

/// The tags that a script must have: wrangler writes them, and the dashboard groups by them.
pub(super) fn of(script: &Script) -> BTreeSet<String> {
    [
        format!("cf:service={}", script.service),
        format!("cf:environment={}", script.environment),
    ]
    .into()
}

/// What stands behind `prefix`.
pub(crate) fn among<'a>(tags: &'a BTreeSet<String>, prefix: &str) -> Option<&'a str> {
    tags.iter().find_map(|tag| tag.strip_prefix(prefix))
}

/// `tags` in which `note`, if there is one, stands behind `prefix` instead of anything else.
pub(crate) fn with(tags: &BTreeSet<String>, prefix: &str, note: Option<&str>) -> BTreeSet<String> {
    let others = tags.iter().filter(|tag| !tag.starts_with(prefix)).cloned();
    others
        .chain(note.map(|note| format!("{prefix}{note}")))
        .collect()
}
