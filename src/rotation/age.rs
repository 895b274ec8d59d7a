//! Since when a secret has its value, noted on the gateway script as a tag: Cloudflare says when a version was made, and not which
//! secret it changed. Pure.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::plan::script_tags::{self, SET};

/// When this tool set `name` last, as far as it is noted.
pub(crate) fn among(tags: &BTreeSet<String>, name: &str) -> Option<SystemTime> {
    let seconds = script_tags::among(tags, &format!("{SET}{name}:"))?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds.parse().ok()?))
}

/// `tags` in which `name` was set at `time`.
pub(crate) fn with(tags: &BTreeSet<String>, name: &str, time: SystemTime) -> BTreeSet<String> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs().to_string();
    script_tags::with(tags, &format!("{SET}{name}:"), Some(&seconds))
}

/// `tags` in which nothing is said of `name`.
pub(crate) fn without(tags: &BTreeSet<String>, name: &str) -> BTreeSet<String> {
    script_tags::with(tags, &format!("{SET}{name}:"), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_was_noted_and_replaces_an_earlier_one_of_the_same_name_only() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let tags: BTreeSet<String> = ["cf:environment=staging".to_owned()].into();
        let both = with(&with(&tags, "A", at(5)), "A_B", at(7));
        let later = with(&both, "A", at(9));
        assert_eq!(among(&later, "A"), Some(at(9)));
        assert_eq!(among(&later, "A_B"), Some(at(7)));
        assert_eq!(among(&later, "B"), None);
        assert_eq!(later.len(), 3);
        assert_eq!(without(&without(&later, "A"), "A_B"), tags);
    }
}
