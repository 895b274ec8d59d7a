//! The value of a secret is searched for in everything that the tool shows or writes.

use serde_json::{Value, json};

use crate::support::{Project, Run, Sandbox, api, built, manifest};

const MARKER: &str = "marker-7f3a91c2e85d4b60-never-to-be-seen";

#[test]
fn no_command_prints_a_secret_on_success_or_on_failure() {
    built();
    let sandbox = Sandbox::start();
    let mut seen = String::new();
    for args in [
        vec!["deploy", "staging", "--json"],
        vec!["deploy", "staging"],
        vec!["plan", "staging"],
        vec!["plan", "staging", "--json"],
        vec!["verify", "staging", "--json"],
        vec!["check"],
        vec!["generate", "--check"],
        vec!["build"],
    ] {
        let printed = Run::new(args)
            .against(&sandbox)
            .env("WEBHOOK_SECRET", MARKER)
            .succeeds();
        seen += &(printed.stdout + &printed.stderr);
    }
    // A deployment that cannot be planned, one that cannot begin, and one that fails its verification
    let wrong_zone = Project::new();
    wrong_zone.write(
        "environments/staging.toml",
        &manifest("staging").replace("glow.trade\"\n", "unknown.example\"\n"),
    );
    for (run, token) in [
        (
            Run::new(["deploy", "staging"]).inside(&wrong_zone),
            sandbox.token.as_str(),
        ),
        (Run::new(["deploy", "staging"]), "wrong"),
        (Run::new(["verify", "production"]), sandbox.token.as_str()),
    ] {
        let printed = run
            .against(&sandbox)
            .env("CLOUDFLARE_API_TOKEN", token)
            .env("WEBHOOK_SECRET", MARKER)
            .fails();
        seen += &(printed.stdout + &printed.stderr);
    }
    let key = "a-global-key-of-somebody-0123456789";
    let printed = Run::new(["status", "staging"])
        .against(&sandbox)
        .env("CLOUDFLARE_API_TOKEN", "")
        .env("CLOUDFLARE_API_KEY", key)
        .env("CLOUDFLARE_EMAIL", "someone@example.com")
        .fails();
    assert!(printed.stdout.contains("9103"), "{}", printed.stdout);
    seen += &(printed.stdout + &printed.stderr);
    assert!(!seen.contains(key), "{seen}");
    // A deployment that fails half way, at the gateway's upload, when the room is there already
    let broken = Sandbox::start();
    let fault = json!({ "kind": "status", "status": 500, "times": 9, "method": "PUT", "path": "/scripts/glow-broadcast-staging" });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let faults = |sandbox: &Sandbox, fault: Value| {
        let made = api::call(sandbox, "POST", "/sandbox/faults", Some(fault));
        assert_eq!(runtime.block_on(made)["success"], true);
    };
    // The room's own upload passes
    let mut later = fault.clone();
    later["nth"] = json!(2);
    faults(&broken, later);
    let printed = Run::new(["deploy", "staging"])
        .against(&broken)
        .env("WEBHOOK_SECRET", MARKER)
        .fails();
    assert!(
        printed.stderr.contains("glow-broadcast-staging"),
        "{}",
        printed.stderr
    );
    seen += &(printed.stdout + &printed.stderr);
    let kept = runtime.block_on(api::call(&broken, "GET", "/sandbox/requests", None));
    seen += &kept.to_string();

    // A verification with a value that is not the deployed one, a kept plan, and the summary of a step
    let project = Project::with_all();
    let wrong = "marker-of-the-wrong-value-91d7e0aa52";
    let files = ["plan.json", "summary.md"].map(|name| project.path().join(name));
    let run = |args: Vec<&'static str>, value: &str| {
        Run::new(args)
            .inside(&project)
            .against(&sandbox)
            .env("WEBHOOK_SECRET", value)
            .env("GITHUB_STEP_SUMMARY", files[1].to_str().unwrap())
    };
    for printed in [
        run(vec!["verify", "staging"], wrong).fails(),
        run(vec!["plan", "staging", "--out", "plan.json"], MARKER).succeeds(),
        run(vec!["deploy", "staging", "--plan", "plan.json"], MARKER).succeeds(),
    ] {
        seen += &(printed.stdout + &printed.stderr);
    }
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.is_empty(), "{file:?}");
        seen += &text;
    }
    assert!(!seen.contains(wrong), "{seen}");
    assert!(!seen.contains(MARKER), "{seen}");
    assert!(!seen.contains(&sandbox.token), "{seen}");
}

#[test]
fn no_generated_file_holds_a_secret() {
    let project = Project::with_all();
    Run::new(["generate"])
        .inside(&project)
        .env("WEBHOOK_SECRET", MARKER)
        .succeeds();
    let found = std::process::Command::new("grep")
        .args(["-r", MARKER, "."])
        .current_dir(project.path().join("generated"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

/// Somebody else's value in every place of a live Worker that can hold one, under names that are ours and under others.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_others_wrote_into_a_live_worker_is_shown_or_kept() {
    const CANARY: &str = "Canary_7f3a91c2";
    const GATEWAY: &str = "glow-broadcast-staging";
    built();
    let sandbox = Sandbox::start();
    let project = Project::with_all();
    let files = ["plan.json", "summary.md"].map(|name| project.path().join(name));
    let run = |args: &str| {
        Run::new(args.split(' '))
            .inside(&project)
            .against(&sandbox)
            .env("WEBHOOK_SECRET", MARKER)
            .env("GITHUB_STEP_SUMMARY", files[1].to_str().unwrap())
    };
    run("deploy staging").succeeds();
    let plain = |name: &str| json!({ "type": "plain_text", "name": name, "text": CANARY });
    let metadata = json!({
        "main_module": "index.js",
        "compatibility_date": "2026-10-01",
        "annotations": { "workers/tag": CANARY, "workers/message": CANARY },
        "keep_bindings": [],
        "bindings": [
            plain("WEBHOOK_SECRET"),
            plain("ENVIRONMENT"),
            plain("THEIRS"),
            { "type": "json", "name": "ADMIN_SECRET", "json": { "password": [CANARY] } },
            { "type": "json", "name": "SETTINGS", "json": { "password": CANARY, "allowed_origins": [CANARY], "regions": { "name": CANARY } } },
            { "type": "analytics_engine", "name": "ANALYTICS", "dataset": CANARY },
        ],
    });
    let module = "export default { fetch() { return new Response('theirs') } }";
    let path = format!("workers/scripts/{GATEWAY}");
    let answer = api::upload(&sandbox, "PUT", &path, &metadata, module).await;
    assert_eq!(answer["success"], true, "{answer}");
    let settings = format!("{path}/script-settings");
    let mut tags = api::read(&sandbox, &settings).await["tags"].clone();
    tags.as_array_mut().unwrap().push(json!(CANARY));
    let theirs = json!({
        "tags": tags,
        "observability": { "enabled": false, "logs": { "enabled": true, "destinations": [CANARY] } },
        "tail_consumers": [{ "service": CANARY }],
    });
    let settings = api::of_account(&sandbox, &settings);
    let answer = api::call(&sandbox, "PATCH", &settings, Some(theirs)).await;
    assert!(answer.to_string().contains(CANARY), "{answer}");
    let mut seen = String::new();
    for args in [
        "plan staging",
        "plan staging --json",
        "plan staging --out plan.json",
        "status staging",
        "status staging --json",
        "doctor staging",
        "doctor staging --json",
        "verify staging --json",
        "secrets list staging",
        "secrets list staging --json",
        "secrets rotate staging --status",
        "deploy staging --plan plan.json --json",
        "plan staging --json",
        "rollback staging --json",
        "plan staging",
    ] {
        let printed = run(args).printed();
        seen += &format!("$ {args}\n{}{}", printed.stdout, printed.stderr);
    }
    for file in files {
        seen += &std::fs::read_to_string(&file).unwrap();
    }
    assert!(!seen.contains(CANARY), "{seen}");
    for told in [
        "- binding THEIRS: {\"text\":\"hidden:",
        "`WEBHOOK_SECRET` of `glow-broadcast-staging` was readable as a plain variable: treat it as leaked, rotate it",
    ] {
        assert!(seen.contains(told), "{seen}");
    }
}
