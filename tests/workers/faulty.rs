//! The deployed gateway with bindings that are missing or fail on demand.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Deployed;
use super::wrapped::wrap;
use crate::support::api;

const WRAPPER: &str = include_str!("faulty.js");
const SCRIPT: &str = "glow-broadcast-staging";
/// Leads to the wrapper itself.
const HOST: &str = "faults.glow.trade";

impl Deployed {
    /// The environment with changes, its gateway wrapped, without the bindings `missing`.
    async fn faulty(changes: &[(&str, &str)], missing: &[&str]) -> Self {
        let deployed = Self::with(changes);
        let gateway = ("gateway", SCRIPT);
        wrap(&deployed.sandbox, gateway, missing, WRAPPER, HOST).await;
        deployed
    }

    /// From now on these faults happen, and no others; what was asked is forgotten.
    async fn misbehave(&self, faults: Value) {
        let headers = [("host", HOST)];
        let answer = self.send("PUT", "/", &headers, faults.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// What the gateway has asked objects since, as `call place`; `what` is a kind of call.
    async fn asked(&self, what: &str) -> Vec<String> {
        let asked = self.get("/", &[("host", HOST)]).await.json();
        let asked = asked.as_array().unwrap().iter();
        asked
            .map(|asked| {
                let text = |key: &str| asked[key].as_str().unwrap().to_owned();
                (text("call"), text("place"))
            })
            .filter(|(call, _)| call == what || what.is_empty())
            .map(|(call, place)| format!("{call} {place}"))
            .collect()
    }

    /// Everything that a client and a publisher do, which must go well.
    async fn serves(&self) {
        let mut client = self.client("/ws/SOL", &[]).await;
        assert_eq!(self.publish("SOL", json!({ "n": 1 })).await["sockets"], 1);
        assert_eq!(client.frame().await["n"], 1);
        assert_eq!(self.get("/snapshot/SOL", &[]).await.status, 200);
        let batch = json!([{ "token": "SOL", "n": 2 }]).to_string();
        let batch = self.post("/broadcast", &[], batch).await.json();
        assert_eq!(batch["results"][0]["status"], 200, "{batch}");
        assert_eq!(client.frame().await["n"], 2);
        assert_eq!(self.get("/nope", &[]).await.refusal(), "404 not_found");
        drop(client);
        self.until("/rooms/SOL", |room| room["sockets"] == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_analytics_and_rate_limits_everything_is_served() {
    let deployed = Deployed::faulty(
        &[("[analytics]\ndataset = \"edge_broadcast_staging\"\n", "")],
        &["CONNECT_RATE", "BROADCAST_RATE"],
    )
    .await;
    deployed.serves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn analytics_and_rate_limits_that_fail_fail_no_request() {
    let deployed = Deployed::faulty(&[], &[]).await;
    for how in ["throw", "reject"] {
        deployed.misbehave(json!({ "bindings": how })).await;
        deployed.serves().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_asks_no_object_and_the_deep_one_asks_one() {
    let deployed = Deployed::faulty(&[], &[]).await;
    assert_eq!(deployed.get("/health", &[]).await.json()["status"], "ok");
    assert_eq!(deployed.asked("").await, [""; 0]);
    deployed.get("/health?deep=1", &[]).await;
    assert_eq!(deployed.asked("").await, ["health /health"]);
    // One of 256 others, so that a rollout can find one that runs the new version; and never another
    let chosen = deployed.get("/health?deep=1&probe=255", &[]).await.json();
    assert_eq!(chosen["room"]["probe"], 255, "{chosen}");
    for bad in ["256", "-1", "SOL", ""] {
        let path = format!("/health?deep=1&probe={bad}");
        assert_eq!(deployed.get(&path, &[]).await.refusal(), "400 bad_probe");
    }
    assert_eq!(
        deployed.asked("").await,
        ["health /health", "health /health/255"]
    );
    let deep = deployed.get("/health?deep=1", &[]).await.json();
    assert_eq!(deep["room"].get("probe"), None, "{deep}");
    let broken =
        json!({ "calls": [{ "call": "health", "place": "/health", "status": 500, "body": "{}" }] });
    deployed.misbehave(broken).await;
    assert_eq!(
        deployed.get("/health?deep=1", &[]).await.refusal(),
        "503 room_unhealthy"
    );
    assert_eq!(deployed.get("/health", &[]).await.status, 200);
    unreachable(&deployed).await;
    hammered(&deployed).await;
}

/// What an object answered before it could not be reached is not repeated, however often it is asked for.
async fn unreachable(deployed: &Deployed) {
    let path = "/health?deep=1&probe=6";
    assert_eq!(deployed.get(path, &[]).await.status, 200);
    let broken = json!({ "calls": [{ "call": "health", "place": "/health/6", "error": "a fault of the test" }] });
    deployed.misbehave(broken).await;
    for _ in 0..6 {
        let refusal = deployed.get(path, &[]).await.refusal();
        let refusals = ["503 room_unavailable", "429 health_rate"];
        assert!(refusals.contains(&refusal.as_str()), "{refusal}");
    }
}

/// However often somebody asks, an instance asks an object four times a second.
async fn hammered(deployed: &Deployed) {
    const ASKED: usize = 300;
    deployed.misbehave(json!({})).await;
    let began = Instant::now();
    let answers = futures_util::future::join_all(
        (0..ASKED).map(|_| deployed.get("/health?deep=1&probe=7", &[])),
    )
    .await;
    for answer in answers {
        match answer.status {
            200 => assert_eq!(answer.json()["room"]["probe"], 7, "{answer:?}"),
            _ => assert_eq!(
                (answer.refusal().as_str(), answer.header("retry-after")),
                ("429 health_rate", Some("1"))
            ),
        }
    }
    let windows = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    let asked = deployed.asked("health").await.len();
    assert!(
        asked <= 4 * windows,
        "{asked} of {ASKED} in {:?}",
        began.elapsed()
    );
    let other = deployed.get("/health?deep=1&probe=8", &[]).await.json();
    assert_eq!(other["room"]["probe"], 8, "{other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn uses_of_secrets_that_could_not_be_handed_over_are_handed_over_again() {
    let deployed = Deployed::faulty(&[], &[]).await;
    deployed
        .misbehave(json!({ "calls": [
            { "call": "uses", "place": "/secrets", "sent": true, "status": 500, "times": 2 },
        ] }))
        .await;
    deployed.publish("SOL", json!({})).await;
    deployed
        .until("/secrets/uses", |uses| uses["WEBHOOK_SECRET"]["uses"] == 1)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_whose_answer_cannot_be_read_does_not_break_the_batch() {
    let deployed = Deployed::faulty(&[], &[]).await;
    deployed
        .misbehave(json!({ "calls": [
            { "call": "publish", "place": "BONK", "status": 200, "body": "<html>" },
            { "call": "publish", "place": "WIF", "status": 500, "body": "{\"error\":{\"code\":\"x\",\"message\":\"y\"}}" },
        ] }))
        .await;
    let items = json!([{ "token": "BONK" }, { "token": "WIF" }, { "token": "SOL" }]).to_string();
    let answer = deployed.post("/broadcast", &[], items).await;
    assert_eq!(answer.status, 207, "{answer:?}");
    let answer = answer.json();
    assert_eq!(answer["results"][0]["status"], 502, "{answer}");
    assert_eq!(
        answer["results"][0]["error"]["code"], "unreadable_answer",
        "{answer}"
    );
    assert_eq!(
        answer["results"][1],
        json!({ "status": 500, "error": { "code": "x", "message": "y" } })
    );
    assert_eq!(answer["results"][2]["status"], 200, "{answer}");
    let none = json!([{ "token": "WIF" }, { "token": "BONK" }]).to_string();
    assert_eq!(deployed.post("/broadcast", &[], none).await.status, 502);
    // What was refused is no publish
    let until = Instant::now() + Duration::from_secs(10);
    let published = loop {
        let path = "/sandbox/analytics?dataset=edge_broadcast_staging";
        let points = api::call(&deployed.sandbox, "GET", path, None).await;
        let published: Vec<String> = points["result"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|point| point["blobs"][0] == "publish")
            .map(|point| point["indexes"][0].as_str().unwrap().to_owned())
            .collect();
        if published.iter().any(|token| token == "SOL") {
            break published;
        }
        assert!(Instant::now() < until, "{points:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(!published.contains(&"WIF".to_owned()), "{published:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_hangs_ends_its_own_items_of_a_batch_after_ten_seconds_and_delays_no_other() {
    let deployed = Deployed::faulty(&[], &[]).await;
    deployed
        .misbehave(json!({ "calls": [{ "call": "publish", "place": "SLOW", "hang": 11_000 }] }))
        .await;
    let mut client = deployed.client("/ws/SOL", &[]).await;
    let items =
        json!([{ "token": "SLOW" }, { "token": "SLOW" }, { "token": "SOL" }, { "token": "SLOW" }]);
    let began = Instant::now();
    let (answer, _) = tokio::join!(
        deployed.post("/broadcast", &[], items.to_string()),
        client.frame()
    );
    assert_eq!(answer.status, 207, "{answer:?}");
    let answer = answer.json();
    let results = answer["results"].as_array().unwrap();
    let statuses: Vec<&Value> = results.iter().map(|result| &result["status"]).collect();
    assert_eq!(statuses, [200, 503, 200, 503], "{answer}");
    assert_eq!(results[3]["error"]["code"], "batch_time", "{answer}");
    assert_eq!(results[3]["retry_after"], 1, "{answer}");
    assert!(began.elapsed() < Duration::from_secs(25));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_full_room_every_object_is_asked_once_for_a_place() {
    let deployed = Deployed::faulty(
        &[
            ("max_connections = 32000", "max_connections = 1"),
            ("max_shards = 8", "max_shards = 3"),
        ],
        &[],
    )
    .await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(deployed.client("/ws/SOL", &[]).await);
    }
    // The last client found its place in the third object: the next one begins there
    deployed.misbehave(json!({})).await;
    assert_eq!(deployed.refused("/ws/SOL", &[]).await, "503 room_full");
    assert_eq!(
        deployed.asked("connect").await,
        ["connect SOL//2", "connect SOL", "connect SOL//1"]
    );
    // Where the search ends in the middle, at an object that names the next one, the answer is the same
    let upgrade = [("upgrade", "websocket")];
    for _ in 0..2 {
        let answer = deployed.get("/ws/SOL", &upgrade).await;
        assert_eq!(
            (
                answer.refusal().as_str(),
                answer.header("retry-after"),
                answer.header("x-edge-next")
            ),
            ("503 room_full", Some("30"), None)
        );
    }
    // An object that is too busy to say where to go on
    deployed
        .misbehave(json!({ "calls": [{ "call": "connect", "place": "SOL", "status": 503, "body": "{}" }] }))
        .await;
    assert_eq!(deployed.refused("/ws/SOL", &[]).await, "503 -");
    assert_eq!(deployed.asked("connect").await, ["connect SOL"]);
    told(&deployed).await;
}

/// A client that asks for close codes is told what is wrong with the deployment too.
async fn told(deployed: &Deployed) {
    let misconfigured = r#"{"error":{"code":"misconfigured","message":"…"}}"#;
    for (status, body, told) in [
        (503, "{}", "4053 room_unavailable"),
        (500, misconfigured, "4050 misconfigured"),
        (
            400,
            r#"{"error":{"code":"unknown_call"}}"#,
            "4053 unknown_call",
        ),
        (
            409,
            r#"{"error":{"code":"of_a_newer_room"}}"#,
            "4053 room_unavailable",
        ),
    ] {
        deployed
            .misbehave(json!({ "calls": [{ "call": "connect", "place": "SOL", "status": status, "body": body }] }))
            .await;
        assert_eq!(deployed.told("/ws/SOL?errors=close", &[]).await, told);
    }
    let gateway = ("gateway", SCRIPT);
    let host = "broken.glow.trade";
    wrap(&deployed.sandbox, gateway, &["SETTINGS"], WRAPPER, host).await;
    assert_eq!(
        deployed.told("/ws/SOL?errors=close", &[]).await,
        "4050 misconfigured"
    );
    assert_eq!(deployed.refused("/ws/SOL", &[]).await, "500 misconfigured");
}
