use serde_json::json;

use super::Deployed;

pub(crate) const REGIONS: (&str, &str) = (
    "[room]",
    "[[regions]]\nname = \"us\"\nhost = \"broadcast-us.glow.trade\"\nlocation_hint = \"enam\"\ncontinents = [\"NA\"]\n\n[[regions]]\nname = \"eu\"\nhost = \"broadcast-eu.glow.trade\"\nlocation_hint = \"weur\"\ncontinents = [\"EU\"]\n\n[[regions]]\nname = \"asia\"\nhost = \"broadcast-asia.glow.trade\"\nlocation_hint = \"apac\"\ncontinents = [\"AS\"]\n\n[room]",
);

#[tokio::test(flavor = "multi_thread")]
async fn a_full_object_overflows_into_shards_that_leave_when_they_are_empty() {
    let deployed = Deployed::with(&[
        ("max_connections = 32000", "max_connections = 2"),
        ("max_shards = 8", "max_shards = 3"),
        // Two publishes within a window would be answered with what was known before the second
        ("batch_window = \"10ms\"", "batch_window = \"0\""),
    ]);
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(deployed.client("/ws/SOL", &[]).await);
    }
    assert_eq!(deployed.refused("/ws/SOL", &[]).await, "503 room_full");
    let receipt = deployed.publish("SOL", json!({ "n": 1 })).await;
    assert_eq!(
        (
            &receipt["sockets"],
            &receipt["shards"],
            &receipt["failed_shards"]
        ),
        (&json!(6), &json!(3), &json!(0))
    );
    for client in &mut clients {
        assert_eq!(client.frame().await["n"], 1);
    }
    let room = deployed.inspect("/rooms/SOL").await;
    assert_eq!(
        room["shards"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        ["SOL//1", "SOL//2"]
    );
    clients.truncate(2);
    let room = deployed
        .until("/rooms/SOL", |room| room["shards"] == json!({}))
        .await;
    assert_eq!(room["sockets"], 2);
    let receipt = deployed.publish("SOL", json!({ "n": 2 })).await;
    assert_eq!(
        (&receipt["sockets"], &receipt["shards"]),
        (&json!(2), &json!(1))
    );
    let _again = deployed.client("/ws/SOL", &[]).await;
    assert_eq!(
        deployed.publish("SOL", json!({ "n": 3 })).await["sockets"],
        3
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_or_the_continent_chooses_the_region_and_only_regions_with_sockets_are_called() {
    let deployed = Deployed::with(&[REGIONS]);
    let mut us = deployed.client("/ws/SOL", &[]).await;
    let eu = deployed
        .client("/ws/SOL", &[("cf-ipcontinent", "EU")])
        .await;
    let mut asia = deployed
        .client(
            "/ws/SOL",
            &[
                ("host", "broadcast-asia.glow.trade"),
                ("cf-ipcontinent", "EU"),
            ],
        )
        .await;
    let room = deployed.inspect("/rooms/SOL").await;
    assert_eq!(room["regions"], json!({ "us": 1, "eu": 1, "asia": 1 }));
    let receipt = deployed.publish("SOL", json!({ "n": 1 })).await;
    assert_eq!(
        (&receipt["sockets"], &receipt["shards"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(
        (
            us.frame().await["n"].clone(),
            asia.frame().await["n"].clone()
        ),
        (json!(1), json!(1))
    );
    drop(eu);
    deployed
        .until("/rooms/SOL", |room| room["sockets"] == 2)
        .await;
    assert_eq!(
        deployed.publish("SOL", json!({ "n": 2 })).await["shards"],
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_clients_make_their_shards_known_again() {
    let deployed = Deployed::with(&[
        ("max_connections = 32000", "max_connections = 1"),
        ("max_shards = 8", "max_shards = 2"),
    ]);
    let _held = (
        deployed.client("/ws/SOL", &[]).await,
        deployed.client("/ws/SOL", &[]).await,
    );
    let before = deployed.publish("SOL", json!({ "n": 1 })).await;
    assert_eq!(before["shards"], 2);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    deployed.restart().await;
    let (mut one, mut two) = (
        deployed.client("/ws/SOL", &[]).await,
        deployed.client("/ws/SOL", &[]).await,
    );
    let after = deployed.publish("SOL", json!({ "n": 2 })).await;
    assert_eq!(
        (&after["shards"], &after["sockets"], &after["seq"]),
        (&json!(2), &json!(2), &json!(10_002)),
        "{after}"
    );
    assert_eq!(
        (
            one.frame().await["n"].clone(),
            two.frame().await["n"].clone()
        ),
        (json!(2), json!(2))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_of_shards_survives_the_death_of_the_root() {
    let deployed = Deployed::wrapped(&[
        ("max_connections = 32000", "max_connections = 1"),
        ("max_shards = 8", "max_shards = 2"),
    ])
    .await;
    let _root = deployed.client("/ws/SOL", &[]).await;
    let mut shard = deployed.client("/ws/SOL", &[]).await;
    deployed.abort_root("SOL").await;
    // Nobody connects, so what the new root knows it has read
    let room = deployed.inspect("/rooms/SOL").await;
    let shards: Vec<&String> = room["shards"].as_object().unwrap().keys().collect();
    assert_eq!(shards, ["SOL//1"]);
    assert_eq!(
        (&room["sockets"], &room["root"]["sockets"]),
        (&json!(1), &json!(0))
    );
    let receipt = deployed.publish("SOL", json!({ "n": 1 })).await;
    assert_eq!(
        (&receipt["sockets"], &receipt["shards"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(shard.frame().await["n"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_room_takes_no_further_object_an_existing_shard_with_a_place_is_found() {
    let deployed = Deployed::with(&[
        REGIONS,
        ("max_connections = 32000", "max_connections = 2"),
        ("max_shards = 8", "max_shards = 3"),
    ]);
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(deployed.client("/ws/SOL", &[]).await);
    }
    // The first shard leaves, and another region takes its place in the room
    clients.drain(2..4);
    let shards = |room: &serde_json::Value| {
        let shards = room["shards"].as_object().unwrap();
        shards.keys().cloned().collect::<Vec<_>>()
    };
    deployed
        .until("/rooms/SOL", |room| shards(room) == ["SOL/us/2"])
        .await;
    let _eu = deployed
        .client("/ws/SOL", &[("host", "broadcast-eu.glow.trade")])
        .await;
    // The gateway remembers for ten seconds where it last found a place, and would begin there
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    let mut client = deployed.client("/ws/SOL", &[]).await;
    let room = deployed.inspect("/rooms/SOL").await;
    assert_eq!(shards(&room), ["SOL/eu/0", "SOL/us/2"]);
    assert_eq!(room["shards"]["SOL/us/2"]["sockets"], 2);
    deployed.publish("SOL", json!({ "n": 1 })).await;
    assert_eq!(client.frame().await["n"], 1);
    assert_eq!(deployed.refused("/ws/SOL", &[]).await, "503 room_full");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_a_shard_is_first_to_speak_to_is_created_in_its_own_region() {
    let deployed = Deployed::wrapped(&[REGIONS]).await;
    deployed.faults(json!([])).await;
    let _eu = deployed
        .client("/ws/SOL", &[("host", "broadcast-eu.glow.trade")])
        .await;
    let seen = deployed.seen().await;
    assert_eq!(seen["stubs"], json!([{ "name": "SOL", "hint": "enam" }]));
}
