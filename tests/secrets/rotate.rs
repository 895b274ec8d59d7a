use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use super::publisher::{Client, Publisher, refused};
use super::{NEVER, OLD, SCRIPT, SWITCH, World, did, staging};
use crate::support::api;

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_refuses_no_publish_and_loses_no_message() {
    let world = World::deployed(&staging(SWITCH));
    let (tell_last, last) = tokio::sync::watch::channel(None);
    let client = Client::start(world.site(), last);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let publisher = Publisher::start(world.site(), world.key_file());
    tokio::time::sleep(Duration::from_millis(500)).await;

    let began = Instant::now();
    let run = world.rotate(&["--json"]);
    let printed = tokio::task::spawn_blocking(|| run.succeeds())
        .await
        .unwrap();
    eprintln!(
        "a rotation with a retry horizon of one second took {:?}",
        began.elapsed()
    );
    tokio::time::sleep(Duration::from_millis(500)).await;
    let answers = publisher.stop().await;
    let newest = answers.last().unwrap().0;
    tell_last.send(Some(newest)).unwrap();
    // One more, so that a client that already had the last one looks again
    assert_eq!(refused(&answers), []);
    assert!(answers.len() > 40, "only {} publishes", answers.len());
    let key = world.key();
    world
        .site()
        .post(
            "/broadcast/SOL",
            &[("authorization", format!("Bearer {key}"))],
            json!({"type": "END"}).to_string(),
        )
        .await
        .unwrap();
    assert_eq!(client.received().await, (1..=newest).collect());

    assert_eq!(
        did(&printed),
        [
            "checked: `glow-broadcast-staging` serves its newest version; a new value goes to command `sh`",
            "written: a new value is in the idle slot `WEBHOOK_SECRET_ALTERNATE`, and nothing else changed",
            "probed: the new and the old value are accepted",
            "handed over: command `sh` has the value",
            "waited: `WEBHOOK_SECRET` has not been used for 1s",
            "revoked: the slot `WEBHOOK_SECRET` is empty, and nothing else changed",
            "proved: the value that stays is accepted, the revoked one is refused",
        ]
    );
    assert_eq!(printed.json()["slot"], "WEBHOOK_SECRET_ALTERNATE");
    assert!(printed.stderr.contains("note: `deploy` and `verify` read the value from `env:WEBHOOK_SECRET`, which does not give the one that is live"), "{}", printed.stderr);
    assert_eq!(
        world.names().await,
        ["ADMIN_SECRET", "WEBHOOK_SECRET_ALTERNATE"]
    );
    assert_eq!(world.mark().await, None);
    assert_eq!(
        (world.publish(OLD).await, world.publish(&key).await),
        (403, 200)
    );

    // Everything goes on with the value in the second slot
    let with_key = |args: &[&str]| world.run(args).env("WEBHOOK_SECRET", &key);
    assert_eq!(
        with_key(&["plan", "staging"]).succeeds().stdout,
        "staging: nothing to change\n"
    );
    with_key(&["verify", "staging"]).succeeds();
    let status = world
        .run(&["status", "staging", "--json"])
        .succeeds()
        .json();
    assert_eq!(
        status["environments"][0]["secrets"],
        json!({ "ADMIN_SECRET": true, "WEBHOOK_SECRET": true })
    );
    let next = "whsec_YW5vdGhlci1nb29kLXNlY3JldC1mb3ItdGhlLXRlc3Q=";
    let set = world
        .run(&["secrets", "set", "staging", "WEBHOOK_SECRET"])
        .env("WEBHOOK_SECRET", next)
        .succeeds();
    assert_eq!(
        set.stdout,
        "staging: `WEBHOOK_SECRET` is set on `glow-broadcast-staging` in the slot `WEBHOOK_SECRET_ALTERNATE`, and nothing else changed\n"
    );
    assert_eq!(
        (world.publish(&key).await, world.publish(next).await),
        (403, 200)
    );

    // And the next rotation goes the other way
    let printed = world
        .rotate(&["--finish", "--json"])
        .env("WEBHOOK_SECRET", next)
        .succeeds();
    assert_eq!(printed.json()["slot"], "WEBHOOK_SECRET");
    assert_eq!(world.names().await, ["ADMIN_SECRET", "WEBHOOK_SECRET"]);
    assert_eq!(
        (world.publish(next).await, world.publish(&world.key()).await),
        (403, 200)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_never_switches_keeps_the_old_value_alive_and_is_named() {
    let world = World::deployed(&staging(NEVER));
    let publisher = Publisher::start(world.site(), world.key_file());
    let run = world.rotate(&[]);
    let printed = tokio::task::spawn_blocking(|| run.fails()).await.unwrap();
    let error = &printed.stderr[printed.stderr.find("error: ").unwrap()..];
    assert!(
        error.starts_with("error: `WEBHOOK_SECRET` is still used: "),
        "{error}"
    );
    for part in [
        "and 0 with that of `WEBHOOK_SECRET_ALTERNATE`; nothing was revoked, and both values are accepted",
        "the value that stays was handed to command `sh`: whoever reads it there has not switched",
        "`--finish` to revoke it now, or `--abort` to go back",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(
        world.names().await,
        ["ADMIN_SECRET", "WEBHOOK_SECRET", "WEBHOOK_SECRET_ALTERNATE"]
    );

    let status = world.rotate(&["--status"]).succeeds().stdout;
    let lines: Vec<&str> = status.lines().collect();
    assert_eq!(
        lines[0],
        "staging: `WEBHOOK_SECRET`: a rotation is open: the senders have the new value, the old one is not revoked yet"
    );
    assert!(
        lines[1].starts_with("  WEBHOOK_SECRET            filled, used "),
        "{status}"
    );
    assert!(
        lines[2].starts_with("  WEBHOOK_SECRET_ALTERNATE  filled, used "),
        "{status}"
    );
    let set = world
        .run(&["secrets", "set", "staging", "WEBHOOK_SECRET"])
        .fails();
    assert_eq!(
        set.stderr,
        "error: a rotation of `WEBHOOK_SECRET` is open\nhelp: `edge-broadcast secrets rotate staging` ends it, `--abort` undoes it\n"
    );

    // The way back: the source still gives the old value
    let run = world.rotate(&["--abort", "--json"]);
    let printed = tokio::task::spawn_blocking(|| run.succeeds())
        .await
        .unwrap();
    assert_eq!(refused(&publisher.stop().await), []);
    assert_eq!(
        did(&printed)[1..],
        [
            "handed over: command `sh` has the value",
            "waited: `WEBHOOK_SECRET_ALTERNATE` has not been used for 1s",
            "revoked: the slot `WEBHOOK_SECRET_ALTERNATE` is empty, and nothing else changed",
            "proved: the value that stays is accepted",
        ]
    );
    assert_eq!(world.names().await, ["ADMIN_SECRET", "WEBHOOK_SECRET"]);
    assert_eq!(world.mark().await, None);
    assert_eq!(
        std::fs::read_to_string(world.project.path().join("ignored")).unwrap(),
        OLD
    );
}

/// Says nothing, and takes the value when it is told to.
const SILENT: &str = r#"{ kind = "command", command = "sh -c 'cat > key.new; for i in $(seq 300); do [ -e go ] && mv key.new key && exit; sleep 0.1; done; exit 1'" }"#;

/// Whoever watches hears of a sender that takes its time and says nothing.
fn waits_for_a_silent_sender(world: &World) {
    world
        .project
        .write("environments/staging.toml", &staging(SILENT));
    let mut child = world
        .rotate(&["--compromised"])
        .command()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    let wanted = "waiting up to 9 min 58 s: command `sh` is still at work";
    let is_told = told.by_ref().any(|line| line.unwrap() == wanted);
    world.project.write("go", "");
    assert!(is_told && child.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compromised_value_is_refused_within_one_deployment() {
    let world = World::deployed(&staging(SWITCH));
    let before = world.version_ids().await.len();
    let printed = world.rotate(&["--compromised", "--json"]).succeeds();
    assert_eq!(
        did(&printed),
        [
            "revoked: one version put a new value into `WEBHOOK_SECRET_ALTERNATE` and emptied `WEBHOOK_SECRET`",
            "handed over: command `sh` has the value",
            "proved: the new value is accepted, the revoked one is refused",
        ]
    );
    assert_eq!(world.version_ids().await.len(), before + 1);
    assert_eq!(
        world.names().await,
        ["ADMIN_SECRET", "WEBHOOK_SECRET_ALTERNATE"]
    );
    assert_eq!(
        (world.publish(OLD).await, world.publish(&world.key()).await),
        (403, 200)
    );
    assert_eq!(world.mark().await, None);

    waits_for_a_silent_sender(&world);
    assert_eq!(world.publish(&world.key()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_the_slots_and_the_mark_stands_in_the_way_of_a_compromised_value() {
    // A handover is open, nobody takes the value, and neither source gives anything
    let world = World::deployed(&staging(
        r#"{ kind = "command", command = "sh -c 'exit 7'" }"#,
    ));
    world.rotate(&["--finish"]).fails();
    assert!(world.mark().await.unwrap().contains("=giving:"));
    let unreadable = |args: &[&str]| {
        let run = world.rotate(args);
        run.env("ADMIN_SECRET", "").env("WEBHOOK_SECRET", "")
    };
    let printed = unreadable(&["--compromised"]).fails();
    assert!(
        printed.stderr.contains("error: the old value is revoked, and nobody can publish until the senders have the new one: ")
            && printed.stderr.ends_with("\nhelp: repair the sender and run `edge-broadcast secrets rotate staging`\n"),
        "{}",
        printed.stderr
    );
    assert_eq!(world.publish(OLD).await, 403);
    // Without a sender it ends too, and says what is left to do
    world
        .project
        .write("environments/staging.toml", &staging(""));
    let printed = unreadable(&["--compromised"]).succeeds();
    assert!(
        printed.stderr.contains("note: the secret `WEBHOOK_SECRET` of `staging` has no `senders`, so nobody learned the new value, and nobody can publish; `edge-broadcast secrets set staging WEBHOOK_SECRET` sets one that you know, and `secrets rotate staging --compromised --to-file PATH` a new one that it writes to a file\n"),
        "{}",
        printed.stderr
    );
    assert_eq!(world.mark().await, None);
    world
        .project
        .write("environments/staging.toml", &staging(SWITCH));
    unreadable(&["--compromised"]).succeeds();
    assert_eq!(world.publish(&world.key()).await, 200);
    assert_eq!(world.names().await.len(), 2);
    // `--finish` and `--status` need no admin secret either
    unreadable(&["--finish"]).succeeds();
    unreadable(&["--status"]).succeeds();
    assert_eq!(world.publish(&world.key()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_senders_one_that_never_switches_keeps_the_old_value_alive() {
    let two = format!(r#"{SWITCH}, {{ kind = "file", path = "ignored.env" }}"#);
    let world = World::deployed(&staging(&two));
    let other = world.project.path().join("other");
    world.project.write("other", OLD);
    let publishers = [world.key_file(), other].map(|key| Publisher::start(world.site(), key));
    let run = world.rotate(&[]);
    let printed = tokio::task::spawn_blocking(|| run.fails()).await.unwrap();
    let error = &printed.stderr[printed.stderr.find("error: ").unwrap()..];
    for part in [
        "error: `WEBHOOK_SECRET` is still used: ",
        " publishes with its value in the last ",
        " (the last one ",
        " s ago), and ",
        " with that of `WEBHOOK_SECRET_ALTERNATE`; nothing was revoked, and both values are accepted\nhelp: the value that stays was handed to command `sh`, file `ignored.env`: whoever reads it at one of these has not switched; the counters tell the values apart, not the senders",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains(", and 0 with"), "{error}");
    for publisher in publishers {
        assert_eq!(refused(&publisher.stop().await), []);
    }
}

/// A deployment while a rotation is open leaves the note of it alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_changes_settings_keeps_the_mark() {
    let world = World::deployed(&staging(
        r#"{ kind = "command", command = "sh -c 'exit 7'" }"#,
    ));
    world.rotate(&["--finish"]).fails();
    let mark = world.mark().await;
    assert!(mark.is_some());
    world.project.write(
        "environments/staging.toml",
        &staging(SWITCH).replace("[worker]\n", "[worker]\nobservability = false\n"),
    );
    let printed = world.run(&["deploy", "staging"]).succeeds();
    assert!(
        printed.stdout.contains("observability"),
        "{}",
        printed.stdout
    );
    assert_eq!(world.mark().await, mark);
    world.rotate(&["--finish"]).succeeds();
    assert_eq!(world.publish(&world.key()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_could_go_wrong_does_not_begin() {
    let world = World::deployed(&staging(SWITCH));
    let versions = world.version_ids().await;

    // Only the webhook secret has two slots
    let printed = world.rotate(&["ADMIN_SECRET"]).fails();
    assert_eq!(
        printed.stderr,
        "error: only `WEBHOOK_SECRET` has two slots to rotate in\nhelp: `edge-broadcast secrets set staging ADMIN_SECRET` replaces a value at once\n"
    );
    // Nobody would learn the new value
    world
        .project
        .write("environments/staging.toml", &staging(""));
    let printed = world.rotate(&[]).fails();
    assert!(printed.stderr.contains("nobody would learn the new value: the secret `WEBHOOK_SECRET` of `staging` has no `senders`"), "{}", printed.stderr);
    // Nobody can tell when the old one is unused
    let blind =
        staging(SWITCH).replace("[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"", "");
    world.project.write("environments/staging.toml", &blind);
    let printed = world.rotate(&[]).fails();
    assert!(printed.stderr.starts_with("error: `staging` has no `ADMIN_SECRET`, so nobody can tell when the old value is unused; nothing was changed\nhelp: "), "{}", printed.stderr);
    // A protected environment
    world.project.write(
        "environments/staging.toml",
        &staging(SWITCH).replace("zone = ", "protected = true\nzone = "),
    );
    let printed = world.rotate(&[]).fails();
    assert!(
        printed
            .stderr
            .contains("`staging` is protected and can be confirmed on a terminal only"),
        "{}",
        printed.stderr
    );
    assert_eq!(world.version_ids().await, versions);
    assert_eq!(world.names().await, ["ADMIN_SECRET", "WEBHOOK_SECRET"]);
    assert_eq!(world.mark().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_sender_stops_the_rotation_before_anything_is_revoked() {
    let world = World::deployed(&staging(
        r#"{ kind = "command", command = "sh -c 'echo \"no access for $(cat)\" >&2; exit 7'" }"#,
    ));
    let printed = world.rotate(&["--finish"]).fails();
    assert!(
        printed.stderr.ends_with("error: nothing was revoked: both values are accepted: the sender command `sh` did not take the value: `sh` failed (exit status: 7)\n  no access for [redacted]\nhelp: repair the sender, then run `edge-broadcast secrets rotate staging` to go on or `edge-broadcast secrets rotate staging --abort` to go back\n"),
        "{}",
        printed.stderr
    );
    assert_eq!(
        world.names().await,
        ["ADMIN_SECRET", "WEBHOOK_SECRET", "WEBHOOK_SECRET_ALTERNATE"]
    );
    assert_eq!(world.publish(OLD).await, 200);

    // Repaired: the value that nobody took is replaced, and the rotation ends
    world
        .project
        .write("environments/staging.toml", &staging(SWITCH));
    world.rotate(&["--finish"]).succeeds();
    assert_eq!(
        world.names().await,
        ["ADMIN_SECRET", "WEBHOOK_SECRET_ALTERNATE"]
    );
    assert_eq!(
        (world.publish(OLD).await, world.publish(&world.key()).await),
        (403, 200)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_counters_the_wait_is_the_horizon_alone_and_foreign_slots_are_not_touched() {
    let blind =
        staging(SWITCH).replace("[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"", "");
    let world = World::deployed(&blind);
    let printed = world.rotate(&["--without-evidence", "--json"]).succeeds();
    assert!(
        did(&printed)
            .contains(&"waited: 1s, without evidence that `WEBHOOK_SECRET` is unused".to_owned()),
        "{}",
        printed.stdout
    );
    assert_eq!(world.names().await, ["WEBHOOK_SECRET_ALTERNATE"]);

    // Somebody fills the idle slot by hand: which of the two the senders have is not known
    let key = world.key();
    let path = api::of_account(&world.sandbox, &format!("workers/scripts/{SCRIPT}/secrets"));
    let foreign = json!({ "name": "WEBHOOK_SECRET", "text": "put-there-by-somebody-else", "type": "secret_text" });
    api::call(&world.sandbox, "PUT", &path, Some(foreign)).await;
    for more in [vec!["--finish"], vec!["--finish", "--abort"]] {
        let printed = world.rotate(&more).fails();
        assert!(
            printed.stderr.contains("error: both slots of `WEBHOOK_SECRET` are filled, and not by a rotation of this tool"),
            "{}",
            printed.stderr
        );
    }
    world
        .run(&["secrets", "remove", "staging", "WEBHOOK_SECRET"])
        .succeeds();
    assert_eq!(world.names().await, ["WEBHOOK_SECRET_ALTERNATE"]);
    assert_eq!(world.publish(&key).await, 200);
    let printed = world.rotate(&["--finish", "--abort"]).fails();
    assert!(
        printed
            .stderr
            .ends_with("error: no rotation of `staging` is open: there is nothing to abort\n"),
        "{}",
        printed.stderr
    );
}
