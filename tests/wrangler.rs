//! The real wrangler with the generated files: what it deploys and what this tool deploys are the same, whoever comes first.

use std::process::Command;

use serde_json::{Map, Value, json};

use crate::npm;
use crate::support::{Project, Run, Sandbox, api, built, changed, manifest, repository};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS13cmFuZ2xlci10ZXN0cw==";

/// Which wrangler, and what it cannot do.
#[derive(Clone, Copy)]
struct Wrangler {
    command: fn() -> Command,
    strategies: Strategies,
}

/// Whether it knows `code_update_strategy`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strategies {
    Known,
    Unknown,
}

/// The last one for node 20.
const OLDER: Wrangler = Wrangler {
    command: npm::wrangler,
    strategies: Strategies::Unknown,
};
/// The one from which the recorded calls are.
const NEWER: Wrangler = Wrangler {
    command: npm::wrangler_22,
    strategies: Strategies::Known,
};

/// An unknown field, a rule without effect, an environment that lost something: wrangler only warns, and exits with 0.
#[track_caller]
fn succeeds_without_a_warning(command: Command) {
    let printed = succeeds(command);
    assert!(!printed.contains("WARNING"), "{printed}");
}

/// What it printed.
#[track_caller]
fn succeeds(mut command: Command) -> String {
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    printed.into_owned()
}

#[test]
fn every_generated_wrangler_toml_passes_a_dry_run_without_a_warning() {
    let project = project();
    let dry_run = |wrangler: Wrangler, worker: &str, environment: &str| {
        let config = format!("generated/{worker}/wrangler.toml");
        let mut command = (wrangler.command)();
        command.args(["deploy", "--dry-run", "-c", &config, "--env", environment]);
        command.env_remove("CLOUDFLARE_API_TOKEN");
        command
    };
    for worker in ["room", "gateway"] {
        // As it stands, with its build
        let mut command = dry_run(OLDER, worker, "staging");
        command.current_dir(repository());
        succeeds_without_a_warning(command);
        for environment in ["local", "staging", "production", "everything"] {
            let mut command = dry_run(NEWER, worker, environment);
            command.current_dir(project.path());
            succeeds_without_a_warning(command);
        }
    }
}

/// Every key of a manifest that reaches the API, at another value than it has by default.
fn everything() -> String {
    let changes = [
        (
            "name = \"glow-broadcast\"",
            "name = \"glow-broadcast\"\ndebug = true\nobservability = false\ncpu_ms = 50\ncode_update = { mode = \"deferred\", max_delay = \"45s\" }\njurisdiction = \"eu\"",
        ),
        (
            "zone = \"glow.trade\"",
            "zone = \"glow.trade\"\nworkers_dev = true",
        ),
        (
            "host = \"broadcast-staging.glow.trade\"",
            "host = \"everything.glow.trade\"\ncustom_domain = true\n\n[[routes]]\nhost = \"everything-too.glow.trade\"\n\n[[regions]]\nname = \"eu\"\nhost = \"everything-eu.glow.trade\"\nlocation_hint = \"weur\"\ncontinents = [\"EU\"]",
        ),
        (
            "require_signature = false",
            "require_signature = true\nrequire_origin = true\ncompression = true",
        ),
        (
            "[secrets.WEBHOOK_SECRET]",
            "[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"\n\n[secrets.WEBHOOK_SECRET]",
        ),
    ];
    changed(manifest("staging"), &changes)
}

/// The four environments with their generated files, in which wrangler does not build: the bundles are there.
fn project() -> Project {
    built();
    let project = Project::with_all();
    project.write("environments/everything.toml", &everything());
    Run::new(["generate"]).inside(&project).succeeds();
    for worker in ["room", "gateway"] {
        let path = format!("generated/{worker}/wrangler.toml");
        let text = std::fs::read_to_string(project.path().join(&path)).unwrap();
        let workers = repository().join("worker");
        let text = text
            .replace("cargo run --quiet -- build", "true")
            .replace("../../worker", workers.to_str().unwrap());
        project.write(&path, &text);
    }
    let secrets = json!({ "WEBHOOK_SECRET": SECRET });
    project.write("secrets.json", &secrets.to_string());
    let secrets = json!({ "WEBHOOK_SECRET": SECRET, "ADMIN_SECRET": SECRET });
    project.write("secrets-everything.json", &secrets.to_string());
    project
}

/// Whether the script is there already, so that its secrets are too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deployment {
    First,
    Next,
}

fn by_wrangler(
    wrangler: Wrangler,
    project: &Project,
    sandbox: &Sandbox,
    environment: &str,
    deployment: Deployment,
) {
    for worker in ["room", "gateway"] {
        let config = format!("generated/{worker}/wrangler.toml");
        let mut command = (wrangler.command)();
        command
            .args(["deploy", "-c", &config, "--env", environment])
            .current_dir(project.path())
            .env("CLOUDFLARE_API_BASE_URL", &sandbox.api)
            .env("CLOUDFLARE_API_TOKEN", &sandbox.token)
            .env("CLOUDFLARE_ACCOUNT_ID", &sandbox.account_id);
        if worker == "gateway" && deployment == Deployment::First {
            let secrets = match environment {
                "everything" | "local" => "secrets-everything.json",
                _ => "secrets.json",
            };
            command.args(["--secrets-file", secrets]);
        }
        succeeds(command);
    }
}

fn ours(project: &Project, sandbox: &Sandbox, args: &[&str]) -> String {
    Run::new(args.iter().copied())
        .inside(project)
        .against(sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .env("ADMIN_SECRET", SECRET)
        .succeeds()
        .stdout
}

/// Everything that the API tells about the environment's two scripts and about the account, as it tells it. Only what
/// differs by chance, and what says who deployed and when, is left out.
async fn raw(sandbox: &Sandbox, environment: &str, strategies: Strategies) -> Value {
    let mut all = Map::new();
    let gateway = format!("glow-broadcast-{environment}");
    for script in [format!("{gateway}-room"), gateway] {
        let of_script = |rest: &str| format!("workers/scripts/{script}/{rest}");
        for rest in ["settings", "script-settings", "subdomain", "secrets"] {
            all.insert(
                format!("{script} {rest}"),
                api::read(sandbox, &of_script(rest)).await,
            );
        }
        let deployment = &api::deployments(sandbox, &script).await[0];
        let shares = api::shares_of(deployment);
        all.insert(
            format!("{script} shares"),
            shares.iter().map(|(_, share)| json!(share)).collect(),
        );
        if strategies == Strategies::Known {
            let strategy = deployment["code_update_strategy"].clone();
            all.insert(format!("{script} code_update_strategy"), strategy);
        }
        let version = api::read(sandbox, &of_script(&format!("versions/{}", shares[0].0))).await;
        all.insert(format!("{script} version"), version["resources"].clone());
    }
    for rest in ["workers/domains", "workers/durable_objects/namespaces"] {
        all.insert(rest.to_owned(), api::read(sandbox, rest).await);
    }
    let zones = format!("/zones?account.id={}", sandbox.account_id);
    let zones = api::call(sandbox, "GET", &zones, None).await["result"].clone();
    for zone in zones.as_array().unwrap() {
        let path = format!("/zones/{}/workers/routes", zone["id"].as_str().unwrap());
        let routes = api::call(sandbox, "GET", &path, None).await["result"].clone();
        all.insert(format!("routes of {}", zone["name"]), routes);
    }
    let mut all = all.into();
    normalise(&mut all);
    all
}

fn normalise(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // A namespace's id is made up; that of a rate limit is ours
            if fields.get("type") == Some(&json!("durable_object_namespace")) {
                fields.remove("namespace_id");
            }
            fields.retain(|key, _| {
                !matches!(
                    key.as_str(),
                    "id" | "annotations"
                        | "last_deployed_from"
                        | "created_on"
                        | "modified_on"
                        | "cert_id"
                )
            });
            fields.values_mut().for_each(normalise);
        }
        Value::Array(items) => {
            items.iter_mut().for_each(normalise);
            items.sort_by_key(Value::to_string);
        }
        _ => {}
    }
}

/// One after the other in two sandboxes: wrangler alone; and we, then wrangler over it.
async fn the_same(wrangler: Wrangler, environments: &[&str]) {
    let project = project();
    for &environment in environments {
        let nothing = format!("{environment}: nothing to change\n");
        let theirs = Sandbox::start_in(&project);
        by_wrangler(wrangler, &project, &theirs, environment, Deployment::First);
        let by_them = raw(&theirs, environment, wrangler.strategies).await;
        let plan = ours(&project, &theirs, &["plan", environment]);
        assert_eq!(plan, nothing, "over wrangler's deployment");
        ours(&project, &theirs, &["verify", environment]);

        let own = Sandbox::start_in(&project);
        ours(&project, &own, &["deploy", environment, "--yes"]);
        let by_us = raw(&own, environment, wrangler.strategies).await;
        assert_same(&by_them, &by_us, &format!("{environment}: theirs and ours"));

        by_wrangler(wrangler, &project, &own, environment, Deployment::Next);
        let handed_back = raw(&own, environment, wrangler.strategies).await;
        assert_same(
            &by_us,
            &handed_back,
            &format!("{environment}: ours and theirs over it"),
        );
        assert_eq!(ours(&project, &own, &["plan", environment]), nothing);
        ours(&project, &own, &["verify", environment]);
    }
}

#[track_caller]
fn assert_same(left: &Value, right: &Value, what: &str) {
    let text = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let (left, right) = (text(left), text(right));
    let diff = similar::TextDiff::from_lines(&left, &right);
    assert!(left == right, "{what}:\n{}", diff.unified_diff());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrangler_4_86_and_this_tool_reach_the_same_state_whoever_comes_first() {
    the_same(OLDER, &["everything"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrangler_4_164_and_this_tool_reach_the_same_state_whoever_comes_first() {
    the_same(NEWER, &["local", "staging", "production", "everything"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_over_wranglers_deployment_takes_the_code_lane_and_nothing_is_imported() {
    let project = project();
    let sandbox = Sandbox::start_in(&project);
    by_wrangler(NEWER, &project, &sandbox, "staging", Deployment::First);
    let changed = manifest("staging").replace("history = 64", "history = 32");
    project.write("environments/staging.toml", &changed);
    let plan = ours(&project, &sandbox, &["plan", "staging"]);
    assert_eq!(
        plan,
        "staging: 2 steps

1. upload a version of `glow-broadcast-staging-room`
   lane: code
   ~ binding SETTINGS.history: 64 -> 32

2. give all traffic of `glow-broadcast-staging-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
"
    );
    ours(&project, &sandbox, &["deploy", "staging"]);
    let plan = ours(&project, &sandbox, &["plan", "staging"]);
    assert_eq!(plan, "staging: nothing to change\n");

    // What wrangler deployed is ours and gets an owner, which stays when wrangler deploys over it
    let changed = changed.replace("[worker]\n", "[worker]\nowner = \"glow\"\n");
    project.write("environments/staging.toml", &changed);
    ours(&project, &sandbox, &["deploy", "staging"]);
    for wrangler in [OLDER, NEWER] {
        by_wrangler(wrangler, &project, &sandbox, "staging", Deployment::Next);
        for script in ["glow-broadcast-staging", "glow-broadcast-staging-room"] {
            let path = format!("workers/scripts/{script}/script-settings");
            let tags = api::read(&sandbox, &path).await["tags"].clone();
            assert!(
                tags.to_string().contains("edge-broadcast:owner=glow"),
                "{tags}"
            );
            assert_eq!(tags.as_array().map(Vec::len), Some(3), "{tags}");
        }
    }
}

/// The commands of the captures in the order in which they were recorded, against a sandbox instead of the recorder.
#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_command_of_wrangler_works_against_the_sandbox() {
    let project = project();
    let sandbox = Sandbox::start_in(&project);
    by_wrangler(NEWER, &project, &sandbox, "staging", Deployment::First);
    project.write("bulk.json", r#"{"A":"1","B":"2"}"#);
    let script = "glow-broadcast-staging";
    let newest = async || {
        let path = format!("workers/scripts/{script}/versions?per_page=1");
        let list = api::read(&sandbox, &path).await;
        list["items"][0]["id"].as_str().unwrap().to_owned()
    };
    let wrangler = |args: &[&str]| {
        let mut command = (NEWER.command)();
        command
            .args(args)
            .args(["-c", "generated/gateway/wrangler.toml", "--env", "staging"])
            .current_dir(project.path())
            .env("CLOUDFLARE_API_BASE_URL", &sandbox.api)
            .env("CLOUDFLARE_API_TOKEN", &sandbox.token)
            .env("CLOUDFLARE_ACCOUNT_ID", &sandbox.account_id);
        succeeds(command)
    };
    let first = newest().await;
    wrangler(&["versions", "upload", "--message", "second"]);
    let second = newest().await;
    let (ten, ninety) = (format!("{second}@10"), format!("{first}@90"));
    wrangler(&["versions", "deploy", &ten, &ninety, "--yes"]);
    assert_eq!(
        api::shares(&sandbox, script).await,
        [(second.clone(), 10.0), (first.clone(), 90.0)]
    );
    wrangler(&["deploy"]);
    let third = newest().await;
    assert_eq!(
        api::shares(&sandbox, script).await,
        [(third.clone(), 100.0)]
    );
    wrangler(&["secret", "bulk", "bulk.json"]);
    let listed = wrangler(&["secret", "list"]);
    assert!(
        listed.contains("\"A\"") && listed.contains("\"WEBHOOK_SECRET\""),
        "{listed}"
    );
    wrangler(&["secret", "delete", "A"]);
    wrangler(&["rollback", &third, "--yes", "--message", "back"]);
    assert_eq!(api::shares(&sandbox, script).await, [(third, 100.0)]);
    wrangler(&["triggers", "deploy"]);
    let deployments = wrangler(&["deployments", "list"]);
    assert!(deployments.contains("back"), "{deployments}");
    let versions = wrangler(&["versions", "list"]);
    assert!(versions.contains("second"), "{versions}");
    wrangler(&["delete", "--force"]);
    let gone = api::read(&sandbox, &format!("workers/scripts/{script}/deployments")).await;
    assert_eq!(gone, Value::Null);
}
