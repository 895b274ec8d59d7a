//! What a client is told that asks for a socket or polls, a browser above all: it shows a page neither status nor body of a
//! refused upgrade, and no answer without the headers that share it.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::json;

use super::{Deployed, Opened};

fn from(address: &str) -> (&str, &str) {
    ("cf-connecting-ip", address)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_one_room_on_every_route_however_its_path_is_written() {
    let deployed = Deployed::new();
    // Two mint addresses; as long as may be; what `encodeURIComponent` changes
    let pair =
        "So11111111111111111111111111111111111111112:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
    let longest = "a".repeat(96);
    for token in [pair, &longest, "binance:BTC"] {
        let encoded = token.replace(':', "%3A").replace('a', "%61");
        let mut client = deployed.client(&format!("/ws/{encoded}/"), &[]).await;
        assert_eq!(client.hello["token"], token);
        deployed
            .publish(&encoded, json!({ "n": 1, "token": token }))
            .await;
        deployed
            .publish(&format!("{token}/"), json!({ "n": 2 }))
            .await;
        let items = json!([{ "n": 3, "token": token }]).to_string();
        let many = deployed.post("/broadcast/", &[], items).await.json();
        assert_eq!(many["results"][0]["status"], 200, "{many}");
        for n in 1..=3 {
            let frame = client.frame().await;
            let updates = frame["updates"].as_array().cloned();
            // Two of one window are one frame, of which the newest is last
            let last = updates.map_or(frame.clone(), |updates| updates.last().unwrap().clone());
            if last["n"] == 3 {
                break;
            }
            assert!(last["n"].as_u64().unwrap() >= n, "{frame}");
        }
        let polled = deployed
            .get(&format!("/snapshot/{encoded}"), &[])
            .await
            .json();
        assert_eq!(
            (&polled["token"], &polled["snapshot"]["n"]),
            (&json!(token), &json!(3))
        );
        let room = deployed.inspect(&format!("/rooms/{encoded}/")).await;
        assert_eq!(
            (&room["token"], &room["publishes"]),
            (&json!(token), &json!(3))
        );
    }
    for too_long in ["a".repeat(97), "%61".repeat(97)] {
        let refused = deployed.refused(&format!("/ws/{too_long}"), &[]).await;
        assert_eq!(refused, "400 invalid_token");
    }
    assert_eq!(deployed.get("/health/?deep=1", &[]).await.status, 200);
    assert_eq!(
        deployed.get("/health//", &[]).await.refusal(),
        "404 not_found"
    );
    deployed.inspect("/secrets/uses/").await;
}

/// With the settings that are shipped: a carrier has hundreds of clients behind one address, and a restart of the room brings
/// them all back at once.
#[tokio::test(flavor = "multi_thread")]
async fn the_clients_of_one_carrier_are_all_back_after_a_restart_and_none_is_refused() {
    const CLIENTS: usize = 160;
    let deployed = Deployed::new();
    let carrier = [from("198.51.100.7")];
    let deployed = &deployed;
    let opening = (0..CLIENTS).map(|_| deployed.client("/ws/SOL", &carrier));
    let clients = join_all(opening).await;
    deployed.restart().await;
    let began = Instant::now();
    let back = join_all(clients.into_iter().map(|mut client| async move {
        client.ended().await;
        let mut refused = Vec::new();
        loop {
            match deployed.open("/ws/SOL", &carrier).await {
                Opened::Socket(client) if client.hello["type"] == "connected" => {
                    return (client, refused);
                }
                Opened::Socket(client) => refused.push(client.hello.to_string()),
                Opened::Refused(status, code) => refused.push(format!("{status} {code}")),
            }
        }
    }))
    .await;
    let refused: Vec<&String> = back.iter().flat_map(|(_, refused)| refused).collect();
    println!(
        "{CLIENTS} clients of one address were back after {:?}",
        began.elapsed()
    );
    assert!(refused.is_empty(), "{refused:?}");
    let room = deployed.inspect("/rooms/SOL").await;
    assert_eq!(room["sockets"], CLIENTS);
}
