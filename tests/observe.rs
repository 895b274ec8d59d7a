//! What is live is read for what it is, whoever made it and whatever answers.

use edge_broadcast::build::Worker;
use edge_broadcast::cloudflare::{Cloudflare, observe};
use edge_broadcast::secret::Value;
use serde_json::json;

use crate::support::rig::{Rig, Wanted, staging};
use crate::support::{Project, Run, Sandbox, api, built, cryptography, manifest};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1vYnNlcnZlLXRlc3RzMQ==";
const GATEWAY: &str = "glow-broadcast-staging";
const ROOM: &str = "glow-broadcast-staging-room";

#[tokio::test(flavor = "multi_thread")]
async fn code_that_was_uploaded_and_never_deployed_is_not_taken_for_what_is_live() {
    let rig = Rig::new(staging(&manifest("staging"))).await;
    let old = Wanted::release("one");
    rig.deploy(&old).await.1.unwrap();
    // The live version has no tag of ours now, and its code is the old one
    rig.set_secret(GATEWAY, "THEIRS", "a value of somebody else")
        .await;
    let changed = Wanted::release("one").with_gateway("two");
    let fault = json!({ "method": "POST", "path": "/deployments", "kind": "status", "status": 500, "times": 50 });
    rig.fault(fault).await;
    let (report, result) = rig.deploy(&changed).await;
    result.unwrap_err();
    assert_eq!(report.done, [format!("upload a version of `{GATEWAY}`")]);
    rig.forget().await;
    let plan = rig.plan(&changed).await;
    assert_eq!(
        plan.steps.len(),
        2,
        "the old code is live, and the plan says: {plan}"
    );
    assert!(rig.plan(&old).await.is_empty(), "the old code is known");
    rig.deploy(&changed).await.1.unwrap();
    let live = rig.observed().await;
    assert_eq!(
        live.scripts[GATEWAY].active.code.as_deref(),
        Some(changed.bundle(Worker::Gateway).tag())
    );
    assert!(rig.plan(&changed).await.is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_a_change_of_secrets_is_recognised_by_its_modules() {
    let rig = Rig::new(staging(&manifest("staging"))).await;
    let wanted = Wanted::release("one");
    rig.deploy(&wanted).await.1.unwrap();
    rig.set_secret(GATEWAY, "THEIRS", "a value of somebody else")
        .await;
    // One answer after the other is lost
    for fault in [json!({ "kind": "reset" }), json!({ "kind": "html" })] {
        let mut fault = fault;
        fault["path"] = json!("/workers/workers/");
        if fault["kind"] == "reset" {
            rig.fault(fault).await;
            assert!(rig.plan(&wanted).await.is_empty());
        } else {
            rig.fault(fault).await;
            let error = observe::observe(&rig.cloudflare, &rig.environment)
                .await
                .unwrap_err();
            assert!(
                format!("{error:#}").contains("a proxy or firewall on the way answered"),
                "{error:#}"
            );
        }
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_on_further_pages_are_found() {
    let rig = Rig::new(staging(&manifest("staging"))).await;
    rig.deploy(&Wanted::release("one")).await.1.unwrap();
    let first = rig.observed().await.scripts[GATEWAY].active.id.clone();
    for number in 0..11 {
        rig.set_secret(GATEWAY, "THEIRS", &format!("value {number}"))
            .await;
    }
    let page = rig.script("GET", GATEWAY, "versions", None).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 10);
    let versions = observe::versions(&rig.cloudflare, GATEWAY);
    let versions = versions.all().await.unwrap();
    assert_eq!(versions.len(), 12);
    assert_eq!(versions[11].id, first);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_version_has_beside_the_manifest_is_shown_before_it_goes() {
    built();
    let sandbox = Sandbox::start();
    let metadata = json!({
        "main_module": "index.js",
        "compatibility_date": "2026-10-01",
        "compatibility_flags": ["nodejs_compat"],
        "placement": { "mode": "smart" },
        "bindings": [],
    });
    let module = "export default { fetch() { return new Response('theirs') } }";
    let path = format!("workers/scripts/{GATEWAY}");
    let answer = api::upload(&sandbox, "PUT", &path, &metadata, module).await;
    assert_eq!(answer["success"], true, "{answer}");
    let deploy = |line: &str| {
        Run::new(line.split(' '))
            .against(&sandbox)
            .env("WEBHOOK_SECRET", SECRET)
            .succeeds()
    };
    let plan = deploy("plan staging --adopt glow-broadcast-staging").stdout;
    for line in [
        "   - compatibility flags: [\"nodejs_compat\"]",
        "   - placement: smart",
    ] {
        assert!(plan.lines().any(|printed| printed == line), "{plan}");
    }
    deploy("deploy staging --adopt glow-broadcast-staging");
    assert_eq!(
        deploy("plan staging").stdout,
        "staging: nothing to change\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_no_manifest_governs_survive_a_deployment() {
    let rig = Rig::new(staging(&manifest("staging"))).await;
    rig.deploy(&Wanted::release("one")).await.1.unwrap();
    let theirs = json!({
        "observability": { "enabled": false, "head_sampling_rate": 0.1, "logs": { "enabled": true, "invocation_logs": false } },
        "logpush": true,
        "tail_consumers": [{ "service": "their-tail" }],
    });
    rig.script("PATCH", GATEWAY, "script-settings", Some(theirs.clone()))
        .await;
    rig.deploy(&Wanted::release("two")).await.1.unwrap();
    let live = rig.script("GET", GATEWAY, "script-settings", None).await;
    let mut expected = theirs;
    expected["observability"]["enabled"] = json!(true);
    // Said by nobody: Cloudflare answers with null
    for unsaid in ["head_sampling_rate", "persist"] {
        expected["observability"]["logs"][unsaid] = json!(null);
    }
    expected["tags"] = json!(["cf:environment=staging", "cf:service=glow-broadcast"]);
    assert_eq!(live, expected);
    assert!(rig.plan(&Wanted::release("two")).await.is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_made_with_declarative_exports_is_taken_over_without_a_migration() {
    built();
    let sandbox = Sandbox::start();
    let metadata = json!({
        "main_module": "index.js",
        "compatibility_date": "2026-10-01",
        "bindings": [],
        "exports": { "BroadcastRoom": { "type": "durable-object", "storage": "sqlite" } },
    });
    let module =
        "export class BroadcastRoom {} export default { fetch() { return new Response() } }";
    let path = format!("workers/scripts/{ROOM}");
    let answer = api::upload(&sandbox, "PUT", &path, &metadata, module).await;
    assert_eq!(answer["success"], true, "{answer}");
    let namespace = |list: &serde_json::Value| list[0]["id"].clone();
    let before = api::read(&sandbox, "workers/durable_objects/namespaces").await;
    let run = |line: &str| {
        Run::new(line.split(' '))
            .against(&sandbox)
            .env("WEBHOOK_SECRET", SECRET)
            .succeeds()
    };
    let plan = run("plan staging --adopt glow-broadcast-staging-room").stdout;
    assert!(
        plan.contains(". upload a version of `glow-broadcast-staging-room`\n   lane: code\n"),
        "{plan}"
    );
    assert!(!plan.contains("migration"), "{plan}");
    run("deploy staging --adopt glow-broadcast-staging-room");
    assert_eq!(run("plan staging").stdout, "staging: nothing to change\n");
    let after = api::read(&sandbox, "workers/durable_objects/namespaces").await;
    assert_eq!(namespace(&after), namespace(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_sandboxs_answer_is_not_a_sandbox() {
    use axum::response::IntoResponse;
    cryptography();
    let app = axum::Router::new()
        .route(
            "/500/sandbox",
            axum::routing::get(|| async { http::StatusCode::INTERNAL_SERVER_ERROR }),
        )
        .route(
            "/page/sandbox",
            axum::routing::get(|| async { axum::response::Html("<p>hello") }),
        )
        .route(
            "/json/sandbox",
            axum::routing::get(|| async { axum::Json(json!({ "success": true })) }),
        )
        .route(
            "/no/sandbox",
            axum::routing::get(|| async { (http::StatusCode::NOT_FOUND, "no").into_response() }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    for path in ["500", "page", "json", "no"] {
        let base = format!("http://{address}/{path}");
        let token = Value::new("token".to_owned());
        let cloudflare =
            Cloudflare::new(&base, "acc0acc0acc0acc0acc0acc0acc0acc0".to_owned(), token).unwrap();
        assert_eq!(cloudflare.ingress().await.unwrap(), None, "{path}");
    }
}

#[test]
fn an_environment_that_cannot_be_read_does_not_hide_the_others() {
    let project = Project::with_all();
    let elsewhere = manifest("staging").replace("glow.trade", "elsewhere.example");
    project.write("environments/staging.toml", &elsewhere);
    let sandbox = Sandbox::start();
    let status = |args: &[&str]| {
        let args = ["status"].iter().chain(args).copied();
        Run::new(args).inside(&project).against(&sandbox).fails()
    };
    let printed = status(&[]);
    let why = format!(
        "cannot be read: reading what is live of `staging`: the account `{}` has no zone `elsewhere.example`\n  help: correct `cloudflare.zone` in the manifest, or give the API token Zone Read on it",
        sandbox.account_id
    );
    assert!(
        printed.stdout.contains(&format!("staging\n  {why}")),
        "{}",
        printed.stdout
    );
    for name in [
        "local in the zone glow.localhost",
        "production in the zone glow.trade",
    ] {
        assert!(printed.stdout.contains(name), "{}", printed.stdout);
    }
    assert_eq!(
        printed.stderr,
        "error: cannot read what is live of `staging`\n"
    );
    let answer = status(&["--json"]).json();
    assert_eq!(answer["environments"][2]["environment"], "staging");
    assert!(
        answer["environments"][2]["error"]
            .as_str()
            .unwrap()
            .contains("no zone")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_with_problems_stops_the_commands_of_its_own_environment_only() {
    built();
    let sandbox = Sandbox::start();
    let project = Project::with_all();
    Run::new(["generate"]).inside(&project).succeeds();
    project.write("environments/production.toml", "[worker]\n");
    project.write("environments/Copy of staging.toml", "");
    let run = |args: &str| {
        Run::new(args.split(' '))
            .inside(&project)
            .against(&sandbox)
            .env("WEBHOOK_SECRET", SECRET)
    };
    // Nobody is asked for a secret that nothing needs
    let verified = run("verify staging").without("WEBHOOK_SECRET").fails();
    assert_eq!(
        verified.stderr,
        format!(
            "error: `staging` is not deployed: the account `{}` has no Worker `{GATEWAY}`\nhelp: `edge-broadcast deploy staging` deploys it\n",
            sandbox.account_id
        )
    );
    let deployed = run("deploy staging").succeeds().stderr;
    let said = "`generated/` stays as it is, since it is made of all manifests: `edge-broadcast check` shows what is wrong with `environments/Copy of staging.toml`, `environments/production.toml`";
    assert!(deployed.lines().any(|line| line == said), "{deployed}");
    let status = run("status").fails();
    for shown in [
        "staging in the zone glow.trade",
        "production\n  cannot be read: environments/production.toml:1: missing field `name`\n  help: add `name`: `docs/manifest.md` lists every key",
        "environments/Copy of staging.toml\n  cannot be read: environments/Copy of staging.toml:1: `Copy of staging` is not a valid environment name\n  help: use at most 20 lower-case letters, digits and dashes, beginning with a letter, like `glow-broadcast`",
    ] {
        assert!(status.stdout.contains(shown), "{shown}: {}", status.stdout);
    }
    let doctor = run("doctor").fails().stdout;
    let shown = "the manifest has problems: environments/production.toml:1: missing field `name`";
    assert!(doctor.contains(shown), "{doctor}");
}
