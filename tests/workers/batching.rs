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
