//! How one update reaches everybody: in which order, and what one that fails means to the rest.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Deployed;
use super::shards::REGIONS;
use crate::support::api;

const AT_ONCE: (&str, &str) = ("batch_window = \"10ms\"", "batch_window = \"0\"");
const ANY_ADDRESS: (&str, &str) = ("connections_per_ip = 500", "connections_per_ip = 0");
const EUROPE: [(&str, &str); 1] = [("host", "broadcast-eu.glow.trade")];

#[tokio::test(flavor = "multi_thread")]
async fn shards_are_called_before_the_roots_own_sockets_are_served() {
    let deployed = Deployed::wrapped(&[REGIONS, AT_ONCE]).await;
    let mut clients = vec![deployed.client("/ws/SOL", &EUROPE).await];
    for _ in 0..3 {
        clients.push(deployed.client("/ws/SOL", &[]).await);
    }
    deployed.faults(json!([])).await;
    assert_eq!(
        deployed.publish("SOL", json!({ "n": 1 })).await["sockets"],
        4
    );
    for client in &mut clients {
        assert_eq!(client.frame().await["n"], 1);
    }
    assert_eq!(
        deployed.senders("object").await,
        ["SOL/eu/0", "SOL", "SOL", "SOL"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connects_during_deliveries_misses_nothing_and_gets_nothing_twice() {
    const LAST: u64 = 150;
    let deployed = Deployed::with(&[REGIONS, AT_ONCE, ANY_ADDRESS]);
    let _shard = deployed.client("/ws/SOL", &EUROPE).await;
    let publishing = async {
        for n in 1..=LAST {
            deployed.publish("SOL", json!({ "n": n })).await;
        }
    };
    let connecting = futures_util::future::join_all((0..30).map(|_| async {
        let mut client = deployed.client("/ws/SOL", &[]).await;
        let mut seq = client.hello["seq"].as_u64().unwrap();
        while seq < LAST {
            assert_eq!(client.frame().await["seq"], seq + 1);
            seq += 1;
        }
    }));
    tokio::join!(publishing, connecting);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connects_between_the_shards_and_the_roots_own_sockets_gets_the_update_once() {
    let deployed = Deployed::wrapped(&[REGIONS, AT_ONCE]).await;
    let mut shard = deployed.client("/ws/SOL", &EUROPE).await;
    let mut before = deployed.client("/ws/SOL", &[]).await;
    deployed.faults(json!([{ "what": "late" }])).await;
    let between = async {
        assert_eq!(shard.frame().await["n"], 1);
        deployed.client("/ws/SOL", &[]).await
    };
    let (receipt, mut between) = tokio::join!(deployed.publish("SOL", json!({ "n": 1 })), between);
    assert_eq!(receipt["sockets"], 2);
    assert_eq!(before.frame().await["n"], 1);
    assert_eq!(between.hello["snapshot"]["n"], 1);
    between.hears_nothing().await;
    deployed.publish("SOL", json!({ "n": 2 })).await;
    for client in [&mut shard, &mut before, &mut between] {
        assert_eq!(client.frame().await["n"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_hibernation_another_client_is_served_first() {
    let deployed = Deployed::wrapped(&[AT_ONCE]).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(deployed.client("/ws/SOL", &[]).await);
    }
    let first = async |n: u64| {
        deployed.faults(json!([])).await;
        let receipt = deployed.publish("SOL", json!({ "n": n })).await;
        assert_eq!(
            (&receipt["seq"], &receipt["sockets"]),
            (&json!(n), &json!(8))
        );
        let order = deployed.senders("id").await;
        assert_eq!(order.len(), 8);
        order[0].clone()
    };
    first(1).await;
    let before = first(2).await;
    tokio::time::sleep(Duration::from_secs(13)).await;
    let after = first(3).await;
    assert_eq!(deployed.inspect("/rooms/SOL").await["wake_ups"], 2);
    assert_ne!(before, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_whose_send_fails_is_closed_and_the_rest_are_served() {
    let deployed = Deployed::wrapped(&[
        AT_ONCE,
        ("max_connections = 32000", "max_connections = 3"),
        ("max_shards = 8", "max_shards = 1"),
    ])
    .await;
    let mut one = deployed.client("/ws/SOL", &[]).await;
    let mut broken = deployed.client("/ws/SOL", &[]).await;
    let mut two = deployed.client("/ws/SOL", &[]).await;
    deployed
        .faults(json!([{ "what": "send", "id": broken.hello["connectionId"] }]))
        .await;
    let receipt = deployed.publish("SOL", json!({ "n": 1 })).await;
    assert_eq!(receipt["sockets"], 2);
    assert_eq!(one.frame().await["n"], 1);
    assert_eq!(two.frame().await["n"], 1);
    assert_eq!(broken.closed().await, (1011, "send failed".to_owned()));
    drop(broken);
    let room = deployed
        .until("/rooms/SOL", |room| {
            room["root"]["counters"]["disconnects"] == 1
        })
        .await;
    assert_eq!(
        (&room["root"]["counters"]["failed_sends"], &room["sockets"]),
        (&json!(1), &json!(2))
    );
    // Its end is reported after it was left out of a count: there is one place now, not two
    let _third = deployed.client("/ws/SOL", &[]).await;
    assert_eq!(deployed.refused("/ws/SOL", &[]).await, "503 room_full");
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_that_throw_or_hang_delay_nobody_and_are_sent_again_what_they_missed() {
    let deployed = Deployed::wrapped(&[
        AT_ONCE,
        ("max_connections = 32000", "max_connections = 1"),
        ("max_shards = 8", "max_shards = 4"),
    ])
    .await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(deployed.client("/ws/SOL", &[]).await);
    }
    deployed
        .faults(json!([
            { "what": "throw", "object": "SOL//1", "call": "push", "times": 1 },
            { "what": "hang", "object": "SOL//2", "call": "push", "times": 1 },
        ]))
        .await;
    let began = Instant::now();
    let post = async |n: u32| {
        let headers = [("idempotency-key", "k1")];
        let answer = deployed.post("/broadcast/SOL", &headers, json!({ "n": n }).to_string());
        answer.await.json()
    };
    let (receipt, repeat) = tokio::join!(post(1), async {
        for at in [0, 3] {
            assert_eq!(clients[at].frame().await["n"], 1);
        }
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        post(1).await
    });
    let figures = |receipt: &Value| {
        ["duplicate", "sockets", "shards", "failed_shards"].map(|key| receipt[key].clone())
    };
    // While it was being delivered, a repeat got what was known then
    assert_eq!(
        figures(&repeat),
        [json!(true), json!(4), json!(4), json!(0)]
    );
    assert_eq!(
        figures(&receipt),
        [json!(false), json!(2), json!(2), json!(2)]
    );
    assert_eq!(
        figures(&post(1).await),
        [json!(true), json!(2), json!(2), json!(2)]
    );
    for at in [1, 2] {
        assert_eq!(clients[at].frame().await["n"], 1, "{at}");
    }
    for client in &mut clients {
        client.hears_nothing().await;
    }
    // Nothing is left in flight that would keep the root from hibernating
    tokio::time::sleep(Duration::from_secs(13)).await;
    let room = deployed.inspect("/rooms/SOL").await;
    assert_eq!(room["root"]["counters"]["wake_ups"], 2, "{room:#}");
    assert_eq!(room["root"]["counters"]["failed_shards"], 2, "{room:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_cannot_be_called_fails_alone_and_later_receipts_of_the_window_say_so() {
    let deployed = Deployed::wrapped(&[
        ("batch_window = \"10ms\"", "batch_window = \"2s\""),
        ("max_connections = 32000", "max_connections = 1"),
        ("max_shards = 8", "max_shards = 3"),
    ])
    .await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(deployed.client("/ws/SOL", &[]).await);
    }
    deployed
        .faults(json!([{ "what": "stub", "object": "SOL//1", "times": 1 }]))
        .await;
    let receipt = deployed.publish("SOL", json!({ "n": 1 })).await;
    assert_eq!(
        (&receipt["sockets"], &receipt["failed_shards"]),
        (&json!(2), &json!(1))
    );
    let waiting = deployed.publish("SOL", json!({ "n": 2 })).await;
    assert_eq!(
        (&waiting["batched"], &waiting["failed_shards"]),
        (&json!(true), &json!(1))
    );
    for client in &mut clients {
        assert_eq!(client.frame().await["n"], 1);
        assert_eq!(client.frame().await["n"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_development_a_broadcast_is_logged_with_its_message_and_the_active_connections() {
    let deployed = Deployed::with(&[AT_ONCE, ("[cloudflare]", "debug = true\n\n[cloudflare]")]);
    let _clients = (
        deployed.client("/ws/SOL", &[]).await,
        deployed.client("/ws/SOL", &[]).await,
    );
    deployed.publish("SOL", json!({ "type": "A" })).await;
    let wanted =
        r#"broadcast to 2 sockets in 1 objects, with 2 active connections: {"type":"A","seq":1,"#;
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let logs = api::call(&deployed.sandbox, "GET", "/sandbox/logs", None).await;
        if logs.to_string().contains(&wanted.replace('"', "\\\"")) {
            break;
        }
        assert!(Instant::now() < until, "{logs:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
