//! Scripts of somebody else under our names: no command writes on one, until a person adopts it by name.

use serde_json::{Value, json};

use crate::support::{self, Project, Run, Sandbox, api, built, manifest};

const GATEWAY: &str = "glow-broadcast-staging";

fn run(sandbox: &Sandbox, project: &Project, line: &str) -> Run {
    support::run(sandbox, project, &line.split(' ').collect::<Vec<_>>())
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
    assert_eq!(api::writes(&sandbox).await, [""; 0]);

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
    let printed = ours_run(&format!("deploy staging --adopt {GATEWAY}")).succeeds();
    let needless = format!("`--adopt {GATEWAY}`: it needs no adoption\n");
    assert!(printed.stderr.contains(&needless), "{}", printed.stderr);

    // Another way to the same repository, another repository, and a copy that knows of none
    let by_https = checkout("https://token@github.com/Glow/broadcast");
    let by_https_run = || run(&sandbox, &by_https, "plan staging");
    // It is seen from where the program runs
    std::fs::create_dir(by_https.path().join("environments/other.git")).unwrap();
    by_https.write(
        "environments/other.git/config",
        "[remote \"origin\"]\n\turl = https://github.com/other/broadcast\n",
    );
    let mut below = by_https_run().env("GIT_DIR", "other.git").command();
    below.current_dir(by_https.path().join("environments"));
    let below = String::from_utf8(below.output().unwrap().stderr).unwrap();
    assert!(
        below.contains("and this project is `github.com/other/broadcast`\n"),
        "{below}"
    );
    assert!(
        by_https_run()
            .env("GIT_DIR", ".git")
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
    assert_eq!(api::writes(&sandbox).await, [""; 0]);
}

/// The room of `qa` has the name of the gateway of `qa-room`.
#[tokio::test(flavor = "multi_thread")]
async fn two_environments_with_one_script_name_are_refused_together_and_apart() {
    built();
    let both = Project::new();
    let alone = Project::new();
    let text = |name: &str| {
        manifest("staging").replace("broadcast-staging.glow", &format!("broadcast-{name}.glow"))
    };
    for name in ["qa", "qa-room"] {
        both.write(&format!("environments/{name}.toml"), &text(name));
    }
    alone.write("environments/qa.toml", &text("qa"));
    let printed = Run::new(["check"]).inside(&both).fails();
    insta::assert_snapshot!(printed.stderr, @r#"
error: the script `glow-broadcast-qa-room` is the gateway of `qa-room` and the room of `qa`
 --> environments/qa-room.toml:4:8
  |
4 | name = "glow-broadcast"
  |        ^^^^^^^^^^^^^^^^
  |
  = help: rename one of the two environments, or give one another `worker.name`
"#);
    let sandbox = Sandbox::start();
    for line in ["check qa", "generate --check", "plan qa", "deploy qa-room"] {
        let printed = run(&sandbox, &both, line).fails();
        let told = "the script `glow-broadcast-qa-room` is the ";
        assert!(printed.stderr.contains(told), "{line}: {}", printed.stderr);
    }
    // In two checkouts, only what is live can tell
    let name = "glow-broadcast-qa-room";
    api::record(&sandbox, "broadcast-qa.glow.trade").await;
    let tags = ["cf:service=glow-broadcast", "cf:environment=qa-room"];
    api::tagged_script(&sandbox, name, &tags).await;
    let printed = run(&sandbox, &alone, "deploy qa").fails();
    let told = format!(
        "nothing was changed, because of what is live:\n  - `{name}` is another script's name: it has the tags `cf:environment=qa-room`, `cf:service=glow-broadcast`\n    help: use another `worker.name` or environment; `edge-broadcast deploy qa --adopt {name}` takes it over\n"
    );
    assert!(printed.stderr.ends_with(&told), "{}", printed.stderr);
}
