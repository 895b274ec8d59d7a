//! The law of plans: once applied, planning again finds nothing to do. For any manifest and any live state.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::environment::manifest;
use crate::environment::{self, Environment, Written};

const HOSTS: [&str; 3] = ["a.glow.trade", "b.glow.trade", "c.glow.trade"];

fn environment(
    hosts: &[(usize, bool)],
    history: u32,
    bytes: u32,
    workers_dev: bool,
    cpu_ms: Option<u32>,
) -> Environment {
    let mut source = format!(
        "[worker]\nname = \"w\"\ncompatibility_date = \"2026-10-01\"\n{}[cloudflare]\nzone = \"glow.trade\"\nworkers_dev = {workers_dev}\n[room]\nhistory = {history}\n[access]\nmax_message_bytes = {bytes}\n[secrets.WEBHOOK_SECRET]\nsource = \"env:X\"\n",
        cpu_ms.map_or(String::new(), |ms| format!("cpu_ms = {ms}\n"))
    );
    for (host, custom) in hosts {
        source += &format!(
            "[[routes]]\nhost = \"{}\"\ncustom_domain = {custom}\n",
            HOSTS[*host]
        );
    }
    let name = "e".parse().unwrap();
    let manifest = manifest::parse("e.toml", &source).unwrap();
    environment::understand(Written {
        name: &name,
        path: "e.toml",
        source: &source,
        manifest,
    })
    .unwrap()
}

prop_compose! {
    fn desired()(
        first in 0..3_usize, custom in any::<bool>(), second in any::<bool>(),
        history in 0..3_u32, bytes in 64..67_u32, workers_dev in any::<bool>(),
        cpu_ms in prop::option::of(10..12_u32), gateway in 0..3_u8, room in 0..3_u8,
    ) -> Desired {
        let mut hosts = vec![(first, custom)];
        if second {
            hosts.push(((first + 1) % 3, !custom));
        }
        let environment = environment(&hosts, history, bytes, workers_dev, cpu_ms);
        let code = |number: u8| format!("{number:016x}");
        Desired::new(&environment, code(gateway), code(room))
    }
}

/// What the API would say after the plan was carried out: the meaning of the steps, told a second time and independently.
fn after(observed: &Observed, desired: &Desired, plan: &Plan) -> Observed {
    let mut live = observed.clone();
    let mut uploaded: BTreeMap<String, LiveVersion> = BTreeMap::new();
    for step in &plan.steps {
        match step {
            Step::Upload(upload) => {
                let wanted = desired
                    .scripts
                    .iter()
                    .find(|wanted| wanted.script.name == upload.script)
                    .unwrap();
                let entry = live
                    .scripts
                    .entry(upload.script.clone())
                    .or_insert_with(|| Live {
                        workers_dev: true,
                        ..Live::default()
                    });
                let bindings =
                    wanted.script.bindings.iter().map(|(name, binding)| {
                        (name.clone(), serde_json::to_value(binding).unwrap())
                    });
                let version = LiveVersion {
                    id: format!("{}+", entry.latest.as_ref().map_or("", |(id, _)| id)),
                    tag: Some(upload.tag.clone()),
                    code: Some(wanted.code.clone()),
                    bindings: bindings.collect(),
                    secrets: entry
                        .active
                        .secrets
                        .union(&upload.secrets)
                        .cloned()
                        .collect(),
                    compatibility_date: wanted.script.compatibility_date.clone(),
                    compatibility_flags: Vec::new(),
                    cpu_ms: wanted.script.cpu_ms,
                    placement: None,
                    migration_tag: match &upload.lane {
                        Lane::Lifecycle { migrations, .. } => migrations
                            .last()
                            .cloned()
                            .or(entry.active.migration_tag.clone()),
                        Lane::Code { .. } => entry.active.migration_tag.clone(),
                    },
                };
                entry.latest = Some((version.id.clone(), version.tag.clone()));
                if matches!(upload.lane, Lane::Lifecycle { .. }) {
                    entry.split = Split::all(&version.id).tagged([version.tag.clone()]);
                    entry.active = version.clone();
                    entry.observability = wanted.script.observability;
                    entry.kept.clone_from(&upload.kept);
                }
                uploaded.insert(upload.script.clone(), version);
            }
            Step::Shift(shift) => {
                let entry = live.scripts.get_mut(&shift.script).unwrap();
                let version = uploaded[&shift.script].clone();
                if shift.percent == 100 {
                    entry.split = Split::all(&version.id).tagged([version.tag.clone()]);
                    entry.active = version;
                }
            }
            Step::Settings {
                script,
                tags,
                observability,
                ..
            } => {
                let entry = live.scripts.get_mut(script).unwrap();
                entry.tags.extend(tags.iter().cloned());
                entry.observability = *observability;
            }
            Step::WorkersDev {
                script, enabled, ..
            } => {
                let entry = live.scripts.get_mut(script).unwrap();
                entry.workers_dev = *enabled;
                entry.previews = false;
            }
            Step::AddRoute { pattern, script } => live.routes.push(LiveRoute {
                id: pattern.clone(),
                pattern: pattern.clone(),
                script: Some(script.clone()),
            }),
            Step::RemoveRoute { id, .. } => live.routes.retain(|route| route.id != *id),
            Step::AddDomain {
                hostname, script, ..
            } => live.domains.push(LiveDomain {
                id: hostname.clone(),
                hostname: hostname.clone(),
                script: script.clone(),
            }),
            Step::RemoveDomain { id, .. } => live.domains.retain(|domain| domain.id != *id),
        }
    }
    live
}

/// Drift as people and other tools make it.
#[derive(Clone, Debug)]
enum Drift {
    Binding(bool, Option<Value>),
    NoTags(bool),
    NoSecret,
    ExtraSecret,
    WorkersDev(bool),
    Previews(bool),
    Observability(bool),
    NoVersionTag(bool),
    OtherCode(bool),
    NoMigration,
    Exports,
    Flags(bool),
    Placement(bool),
    Sampling(bool),
    ForeignRoute,
    OurRoute(usize),
    OurDomain(usize),
    Uploaded(bool),
}

fn drift() -> impl Strategy<Value = Drift> {
    let binding = prop_oneof![
        Just(None),
        Just(Some(json!({ "type": "plain_text", "text": "x" }))),
        Just(Some(json!({ "type": "json", "json": { "history": 9 } })))
    ];
    prop_oneof![
        (any::<bool>(), binding).prop_map(|(gateway, value)| Drift::Binding(gateway, value)),
        any::<bool>().prop_map(Drift::NoTags),
        Just(Drift::NoSecret),
        Just(Drift::ExtraSecret),
        any::<bool>().prop_map(Drift::WorkersDev),
        any::<bool>().prop_map(Drift::Previews),
        any::<bool>().prop_map(Drift::Observability),
        any::<bool>().prop_map(Drift::NoVersionTag),
        any::<bool>().prop_map(Drift::OtherCode),
        Just(Drift::NoMigration),
        Just(Drift::Exports),
        any::<bool>().prop_map(Drift::Flags),
        any::<bool>().prop_map(Drift::Placement),
        any::<bool>().prop_map(Drift::Sampling),
        Just(Drift::ForeignRoute),
        (0..3_usize).prop_map(Drift::OurRoute),
        (0..3_usize).prop_map(Drift::OurDomain),
        any::<bool>().prop_map(Drift::Uploaded),
    ]
}

fn drifted(mut live: Observed, drifts: &[Drift]) -> Observed {
    for (number, drift) in drifts.iter().enumerate() {
        let name = |gateway: &bool| {
            if *gateway {
                "w-e".to_owned()
            } else {
                "w-e-room".to_owned()
            }
        };
        let mut on = |gateway: &bool, change: &dyn Fn(&mut Live)| {
            if let Some(script) = live.scripts.get_mut(&name(gateway)) {
                change(script);
            }
        };
        match drift {
            Drift::Binding(gateway, value) => on(gateway, &|live| match value {
                Some(value) => {
                    live.active
                        .bindings
                        .insert("SETTINGS".to_owned(), value.clone());
                }
                None => live.active.bindings.clear(),
            }),
            Drift::NoTags(gateway) => on(gateway, &|live| live.tags.clear()),
            Drift::NoSecret => on(&true, &|live| live.active.secrets.clear()),
            Drift::ExtraSecret => on(&true, &|live| {
                live.active.secrets.insert("EXTRA".to_owned());
            }),
            Drift::WorkersDev(gateway) => on(gateway, &|live| live.workers_dev = !live.workers_dev),
            Drift::Previews(gateway) => on(gateway, &|live| live.previews = true),
            Drift::Observability(gateway) => {
                on(gateway, &|live| live.observability = !live.observability);
            }
            Drift::NoVersionTag(gateway) => on(gateway, &|live| live.active.tag = None),
            Drift::OtherCode(gateway) => on(gateway, &|live| live.active.code = None),
            Drift::NoMigration => on(&false, &|live| live.active.migration_tag = None),
            Drift::Exports => {
                on(&false, &|live| live.active.migration_tag = None);
                let class = edge_broadcast_protocol::contract::binding::ROOM_CLASS.to_owned();
                live.classes
                    .entry("w-e-room".to_owned())
                    .or_default()
                    .insert(class);
            }
            Drift::Flags(gateway) => on(gateway, &|live| {
                live.active.compatibility_flags = vec!["nodejs_compat".to_owned()];
            }),
            Drift::Placement(gateway) => on(gateway, &|live| {
                live.active.placement = Some("smart".to_owned());
            }),
            Drift::Sampling(gateway) => on(gateway, &|live| {
                let rate = ("head_sampling_rate".to_owned(), json!(0.1));
                live.kept.observability.extend([rate]);
            }),
            Drift::Uploaded(gateway) => on(gateway, &|live| {
                live.latest = Some((format!("left-{number}"), None));
            }),
            Drift::ForeignRoute => live.routes.push(LiveRoute {
                id: format!("f{number}"),
                pattern: "shop.glow.trade/*".to_owned(),
                script: Some("other".to_owned()),
            }),
            Drift::OurRoute(host) => {
                let pattern = format!("{}/*", HOSTS[*host]);
                if !live.routes.iter().any(|route| route.pattern == pattern) {
                    live.routes.push(LiveRoute {
                        id: pattern.clone(),
                        pattern,
                        script: Some("w-e".to_owned()),
                    });
                }
            }
            Drift::OurDomain(host) => {
                let hostname = HOSTS[*host].to_owned();
                if !live
                    .domains
                    .iter()
                    .any(|domain| domain.hostname == hostname)
                {
                    live.domains.push(LiveDomain {
                        id: hostname.clone(),
                        hostname,
                        script: "w-e".to_owned(),
                    });
                }
            }
        }
    }
    live
}

proptest! {
    #[test]
    fn a_plan_that_was_applied_leaves_nothing_to_plan(
        before in prop::option::of(desired()),
        drifts in prop::collection::vec(drift(), 0..5),
        wanted in desired(),
        gradual in any::<bool>(),
    ) {
        let mut live = Observed::default();
        if let Some(before) = &before {
            let plan = Plan::between(before, &live, &Rollout::at_once()).unwrap();
            live = drifted(after(&live, before, &plan), &drifts);
        }
        let rollout = if gradual { "10,100".parse().unwrap() } else { Rollout::at_once() };
        let plan = Plan::between(&wanted, &live, &rollout).unwrap();
        let reached = after(&live, &wanted, &plan);
        let again = Plan::between(&wanted, &reached, &rollout).unwrap();
        prop_assert!(again.is_empty(), "{again}");
        // What is not ours is as it was
        let foreign = |observed: &Observed| observed.routes.iter().filter(|route| route.script.as_deref() == Some("other")).count();
        prop_assert_eq!(foreign(&reached), foreign(&live));
        let secrets = |observed: &Observed| observed.scripts.get("w-e").map(|live| live.active.secrets.clone()).unwrap_or_default();
        let before: BTreeSet<String> = secrets(&live);
        prop_assert!(secrets(&reached).is_superset(&before), "a secret was lost");
        for (name, script) in &live.scripts {
            prop_assert_eq!(&reached.scripts[name].kept, &script.kept);
        }
    }
}
