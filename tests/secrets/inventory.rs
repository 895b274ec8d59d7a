use serde_json::json;

use super::{SCRIPT, SWITCH, World, staging};
use crate::support::{Run, api};

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_shows_what_every_environment_has_lacks_and_has_too_many_of() {
    let world = World::deployed(&staging(SWITCH));
    let production = crate::support::manifest("production");
    world
        .project
        .write("environments/production.toml", &production);
    let path = api::of_account(&world.sandbox, &format!("workers/scripts/{SCRIPT}/secrets"));
    let foreign =
        json!({ "name": "OLD_KEY", "text": "somebody put it there", "type": "secret_text" });
    api::call(&world.sandbox, "PUT", &path, Some(foreign)).await;

    let printed = world.run(&["secrets", "list"]).fails();
    assert_eq!(printed.stderr, "");
    insta::assert_snapshot!(printed.stdout, @r"
secret                    production  staging
WEBHOOK_SECRET            missing     present, 0 min
WEBHOOK_SECRET_ALTERNATE  idle slot   idle slot
ADMIN_SECRET              -           present, 0 min
OLD_KEY                   -           extra, 0 min
");
    let json = world
        .run(&["secrets", "list", "staging", "--json"])
        .succeeds()
        .json();
    let states: Vec<(&str, &str)> = json["environments"][0]["secrets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| {
            (
                cell["name"].as_str().unwrap(),
                cell["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            ("ADMIN_SECRET", "present"),
            ("WEBHOOK_SECRET", "present"),
            ("WEBHOOK_SECRET_ALTERNATE", "idle_slot"),
            ("OLD_KEY", "extra"),
        ]
    );
    assert_eq!(json["environments"][0]["secrets"][1]["rotation"], "fresh");

    // A manifest that cannot be understood hides no other one
    let broken = production.replace("[room]", "[[room]]");
    world.project.write("environments/production.toml", &broken);
    let printed = world.run(&["secrets", "list"]).fails();
    let line = 1 + broken.lines().position(|it| it == "[[room]]").unwrap();
    let why = format!(
        "environments/production.toml:{line}: `[[room]]` begins one of several tables, and there is one only"
    );
    assert_eq!(
        printed.stdout,
        format!(
            "secret                    staging\nADMIN_SECRET              present, 0 min\nWEBHOOK_SECRET            present, 0 min\nWEBHOOK_SECRET_ALTERNATE  idle slot\nOLD_KEY                   extra, 0 min\nproduction\n  cannot be read: {why}\n  help: write `[room]`\n"
        )
    );
    let told = "error: cannot read the secrets of `production`\n";
    assert_eq!(printed.stderr, told);
    let json = world.run(&["secrets", "list", "--json"]).fails().json();
    assert_eq!(json["environments"][0]["environment"], "staging");
    let entry = json!({ "environment": "production", "error": why, "help": "write `[room]`" });
    assert_eq!(json["unreadable"], json!([entry]));

    // Never deleted by anything but `--prune`, which names the environment
    assert_eq!(
        world.names().await,
        ["ADMIN_SECRET", "OLD_KEY", "WEBHOOK_SECRET"]
    );
    let usage = world.run(&["secrets", "list", "--prune"]).printed();
    assert_eq!(usage.code, 2, "{}", usage.stderr);
    a_room_of_somebody_else_stops_it(&world).await;
    let printed = world
        .run(&["secrets", "list", "staging", "--prune"])
        .succeeds();
    assert_eq!(
        printed.stderr,
        "deleted `OLD_KEY` of `glow-broadcast-staging`\ndeleted `THEIRS` of `glow-broadcast-staging-room`\n"
    );
    assert_eq!(world.names().await, ["ADMIN_SECRET", "WEBHOOK_SECRET"]);
}

/// The room has a secret too many, and is somebody else's for a while: nothing is deleted of the gateway, which is ours.
async fn a_room_of_somebody_else_stops_it(world: &World) {
    let of_room = |rest: &str| {
        let path = format!("workers/scripts/{SCRIPT}-room/{rest}");
        api::of_account(&world.sandbox, &path)
    };
    let theirs = json!({ "name": "THEIRS", "text": "a value", "type": "secret_text" });
    api::call(&world.sandbox, "PUT", &of_room("secrets"), Some(theirs)).await;
    let settings = of_room("script-settings");
    let tags = api::call(&world.sandbox, "GET", &settings, None).await["result"]["tags"].clone();
    let mut foreign = tags.clone();
    let owner = json!("edge-broadcast:owner=github.com/other/broadcast");
    foreign.as_array_mut().unwrap().push(owner);
    let foreign = json!({ "tags": foreign });
    api::call(&world.sandbox, "PATCH", &settings, Some(foreign)).await;
    let versions = world.version_ids().await;
    let refused = world
        .run(&["secrets", "list", "staging", "--prune"])
        .fails();
    let told = format!("error: `{SCRIPT}-room` belongs to `github.com/other/broadcast`");
    assert!(refused.stderr.starts_with(&told), "{}", refused.stderr);
    assert_eq!(world.version_ids().await, versions);

    let tags = json!({ "tags": tags });
    api::call(&world.sandbox, "PATCH", &settings, Some(tags)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_and_status_show_the_same_facts() {
    let world = World::deployed(&staging(
        r#"{ kind = "command", command = "sh -c 'exit 7'" }"#,
    ));
    assert_eq!(
        world.run(&["plan", "staging"]).succeeds().stdout,
        "staging: nothing to change\n"
    );
    let path = api::of_account(&world.sandbox, &format!("workers/scripts/{SCRIPT}/secrets"));
    let foreign =
        json!({ "name": "OLD_KEY", "text": "somebody put it there", "type": "secret_text" });
    api::call(&world.sandbox, "PUT", &path, Some(foreign)).await;
    let list = world
        .run(&["secrets", "list", "staging", "--json"])
        .succeeds()
        .json();
    let ages = |facts: &serde_json::Value| {
        let mut cells = facts["inventory"].as_array().unwrap().clone();
        for cell in &mut cells {
            cell["age_seconds"] = json!(cell["age_seconds"].is_u64());
        }
        cells
    };
    let listed = ages(&json!({ "inventory": list["environments"][0]["secrets"] }));
    let plan = world.run(&["plan", "staging", "--json"]).succeeds().json();
    assert_eq!(ages(&plan["secrets"]), listed);
    assert_eq!(plan["secrets"]["rotation"]["stage"], "at_rest");
    assert_eq!(
        listed[3],
        json!({ "name": "OLD_KEY", "script": SCRIPT, "state": "extra", "age_seconds": true, "age": "at_most", "rotation": null })
    );
    let text = "\n  secret OLD_KEY of glow-broadcast-staging: extra, 0 min\n";
    let plan = world.run(&["plan", "staging"]).succeeds().stdout;
    assert_eq!(plan, format!("staging: nothing to change{text}"));

    world.rotate(&["--finish"]).fails();
    let plan = world.run(&["plan", "staging", "--json"]).succeeds().json();
    assert_eq!(plan["secrets"]["rotation"]["stage"], "handing_over");
    assert_eq!(plan["secrets"]["inventory"][1]["state"], "rotation_open");
    let status = world
        .run(&["status", "staging", "--json"])
        .succeeds()
        .json();
    let status = &status["environments"][0];
    assert_eq!(ages(status), ages(&plan["secrets"]));
    assert_eq!(status["rotation"], plan["secrets"]["rotation"]);
    let open = "\n  secret WEBHOOK_SECRET: a rotation is open: the new value is being handed to the senders\n";
    for command in ["plan", "status"] {
        let shown = world.run(&[command, "staging"]).succeeds().stdout;
        assert!(shown.contains(text) && shown.contains(open), "{shown}");
    }
}

/// A value that this tool sets is as old as that, however long its secret is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_set_value_and_a_rotated_one_have_an_age_of_their_own() {
    let world = World::deployed(&staging(SWITCH));
    let tags = async || {
        let path = format!("workers/scripts/{SCRIPT}/script-settings");
        let tags = api::read(&world.sandbox, &path).await["tags"].clone();
        let tags: Vec<String> = serde_json::from_value(tags).unwrap();
        let times = tags.into_iter().filter_map(|tag| {
            let noted = tag.strip_prefix("edge-broadcast:set=")?;
            Some(noted.split(':').next().unwrap().to_owned())
        });
        times.collect::<Vec<_>>()
    };
    assert_eq!(tags().await, [""; 0]);
    world
        .run(&["secrets", "set", "staging", "ADMIN_SECRET"])
        .succeeds();
    assert_eq!(tags().await, ["ADMIN_SECRET"]);
    world.rotate(&["--finish"]).succeeds();
    assert_eq!(tags().await, ["ADMIN_SECRET", "WEBHOOK_SECRET_ALTERNATE"]);
    world.rotate(&["--finish"]).succeeds();
    assert_eq!(tags().await, ["ADMIN_SECRET", "WEBHOOK_SECRET"]);
}

#[test]
fn listing_sends_nothing_but_gets() {
    let manifest = staging(SWITCH);
    let world = World::deployed(&manifest);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(api::call(
        &world.sandbox,
        "DELETE",
        "/sandbox/requests",
        None,
    ));
    world.run(&["secrets", "list", "staging"]).succeeds();
    // At rest no host is asked, and nothing read that would open one
    let headers = "\n[verify.headers]\nX-Key = { source = \"env:KEY_OF_THE_HOST\" }\n";
    let opened = manifest + headers;
    world.project.write("environments/staging.toml", &opened);
    assert_eq!(world.rotate(&["--status"]).succeeds().stderr, "");
    let requests = runtime.block_on(api::call(&world.sandbox, "GET", "/sandbox/requests", None));
    let requests = requests["result"].as_array().unwrap();
    assert!(requests.len() > 5, "{requests:?}");
    for request in requests
        .iter()
        .filter(|request| !request["path"].as_str().unwrap().starts_with("/sandbox"))
    {
        assert_eq!(request["method"], "GET", "{request}");
    }
}

#[test]
fn a_sender_that_cannot_be_understood_is_shown_under_its_line() {
    let project = crate::support::Project::new();
    project.write("environments/staging.toml", &staging(r#""sst", "shh""#));
    let printed = Run::new(["check", "staging"]).inside(&project).fails();
    assert!(printed.stderr.starts_with("error: unknown variant `shh`, expected one of `sst`, `command`, `file`, `github`, `aws-ssm`\n"), "{}", printed.stderr);
    let without_stage = staging(r#""sst""#).replace("[sst]\napp = \"glow\"\nstage = \"staging\"\nmigration = { mode = \"percent\", percent = 10 }\n", "");
    project.write("environments/staging.toml", &without_stage);
    let printed = Run::new(["check", "staging"]).inside(&project).fails();
    insta::assert_snapshot!(printed.stderr, @r#"
error: the sender names a stage, and the manifest has no `[sst]`
  --> environments/staging.toml:33:12
   |
33 | senders = ["sst"]
   |            ^^^^^
   |
   = help: add `[sst]` with `app` and `stage`, or give the sender a `command` of its own
"#);
}
