//! Each key of a manifest: what a plan says when it changes.

use std::collections::BTreeSet;

use insta::assert_snapshot;

use super::world::World;
use crate::environment::manifest;

/// A manifest with a value for every key that has an effect.
pub(super) const MANIFEST: &str = r#"
[worker]
name = "w"
owner = "ours"
compatibility_date = "2026-10-01"
debug = false
observability = true
cpu_ms = 50
code_update = { mode = "deferred", max_delay = "5m" }
jurisdiction = "us"

[cloudflare]
account_id = "0123456789abcdef0123456789abcdef"
zone = "glow.trade"
protected = false
workers_dev = false

[[routes]]
host = "a.glow.trade"
custom_domain = true
override_dns = false

[[regions]]
name = "us"
host = "us.glow.trade"
location_hint = "enam"
continents = ["NA"]

[room]
max_connections = 100
max_shards = 2
batch_window = "10ms"
conflate = "latest"
conflate_key = ["type"]
history = 64
idle_timeout = "90s"
publish_rate = 10

[access]
allowed_origins = ["https://app.glow.trade"]
require_origin = false
require_signature = false
compression = false
connections_per_ip = 20
connect_rate = { limit = 100, period = 60 }
broadcast_rate = { limit = 1000, period = 60 }
max_message_bytes = 16384

[secrets.WEBHOOK_SECRET]
source = "env:X"
rotate_every = "90d"
retry_horizon = "10m"
senders = ["sst"]

[verify.headers]
X-Skip = { source = "env:SKIP" }

[analytics]
dataset = "updates"

[sst]
app = "glow"
stage = "dev"
migration = { mode = "percent", percent = 10 }

[traffic]
users = 1
tokens = 1
updates_per_minute = 1
connects_per_day = 1
tokens_per_user = 1
batch = 1
active_hours_per_day = 1

[rollout]
steps = [5, 100]
min_samples = 1
max_refusal_delta = 0.5
max_p99_ratio = 2.5
on_inconclusive = "hold"
"#;

/// The keys that were changed, to find those that were forgotten.
#[derive(Default)]
struct Keys(BTreeSet<String>);

impl Keys {
    /// The plan when the line or part `from` of [`MANIFEST`], which is of `key`, becomes `to`.
    fn change(&mut self, key: &str, from: &str, to: &str) -> String {
        self.0.insert(key.to_owned());
        World::deployed(MANIFEST).manifest(from, to).plan()
    }
}

#[test]
fn each_key_that_reaches_cloudflare_is_a_step_of_the_plan_and_no_other_is() {
    let mut keys = Keys::default();
    of_scripts(&mut keys);
    of_hosts(&mut keys);
    of_the_room(&mut keys);
    of_access(&mut keys);
    let unplanned = [
        (
            "worker.code_update.mode",
            "\"deferred\", max_delay = \"5m\"",
            "\"immediate\"",
        ),
        ("worker.code_update.max_delay", "\"5m\"", "\"1m\""),
        (
            "cloudflare.account_id",
            "0123456789abcdef",
            "fedcba9876543210",
        ),
        (
            "cloudflare.protected",
            "protected = false",
            "protected = true",
        ),
        (
            "routes.override_dns",
            "override_dns = false",
            "override_dns = true",
        ),
        ("secrets.source", "env:X", "env:Y"),
        ("secrets.rotate_every", "90d", "30d"),
        ("verify.headers.source", "env:SKIP", "env:OTHER"),
        (
            "secrets.retry_horizon",
            "horizon = \"10m\"",
            "horizon = \"20m\"",
        ),
        ("secrets.senders", "senders = [\"sst\"]", "senders = []"),
        ("sst.app", "\"glow\"", "\"other\""),
        ("sst.stage", "\"dev\"", "\"prod\""),
        (
            "sst.migration.mode",
            "\"percent\", percent = 10",
            "\"edge\"",
        ),
        ("sst.migration.percent", "percent = 10", "percent = 20"),
        ("traffic.users", "users = 1", "users = 2"),
        ("traffic.tokens", "tokens = 1", "tokens = 2"),
        (
            "traffic.updates_per_minute",
            "updates_per_minute = 1",
            "updates_per_minute = 2",
        ),
        (
            "traffic.connects_per_day",
            "connects_per_day = 1",
            "connects_per_day = 2",
        ),
        (
            "traffic.tokens_per_user",
            "tokens_per_user = 1",
            "tokens_per_user = 2",
        ),
        ("traffic.batch", "batch = 1", "batch = 2"),
        (
            "traffic.active_hours_per_day",
            "active_hours_per_day = 1",
            "active_hours_per_day = 2",
        ),
        ("rollout.steps", "steps = [5,", "steps = [10,"),
        ("rollout.min_samples", "min_samples = 1", "min_samples = 2"),
        ("rollout.max_refusal_delta", "delta = 0.5", "delta = 0.1"),
        ("rollout.max_p99_ratio", "ratio = 2.5", "ratio = 3"),
        ("rollout.on_inconclusive", "\"hold\"", "\"continue\""),
    ];
    for (key, from, to) in unplanned {
        assert_eq!(keys.change(key, from, to), "e: nothing to change", "{key}");
    }
    let mut known = BTreeSet::new();
    find("", "", &mut known);
    assert_eq!(
        keys.0, known,
        "on the left the keys with an example, on the right those of a manifest"
    );
}

fn of_scripts(keys: &mut Keys) {
    assert_snapshot!(keys.change("worker.name", "name = \"w\"", "name = \"x\""), @r"
nothing was changed, because of what is live:
  - the custom domain `a.glow.trade` belongs to the script `w-e`
    help: remove it from that script first, or use another host in the manifest
  - the route `us.glow.trade/*` belongs to the script `w-e`
    help: remove that route in the dashboard, or use another host in the manifest
");
    assert_snapshot!(keys.change("worker.owner", "\"ours\"", "\"theirs\""), @r"
nothing was changed, because of what is live:
  - `w-e-room` belongs to `ours`, and this project is `theirs`
    help: use another `worker.name`; `edge-broadcast deploy e --adopt w-e-room` takes it over; where both are one project, give it one `worker.owner`
  - `w-e` belongs to `ours`, and this project is `theirs`
    help: use another `worker.name`; `edge-broadcast deploy e --adopt w-e` takes it over; where both are one project, give it one `worker.owner`
");
    assert_snapshot!(keys.change("worker.compatibility_date", "2026-10-01", "2026-11-01"), @r"
e: 4 steps

1. upload a version of `w-e-room`
   lane: code
   ~ compatibility date: 2026-10-01 -> 2026-11-01

2. give all traffic of `w-e-room` to the new version

3. upload a version of `w-e`
   lane: code
   ~ compatibility date: 2026-10-01 -> 2026-11-01

4. give all traffic of `w-e` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 2 to change, 0 to remove
");
    assert_snapshot!(keys.change("worker.debug", "debug = false", "debug = true"), @r#"
e: 4 steps

1. upload a version of `w-e-room`
   lane: code
   ~ binding ENVIRONMENT: {"text":"e","type":"plain_text"} -> {"text":"development","type":"plain_text"}

2. give all traffic of `w-e-room` to the new version

3. upload a version of `w-e`
   lane: code
   ~ binding ENVIRONMENT: {"text":"e","type":"plain_text"} -> {"text":"development","type":"plain_text"}

4. give all traffic of `w-e` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 2 to change, 0 to remove
"#);
    assert_snapshot!(keys.change("worker.jurisdiction", "jurisdiction = \"us\"\n", ""), @r#"
e: 4 steps

1. upload a version of `w-e-room`
   lane: code
   - binding JURISDICTION: {"text":"us","type":"plain_text"}

2. give all traffic of `w-e-room` to the new version

3. upload a version of `w-e`
   lane: code
   - binding JURISDICTION: {"text":"us","type":"plain_text"}

4. give all traffic of `w-e` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 2 to change, 0 to remove
"#);
    assert_snapshot!(keys.change("worker.observability", "observability = true", "observability = false"), @r"
e: 2 steps

1. set the tags of `w-e-room`
   ~ observability: true -> false

2. set the tags of `w-e`
   ~ observability: true -> false

socket impact: none

0 to add, 2 to change, 0 to remove
");
    assert_snapshot!(keys.change("worker.cpu_ms", "cpu_ms = 50\n", ""), @r"
e: 4 steps

1. upload a version of `w-e-room`
   lane: code
   - cpu limit (ms): 50

2. give all traffic of `w-e-room` to the new version

3. upload a version of `w-e`
   lane: code
   - cpu limit (ms): 50

4. give all traffic of `w-e` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 2 to change, 0 to remove
");
    assert_snapshot!(keys.change("cloudflare.workers_dev", "workers_dev = false", "workers_dev = true"), @r"
e: 1 step

1. serve `w-e` on workers.dev
   ~ workers.dev: false -> true

socket impact: none

0 to add, 1 to change, 0 to remove
");
    keys.0.insert("analytics.dataset".to_owned());
    // A rollout goes by what is counted
    let (_, rollout) = MANIFEST.split_once("[rollout]").unwrap();
    let uncounted = World::deployed(MANIFEST)
        .manifest(&format!("[rollout]{rollout}"), "")
        .manifest("[analytics]\ndataset = \"updates\"", "");
    assert_snapshot!(uncounted.plan(), @r#"
e: 4 steps

1. upload a version of `w-e-room`
   lane: code
   - binding ANALYTICS: {"dataset":"updates","type":"analytics_engine"}

2. give all traffic of `w-e-room` to the new version

3. upload a version of `w-e`
   lane: code
   - binding ANALYTICS: {"dataset":"updates","type":"analytics_engine"}

4. give all traffic of `w-e` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 2 to change, 0 to remove
"#);
}

fn of_hosts(keys: &mut Keys) {
    assert_snapshot!(keys.change("cloudflare.zone", "glow.trade", "glow.example"), @r#"
e: 6 steps

1. attach the custom domain `a.glow.example` to `w-e`

2. route `us.glow.example/*` to `w-e`

3. upload a version of `w-e`
   lane: code
   ~ binding SETTINGS.allowed_origins: ["https://app.glow.trade"] -> ["https://app.glow.example"]
   ~ binding SETTINGS.regions: [{"continents":["NA"],"host":"us.glow.trade","location_hint":"enam","name":"us"}] -> [{"continents":["NA"],"host":"us.glow.example","location_hint":"enam","name":"us"}]

4. give all traffic of `w-e` to the new version

5. remove the route `us.glow.trade/*` of `w-e`

6. detach the custom domain `a.glow.trade` from `w-e`

socket impact: none

2 to add, 1 to change, 2 to remove
"#);
    assert_snapshot!(keys.change("routes.host", "\"a.", "\"b."), @r"
e: 2 steps

1. attach the custom domain `b.glow.trade` to `w-e`

2. detach the custom domain `a.glow.trade` from `w-e`

socket impact: none

1 to add, 0 to change, 1 to remove
");
    assert_snapshot!(keys.change("routes.custom_domain", "custom_domain = true\noverride_dns = false\n", ""), @r"
e: 2 steps

1. route `a.glow.trade/*` to `w-e`

2. detach the custom domain `a.glow.trade` from `w-e`

socket impact: none

1 to add, 0 to change, 1 to remove
");
    assert_snapshot!(keys.change("regions.name", "name = \"us\"", "name = \"america\""), @r#"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ binding SETTINGS.regions: [{"continents":["NA"],"host":"us.glow.trade","location_hint":"enam","name":"us"}] -> [{"continents":["NA"],"host":"us.glow.trade","location_hint":"enam","name":"america"}]

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
"#);
    assert_snapshot!(keys.change("regions.host", "us.glow.trade", "america.glow.trade"), @r#"
e: 4 steps

1. route `america.glow.trade/*` to `w-e`

2. upload a version of `w-e`
   lane: code
   ~ binding SETTINGS.regions: [{"continents":["NA"],"host":"us.glow.trade","location_hint":"enam","name":"us"}] -> [{"continents":["NA"],"host":"america.glow.trade","location_hint":"enam","name":"us"}]

3. give all traffic of `w-e` to the new version

4. remove the route `us.glow.trade/*` of `w-e`

socket impact: none

1 to add, 1 to change, 1 to remove
"#);
    assert_snapshot!(keys.change("regions.location_hint", "enam", "wnam"), @r#"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ binding SETTINGS.regions: [{"continents":["NA"],"host":"us.glow.trade","location_hint":"enam","name":"us"}] -> [{"continents":["NA"],"host":"us.glow.trade","location_hint":"wnam","name":"us"}]

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
"#);
    assert_snapshot!(keys.change("regions.continents", "[\"NA\"]", "[\"NA\", \"SA\"]"), @r#"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ binding SETTINGS.regions: [{"continents":["NA"],"host":"us.glow.trade","location_hint":"enam","name":"us"}] -> [{"continents":["NA","SA"],"host":"us.glow.trade","location_hint":"enam","name":"us"}]

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
"#);
}

fn of_the_room(keys: &mut Keys) {
    assert_snapshot!(keys.change("room.max_connections", "max_connections = 100", "max_connections = 200"), @r"
e: 2 steps

1. upload a version of `w-e-room`
   lane: code
   ~ binding SETTINGS.max_connections: 100 -> 200

2. give all traffic of `w-e-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
");
    assert_snapshot!(keys.change("room.max_shards", "max_shards = 2", "max_shards = 4"), @r"
e: 2 steps

1. upload a version of `w-e-room`
   lane: code
   ~ binding SETTINGS.max_shards: 2 -> 4

2. give all traffic of `w-e-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
");
    assert_snapshot!(keys.change("room.batch_window", "\"10ms\"", "\"20ms\""), @r"
e: 2 steps

1. upload a version of `w-e-room`
   lane: code
   ~ binding SETTINGS.batch_window_ms: 10 -> 20

2. give all traffic of `w-e-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
");
    assert_snapshot!(keys.change("room.conflate", "\"latest\"", "\"all\""), @r"
e: 2 steps

1. upload a version of `w-e-room`
   lane: code
   ~ binding SETTINGS.conflate: latest -> all

2. give all traffic of `w-e-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
");
    assert_snapshot!(keys.change("room.conflate_key", "[\"type\"]", "[\"type\", \"pool\"]"), @r#"
e: 2 steps

1. upload a version of `w-e-room`
   lane: code
   ~ binding SETTINGS.conflate_key: ["type"] -> ["type","pool"]

2. give all traffic of `w-e-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
"#);
    assert_snapshot!(keys.change("room.history", "history = 64", "history = 32"), @r"
e: 2 steps

1. upload a version of `w-e-room`
   lane: code
   ~ binding SETTINGS.history: 64 -> 32

2. give all traffic of `w-e-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
");
    assert_snapshot!(keys.change("room.idle_timeout", "\"90s\"", "\"60s\""), @r"
e: 2 steps

1. upload a version of `w-e-room`
   lane: code
   ~ binding SETTINGS.idle_timeout_ms: 90000 -> 60000

2. give all traffic of `w-e-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
");
    assert_snapshot!(keys.change("room.publish_rate", "publish_rate = 10", "publish_rate = 20"), @r"
e: 2 steps

1. upload a version of `w-e-room`
   lane: code
   ~ binding SETTINGS.publish_rate: 10 -> 20

2. give all traffic of `w-e-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
");
}

fn of_access(keys: &mut Keys) {
    assert_snapshot!(keys.change("access.allowed_origins", "allowed_origins = [\"https://app.glow.trade\"]\n", ""), @r#"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ binding SETTINGS.allowed_origins: ["https://app.glow.trade"] -> ["*"]

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
"#);
    assert_snapshot!(keys.change("access.require_origin", "require_origin = false", "require_origin = true"), @r"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ binding SETTINGS.require_origin: false -> true

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
");
    assert_snapshot!(keys.change("access.require_signature", "require_signature = false", "require_signature = true"), @r"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ binding SETTINGS.require_signature: false -> true

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
");
    assert_snapshot!(keys.change("access.compression", "compression = false", "compression = true"), @r"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ binding SETTINGS.compression: false -> true

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
");
    assert_snapshot!(keys.change("access.connections_per_ip", "connections_per_ip = 20", "connections_per_ip = 0"), @r"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ binding SETTINGS.connections_per_ip: 20 -> 0

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
");
    assert_snapshot!(keys.change("access.connect_rate.limit", "limit = 100,", "limit = 50,"), @r#"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ binding CONNECT_RATE: {"namespace_id":"914883168","simple":{"limit":100,"period":60},"type":"ratelimit"} -> {"namespace_id":"914883168","simple":{"limit":50,"period":60},"type":"ratelimit"}

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
"#);
    assert_snapshot!(keys.change("access.connect_rate.period", "100, period = 60", "100, period = 10"), @r#"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ binding CONNECT_RATE: {"namespace_id":"914883168","simple":{"limit":100,"period":60},"type":"ratelimit"} -> {"namespace_id":"914883168","simple":{"limit":100,"period":10},"type":"ratelimit"}
   ~ binding SETTINGS.connect_period: 60 -> 10

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
"#);
    assert_snapshot!(keys.change("access.broadcast_rate.limit", "limit = 1000,", "limit = 500,"), @r#"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ binding BROADCAST_RATE: {"namespace_id":"1527374624","simple":{"limit":1000,"period":60},"type":"ratelimit"} -> {"namespace_id":"1527374624","simple":{"limit":500,"period":60},"type":"ratelimit"}

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
"#);
    assert_snapshot!(keys.change("access.broadcast_rate.period", "1000, period = 60", "1000, period = 10"), @r#"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ binding BROADCAST_RATE: {"namespace_id":"1527374624","simple":{"limit":1000,"period":60},"type":"ratelimit"} -> {"namespace_id":"1527374624","simple":{"limit":1000,"period":10},"type":"ratelimit"}
   ~ binding SETTINGS.broadcast_period: 60 -> 10

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
"#);
    assert_snapshot!(keys.change("access.max_message_bytes", "16384", "8192"), @r"
e: 2 steps

1. upload a version of `w-e`
   lane: code
   ~ binding SETTINGS.max_message_bytes: 16384 -> 8192

2. give all traffic of `w-e` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
");
}

/// Every key below `table`, whose header is `header`, as the manifest's own types know them: they name them where one is unknown.
fn find(table: &str, header: &str, found: &mut BTreeSet<String>) {
    for key in keys_of(header).unwrap() {
        let path = format!("{table}{key}");
        // Below a name that is free, anything would be one
        if header.ends_with(".WEBHOOK_SECRET]\n") {
            found.insert(path);
            continue;
        }
        let headers = [
            format!("[{path}]\n"),
            format!("[[{path}]]\n"),
            format!("[{path}.WEBHOOK_SECRET]\n"),
        ];
        match headers.iter().find(|header| keys_of(header).is_some()) {
            Some(header) => find(&format!("{path}."), header, found),
            None => drop(found.insert(path)),
        }
    }
}

/// The keys of the table with `header`; none, when there is no such table.
fn keys_of(header: &str) -> Option<Vec<String>> {
    let problem = manifest::parse("e.toml", &format!("{header}zzz = 1\n")).unwrap_err();
    let (unknown, expected) = problem.message.split_once(", expected ")?;
    if !unknown.starts_with("unknown field") {
        return None;
    }
    let names = expected.split('`').skip(1).step_by(2);
    Some(names.map(str::to_owned).collect())
}
