use std::io::Write;
use std::process::Stdio;

use serde_json::json;

use super::{ADMIN, OLD, SCRIPT, SWITCH, World, staging};
use crate::support::api;

#[tokio::test(flavor = "multi_thread")]
async fn a_set_secret_is_one_version_in_which_nothing_else_changed() {
    let world = World::deployed(&staging(SWITCH));
    let before = world.version_ids().await;
    let detail = |id: String| {
        let path = format!("workers/scripts/{SCRIPT}/versions/{id}");
        let sandbox = &world.sandbox;
        async move {
            let mut resources = api::read(sandbox, &path).await["resources"].clone();
            let bindings = resources["bindings"].as_array_mut().unwrap();
            bindings.sort_by_key(|binding| binding["name"].to_string());
            resources
        }
    };
    let was = detail(before[0].clone()).await;

    let fresh = "another-admin-secret-of-these-tests-51";
    let mut child = world
        .run(&[
            "secrets",
            "set",
            "staging",
            "ADMIN_SECRET",
            "--stdin",
            "--json",
        ])
        .env("ADMIN_SECRET", "")
        .command()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{fresh}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let after = world.version_ids().await;
    assert_eq!(after[1..], before);
    assert_eq!(detail(after[0].clone()).await, was);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        answer,
        serde_json::json!({
            "environment": "staging",
            "secret": "ADMIN_SECRET",
            "slot": "ADMIN_SECRET",
            "script": SCRIPT,
            "version": after[0],
        })
    );
    let mut statuses = Vec::new();
    for admin in [ADMIN, fresh] {
        let authorization = [("authorization", format!("Bearer {admin}"))];
        let (status, _) = world
            .site()
            .get_with("/secrets/uses", &authorization)
            .await
            .unwrap();
        statuses.push(status);
    }
    assert_eq!(statuses, [403, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_answer_is_lost_is_found_and_not_made_again() {
    let world = World::deployed(&staging(SWITCH));
    let before = world.version_ids().await;
    let set = || {
        let fresh = "another-admin-secret-of-these-tests-51";
        world
            .run(&["secrets", "set", "staging", "ADMIN_SECRET"])
            .env("ADMIN_SECRET", fresh)
    };
    let lost = json!({ "kind": "lost", "method": "PATCH", "path": "secrets-bulk" });
    api::call(&world.sandbox, "POST", "/sandbox/faults", Some(lost)).await;
    set().succeeds();
    assert_eq!(world.version_ids().await[1..], before);

    // One that was not carried out is sent again
    let before = world.version_ids().await;
    let reset = json!({ "kind": "reset", "method": "PATCH", "path": "secrets-bulk" });
    api::call(&world.sandbox, "POST", "/sandbox/faults", Some(reset)).await;
    set().succeeds();
    assert_eq!(world.version_ids().await[1..], before);
}

#[tokio::test(flavor = "multi_thread")]
async fn weak_missing_and_unknown_values_are_refused_before_anything_is_written() {
    let world = World::deployed(&staging(SWITCH));
    let versions = world.version_ids().await;
    for (name, value, wanted) in [
        (
            "WEBHOOK_SECRET",
            "your-secure-webhook-secret",
            "error: the value of the secret `WEBHOOK_SECRET` is an example from documentation\nhelp: make a good one with `echo \"whsec_$(openssl rand -base64 32)\"`\n",
        ),
        (
            "WEBHOOK_SECRET",
            "Admin-Password-1234567890-Secret",
            "error: the value of the secret `WEBHOOK_SECRET` is made of common words, so that it can be guessed\nhelp: make a good one with `echo \"whsec_$(openssl rand -base64 32)\"`\n",
        ),
        (
            "WEBHOOK_SECRET",
            "hunter2",
            "error: the value of the secret `WEBHOOK_SECRET` has 7 characters, fewer than 24\nhelp: make a good one with `echo \"whsec_$(openssl rand -base64 32)\"`\n",
        ),
        (
            "WEBHOOK_SECRET",
            "",
            "error: the secret `WEBHOOK_SECRET` is empty: its source `env:WEBHOOK_SECRET` names an environment variable that is set but empty\n",
        ),
        (
            "WEBHOK_SECRET",
            OLD,
            "error: the manifest of `staging` names no secret `WEBHOK_SECRET`\nhelp: add `[secrets.WEBHOK_SECRET]`, or use `ADMIN_SECRET`, `WEBHOOK_SECRET`; did you mean `WEBHOOK_SECRET`?\n",
        ),
    ] {
        let printed = world
            .run(&["secrets", "set", "staging", name])
            .env("WEBHOOK_SECRET", value)
            .fails();
        assert_eq!(printed.stderr, wanted);
    }
    // A deployment without a change reads no secret
    let changed =
        super::Project::with_staging("max_message_bytes = 16384", "max_message_bytes = 8192");
    let printed = world
        .run(&["deploy", "staging"])
        .inside(&changed)
        .env("WEBHOOK_SECRET", "your-secure-webhook-secret")
        .fails();
    assert!(
        printed.stderr.contains(
            "\nerror: the value of the secret `WEBHOOK_SECRET` is an example from documentation"
        ),
        "{}",
        printed.stderr
    );
    let printed = world
        .run(&["secrets", "remove", "staging", "WEBHOOK_SECRET"])
        .fails();
    assert_eq!(
        printed.stderr,
        "error: `WEBHOOK_SECRET` is the only value that publishers have\nhelp: `edge-broadcast secrets rotate staging` replaces it\n"
    );
    assert_eq!(world.version_ids().await, versions);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_source_deploys_and_verifies() {
    let sources = staging(SWITCH)
        .replace(
            "source = \"env:WEBHOOK_SECRET\"",
            "source = \"file:secrets.json#hook\"",
        )
        .replace(
            "source = \"env:ADMIN_SECRET\"",
            "source = \"command:sh -c 'echo asking >&2; cat admin.txt'\"",
        );
    super::built();
    let project = super::Project::new();
    project.write("environments/staging.toml", &sources);
    project.write("secrets.json", &format!(r#"{{"hook": "{OLD}"}}"#));
    project.write("admin.txt", ADMIN);
    let sandbox = super::Sandbox::start();
    let run = |args: &[&'static str]| {
        super::Run::new(args.iter().copied())
            .inside(&project)
            .against(&sandbox)
    };
    let printed = run(&["deploy", "staging"]).succeeds();
    assert!(
        printed.stderr.contains("sh: asking\n"),
        "{}",
        printed.stderr
    );
    run(&["verify", "staging"]).succeeds();
    let generated = |name: &str| {
        std::fs::read_to_string(project.path().join("generated/staging").join(name)).unwrap()
    };
    assert!(generated("secrets.env").contains("ADMIN_SECRET=   # command:sh -c 'echo asking >&2; cat admin.txt'\nWEBHOOK_SECRET=   # file:secrets.json#hook\n"));
    assert!(!generated("deploy.yml").contains("WEBHOOK_SECRET"));
    // Neither is asked for when nothing needs it
    std::fs::remove_file(project.path().join("admin.txt")).unwrap();
    let printed = run(&["deploy", "staging"]).succeeds();
    assert!(!printed.stderr.contains("asking"), "{}", printed.stderr);
    // `prompt` needs a terminal
    project.write(
        "environments/staging.toml",
        &sources.replace("file:secrets.json#hook", "prompt"),
    );
    let printed = run(&["verify", "staging"]).fails();
    assert_eq!(
        printed.stderr,
        "error: the secret `WEBHOOK_SECRET` has no value: its source `prompt`: asks on a terminal, and there is none\nhelp: use another source, or `secrets set --stdin`\n"
    );
}
