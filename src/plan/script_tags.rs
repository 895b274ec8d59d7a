//! The tags of a script, which are no part of a version: what this tool notes there, among what others do.

use std::collections::BTreeSet;

use crate::environment::name::Owner;
use crate::environment::script::Script;

/// In front of how far a rotation is.
pub(crate) const ROTATION: &str = "edge-broadcast:rotation=";
/// In front of a secret's name and since when its value is set.
pub(crate) const SET: &str = "edge-broadcast:set=";
/// In front of whose the script is. Wrangler leaves it alone: it replaces the two below and keeps all others (4.86 and 4.164,
/// `applyServiceAndEnvironmentTags`).
pub(crate) const OWNER: &str = "edge-broadcast:owner=";
/// In front of wrangler's name of the script without its environment.
pub(crate) const SERVICE: &str = "cf:service=";
/// In front of the script's environment.
pub(crate) const ENVIRONMENT: &str = "cf:environment=";

/// Whose a script is, as far as its tags say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Belonging {
    /// This project's: it is tagged as exactly this script, and with this project's owner.
    Ours,
    /// It is tagged as exactly this script, and with no owner: an older version of this tool made it, or wrangler with the generated
    /// file, or another project whose `worker.name` is the same.
    Unowned,
    /// Another project's: its owner.
    Owned(String),
    /// Another script's: what its tags say instead.
    Other(Vec<String>),
    /// No tag says it.
    Untagged,
}

/// Whose the live script is that has `tags`, seen from the project that wants `script` in its place.
pub(crate) fn belonging(tags: &BTreeSet<String>, script: &Script) -> Belonging {
    let ours = script.owner.as_ref().map(Owner::as_str);
    whose(tags, &named(&script.service, &script.environment), ours)
}

/// Whose the script is that has `tags`, seen from the project `ours`, for which it must be `named` so.
pub(super) fn whose(tags: &BTreeSet<String>, named: &[String; 2], ours: Option<&str>) -> Belonging {
    let owner = owner_of(tags);
    if let Some(owner) = owner
        && ours != Some(owner)
    {
        return Belonging::Owned(owner.to_owned());
    }
    let names = |tag: &&String| tag.starts_with(SERVICE) || tag.starts_with(ENVIRONMENT);
    let names: BTreeSet<&String> = tags.iter().filter(names).collect();
    if names.is_empty() {
        Belonging::Untagged
    } else if names != named.iter().collect() {
        Belonging::Other(names.into_iter().cloned().collect())
    } else if owner.is_some() {
        Belonging::Ours
    } else {
        Belonging::Unowned
    }
}

/// The owner that a script's tags name.
pub(crate) fn owner_of(tags: &BTreeSet<String>) -> Option<&str> {
    among(tags, OWNER)
}

/// The tags that a script must have: wrangler writes all but the owner, and the dashboard groups by them.
pub(crate) fn of(script: &Script) -> BTreeSet<String> {
    let owner = script.owner.as_ref();
    let owner = owner.map(|owner| format!("{OWNER}{owner}"));
    let named = named(&script.service, &script.environment);
    named.into_iter().chain(owner).collect()
}

/// The tags that name a script: wrangler's name of it without its environment, and that.
pub(super) fn named(service: &str, environment: &str) -> [String; 2] {
    [
        format!("{SERVICE}{service}"),
        format!("{ENVIRONMENT}{environment}"),
    ]
}

/// `tags` with `wanted`, each instead of whatever else has its key, which is what stands in front of its `=`.
pub(crate) fn merged(tags: &BTreeSet<String>, wanted: &BTreeSet<String>) -> BTreeSet<String> {
    let key = |tag: &str| tag.split_once('=').map(|(key, _)| key.to_owned());
    let keys: BTreeSet<_> = wanted.iter().filter_map(|tag| key(tag)).collect();
    let others = tags
        .iter()
        .filter(|tag| key(tag).is_none_or(|key| !keys.contains(&key)));
    others.chain(wanted).cloned().collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;
    use crate::environment::script::room;

    fn script(owner: &str) -> Script {
        let source = format!(
            "[worker]\nname = \"w\"\n{owner}\ncompatibility_date = \"2026-10-01\"\n[cloudflare]\nzone = \"glow.trade\"\n[[routes]]\nhost = \"a.glow.trade\"\n[secrets.WEBHOOK_SECRET]\nsource = \"env:X\"\n"
        );
        let name = "e".parse().unwrap();
        room(&Environment::resolve(&name, "e.toml", &source).unwrap())
    }

    fn tags(tags: &[&str]) -> BTreeSet<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn a_script_is_ours_when_it_is_tagged_as_exactly_this_one_and_with_no_other_owner() {
        let (with, without) = (script("owner = \"us\""), script(""));
        let own = ["cf:service=w-room", "cf:environment=e"];
        let owned = |owner| [own[0], own[1], owner];
        let (ours, theirs) = (
            owned("edge-broadcast:owner=us"),
            owned("edge-broadcast:owner=them"),
        );
        let by = |owner: &str| Belonging::Owned(owner.to_owned());
        let other =
            |tags: &[&str]| Belonging::Other(tags.iter().map(|it| (*it).to_owned()).collect());
        for (live, with_owner, without_owner) in [
            (&ours[..], Belonging::Ours, by("us")),
            (&theirs[..], by("them"), by("them")),
            (&own[..], Belonging::Unowned, Belonging::Unowned),
            (&[], Belonging::Untagged, Belonging::Untagged),
            (&["team-a"], Belonging::Untagged, Belonging::Untagged),
            (&["edge-broadcast:owner=us"], Belonging::Untagged, by("us")),
            (&own[..1], other(&own[..1]), other(&own[..1])),
            (
                &["cf:service=w", "cf:environment=e-room"],
                other(&["cf:environment=e-room", "cf:service=w"]),
                other(&["cf:environment=e-room", "cf:service=w"]),
            ),
        ] {
            assert_eq!(belonging(&tags(live), &with), with_owner, "{live:?}");
            assert_eq!(belonging(&tags(live), &without), without_owner, "{live:?}");
        }
    }

    #[test]
    fn a_wanted_tag_replaces_those_of_its_key_and_no_other() {
        let live = tags(&[
            "cf:service=x",
            "edge-broadcast:set=A:1",
            "edge-broadcast:owner=x",
            "team",
            "team=a",
        ]);
        let wanted = tags(&[
            "cf:service=w",
            "cf:environment=e",
            "edge-broadcast:owner=us",
        ]);
        assert_eq!(
            merged(&live, &wanted),
            tags(&[
                "cf:environment=e",
                "cf:service=w",
                "edge-broadcast:owner=us",
                "edge-broadcast:set=A:1",
                "team",
                "team=a"
            ])
        );
        assert_eq!(merged(&wanted, &wanted), wanted);
    }
}
