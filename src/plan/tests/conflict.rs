//! Each conflict, with its way out.

use insta::assert_snapshot;
use serde_json::json;
use strum::IntoEnumIterator;

use super::world::{MANIFEST, World, next, owned};
use crate::build::Worker;
use crate::plan::conflict::ConflictDiscriminants as Kind;
use crate::plan::{Live, LiveDomain, LiveRoute, ownership};

/// What a plan says whose only conflict is of `kind`.
fn told(kind: Kind, world: &World) -> String {
    let conflicts = world.try_plan().unwrap_err();
    let kinds: Vec<Kind> = conflicts.0.iter().map(Kind::from).collect();
    assert_eq!(kinds, [kind]);
    conflicts.to_string()
}

fn ours(pattern: &str) -> LiveRoute {
    LiveRoute {
        id: pattern.to_owned(),
        pattern: pattern.to_owned(),
        script: Some("w-e".to_owned()),
    }
}

fn route(owner: Option<&str>) -> LiveRoute {
    LiveRoute {
        id: "r".to_owned(),
        pattern: "a.glow.trade/*".to_owned(),
        script: owner.map(str::to_owned),
    }
}

fn domain(owner: &str) -> LiveDomain {
    LiveDomain {
        id: "d".to_owned(),
        hostname: "a.glow.trade".to_owned(),
        script: owner.to_owned(),
    }
}

/// The main host is that of another script of ours, from which it may be taken.
fn moving() -> World {
    let world = World::deployed(MANIFEST).edit(|live| {
        live.routes = vec![route(Some("w-old"))];
        live.kin.insert("w-old".to_owned());
    });
    world.taking_from("w-old")
}

#[test]
fn each_conflict_says_what_is_in_the_way_and_what_can_be_done() {
    for kind in Kind::iter() {
        let deployed = World::deployed(MANIFEST);
        match kind {
            Kind::Foreign => {
                let world = deployed.gateway(|live| live.tags.clear());
                assert_snapshot!(told(kind, &world), @r"
nothing was changed, because of what is live:
  - `w-e` exists, and has no tag that says that this project deployed it
    help: use another `worker.name`; `edge-broadcast deploy e --adopt w-e` takes it over
");
            }
            Kind::Unadoptable => {
                let world = deployed.adopting("w-e-rom");
                assert_snapshot!(told(kind, &world), @r"
nothing was changed, because of what is live:
  - `--adopt w-e-rom`: `e` has no script of that name
    help: its scripts are `w-e-room` and `w-e`
");
            }
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
                    .edit(|live| live.domains.push(domain("theirs")));
                assert_snapshot!(told(kind, &world), @r"
nothing was changed, because of what is live:
  - the custom domain `a.glow.trade` belongs to the script `theirs`
    help: remove it from that script first, or use another host in the manifest
");
            }
            Kind::DomainCovered => {
                let world = deployed.edit(|live| {
                    live.routes.clear();
                    live.domains.push(domain("theirs"));
                });
                assert_snapshot!(told(kind, &world), @r"
nothing was changed, because of what is live:
  - `a.glow.trade` is a custom domain of the script `theirs`, which would lose every request to a zone route: routes go before custom domains
    help: remove it from that script first, or use another host in the manifest
");
            }
            // More of them in `obstacle`
            Kind::Obstacle => {
                let world = deployed.edit(|live| live.zone.is_paused = true);
                assert_snapshot!(told(kind, &world), @r"
nothing was changed, because of what is live:
  - the zone `glow.trade` is paused: its requests go past Cloudflare, and no Worker gets them
    help: enable Cloudflare for it in the dashboard (Overview, Advanced Actions)
");
            }
            Kind::StagesBeforeMove => {
                let world = moving().code(Worker::Gateway).rollout("10,100");
                assert_snapshot!(told(kind, &world), @r"
nothing was changed, because of what is live:
  - `--rollout` checks its stages at `a.glow.trade/*`, where `w-old` answers: the host moves when the new code has all traffic
    help: first `edge-broadcast deploy e --take-route-from w-old` without `--rollout`, which moves it; later changes can go in stages
");
            }
            Kind::StagesApart => {
                let eu = "[worker]\njurisdiction = \"eu\"";
                let world = deployed.manifest("[worker]", eu);
                assert!(world.try_plan().is_ok());
                let staged = world.clone().rollout("10,100");
                assert_snapshot!(told(kind, &staged), @r"
nothing was changed, because of what is live:
  - the jurisdiction changes, from none to `eu`, and with it every room: while `--rollout` shares the traffic, clients of one room would be in two
    help: `edge-broadcast deploy e` without `--rollout` changes it at once
");
                // One script has it already: the run before was interrupted
                let world = world.edit(|live| {
                    let room = live.scripts.get_mut("w-e-room").unwrap();
                    let eu = json!({ "type": "plain_text", "text": "eu" });
                    room.active.bindings.insert("JURISDICTION".to_owned(), eu);
                });
                assert_eq!(told(kind, &world.rollout("10,100")), told(kind, &staged));
            }
        }
    }
}

#[test]
fn a_host_of_another_environment_of_ours_is_taken_only_from_the_script_that_is_named() {
    let world = || {
        World::deployed(MANIFEST).edit(|live| {
            live.routes = vec![route(Some("w-old"))];
            live.kin.insert("w-old".to_owned());
        })
    };
    assert_snapshot!(told(Kind::RouteTaken, &world()), @r"
nothing was changed, because of what is live:
  - the route `a.glow.trade/*` belongs to the script `w-old`, which this tool has deployed too
    help: `edge-broadcast deploy e --take-route-from w-old` moves it without a gap, or use another host in the manifest
");
    let other = world().taking_from("w-other");
    assert_eq!(other.plan(), world().plan());
    // Naming a script does not make it ours
    let theirs = World::deployed(MANIFEST)
        .edit(|live| live.routes = vec![route(Some("theirs"))])
        .taking_from("theirs");
    assert_snapshot!(told(Kind::RouteTaken, &theirs), @r"
nothing was changed, because of what is live:
  - the route `a.glow.trade/*` belongs to the script `theirs`
    help: remove that route in the dashboard, or use another host in the manifest
");
}

/// Naming its script moves a domain, and a route is none.
#[test]
fn a_route_over_a_custom_domain_of_ours_is_refused_with_the_way_to_move_it() {
    let world = World::deployed(MANIFEST)
        .edit(|live| {
            live.routes.clear();
            live.domains.push(domain("w-old"));
            live.kin.insert("w-old".to_owned());
        })
        .taking_from("w-old");
    assert_snapshot!(told(Kind::DomainCovered, &world), @r"
nothing was changed, because of what is live:
  - `a.glow.trade` is a custom domain of the script `w-old`, which would lose every request to a zone route: routes go before custom domains
    help: serve it as a custom domain (`custom_domain = true`): `edge-broadcast deploy e --take-route-from w-old` moves that without a gap
");
    let host = "host = \"a.glow.trade\"";
    let moved = world.manifest(host, &format!("{host}\ncustom_domain = true"));
    assert!(
        moved.plan().contains("move the custom domain"),
        "{}",
        moved.plan()
    );
    // A route that is there already, or a domain of the gateway itself, changes nothing of it
    let there = World::deployed(MANIFEST).edit(|live| live.domains.push(domain("theirs")));
    assert!(there.plan().starts_with("e: nothing to change"));
    let own = World::deployed(MANIFEST).edit(|live| {
        live.routes.clear();
        live.domains.push(domain("w-e"));
    });
    assert!(own.try_plan().is_ok());
}

#[test]
fn stages_do_not_hinder_a_move_of_another_host_or_where_none_is_checked() {
    // Nothing new gets a share of the traffic
    assert!(moving().rollout("10,100").try_plan().is_ok());
    let new = moving().edit(|live| drop(live.scripts.remove("w-e")));
    assert!(new.rollout("10,100").try_plan().is_ok());
    let first = "[[routes]]\nhost = \"a.";
    let second = format!("[[routes]]\nhost = \"b.glow.trade\"\n{first}");
    let world = moving().manifest(first, &second).code(Worker::Gateway);
    assert!(world.rollout("10,100").try_plan().is_ok());
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

#[test]
fn a_script_of_somebody_else_is_a_conflict_until_it_is_adopted_by_name() {
    let tagged = |tags: &'static [&'static str]| {
        move |live: &mut Live| live.tags = tags.iter().map(|tag| (*tag).to_owned()).collect()
    };
    let other = tagged(&["cf:service=w-e", "cf:environment=room", "team-a"]);
    let theirs = tagged(&[
        "cf:service=w",
        "cf:environment=e",
        "edge-broadcast:owner=them",
    ]);
    let world = World::deployed(&owned("us")).room(other).gateway(theirs);
    assert_snapshot!(world.plan(), @r"
nothing was changed, because of what is live:
  - `w-e-room` is another script's name: it has the tags `cf:environment=room`, `cf:service=w-e`
    help: use another `worker.name` or environment; `edge-broadcast deploy e --adopt w-e-room` takes it over
  - `w-e` belongs to `them`, and this project is `us`
    help: use another `worker.name`; `edge-broadcast deploy e --adopt w-e` takes it over; where both are one project, give it one `worker.owner`
");
    let world = world.adopting("w-e");
    assert_snapshot!(world.plan(), @r"
nothing was changed, because of what is live:
  - `w-e-room` is another script's name: it has the tags `cf:environment=room`, `cf:service=w-e`
    help: use another `worker.name` or environment; `edge-broadcast deploy e --adopt w-e-room` takes it over
");
    assert_snapshot!(world.adopting("w-e-room").plan(), @r#"
e: 2 steps

1. set the tags of `w-e-room`
   ~ tags: ["cf:environment=room","cf:service=w-e","hidden:0ae20eec"] -> ["cf:environment=e","cf:service=w-room","edge-broadcast:owner=us","hidden:0ae20eec"]

2. set the tags of `w-e`
   ~ tags: ["cf:environment=e","cf:service=w","edge-broadcast:owner=them"] -> ["cf:environment=e","cf:service=w","edge-broadcast:owner=us"]

socket impact: none

0 to add, 2 to change, 0 to remove
"#);
}

#[test]
fn a_project_without_an_owner_cannot_adopt_what_has_one() {
    let world = World::deployed(&owned("us"))
        .manifest("owner = \"us\"\n", "")
        .adopting("w-e");
    assert_snapshot!(world.plan(), @r#"
nothing was changed, because of what is live:
  - `w-e-room` belongs to `us`, and this project has no owner
    help: use another `worker.name`; where it is this project's, say so with `worker.owner = "us"` in the manifest
  - `w-e` belongs to `us`, and this project has no owner
    help: use another `worker.name`; where it is this project's, say so with `worker.owner = "us"` in the manifest
"#);
}

#[test]
fn what_an_older_version_or_wrangler_deployed_gets_its_owner_without_a_question() {
    let name = "name = \"w\"";
    let world = World::deployed(MANIFEST).manifest(name, &format!("{name}\nowner = \"us\""));
    assert_snapshot!(world.plan(), @r#"
e: 2 steps

1. set the tags of `w-e-room`
   ~ tags: ["cf:environment=e","cf:service=w-room"] -> ["cf:environment=e","cf:service=w-room","edge-broadcast:owner=us"]

2. set the tags of `w-e`
   ~ tags: ["cf:environment=e","cf:service=w"] -> ["cf:environment=e","cf:service=w","edge-broadcast:owner=us"]

socket impact: none

0 to add, 2 to change, 0 to remove
"#);
}

#[test]
fn a_gateway_without_an_owner_that_serves_other_hosts_alone_is_a_conflict() {
    let moved = |world: World| world.manifest("host = \"a.", "host = \"b.");
    let world = moved(World::deployed(MANIFEST));
    assert_snapshot!(world.plan(), @r"
nothing was changed, because of what is live:
  - `w-e` serves `a.glow.trade` and no host of this manifest: it may be another project's
    help: use another `worker.name`; where it is this project's, `edge-broadcast deploy e --adopt w-e` moves it to the hosts of the manifest
");
    assert_snapshot!(world.adopting("w-e").plan(), @r"
e: 2 steps

1. route `b.glow.trade/*` to `w-e`

2. remove the route `a.glow.trade/*` of `w-e`

socket impact: none

1 to add, 0 to change, 1 to remove
");
    // An owner says that it is this project's
    assert_snapshot!(moved(World::deployed(&owned("us"))).plan(), @r"
e: 2 steps

1. route `b.glow.trade/*` to `w-e`

2. remove the route `a.glow.trade/*` of `w-e`

socket impact: none

1 to add, 0 to change, 1 to remove
");
    // One host of the manifest is enough, in whatever pattern; none is what an interrupted first deployment left
    let routed = |patterns: &'static [&'static str]| {
        World::deployed(MANIFEST).edit(move |live| {
            live.routes = patterns.iter().map(|pattern| ours(pattern)).collect();
        })
    };
    for patterns in [
        &[][..],
        &["http://a.glow.trade/ws/*", "c.glow.trade/*"],
        &["A.Glow.trade/*"],
        &["*.glow.trade/ws/*"],
    ] {
        assert!(routed(patterns).try_plan().is_ok(), "{patterns:?}");
    }
    assert!(routed(&["aa.glow.trade/*"]).try_plan().is_err());
}

/// The same command goes on where a run has stopped half-way.
#[test]
fn what_needs_no_adoption_is_told_and_not_refused() {
    let needless = |world: &World| {
        let desired = world.desired();
        let needless = ownership::needless(&desired, world.observed());
        needless.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let ours = World::deployed(MANIFEST)
        .adopting("w-e")
        .adopting("w-e-room");
    assert_eq!(needless(&ours), ["w-e-room", "w-e"]);
    assert!(ours.plan().starts_with("e: nothing to change"));
    let half = ours.gateway(|live| live.tags.clear());
    assert_eq!(needless(&half), ["w-e-room"]);
    assert!(half.try_plan().is_ok());
    let absent = World::empty(MANIFEST).adopting("w-e-room");
    assert_eq!(needless(&absent), ["w-e-room"]);
    assert!(absent.try_plan().is_ok());
}

/// Nobody else's code gets our owner, by which the next run would take it for ours, nor requests of ours.
#[test]
fn an_adopted_gateway_gets_its_tags_and_its_hosts_after_our_code() {
    let theirs = World::deployed(MANIFEST)
        .code(Worker::Gateway)
        .gateway(|live| live.tags.clear())
        .edit(|live| live.routes.clear());
    assert_snapshot!(theirs.clone().adopting("w-e").plan(), @r#"
e: 4 steps

1. upload a version of `w-e`
   lane: code
   ~ code: 1111111111111111 -> 2222222222222222

2. give all traffic of `w-e` to the new version

3. set the tags of `w-e`
   ~ tags: [] -> ["cf:environment=e","cf:service=w"]

4. route `a.glow.trade/*` to `w-e`

socket impact: none

1 to add, 1 to change, 0 to remove
"#);
    // The checks of a rollout need the hosts
    let staged = theirs.adopting("w-e").rollout("50,100").plan();
    assert!(staged.contains("\n\n1. route `a.glow.trade/*`"), "{staged}");
    assert!(staged.contains("\n\n6. set the tags of `w-e`"), "{staged}");
}
