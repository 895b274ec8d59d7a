//! What must be seen of what is live, whatever is planned.

use insta::assert_snapshot;
use serde_json::json;

use super::world::{MANIFEST, World};
use crate::build::Worker;
use crate::plan::Live;

#[test]
fn what_is_deployed_as_it_must_be_gives_no_finding() {
    assert_eq!(World::empty(MANIFEST).findings(), "");
    assert_eq!(World::deployed(MANIFEST).findings(), "");
}

#[test]
fn a_newest_version_without_traffic_is_told() {
    let world = World::deployed(MANIFEST).code(Worker::Gateway);
    assert_snapshot!(world.uploaded(Worker::Gateway).findings(), @"

      note   the newest version of `w-e`, `v2`, is not the deployed one, `v1`
    ");
}

#[test]
fn a_secret_that_is_a_plain_variable_is_leaked_and_told_with_what_to_do() {
    let plain = json!({ "type": "plain_text", "text": "hidden:00000000" });
    let manifest = format!("{MANIFEST}[secrets.ADMIN_SECRET]\nsource = \"env:Y\"\n");
    let with = |live: &mut Live, name: &str| {
        live.active.bindings.insert(name.to_owned(), plain.clone());
    };
    let world = World::deployed(&manifest)
        .gateway(|live| {
            with(live, "WEBHOOK_SECRET");
            with(live, "WEBHOOK_SECRET_ALTERNATE");
            with(live, "ADMIN_SECRET");
            with(live, "THEIRS");
        })
        .room(|live| with(live, "WEBHOOK_SECRET"));
    assert_snapshot!(world.findings(), @r"

WRONG  `WEBHOOK_SECRET` of `w-e-room` was readable as a plain variable: treat it as leaked, rotate it
       `edge-broadcast deploy e` takes the variable away; after that, `edge-broadcast secrets rotate e --compromised`
WRONG  `ADMIN_SECRET` of `w-e` was readable as a plain variable: treat it as leaked, rotate it
       `edge-broadcast deploy e` takes the variable away; after that, give its source a new value, then `edge-broadcast secrets set e ADMIN_SECRET`
WRONG  `WEBHOOK_SECRET` of `w-e` was readable as a plain variable: treat it as leaked, rotate it
       `edge-broadcast deploy e` takes the variable away; after that, `edge-broadcast secrets rotate e --compromised`
WRONG  `WEBHOOK_SECRET_ALTERNATE` of `w-e` was readable as a plain variable: treat it as leaked, rotate it
       `edge-broadcast deploy e` takes the variable away; after that, `edge-broadcast secrets rotate e --compromised`
");
}

/// Without code there is no plan that would refuse it.
#[test]
fn what_is_in_the_way_of_any_deployment_is_found_without_the_code() {
    let world = World::deployed(MANIFEST)
        .code(Worker::Gateway)
        .code(Worker::Room);
    assert_eq!(world.in_the_way(), "");
    let split = world
        .clone()
        .uploaded(Worker::Gateway)
        .split(Worker::Gateway, 10.0);
    assert_eq!(split.in_the_way(), "");
    let world = world.room(|live| live.tags.clear()).edit(|live| {
        live.zone.is_paused = true;
        live.routes[0].script = Some("theirs".to_owned());
        let classes = live.classes.entry("w-e-room".to_owned()).or_default();
        classes.insert("Theirs".to_owned());
    });
    assert_snapshot!(world.in_the_way(), @r"

WRONG  `w-e-room` exists, and has no tag that says that this project deployed it
       use another `worker.name`; `edge-broadcast deploy e --adopt w-e-room` takes it over
WRONG  `w-e-room` has a Durable Object class `Theirs`, which this project would delete with all its data
       use another `worker.name`, or delete the class with a migration of its own project
WRONG  the route `a.glow.trade/*` belongs to the script `theirs`
       remove that route in the dashboard, or use another host in the manifest
WRONG  the zone `glow.trade` is paused: its requests go past Cloudflare, and no Worker gets them
       enable Cloudflare for it in the dashboard (Overview, Advanced Actions)
");
}

#[test]
fn rooms_that_a_deployment_would_move_to_another_jurisdiction_are_told() {
    let eu = "[worker]\njurisdiction = \"eu\"";
    let world = World::deployed(MANIFEST).manifest("[worker]", eu);
    assert_snapshot!(world.findings(), @"

      note   the rooms are in no jurisdiction, and the manifest has them in the jurisdiction `eu`: a deployment begins every room anew there, without its history; what is stored stays where it is, and a socket that is open gets no more updates until the old room closes it, at most 5m later
    ");
    let moved = World::deployed(&MANIFEST.replacen("[worker]", eu, 1));
    assert_eq!(moved.findings(), "");
    let other = moved.manifest(eu, "[worker]\njurisdiction = \"us\"");
    assert_snapshot!(other.findings(), @"

      note   the rooms are in the jurisdiction `eu`, and the manifest has them in the jurisdiction `us`: a deployment begins every room anew there, without its history; what is stored stays where it is, and a socket that is open gets no more updates until the old room closes it, at most 5m later
    ");
}
