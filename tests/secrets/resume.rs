//! SIGKILL after every phase, then the same command again.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::publisher::{Publisher, refused};
use super::{OLD, SWITCH, World, staging};

/// Kills a rotation as soon as it says a line that begins with `line`.
fn killed_at(world: &World, line: &str) {
    let mut child = world
        .rotate(&[])
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
        "waited: ",
        "revoked: ",
    ] {
        tokio::task::block_in_place(|| killed_at(&world, line));
        assert!(
            world
                .names()
                .await
                .iter()
                .any(|name| name == filled || line == "revoked: "),
            "{line}"
        );
        // The sender switches at once: where the wait is not what was cut off, it is left out
        let more: &[&str] = match line {
            "handed over: " => &[],
            _ => &["--finish"],
        };
        let run = world.rotate(more);
        let printed = tokio::task::spawn_blocking(|| run.succeeds())
            .await
            .unwrap();
        assert_eq!(
            printed.stdout,
            format!(
                "staging: `WEBHOOK_SECRET` is rotated; the gateway keeps it in the slot `{idle}`\n"
            ),
            "{line}"
        );
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
    // The sender takes the value, and the run dies before it can note that
    let dying = r#"{ kind = "command", command = "sh -c 'cat > key.new && mv key.new key && kill -9 $PPID'" }"#;
    let world = World::deployed(&staging(dying));
    let publisher = Publisher::start(world.site(), world.key_file());
    let run = world.rotate(&[]);
    let code = tokio::task::spawn_blocking(|| run.printed().code)
        .await
        .unwrap();
    assert_eq!(code, -1);
    let taken = world.key();
    assert_ne!(taken, OLD);

    world
        .project
        .write("environments/staging.toml", &staging(SWITCH));
    let run = world.rotate(&[]);
    let printed = tokio::task::spawn_blocking(|| run.succeeds())
        .await
        .unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_never_work_on_one_rotation() {
    let slow = r#"{ kind = "command", command = "sh -c 'touch begun; sleep 2; cat > key'" }"#;
    let world = World::deployed(&staging(slow));
    let first = world.rotate(&["--finish"]);
    let first = tokio::task::spawn_blocking(|| first.fails());
    while !world.project.path().join("begun").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let second = world.rotate(&["--finish"]);
    tokio::task::spawn_blocking(|| second.succeeds())
        .await
        .unwrap();
    let printed = first.await.unwrap();
    assert!(
        printed.stderr.ends_with("error: another run took this rotation over; this one stops and changes nothing more; `edge-broadcast secrets rotate staging --status` shows how far it is\n"),
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
