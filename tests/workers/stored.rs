//! Which rooms leave something in storage: what strangers can ask for must cost nothing for ever.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;

use super::shards::REGIONS;
use super::{Deployed, SECRET};
use crate::support::{Run, api};

const EUROPE: &str = "broadcast-eu.glow.trade";

/// The objects of the deployment that have stored something, by id.
async fn stored(deployed: &Deployed) -> BTreeSet<String> {
    let namespaces = "workers/durable_objects/namespaces";
    let namespace = api::read(&deployed.sandbox, namespaces).await[0]["id"].clone();
    let path = format!(
        "{namespaces}/{}/objects?limit=1000",
        namespace.as_str().unwrap()
    );
    let objects = api::read(&deployed.sandbox, &path).await;
    let objects = objects.as_array().unwrap().iter();
    objects
        .map(|object| object["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_in_which_nothing_was_published_stores_nothing() {
    let deployed = Deployed::with(&[REGIONS]);
    let same = async |before: &BTreeSet<String>, when: &str| {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let now = stored(&deployed).await;
            if now == *before {
                return;
            }
            let more = now.difference(before).count();
            assert!(Instant::now() < until, "{when}, {more} objects are stored");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    // The deployment has verified itself with a publish: what stays of it is the use of the secret
    deployed
        .until("/secrets/uses", |uses| uses["WEBHOOK_SECRET"]["uses"] == 1)
        .await;
    let before = stored(&deployed).await;
    assert_eq!(before.len(), 1);
    for n in 0..20 {
        let snapshot = deployed.get(&format!("/snapshot/POLLED-{n}"), &[]).await;
        assert_eq!(snapshot.status, 200);
        deployed.inspect(&format!("/rooms/ASKED-{n}")).await;
        deployed
            .get(&format!("/health?deep=1&probe={n}"), &[])
            .await;
    }
    same(&before, "after requests").await;
    let mut clients = Vec::new();
    for n in 0..10 {
        for host in [super::HOST, EUROPE] {
            let path = format!("/ws/HELD-{n}");
            clients.push(deployed.client(&path, &[("host", host)]).await);
        }
    }
    drop(clients);
    for n in 0..10 {
        deployed
            .until(&format!("/rooms/HELD-{n}"), |room| {
                room["sockets"] == 0 && room["shards"] == json!({})
            })
            .await;
    }
    same(&before, "after sockets have come and gone").await;
    for _ in 0..2 {
        Run::new(["verify", "staging"])
            .against(&deployed.sandbox)
            .env("WEBHOOK_SECRET", SECRET)
            .succeeds();
    }
    same(&before, "after verifications").await;
    deployed.publish("SOL", json!({ "n": 1 })).await;
    assert_eq!(stored(&deployed).await.len(), before.len() + 1);
}

/// Two objects to a token, so that a root and its shard must find each other.
const SMALL: [(&str, &str); 2] = [
    ("max_connections = 32000", "max_connections = 1"),
    ("batch_window = \"10ms\"", "batch_window = \"0\""),
];

#[tokio::test(flavor = "multi_thread")]
async fn rooms_of_a_jurisdiction_are_others_of_the_same_names_and_work_like_any() {
    let deployed = Deployed::with(&SMALL);
    deployed.publish("SOL", json!({ "n": 1 })).await;
    let before = stored(&deployed).await;
    let name = "name = \"glow-broadcast\"";
    let within = format!("{name}\njurisdiction = \"eu\"");
    Deployed::deploy(&deployed.sandbox, &[SMALL[0], SMALL[1], (name, &within)]);
    let empty = deployed.get("/snapshot/SOL", &[]).await;
    assert!(!empty.text.contains("\"n\":1"), "{empty:?}");
    let mut clients = Vec::new();
    for _ in 0..2 {
        clients.push(deployed.client("/ws/SOL", &[]).await);
    }
    let receipt = deployed.publish("SOL", json!({ "n": 2 })).await;
    assert_eq!(receipt["sockets"], 2, "{receipt}");
    for client in &mut clients {
        assert_eq!(client.updates(1).await, [2]);
    }
    let after = stored(&deployed).await;
    // The root, its shard, and the counter of uses of the secret
    assert_eq!(after.difference(&before).count(), 3);
    assert!(after.is_superset(&before));
    Deployed::deploy(&deployed.sandbox, &SMALL);
    let back = deployed.get("/snapshot/SOL", &[]).await;
    assert!(back.text.contains("\"n\":1"), "{back:?}");
}
