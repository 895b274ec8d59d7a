//! What keeps requests from the gateway: each obstacle with its way out, as a conflict or a finding, and which routes are shadows.

use edge_broadcast_protocol::gateway::route::PATHS;
use edge_broadcast_sandbox::Pattern;
use insta::assert_snapshot;
use proptest::prelude::*;
use proptest::sample::select;
use strum::IntoEnumIterator;

use super::world::{MANIFEST, World};
use crate::build::Worker;
use crate::environment::name::Host;
use crate::environment::name::Stages;
use crate::environment::{OverrideDns, Served, ServedBy};
use crate::plan::obstacle::ObstacleDiscriminants as Kind;
use crate::plan::saved::SavedPlan;
use crate::plan::{LiveDomain, LiveRecord, LiveRoute, Observed, Seen, shadow};

/// The way to the gateway in [`MANIFEST`].
const ROUTE: &str = "host = \"a.glow.trade\"";
const DOMAIN: &str = "host = \"a.glow.trade\"\ncustom_domain = true";

fn record(name: &str, kind: &str, content: &str) -> LiveRecord {
    LiveRecord {
        name: name.to_owned(),
        kind: kind.to_owned(),
        content: content.to_owned(),
        is_proxied: false,
        is_of_worker: false,
    }
}

fn proxied(name: &str) -> LiveRecord {
    LiveRecord {
        is_proxied: true,
        ..record(name, "AAAA", "100::")
    }
}

fn of_worker(name: &str) -> LiveRecord {
    LiveRecord {
        is_of_worker: true,
        ..proxied(name)
    }
}

fn route(pattern: &str, script: Option<&str>) -> LiveRoute {
    LiveRoute {
        id: "r".to_owned(),
        pattern: pattern.to_owned(),
        script: script.map(str::to_owned),
    }
}

/// A zone that is ready for its hosts.
fn ready(live: &mut Observed) {
    live.zone.status = Some("active".to_owned());
    live.zone.kind = Some("full".to_owned());
    live.records = Seen::All(vec![proxied("glow.trade"), proxied("*.glow.trade")]);
    live.certificates = Seen::All(vec!["glow.trade".to_owned(), "*.glow.trade".to_owned()]);
}

/// An account without the scripts, in a zone that is ready but for `change`.
fn first(change: impl FnOnce(&mut Observed)) -> World {
    World::empty(MANIFEST).edit(ready).edit(change)
}

/// A deployed environment, in a zone that is ready but for `change`.
fn later(change: impl FnOnce(&mut Observed)) -> World {
    World::deployed(MANIFEST).edit(ready).edit(change)
}

/// The conflicts, or that there are none, and the findings.
fn told(world: &World) -> String {
    let conflicts = match world.try_plan() {
        Ok(_) => "no conflict".to_owned(),
        Err(conflicts) => conflicts.to_string(),
    };
    conflicts + &world.findings()
}

#[test]
fn a_zone_that_is_ready_has_no_obstacle() {
    assert_eq!(told(&first(|_| {})), "no conflict");
    assert_eq!(told(&later(|_| {})), "no conflict");
    let moved = later(|_| {}).manifest(ROUTE, "host = \"glow.trade\"");
    assert_eq!(told(&moved.adopting("w-e")), "no conflict");
}

#[test]
fn each_obstacle_says_what_is_in_the_way_and_what_can_be_done() {
    for kind in Kind::iter() {
        match kind {
            Kind::NotActive => {
                let world = first(|live| live.zone.status = Some("pending".to_owned()));
                assert_snapshot!(told(&world), @r"
nothing was changed, because of what is live:
  - the zone `glow.trade` is `pending`: Cloudflare serves active zones only
    help: finish its setup in the dashboard: its registrar must name Cloudflare's name servers
");
            }
            Kind::Paused => {
                let world = later(|live| live.zone.is_paused = true);
                assert_snapshot!(told(&world), @r"
nothing was changed, because of what is live:
  - the zone `glow.trade` is paused: its requests go past Cloudflare, and no Worker gets them
    help: enable Cloudflare for it in the dashboard (Overview, Advanced Actions)
");
            }
            Kind::Shadowed => {
                let theirs = route("a.glow.trade/ws/*", Some("theirs"));
                let world = later(|live| live.routes.push(theirs));
                assert_snapshot!(told(&world), @r"
nothing was changed, because of what is live:
  - the route `a.glow.trade/ws/*` of the script `theirs` takes `/ws/:token` of `a.glow.trade`
    help: remove that route in the dashboard, or use another host in the manifest
");
            }
            Kind::NotProxied => {
                let world = first(|live| live.records = Seen::All(vec![]));
                assert_snapshot!(told(&world), @r"
nothing was changed, because of what is live:
  - `a.glow.trade` has no DNS record (`A`, `AAAA` or `CNAME`): nothing leads its requests to a zone route
    help: make a proxied one in the zone's DNS settings (`AAAA`, `100::`), or serve the host as a custom domain (`custom_domain = true`), which makes its own
");
            }
            Kind::NoCertificate => {
                let world = first(|_| {}).manifest("a.glow.trade", "a.b.glow.trade");
                assert_snapshot!(told(&world), @r"
nothing was changed, because of what is live:
  - the zone has no certificate for `a.b.glow.trade`: Universal SSL covers one label below the zone
    help: serve it as a custom domain (`custom_domain = true`), which brings its own, order an advanced certificate, or use a host one label below the zone
");
            }
            Kind::RecordInTheWay => {
                let made = record("a.glow.trade", "A", "192.0.2.1");
                let world = first(|live| live.records = Seen::All(vec![made]));
                assert_snapshot!(told(&world.manifest(ROUTE, DOMAIN)), @r"
nothing was changed, because of what is live:
  - the DNS record `A 192.0.2.1` of `a.glow.trade` stands in the way of its custom domain, which makes its own
    help: delete it in the zone's DNS settings: Cloudflare does not replace a record that somebody made, whatever `override_dns` says
");
            }
            Kind::RecordsUnseen => {
                let world = first(|live| live.records = Seen::Refused);
                assert_snapshot!(told(&world), @r"
no conflict
  note   the API token may not read the DNS records of `glow.trade`: whether those of `a.glow.trade` are as they must be was not looked at
");
            }
        }
    }
}

#[test]
fn a_host_that_is_served_already_may_be_led_to_by_something_that_is_no_record() {
    let world = later(|live| live.records = Seen::All(vec![]));
    assert_snapshot!(told(&world), @r"
no conflict
  WRONG  `a.glow.trade` has no DNS record (`A`, `AAAA` or `CNAME`): nothing leads its requests to a zone route
         make a proxied one in the zone's DNS settings (`AAAA`, `100::`), or serve the host as a custom domain (`custom_domain = true`), which makes its own
");
    let capitals = world.edit(|live| live.routes[0].pattern = "A.Glow.Trade/*".to_owned());
    assert!(told(&capitals).starts_with("no conflict"));
    // And what the token may not read is no news
    let world = later(|live| live.records = Seen::Refused);
    assert_eq!(told(&world), "no conflict");
}

/// Something that is not looked at leads requests to its route today, whichever script of ours has it.
#[test]
fn a_host_that_moves_over_is_one_that_works() {
    let old = |live: &mut Observed| {
        live.routes = vec![route("a.b.glow.trade/*", Some("w-old"))];
        live.kin.insert("w-old".to_owned());
        live.records = Seen::All(Vec::new());
    };
    let world = first(old).manifest("a.glow.trade", "a.b.glow.trade");
    assert_snapshot!(told(&world.clone().taking_from("w-old")), @r"
no conflict
  WRONG  `a.b.glow.trade` has no DNS record (`A`, `AAAA` or `CNAME`): nothing leads its requests to a zone route
         make a proxied one in the zone's DNS settings (`AAAA`, `100::`), or serve the host as a custom domain (`custom_domain = true`), which makes its own
  WRONG  the zone has no certificate for `a.b.glow.trade`: Universal SSL covers one label below the zone
         serve it as a custom domain (`custom_domain = true`), which brings its own, order an advanced certificate, or use a host one label below the zone
");
    // Where it does not move, that is all that is in the way
    assert_snapshot!(told(&world), @r"
nothing was changed, because of what is live:
  - the route `a.b.glow.trade/*` belongs to the script `w-old`, which this tool has deployed too
    help: `edge-broadcast deploy e --take-route-from w-old` moves it without a gap, or use another host in the manifest
  WRONG  `a.b.glow.trade` has no DNS record (`A`, `AAAA` or `CNAME`): nothing leads its requests to a zone route
         make a proxied one in the zone's DNS settings (`AAAA`, `100::`), or serve the host as a custom domain (`custom_domain = true`), which makes its own
  WRONG  the zone has no certificate for `a.b.glow.trade`: Universal SSL covers one label below the zone
         serve it as a custom domain (`custom_domain = true`), which brings its own, order an advanced certificate, or use a host one label below the zone
");
}

#[test]
fn a_plan_is_saved_with_one_token_and_applied_with_another_that_may_not_read_the_dns() {
    let saved = |world: World| {
        let plan = world.try_plan().unwrap();
        SavedPlan::new("a", world.observed(), &plan, &Stages::at_once(), &[], &[]).unwrap()
    };
    let may_not = |live: &mut Observed| {
        live.records = Seen::Refused;
        live.certificates = Seen::Refused;
    };
    let planned = saved(later(|_| {}).code(Worker::Room));
    planned
        .check(&saved(later(may_not).code(Worker::Room)))
        .unwrap();
    // What both can read is compared
    let moved = saved(later(|live| live.zone.kind = None).code(Worker::Room));
    assert_eq!(
        planned.check(&moved).unwrap_err().to_string(),
        "what is live of `e` moved since the plan was made"
    );
}

#[test]
fn a_record_that_is_not_proxied_leads_past_cloudflare() {
    let past = record("a.glow.trade", "CNAME", "elsewhere.example");
    let world = first(|live| live.records = Seen::All(vec![past, proxied("*.glow.trade")]));
    assert_snapshot!(told(&world), @r"
nothing was changed, because of what is live:
  - the DNS record `CNAME elsewhere.example` of `a.glow.trade` is not proxied: its requests go past Cloudflare, and no route gets them
    help: switch its proxy on in the zone's DNS settings
");
}

#[test]
fn a_certificate_of_its_own_or_of_a_wildcard_covers_a_deep_host() {
    for covering in ["a.b.glow.trade", "*.b.glow.trade"] {
        let names = Seen::All(vec![covering.to_owned()]);
        let world = first(|live| live.certificates = names);
        assert_eq!(
            told(&world.manifest("a.glow.trade", "a.b.glow.trade")),
            "no conflict"
        );
    }
    // Of a zone whose DNS is elsewhere every host has one
    let world = first(|live| live.zone.kind = Some("partial".to_owned()));
    assert_eq!(
        told(&world.manifest("a.glow.trade", "a.b.glow.trade")),
        "no conflict"
    );
    let world = first(|live| live.certificates = Seen::Refused);
    assert_snapshot!(told(&world.manifest("a.glow.trade", "a.b.glow.trade")), @r"
no conflict
  WRONG  the zone may have no certificate for `a.b.glow.trade`: Universal SSL covers one label below the zone
         give the API token SSL and Certificates Read to have it looked at, serve it as a custom domain (`custom_domain = true`), or use a host one label below the zone
");
}

#[test]
fn a_custom_domain_takes_the_place_of_another_workers_record_only_where_the_manifest_says_so() {
    let theirs = || Seen::All(vec![of_worker("a.glow.trade")]);
    let world = first(|live| live.records = theirs()).manifest(ROUTE, DOMAIN);
    assert_snapshot!(told(&world), @r"
nothing was changed, because of what is live:
  - the DNS record `AAAA 100::` of `a.glow.trade` stands in the way of its custom domain, which makes its own
    help: it is another Worker's: set `override_dns = true` in the manifest to take it over, or detach the domain from that Worker
");
    let allowed = format!("{DOMAIN}\noverride_dns = true");
    let world = later(|live| live.records = theirs()).manifest(ROUTE, &allowed);
    assert_snapshot!(world.plan(), @r"
e: 2 steps

1. attach the custom domain `a.glow.trade` to `w-e`
   ~ DNS record: AAAA 100:: of another Worker -> the custom domain's

2. remove the route `a.glow.trade/*` of `w-e`

socket impact: none

1 to add, 0 to change, 1 to remove
");
}

#[test]
fn from_a_route_to_a_domain_and_back_the_record_is_told_before_anything_is_written() {
    let its_own = || Seen::All(vec![proxied("a.glow.trade")]);
    let to_domain = later(|live| live.records = its_own()).manifest(ROUTE, DOMAIN);
    assert_snapshot!(told(&to_domain), @r"
nothing was changed, because of what is live:
  - the DNS record `AAAA 100::` of `a.glow.trade` stands in the way of its custom domain, which makes its own
    help: the host's zone route needs it until the domain is there: make a proxied record of the wildcard above it (`*`), which leads the host to the route meanwhile, then delete this one in the zone's DNS settings
");
    let capitals = to_domain.clone();
    let capitals = capitals.edit(|live| live.routes[0].pattern = "A.glow.trade/*".to_owned());
    assert_eq!(told(&capitals), told(&to_domain));
    let attached = |live: &mut Observed| {
        live.routes.clear();
        live.domains.push(LiveDomain {
            id: "d".to_owned(),
            hostname: "a.glow.trade".to_owned(),
            script: "w-e".to_owned(),
        });
        live.records = Seen::All(vec![of_worker("a.glow.trade")]);
    };
    assert_snapshot!(told(&later(attached)), @r"
nothing was changed, because of what is live:
  - the DNS record of `a.glow.trade` is that of its custom domain, and goes with it: nothing would lead its requests to a zone route
    help: make a proxied record of the wildcard above it (`*`) first, or keep the custom domain
");
    assert_eq!(
        told(&later(attached).manifest(ROUTE, DOMAIN)),
        "no conflict"
    );
}

/// What is told of a route of others, on one line.
fn shadow_of(by: &str, pattern: &str, script: Option<&str>) -> String {
    let theirs = route(pattern, script);
    let world = World::deployed(&MANIFEST.replace(ROUTE, by)).edit(ready);
    let world = world.edit(|live| live.routes.push(theirs));
    let kind = match world.try_plan() {
        Ok(_) => "finding ",
        Err(_) => "conflict",
    };
    let told = told(&world).replace("nothing was changed, because of what is live:", "");
    let what = told.split(" takes ").nth(1);
    match what {
        None => format!("nothing  {pattern}"),
        Some(taken) => format!("{kind} {pattern}: {}", taken.lines().next().unwrap()),
    }
}

#[test]
fn which_of_our_paths_a_route_of_others_takes() {
    let theirs = Some("theirs");
    let of_route = |pattern| shadow_of(ROUTE, pattern, theirs);
    let rows = [
        "https://a.glow.trade/*",
        "a.glow.trade/ws/*",
        "a.glow.trade/ws*",
        "a.glow.trade/health",
        "A.Glow.Trade/broadcast/*",
        "a.glow.trade/ws/SOL",
        "a.glow.trade/ws/S*",
        "a.glow.trade/ws/a/b/*",
        "a.glow.trade/ws/a/b",
        "a.glow.trade/snapshot/*",
        "a.glow.trade/broadcast",
        "a.glow.trade/s*",
        "a.glow.trade/",
        "a.glow.trade/other/*",
        "http://a.glow.trade/ws/*",
        "*.glow.trade/ws/*",
        "*a.glow.trade/health",
        "*/*",
        "b.glow.trade/*",
    ]
    .map(of_route);
    assert_snapshot!(rows.join("\n"), @r"
conflict https://a.glow.trade/*: every request of `a.glow.trade`
conflict a.glow.trade/ws/*: `/ws/:token` of `a.glow.trade`
conflict a.glow.trade/ws*: `/ws/:token` of `a.glow.trade`
conflict a.glow.trade/health: `/health` of `a.glow.trade`
conflict A.Glow.Trade/broadcast/*: `/broadcast/:token`, some of `/broadcast` of `a.glow.trade`
finding  a.glow.trade/ws/SOL: some of `/ws/:token` of `a.glow.trade`
finding  a.glow.trade/ws/S*: some of `/ws/:token` of `a.glow.trade`
nothing  a.glow.trade/ws/a/b/*
nothing  a.glow.trade/ws/a/b
finding  a.glow.trade/snapshot/*: `/snapshot/:token` of `a.glow.trade`
finding  a.glow.trade/broadcast: `/broadcast` of `a.glow.trade`
finding  a.glow.trade/s*: `/snapshot/:token`, `/secrets/uses` of `a.glow.trade`
nothing  a.glow.trade/
nothing  a.glow.trade/other/*
nothing  http://a.glow.trade/ws/*
nothing  *.glow.trade/ws/*
nothing  *a.glow.trade/health
nothing  */*
nothing  b.glow.trade/*
");
    // Without a Worker
    assert_snapshot!(shadow_of(ROUTE, "a.glow.trade/ws/*", None), @"conflict a.glow.trade/ws/*: `/ws/:token` of `a.glow.trade`");
}

#[test]
fn every_route_goes_before_a_custom_domain_and_its_worker_may_hand_on() {
    let theirs = Some("theirs");
    let of_domain = |pattern| shadow_of(DOMAIN, pattern, theirs);
    let rows = [
        "a.glow.trade/*",
        "*.glow.trade/*",
        "*/*",
        "a.glow.trade/ws/*",
        "b.glow.trade/*",
    ];
    assert_snapshot!(rows.map(of_domain).join("\n"), @r"
finding  a.glow.trade/*: every request of `a.glow.trade`
finding  *.glow.trade/*: every request of `a.glow.trade`
finding  */*: every request of `a.glow.trade`
finding  a.glow.trade/ws/*: `/ws/:token` of `a.glow.trade`
nothing  b.glow.trade/*
");
    assert_snapshot!(shadow_of(DOMAIN, "a.glow.trade/*", None), @"nothing  a.glow.trade/*");
}

prop_compose! {
    fn patterns()(
        scheme in select(&["", "https://", "http://"]),
        host in select(&["a.glow.trade", "*.glow.trade", "*glow.trade", "*", "b.glow.trade", "A.glow.trade"]),
        path in select(&["", "/", "/ws", "/ws/", "/ws/S", "/ws/SOL", "/ws/SOL/", "/broadcast", "/broadcast/", "/health", "/heal", "/se", "/secrets/uses", "/secrets/uses/", "/snapshot/SOL/x", "/x"]),
        open in any::<bool>(),
    ) -> String {
        let star = if open && !path.is_empty() { "*" } else { "" };
        format!("{scheme}{host}{path}{star}")
    }
}

proptest! {
    /// As the edge of the sandbox chooses, by all requests for three tokens, with and without a slash at their end.
    #[test]
    fn a_shadow_is_said_of_exactly_the_paths_that_the_edge_gives_to_others(pattern in patterns(), domain in any::<bool>()) {
        let by = match domain {
            true => ServedBy::CustomDomain(OverrideDns::Never),
            false => ServedBy::ZoneRoute,
        };
        let served = Served { host: Host::try_from("a.glow.trade".to_owned()).unwrap(), by };
        let own = Pattern::parse("a.glow.trade/*");
        let theirs = Pattern::parse(&pattern);
        let goes = |path: &str| {
            let fits = theirs.matches("a.glow.trade", path);
            fits && (domain || theirs.specificity() > own.specificity())
        };
        let said = shadow::on(&served, "w-e", &[route(&pattern, Some("theirs"))]);
        for path in PATHS {
            let tokens = ["SOL", "S", "BTC"].map(|token| path.replace(":token", token));
            let taken = tokens.iter().filter(|path| goes(path)).count();
            let with_slash = tokens.iter().any(|path| goes(&format!("{path}/")));
            let expected = match (taken, with_slash) {
                (0, false) => "none",
                (3, _) => "all",
                _ => "some",
            };
            let is = said.first().map_or("none", |shadow| shadow.share(path));
            prop_assert_eq!(is, expected, "{} {}", pattern, path);
        }
    }
}
