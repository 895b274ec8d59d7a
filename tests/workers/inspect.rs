use std::time::{Duration, Instant};

use futures_util::StreamExt;
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
    assert_eq!(
        (
            &room["drops"],
            &room["wake_ups"],
            &room["regions"],
            &room["shards"]
        ),
        (&json!(1), &json!(1), &json!({ "": 1 }), &json!({})),
        "one update was stale: {room:#}"
    );
    assert_eq!(room["epoch"].as_str().map(str::len), Some(8), "{room:#}");
    assert_eq!(room["secret_uses"]["WEBHOOK_SECRET"]["uses"], 1, "{room:#}");
    assert_eq!(
        room["secret_uses"]["WEBHOOK_SECRET_ALTERNATE"]["uses"], 0,
        "{room:#}"
    );
    assert_eq!(room["root"]["awake"]["woken_by"], "connect", "{room:#}");
    // A socket, two publishes, this question, and at least one record that was written
    let cost = &room["cost"];
    let figure = |key: &str| cost[key].as_f64().unwrap();
    assert!(
        figure("requests") >= 4.0 && figure("rows_written") >= 1.0,
        "{cost}"
    );
    // A reader of JSON may be off by the last bit
    let least = (figure("requests") * 0.15 + figure("rows_written")) / 1e6 * (1.0 - 1e-12);
    let estimated = figure("estimated_usd");
    assert!((least..least + 0.001).contains(&estimated), "{cost}");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_room_says_what_keeps_it_awake() {
    let deployed = Deployed::with(&[("batch_window = \"10ms\"", "batch_window = \"3s\"")]);
    deployed.publish("SOL", json!({ "n": 1 })).await;
    assert_eq!(
        deployed.publish("SOL", json!({ "n": 2 })).await["batched"],
        true
    );
    let held_by = |room: &Value| room["root"]["awake"]["held_by"].as_array().unwrap().clone();
    let room = deployed.inspect("/rooms/SOL").await;
    assert!(held_by(&room).contains(&json!("batch_window")), "{room:#}");
    deployed
        .until("/rooms/SOL", |room| held_by(room).is_empty())
        .await;
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
    let mut client = deployed.client("/ws/SOL", &[]).await;
    deployed.publish("SOL", json!({ "type": "A" })).await;
    let frame = client.socket.next().await.unwrap().unwrap().into_data();
    deployed
        .refused("/ws/SOL", &[("origin", "https://evil.example")])
        .await;
    deployed
        .post("/broadcast/SOL", &[("authorization", "Bearer wrong")], "{}")
        .await;
    drop(client);
    let sandbox = &deployed.sandbox;
    let gateway = api::shares(sandbox, "glow-broadcast-staging").await;
    let room = api::shares(sandbox, "glow-broadcast-staging-room").await;
    let (gateway, room) = (gateway[0].0.as_str(), room[0].0.as_str());
    // Who wrote it, about which room; what, its detail, how it ended, how many, and the bytes
    let wanted = [
        (room, "SOL", "broadcast", "", "ok", 1.0, frame.len() as f64),
        (room, "SOL", "connect", "", "ok", 1.0, 0.0),
        (room, "SOL", "disconnect", "1006", "ok", 0.0, 0.0),
        (gateway, "SOL", "handshake", "", "ok", 1.0, 0.0),
        (gateway, "SOL", "publish", "WEBHOOK_SECRET", "ok", 1.0, 0.0),
        (
            gateway,
            "",
            "refusal",
            "origin_not_allowed",
            "refused",
            1.0,
            0.0,
        ),
        (
            gateway,
            "",
            "refusal",
            "wrong_credentials",
            "refused",
            1.0,
            0.0,
        ),
    ];
    let wanted = wanted.map(|(version, token, event, detail, outcome, count, bytes)| {
        json!({"version": version, "token": token, "event": event, "detail": detail, "outcome": outcome, "region": "",
               "count": count, "bytes": bytes, "missed": 0.0, "was_quick": 1})
    });
    let sql = "SELECT blob4 AS version, index1 AS token, blob1 AS event, blob2 AS detail, blob5 AS outcome, blob3 AS region, \
               double1 AS count, double2 AS bytes, double4 AS missed, min(double3 < 10000) AS was_quick \
               FROM edge_broadcast_staging \
               WHERE timestamp > now() - INTERVAL '5' MINUTE AND timestamp <= now() \
               AND (index1 = 'SOL' OR index1 = '') \
               GROUP BY version, token, event, detail, outcome, region, count, bytes, missed ORDER BY event, detail";
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let (status, answer) = api::sql(sandbox, sql).await;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        if status == 200 && answer["rows"].as_u64() >= Some(wanted.len() as u64) {
            let rows = answer["data"].as_array().unwrap().iter().map(rounded);
            assert_eq!(rows.collect::<Vec<_>>(), wanted);
            break;
        }
        assert!(Instant::now() < until, "{status}: {answer:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // What the deployment's own checks were refused has their room
    let sql = "SELECT blob2 AS detail FROM edge_broadcast_staging \
               WHERE blob1 = 'refusal' AND index1 LIKE 'edge-broadcast-verify-%' GROUP BY detail ORDER BY detail";
    let (_, answer) = api::sql(sandbox, sql).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let of_checks = [
        "missing_credentials",
        "origin_not_allowed",
        "wrong_credentials",
    ];
    assert_eq!(
        answer["data"],
        json!(of_checks.map(|code| json!({ "detail": code })))
    );
}

/// With doubles where an answer has a whole number, which is how it writes `1.0`.
fn rounded(row: &Value) -> Value {
    let mut row = row.clone();
    for name in ["count", "bytes", "missed"] {
        row[name] = json!(row[name].as_f64());
    }
    row
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
