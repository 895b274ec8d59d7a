//! A new version of a script: what it changes, and the lane it takes.

use std::collections::BTreeSet;

use edge_broadcast_protocol::contract::binding;
use serde_json::Value;

use super::desired::Wanted;
use super::observed::{Live, LiveVersion};
use super::release;
use super::split::{Percent, Share};
use super::step::{Change, Lane, Shift, Step, Then, Upload};
use crate::build::Worker;
use crate::environment::name::Stages;
use crate::environment::script::{Binding, Migration, Script};

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
    let none = LiveVersion::default();
    let active = live.map_or(&none, |live| &live.active);
    let unfinished = live.and_then(|live| unfinished_rollout(wanted, live));
    let secrets = match unfinished {
        // The version is there already, with what it was uploaded with
        Some(_) => BTreeSet::new(),
        None => unset(script, live),
    };
    let pending = pending(script, active.migration_tag.as_deref(), classes);
    let changes = changes(wanted, active, unfinished, &pending, &secrets);
    if changes.is_empty() {
        return None;
    }
    let newest = live.and_then(|live| live.latest.as_ref());
    Some(Upload {
        role: script.role,
        script: script.name.clone(),
        tag: wanted.tag(),
        message: release::of_version(&script.environment, release),
        lane: lane(wanted, live, pending, &secrets),
        inherited_secrets: active.secrets.difference(&secrets).cloned().collect(),
        inherit_from: newest
            .filter(|(id, _)| *id != active.id)
            .map(|_| active.id.clone()),
        secrets,
        unmanaged: live.map(|live| live.kept.clone()).unwrap_or_default(),
        changes,
    })
}

/// Changes that the new version brings, in the order in which a plan tells them.
fn changes(
    wanted: &Wanted,
    active: &LiveVersion,
    unfinished: Option<&Share>,
    pending: &[String],
    secrets: &BTreeSet<String>,
) -> Vec<Change> {
    let script = &wanted.script;
    let date = Some(&active.compatibility_date).filter(|date| !date.is_empty());
    let flags = Some(&active.compatibility_flags).filter(|flags| !flags.is_empty());
    let migration = pending
        .last()
        .and_then(|tag| Change::between("migration", active.migration_tag.as_ref(), Some(tag)));
    let of_version = [
        Change::between("code", active.code.as_ref(), Some(&wanted.code)),
        migration,
        Change::between("compatibility date", date, Some(&script.compatibility_date)),
        Change::between("cpu limit (ms)", active.cpu_ms, script.cpu_ms),
        // Part of a version, and not of a manifest: an upload takes them off
        Change::between("compatibility flags", flags, None::<()>),
        Change::between("placement", active.placement.as_ref(), None::<()>),
    ];
    let mut changes: Vec<Change> = of_version.into_iter().flatten().collect();
    let names = script.bindings.keys().chain(active.bindings.keys());
    for name in names.collect::<BTreeSet<_>>() {
        let wanted = script.bindings.get(name).map(Binding::to_json);
        let live = active.bindings.get(name);
        changes.extend(binding_changes(name, live, wanted.as_ref()));
    }
    let set = |name| Change::between(format!("secret {name}"), None::<()>, Some("set"));
    changes.extend(secrets.iter().filter_map(set));
    let share = unfinished.map(|share| share.percentage);
    changes.extend(share.and_then(|share| {
        Change::between("share of traffic (%)", Some(share), Some(Percent::ALL))
    }));
    changes
}

/// Way on which the new version becomes live. `pending` are the migrations that it brings.
fn lane(
    wanted: &Wanted,
    live: Option<&Live>,
    pending: Vec<String>,
    secrets: &BTreeSet<String>,
) -> Lane {
    let why = match live {
        None => "the Worker is new".to_owned(),
        Some(_) if !pending.is_empty() => {
            format!("the migration `{}` is pending", pending.join("`, `"))
        }
        Some(live) => {
            // An older version of the same tag could bring back an old secret, and a copy of one has other secrets
            let newest = live
                .versions
                .first()
                .and_then(|newest| newest.message.as_deref());
            let is_copy = newest.is_some_and(release::is_copy);
            let leftover = live.latest.as_ref().filter(|(id, tag)| {
                let is_it = tag.as_deref() == Some(&wanted.tag()) && *id != live.active.id;
                is_it && secrets.is_empty() && !is_copy
            });
            return Lane::Code {
                latest: live.latest.as_ref().map(|(id, _)| id.clone()),
                adopt: unfinished_rollout(wanted, live)
                    .map(|share| share.version_id.clone())
                    .or(leftover.map(|(id, _)| id.clone())),
            };
        }
    };
    let split = live.iter().flat_map(|live| live.split.iter());
    Lane::Lifecycle {
        why,
        replaces: split.map(|share| share.version_id.clone()).collect(),
        old_tag: live.and_then(|live| live.active.migration_tag.clone()),
        migrations: pending,
    }
}

/// The secrets that `script` must have and the live version does not have.
pub fn unset(script: &Script, live: Option<&Live>) -> BTreeSet<String> {
    let none = BTreeSet::new();
    let set = live.map_or(&none, |live| &live.active.secrets);
    let unset = script.secrets.iter().filter(|name| !filled(name, set));
    unset.cloned().collect()
}

/// The share that the wanted version has in a gradual deployment that an earlier run left unfinished. It is the newest version
/// then; where it is the older one, another deployment is rolling out something newer.
pub(super) fn unfinished_rollout<'a>(wanted: &Wanted, live: &'a Live) -> Option<&'a Share> {
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
    stages: &Stages,
) -> Vec<Step> {
    let (Lane::Code { .. }, Some(live)) = (&upload.lane, live) else {
        return Vec::new();
    };
    let unfinished = unfinished_rollout(wanted, live);
    let mut others = live.split.iter();
    let Some(from) = others.find(|share| Some(*share) != unfinished) else {
        return Vec::new();
    };
    let reached = unfinished.map_or(Percent::default(), |share| share.percentage);
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
    let stages = stages.get();
    let mut shifts = Vec::new();
    // A request can name a version of the gateway; which version a room runs is decided per object
    if stages.len() > 1 && reached == Percent::default() && upload.role == Worker::Gateway {
        shifts.push(shift(0, Then::Check));
    }
    // The run that reached a stage may have been interrupted before it checked it
    let ahead = stages
        .iter()
        .filter(|percent| Percent::from(**percent) >= reached);
    shifts.extend(ahead.map(|percent| match percent {
        100 => shift(100, Then::GoOn),
        percent => shift(*percent, Then::Check),
    }));
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
            let exists = |class: &String| classes.is_some_and(|classes| classes.contains(class));
            let made = |migration: &&Migration| migration.new_sqlite_classes.iter().all(exists);
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

/// Compares a JSON binding key by key, so that a plan names the setting that changes.
fn binding_changes(name: &str, before: Option<&Value>, after: Option<&Value>) -> Vec<Change> {
    let settings =
        |value: Option<&Value>| value.and_then(|value| value["json"].as_object().cloned());
    let (Some(old), Some(new)) = (settings(before), settings(after)) else {
        let change = Change::between(format!("binding {name}"), before, after);
        return change.into_iter().collect();
    };
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed =
        |key| Change::between(format!("binding {name}.{key}"), old.get(key), new.get(key));
    keys.into_iter().filter_map(changed).collect()
}
