use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use edge_broadcast_sandbox::start;
use serde_json::{Value, json};

use super::{World, options, script};

/// Processes whose working directory is the sandbox's.
fn processes(directory: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    all.filter(|process| std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == directory))
        .collect()
}

async fn until(what: impl Fn() -> bool) {
    let started = Instant::now();
    while !what() {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "it did not happen in time"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_state_lasts_in_its_directory_for_its_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let world = World::with(Some(path.clone())).await;
    world.deploy_room().await;
    assert_eq!(world.visit("ws.glow.trade", "/").await.1, "count 1");
    let second = start(options(Some(path.clone())))
        .await
        .unwrap_err()
        .to_string();
    assert!(second.contains("another sandbox uses"), "{second}");
    world.sandbox.stop().await.unwrap();
    for name in ["secrets.json", "state.json"] {
        let mode = std::fs::metadata(path.join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let world = World::with(Some(path)).await;
    assert_eq!(world.visit("ws.glow.trade", "/").await.1, "count 2");
    assert_eq!(world.environment().await["SECRET"], "first-secret");
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn nothing_is_left_behind_by_a_stop_or_a_drop() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("state");
    let world = World::with(Some(path.clone())).await;
    world.deploy_room().await;
    assert_eq!(processes(&path).len(), 1);
    world.sandbox.stop().await.unwrap();
    assert_eq!(processes(&path), [] as [PathBuf; 0]);

    let world = World::with(Some(path.clone())).await;
    assert_eq!(processes(&path).len(), 1);
    drop(world);
    until(|| processes(&path).is_empty()).await;
}

#[tokio::test]
async fn a_change_that_the_runtime_does_not_see_does_not_restart_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("state");
    let world = World::with(Some(path.clone())).await;
    world.deploy_room().await;
    let before = processes(&path);
    world
        .ok(
            "PUT",
            &format!("{}/routes", script("room")),
            json!([{"pattern": "other.glow.trade/*"}]),
        )
        .await;
    world
        .ok(
            "PATCH",
            &format!("{}/script-settings", script("room")),
            json!({"tags": ["a"]}),
        )
        .await;
    assert_eq!(processes(&path), before);
    assert_eq!(world.visit("other.glow.trade", "/").await.1, "count 1");
    let tags = world
        .ok(
            "GET",
            &format!("{}/script-settings", script("room")),
            Value::Null,
        )
        .await;
    assert_eq!(tags["tags"], json!(["a"]));
    world.sandbox.stop().await.unwrap();
}

/// Kills the runtime as the kernel does when memory runs out, and waits until it is gone.
pub(super) async fn kill(path: &Path) {
    let runtime = processes(path).remove(0);
    let id = runtime.file_name().unwrap().to_str().unwrap().to_owned();
    let killed = std::process::Command::new("kill")
        .args(["-9", &id])
        .status();
    assert!(killed.unwrap().success());
    until(|| std::fs::read_link(runtime.join("cwd")).is_err()).await;
}

#[tokio::test]
async fn a_runtime_that_was_killed_is_started_again_and_said_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("state");
    let mut world = World::with(Some(path.clone())).await;
    world.deploy_room().await;
    assert_eq!(world.visit("ws.glow.trade", "/").await.1, "count 1");
    kill(&path).await;
    assert_eq!(
        world.visit("ws.glow.trade", "/").await,
        (200, "count 2".into()),
        "what was stored is still there"
    );
    let said =
        "the runtime ended with signal 9 (SIGKILL: somebody, or the kernel for want of memory)";
    let notice = format!("{said}; it is started again");
    assert_eq!(world.sandbox.notice().await, Some(notice.clone()));
    let logs = world.ok("GET", "/sandbox/logs", Value::Null).await;
    let logged = |line: &Value| line["level"] == "error" && line["message"] == notice;
    assert!(logs.as_array().unwrap().iter().any(logged), "{logs}");
    let (_, about) = world.call("GET", "/sandbox", Value::Null).await;
    assert_eq!(
        about["runtime"],
        json!({"state": "running", "last_end": said})
    );
    world.sandbox.stop().await.unwrap();
    assert_eq!(processes(&path), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn a_runtime_that_dies_again_and_again_is_given_up_until_the_next_change() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("state");
    let world = World::with(Some(path.clone())).await;
    world.deploy_room().await;
    for _ in 0..5 {
        kill(&path).await;
        assert_eq!(world.visit("ws.glow.trade", "/").await.0, 200);
    }
    kill(&path).await;
    let (status, body) = world.visit("ws.glow.trade", "/").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, body),
        (
            503,
            json!({"error": "the runtime ended with signal 9 (SIGKILL: somebody, or the kernel for want of memory), 6 times within 60 seconds, and is not started again; see `GET /sandbox/logs`, then deploy something else or restart the sandbox"})
        )
    );
    let (_, about) = world.call("GET", "/sandbox", Value::Null).await;
    assert_eq!(about["runtime"]["state"], "given up");
    assert_eq!(processes(&path), [] as [PathBuf; 0]);
    world
        .ok(
            "PATCH",
            &format!("{}/script-settings", script("room")),
            json!({"tags": []}),
        )
        .await;
    assert_eq!(world.visit("ws.glow.trade", "/").await.1, "count 6");
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_missing_runtime_is_named() {
    let mut options = options(None);
    options.workerd = "/nowhere/workerd".into();
    let sandbox = start(options).await.unwrap();
    let world = World {
        sandbox,
        http: super::client(),
    };
    let (status, body) = world
        .upload("PUT", &script("room"), super::ROOM, super::room())
        .await;
    assert_eq!(status, 400);
    assert!(
        body["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("/nowhere/workerd"),
        "{body}"
    );
    world.sandbox.stop().await.unwrap();
}
