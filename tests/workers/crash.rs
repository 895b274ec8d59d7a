//! What is left of a room when an object dies, or its storage fails it.

use std::time::Duration;

use serde_json::{Value, json};

use super::Deployed;
use super::shards::REGIONS;

const AT_ONCE: (&str, &str) = ("batch_window = \"10ms\"", "batch_window = \"0\"");

#[tokio::test(flavor = "multi_thread")]
async fn between_two_writes_a_new_epoch_begins_with_the_latest_value() {
    let deployed = Deployed::wrapped(&[AT_ONCE]).await;
    let first = deployed.publish("SOL", json!({ "n": 1 })).await;
    // A second one so soon is written with the mark that more may follow
    let second = deployed.publish("SOL", json!({ "n": 2 })).await;
    assert_eq!(first["epoch"], second["epoch"]);
    deployed.abort_root("SOL").await;
    let epoch = first["epoch"].as_str().unwrap();
    let hello = deployed
        .client(&format!("/ws/SOL?since=2&epoch={epoch}"), &[])
        .await
        .hello;
    assert_ne!(hello["epoch"], first["epoch"]);
    assert_eq!(
        (&hello["recovered"], &hello["seq"], &hello["snapshot"]["n"]),
        (&json!(false), &json!(2), &json!(2))
    );
    let third = deployed.publish("SOL", json!({ "n": 3 })).await;
    assert_eq!(
        (&third["epoch"], &third["seq"]),
        (&hello["epoch"], &json!(3))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_ahead_of_what_survived_is_told_so_and_gets_nothing_older() {
    let deployed = Deployed::wrapped(&[AT_ONCE]).await;
    let hello = async |since: &Value| {
        let (epoch, since) = (since["epoch"].as_str().unwrap(), &since["seq"]);
        let path = format!("/ws/SOL?since={since}&epoch={epoch}");
        deployed.client(&path, &[]).await
    };
    let lost = async |numbers: std::ops::Range<u32>| {
        let no_write = json!([{ "what": "put", "object": "SOL", "key": "room" }]);
        deployed.faults(no_write).await;
        let mut last = json!(null);
        for n in numbers {
            last = deployed.publish("SOL", json!({ "n": n })).await;
        }
        deployed.abort_root("SOL").await;
        last
    };
    // What is written is exact: the epoch goes on
    let first = deployed.publish("SOL", json!({ "n": 1 })).await;
    let ahead = lost(2..6).await;
    assert_eq!(
        (&ahead["epoch"], &ahead["seq"]),
        (&first["epoch"], &json!(5))
    );
    let mut client = hello(&ahead).await;
    assert_eq!(
        (
            &client.hello["behind"],
            &client.hello["recovered"],
            &client.hello["seq"],
            client.hello.get("snapshot")
        ),
        (&json!(true), &json!(false), &json!(1), None),
        "{}",
        client.hello
    );
    assert_eq!(hello(&first).await.hello["recovered"], true);
    deployed.publish("SOL", json!({ "n": 6 })).await;
    assert_eq!(client.frame().await["n"], 6);
    // What is written says that more followed: a new epoch begins
    let second = deployed.publish("SOL", json!({ "n": 7 })).await;
    client.frame().await;
    let ahead = lost(8..11).await;
    assert_eq!(ahead["epoch"], first["epoch"]);
    let mut client = hello(&ahead).await;
    assert_ne!(client.hello["epoch"], first["epoch"]);
    assert_eq!(
        (
            &client.hello["behind"],
            &client.hello["seq"],
            client.hello.get("snapshot")
        ),
        (&json!(true), &second["seq"], None),
        "{}",
        client.hello
    );
    for n in [11, 12] {
        deployed.publish("SOL", json!({ "n": n })).await;
        assert_eq!(client.frame().await["n"], n);
    }
    let mut client = hello(&ahead).await;
    assert_eq!(client.hello["behind"], true);
    assert_eq!(client.updates(2).await, [11, 12]);
    // Who is not ahead gets all that the epoch has; no value that is older than it
    let mut client = hello(&second).await;
    assert_eq!(
        (
            &client.hello["recovered"],
            client.hello.get("behind"),
            &client.hello["snapshot"]
        ),
        (&json!(false), None, &json!(null))
    );
    assert_eq!(client.updates(2).await, [11, 12]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_write_the_epoch_goes_on_with_numbers_that_cannot_have_been_used() {
    let deployed = Deployed::wrapped(&[AT_ONCE]).await;
    let first = deployed.publish("SOL", json!({ "n": 1 })).await;
    deployed.abort_root("SOL").await;
    let second = deployed.publish("SOL", json!({ "n": 2 })).await;
    assert_eq!(
        (&second["epoch"], &second["seq"]),
        (&first["epoch"], &json!(10_002))
    );
    let epoch = first["epoch"].as_str().unwrap();
    let mut client = deployed
        .client(&format!("/ws/SOL?since=1&epoch={epoch}"), &[])
        .await;
    assert_eq!(client.hello["recovered"], true, "{}", client.hello);
    assert_eq!(client.frame().await["n"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_too_large_to_store_costs_the_value_and_nothing_else() {
    let deployed = Deployed::wrapped(&[
        AT_ONCE,
        ("max_message_bytes = 16384", "max_message_bytes = 1048576"),
    ])
    .await;
    let first = deployed.publish("SOL", json!({ "n": 1 })).await;
    // The one above is written as exact; a second later the next one is too
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let large = format!("{}€", "x".repeat(1_048_000));
    deployed.publish("SOL", json!({ "n": 2, "a": large })).await;
    deployed.abort_root("SOL").await;
    let snapshot = deployed.get("/snapshot/SOL", &[]).await.json();
    assert_eq!(
        (&snapshot["epoch"], &snapshot["seq"]),
        (&first["epoch"], &json!(2))
    );
    assert!(snapshot["snapshot"].is_null(), "the value was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn six_hundred_ids_are_known_after_a_restart() {
    let deployed = Deployed::with(&[AT_ONCE]);
    let post = async |n: u32| {
        let id = format!("id-{n}");
        let answer = deployed
            .post("/broadcast/SOL", &[("idempotency-key", &id)], "{}")
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let first = post(0).await;
    for n in (1..600).step_by(20) {
        futures_util::future::join_all((n..(n + 20).min(600)).map(post)).await;
    }
    // Ids of the last second are written when it is over
    tokio::time::sleep(Duration::from_millis(1500)).await;
    deployed.restart().await;
    for n in [0, 300, 599] {
        let again = post(n).await;
        assert_eq!(again["duplicate"], true, "{n}: {again}");
        assert_eq!(again["epoch"], first["epoch"]);
    }
    assert_eq!(post(0).await["seq"], first["seq"]);
    assert_eq!(post(600).await["duplicate"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_gets_no_socket_before_the_root_has_written_down_that_it_exists() {
    let deployed = Deployed::wrapped(&[REGIONS]).await;
    let europe = [("host", "broadcast-eu.glow.trade")];
    deployed
        .faults(json!([{ "what": "put", "object": "SOL", "key": "shards" }]))
        .await;
    for _ in 0..2 {
        let refusal = deployed.refused("/ws/SOL", &europe).await;
        assert_eq!(refusal, "503 room_unavailable");
    }
    deployed.faults(json!([])).await;
    let mut client = deployed.client("/ws/SOL", &europe).await;
    deployed.abort_root("SOL").await;
    assert_eq!(
        deployed.publish("SOL", json!({ "n": 1 })).await["sockets"],
        1
    );
    assert_eq!(client.frame().await["n"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn uses_of_secrets_that_cannot_be_read_or_written_are_not_taken_for_none() {
    let deployed = Deployed::wrapped(&[]).await;
    let used = |uses: &Value| uses["WEBHOOK_SECRET"]["uses"].as_u64().unwrap();
    // The deployment has verified itself with a publish; the gateway hands its counts over within a second
    let hand_over = async || tokio::time::sleep(Duration::from_millis(1500)).await;
    hand_over().await;
    let before = used(&deployed.inspect("/secrets/uses").await);
    assert!(before > 0);
    for what in ["get", "put"] {
        deployed
            .faults(json!([{ "what": what, "object": "/secrets", "key": "uses" }]))
            .await;
        deployed.publish("SOL", json!({})).await;
        hand_over().await;
        if what == "get" {
            let answer = deployed
                .get("/secrets/uses", &[("authorization", super::ADMIN)])
                .await;
            assert_eq!(answer.refusal(), "503 room_unavailable");
        }
    }
    deployed.faults(json!([])).await;
    deployed.publish("SOL", json!({})).await;
    deployed
        .until("/secrets/uses", |uses| used(uses) == before + 3)
        .await;
}
