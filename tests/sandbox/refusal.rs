use serde_json::{Value, json};

use super::{ROOM, World, room, room_again, script};

/// Uploads and gives the code of the refusal.
async fn code(world: &World, method: &str, path: &str, code: &str, metadata: Value) -> u64 {
    let (_, body) = world.upload(method, path, code, metadata).await;
    assert_eq!(body["success"], false, "{body}");
    body["errors"][0]["code"].as_u64().unwrap()
}

fn changed(mut metadata: Value, key: &str, value: Value) -> Value {
    metadata[key] = value;
    metadata
}

#[tokio::test]
async fn the_token_that_opens_it_is_active_and_the_ingress_is_told() {
    let world = World::new().await;
    assert_eq!(
        world.ok("GET", "/user/tokens/verify", Value::Null).await["status"],
        "active"
    );
    let (_, about) = world.call("GET", "/sandbox", Value::Null).await;
    assert_eq!(about["ingress"], world.sandbox.ingress().to_string());
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn what_does_not_exist_is_said_to_be_missing() {
    let world = World::new().await;
    for (path, expected) in [
        (
            "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/services/none",
            (404, 10090),
        ),
        (
            "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/scripts/none/settings",
            (404, 10007),
        ),
        (
            "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/scripts/none/secrets",
            (404, 10007),
        ),
        (
            "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/scripts/none/deployments",
            (404, 10007),
        ),
        (
            "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/workers/none",
            (404, 10007),
        ),
        (
            "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/nonsense",
            (404, 7003),
        ),
    ] {
        assert_eq!(
            world.refused("GET", path, Value::Null).await,
            expected,
            "{path}"
        );
    }
    world.deploy_room().await;
    for (rest, expected) in [
        ("versions", (404, 100_146)),
        ("deployments", (404, 10336)),
        ("secrets", (404, 10056)),
    ] {
        let path = format!(
            "{}/{rest}/00000000-0000-4000-8000-000000000000",
            script("room")
        );
        assert_eq!(world.refused("GET", &path, Value::Null).await, expected);
    }
    let versions = format!("{}/versions", script("none"));
    assert_eq!(
        code(&world, "POST", &versions, ROOM, room_again()).await,
        10007
    );
    assert_eq!(
        world
            .ok(
                "GET",
                "/zones?name=nowhere.test&account.id=acc0acc0acc0acc0acc0acc0acc0acc0",
                Value::Null
            )
            .await,
        json!([])
    );
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn migrations_must_fit_the_scripts_tag_and_its_classes() {
    let world = World::new().await;
    let put = script("room");
    let no_migration = changed(room(), "migrations", Value::Null);
    assert_eq!(code(&world, "PUT", &put, ROOM, no_migration).await, 10061);
    let other = json!({"new_tag": "v1", "steps": [{"new_sqlite_classes": ["Room", "Hall"]}]});
    assert_eq!(
        code(
            &world,
            "PUT",
            &put,
            ROOM,
            changed(room(), "migrations", other)
        )
        .await,
        10070
    );
    world.deploy_room().await;
    assert_eq!(code(&world, "PUT", &put, ROOM, room()).await, 10079);
    let wrong = json!({"old_tag": "v0", "new_tag": "v2", "steps": []});
    assert_eq!(
        code(
            &world,
            "PUT",
            &put,
            ROOM,
            changed(room_again(), "migrations", wrong)
        )
        .await,
        10079
    );
    let deleted =
        json!({"old_tag": "v1", "new_tag": "v2", "steps": [{"deleted_classes": ["Room"]}]});
    assert_eq!(
        code(
            &world,
            "PUT",
            &put,
            ROOM,
            changed(room_again(), "migrations", deleted)
        )
        .await,
        10074
    );
    let versions = format!("{put}/versions");
    assert_eq!(code(&world, "POST", &versions, ROOM, room()).await, 10211);
    let without = "export default { fetch() {} }";
    let no_binding = changed(room_again(), "bindings", json!([]));
    assert_eq!(code(&world, "PUT", &put, without, no_binding).await, 10064);
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn names_formats_and_unknown_bindings_are_refused() {
    let world = World::new().await;
    let long = script(&"a".repeat(64));
    assert_eq!(code(&world, "PUT", &long, ROOM, room()).await, 10016);
    assert_eq!(
        code(&world, "PUT", &script("Room"), ROOM, room()).await,
        10016
    );
    let put = script("room");
    assert_eq!(
        code(
            &world,
            "PUT",
            &put,
            ROOM,
            changed(room(), "main_module", json!("x.js"))
        )
        .await,
        10021
    );
    assert_eq!(
        code(
            &world,
            "PUT",
            &put,
            "export const x = 1",
            changed(room(), "bindings", json!([]))
        )
        .await,
        10068
    );
    let bucket = json!([{"name": "B", "type": "r2_bucket", "bucket_name": "b"}]);
    assert_eq!(
        code(
            &world,
            "PUT",
            &put,
            ROOM,
            changed(room(), "bindings", bucket)
        )
        .await,
        10021
    );
    let foreign = json!([{"name": "R", "type": "durable_object_namespace", "class_name": "Room", "script_name": "none"}]);
    assert_eq!(
        code(
            &world,
            "PUT",
            &put,
            ROOM,
            changed(room(), "bindings", foreign)
        )
        .await,
        10061
    );
    let missing = json!([{"name": "S", "type": "inherit"}]);
    assert_eq!(
        code(
            &world,
            "PUT",
            &put,
            ROOM,
            changed(room(), "bindings", missing)
        )
        .await,
        10057
    );
    assert_eq!(
        world
            .ok(
                "GET",
                "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/scripts",
                Value::Null
            )
            .await,
        json!([])
    );
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_another_one_calls_goes_by_force_only() {
    let world = World::new().await;
    let code = "export default { fetch() { return new Response() } }";
    let metadata = |bindings| json!({"main_module": "index.js", "compatibility_date": "2026-01-01", "bindings": bindings});
    let service = json!([{"name": "CALLED", "type": "service", "service": "called"}]);
    for (name, bindings) in [("called", json!([])), ("calls", service)] {
        let (status, body) = world
            .upload("PUT", &script(name), code, metadata(bindings))
            .await;
        assert_eq!(status, 200, "{body}");
    }
    assert_eq!(
        world
            .refused("DELETE", &script("called"), Value::Null)
            .await,
        (409, 10142)
    );
    let forced = format!("{}?force=true", script("called"));
    world.ok("DELETE", &forced, Value::Null).await;
    world.sandbox.stop().await.unwrap();
}
