//! Scripts of somebody else under our names: no command writes on one, until a person adopts it by name.

use serde_json::{Value, json};

use crate::support::{Project, Run, Sandbox, api, built};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1vd25lcnNoaXAtdGVzdHM=";
const GATEWAY: &str = "glow-broadcast-staging";

fn run(sandbox: &Sandbox, project: &Project, line: &str) -> Run {
    Run::new(line.split(' '))
        .inside(project)
        .against(sandbox)
        .env("WEBHOOK_SECRET", SECRET)
}

async fn writes(sandbox: &Sandbox) -> Vec<String> {
    let calls = api::call(sandbox, "GET", "/sandbox/requests", None).await["result"].clone();
    let calls = calls.as_array().unwrap().iter();
    calls
        .filter(|call| call["method"] != "GET")
        .map(|call| format!("{} {}", call["method"], call["path"]))
        .collect()
}

async fn tags(sandbox: &Sandbox) -> Value {
    let path = format!("workers/scripts/{GATEWAY}/script-settings");
    api::read(sandbox, &path).await["tags"].clone()
}

/// The manifest of staging alone, in a checkout of a repository.
fn checkout(origin: &str) -> Project {
    let project = Project::with_staging("", "");
    std::fs::create_dir(project.path().join(".git")).unwrap();
    let config = format!("[remote \"origin\"]\n\turl = {origin}\n");
    project.write(".git/config", &config);
    project
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_on_a_script_of_somebody_else_before_it_is_adopted_by_name() {
    built();
    let sandbox = Sandbox::start();
    api::foreign_script(&sandbox, GATEWAY).await;
    let path = api::of_account(&sandbox, &format!("workers/scripts/{GATEWAY}/secrets"));
    let secret = json!({ "name": "THEIRS", "text": "a value", "type": "secret_text" });
    api::call(&sandbox, "PUT", &path, Some(secret)).await;
    api::call(&sandbox, "DELETE", "/sandbox/requests", None).await;
    let ours = checkout("git@github.com:glow/broadcast.git");
    let ours_run = |line: &str| run(&sandbox, &ours, line).env("GIT_DIR", ".git");
    let told =
        format!("`{GATEWAY}` exists, and has no tag that says that this project deployed it\n");
    let way_out = format!(
        "help: use another `worker.name`; `edge-broadcast deploy staging --adopt {GATEWAY}` takes it over\n"
    );
    for line in [
        "plan staging",
        "deploy staging",
        "secrets set staging WEBHOOK_SECRET",
        "secrets remove staging THEIRS",
        "secrets list staging --prune",
        "secrets rotate staging",
        "secrets rotate staging --abort",
        "secrets rotate staging --compromised",
        "rollback staging",
    ] {
        let printed = ours_run(line).fails();
        assert!(
            printed.stderr.contains(&told) && printed.stderr.ends_with(&way_out),
            "{line}: {}",
            printed.stderr
        );
    }
    let printed = ours_run("deploy staging --adopt glow-broadcast-stagin").fails();
    assert!(
        printed.stderr.ends_with(&format!("  - `--adopt glow-broadcast-stagin`: `staging` has no script of that name\n    help: its scripts are `{GATEWAY}-room` and `{GATEWAY}`\n")),
        "{}",
        printed.stderr
    );
    assert_eq!(writes(&sandbox).await, [""; 0]);

    let kept = ours.path().join("plan.json");
    let kept = kept.to_str().unwrap();
    ours_run(&format!("plan staging --adopt {GATEWAY} --out {kept}")).succeeds();
    ours_run(&format!("deploy staging --plan {kept}")).succeeds();
    assert_eq!(
        tags(&sandbox).await,
        json!([
            "cf:environment=staging",
            "cf:service=glow-broadcast",
            "edge-broadcast:owner=github.com/glow/broadcast"
        ])
    );
    let printed = ours_run(&format!("deploy staging --adopt {GATEWAY}")).fails();
    let needless = format!(
        "  - `--adopt {GATEWAY}`: it needs no adoption\n    help: leave `--adopt {GATEWAY}` out\n"
    );
    assert!(printed.stderr.ends_with(&needless), "{}", printed.stderr);

    // Another way to the same repository, another repository, and a copy that knows of none
    let by_https = checkout("https://token@github.com/Glow/broadcast");
    let by_https = run(&sandbox, &by_https, "plan staging").env("GIT_DIR", ".git");
    assert!(
        by_https
            .succeeds()
            .stdout
            .starts_with("staging: nothing to change\n"),
    );
    api::call(&sandbox, "DELETE", "/sandbox/requests", None).await;
    let theirs = checkout("https://github.com/other/broadcast");
    for (run, told) in [
        (
            run(&sandbox, &theirs, "deploy staging").env("GIT_DIR", ".git"),
            "and this project is `github.com/other/broadcast`\n",
        ),
        (
            run(&sandbox, &theirs, "secrets set staging WEBHOOK_SECRET").env("GIT_DIR", ".git"),
            "and this project is `github.com/other/broadcast`\n",
        ),
        (
            run(&sandbox, &theirs, "rollback staging"),
            "and this project has no owner\n",
        ),
    ] {
        let printed = run.fails();
        let told = format!("`{GATEWAY}` belongs to `github.com/glow/broadcast`, {told}");
        assert!(printed.stderr.contains(&told), "{}", printed.stderr);
    }
    assert_eq!(writes(&sandbox).await, [""; 0]);
}
