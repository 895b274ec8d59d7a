//! `docs/json.md`: every shape against what the commands really write.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::markdown::Document;
use super::shape::{assert_describes, literals, shape};
use super::source::{all, code};
use crate::support::going::Going;
use crate::support::{Project, Run, Sandbox, api, built, changed, manifest};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1qc29uLWRvY3VtZW50LTAwMQ==";
const ADMIN: &str = "admin-of-the-json-document-2b9e41";
const GATEWAY: &str = "glow-broadcast-staging";

/// The answers so far, by the anchor of their section.
#[derive(Default)]
struct Seen(BTreeMap<&'static str, Vec<Value>>);

struct World {
    project: Project,
    sandbox: Sandbox,
}

impl World {
    fn run(&self, args: &[&str]) -> Run {
        Run::new(args.iter().copied())
            .inside(&self.project)
            .against(&self.sandbox)
            .env("WEBHOOK_SECRET", SECRET)
            .env("ADMIN_SECRET", ADMIN)
    }

    /// The answer of a command, whether it succeeds or not.
    fn json(&self, args: &[&str]) -> Value {
        let printed = self.run(args).arg("--json").printed();
        serde_json::from_str(&printed.stdout)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {printed:?}"))
    }

    /// Writes the manifest with `changes`.
    fn manifest(&self, changes: &[(&str, &str)]) {
        let text = manifest("staging").replace(
            "senders = [\"sst\"]",
            "senders = [{ kind = \"file\", path = \"key.env\" }]\nretry_horizon = \"0\"",
        );
        // All its hosts may change
        let text = text.replace("[worker]\n", "[worker]\nowner = \"glow\"\n");
        let text = changed(text, changes);
        self.project.write("environments/staging.toml", &text);
    }
}

impl Seen {
    fn add(&mut self, anchor: &'static str, answer: Value) {
        self.0.entry(anchor).or_default().push(answer);
    }
}

const WITH_ADMIN: (&str, &str) = (
    "\n[analytics]",
    "\n[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"\n\n[analytics]",
);
const MOVED: (&str, &str) = (
    "host = \"broadcast-staging.glow.trade\"",
    "host = \"moved.glow.trade\"\ncustom_domain = true",
);

/// Manifests, files and bundles; nothing of them needs a sandbox.
fn of_files(world: &World, seen: &mut Seen) {
    world.manifest(&[("history = 64", "histroy = 64")]);
    seen.add("check", world.json(&["check"]));
    world.manifest(&[]);
    seen.add("check", world.json(&["check"]));
    let path = world.project.path();
    std::fs::create_dir_all(path.join("generated/gone")).unwrap();
    world.project.write("generated/gone/routes.toml", "");
    seen.add("generate", world.json(&["generate"]));
    world
        .project
        .write("generated/staging/routes.toml", "stale\n");
    seen.add("generate---check", world.json(&["generate", "--check"]));
    std::fs::remove_dir_all(path.join("generated/gone")).unwrap();
    seen.add("build", world.json(&["build"]));
    seen.add("cost", world.json(&["cost", "staging"]));
    let new = ["environment", "new", "qa", "--from", "staging"];
    seen.add("environment-new", world.json(&new));
    std::fs::remove_file(path.join("environments/qa.toml")).unwrap();
    seen.add("completions", world.json(&["completions", "bash"]));
    let pages = path.join("man1");
    seen.add("man", world.json(&["man", pages.to_str().unwrap()]));
}

/// An environment from nothing to one in which all that can be seen is there.
async fn of_deployments(world: &World, seen: &mut Seen) {
    let sandbox = &world.sandbox;
    for (anchor, args) in [
        ("plan", &["plan", "staging"][..]),
        ("status", &["status", "staging"]),
        ("doctor", &["doctor", "staging"]),
        ("secrets-list", &["secrets", "list", "staging"]),
        ("deploy", &["deploy", "staging"]),
        ("deploy", &["deploy", "staging"]),
        ("verify", &["verify", "staging"]),
    ] {
        seen.add(anchor, world.json(args));
    }
    let bench = "bench staging --sockets 2 --duration 200ms --warm-up 0s";
    let bench: Vec<&str> = bench.split(' ').collect();
    let result = world.json(&bench);
    world.project.write("bench.json", &result.to_string());
    seen.add("bench", result);
    for more in [
        ["--against", "bench.json"],
        ["--origin", "https://a.example"],
    ] {
        seen.add("bench", world.json(&[&bench[..], &more].concat()));
    }
    of_metrics(world, seen).await;
    // A second host, which is served, and a third, which is not
    let host = |host: &str| format!("[[routes]]\nhost = \"{host}\"\n\n[room]");
    world.manifest(&[("[room]", &host("broadcast-eu.glow.trade"))]);
    seen.add("deploy", world.json(&["deploy", "staging"]));
    seen.add("verify", world.json(&["verify", "staging"]));
    world.manifest(&[("[room]", &host("nowhere.glow.trade"))]);
    seen.add("verify", world.json(&["verify", "staging"]));
    seen.add("status", world.json(&["status", "staging"]));
    // A finding with what to do about it
    world.manifest(&[]);
    api::foreign_script(sandbox, "somebody-elses").await;
    let pattern = "broadcast-staging.glow.trade/snapshot/*";
    api::route(sandbox, pattern, "somebody-elses").await;
    world.manifest(&[("[room]", &host("broadcast-eu.glow.trade"))]);
    for anchor in ["plan", "status", "doctor"] {
        seen.add(anchor, world.json(&[anchor, "staging"]));
    }
    let theirs = json!({ "logpush": true, "tail_consumers": [{ "service": "their-tail" }] });
    let settings = api::of_account(
        sandbox,
        &format!("workers/scripts/{GATEWAY}/script-settings"),
    );
    let set = api::call(sandbox, "PATCH", &settings, Some(theirs)).await;
    assert_eq!(set["success"], true, "{set}");
    // The first route becomes a domain, and the room changes
    world.manifest(&[WITH_ADMIN, MOVED, ("history = 64", "history = 65")]);
    seen.add("plan", world.json(&["plan", "staging"]));
    world.run(&["deploy", "staging"]).succeeds();
    world.manifest(&[WITH_ADMIN, MOVED, ("history = 64", "history = 66")]);
    let plan = "plan staging --room SOL --rollout 25,100 --out plan.json";
    let plan: Vec<&str> = plan.split(' ').collect();
    seen.add("plan", world.json(&plan));
    add_kept(world, seen);
    seen.add("status", world.json(&["status", "staging"]));
    // And back to the route
    world.manifest(&[WITH_ADMIN]);
    seen.add("plan", world.json(&["plan", "staging"]));
    seen.add("deploy", world.json(&["deploy", "staging"]));
    world.manifest(&[("\"glow-broadcast\"", "\"other\"")]);
    seen.add("conflicts", world.json(&["plan", "staging"]));
    seen.add("status", world.json(&["status", "staging"]));
    // A script of that name that has no object yet
    api::foreign_script(sandbox, "other-staging-room").await;
    api::record(sandbox, "other.glow.trade").await;
    world.manifest(&[
        ("\"glow-broadcast\"", "\"other\""),
        ("broadcast-staging.glow", "other.glow"),
    ]);
    let plan = "plan staging --adopt other-staging-room --out plan.json";
    let plan: Vec<&str> = plan.split(' ').collect();
    seen.add("plan", world.json(&plan));
    add_kept(world, seen);
    let bare = Project::new();
    let worker = bare.path().join("worker");
    std::fs::remove_file(&worker).unwrap();
    std::fs::create_dir(&worker).unwrap();
    bare.write("environments/staging.toml", &manifest("staging"));
    let unbuilt = world.run(&["status", "staging", "--json"]).inside(&bare);
    seen.add("status", unbuilt.succeeds().json());
    for (anchor, args) in [
        ("status", &["status", "staging", "--json"][..]),
        ("secrets-list", &["secrets", "list", "--json"]),
    ] {
        let refused = world.run(args).env("CLOUDFLARE_API_TOKEN", "wrong");
        seen.add(anchor, refused.printed().json());
    }
}

fn add_kept(world: &World, seen: &mut Seen) {
    let kept = std::fs::read_to_string(world.project.path().join("plan.json")).unwrap();
    seen.add(
        "the-file-of-plan---out",
        serde_json::from_str(&kept).unwrap(),
    );
}

/// What goes wrong: a call, a check, and the way back.
async fn of_failures(world: &World, seen: &mut Seen) {
    let sandbox = &world.sandbox;
    let refuse = |nth: u32| json!({ "method": "POST", "path": "/deployments", "nth": nth, "times": 9, "kind": "status", "status": 400 });
    world.manifest(&[
        WITH_ADMIN,
        ("connections_per_ip = 500", "connections_per_ip = 21"),
    ]);
    api::fault(sandbox, refuse(1)).await;
    seen.add(
        "deploy",
        world.json(&["deploy", "staging", "--rollout", "50,100", "--pause", "0s"]),
    );
    api::call(sandbox, "DELETE", "/sandbox/faults", None).await;
    of_evidence(world, seen).await;
    // A verification's own message is larger
    world.manifest(&[
        WITH_ADMIN,
        ("max_message_bytes = 16384", "max_message_bytes = 64"),
    ]);
    seen.add("deploy", world.json(&["deploy", "staging"]));
    api::fault(sandbox, refuse(2)).await;
    seen.add("deploy", world.json(&["deploy", "staging"]));
    api::call(sandbox, "DELETE", "/sandbox/faults", None).await;
    seen.add("rollback", world.json(&["rollback", "staging"]));
    // Whether it was carried out is never known
    let open = json!({ "method": "POST", "path": "/deployments", "nth": 1, "times": 9, "kind": "status", "status": 500 });
    api::fault(sandbox, open).await;
    seen.add("rollback", world.json(&["rollback", "staging"]));
    api::call(sandbox, "DELETE", "/sandbox/faults", None).await;
    // Secrets change in place from here on
    world.manifest(&[
        WITH_ADMIN,
        ("connections_per_ip = 500", "connections_per_ip = 22"),
    ]);
    world.run(&["deploy", "staging"]).succeeds();
}

/// A rollout that too little is known of, and the same when more is.
async fn of_evidence(world: &World, seen: &mut Seen) {
    let rollout = "[rollout]\nmin_samples = 1\nsteps = [50, 100]\n\n[analytics]";
    world.manifest(&[
        WITH_ADMIN,
        ("connections_per_ip = 500", "connections_per_ip = 23"),
        ("[analytics]", rollout),
    ]);
    let deploy = || world.json(&["deploy", "staging", "--rollout", "--pause", "0s"]);
    let held = deploy();
    assert_eq!(
        held["evidence"][0]["verdict"], "too_few_samples",
        "{held:#}"
    );
    seen.add("deploy", held);
    let site = world.sandbox.site("broadcast-staging.glow.trade");
    let bearer = format!("Bearer {SECRET}");
    let headers = [("authorization", bearer.as_str())];
    for _ in 0..40 {
        let published = site.post("/broadcast/SOL", &headers, "{}".to_owned()).await;
        assert_eq!(published.unwrap().0, 200);
    }
    let passed = deploy();
    assert_eq!(passed["failure"], Value::Null, "{passed:#}");
    seen.add("deploy", passed);
}

/// What was counted of a room, and of an environment that writes to the same data set.
async fn of_metrics(world: &World, seen: &mut Seen) {
    let site = world.sandbox.site("broadcast-staging.glow.trade");
    let bearer = format!("Bearer {SECRET}");
    let headers = [("authorization", bearer.as_str())];
    let published = site.post("/broadcast/SOL", &headers, "{}".to_owned()).await;
    assert_eq!(published.unwrap().0, 200);
    let twin = manifest("staging").replace("broadcast-staging", "broadcast-twin");
    world.project.write("environments/twin.toml", &twin);
    let stats = || world.json(&["stats", "staging", "--by", "token"]);
    let mut answer = stats();
    while answer["tokens"].as_array().is_some_and(Vec::is_empty) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        answer = stats();
    }
    seen.add("stats", answer);
    std::fs::remove_file(world.project.path().join("environments/twin.toml")).unwrap();
}

/// What goes on until it is interrupted, and the objects.
fn of_operation(world: &World, seen: &mut Seen) {
    let tail = Going::start(world.run(&["tail", "staging", "--json"]));
    for _ in 0..2 {
        tail.says("following `");
    }
    let get = "rooms get staging SOL --watch --interval 1s --json";
    let get: Vec<&str> = get.split(' ').collect();
    let watched = Going::start(world.run(&get));
    // A request to the gateway, and the call of the room's object
    for (anchor, going) in [("tail", &tail), ("rooms-get", &watched)] {
        for _ in 0..2 {
            seen.add(anchor, going.event());
        }
    }
    seen.add("rooms-list", world.json(&["rooms", "list", "staging"]));
}

/// Hosts that move to a new name of the worker, scripts that no manifest names, and the end of all.
async fn of_destructions(world: &World, seen: &mut Seen) {
    let sandbox = &world.sandbox;
    let both = (
        "host = \"broadcast-staging.glow.trade\"",
        "host = \"broadcast-staging.glow.trade\"\n[[routes]]\nhost = \"moved.glow.trade\"\ncustom_domain = true",
    );
    world.manifest(&[WITH_ADMIN, both]);
    seen.add("deploy", world.json(&["deploy", "staging"]));
    // A verification's own message is larger
    let small = ("max_message_bytes = 16384", "max_message_bytes = 64");
    let renamed = ("\"glow-broadcast\"", "\"renamed\"");
    world.manifest(&[WITH_ADMIN, both, renamed, small]);
    let take = "--take-route-from glow-broadcast-staging";
    let plan = format!("plan staging --out moves.json {take}");
    let plan: Vec<&str> = plan.split(' ').collect();
    seen.add("plan", world.json(&plan));
    let kept = std::fs::read_to_string(world.project.path().join("moves.json")).unwrap();
    seen.add(
        "the-file-of-plan---out",
        serde_json::from_str(&kept).unwrap(),
    );
    let refused = json!({ "method": "PUT", "path": "/workers/domains", "nth": 2, "kind": "status", "status": 400 });
    api::fault(sandbox, refused).await;
    let deploy = format!("deploy staging {take}");
    let deploy: Vec<&str> = deploy.split(' ').collect();
    seen.add("deploy", world.json(&deploy));
    api::call(sandbox, "DELETE", "/sandbox/faults", None).await;
    world.manifest(&[both]);
    seen.add("status", world.json(&["status", "staging"]));
    seen.add(
        "deploy",
        world.json(&["deploy", "staging", "--take-route-from", "renamed-staging"]),
    );
    seen.add("destroy", world.json(&["destroy", "staging"]));
    let refused =
        json!({ "method": "DELETE", "path": "/scripts/", "kind": "status", "status": 400 });
    api::fault(sandbox, refused).await;
    let destroy = ["destroy", "staging", "--confirm", "staging"];
    for _ in 0..3 {
        seen.add("destroy", world.json(&destroy));
    }
}

async fn of_secrets(world: &World, seen: &mut Seen) {
    let sandbox = &world.sandbox;
    let old = json!({ "name": "OLD_KEY", "text": "a value", "type": "secret_text" });
    let secrets = api::of_account(sandbox, &format!("workers/scripts/{GATEWAY}/secrets"));
    let set = api::call(sandbox, "PUT", &secrets, Some(old)).await;
    assert_eq!(set["success"], true, "{set}");
    for (anchor, args) in [
        ("doctor", &["doctor", "staging"][..]),
        (
            "secrets-remove",
            &["secrets", "remove", "staging", "OLD_KEY"],
        ),
        (
            "secrets-set",
            &["secrets", "set", "staging", "ADMIN_SECRET"],
        ),
        ("secrets-list", &["secrets", "list", "staging"]),
        ("rotation", &["secrets", "rotate", "staging", "--status"]),
        (
            "secrets-rotate",
            &["secrets", "rotate", "staging", "--finish"],
        ),
        ("rotation", &["secrets", "rotate", "staging", "--status"]),
        ("rollback", &["rollback", "staging"]),
    ] {
        seen.add(anchor, world.json(args));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_of_every_answer_is_described_with_its_type_and_no_other() {
    built();
    let project = Project::new();
    let sandbox = Sandbox::start();
    let world = World { project, sandbox };
    let mut seen = Seen::default();
    of_files(&world, &mut seen);
    of_deployments(&world, &mut seen).await;
    of_failures(&world, &mut seen).await;
    of_secrets(&world, &mut seen).await;
    of_operation(&world, &mut seen);
    of_destructions(&world, &mut seen).await;
    seen.add("sandbox", world.sandbox.ready.clone());
    let document = Document::read("docs/json.md");
    let described = seen.0.iter();
    assert_describes(
        &document,
        described.map(|(anchor, seen)| (*anchor, seen.as_slice())),
    );
    // Every section is a command's, or is linked from one
    let mut reached: BTreeSet<String> = seen.0.keys().map(|anchor| (*anchor).to_owned()).collect();
    reached.extend(
        document
            .links()
            .into_iter()
            .filter_map(|link| link.strip_prefix('#').map(str::to_owned)),
    );
    for anchor in document.anchors().into_iter().skip(1) {
        assert!(
            reached.contains(&anchor),
            "nothing writes what `{anchor}` describes"
        );
    }
}

#[test]
fn every_value_that_is_named_exists_in_the_code() {
    let code = code(&["src", "worker"]);
    let names = all(&["src", "worker"]);
    let document = Document::read("docs/json.md");
    for anchor in document.anchors().iter().skip(1) {
        for value in literals(&shape(&document, anchor)) {
            // `handing_over` is written as it is, or is the variant `HandingOver`
            let variant: String = value
                .split('_')
                .map(|word| word[..1].to_uppercase() + &word[1..])
                .collect();
            let is_variant = [",", " {", "(", "\n"]
                .iter()
                .any(|end| names.contains(&format!("    {variant}{end}")));
            assert!(
                code.contains(&format!("\"{value}\"")) || is_variant,
                "`{anchor}` names `{value}`, which nothing writes"
            );
        }
    }
}
