use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{ROOM, World, room, room_again, script};

fn secrets() -> String {
    format!("{}/secrets", script("room"))
}

#[tokio::test]
async fn a_secret_changes_in_a_version_of_its_own_that_is_deployed_at_once() {
    let world = World::new().await;
    world.deploy_room().await;
    let before = world.environment().await;
    world
        .ok(
            "PUT",
            &secrets(),
            json!({"name": "SECRET", "text": "second", "type": "secret_text"}),
        )
        .await;
    let after = world.environment().await;
    assert_eq!(
        (&before["SECRET"], &after["SECRET"]),
        (&json!("first-secret"), &json!("second"))
    );
    assert_ne!(before["VERSION"]["id"], after["VERSION"]["id"]);

    let bulk = json!({"secrets": {"A": {"name": "A", "text": "1", "type": "secret_text"}, "SECRET": null, "GONE": null}});
    world
        .ok("PATCH", &format!("{}-bulk", secrets()), bulk)
        .await;
    assert_eq!(
        world.ok("GET", &secrets(), Value::Null).await,
        json!([{"name": "A", "type": "secret_text"}])
    );
    world
        .ok(
            "DELETE",
            &format!("{}/A?url_encoded=true", secrets()),
            Value::Null,
        )
        .await;
    assert_eq!(
        world
            .refused("DELETE", &format!("{}/A", secrets()), Value::Null)
            .await,
        (404, 10056)
    );
    let name_in_use = json!({"name": "TEXT", "text": "x", "type": "secret_text"});
    assert_eq!(world.refused("PUT", &secrets(), name_in_use).await.1, 10053);
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn an_upload_keeps_inherits_or_drops_secrets_as_it_says() {
    let world = World::new().await;
    world.deploy_room().await;
    let put =
        |metadata: Value| async { world.upload("PUT", &script("room"), ROOM, metadata).await };
    assert_eq!(put(room_again()).await.0, 200);
    assert_eq!(world.environment().await["SECRET"], "first-secret");

    let mut inherit = room_again();
    let bindings = inherit["bindings"].as_array_mut().unwrap();
    bindings.push(json!({"name": "SECOND", "type": "inherit", "old_name": "SECRET"}));
    inherit["keep_bindings"] = json!([]);
    assert_eq!(put(inherit.clone()).await.0, 200);
    let environment = world.environment().await;
    assert_eq!(
        (&environment["SECOND"], &environment["SECRET"]),
        (&json!("first-secret"), &Value::Null)
    );

    let (status, body) = put(inherit).await;
    assert_eq!((status, &body["errors"][0]["code"]), (400, &json!(10057)));
    assert!(
        body["errors"][0]["message"]
            .as_str()
            .unwrap()
            .starts_with("inherit binding 'SECOND' is invalid")
    );

    let mut nothing = room_again();
    nothing["keep_bindings"] = json!([]);
    assert_eq!(put(nothing).await.0, 200);
    assert_eq!(world.ok("GET", &secrets(), Value::Null).await, json!([]));
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_secret_cannot_change_while_the_latest_version_is_not_deployed() {
    let world = World::new().await;
    world.deploy_room().await;
    let staged = json!({"env": {"B": {"type": "secret_text", "text": "b"}}, "annotations": {"workers/message": "m"}});
    world
        .ok(
            "PATCH",
            "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/workers/room/versions/latest",
            staged,
        )
        .await;
    let change = json!({"name": "SECRET", "text": "second", "type": "secret_text"});
    assert_eq!(world.refused("PUT", &secrets(), change).await, (409, 10215));
    assert_eq!(world.environment().await["B"], Value::Null);
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn no_request_fails_while_secrets_change() {
    let world = Arc::new(World::new().await);
    world.deploy_room().await;
    let done = Arc::new(AtomicBool::new(false));
    let visitors: Vec<_> = (0..4)
        .map(|_| {
            let (world, done) = (world.clone(), done.clone());
            tokio::spawn(async move {
                let mut count = 0;
                while !done.load(Ordering::SeqCst) {
                    let (status, body) = world.visit("ws.glow.trade", "/").await;
                    assert_eq!(status, 200, "{body}");
                    count += 1;
                }
                count
            })
        })
        .collect();
    for round in 0..3 {
        let change =
            json!({"name": "SECRET", "text": format!("round {round}"), "type": "secret_text"});
        world.ok("PUT", &secrets(), change).await;
    }
    done.store(true, Ordering::SeqCst);
    let mut total = 0;
    for visitor in visitors {
        total += visitor.await.unwrap();
    }
    assert!(total > 0);
    // Nothing was lost either: the object has counted every request
    assert_eq!(
        world.visit("ws.glow.trade", "/").await.1,
        format!("count {}", total + 1)
    );
}

#[tokio::test]
async fn a_secret_value_is_nowhere_but_in_the_runtimes_environment() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::with(Some(directory.path().join("state"))).await;
    let mut metadata = room();
    metadata["bindings"][3]["text"] = "marker-4711".into();
    let (status, body) = world.upload("PUT", &script("room"), ROOM, metadata).await;
    assert_eq!(status, 200);
    assert!(!body.to_string().contains("marker-4711"));
    assert!(!format!("{:?}", world.sandbox).contains(world.sandbox.token()));
    for path in ["settings", "versions", "deployments", "secrets"] {
        let answer = world
            .ok("GET", &format!("{}/{path}", script("room")), Value::Null)
            .await;
        assert!(!answer.to_string().contains("marker-4711"), "{path}");
    }
    for name in ["config.capnp", "state.json"] {
        let text = std::fs::read_to_string(directory.path().join("state").join(name)).unwrap();
        assert!(!text.contains("marker-4711"), "{name}");
    }
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let arguments = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&arguments).contains("marker-4711"));
    }
    world.sandbox.stop().await.unwrap();
}
