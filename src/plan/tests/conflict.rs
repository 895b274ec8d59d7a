//! Each conflict, with its way out.

use insta::assert_snapshot;
use strum::IntoEnumIterator;

use super::world::{MANIFEST, World, next};
use crate::build::Worker;
use crate::plan::conflict::ConflictDiscriminants as Kind;
use crate::plan::{LiveDomain, LiveRoute};

/// What a plan says whose only conflict is of `kind`.
fn told(kind: Kind, world: &World) -> String {
    let conflicts = world.try_plan().unwrap_err();
    let kinds: Vec<Kind> = conflicts.0.iter().map(Kind::from).collect();
    assert_eq!(kinds, [kind]);
    conflicts.to_string()
}

fn route(owner: Option<&str>) -> LiveRoute {
    LiveRoute {
        id: "r".to_owned(),
        pattern: "a.glow.trade/*".to_owned(),
        script: owner.map(str::to_owned),
    }
}

#[test]
fn each_conflict_says_what_is_in_the_way_and_what_can_be_done() {
    for kind in Kind::iter() {
        let deployed = World::deployed(MANIFEST);
        match kind {
            Kind::GradualDeployment => {
                let world = deployed
                    .gateway(|live| live.latest = Some((next(live.latest.as_ref()), None)))
                    .split(Worker::Gateway, 10.0);
                assert_snapshot!(told(kind, &world), @r"
nothing was changed, because of what is live:
  - `w-e` has a gradual deployment running: `v1` at 90 %, `v2` at 10 %
    help: it is not of what is to be deployed now; `edge-broadcast rollback e` ends it
");
            }
            Kind::UnknownMigration => {
                let theirs = Some("their-1".to_owned());
                let world = deployed.room(|live| live.active.migration_tag = theirs);
                assert_snapshot!(told(kind, &world), @r"
nothing was changed, because of what is live:
  - `w-e-room` is at the Durable Object migration `their-1`, which this project does not know
    help: replaying migrations over it could delete rooms: use another `worker.name`, or the version of this project that made it
");
            }
            Kind::UnknownClass => {
                let world = deployed.edit(|live| {
                    let classes = live.classes.entry("w-e-room".to_owned()).or_default();
                    classes.insert("Theirs".to_owned());
                });
                assert_snapshot!(told(kind, &world), @r"
nothing was changed, because of what is live:
  - `w-e-room` has a Durable Object class `Theirs`, which this project would delete with all its data
    help: use another `worker.name`, or delete the class with a migration of its own project
");
            }
            Kind::RouteTaken => {
                let world = deployed.edit(|live| live.routes = vec![route(Some("theirs"))]);
                assert_snapshot!(told(kind, &world), @r"
nothing was changed, because of what is live:
  - the route `a.glow.trade/*` belongs to the script `theirs`
    help: remove that route in the dashboard, or use another host in the manifest
");
            }
            Kind::DomainTaken => {
                let host = "host = \"a.glow.trade\"";
                let world = deployed
                    .manifest(host, &format!("{host}\ncustom_domain = true"))
                    .edit(|live| {
                        live.domains.push(LiveDomain {
                            id: "d".to_owned(),
                            hostname: "a.glow.trade".to_owned(),
                            script: "theirs".to_owned(),
                        });
                    });
                assert_snapshot!(told(kind, &world), @r"
nothing was changed, because of what is live:
  - the custom domain `a.glow.trade` belongs to the script `theirs`
    help: remove it from that script first, or use another host in the manifest
");
            }
        }
    }
}

#[test]
fn a_route_that_runs_no_worker_is_a_conflict_too() {
    let world = World::deployed(MANIFEST).edit(|live| live.routes = vec![route(None)]);
    assert_snapshot!(told(Kind::RouteTaken, &world), @r"
nothing was changed, because of what is live:
  - the route `a.glow.trade/*` is set to run no Worker
    help: remove that route in the dashboard, or use another host in the manifest
");
}

#[test]
fn a_rollout_of_the_wanted_version_that_another_one_overtook_is_a_conflict() {
    // The wanted version is the older one of the two: another deployment is rolling out something newer
    let world = World::deployed(MANIFEST)
        .gateway(|live| live.latest = Some((next(live.latest.as_ref()), Some("theirs".to_owned()))))
        .split(Worker::Gateway, 60.0);
    assert_snapshot!(world.plan(), @r"
nothing was changed, because of what is live:
  - `w-e` has a gradual deployment running: `v2` at 60 %, `v1` at 40 %
    help: it is not of what is to be deployed now; `edge-broadcast rollback e` ends it
");
}

#[test]
fn all_conflicts_are_told_at_once() {
    let world = World::deployed(MANIFEST).edit(|live| {
        live.routes = vec![route(Some("theirs"))];
        let room = live.scripts.get_mut("w-e-room").unwrap();
        room.active.migration_tag = Some("their-1".to_owned());
        let classes = live.classes.entry("w-e-room".to_owned()).or_default();
        classes.extend(["Other", "Theirs"].map(str::to_owned));
    });
    assert_snapshot!(world.plan(), @r"
nothing was changed, because of what is live:
  - `w-e-room` is at the Durable Object migration `their-1`, which this project does not know
    help: replaying migrations over it could delete rooms: use another `worker.name`, or the version of this project that made it
  - `w-e-room` has a Durable Object class `Other`, which this project would delete with all its data
    help: use another `worker.name`, or delete the class with a migration of its own project
  - `w-e-room` has a Durable Object class `Theirs`, which this project would delete with all its data
    help: use another `worker.name`, or delete the class with a migration of its own project
  - the route `a.glow.trade/*` belongs to the script `theirs`
    help: remove that route in the dashboard, or use another host in the manifest
");
}
