//! SIGKILL after every phase, then the same command again.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use super::publisher::{Publisher, refused};
use super::{OLD, SCRIPT, SWITCH, World, staging};
use crate::support::{Printed, Run, api};

/// Kills a rotation as soon as it says a line that begins with `line`.
fn killed_at(world: &World, more: &[&str], line: &str) {
    let mut child = world
        .rotate(more)
        .command()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let met = stderr.lines().map_while(Result::ok).any(|heard| {
        said.push(heard.clone());
        heard.starts_with(line)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(met, "no line `{line}` in:\n{}", said.join("\n"));
}

/// Runs to its end while publishers go on.
async fn ended(run: Run) -> Printed {
    tokio::task::spawn_blocking(|| run.printed()).await.unwrap()
}

/// Runs to a good end while publishers go on.
async fn succeeded(run: Run) -> Printed {
    tokio::task::spawn_blocking(|| run.succeeds())
        .await
        .unwrap()
}

/// A sender that takes the value, and whose run dies before it can note that.
const DYING: &str =
    r#"{ kind = "command", command = "sh -c 'cat > key.new && mv key.new key && kill -9 $PPID'" }"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_after_any_phase_goes_on_and_ends_with_one_slot_filled() {
    let world = World::deployed(&staging(SWITCH));
    let publisher = Publisher::start(world.site(), world.key_file());
    let (mut filled, mut idle) = ("WEBHOOK_SECRET", "WEBHOOK_SECRET_ALTERNATE");
    let mut before = OLD.to_owned();
    for line in [
        "checked: ",
        "written: ",
        "probed: ",
        "handed over: ",
        "waiting until ",
        "waited: ",
        "revoked: ",
        "proved: ",
    ] {
        tokio::task::block_in_place(|| killed_at(&world, &[], line));
        let names = world.names().await;
        let is_revoked = matches!(line, "revoked: " | "proved: ");
        assert!(
            names.iter().any(|name| name == filled || is_revoked),
            "{line}"
        );
        // After the last line there is one write left: a kill may come too late for it
        if line != "proved: " || world.mark().await.is_some() {
            // The sender switches at once: where it is not what was cut off, the wait is left out
            let more: &[&str] = match line {
                "written: " | "handed over: " | "waiting until " => &[],
                _ => &["--finish"],
            };
            let printed = succeeded(world.rotate(more)).await;
            assert_eq!(
                printed.stdout,
                format!(
                    "staging: `WEBHOOK_SECRET` is rotated; the gateway keeps it in the slot `{idle}`\n"
                ),
                "{line}"
            );
        }
        assert_eq!(world.names().await, ["ADMIN_SECRET", idle], "{line}");
        assert_eq!(world.mark().await, None, "{line}");
        let now = world.key();
        assert_eq!(
            (world.publish(&before).await, world.publish(&now).await),
            (403, 200),
            "{line}"
        );
        (filled, idle, before) = (idle, filled, now);
    }
    assert_eq!(refused(&publisher.stop().await), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_by_its_own_sender_does_not_revoke_what_the_sender_took() {
    for period in [Duration::from_millis(100), Duration::from_secs(5)] {
        let world = World::deployed(&staging(DYING));
        let publisher = Publisher::every(period, world.site(), world.key_file());
        assert_eq!(ended(world.rotate(&[])).await.code, -1);
        let taken = world.key();
        assert_ne!(taken, OLD);

        world
            .project
            .write("environments/staging.toml", &staging(SWITCH));
        let printed = succeeded(world.rotate(&[])).await;
        assert!(
            printed
                .stderr
                .contains("an earlier run was cut off while it handed the value over"),
            "{}",
            printed.stderr
        );
        assert_eq!(
            world.key(),
            taken,
            "a fresh value would have refused the sender for a moment"
        );
        assert_eq!(refused(&publisher.stop().await), []);
        assert_eq!(
            world.names().await,
            ["ADMIN_SECRET", "WEBHOOK_SECRET_ALTERNATE"]
        );
        assert_eq!(
            (world.publish(OLD).await, world.publish(&taken).await),
            (403, 200)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_counters_a_value_that_a_sender_may_have_taken_is_not_overwritten() {
    let blind = |senders| {
        staging(senders).replace("[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"", "")
    };
    let world = World::deployed(&blind(DYING));
    let publisher = Publisher::start(world.site(), world.key_file());
    assert_eq!(ended(world.rotate(&["--without-evidence"])).await.code, -1);
    world
        .project
        .write("environments/staging.toml", &blind(SWITCH));
    let printed = ended(world.rotate(&["--without-evidence"])).await;
    assert_eq!(
        &printed.stderr[printed.stderr.find("error: ").unwrap()..],
        "error: an earlier run was cut off between senders: nobody can tell who has the new value (`WEBHOOK_SECRET_ALTERNATE`), and it cannot be read back to finish the handover; nothing was changed and both are accepted\nhelp: `edge-broadcast secrets rotate staging --abort` hands the old value back to all, and a new rotation can begin; if you know that no sender took it, `--finish` puts a fresh value in its place; `--compromised` replaces both at once, and refuses publishes until every sender has the new one\n"
    );
    // The way out
    succeeded(world.rotate(&["--without-evidence", "--abort"])).await;
    succeeded(world.rotate(&["--without-evidence"])).await;
    assert_eq!(refused(&publisher.stop().await), []);
    assert_eq!(world.names().await, ["WEBHOOK_SECRET_ALTERNATE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_was_never_told_does_not_lose_its_value_while_it_is_silent() {
    // The run dies between two senders; the second one publishes nothing for now
    let two = |first: &str| {
        format!(r#"{first}, {{ kind = "command", command = "sh -c 'cat > other'" }}"#)
    };
    let world = World::deployed(&staging(&two(DYING)));
    world.project.write("other", OLD);
    let publisher = Publisher::start(world.site(), world.key_file());
    assert_eq!(ended(world.rotate(&[])).await.code, -1);

    world
        .project
        .write("environments/staging.toml", &staging(&two(SWITCH)));
    let printed = ended(world.rotate(&[])).await;
    assert_eq!(printed.code, 1, "{}", printed.stderr);
    assert!(
        printed.stderr.contains("error: an earlier run was cut off between senders: somebody publishes with the new value (`WEBHOOK_SECRET_ALTERNATE`), and a sender that is silent now may have the old one (`WEBHOOK_SECRET`) only"),
        "{}",
        printed.stderr
    );
    let other = std::fs::read_to_string(world.project.path().join("other")).unwrap();
    assert_eq!((other.as_str(), world.publish(&other).await), (OLD, 200));
    assert_eq!(refused(&publisher.stop().await), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_ends_with_its_run_and_does_not_overwrite_what_the_next_run_gave() {
    let slow = r#"{ kind = "command", command = "sh -c 'v=$(cat); touch begun; sh -c \"sleep 8\"; printf %s \"$v\" > key'" }"#;
    let world = World::deployed(&staging(slow));
    let mut child = world
        .rotate(&["--finish"])
        .command()
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !world.project.path().join("begun").exists() {
        assert!(child.try_wait().unwrap().is_none());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let killed = Instant::now();
    world
        .project
        .write("environments/staging.toml", &staging(SWITCH));
    succeeded(world.rotate(&["--finish"])).await;
    // What would be late is what this is about
    tokio::time::sleep(Duration::from_secs(10).saturating_sub(killed.elapsed())).await;
    assert_eq!(world.publish(&world.key()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_is_set_into_a_rotation_that_is_revoked_and_not_closed() {
    let world = World::deployed(&staging(SWITCH));
    tokio::task::block_in_place(|| killed_at(&world, &["--finish"], "revoked: "));
    let key = world.key();
    let set = world
        .run(&["secrets", "set", "staging", "WEBHOOK_SECRET"])
        .fails();
    assert_eq!(
        set.stderr,
        "error: a rotation of `WEBHOOK_SECRET` is open\nhelp: `edge-broadcast secrets rotate staging` ends it, `--abort` undoes it\n"
    );
    world.rotate(&["--finish"]).succeeds();
    assert_eq!(world.mark().await, None);
    assert_eq!(
        (world.publish(&key).await, world.publish(OLD).await),
        (200, 403)
    );
    world
        .run(&["secrets", "set", "staging", "WEBHOOK_SECRET"])
        .succeeds();
    assert_eq!(
        (world.publish(&key).await, world.publish(OLD).await),
        (403, 200)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_somebody_set_after_the_revocation_is_the_one_that_stays() {
    let world = World::deployed(&staging(SWITCH));
    tokio::task::block_in_place(|| killed_at(&world, &["--finish"], "revoked: "));
    let path = api::of_account(&world.sandbox, &format!("workers/scripts/{SCRIPT}/secrets"));
    let theirs = "whsec_c29tZWJvZHktc2V0LWl0LWluLXRoZS1kYXNoYm9hcmQ=";
    let secret =
        json!({ "name": "WEBHOOK_SECRET_ALTERNATE", "text": theirs, "type": "secret_text" });
    api::call(&world.sandbox, "PUT", &path, Some(secret)).await;
    let run = world.rotate(&["--finish"]).env("WEBHOOK_SECRET", theirs);
    succeeded(run).await;
    assert_eq!(world.mark().await, None);
    assert_eq!(world.publish(theirs).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_that_is_killed_goes_on() {
    for line in ["handed over: ", "waiting until ", "revoked: "] {
        let world = World::deployed(&staging(SWITCH));
        tokio::task::block_in_place(|| killed_at(&world, &[], "waiting until "));
        let taken = world.key();
        let publisher = Publisher::start(world.site(), world.key_file());
        tokio::task::block_in_place(|| killed_at(&world, &["--abort"], line));
        if line != "revoked: " {
            let printed = world.rotate(&[]).fails();
            assert!(
                printed.stderr.ends_with("error: an abort of this rotation is under way\nhelp: `edge-broadcast secrets rotate staging --abort` goes on with it\n"),
                "{}",
                printed.stderr
            );
        }
        succeeded(world.rotate(&["--abort"])).await;
        assert_eq!(refused(&publisher.stop().await), [], "{line}");
        assert_eq!(world.names().await, ["ADMIN_SECRET", "WEBHOOK_SECRET"]);
        assert_eq!(world.mark().await, None);
        assert_eq!(world.key(), OLD);
        assert_eq!(
            (world.publish(OLD).await, world.publish(&taken).await),
            (200, 403),
            "{line}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_is_killed_is_seen_and_goes_on() {
    for line in ["revoked: ", "handed over: "] {
        for more in [vec!["--compromised"], vec!["--finish"]] {
            let world = World::deployed(&staging(SWITCH));
            tokio::task::block_in_place(|| killed_at(&world, &["--compromised"], line));
            assert_eq!(world.publish(OLD).await, 403);
            let status = world.rotate(&["--status"]).succeeds().stdout;
            assert!(
                status.starts_with("staging: `WEBHOOK_SECRET`: a replacement is open: every earlier value is revoked, and perhaps the senders do not have the new one\n"),
                "{status}"
            );
            world.rotate(&more).succeeds();
            assert_eq!(world.mark().await, None);
            assert_eq!(world.names().await, ["ADMIN_SECRET", "WEBHOOK_SECRET"]);
            assert_eq!(
                (world.publish(OLD).await, world.publish(&world.key()).await),
                (403, 200),
                "{line} {more:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compromised_value_that_a_killed_run_revoked_already_does_not_take_the_new_one_with_it() {
    let world = World::deployed(&staging(SWITCH));
    tokio::task::block_in_place(|| killed_at(&world, &[], "waiting until "));
    let key = world.key();
    tokio::task::block_in_place(|| killed_at(&world, &["--compromised"], "revoked: "));
    let printed = world.rotate(&["--compromised"]).succeeds();
    assert!(
        printed.stderr.contains("note: an earlier run revoked the old value already, and every sender has the one that is left"),
        "{}",
        printed.stderr
    );
    assert_eq!(world.key(), key);
    assert_eq!(
        (world.publish(OLD).await, world.publish(&key).await),
        (403, 200)
    );
    assert_eq!(world.mark().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_never_work_on_one_rotation() {
    let slow = r#"{ kind = "command", command = "sh -c 'touch begun; sleep 4; cat > key'" }"#;
    let world = World::deployed(&staging(slow));
    let first = world.rotate(&["--finish"]);
    let first = tokio::task::spawn_blocking(|| first.fails());
    while !world.project.path().join("begun").exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let second = world.rotate(&["--finish"]).fails();
    assert!(
        second.stderr.starts_with("error: another run is at work on this rotation (process ")
            && second.stderr.ends_with(" on this machine); nothing was changed\nhelp: let it end, or stop it and run again; `edge-broadcast secrets rotate staging --status` shows how far it is, and `--take-over` goes on in its place\n"),
        "{}",
        second.stderr
    );
    succeeded(world.rotate(&["--finish", "--take-over"])).await;
    let printed = first.await.unwrap();
    assert!(
        printed.stderr.ends_with("error: another run took this rotation over; this one stops and changes nothing more\nhelp: `edge-broadcast secrets rotate staging --status` shows how far it is\n"),
        "{}",
        printed.stderr
    );
    assert_eq!(
        world.names().await,
        ["ADMIN_SECRET", "WEBHOOK_SECRET_ALTERNATE"]
    );
    assert_eq!(world.publish(&world.key()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handover_that_stops_between_two_senders_is_undone_without_a_refused_publish() {
    let two = format!(
        r#"{SWITCH}, {{ kind = "command", command = "sh -c 'cat > other.new && test -e repaired && mv other.new other'" }}"#
    );
    let world = World::deployed(&staging(&two));
    world.project.write("other", OLD);
    let publishers = [world.key_file(), world.project.path().join("other")]
        .map(|key| Publisher::start(world.site(), key));
    let rotate = async |more: &'static [&'static str]| {
        let run = world.rotate(more);
        tokio::task::spawn_blocking(|| run.printed()).await.unwrap()
    };
    let printed = rotate(&[]).await;
    assert_eq!(printed.code, 1, "{}", printed.stderr);

    // One sender lives on each value, and the new one is lost: neither slot may be written
    world.project.write("repaired", "");
    let printed = rotate(&[]).await;
    assert!(
        printed.stderr.contains("error: an earlier run was cut off between senders: some publish with the new value (`WEBHOOK_SECRET_ALTERNATE`), some with the old one (`WEBHOOK_SECRET`)"),
        "{}",
        printed.stderr
    );
    // Two readings take more than two seconds
    assert!(
        printed
            .stderr
            .contains(": nobody was seen yet who uses `WEBHOOK_SECRET_ALTERNATE`\n"),
        "{}",
        printed.stderr
    );
    let printed = rotate(&["--abort"]).await;
    assert_eq!(
        printed.stdout,
        "staging: the rotation of `WEBHOOK_SECRET` is undone; the old value stays in the slot `WEBHOOK_SECRET`\n",
        "{}",
        printed.stderr
    );
    let printed = rotate(&[]).await;
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    for publisher in publishers {
        assert_eq!(refused(&publisher.stop().await), []);
    }
    assert_eq!(
        world.names().await,
        ["ADMIN_SECRET", "WEBHOOK_SECRET_ALTERNATE"]
    );
}
