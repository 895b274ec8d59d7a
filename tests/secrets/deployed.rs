//! Secrets change on the code that is deployed, whatever the newest version is.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::{ADMIN, NEVER, OLD, SCRIPT, SWITCH, World, did, staging};
use crate::support::api;

/// Does not take the value.
const FAILS: &str = r#"{ kind = "command", command = "sh -c 'exit 7'" }"#;

impl World {
    fn manifest(&self, text: &str) {
        self.project.write("environments/staging.toml", text);
    }

    fn deploy(&self, manifest: &str) -> crate::support::Run {
        self.manifest(manifest);
        self.run(&["deploy", "staging"])
            .env("WEBHOOK_SECRET", &self.key())
    }

    /// The version that has all traffic.
    async fn live(&self) -> String {
        let shares = api::shares(&self.sandbox, SCRIPT).await;
        let [(live, _)] = shares.as_slice() else {
            panic!("{shares:?}")
        };
        live.clone()
    }

    /// What the deployed version is made of, its secrets aside.
    async fn code(&self) -> Value {
        let path = format!("workers/scripts/{SCRIPT}/versions/{}", self.live().await);
        let mut resources = api::read(&self.sandbox, &path).await["resources"].take();
        // Who uploaded it last
        resources["script"]
            .as_object_mut()
            .unwrap()
            .remove("last_deployed_from");
        let bindings = resources["bindings"].as_array_mut().unwrap();
        bindings.retain(|binding| binding["type"] != "secret_text");
        bindings.sort_by_key(|binding| binding["name"].to_string());
        resources
    }

    /// Another limit, deployed and taken back, in the manifest too.
    fn deploy_and_roll_back(&self) {
        let manifest = staging(SWITCH);
        let other = manifest.replace("max_message_bytes = 16384", "max_message_bytes = 8192");
        self.deploy(&other).succeeds();
        self.run(&["rollback", "staging"])
            .env("WEBHOOK_SECRET", &self.key())
            .succeeds();
        self.manifest(&manifest);
    }

    /// A limit with which the deployment's own verification fails.
    fn deploy_what_goes_back(&self) {
        let manifest = staging(SWITCH);
        let other = manifest.replace("max_message_bytes = 16384", "max_message_bytes = 64");
        let printed = self.deploy(&other).fails();
        let went = "`glow-broadcast-staging` went back to the version before";
        assert!(printed.stderr.contains(went), "{}", printed.stderr);
        self.manifest(&manifest);
    }

    /// The deployed version is not the newest.
    async fn assert_behind(&self) {
        assert_ne!(self.version_ids().await[0], self.live().await);
    }

    /// The code is `code`, the deployed version the newest, and nothing is left to do.
    async fn assert_changed_on(&self, code: &Value, what: &str) {
        assert_eq!(self.code().await, *code, "{what}");
        assert_eq!(self.version_ids().await[0], self.live().await, "{what}");
        assert_eq!(self.mark().await, None, "{what}");
        let plan = self.run(&["plan", "staging"]).succeeds();
        assert_eq!(plan.stdout, "staging: nothing to change\n", "{what}");
        assert_eq!(self.publish(&self.key()).await, 200, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_change_on_the_deployed_code_after_a_rollback_an_automatic_return_and_a_foreign_upload()
 {
    let world = World::deployed(&staging(SWITCH));
    let code = world.code().await;

    world.deploy_and_roll_back();
    world.assert_behind().await;
    let (newest, live) = (world.version_ids().await.remove(0), world.live().await);
    let note = format!(
        "  note   the newest version of `{SCRIPT}`, `{newest}`, is not the deployed one, `{live}`"
    );
    // `doctor` would say that they are stale
    world.run(&["generate"]).succeeds();
    for command in ["plan", "status", "doctor"] {
        let printed = world.run(&[command, "staging"]).succeeds();
        assert!(printed.stdout.contains(&note), "{}", printed.stdout);
    }
    let printed = world.rotate(&["--compromised", "--json"]).succeeds();
    assert_eq!(
        did(&printed),
        [
            "revoked: one version put a new value into `WEBHOOK_SECRET_ALTERNATE` and emptied `WEBHOOK_SECRET`",
            "handed over: command `sh` has the value",
            "proved: the new value is accepted, the revoked one is refused",
        ]
    );
    assert_eq!(world.publish(OLD).await, 403);
    world.assert_changed_on(&code, "compromised").await;

    world.deploy_what_goes_back();
    world.assert_behind().await;
    world
        .run(&["secrets", "set", "staging", "ADMIN_SECRET"])
        .succeeds();
    world.assert_changed_on(&code, "set").await;

    api::foreign_version(&world.sandbox, SCRIPT).await;
    let live = world.live().await;
    let before = world.key();
    let printed = world.rotate(&["--json"]).succeeds();
    assert_eq!(
        did(&printed)[0],
        format!(
            "checked: `{SCRIPT}` serves `{live}`, whose code stays, though it is not the newest version; a new value goes to command `sh`"
        )
    );
    assert_eq!(world.publish(&before).await, 403);
    world.assert_changed_on(&code, "rotate").await;

    // One that is open goes on, or back
    for (more, stays) in [(vec!["--abort"], true), (vec!["--finish"], false)] {
        let before = world.key();
        world.manifest(&staging(FAILS));
        world.rotate(&["--finish"]).fails();
        world.deploy_and_roll_back();
        world.assert_behind().await;
        let run = world.rotate(&more).env("WEBHOOK_SECRET", &before);
        run.succeeds();
        assert_eq!(world.key() == before, stays, "{more:?}");
        world.assert_changed_on(&code, more[0]).await;
    }

    for args in [
        &["secrets", "remove", "staging", "THEIRS"][..],
        &["secrets", "list", "staging", "--prune"],
    ] {
        let theirs = json!({ "name": "THEIRS", "text": "a value", "type": "secret_text" });
        let path = api::of_account(&world.sandbox, &format!("workers/scripts/{SCRIPT}/secrets"));
        api::call(&world.sandbox, "PUT", &path, Some(theirs)).await;
        world.deploy_and_roll_back();
        world.run(args).succeeds();
        assert_eq!(world.names().await.len(), 2);
        world.assert_changed_on(&code, args[1]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_cannot_copy_the_deployed_version_leaves_no_mark() {
    let world = World::deployed(&staging(SWITCH));
    world.deploy_and_roll_back();
    world.assert_behind().await;
    let (live, versions) = (world.live().await, world.version_ids().await);
    for (more, status) in [(&[][..], 403), (&["--compromised"], 404)] {
        let unreadable = json!({ "method": "GET", "path": "/workers/workers/", "kind": "status", "status": status });
        api::fault(&world.sandbox, unreadable).await;
        let printed = world.rotate(more).fails();
        assert_eq!(world.mark().await, None, "{}", printed.stderr);
        if status == 404 {
            insta::assert_snapshot!(printed.stderr.replace(&live, "LIVE"), @r"
error: no secret of `glow-broadcast-staging` was changed: the API does not give the code of the version `LIVE` of `glow-broadcast-staging` back
help: change its code or `[access]`, and run `edge-broadcast deploy staging`: it uploads a version that is the newest and the deployed one, and there secrets change in place
");
        }
    }
    assert_eq!(
        (world.live().await, world.version_ids().await),
        (live, versions)
    );
    assert_eq!(world.publish(OLD).await, 200);

    // The way out, while the code still cannot be read back
    let unreadable = json!({ "method": "GET", "path": "/workers/workers/", "times": 99, "kind": "status", "status": 404 });
    api::fault(&world.sandbox, unreadable).await;
    let other = staging(SWITCH).replace("max_message_bytes = 16384", "max_message_bytes = 4096");
    world.deploy(&other).succeeds();
    assert_eq!(world.version_ids().await[0], world.live().await);
    world.rotate(&["--finish"]).succeeds();
    assert_eq!(world.publish(&world.key()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_of_a_version_without_a_tag_is_known_though_it_is_not_the_newest() {
    let world = World::deployed(&staging(SWITCH));
    // In place: what Cloudflare makes then has no tag
    world.rotate(&["--finish"]).succeeds();
    world.deploy_and_roll_back();
    world.assert_behind().await;
    let plan = world.run(&["plan", "staging"]).succeeds();
    assert!(
        plan.stdout.starts_with("staging: nothing to change\n"),
        "{}",
        plan.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_an_interrupted_run_left_is_no_deployments_version() {
    let world = World::deployed(&staging(SWITCH));
    let other = staging(SWITCH).replace("max_message_bytes = 16384", "max_message_bytes = 8192");
    world.deploy(&other).succeeds();
    api::foreign_version(&world.sandbox, SCRIPT).await;
    let fault = json!({ "method": "POST", "path": "/deployments", "kind": "status", "status": 403, "times": 1 });
    api::fault(&world.sandbox, fault).await;
    let lost = "whsec_bG9zdC1hZG1pbi1zZWNyZXQtb2YtdGhlc2UtdGVzdHM=";
    world
        .run(&["secrets", "set", "staging", "ADMIN_SECRET"])
        .env("ADMIN_SECRET", lost)
        .fails();
    let left = world.version_ids().await.remove(0);
    // The copy is of what is wanted next, and has a secret that nobody deployed
    world.run(&["rollback", "staging"]).succeeds();
    world.deploy(&other).succeeds();
    assert_ne!(world.live().await, left);
    let mut statuses = Vec::new();
    for admin in [ADMIN, lost] {
        let authorization = [("authorization", format!("Bearer {admin}"))];
        let site = world.site();
        let read = site.get_with("/secrets/uses", &authorization).await;
        statuses.push(read.unwrap().0);
    }
    assert_eq!(statuses, [200, 403]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gradual_deployment_is_ended_by_nobody_but_the_one_who_says_so() {
    let world = World::deployed(&staging(NEVER));
    let live = world.live().await;
    let foreign = api::foreign_version(&world.sandbox, SCRIPT).await;
    let shares = [(live.as_str(), 90), (foreign.as_str(), 10)];
    api::split(&world.sandbox, SCRIPT, &shares).await;
    for args in [
        &["secrets", "rotate", "staging"][..],
        &["secrets", "rotate", "staging", "--compromised"],
        &["secrets", "set", "staging", "ADMIN_SECRET"],
    ] {
        let printed = world.run(args).fails();
        assert_eq!(
            printed.stderr,
            format!(
                "error: `{SCRIPT}` has a gradual deployment running, and a change of a secret would end it\nhelp: finish it with `edge-broadcast deploy staging`, or put one version at 100 % with `edge-broadcast rollback staging --to {live}`\n"
            )
        );
        assert_eq!(world.mark().await, None);
    }
    world
        .run(&["rollback", "staging", "--to", &live])
        .succeeds();
    world.assert_behind().await;
    world
        .run(&["secrets", "set", "staging", "ADMIN_SECRET"])
        .succeeds();
    assert_eq!(world.names().await, ["ADMIN_SECRET", "WEBHOOK_SECRET"]);
}

/// A change that may have been made all the same, as far as the tool can know, leaves the file with the value.
async fn cut_off_with_a_file(world: &World) {
    let kept = |name: &str| {
        let text = std::fs::read_to_string(world.project.path().join(name)).unwrap();
        assert!(text.starts_with("WEBHOOK_SECRET='whsec_"), "{name}");
    };
    let open = json!({ "method": "PATCH", "path": "secrets-bulk", "kind": "status", "status": 500, "times": 4 });
    api::fault(&world.sandbox, open).await;
    let open = world
        .rotate(&["--compromised", "--to-file", "open.env"])
        .fails();
    let told = "error: nobody can tell whether the new value is live; if it is, `open.env` is the only place that has it, so the file stays: ";
    assert!(open.stderr.contains(told), "{}", open.stderr);
    kept("open.env");

    // The change is made, and what is live then cannot be read: a refusal too, but not of the change
    let unread = json!({ "method": "PATCH", "path": "secrets-bulk", "kind": "lost" });
    api::fault(&world.sandbox, unread).await;
    let unread = json!({ "method": "GET", "path": "/deployments", "kind": "status", "status": 403, "nth": 5 });
    api::fault(&world.sandbox, unread).await;
    let versions = world.version_ids().await.len();
    let unread = world
        .rotate(&["--compromised", "--to-file", "unread.env"])
        .fails();
    let told = told.replace("open.env", "unread.env");
    assert!(unread.stderr.contains(&told), "{}", unread.stderr);
    assert_eq!(world.version_ids().await.len(), versions + 1);
    kept("unread.env");

    let hang = json!({ "method": "PATCH", "path": "secrets-bulk", "kind": "hang" });
    api::fault(&world.sandbox, hang).await;
    let mut child = world
        .rotate(&["--compromised", "--to-file", "cut.env"])
        .command()
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while api::call(&world.sandbox, "GET", "/sandbox/faults", None).await["result"] != json!([])
        && child.try_wait().unwrap().is_none()
    {
        tokio::task::yield_now().await;
    }
    crate::support::interrupt(&child);
    let told = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    assert!(
        told.contains("`cut.env` is written; from here on its value may be the one that is live\n"),
        "{told}"
    );
    kept("cut.env");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaked_value_is_replaced_without_a_sender_by_one_in_a_file_that_is_named() {
    let world = World::deployed(&staging(""));
    let versions = world.version_ids().await;
    world.project.write("there.env", "theirs");
    std::os::unix::fs::symlink("elsewhere", world.project.path().join("link.env")).unwrap();
    for name in ["there.env", "link.env"] {
        let printed = world.rotate(&["--compromised", "--to-file", name]).fails();
        assert_eq!(
            printed.stderr,
            format!(
                "error: `{name}` exists already, and no file is overwritten\nhelp: name another file, or remove this one\n"
            )
        );
    }
    // Nothing was written, and what could not be changed leaves no file
    assert_eq!(
        (world.version_ids().await, world.mark().await),
        (versions, None)
    );
    let fault = json!({ "method": "PATCH", "path": "secrets-bulk", "kind": "status", "status": 403, "times": 1 });
    api::fault(&world.sandbox, fault).await;
    let path = world.project.path().join("new.env");
    let replace = || world.rotate(&["--compromised", "--to-file", "new.env", "--json"]);
    replace().fails();
    assert!(!path.exists());

    let printed = replace().succeeds();
    assert_eq!(
        did(&printed),
        [
            "revoked: one version put a new value into `WEBHOOK_SECRET_ALTERNATE` and emptied `WEBHOOK_SECRET`",
            "handed over: `new.env` has the value, for its owner only",
            "proved: the new value is accepted, the revoked one is refused",
        ]
    );
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    let value = text.strip_prefix("WEBHOOK_SECRET='").unwrap();
    let value = value.strip_suffix("'\n").unwrap();
    assert!(!printed.stdout.contains(value) && !printed.stderr.contains(value));
    assert_eq!(
        (world.publish(OLD).await, world.publish(value).await),
        (403, 200)
    );
    assert_eq!(world.mark().await, None);
    cut_off_with_a_file(&world).await;
}
