//! An environment ends whole, in the right order, and nothing of anybody else's with it.

use serde_json::{Value, json};

use crate::support::{Project, Sandbox, api, built, manifest, run};

const GATEWAY: &str = "glow-broadcast-staging";
const ROOM: &str = "glow-broadcast-staging-room";
const OWNER: &str = "github.com/glow/broadcast";

async fn scripts(sandbox: &Sandbox) -> Vec<String> {
    let scripts = api::read(sandbox, "workers/scripts").await;
    let scripts = scripts.as_array().unwrap().iter();
    scripts
        .map(|script| script["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn routes(sandbox: &Sandbox) -> Vec<(String, String, String)> {
    let path = format!("/zones/{}/workers/routes", api::zone(sandbox).await);
    let routes = api::call(sandbox, "GET", &path, None).await["result"].take();
    let text = |route: &Value, key: &str| route[key].as_str().unwrap().to_owned();
    let routes = routes.as_array().unwrap().iter();
    routes
        .map(|route| {
            (
                text(route, "id"),
                text(route, "pattern"),
                text(route, "script"),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_is_destroyed_with_its_stored_objects_and_nothing_of_anybody_else() {
    built();
    let sandbox = Sandbox::start();
    let project = Project::with_all();
    run(&sandbox, &project, &["deploy", "staging"]).succeeds();
    api::foreign_script(&sandbox, "shop-staging").await;
    api::route(&sandbox, "shop.glow.trade/*", "shop-staging").await;
    api::writes(&sandbox).await;

    // Where nobody is there who could type the name, what would go is shown and nothing does
    let summary = project.path().join("summary.md");
    let printed = run(&sandbox, &project, &["destroy", "staging"])
        .env("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())
        .fails();
    let plan = "staging: 3 steps

1. remove the route `broadcast-staging.glow.trade/*` of `glow-broadcast-staging`

2. delete the script `glow-broadcast-staging`
   - its versions, settings and secrets

3. delete the script `glow-broadcast-staging-room`
   - its versions, settings and secrets
   - 1 stored object of the class `BroadcastRoom`

none of it can be brought back";
    assert_eq!(printed.stdout, format!("{plan}\n"));
    let why = "nothing was destroyed: nobody is there to confirm it for `staging`\nhelp: run with `--confirm staging` to destroy exactly that\n";
    assert_eq!(printed.stderr, format!("error: {why}"));
    assert_eq!(
        std::fs::read_to_string(&summary).unwrap(),
        format!("### destruction of staging\n\n````\n{plan}\n\n{why}````\n\n")
    );
    let args = ["destroy", "staging", "--confirm", "production"];
    let printed = run(&sandbox, &project, &args).fails();
    assert_eq!(
        printed.stderr,
        "error: nothing was destroyed: `--confirm production` is not `staging`\nhelp: run with `--confirm staging` to destroy exactly that\n"
    );
    let args = ["destroy", "--script", ROOM, "--confirm", ROOM];
    let printed = run(&sandbox, &project, &args).fails();
    assert_eq!(
        printed.stderr,
        format!(
            "error: the script `{ROOM}` is one of the environment `staging`\nhelp: `edge-broadcast destroy staging` destroys both of its scripts\n"
        )
    );
    let args = [
        "destroy",
        "--script",
        "shop-staging",
        "--confirm",
        "shop-staging",
    ];
    let printed = run(&sandbox, &project, &args).fails();
    assert_eq!(
        printed.stderr,
        "error: the script `shop-staging` is not one that this tool has deployed\nhelp: `edge-broadcast status` lists those that are; if it shall go all the same: `wrangler delete --name shop-staging`\n"
    );
    assert_eq!(api::writes(&sandbox).await, [""; 0]);

    let route = routes(&sandbox).await;
    let route = route.iter().find(|(_, _, script)| script == GATEWAY);
    let route = &route.unwrap().0;
    api::writes(&sandbox).await;
    let args = ["destroy", "staging", "--confirm", "staging"];
    let printed = run(&sandbox, &project, &args).succeeds();
    assert_eq!(printed.stdout, format!("{plan}\n\ndestroyed\n"));
    assert_eq!(
        api::writes(&sandbox).await,
        [
            format!("DELETE routes/{route}"),
            format!("DELETE scripts/{GATEWAY}"),
            format!("DELETE scripts/{ROOM}?force=true"),
        ]
    );
    assert_eq!(scripts(&sandbox).await, ["shop-staging"]);
    let left: Vec<String> = routes(&sandbox).await.into_iter().map(|it| it.1).collect();
    assert_eq!(left, ["shop.glow.trade/*"]);

    // Again: there is nothing, and nothing to confirm
    let printed = run(&sandbox, &project, &["destroy", "staging"]).succeeds();
    assert_eq!(printed.stdout, "staging: nothing to destroy\n");
    let printed = run(&sandbox, &project, &["destroy", "staging", "--json"]).succeeds();
    let nothing = json!({ "target": "staging", "steps": [], "destroyed": null, "failure": null });
    assert_eq!(printed.json(), nothing);
    assert_eq!(api::writes(&sandbox).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_is_not_ours_by_its_tags_or_is_used_by_another_is_left_as_it_is() {
    let sandbox = Sandbox::start();
    let project = Project::with_all();
    api::foreign_script(&sandbox, GATEWAY).await;
    api::writes(&sandbox).await;
    let args = ["destroy", "staging", "--confirm", "staging"];
    let summary = project.path().join("summary.md");
    let refused = run(&sandbox, &project, &args)
        .env("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())
        .arg("--json")
        .fails();
    let printed = run(&sandbox, &project, &args).fails();
    assert_eq!(printed.stdout, "");
    let what = format!(
        "the script `{GATEWAY}` is not one that this tool has deployed: its tags do not name it and its environment"
    );
    let fix = format!(
        "`edge-broadcast status` shows what is this project's; if it shall go all the same: `wrangler delete --name {GATEWAY}`"
    );
    assert_eq!(
        refused.json(),
        json!({
            "target": "staging",
            "steps": [],
            "destroyed": null,
            "failure": format!("nothing was destroyed: {what}"),
            "help": fix,
        })
    );
    assert_eq!(
        std::fs::read_to_string(&summary).unwrap(),
        format!(
            "### destruction of staging\n\n````\nnothing was destroyed:\n  - {what}\n    help: {fix}\n````\n\n"
        )
    );
    assert_eq!(
        printed.stderr,
        format!(
            "error: nothing was destroyed:\n  - the script `{GATEWAY}` is not one that this tool has deployed: its tags do not name it and its environment\n    help: `edge-broadcast status` shows what is this project's; if it shall go all the same: `wrangler delete --name {GATEWAY}`\n"
        )
    );
    assert_eq!(api::writes(&sandbox).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_environment_needs_its_name_and_a_yes() {
    built();
    let sandbox = Sandbox::start();
    let project = Project::with_staging(
        "zone = \"glow.trade\"",
        "zone = \"glow.trade\"\nprotected = true",
    );
    run(&sandbox, &project, &["deploy", "staging", "--yes"]).succeeds();
    let confirmed = ["destroy", "staging", "--confirm", "staging"];
    let printed = run(&sandbox, &project, &confirmed).fails();
    assert!(
        printed.stderr.ends_with("error: `staging` is protected and can be confirmed on a terminal only\nhelp: look at `edge-broadcast status staging`, then run with `--yes`\n"),
        "{}",
        printed.stderr
    );
    let printed = run(&sandbox, &project, &["destroy", "staging", "--yes"]).fails();
    assert!(
        printed.stderr.contains("--confirm staging"),
        "{}",
        printed.stderr
    );
    assert_eq!(scripts(&sandbox).await, [GATEWAY, ROOM]);

    // What fails says what was done and what was not, and the same command goes on
    let refused =
        json!({ "method": "DELETE", "path": "/scripts/", "kind": "status", "status": 403 });
    api::fault(&sandbox, refused).await;
    let printed = run(&sandbox, &project, &confirmed)
        .arg("--yes")
        .arg("--json")
        .fails();
    let answer = printed.json();
    assert_eq!(
        answer["destroyed"],
        json!({
            "done": ["remove the route `broadcast-staging.glow.trade/*` of `glow-broadcast-staging`"],
            "failed": "delete the script `glow-broadcast-staging`",
            "not_attempted": ["delete the script `glow-broadcast-staging-room`"],
        })
    );
    assert!(
        printed
            .stderr
            .contains("the destruction of `staging` stopped\n  done:           remove the route"),
        "{}",
        printed.stderr
    );
    let on = "\n`destroy` goes on from here once the cause is mended\ncause";
    assert!(printed.stderr.contains(on), "{}", printed.stderr);
    // On a terminal its name is asked for, and is all that is needed
    let asked = |typed: &str| {
        let prompt = "this destroys `staging`. Type its name to go on";
        run(&sandbox, &project, &["destroy", "staging"]).asked(prompt, typed)
    };
    let printed = asked("stagin\n");
    assert_eq!(printed.code, 1, "{}", printed.stdout);
    assert!(
        printed
            .stdout
            .contains("nothing was changed: `stagin` is not `staging`"),
        "{}",
        printed.stdout
    );
    assert_eq!(scripts(&sandbox).await, [GATEWAY, ROOM]);
    assert_eq!(asked("staging\n").code, 0);
    assert_eq!(scripts(&sandbox).await, [""; 0]);
}

/// Scripts that no manifest names, with a project's tag: another project leaves them alone, and that one knows them.
async fn whose_they_are(sandbox: &Sandbox, project: &Project, manifest: &str) {
    for (script, service) in [(GATEWAY, "glow-broadcast"), (ROOM, "glow-broadcast-room")] {
        let service = format!("cf:service={service}");
        let owner = format!("edge-broadcast:owner={OWNER}");
        let tags = [service.as_str(), "cf:environment=staging", &owner];
        api::tag(sandbox, script, &tags).await;
    }
    project.write("environments/staging.toml", manifest);
    let args = ["destroy", "--script", GATEWAY, "--confirm", GATEWAY];
    let refused = run(sandbox, project, &args).arg("--json").fails();
    let what = format!("the script `{GATEWAY}` belongs to the project `{OWNER}`");
    assert_eq!(
        refused.json(),
        json!({
            "target": GATEWAY,
            "steps": [],
            "destroyed": null,
            "failure": format!("nothing was destroyed: {what}"),
            "help": "destroy it from there",
        })
    );
    let told =
        format!("error: nothing was destroyed:\n  - {what}\n    help: destroy it from there\n");
    assert_eq!(refused.stderr, told);
    let orphans = || {
        let status = run(sandbox, project, &["status", "--json"]).succeeds();
        status.json()["orphans"].take()
    };
    assert_eq!(orphans(), json!([]));
    let owner = format!("[worker]\nowner = \"{OWNER}\"\n");
    let owned = manifest.replacen("[worker]\n", &owner, 1);
    project.write("environments/staging.toml", &owned);
    assert_eq!(orphans()[0]["owned"], true);
}

/// After `worker.name` changed, or when a manifest was deleted, no manifest says where the scripts are.
#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_no_manifest_names_are_listed_and_destroyed_with_their_routes() {
    built();
    let sandbox = Sandbox::start();
    let project = Project::new();
    let staging = manifest("staging").replace("[\"sst\"]", "[]");
    project.write("environments/staging.toml", &staging);
    run(&sandbox, &project, &["deploy", "staging"]).succeeds();
    // Tagged as wrangler does it for a project of somebody else
    let tags = ["cf:service=shop", "cf:environment=staging"];
    api::tagged_script(&sandbox, "shop-staging", &tags).await;
    let status = run(&sandbox, &project, &["status", "--json"])
        .succeeds()
        .json();
    assert_eq!(status["orphans"], json!([]));

    let renamed = staging.replace("\"glow-broadcast\"", "\"prices\"");
    let renamed = renamed.replace("broadcast-staging.glow", "prices-staging.glow");
    project.write("environments/staging.toml", &renamed);
    let status = run(&sandbox, &project, &["status", "--json"])
        .succeeds()
        .json();
    assert_eq!(
        status["orphans"],
        json!([{
            "environment": "staging",
            "scripts": [GATEWAY, ROOM],
            "owned": false,
            "fix": "edge-broadcast destroy --script glow-broadcast-staging",
        }])
    );
    let printed = run(&sandbox, &project, &["status"]).succeeds();
    let told = "\n\nscripts that no manifest names\n  glow-broadcast-staging, glow-broadcast-staging-room: no tag says whose they are, they may be another project's\n  help: `edge-broadcast destroy --script glow-broadcast-staging` retires them\n";
    assert!(printed.stdout.ends_with(told), "{}", printed.stdout);
    // A manifest that cannot be read may be the one that names them
    project.write("environments/staging.toml", "[worker]\n");
    project.write(
        "environments/qa.toml",
        &renamed.replace("prices-staging.glow", "prices-qa.glow"),
    );
    let status = run(&sandbox, &project, &["status", "qa", "--json"])
        .succeeds()
        .json();
    assert_eq!(status["orphans"], json!([]));
    let args = ["destroy", "--script", GATEWAY, "--confirm", GATEWAY];
    let printed = run(&sandbox, &project, &args).fails();
    let told = format!(
        "error: nothing was destroyed: the script `{GATEWAY}` is one of an environment `staging`, whose manifest cannot be understood and may name it\nhelp: `edge-broadcast check staging` says what is wrong: correct that first\n"
    );
    assert_eq!(printed.stderr, told);
    whose_they_are(&sandbox, &project, &renamed).await;

    // Where no manifest is left, the checkout says whose they are
    for name in ["staging", "qa"] {
        let manifest = project.path().join(format!("environments/{name}.toml"));
        std::fs::remove_file(manifest).unwrap();
    }
    std::fs::create_dir(project.path().join(".git")).unwrap();
    let origin = format!("[remote \"origin\"]\n\turl = https://{OWNER}\n");
    project.write(".git/config", &origin);
    let args = ["destroy", "--script", ROOM, "--confirm", ROOM];
    let printed = run(&sandbox, &project, &args)
        .env("GIT_DIR", ".git")
        .succeeds();
    assert!(
        printed.stdout.starts_with("glow-broadcast-staging-room: 3 steps\n\n1. remove the route `broadcast-staging.glow.trade/*` of `glow-broadcast-staging`\n"),
        "{}",
        printed.stdout
    );
    let printed = run(&sandbox, &project, &args).succeeds();
    assert_eq!(
        printed.stdout,
        "glow-broadcast-staging-room: nothing to destroy\n"
    );
    assert_eq!(scripts(&sandbox).await, ["shop-staging"]);
    project.write("environments/staging.toml", &renamed);
    let status = run(&sandbox, &project, &["status", "--json"])
        .succeeds()
        .json();
    assert_eq!(status["orphans"], json!([]));
}
