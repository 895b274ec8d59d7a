use std::time::Duration;

use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::Deployed;

const AT_ONCE: (&str, &str) = ("batch_window = \"10ms\"", "batch_window = \"0\"");

#[tokio::test(flavor = "multi_thread")]
async fn the_first_frame_tells_where_the_client_is_and_the_latest_value() {
    let deployed = Deployed::with(&[AT_ONCE]);
    let hello = deployed.client("/ws/SOL", &[]).await.hello;
    assert_eq!(
        (
            &hello["token"],
            &hello["seq"],
            &hello["recovered"],
            hello.get("snapshot")
        ),
        (&json!("SOL"), &json!(0), &json!(false), None)
    );
    assert!(
        hello["connectionId"].is_string() && hello["epoch"].is_string(),
        "{hello}"
    );
    deployed
        .publish("SOL", json!({ "type": "A", "n": 1 }))
        .await;
    let hello = deployed.client("/ws/SOL", &[]).await.hello;
    assert_eq!(
        (&hello["seq"], &hello["snapshot"]["n"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_back_gets_exactly_what_it_missed() {
    let deployed = Deployed::with(&[AT_ONCE, ("history = 64", "history = 3")]);
    let mut epoch = String::new();
    for n in 1..=5 {
        epoch = deployed
            .publish("SOL", json!({ "type": "A", "n": n }))
            .await["epoch"]
            .as_str()
            .unwrap()
            .to_owned();
    }
    let mut one = deployed
        .client(&format!("/ws/SOL?since=4&epoch={epoch}"), &[])
        .await;
    assert_eq!(
        (&one.hello["recovered"], one.hello.get("snapshot")),
        (&json!(true), None)
    );
    assert_eq!(one.frame().await["n"], 5);
    let mut two = deployed
        .client(&format!("/ws/SOL?since=3&epoch={epoch}"), &[])
        .await;
    let batch = two.frame().await;
    let missed: Vec<_> = batch["updates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|update| update["n"].clone())
        .collect();
    assert_eq!(
        (&batch["type"], missed),
        (&json!("BATCH_UPDATE"), vec![json!(4), json!(5)])
    );
    for path in [
        format!("/ws/SOL?since=1&epoch={epoch}"),
        "/ws/SOL?since=4&epoch=other".to_owned(),
        "/ws/SOL?since=4".to_owned(),
    ] {
        let mut client = deployed.client(&path, &[]).await;
        assert_eq!(
            (
                &client.hello["recovered"],
                client.hello.get("behind"),
                client.hello.get("snapshot")
            ),
            (&json!(false), None, None),
            "{path}"
        );
        assert_eq!(client.updates(3).await, [3, 4, 5], "{path}");
    }
    let mut ahead = deployed
        .client(&format!("/ws/SOL?since=99&epoch={epoch}"), &[])
        .await;
    assert_eq!(
        (
            &ahead.hello["recovered"],
            &ahead.hello["behind"],
            ahead.hello.get("snapshot")
        ),
        (&json!(false), &json!(true), None)
    );
    ahead.hears_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_comes_in_frames_that_every_client_takes() {
    const MISSED: u64 = 64;
    let deployed = Deployed::with(&[AT_ONCE]);
    let mut receipt = json!(null);
    for n in 1..=MISSED {
        let update = json!({ "type": "A", "n": n, "text": "x".repeat(16_000) });
        receipt = deployed.publish("SOL", update).await;
    }
    let epoch = receipt["epoch"].as_str().unwrap();
    for (path, recovered) in [
        (format!("/ws/SOL?since=0&epoch={epoch}"), true),
        ("/ws/SOL?since=0&epoch=other".to_owned(), false),
    ] {
        let mut client = deployed.client(&path, &[]).await;
        assert_eq!(client.hello["recovered"], recovered, "{}", client.hello);
        let mut heard = Vec::new();
        while heard.len() < MISSED as usize {
            let frame = client.frame().await;
            let bytes = frame.to_string().len();
            assert!(bytes < 257 * 1024, "{bytes}");
            let updates = frame["updates"].as_array().unwrap().iter();
            heard.extend(updates.map(|update| update["n"].as_u64().unwrap()));
        }
        assert_eq!(heard, (1..=MISSED).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_has_an_etag_and_is_not_sent_twice() {
    let deployed = Deployed::with(&[AT_ONCE]);
    let receipt = deployed
        .publish("SOL", json!({ "type": "A", "n": 1 }))
        .await;
    let first = deployed
        .get("/snapshot/SOL", &[("origin", "https://app.glow.trade")])
        .await;
    let etag = format!("\"{}-1\"", receipt["epoch"].as_str().unwrap());
    assert_eq!(
        (first.status, first.header("etag")),
        (200, Some(etag.as_str()))
    );
    assert_eq!(first.json()["snapshot"]["n"], 1);
    assert_eq!(
        first.header("access-control-allow-origin"),
        Some("https://app.glow.trade")
    );
    let again = deployed
        .get("/snapshot/SOL", &[("if-none-match", &etag)])
        .await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    deployed
        .publish("SOL", json!({ "type": "A", "n": 2 }))
        .await;
    assert_eq!(
        deployed
            .get("/snapshot/SOL", &[("if-none-match", &etag)])
            .await
            .json()["snapshot"]["n"],
        2
    );
    assert_eq!(
        deployed.get("/snapshot/NONE", &[]).await.json()["snapshot"],
        json!(null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_the_object_everything_is_as_it_was() {
    let deployed = Deployed::with(&[AT_ONCE]);
    let first = deployed
        .post(
            "/broadcast/SOL",
            &[("idempotency-key", "k1")],
            r#"{"type":"A","slot":7,"n":1}"#,
        )
        .await
        .json();
    deployed
        .publish("SOL", json!({ "type": "A", "slot": 8, "n": 2 }))
        .await;
    // What is kept is written within about a second, after the frames have left
    tokio::time::sleep(Duration::from_millis(1500)).await;
    deployed.restart().await;
    let epoch = first["epoch"].as_str().unwrap();
    let mut client = deployed
        .client(&format!("/ws/SOL?since=1&epoch={epoch}"), &[])
        .await;
    assert_eq!(client.hello["recovered"], true, "{}", client.hello);
    assert_eq!(client.frame().await["n"], 2);
    let again = deployed
        .post(
            "/broadcast/SOL",
            &[("idempotency-key", "k1")],
            r#"{"type":"A","slot":7,"n":1}"#,
        )
        .await
        .json();
    assert_eq!(
        (&again["duplicate"], &again["seq"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(
        deployed
            .publish("SOL", json!({ "type": "A", "slot": 1 }))
            .await["stale"],
        true
    );
    let next = deployed.publish("SOL", json!({ "slot": 9 })).await;
    assert_eq!(
        (&next["seq"], &next["epoch"], &next["sockets"]),
        (&json!(10_003), &json!(epoch), &json!(1))
    );
    assert_eq!(deployed.inspect("/rooms/SOL").await["wake_ups"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_survives_hibernation_and_pings_do_not_wake_the_room() {
    let deployed = Deployed::with(&[AT_ONCE]);
    let mut client = deployed.client("/ws/SOL", &[]).await;
    let first = deployed.publish("SOL", json!({ "n": 1 })).await;
    client.frame().await;
    // The runtime lets go of an idle object after ten seconds
    tokio::time::sleep(Duration::from_secs(13)).await;
    client
        .socket
        .send(Message::text(r#"{"type":"ping"}"#))
        .await
        .unwrap();
    assert_eq!(client.frame().await, json!({ "type": "pong" }));
    let room = deployed.inspect("/rooms/SOL").await;
    assert_eq!(
        (&room["wake_ups"], &room["root"]["awake"]["woken_by"]),
        (&json!(2), &json!("inspect")),
        "{room:#}"
    );
    let second = deployed.publish("SOL", json!({ "n": 2 })).await;
    assert_eq!(
        (&second["sockets"], &second["epoch"], &second["seq"]),
        (&json!(1), &first["epoch"], &json!(2))
    );
    assert_eq!(client.frame().await["n"], 2);
}
