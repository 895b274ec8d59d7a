use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{ADMIN, Deployed, SECRET};
use crate::support::{Run, api};

#[tokio::test(flavor = "multi_thread")]
async fn health_names_the_version_and_the_deep_one_touches_a_room() {
    let deployed = Deployed::new();
    let shallow = deployed.get("/health", &[]).await.json();
    assert_eq!(
        (
            &shallow["status"],
            &shallow["environment"],
            shallow.get("room")
        ),
        (&json!("ok"), &json!("staging"), None)
    );
    let live = api::shares(&deployed.sandbox, "glow-broadcast-staging").await;
    assert_eq!(shallow["version"], live[0].0);
    let deep = deployed.get("/health?deep=1", &[]).await.json();
    assert_eq!(deep["room"]["status"], "ok", "{deep}");
    let room = api::shares(&deployed.sandbox, "glow-broadcast-staging-room").await;
    assert_eq!(deep["room"]["version"], room[0].0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_tells_its_figures_to_the_admin_alone() {
    let deployed = Deployed::new();
    let _client = deployed.client("/ws/SOL", &[]).await;
    deployed
        .publish("SOL", json!({ "type": "A", "slot": 2 }))
        .await;
    deployed
        .publish("SOL", json!({ "type": "A", "slot": 1 }))
        .await;
    let room = deployed.inspect("/rooms/SOL").await;
    assert_eq!(
        (
            &room["token"],
            &room["sockets"],
            &room["seq"],
            &room["publishes"]
        ),
        (&json!("SOL"), &json!(1), &json!(1), &json!(1)),
        "{room:#}"
    );
    for key in [
        "epoch",
        "regions",
        "drops",
        "wake_ups",
        "secret_uses",
        "cost",
        "root",
        "shards",
    ] {
        assert!(room.get(key).is_some(), "no `{key}` in {room:#}");
    }
    assert!(room["cost"]["estimated_usd"].as_f64().unwrap() >= 0.0);
    assert!(room["root"]["awake"]["woken_by"].is_string(), "{room:#}");
    for wrong in [SECRET, "x"] {
        assert_eq!(
            deployed
                .get("/rooms/SOL", &[("authorization", wrong)])
                .await
                .refusal(),
            "403 wrong_credentials"
        );
    }
}

#[test]
fn without_an_admin_secret_the_figures_do_not_exist() {
    crate::support::built();
    let sandbox = crate::support::Sandbox::start();
    Run::new(["deploy", "staging"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
    let site = sandbox.site("broadcast-staging.glow.trade");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for path in ["/rooms/SOL", "/secrets/uses"] {
        let authorization = [("authorization", format!("Bearer {ADMIN}"))];
        let (status, _) = runtime
            .block_on(site.get_with(path, &authorization))
            .unwrap();
        assert_eq!(status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connects_disconnects_broadcasts_and_refusals_become_data_points() {
    let deployed = Deployed::new();
    let client = deployed.client("/ws/SOL", &[]).await;
    deployed.publish("SOL", json!({ "type": "A" })).await;
    deployed
        .refused("/ws/SOL", &[("origin", "https://evil.example")])
        .await;
    deployed
        .post("/broadcast/SOL", &[("authorization", "Bearer wrong")], "{}")
        .await;
    drop(client);
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let points = api::call(
            &deployed.sandbox,
            "GET",
            "/sandbox/analytics?dataset=edge_broadcast_staging",
            None,
        )
        .await;
        let seen = |event: &str, detail: &str| {
            points["result"].as_array().unwrap().iter().any(|point| {
                let blob = |at: usize| point["blobs"][at].as_str().unwrap_or_default();
                blob(0) == event && (detail.is_empty() || blob(1) == detail)
            })
        };
        let wanted = [
            ("connect", ""),
            ("disconnect", ""),
            ("broadcast", ""),
            ("publish", "WEBHOOK_SECRET"),
            ("refusal", "origin_not_allowed"),
            ("refusal", "wrong_credentials"),
        ];
        let missing: Vec<_> = wanted
            .iter()
            .filter(|(event, detail)| !seen(event, detail))
            .collect();
        if missing.is_empty() {
            break;
        }
        assert!(Instant::now() < until, "no {missing:?} in {points:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn debug_logs_appear_in_development_only_and_never_hold_a_secret() {
    for (development, changes) in [
        (true, vec![("[cloudflare]", "debug = true\n\n[cloudflare]")]),
        (false, vec![]),
    ] {
        let deployed = Deployed::with(&changes);
        let _client = deployed.client("/ws/SOL", &[]).await;
        deployed.publish("SOL", json!({ "type": "A" })).await;
        deployed
            .post(
                "/broadcast/SOL",
                &[("authorization", "Bearer wrong-but-secret")],
                "{}",
            )
            .await;
        let logs =
            async || -> Value { api::call(&deployed.sandbox, "GET", "/sandbox/logs", None).await };
        let until = Instant::now() + Duration::from_secs(5);
        while development && !logs().await.to_string().contains("broadcast to 1 sockets") {
            assert!(Instant::now() < until, "{:#}", logs().await);
        }
        let text = logs().await.to_string();
        assert_eq!(
            text.contains("broadcast to 1 sockets"),
            development,
            "{text}"
        );
        for secret in [SECRET, ADMIN, "wrong-but-secret"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
