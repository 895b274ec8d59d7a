//! Each step, in the smallest plan that has it.

use insta::assert_snapshot;
use strum::IntoEnumIterator;

use super::world::{MANIFEST, World, owned};
use crate::build::Worker;
use crate::plan::script_tags::OWNER;
use crate::plan::step::StepDiscriminants as Kind;
use crate::plan::{Kept, LiveDomain, LiveRoute, Step};

/// The plan, in which there is a step of `kind`.
fn with(kind: Kind, world: &World) -> String {
    let plan = world.try_plan().unwrap();
    assert!(plan.steps.iter().any(|step| Kind::from(step) == kind));
    plan.to_string()
}

#[test]
fn a_first_deployment_makes_the_room_then_the_gateway_then_the_ways_to_it() {
    assert_snapshot!(World::empty(MANIFEST).plan(), @r#"
e: 7 steps

1. upload `w-e-room` and deploy it
   lane: lifecycle, because the Worker is new
   + code: aaaaaaaaaaaaaaaa
   + migration: v1
   + compatibility date: 2026-10-01
   + binding BROADCAST_ROOM: {"class_name":"BroadcastRoom","type":"durable_object_namespace"}
   + binding CF_VERSION_METADATA: {"type":"version_metadata"}
   + binding ENVIRONMENT: {"text":"e","type":"plain_text"}
   + binding SETTINGS: {"json":{"batch_window_ms":10,"conflate":"latest","conflate_key":["type"],"history":64,"idle_timeout_ms":90000,"max_connections":32000,"max_shards":8,"publish_rate":1000},"type":"json"}

2. set the tags of `w-e-room`
   + tags: ["cf:environment=e","cf:service=w-room"]

3. keep `w-e-room` off workers.dev
   + workers.dev: false

4. upload `w-e` and deploy it
   lane: lifecycle, because the Worker is new
   + code: 1111111111111111
   + compatibility date: 2026-10-01
   + binding BROADCAST_RATE: {"namespace_id":"1527374624","simple":{"limit":1000,"period":60},"type":"ratelimit"}
   + binding BROADCAST_ROOM: {"class_name":"BroadcastRoom","script_name":"w-e-room","type":"durable_object_namespace"}
   + binding CF_VERSION_METADATA: {"type":"version_metadata"}
   + binding CONNECT_RATE: {"namespace_id":"914883168","simple":{"limit":1000,"period":60},"type":"ratelimit"}
   + binding ENVIRONMENT: {"text":"e","type":"plain_text"}
   + binding SETTINGS: {"json":{"allowed_origins":["*"],"broadcast_period":60,"compression":false,"connect_period":60,"connections_per_ip":500,"max_message_bytes":16384,"regions":[],"require_origin":false,"require_signature":false},"type":"json"}
   + secret WEBHOOK_SECRET: set

5. set the tags of `w-e`
   + tags: ["cf:environment=e","cf:service=w"]

6. keep `w-e` off workers.dev
   + workers.dev: false

7. route `a.glow.trade/*` to `w-e`

socket impact: none

4 to add, 0 to change, 0 to remove
"#);
}

#[test]
fn what_needs_no_code_comes_before_it_and_what_takes_away_after_it() {
    let host = "host = \"a.glow.trade\"";
    let moved = "host = \"b.glow.trade\"\ncustom_domain = true";
    let world = World::deployed(&owned("us"))
        .room(|live| {
            live.previews = true;
            live.tags.remove("edge-broadcast:owner=us");
        })
        .manifest(
            host,
            &format!("{moved}\n[[routes]]\nhost = \"c.glow.trade\""),
        )
        .code(Worker::Room)
        .code(Worker::Gateway);
    let plan = world.try_plan().unwrap();
    let titles: Vec<String> = plan.steps.iter().map(Step::title).collect();
    assert_eq!(
        titles,
        [
            "set the tags of `w-e-room`",
            "keep `w-e-room` off workers.dev",
            "attach the custom domain `b.glow.trade` to `w-e`",
            "route `c.glow.trade/*` to `w-e`",
            "upload a version of `w-e-room`",
            "give all traffic of `w-e-room` to the new version",
            "upload a version of `w-e`",
            "give all traffic of `w-e` to the new version",
            "remove the route `a.glow.trade/*` of `w-e`",
        ]
    );
}

#[test]
fn what_is_deployed_already_needs_nothing() {
    assert_snapshot!(World::deployed(MANIFEST).plan(), @"e: nothing to change");
}

#[test]
fn each_step_says_what_it_does_and_what_changes() {
    let host = "host = \"a.glow.trade\"";
    for kind in Kind::iter() {
        let deployed = World::deployed(MANIFEST);
        match kind {
            Kind::Upload => {
                let world = deployed.code(Worker::Gateway);
                assert_snapshot!(with(kind, &world), @r"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ code: 1111111111111111 -> 2222222222222222

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
");
            }
            Kind::Shift => {
                let world = deployed.code(Worker::Room);
                assert_snapshot!(with(kind, &world), @r"
e: 2 steps

1. upload a version of `w-e-room`
   lane: code
   ~ code: aaaaaaaaaaaaaaaa -> bbbbbbbbbbbbbbbb

2. give all traffic of `w-e-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
");
            }
            Kind::Settings => {
                let world = World::deployed(&owned("us"))
                    .gateway(|live| live.tags.retain(|tag| !tag.starts_with(OWNER)));
                assert_snapshot!(with(kind, &world), @r#"
e: 1 step

1. set the tags of `w-e`
   ~ tags: ["cf:environment=e","cf:service=w"] -> ["cf:environment=e","cf:service=w","edge-broadcast:owner=us"]

socket impact: none

0 to add, 1 to change, 0 to remove
"#);
            }
            Kind::WorkersDev => {
                let world = deployed.room(|live| live.previews = true);
                assert_snapshot!(with(kind, &world), @r"
e: 1 step

1. keep `w-e-room` off workers.dev
   ~ previews on workers.dev: true -> false

socket impact: none

0 to add, 1 to change, 0 to remove
");
            }
            Kind::AddRoute => {
                let another = format!("{host}\n[[routes]]\nhost = \"b.glow.trade\"");
                let world = deployed.manifest(host, &another);
                assert_snapshot!(with(kind, &world), @r"
e: 1 step

1. route `b.glow.trade/*` to `w-e`

socket impact: none

1 to add, 0 to change, 0 to remove
");
            }
            Kind::MoveRoute => {
                let world = deployed
                    .code(Worker::Gateway)
                    .edit(|live| {
                        live.routes[0].script = Some("old-e".to_owned());
                        live.kin.insert("old-e".to_owned());
                    })
                    .taking_from("old-e");
                assert_snapshot!(with(kind, &world), @r"
e: 3 steps

1. upload a version of `w-e`
   lane: code
   ~ code: 1111111111111111 -> 2222222222222222

2. give all traffic of `w-e` to the new version

3. move the route `a.glow.trade/*` from `old-e` to `w-e`

socket impact: none

0 to add, 2 to change, 0 to remove
");
            }
            Kind::MoveDomain => {
                let custom = format!("{host}\ncustom_domain = true");
                let world = World::deployed(&MANIFEST.replace(host, &custom))
                    .edit(|live| {
                        live.domains[0].script = "old-e".to_owned();
                        live.kin.insert("old-e".to_owned());
                    })
                    .taking_from("old-e");
                assert_snapshot!(with(kind, &world), @r"
e: 1 step

1. move the custom domain `a.glow.trade` from `old-e` to `w-e`

socket impact: none

0 to add, 1 to change, 0 to remove
");
            }
            Kind::RemoveRoute => {
                let world = deployed.edit(|live| {
                    live.routes.push(LiveRoute {
                        id: "r".to_owned(),
                        pattern: "old.glow.trade/*".to_owned(),
                        script: Some("w-e".to_owned()),
                    });
                });
                assert_snapshot!(with(kind, &world), @r"
e: 1 step

1. remove the route `old.glow.trade/*` of `w-e`

socket impact: none

0 to add, 0 to change, 1 to remove
");
            }
            Kind::AddDomain => {
                let custom = format!("{host}\ncustom_domain = true");
                let world = deployed.manifest(host, &custom);
                assert_snapshot!(with(kind, &world), @r"
e: 2 steps

1. attach the custom domain `a.glow.trade` to `w-e`

2. remove the route `a.glow.trade/*` of `w-e`

socket impact: none

1 to add, 0 to change, 1 to remove
");
            }
            Kind::RemoveDomain => {
                let world = deployed.edit(|live| {
                    live.domains.push(LiveDomain {
                        id: "d".to_owned(),
                        hostname: "old.glow.trade".to_owned(),
                        script: "w-e".to_owned(),
                    });
                });
                assert_snapshot!(with(kind, &world), @r"
e: 1 step

1. detach the custom domain `old.glow.trade` from `w-e`

socket impact: none

0 to add, 0 to change, 1 to remove
");
            }
        }
    }
}

#[test]
fn what_another_script_serves_is_left_alone() {
    let world = World::deployed(MANIFEST).edit(|live| {
        live.routes.push(LiveRoute {
            id: "r".to_owned(),
            pattern: "shop.glow.trade/*".to_owned(),
            script: Some("theirs".to_owned()),
        });
        live.domains.push(LiveDomain {
            id: "d".to_owned(),
            hostname: "blog.glow.trade".to_owned(),
            script: "theirs".to_owned(),
        });
    });
    assert_snapshot!(world.plan(), @"e: nothing to change");
}

/// The names of the keys are a promise: they stay when a field is renamed.
#[test]
fn a_program_gets_every_decision_of_an_upload() {
    let world = World::deployed(MANIFEST)
        .code(Worker::Gateway)
        .gateway(|live| {
            live.latest = Some(("v7".to_owned(), None));
            live.kept = Kept {
                logpush: true,
                ..Kept::default()
            };
        })
        .rollout("25,100");
    let json = serde_json::to_string_pretty(&world.try_plan().unwrap()).unwrap();
    assert_snapshot!(json, @r#"
{
  "environment": "e",
  "socket_impact": "none",
  "steps": [
    {
      "step": "upload",
      "role": "gateway",
      "script": "w-e",
      "tag": "2222222222222222-5039e412",
      "message": "edge-broadcast e a2acdca4",
      "lane": {
        "lane": "code",
        "latest": "v7",
        "adopt": null
      },
      "secrets": [],
      "kept": {
        "observability": {},
        "logpush": true,
        "tail_consumers": []
      },
      "keeps": [
        "WEBHOOK_SECRET"
      ],
      "inherit_from": "v1",
      "changes": [
        {
          "what": "code",
          "before": "1111111111111111",
          "after": "2222222222222222"
        }
      ]
    },
    {
      "step": "shift",
      "role": "gateway",
      "script": "w-e",
      "percent": 0,
      "from": "v1",
      "reached": 0.0,
      "then": "check"
    },
    {
      "step": "shift",
      "role": "gateway",
      "script": "w-e",
      "percent": 25,
      "from": "v1",
      "reached": 0.0,
      "then": "check"
    },
    {
      "step": "shift",
      "role": "gateway",
      "script": "w-e",
      "percent": 100,
      "from": "v1",
      "reached": 0.0,
      "then": "go_on"
    }
  ]
}
"#);
}
