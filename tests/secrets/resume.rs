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
        let run = world.rotate(&[]);
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
