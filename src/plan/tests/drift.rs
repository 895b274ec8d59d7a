//! Drift of what is live.

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::{Value, json};
use strum::IntoEnumIterator;

use super::world::{MANIFEST, World, next};
use crate::plan::script_tags::OWNER;
use crate::plan::{Live, LiveDomain, LiveRoute, Observed};

/// Hosts that a manifest may want.
pub(super) const HOSTS: [&str; 3] = ["a.glow.trade", "b.glow.trade", "c.glow.trade"];

/// Drift as people and other tools make it.
#[derive(Clone, Debug, strum::EnumIter)]
pub(super) enum Drift {
    Binding(bool, Option<Value>),
    NoTags(bool),
    Taken(bool),
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

pub(super) fn drift() -> impl Strategy<Value = Drift> {
    let binding = prop_oneof![
        Just(None),
        Just(Some(json!({ "type": "plain_text", "text": "x" }))),
        Just(Some(json!({ "type": "json", "json": { "history": 9 } })))
    ];
    prop_oneof![
        (any::<bool>(), binding).prop_map(|(gateway, value)| Drift::Binding(gateway, value)),
        any::<bool>().prop_map(Drift::NoTags),
        any::<bool>().prop_map(Drift::Taken),
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

impl Drift {
    /// Lets it happen to what is live of the environment `e` of the worker `w`.
    pub(super) fn happen(&self, live: &mut Observed) {
        let mut on = |gateway: &bool, change: &dyn Fn(&mut Live)| {
            let name = if *gateway { "w-e" } else { "w-e-room" };
            if let Some(script) = live.scripts.get_mut(name) {
                change(script);
            }
        };
        match self {
            Drift::Binding(gateway, value) => on(gateway, &|live| match value {
                Some(value) => {
                    live.active
                        .bindings
                        .insert("SETTINGS".to_owned(), value.clone());
                }
                None => live.active.bindings.clear(),
            }),
            Drift::NoTags(gateway) => on(gateway, &|live| live.tags.clear()),
            Drift::Taken(gateway) => on(gateway, &|live| {
                live.tags.retain(|tag| !tag.starts_with(OWNER));
                live.tags.insert(format!("{OWNER}them"));
            }),
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
                live.latest = Some((next(live.latest.as_ref()), None));
            }),
            Drift::ForeignRoute => live.routes.push(LiveRoute {
                id: format!("foreign-{}", live.routes.len()),
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
}

#[test]
fn each_drift_is_taken_back_or_left_alone_and_the_plan_says_so() {
    for drift in Drift::iter() {
        let plan = World::deployed(MANIFEST)
            .edit(|live| drift.happen(live))
            .plan();
        match drift {
            Drift::Binding(..) => assert_snapshot!(plan, @r#"
e: 2 steps

1. upload a version of `w-e-room`
   lane: code
   + binding BROADCAST_ROOM: {"class_name":"BroadcastRoom","type":"durable_object_namespace"}
   + binding CF_VERSION_METADATA: {"type":"version_metadata"}
   + binding ENVIRONMENT: {"text":"e","type":"plain_text"}
   + binding SETTINGS: {"json":{"batch_window_ms":10,"conflate":"latest","conflate_key":["type"],"history":64,"idle_timeout_ms":90000,"max_connections":32000,"max_shards":8,"publish_rate":1000},"type":"json"}

2. give all traffic of `w-e-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
"#),
            Drift::NoTags(_) => assert_snapshot!(plan, @r"
nothing was changed, because of what is live:
  - `w-e-room` exists, and has no tag that says that this project deployed it
    help: use another `worker.name`; `edge-broadcast deploy e --adopt w-e-room` takes it over
"),
            Drift::Taken(_) => assert_snapshot!(plan, @r#"
nothing was changed, because of what is live:
  - `w-e-room` belongs to `them`, and this project has no owner
    help: use another `worker.name`; where it is this project's, say so with `worker.owner = "them"` in the manifest
"#),
            Drift::NoSecret => assert_snapshot!(plan, @r"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   + secret WEBHOOK_SECRET: set

2. give all traffic of `w-e` to the new version

socket impact: none

1 to add, 1 to change, 0 to remove
"),
            Drift::ExtraSecret => assert_snapshot!(plan, @"e: nothing to change"),
            Drift::WorkersDev(_) => assert_snapshot!(plan, @r"
e: 1 step

1. keep `w-e-room` off workers.dev
   ~ workers.dev: true -> false

socket impact: none

0 to add, 1 to change, 0 to remove
"),
            Drift::Previews(_) => assert_snapshot!(plan, @r"
e: 1 step

1. keep `w-e-room` off workers.dev
   ~ previews on workers.dev: true -> false

socket impact: none

0 to add, 1 to change, 0 to remove
"),
            Drift::Observability(_) => assert_snapshot!(plan, @r"
e: 1 step

1. set the tags of `w-e-room`
   ~ observability: false -> true

socket impact: none

0 to add, 1 to change, 0 to remove
"),
            Drift::NoVersionTag(_) => assert_snapshot!(plan, @"e: nothing to change"),
            Drift::OtherCode(_) => assert_snapshot!(plan, @r"
e: 2 steps

1. upload a version of `w-e-room`
   lane: code
   + code: aaaaaaaaaaaaaaaa

2. give all traffic of `w-e-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
"),
            Drift::NoMigration => assert_snapshot!(plan, @r"
e: 1 step

1. upload `w-e-room` and deploy it
   lane: lifecycle, because the migration `v1` is pending
   + migration: v1

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
"),
            Drift::Exports => assert_snapshot!(plan, @"e: nothing to change"),
            Drift::Flags(_) => assert_snapshot!(plan, @r#"
e: 2 steps

1. upload a version of `w-e-room`
   lane: code
   - compatibility flags: ["nodejs_compat"]

2. give all traffic of `w-e-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
"#),
            Drift::Placement(_) => assert_snapshot!(plan, @r"
e: 2 steps

1. upload a version of `w-e-room`
   lane: code
   - placement: smart

2. give all traffic of `w-e-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
"),
            Drift::Sampling(_) => assert_snapshot!(plan, @"e: nothing to change"),
            Drift::ForeignRoute => assert_snapshot!(plan, @"e: nothing to change"),
            // Of the same host as in the manifest, so it is there already
            Drift::OurRoute(_) => assert_snapshot!(plan, @"e: nothing to change"),
            Drift::OurDomain(_) => assert_snapshot!(plan, @r"
e: 1 step

1. detach the custom domain `a.glow.trade` from `w-e`

socket impact: none

0 to add, 0 to change, 1 to remove
"),
            Drift::Uploaded(_) => assert_snapshot!(plan, @"e: nothing to change"),
        }
    }
}

#[test]
fn settings_that_drifted_are_told_key_by_key() {
    let drift = Drift::Binding(
        true,
        Some(json!({ "type": "json", "json": { "max_message_bytes": 9 } })),
    );
    let world = World::deployed(MANIFEST).edit(|live| drift.happen(live));
    assert_snapshot!(world.plan(), @r#"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   + binding SETTINGS.allowed_origins: ["*"]
   + binding SETTINGS.broadcast_period: 60
   + binding SETTINGS.compression: false
   + binding SETTINGS.connect_period: 60
   + binding SETTINGS.connections_per_ip: 500
   ~ binding SETTINGS.max_message_bytes: 9 -> 16384
   + binding SETTINGS.regions: []
   + binding SETTINGS.require_origin: false
   + binding SETTINGS.require_signature: false

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
"#);
}

#[test]
fn a_route_that_is_ours_and_not_wanted_is_removed() {
    let world = World::deployed(MANIFEST).edit(|live| Drift::OurRoute(1).happen(live));
    assert_snapshot!(world.plan(), @r"
e: 1 step

1. remove the route `b.glow.trade/*` of `w-e`

socket impact: none

0 to add, 0 to change, 1 to remove
");
}
