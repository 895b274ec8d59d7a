//! A new version of a script: what it changes, and the lane it takes.

use std::collections::{BTreeMap, BTreeSet};

use edge_broadcast_protocol::contract::binding;
use serde_json::{Value, json};

use super::desired::Wanted;
use super::observed::{Live, LiveVersion};
use super::release;
use super::rollout::Rollout;
use super::split::{Percent, Share};
use super::step::{Change, Lane, Shift, Step, Then, Upload};
use crate::build::Worker;
use crate::environment::script::{Migration, Script};

/// The new version that `wanted` needs, if it needs one.
///
/// `classes` are the script's Durable Object classes.
pub(super) fn of(
    wanted: &Wanted,
    live: Option<&Live>,
    classes: Option<&BTreeSet<String>>,
    release: &str,
) -> Option<Upload> {
    let script = &wanted.script;
    let nothing = LiveVersion::default();
    let version = live.map_or(&nothing, |live| &live.active);
    let begun = live.and_then(|live| begun(wanted, live));
    let secrets = match begun {
        // The version is there already, with what it was uploaded with
        Some(_) => BTreeSet::new(),
        None => unset(script, live),
    };
    let pending = pending(script, version.migration_tag.as_deref(), classes);
    let mut changes = Vec::new();
    let mut note = |what: String, before: Option<Value>, after: Option<Value>| {
        if before != after {
            changes.push(Change {
                what,
                before,
                after,
            });
        }
    };
    note(
        "code".to_owned(),
        version.code.as_ref().map(|code| json!(code)),
        Some(json!(wanted.code)),
    );
    if let Some(pending) = pending.last() {
        note(
            "migration".to_owned(),
            version.migration_tag.as_ref().map(|tag| json!(tag)),
            Some(json!(pending)),
        );
    }
    let live_date =
        (!version.compatibility_date.is_empty()).then(|| json!(version.compatibility_date));
    note(
        "compatibility date".to_owned(),
        live_date,
        Some(json!(script.compatibility_date)),
    );
    note(
        "cpu limit (ms)".to_owned(),
        version.cpu_ms.map(|ms| json!(ms)),
        script.cpu_ms.map(|ms| json!(ms)),
    );
    // Part of a version, and not of a manifest: an upload takes them off
    let flags = &version.compatibility_flags;
    note(
        "compatibility flags".to_owned(),
        (!flags.is_empty()).then(|| json!(flags)),
        None,
    );
    let placement = version.placement.as_ref().map(|mode| json!(mode));
    note("placement".to_owned(), placement, None);
    let wanted_bindings: BTreeMap<String, Value> = script
        .bindings
        .iter()
        .map(|(name, binding)| {
            (
                name.clone(),
                serde_json::to_value(binding).expect("bindings are plain data"),
            )
        })
        .collect();
    let names: BTreeSet<&String> = wanted_bindings
        .keys()
        .chain(version.bindings.keys())
        .collect();
    for name in names {
        binding_changes(
            name,
            version.bindings.get(name),
            wanted_bindings.get(name),
            &mut note,
        );
    }
    for name in &secrets {
        note(format!("secret {name}"), None, Some(json!("set")));
    }
    if let Some(begun) = begun {
        note(
            "share of traffic (%)".to_owned(),
            Some(json!(begun.percentage)),
            Some(json!(Percent::ALL)),
        );
    }
    if changes.is_empty() {
        return None;
    }
    let lane = match live {
        None => Lane::Lifecycle {
            why: "the Worker is new".to_owned(),
            replaces: Vec::new(),
            old_tag: None,
            migrations: pending,
        },
        Some(live) if !pending.is_empty() => Lane::Lifecycle {
            why: format!("the migration `{}` is pending", pending.join("`, `")),
            replaces: live.split.versions().map(ToOwned::to_owned).collect(),
            old_tag: version.migration_tag.clone(),
            migrations: pending,
        },
        Some(live) => Lane::Code {
            latest: live.latest.as_ref().map(|(id, _)| id.clone()),
            adopt: begun.map(|share| share.version_id.clone()).or_else(|| {
                live.latest
                    .as_ref()
                    // An older version of the same tag could bring back an old secret
                    .filter(|(id, tag)| {
                        tag.as_deref() == Some(&wanted.tag())
                            && *id != version.id
                            && secrets.is_empty()
                    })
                    .map(|(id, _)| id.clone())
            }),
        },
    };
    Some(Upload {
        role: script.role,
        script: script.name.clone(),
        tag: wanted.tag(),
        message: release::of_version(&script.environment, release),
        lane,
        keeps: version.secrets.difference(&secrets).cloned().collect(),
        inherit_from: live
            .filter(|live| {
                live.latest
                    .as_ref()
                    .is_some_and(|(id, _)| *id != version.id)
            })
            .map(|_| version.id.clone()),
        secrets,
        kept: live.map(|live| live.kept.clone()).unwrap_or_default(),
        changes,
    })
}

/// The secrets that `script` must have and the live version does not have.
pub fn unset(script: &Script, live: Option<&Live>) -> BTreeSet<String> {
    let nothing = BTreeSet::new();
    let set = live.map_or(&nothing, |live| &live.active.secrets);
    let unset = script.secrets.iter().filter(|name| !filled(name, set));
    unset.cloned().collect()
}

/// The share that the wanted version has in a gradual deployment that an earlier run began. It is the newest version
/// then; where it is the older one, somebody else is rolling out something newer.
pub(super) fn begun<'a>(wanted: &Wanted, live: &'a Live) -> Option<&'a Share> {
    let (newest, _) = live.latest.as_ref()?;
    live.split.iter().find(|share| {
        live.split.len() == 2
            && share.tag.as_deref() == Some(&wanted.tag())
            && share.version_id == *newest
    })
}

/// The steps that give the version of `upload` its traffic.
pub(super) fn shifts(
    upload: &Upload,
    wanted: &Wanted,
    live: Option<&Live>,
    rollout: &Rollout,
) -> Vec<Step> {
    let (Lane::Code { .. }, Some(live)) = (&upload.lane, live) else {
        return Vec::new();
    };
    let begun = begun(wanted, live);
    let old = live
        .split
        .iter()
        .find(|share| begun.is_none_or(|begun| begun.version_id != share.version_id));
    let Some(from) = old else { return Vec::new() };
    let reached = begun.map_or(Percent::default(), |begun| begun.percentage);
    let shift = |percent, then| {
        Step::Shift(Shift {
            role: upload.role,
            script: upload.script.clone(),
            percent,
            from: from.version_id.clone(),
            reached,
            then,
        })
    };
    let stages = rollout.stages();
    let mut shifts = Vec::new();
    // A request can name a version of the gateway; which version a room runs is decided per object
    if stages.len() > 1 && reached == Percent::default() && upload.role == Worker::Gateway {
        shifts.push(shift(0, Then::Check));
    }
    // The run that reached a stage may have been interrupted before it checked it
    for percent in stages
        .iter()
        .filter(|percent| Percent::from(**percent) >= reached)
    {
        let then = if *percent < 100 {
            Then::Check
        } else {
            Then::GoOn
        };
        shifts.push(shift(*percent, then));
    }
    shifts
}

/// Whether a secret has a value. The webhook secret has two slots of equal rank: after a rotation the other one is filled.
pub fn filled(name: &str, live: &BTreeSet<String>) -> bool {
    live.contains(name)
        || (name == binding::WEBHOOK_SECRET && live.contains(binding::WEBHOOK_SECRET_ALTERNATE))
}

/// The tags of the migrations after `tag`. An unknown tag is a conflict, found elsewhere.
fn pending(script: &Script, tag: Option<&str>, classes: Option<&BTreeSet<String>>) -> Vec<String> {
    let tags = script.migrations.iter().map(|migration| &migration.tag);
    match tag {
        // Without a tag the classes that are there come from declarative `exports`: a migration cannot make them again
        None => {
            let there = |class: &String| classes.is_some_and(|classes| classes.contains(class));
            let made = |migration: &&Migration| migration.new_sqlite_classes.iter().all(there);
            let pending = script.migrations.iter().skip_while(made);
            pending.map(|migration| migration.tag.clone()).collect()
        }
        Some(tag) => tags
            .skip_while(|known| *known != tag)
            .skip(1)
            .cloned()
            .collect(),
    }
}

/// A JSON binding is compared key by key, so that a plan names the setting that changes.
fn binding_changes(
    name: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    note: &mut impl FnMut(String, Option<Value>, Option<Value>),
) {
    let object = |value: Option<&Value>| value.and_then(|value| value["json"].as_object().cloned());
    match (object(before), object(after)) {
        (Some(before), Some(after)) => {
            let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for key in keys {
                note(
                    format!("binding {name}.{key}"),
                    before.get(key).cloned(),
                    after.get(key).cloned(),
                );
            }
        }
        _ => note(format!("binding {name}"), before.cloned(), after.cloned()),
    }
}
