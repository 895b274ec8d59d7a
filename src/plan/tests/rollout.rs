//! Lanes and rollouts: how a version becomes live, and how a later run goes on where one stopped.

use insta::assert_snapshot;

use super::world::{MANIFEST, World};
use crate::build::Worker;
use crate::plan::history::Listed;
use crate::plan::{Step, release};

fn new_gateway() -> World {
    World::deployed(MANIFEST).code(Worker::Gateway)
}

#[test]
fn a_gateway_is_checked_at_0_percent_before_it_gets_traffic() {
    assert_snapshot!(new_gateway().rollout("5,25,100").plan(), @r"
e: 5 steps

1. upload a version of `w-e`
   lane: code
   ~ code: 1111111111111111 -> 2222222222222222

2. give 0 % of the traffic of `w-e` to the new version, and check it

3. give 5 % of the traffic of `w-e` to the new version, and check it

4. give 25 % of the traffic of `w-e` to the new version, and check it

5. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
");
}

#[test]
fn a_room_begins_with_its_first_share_because_no_request_can_name_its_version() {
    let world = World::deployed(MANIFEST).code(Worker::Room);
    assert_snapshot!(world.rollout("50,100").plan(), @r"
e: 3 steps

1. upload a version of `w-e-room`
   lane: code
   ~ code: aaaaaaaaaaaaaaaa -> bbbbbbbbbbbbbbbb

2. give 50 % of the traffic of `w-e-room` to the new version, and check it

3. give all traffic of `w-e-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
");
}

#[test]
fn a_room_is_given_all_its_traffic_before_the_gateway_gets_any() {
    let world = new_gateway().code(Worker::Room);
    assert_snapshot!(world.rollout("50,100").plan(), @r"
e: 7 steps

1. upload a version of `w-e-room`
   lane: code
   ~ code: aaaaaaaaaaaaaaaa -> bbbbbbbbbbbbbbbb

2. give 50 % of the traffic of `w-e-room` to the new version, and check it

3. give all traffic of `w-e-room` to the new version

4. upload a version of `w-e`
   lane: code
   ~ code: 1111111111111111 -> 2222222222222222

5. give 0 % of the traffic of `w-e` to the new version, and check it

6. give 50 % of the traffic of `w-e` to the new version, and check it

7. give all traffic of `w-e` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 2 to change, 0 to remove
");
}

#[test]
fn a_script_that_is_new_is_deployed_at_once_whatever_the_rollout() {
    let world = World::deployed(MANIFEST).edit(|live| drop(live.scripts.remove("w-e")));
    assert_snapshot!(world.rollout("5,25,100").plan(), @r#"
e: 3 steps

1. upload `w-e` and deploy it
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

2. set the tags of `w-e`
   + tags: ["cf:environment=e","cf:service=w"]

3. keep `w-e` off workers.dev
   + workers.dev: false

socket impact: none

2 to add, 0 to change, 0 to remove
"#);
}

#[test]
fn a_version_that_an_earlier_run_uploaded_is_taken() {
    assert_snapshot!(new_gateway().uploaded(Worker::Gateway).plan(), @r"
e: 2 steps

1. take the version `v2` of `w-e`, which an earlier run uploaded
   lane: code
   ~ code: 1111111111111111 -> 2222222222222222

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
");
}

#[test]
fn a_version_that_an_earlier_run_uploaded_is_not_taken_where_a_secret_is_to_be_set() {
    let world = new_gateway().uploaded(Worker::Gateway);
    let world = world.gateway(|live| live.active.secrets.clear());
    assert_snapshot!(world.plan(), @r"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ code: 1111111111111111 -> 2222222222222222
   + secret WEBHOOK_SECRET: set

2. give all traffic of `w-e` to the new version

socket impact: none

1 to add, 1 to change, 0 to remove
");
}

/// It has the tag of what is wanted, and secrets that are not the deployed ones.
#[test]
fn a_copy_with_other_secrets_that_was_left_is_not_taken() {
    let newest = |message: String| Listed {
        id: "v2".to_owned(),
        tag: None,
        message: Some(message),
        created_on: "2026-10-01T00:00:00Z".to_owned(),
    };
    let titles = |message: String| {
        let world = new_gateway().uploaded(Worker::Gateway);
        let world = world.gateway(|live| live.versions = vec![newest(message)]);
        let steps = world.try_plan().unwrap().steps;
        steps.iter().map(Step::title).collect::<Vec<_>>()
    };
    let uploaded = release::of_version("e", "a2acdca4");
    let copy = release::of_copy(Some(&uploaded), 1);
    assert_eq!(titles(copy)[0], "upload a version of `w-e`");
    assert_eq!(
        titles(uploaded)[0],
        "take the version `v2` of `w-e`, which an earlier run uploaded"
    );
}

#[test]
fn a_version_of_another_tag_that_was_left_is_not_taken() {
    let world = new_gateway().gateway(|live| live.latest = Some(("v2".to_owned(), None)));
    assert_snapshot!(world.plan(), @r"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ code: 1111111111111111 -> 2222222222222222

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
");
}

#[test]
fn a_rollout_that_was_interrupted_goes_on_at_the_share_that_it_reached() {
    let world = new_gateway()
        .uploaded(Worker::Gateway)
        .split(Worker::Gateway, 25.0);
    assert_snapshot!(world.rollout("5,25,50,100").plan(), @r"
e: 4 steps

1. take the version `v2` of `w-e`, which an earlier run uploaded
   lane: code
   ~ code: 1111111111111111 -> 2222222222222222
   ~ share of traffic (%): 25.0 -> 100.0

2. give 25 % of the traffic of `w-e` to the new version, and check it

3. give 50 % of the traffic of `w-e` to the new version, and check it

4. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
");
}

#[test]
fn a_rollout_that_was_interrupted_between_two_stages_goes_on_at_the_next() {
    let world = new_gateway()
        .uploaded(Worker::Gateway)
        .split(Worker::Gateway, 30.0);
    let plan = world.rollout("25,50,100").try_plan().unwrap();
    let shares = plan.steps.iter().filter_map(|step| match step {
        Step::Shift(shift) => Some((
            shift.percent,
            shift.reached.to_string(),
            shift.from.as_str(),
        )),
        _ => None,
    });
    let shares: Vec<_> = shares.collect();
    assert_eq!(
        shares,
        [(50, "30".to_owned(), "v1"), (100, "30".to_owned(), "v1")]
    );
}

#[test]
fn a_rollout_that_was_interrupted_at_0_percent_is_checked_there_again() {
    let world = new_gateway()
        .uploaded(Worker::Gateway)
        .split(Worker::Gateway, 0.0);
    assert_snapshot!(world.rollout("5,100").plan(), @r"
e: 4 steps

1. take the version `v2` of `w-e`, which an earlier run uploaded
   lane: code
   ~ code: 1111111111111111 -> 2222222222222222
   ~ share of traffic (%): 0.0 -> 100.0

2. give 0 % of the traffic of `w-e` to the new version, and check it

3. give 5 % of the traffic of `w-e` to the new version, and check it

4. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
");
}

#[test]
fn a_rollout_that_was_interrupted_is_finished_at_once_where_no_stages_are_wanted() {
    let world = new_gateway()
        .uploaded(Worker::Gateway)
        .split(Worker::Gateway, 25.0);
    assert_snapshot!(world.plan(), @r"
e: 2 steps

1. take the version `v2` of `w-e`, which an earlier run uploaded
   lane: code
   ~ code: 1111111111111111 -> 2222222222222222
   ~ share of traffic (%): 25.0 -> 100.0

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
");
}
