//! What is left of a room after the runtime has let go of its objects, which it does after ten idle seconds.

use std::time::Duration;

use serde_json::{Value, json};

use super::Deployed;
use super::shards::REGIONS;

const AT_ONCE: (&str, &str) = ("batch_window = \"10ms\"", "batch_window = \"0\"");
const ONE_EACH: [(&str, &str); 2] = [
    ("max_connections = 32000", "max_connections = 1"),
    ("max_shards = 8", "max_shards = 2"),
];

async fn hibernation() {
    tokio::time::sleep(Duration::from_secs(13)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_gets_the_first_receipt() {
    let deployed = Deployed::with(&[AT_ONCE]);
    let mut client = deployed.client("/ws/SOL", &[]).await;
    let post = async || {
        let answer = deployed.post("/broadcast/SOL", &[("webhook-id", "m1")], r#"{"n":1}"#);
        answer.await.json()
    };
    let first = post().await;
    assert_eq!(
        (&first["duplicate"], &first["sockets"]),
        (&json!(false), &json!(1))
    );
    client.frame().await;
    hibernation().await;
    let again = post().await;
    assert_eq!(again["duplicate"], true);
    for key in [
        "seq",
        "epoch",
        "sockets",
        "shards",
        "failed_shards",
        "dropped",
    ] {
        assert_eq!(again[key], first[key], "{key}");
    }
    client.hears_nothing().await;
    assert_eq!(deployed.inspect("/rooms/SOL").await["wake_ups"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sockets_of_a_hibernated_root_and_shard_still_receive() {
    let deployed = Deployed::with(&[AT_ONCE, ONE_EACH[0], ONE_EACH[1]]);
    let mut root = deployed.client("/ws/SOL", &[]).await;
    let mut shard = deployed.client("/ws/SOL", &[]).await;
    for n in 1..=2 {
        let receipt = deployed.publish("SOL", json!({ "n": n })).await;
        assert_eq!(
            (&receipt["sockets"], &receipt["shards"], &receipt["seq"]),
            (&json!(2), &json!(2), &json!(n))
        );
        assert_eq!(root.frame().await["n"], n);
        assert_eq!(shard.frame().await["n"], n);
        hibernation().await;
    }
    let room = deployed.inspect("/rooms/SOL").await;
    for object in [&room["root"], &room["shards"]["SOL//1"]] {
        assert_eq!(object["awake"]["woken_by"], "inspect", "{room:#}");
    }
    // A hibernated shard's last socket goes, and the next one makes it known again
    drop(shard);
    deployed
        .until("/rooms/SOL", |room| room["sockets"] == 1)
        .await;
    let mut shard = deployed.client("/ws/SOL", &[]).await;
    assert_eq!(shard.hello["seq"], 2);
    deployed.publish("SOL", json!({ "n": 3 })).await;
    assert_eq!(shard.frame().await["n"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_client_gets_the_newest_update_of_each_key() {
    let deployed = Deployed::with(&[
        AT_ONCE,
        REGIONS,
        (
            "history = 64",
            "history = 2\nconflate_key = [\"type\", \"pool\"]",
        ),
    ]);
    let hosts = [super::HOST, "broadcast-eu.glow.trade"];
    for update in [
        json!({ "type": "PRICE", "pool": "a", "n": 1 }),
        json!({ "type": "VIEWERS", "n": 2 }),
        json!({ "type": "PRICE", "pool": "b", "n": 3 }),
        json!({ "type": "PRICE", "pool": "b", "n": 4 }),
        json!({ "type": "PRICE", "pool": "b", "n": 5 }),
    ] {
        deployed.publish("SOL", update).await;
    }
    let sees = async |when: &str| {
        for host in hosts {
            let host = [("host", host)];
            let mut all = vec![deployed.client("/ws/SOL", &host).await.hello];
            all.push(deployed.get("/snapshot/SOL", &host).await.json());
            for greeted in all {
                let others = greeted["snapshots"].as_array();
                let others = others.into_iter().flatten().map(|one| one["n"].clone());
                let seen: Vec<Value> = others.chain([greeted["snapshot"]["n"].clone()]).collect();
                assert_eq!(seen, [1, 2, 5], "{when}: {greeted}");
            }
            // What the history has is not in the first frame
            let path = "/ws/SOL?since=2&epoch=other";
            let mut client = deployed.client(path, &host).await;
            assert_eq!(
                (&client.hello["snapshot"]["n"], &client.hello["seq"]),
                (&json!(2), &json!(3)),
                "{when}: {}",
                client.hello
            );
            assert_eq!(client.hello["snapshots"][0]["n"], 1, "{when}");
            assert_eq!(client.updates(2).await, [4, 5], "{when}");
        }
    };
    sees("at once").await;
    hibernation().await;
    sees("after hibernation").await;
    deployed.restart().await;
    sees("after a restart").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_timer_does_not_keep_an_idle_room_awake() {
    let deployed = Deployed::new();
    let mut client = deployed.client("/ws/SOL", &[]).await;
    let publish = |n: u32| deployed.publish("SOL", json!({ "type": "A", "n": n }));
    let receipts = futures_util::future::join_all((1..=20).map(publish)).await;
    assert!(
        receipts.iter().any(|receipt| receipt["batched"] == true),
        "no window was needed: {receipts:?}"
    );
    let last = receipts
        .iter()
        .map(|receipt| receipt["seq"].as_u64().unwrap())
        .max()
        .unwrap();
    while client.frame().await["seq"] != last {}
    hibernation().await;
    let room = deployed.inspect("/rooms/SOL").await;
    assert_eq!(
        (&room["wake_ups"], &room["root"]["awake"]["held_by"]),
        (&json!(2), &json!([])),
        "{room:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_root_and_shard_have_counted_is_kept_where_something_was_published() {
    let deployed = Deployed::with(&[AT_ONCE, ONE_EACH[0], ONE_EACH[1]]);
    let _clients = (
        deployed.client("/ws/SOL", &[]).await,
        deployed.client("/ws/SOL", &[]).await,
    );
    deployed.publish("SOL", json!({})).await;
    hibernation().await;
    let room = deployed.inspect("/rooms/SOL").await;
    for object in [&room["root"], &room["shards"]["SOL//1"]] {
        let counters = &object["counters"];
        assert_eq!(
            (&counters["connects"], &counters["wake_ups"]),
            (&json!(1), &json!(2)),
            "{room:#}"
        );
    }
    assert_eq!(room["wake_ups"], 4, "of both objects");
    let rows = &room["cost"]["rows_written"];
    assert_eq!(
        *rows, 3,
        "the shard's name, one each, and no further one within a minute"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn numbering_goes_on_where_one_of_the_sockets_is_older_than_what_was_written() {
    let deployed = Deployed::with(&[AT_ONCE]);
    let _before = deployed.client("/ws/SOL", &[]).await;
    let first = deployed.publish("SOL", json!({ "n": 1 })).await;
    let _after = deployed.client("/ws/SOL", &[]).await;
    hibernation().await;
    let second = deployed.publish("SOL", json!({ "n": 2 })).await;
    assert_eq!(
        (&second["epoch"], &second["seq"]),
        (&first["epoch"], &json!(2))
    );
    assert_eq!(deployed.inspect("/rooms/SOL").await["wake_ups"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_came_after_a_crash_does_not_vouch_for_what_was_before() {
    let deployed = Deployed::wrapped(&[AT_ONCE]).await;
    let first = deployed.publish("SOL", json!({ "n": 1 })).await;
    deployed.abort_root("SOL").await;
    let mut client = deployed.client("/ws/SOL", &[]).await;
    hibernation().await;
    let second = deployed.publish("SOL", json!({ "n": 2 })).await;
    assert_eq!(
        (&second["epoch"], &second["seq"]),
        (&first["epoch"], &json!(10_002))
    );
    assert_eq!(client.frame().await["n"], 2);
}
