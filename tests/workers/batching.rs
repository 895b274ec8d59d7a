use serde_json::json;

use super::Deployed;

async fn burst(deployed: &Deployed) -> Vec<serde_json::Value> {
    let publish = |n: u32| async move {
        deployed
            .publish("SOL", json!({ "type": "A", "n": n }))
            .await
    };
    let (a, b, c, d) = tokio::join!(publish(1), publish(2), publish(3), publish(4));
    vec![a, b, c, d]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_room_delivers_at_once_and_a_hot_one_sends_one_frame_per_window() {
    let deployed = Deployed::with(&[("batch_window = \"10ms\"", "batch_window = \"1s\"")]);
    let mut client = deployed.client("/ws/SOL", &[]).await;
    let receipts = burst(&deployed).await;
    deployed
        .publish("SOL", json!({ "type": "B", "n": 9 }))
        .await;
    assert_eq!(
        receipts
            .iter()
            .filter(|receipt| receipt["batched"] == false)
            .count(),
        1,
        "{receipts:?}"
    );
    assert_eq!(
        receipts
            .iter()
            .map(|receipt| receipt["dropped"].as_u64().unwrap())
            .sum::<u64>(),
        2,
        "{receipts:?}"
    );
    let first = client.frame().await;
    assert_eq!((&first["type"], &first["seq"]), (&json!("A"), &json!(1)));
    let batch = client.frame().await;
    assert_eq!(batch["type"], "BATCH_UPDATE", "{batch}");
    let kept: Vec<_> = batch["updates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|update| (update["type"].clone(), update["seq"].clone()))
        .collect();
    assert_eq!(kept, [(json!("A"), json!(4)), (json!("B"), json!(5))]);
    client.hears_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_conflate_all_every_update_arrives_in_order() {
    let deployed = Deployed::with(&[
        ("batch_window = \"10ms\"", "batch_window = \"500ms\""),
        ("conflate = \"latest\"", "conflate = \"all\""),
    ]);
    let mut client = deployed.client("/ws/SOL", &[]).await;
    burst(&deployed).await;
    let mut heard = Vec::new();
    while heard.len() < 4 {
        let frame = client.frame().await;
        match frame["updates"].as_array() {
            Some(updates) => heard.extend(updates.iter().map(|update| update["seq"].clone())),
            None => heard.push(frame["seq"].clone()),
        }
    }
    assert_eq!(heard, [1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_named_members_decide_what_a_window_keeps_and_no_frame_is_large() {
    let deployed = Deployed::with(&[
        ("batch_window = \"10ms\"", "batch_window = \"2s\""),
        (
            "conflate = \"latest\"",
            "conflate = \"latest\"\nconflate_key = [\"type\", \"pool\"]",
        ),
    ]);
    let mut client = deployed.client("/ws/SOL", &[]).await;
    deployed.publish("SOL", json!({ "n": 0 })).await;
    assert_eq!(client.frame().await["n"], 0);
    for (n, pool) in [(1, "a"), (2, "b"), (3, "a"), (4, "c"), (5, "b")] {
        let update = json!({ "type": "PRICE", "pool": pool, "n": n });
        deployed.publish("SOL", update).await;
    }
    let batch = json!({ "type": "BATCH_UPDATE", "updates": [
        { "type": "PRICE", "pool": "c", "n": 6 }, { "type": "PRICE", "pool": "c", "n": 7 },
    ] });
    deployed.publish("SOL", batch).await;
    deployed.publish("SOL", json!({ "n": 8 })).await;
    deployed.publish("SOL", json!({ "n": 9 })).await;
    let frame = client.frame().await;
    let kept = frame["updates"].as_array().unwrap().iter();
    let kept: Vec<u64> = kept.map(|update| update["n"].as_u64().unwrap()).collect();
    assert_eq!(kept, [3, 4, 5, 6, 7, 8, 9]);

    let items: Vec<_> = (10..50)
        .map(|n| json!({ "token": "SOL", "n": n, "a": "x".repeat(16_000) }))
        .collect();
    let answer = deployed
        .post("/broadcast", &[], json!(items).to_string())
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let (mut heard, mut frames) = (Vec::new(), 0);
    while heard.len() < items.len() {
        let frame = client.frame().await;
        let bytes = frame.to_string().len();
        assert!(bytes <= 256 * 1024, "{bytes}");
        let one = vec![frame.clone()];
        let updates = frame["updates"].as_array().unwrap_or(&one).iter();
        heard.extend(updates.map(|update| update["n"].as_u64().unwrap()));
        frames += 1;
    }
    assert_eq!(heard, (10..50).collect::<Vec<_>>());
    assert!(frames < 8, "{frames}");
}
