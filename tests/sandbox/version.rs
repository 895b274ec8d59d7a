use serde_json::{Value, json};

use super::{ROOM, World, options, room, room_again, script};

async fn upload_version(world: &World, text: &str) -> String {
    let mut metadata = room_again();
    metadata["bindings"][1]["text"] = text.into();
    metadata["annotations"] = json!({"workers/tag": text});
    let (status, body) = world
        .upload(
            "POST",
            &format!("{}/versions", script("room")),
            ROOM,
            metadata,
        )
        .await;
    assert_eq!(status, 200, "{body}");
    body["result"]["id"].as_str().unwrap().to_owned()
}

async fn current(world: &World) -> Value {
    let deployments = world
        .ok(
            "GET",
            &format!("{}/deployments", script("room")),
            Value::Null,
        )
        .await;
    deployments["deployments"][0]["versions"].clone()
}

async fn deploy(world: &World, shares: &[(&str, u32)]) -> (u16, Value) {
    let versions: Vec<Value> = shares
        .iter()
        .map(|(id, share)| json!({"version_id": id, "percentage": share}))
        .collect();
    let body = json!({
        "strategy": "percentage", "versions": versions, "code_update_strategy": {"mode": "immediate"},
        "annotations": {"workers/message": "m"},
    });
    world
        .call("POST", &format!("{}/deployments", script("room")), body)
        .await
}

#[tokio::test]
async fn a_version_at_zero_percent_is_reached_by_the_override_header_only() {
    let world = World::new().await;
    world.deploy_room().await;
    let old = current(&world).await[0]["version_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let new = upload_version(&world, "new").await;
    assert_eq!(deploy(&world, &[(&old, 100), (&new, 0)]).await.0, 200);
    for _ in 0..20 {
        assert_eq!(world.environment().await["VERSION"]["id"], old);
    }
    let url = format!("http://{}/env", world.sandbox.ingress());
    let overridden = format!("room=\"{new}\"");
    let request = world.http.get(&url).header("host", "ws.glow.trade");
    let answer = request
        .header("cloudflare-workers-version-overrides", &overridden)
        .send()
        .await
        .unwrap();
    let environment: Value = answer.json().await.unwrap();
    assert_eq!(
        (&environment["TEXT"], &environment["VERSION"]["tag"]),
        (&json!("new"), &json!("new"))
    );
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_split_sends_both_versions_requests_and_shares_the_objects() {
    let world = World::new().await;
    world.deploy_room().await;
    let old = current(&world).await[0]["version_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let new = upload_version(&world, "new").await;
    assert_eq!(deploy(&world, &[(&new, 50), (&old, 50)]).await.0, 200);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        seen.insert(
            world.environment().await["VERSION"]["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    assert_eq!(seen.len(), 2);
    for count in 1..=10 {
        assert_eq!(
            world.visit("ws.glow.trade", "/").await.1,
            format!("count {count}")
        );
    }
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_deployment_that_makes_no_sense_is_refused() {
    let world = World::new().await;
    world.deploy_room().await;
    let id = current(&world).await[0]["version_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let code = |answer: (u16, Value)| answer.1["errors"][0]["code"].as_u64();
    assert_eq!(code(deploy(&world, &[(&id, 90)]).await), Some(10021));
    assert_eq!(
        code(deploy(&world, &[(&id, 50), (&id, 50)]).await),
        Some(10021)
    );
    assert_eq!(code(deploy(&world, &[]).await), Some(10021));
    assert_eq!(
        code(deploy(&world, &[("00000000-0000-4000-8000-000000000000", 100)]).await),
        Some(100_146)
    );
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn going_back_over_a_changed_secret_needs_force() {
    let world = World::new().await;
    world.deploy_room().await;
    let old = current(&world).await[0]["version_id"]
        .as_str()
        .unwrap()
        .to_owned();
    world
        .ok(
            "PUT",
            &format!("{}/secrets", script("room")),
            json!({"name": "SECRET", "text": "b", "type": "secret_text"}),
        )
        .await;
    let (_, body) = deploy(&world, &[(&old, 100)]).await;
    assert_eq!(body["errors"][0]["code"], 10220);
    assert!(
        body["errors"][0]["message"]
            .as_str()
            .unwrap()
            .ends_with("have changed: SECRET")
    );
    let versions =
        json!({"strategy": "percentage", "versions": [{"version_id": old, "percentage": 100}]});
    world
        .ok(
            "POST",
            &format!("{}/deployments?force=true", script("room")),
            versions,
        )
        .await;
    assert_eq!(world.environment().await["SECRET"], "first-secret");
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_version_shows_what_wrangler_reads() {
    let world = World::new().await;
    world.deploy_room().await;
    let id = current(&world).await[0]["version_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let version = world
        .ok(
            "GET",
            &format!("{}/versions/{id}", script("room")),
            Value::Null,
        )
        .await;
    let resources = &version["resources"];
    assert_eq!(resources["script"]["handlers"], json!(["fetch"]));
    assert_eq!(resources["script"]["named_handlers"][0]["name"], "Room");
    assert_eq!(resources["script_runtime"]["migration_tag"], "v1");
    assert_eq!(
        resources["script_runtime"]["compatibility_date"],
        "2026-01-01"
    );
    assert_eq!(
        resources["bindings"][3],
        json!({"name": "SECRET", "type": "secret_text"})
    );
    assert!(resources["bindings"][0]["namespace_id"].is_string());
    let etag = resources["script"]["etag"].clone();
    let again = upload_version(&world, "other text").await;
    let version = world
        .ok(
            "GET",
            &format!("{}/versions/{again}", script("room")),
            Value::Null,
        )
        .await;
    assert_eq!(
        version["resources"]["script"]["etag"], etag,
        "the same code has the same etag"
    );
    let (_, service) = world
        .call(
            "GET",
            "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/services/room",
            Value::Null,
        )
        .await;
    assert_eq!(
        service["result"]["default_environment"]["script"]["migration_tag"],
        "v1"
    );
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn code_that_does_not_start_is_refused_and_the_old_code_keeps_running() {
    let world = World::new().await;
    world.deploy_room().await;
    for (code, word) in [
        ("throw new Error('boom')", "boom"),
        ("export default {", "SyntaxError"),
    ] {
        let (status, body) = world
            .upload("PUT", &script("room"), code, room_again())
            .await;
        assert_eq!((status, &body["errors"][0]["code"]), (400, &json!(10021)));
        assert!(
            body["errors"][0]["message"]
                .as_str()
                .unwrap()
                .contains(word),
            "{body}"
        );
        assert_eq!(world.environment().await["SECRET"], "first-secret");
    }
    let mut future = room();
    future["compatibility_date"] = "2100-01-01".into();
    let (status, body) = world.upload("PUT", &script("other"), ROOM, future).await;
    // The words of Cloudflare: workers-sdk issue 5453
    let said = json!([{ "code": 10021, "message": "Can't set compatibility date in the future: 2100-01-01" }]);
    assert_eq!((status, &body["errors"]), (400, &said));
    world.sandbox.stop().await.unwrap();
}

/// Cloudflare's runtime is of today, the sandbox's of the day on which its version was made.
#[tokio::test]
async fn code_of_todays_compatibility_date_runs_with_the_newest_that_the_runtime_knows() {
    let world = World::new().await;
    let now = humantime::format_rfc3339(std::time::SystemTime::now()).to_string();
    let today = now.split('T').next().unwrap();
    let mut metadata = room();
    metadata["compatibility_date"] = today.into();
    let (status, body) = world.upload("PUT", &script("room"), ROOM, metadata).await;
    assert_eq!(status, 200, "{body}");
    let path = format!("{}/settings", script("room"));
    let (_, settings) = world.call("GET", &path, Value::Null).await;
    assert_eq!(settings["result"]["compatibility_date"], today);
    let said = std::process::Command::new(&options(None).workerd)
        .arg("--version")
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let newest = said.trim().trim_start_matches("workerd ");
    let logs = world.ok("GET", "/sandbox/logs", Value::Null).await;
    let line = json!({
        "level": "warn",
        "message": format!("the compatibility date `{today}` is newer than any that this workerd knows: it runs the code with `{newest}`"),
    });
    let lines = logs.as_array().unwrap();
    assert_eq!(lines.contains(&line), today > newest, "{logs}");
    world.sandbox.stop().await.unwrap();
}
