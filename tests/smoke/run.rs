//! Whole runs against an account, and what they leave.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::account::Account;
use super::program::{Running, be_the_program, program, report};
use super::recorded;
use crate::live::project;
use crate::support::{api, built};

/// The words of bodies that a report shows as they are. Everything else that was on the wire must not be in it.
const SHOWN: [&str; 34] = [
    "AAAA",
    "ADMIN_SECRET",
    "BROADCAST_RATE",
    "BROADCAST_ROOM",
    "BroadcastRoom",
    "CF_VERSION_METADATA",
    "CONNECT_RATE",
    "ENVIRONMENT",
    "SETTINGS",
    "WEBHOOK_SECRET",
    "WEBHOOK_SECRET_ALTERNATE",
    "active",
    "application/javascript+module",
    "application/wasm",
    "class",
    "durable_object_namespace",
    "fetch",
    "full",
    "immediate",
    "index.js",
    "index_bg.wasm",
    "json",
    "percentage",
    "plain_text",
    "production",
    "ratelimit",
    "secret",
    "secret_key",
    "secret_text",
    "standard",
    "type",
    "upload",
    "user",
    "version_metadata",
];

/// Calls that a run cannot do without, as a report shows them.
const CALLS: [&str; 14] = [
    "GET /zones 200",
    "GET /zones/*/dns_records 200",
    "DELETE /accounts/0123456789abcdef0123456789abcdef/workers/domains/* 200",
    "PUT /accounts/0123456789abcdef0123456789abcdef/workers/scripts/S 200",
    "PUT /accounts/0123456789abcdef0123456789abcdef/workers/domains 200",
    "GET /accounts/0123456789abcdef0123456789abcdef/workers/scripts/S/deployments 404",
    "GET /accounts/0123456789abcdef0123456789abcdef/workers/scripts/S/deployments 200",
    "GET /accounts/0123456789abcdef0123456789abcdef/workers/scripts/S/versions 200",
    "POST /accounts/0123456789abcdef0123456789abcdef/workers/scripts/S/versions 200",
    "POST /accounts/0123456789abcdef0123456789abcdef/workers/scripts/S/deployments 200",
    "PATCH /accounts/0123456789abcdef0123456789abcdef/workers/scripts/S/secrets-bulk 200",
    "DELETE /accounts/0123456789abcdef0123456789abcdef/workers/scripts/S 200",
    "GET /accounts/0123456789abcdef0123456789abcdef/workers/scripts/S/settings 404",
    "GET /accounts/0123456789abcdef0123456789abcdef/workers/durable_objects/namespaces 200",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_passes_leaves_nothing_and_its_report_tells_nothing_of_the_account() {
    be_the_program();
    built();
    let account = Account::new().await;
    let name = "run::a_run_passes_leaves_nothing_and_its_report_tells_nothing_of_the_account";
    let printed = Running::start(program(name, &account, &[])).printed();
    assert_eq!(printed.code, 0, "{}\n{}", printed.stdout, printed.stderr);
    let (shapes, summary) = report(&printed.stdout);
    assert_eq!(account.everything().await, Vec::<Value>::new());

    let shown = format!("{shapes}{summary}");
    let kept: Vec<String> = account
        .texts()
        .into_iter()
        .chain([
            account.sandbox.token.clone(),
            account.sandbox.account_id.clone(),
        ])
        .filter(|text| text.len() > 3 && shown.contains(text.as_str()))
        .filter(|text| !SHOWN.contains(&text.as_str()))
        .collect();
    assert_eq!(kept, Vec::<String>::new(), "these values are shown");
    // Part of longer texts only: what every name and address begins with
    for part in [
        "edge-broadcast-live-",
        "eb-live-",
        "zone-of",
        "127.0.0.1",
        "whsec_",
        "glow",
    ] {
        assert!(!shown.contains(part), "`{part}` is shown in:\n{shown}");
    }

    let calls: BTreeSet<String> = shapes.lines().map(call).collect();
    for expected in CALLS {
        assert!(calls.contains(expected), "no `{expected}` in {calls:#?}");
    }
    assert_eq!(recorded::differences_of_all(&shapes), Vec::<String>::new());
    assert!(!summary.contains("WRONG"), "{summary}");
    assert!(
        summary.contains(" s  cleaning: nothing is left\n"),
        "{summary}"
    );
}

/// Method, path, status: what a line is about. A shape is shown once, of whichever script it came first.
pub(crate) fn call(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
    let all = ["body", "headers", "m", "p", "q", "sent", "status"];
    assert!(keys.iter().all(|key| all.contains(&key.as_str())), "{line}");
    let text = |key: &str| line[key].as_str().unwrap().to_owned();
    let of_a_script = text("p").replace("/S-room", "/S");
    let digits = |part: &str| part.len() > 30 && part.starts_with("0000");
    let parts = of_a_script.split('/');
    let parts = parts.map(|part| if digits(part) { "*" } else { part });
    let path = parts.collect::<Vec<_>>().join("/");
    format!("{} {path} {}", text("m"), line["status"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_ends_a_run_nothing_is_left_of_it() {
    be_the_program();
    built();
    let account = Account::new().await;
    let name = "run::whatever_ends_a_run_nothing_is_left_of_it";
    let nothing = Vec::<Value>::new();

    a_step_fails_and_a_script_cannot_be_deleted(&account, name).await;
    assert_eq!(account.everything().await, nothing);
    ctrl_c(&account, name).await;
    assert_eq!(account.everything().await, nothing);
    killed(&account, name).await;
}

async fn a_step_fails_and_a_script_cannot_be_deleted(account: &Account, name: &str) {
    let refuse = async |method: &str, path: &str| {
        let fault =
            json!({ "method": method, "path": path, "times": 99, "kind": "status", "status": 400 });
        api::fault(&account.sandbox, fault).await;
    };
    // Both scripts are there by then
    refuse("PUT", "/workers/domains").await;
    refuse("DELETE", "-room").await;
    let failed = Running::start(program(name, account, &[])).printed();
    assert_eq!(failed.code, 1, "{}\n{}", failed.stdout, failed.stderr);
    let (_, summary) = report(&failed.stdout);
    for line in [
        "calls: exit code 1, not 0\n",
        " PUT /accounts/*/workers/domains was answered with 400 (code ",
        " s  cleaning: 2 things are left\n",
    ] {
        assert!(summary.contains(line), "no `{line}` in:\n{summary}");
    }
    let left = account.everything().await;
    let room = left[0]["id"].as_str().unwrap();
    assert_eq!(left.len(), 2, "{left:?}");
    let said = failed.stdout.split("not everything is deleted:\n").nth(1);
    let path = format!("workers/scripts/{room}?force=true");
    let path = api::of_account(&account.sandbox, &path);
    assert_eq!(
        said.map(|said| said.split('\n').take(6).collect::<Vec<_>>().join("\n")),
        Some(format!(
            "  script `{room}`
  Durable Object namespace `{room}_BroadcastRoom`
  why: script `{room}`: `DELETE {path}` was answered with 400 (code 10013)
`./test live --clean` tries it again; so do, with the variables set:
  curl -X DELETE -H \"Authorization: Bearer $CLOUDFLARE_API_TOKEN\" '{}{path}'
",
            account.api
        ))
    );
    api::call(&account.sandbox, "DELETE", "/sandbox/faults", None).await;
    clean(account, name);
}

async fn ctrl_c(account: &Account, name: &str) {
    let run = Running::start(program(name, account, &[]));
    until(async || !account.everything().await.is_empty()).await;
    run.interrupt();
    let stopped = run.printed();
    assert_eq!(stopped.code, 130, "{}\n{}", stopped.stdout, stopped.stderr);
    let (_, summary) = report(&stopped.stdout);
    assert!(
        summary.contains("calls: stopped\n") && summary.contains("cleaning: nothing is left\n"),
        "{summary}"
    );
}

async fn killed(account: &Account, name: &str) {
    let run = Running::start(program(name, account, &[]));
    // The last thing that a deployment makes: nothing is under way any more
    until(async || {
        let everything = account.everything().await;
        everything.iter().any(|thing| thing["hostname"].is_string())
    })
    .await;
    run.kill();
    let left = account.everything().await;
    assert_eq!(left.len(), 5, "{left:?}");
    let gateway = left[0]["id"].as_str().unwrap();
    let folder = project::all().join(gateway);
    assert!(folder.join("project/keys.json").exists());
    // What only begins like a name of a run is somebody else's
    api::foreign_script(&account.sandbox, "edge-broadcast-live-europe").await;
    let asked = Running::start(program(name, account, &["--clean"])).printed();
    assert_eq!(asked.code, 1);
    assert_eq!(
        asked.stderr,
        "error: nobody can be asked here: `--yes` deletes them without asking\n"
    );
    assert_eq!(account.everything().await.len(), 6);
    clean(account, name);
    assert!(!folder.join("project").exists());
    std::fs::remove_dir_all(folder).unwrap();
    let kept = account.everything().await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0]["id"], "edge-broadcast-live-europe");
}

fn clean(account: &Account, name: &str) {
    let cleaned = Running::start(program(name, account, &["--clean", "--yes"])).printed();
    assert_eq!(cleaned.code, 0, "{}\n{}", cleaned.stdout, cleaned.stderr);
}

/// Waits for a state of the account.
async fn until(is_so: impl AsyncFn() -> bool) {
    let began = std::time::Instant::now();
    while !is_so().await {
        assert!(began.elapsed().as_secs() < 60, "it never came to that");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
