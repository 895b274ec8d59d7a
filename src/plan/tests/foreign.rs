//! What others wrote into a live Worker is never shown.

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::key;
use super::world::{MANIFEST, World};
use crate::environment::name::Stages;
use crate::environment::{Environment, script};
use crate::plan::Live;
use crate::plan::foreign::{self, binding};
use crate::plan::saved::SavedPlan;

/// No host, no name of a region, no member of an update: nothing that a setting can be.
const CANARY: &str = "Canary_7f3a91c2 e85d";

/// A live binding as it is observed.
fn plant(live: &mut Live, script: &str, name: &str, value: Value) {
    let seen = binding(script, name, value);
    live.active.bindings.insert(name.to_owned(), seen);
}

#[test]
fn a_plan_names_what_others_wrote_and_shows_a_short_hash_of_it() {
    let world = World::deployed(MANIFEST).gateway(|live| {
        for (name, value) in [
            (
                "WEBHOOK_SECRET",
                json!({ "type": "plain_text", "text": CANARY }),
            ),
            (
                "LEGACY",
                json!({ "type": "json", "json": { "key": CANARY } }),
            ),
            (
                "STORE",
                json!({ "type": "kv_namespace", "namespace_id": CANARY }),
            ),
            (
                "ENVIRONMENT",
                json!({ "type": "plain_text", "text": CANARY }),
            ),
            (
                "SETTINGS",
                json!({ "type": "json", "json": {
                    "history": 9, "password": CANARY, "allowed_origins": [CANARY], "require_origin": CANARY,
                    "max_message_bytes": 9,
                } }),
            ),
            (
                "CONNECT_RATE",
                json!({ "type": "ratelimit", "namespace_id": CANARY, "simple": { "limit": 1, "period": 60 } }),
            ),
        ] {
            plant(live, "w-e", name, value);
        }
        live.tags.insert(CANARY.to_owned());
        live.tags.remove("cf:environment=e");
    });
    let world = world.adopting("w-e");
    let told = world.plan();
    assert!(!told.contains(CANARY), "{told}");
    assert_snapshot!(told, @r#"
e: 3 steps

1. upload a version of `w-e`
   lane: code
   ~ binding CONNECT_RATE: {"namespace_id":"hidden:642dcb84","simple":"hidden:4edd1ac6","type":"ratelimit"} -> {"namespace_id":"914883168","simple":{"limit":1000,"period":60},"type":"ratelimit"}
   ~ binding ENVIRONMENT: {"text":"hidden:a7828214","type":"plain_text"} -> {"text":"e","type":"plain_text"}
   - binding LEGACY: {"json":"hidden:11d9c8ff","type":"json"}
   ~ binding SETTINGS.allowed_origins: hidden:e2f920a9 -> ["*"]
   + binding SETTINGS.broadcast_period: 60
   + binding SETTINGS.compression: false
   + binding SETTINGS.connect_period: 60
   + binding SETTINGS.connections_per_ip: 500
   - binding SETTINGS.history: 9
   ~ binding SETTINGS.max_message_bytes: 9 -> 16384
   - binding SETTINGS.password: hidden:a91656c0
   + binding SETTINGS.regions: []
   ~ binding SETTINGS.require_origin: hidden:af83b6b1 -> false
   + binding SETTINGS.require_signature: false
   - binding STORE: {"namespace_id":"hidden:96ab1e97","type":"kv_namespace"}
   - binding WEBHOOK_SECRET: {"text":"hidden:d5e34b02","type":"plain_text"}

2. give all traffic of `w-e` to the new version

3. set the tags of `w-e`
   ~ tags: ["cf:service=w","hidden:507eba84"] -> ["cf:environment=e","cf:service=w","hidden:507eba84"]

socket impact: none

0 to add, 1 to change, 0 to remove
"#);
}

#[test]
fn a_saved_plan_has_no_setting_that_no_manifest_governs_and_sees_each_of_them_change() {
    let world = World::deployed(MANIFEST).code(crate::build::Worker::Gateway);
    let with = |canary: &str| {
        let canary = canary.to_owned();
        world.clone().gateway(|live| {
            plant(
                live,
                "w-e",
                "LEGACY",
                json!({ "type": "plain_text", "text": canary }),
            );
            live.kept.observability = [("destinations".to_owned(), json!([canary]))]
                .into_iter()
                .collect();
            live.kept.tail_consumers = vec![json!({ "service": canary })];
            live.tags.insert(canary.clone());
            live.active.tag = Some(canary.clone());
            live.split = live.split.clone().tagged([Some(canary)]);
        })
    };
    let saved = |world: &World| {
        let plan = world.try_plan().unwrap();
        SavedPlan::new("a", world.observed(), &plan, &Stages::at_once(), &[], &[]).unwrap()
    };
    let (one, other) = (saved(&with(CANARY)), saved(&with("another one")));
    let text = serde_json::to_string_pretty(&one).unwrap();
    assert!(!text.contains(CANARY), "{text}");
    assert_snapshot!(one.plan["steps"][0]["kept"], @r#"
{"logpush":false,"observability":{"destinations":"hidden:e9f27295"},"tail_consumers":["hidden:fe75a318"]}
"#);
    assert_ne!(one.live, other.live);
    one.check(&saved(&with(CANARY))).unwrap();
    let split = serde_json::to_string(&with(CANARY).observed().scripts["w-e"].split).unwrap();
    assert!(!split.contains(CANARY), "{split}");
}

#[test]
fn the_hash_is_of_the_name_and_the_value_as_a_shell_can_make_it() {
    // printf '%s' 'WEBHOOK_SECRET=hunter2' | sha256sum | cut -c1-8
    assert_eq!(
        foreign::hidden("WEBHOOK_SECRET", &json!("hunter2")),
        "hidden:df4463c4"
    );
    assert_eq!(
        foreign::hidden("OTHER", &json!("hunter2")),
        "hidden:f0af637b"
    );
}

#[test]
fn what_this_tool_writes_is_shown_as_it_is() {
    for manifest in [MANIFEST, key::MANIFEST] {
        for environment in ["e", "qa-room", "room"] {
            let environment = environment.parse().unwrap();
            let environment = Environment::resolve(&environment, "e.toml", manifest).unwrap();
            for script in [script::gateway(&environment), script::room(&environment)] {
                for (name, own) in &script.bindings {
                    let own = own.to_json();
                    assert_eq!(binding(&script.name, name, own.clone()), own);
                }
            }
        }
    }
}

/// Any JSON with the canary in it.
fn planted() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        3 => Just(json!(CANARY)),
        1 => Just(json!("https://app.glow.trade")),
        1 => any::<u16>().prop_map(|number| json!(number)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let key = prop_oneof![
            Just("text"),
            Just("json"),
            Just("history"),
            Just("regions"),
            Just("name"),
            Just("host"),
            Just("allowed_origins"),
            Just("conflate"),
            Just("dataset"),
            Just("simple"),
            Just("extra"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map(key.prop_map(str::to_owned), inner, 0..3)
                .prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn no_binding_of_any_name_and_kind_shows_what_others_wrote(
        name in prop::sample::select(vec![
            "SETTINGS", "ENVIRONMENT", "CF_VERSION_METADATA", "ANALYTICS", "CONNECT_RATE", "WEBHOOK_SECRET", "LEGACY",
        ]),
        kind in prop::sample::select(vec![
            "plain_text", "json", "analytics_engine", "ratelimit", "version_metadata", "kv_namespace", "d1",
        ]),
        fields in prop::collection::hash_map(
            prop::sample::select(vec!["text", "json", "dataset", "namespace_id", "simple", "id"]), planted(), 0..4,
        ),
    ) {
        let mut live = json!({ "type": kind });
        for (field, value) in fields {
            live[field] = value;
        }
        let seen = binding("w-e", name, live.clone());
        prop_assert!(!seen.to_string().contains(CANARY), "{live} is shown as {seen}");
        prop_assert_eq!(binding("w-e", name, live), seen);
    }
}
