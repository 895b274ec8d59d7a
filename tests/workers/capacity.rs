use std::time::Instant;

use serde_json::json;

use super::{Deployed, crowd};
use crate::support::Run;

/// Without what the limits of single clients would refuse and a sweep would close (nobody here has an address or pings), and
/// without data points: the stand-in for Analytics Engine gets each by a connection of its own, which takes descriptors.
const UNLIMITED: [(&str, &str); 3] = [
    ("[analytics]\ndataset = \"edge_broadcast_staging\"\n", ""),
    ("connections_per_ip = 500", "connections_per_ip = 0"),
    ("idle_timeout = \"90s\"", "idle_timeout = \"1h\""),
];

#[tokio::test(flavor = "multi_thread")]
async fn forty_thousand_sockets_on_one_token_overflow_by_themselves_and_all_get_one_publish() {
    const SOCKETS: usize = 40_000;
    let deployed = Deployed::with(&UNLIMITED);
    crowd::upload(&deployed).await;
    let began = Instant::now();
    let opened = crowd::open(&deployed, "CROWD", SOCKETS).await;
    let opening = began.elapsed();
    assert_eq!(
        (opened.sockets, opened.refused),
        (SOCKETS as u64, Vec::new())
    );
    let receipt = deployed
        .publish("CROWD", json!({ "type": "A", "n": 1 }))
        .await;
    assert_eq!(
        (
            &receipt["sockets"],
            &receipt["shards"],
            &receipt["failed_shards"]
        ),
        (&json!(SOCKETS), &json!(2), &json!(0)),
        "{receipt}"
    );
    crowd::received(&deployed, SOCKETS as u64).await;
    println!(
        "{SOCKETS} sockets opened in {opening:.1?}; one publish through {} objects, accepted after {} ms; reach 100 %",
        receipt["shards"], receipt["took_ms"]
    );
}

/// The room counts open sockets only, the runtime closing ones too: so with its own limit for ours it refuses some that the
/// room would take.
#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_the_runtime_refuses_goes_to_the_next_object_and_hurts_nobody() {
    const LIMIT: usize = 32_768;
    const CLOSING: usize = 8;
    const MORE: usize = 40;
    let deployed = Deployed::with(&[
        UNLIMITED[0],
        UNLIMITED[1],
        UNLIMITED[2],
        ("max_connections = 32000", "max_connections = 32768"),
    ]);
    crowd::upload(&deployed).await;
    let began = Instant::now();
    crowd::open(&deployed, "CROWD", LIMIT).await;
    let opening = began.elapsed();
    let before = deployed.inspect("/rooms/CROWD").await;
    assert_eq!(
        (&before["root"]["sockets"], &before["shards"]),
        (&json!(LIMIT), &json!({}))
    );
    crowd::misbehave(&deployed, CLOSING / 4).await;
    deployed
        .until("/rooms/CROWD", |room| {
            room["root"]["sockets"] == LIMIT - CLOSING
        })
        .await;
    let crowd = crowd::open(&deployed, "CROWD", MORE).await;
    assert_eq!(crowd.refused, [""; 0]);
    let after = deployed.inspect("/rooms/CROWD").await;
    assert_eq!(
        after["shards"]["CROWD//1"]["sockets"], MORE,
        "the room had {CLOSING} places left, the runtime none"
    );
    assert_eq!(
        after["root"]["counters"]["wake_ups"], before["root"]["counters"]["wake_ups"],
        "the object was started again"
    );
    let receipt = deployed
        .publish("CROWD", json!({ "type": "A", "n": 1 }))
        .await;
    let open = LIMIT - CLOSING + MORE;
    assert_eq!(
        (&receipt["sockets"], &receipt["failed_shards"]),
        (&json!(open), &json!(0)),
        "{receipt}"
    );
    crowd::received(&deployed, open as u64).await;
    println!(
        "{LIMIT} sockets in one object, opened in {opening:.1?}; one publish accepted after {} ms",
        receipt["took_ms"]
    );
}

#[test]
fn both_bundles_together_are_under_236_kb_gzipped() {
    let built = Run::new(["build", "--json"]).succeeds().json();
    let sizes: Vec<u64> = built["workers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|worker| worker["gzip_bytes"].as_u64().unwrap())
        .collect();
    assert!(sizes.iter().sum::<u64>() < 236_000, "{sizes:?}");
}
