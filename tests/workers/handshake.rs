//! What a client is told that asks for a socket or polls, a browser above all: it shows a page neither status nor body of a
//! refused upgrade, and no answer without the headers that share it.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::json;

use super::{Deployed, Opened};

const PAGE: (&str, &str) = ("origin", "https://app.glow.trade");
const FOREIGN: (&str, &str) = ("origin", "https://evil.example");
const OFFER: (&str, &str) = ("sec-websocket-protocol", "graphql-ws, edge-broadcast.v1");

fn from(address: &str) -> (&str, &str) {
    ("cf-connecting-ip", address)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_told_why_it_gets_no_socket_and_no_snapshot() {
    let deployed = Deployed::with(&[
        ("connections_per_ip = 500", "connections_per_ip = 2"),
        ("max_connections = 32000", "max_connections = 3"),
        ("max_shards = 8", "max_shards = 1"),
        (
            "connect_rate = { limit = 1000, period = 60 }",
            "connect_rate = { limit = 4, period = 60 }",
        ),
    ]);
    handshakes(&deployed).await;
    polls(&deployed).await;
}

async fn handshakes(deployed: &Deployed) {
    let one = from("192.0.2.1");
    for (path, headers, told) in [
        ("/ws/a%2fb", PAGE, "4000 invalid_token"),
        ("/ws/SOL", FOREIGN, "4003 origin_not_allowed"),
        ("/ws/SOL/more", PAGE, "4004 not_found"),
        ("/ws/", PAGE, "4004 not_found"),
    ] {
        // The client library refuses an answer without the subprotocol, as a browser does
        for headers in [&[headers, OFFER][..], &[headers]] {
            let path = format!("{path}?errors=close");
            assert_eq!(deployed.told(&path, headers).await, told, "{path}");
        }
    }
    let path = "/ws/SOL?errors=close";
    let _held = (
        deployed.client(path, &[one, PAGE, OFFER]).await,
        deployed.client(path, &[one]).await,
        deployed.client(path, &[from("192.0.2.2")]).await,
    );
    assert_eq!(
        deployed.told(path, &[from("192.0.2.3"), OFFER]).await,
        "4013 room_full;retry=30"
    );
    let other = "/ws/BONK?errors=close";
    let _held = (
        deployed.client(other, &[from("192.0.2.4")]).await,
        deployed.client(other, &[from("192.0.2.4")]).await,
    );
    for told in [
        "4029 too_many_connections;retry=30",
        "4029 too_many_connections;retry=30",
        "4029 connect_rate;retry=60",
    ] {
        assert_eq!(
            deployed.told(other, &[from("192.0.2.4"), OFFER]).await,
            told
        );
    }
    // Who does not ask is answered by a status, and so is what is no handshake
    assert_eq!(
        deployed.refused("/ws/BONK", &[from("192.0.2.4")]).await,
        "429 connect_rate"
    );
    let plain = deployed.get(path, &[]).await;
    assert_eq!(plain.refusal(), "426 upgrade_required");
    let posted = deployed.send("POST", path, &[], "").await;
    assert_eq!(posted.refusal(), "405 method_not_allowed");
    let other = deployed.refused("/wsx?errors=close", &[PAGE]).await;
    assert_eq!(other, "404 not_found");
}

async fn polls(deployed: &Deployed) {
    let five = from("192.0.2.5");
    let shared = |page, answer: &super::Answer| {
        let headers = [
            "access-control-allow-origin",
            "access-control-expose-headers",
        ];
        assert_eq!(answer.header("vary"), Some("origin"), "{answer:?}");
        let seen = headers.map(|name| answer.header(name));
        match page {
            PAGE => assert_eq!(
                seen,
                [Some(PAGE.1), Some("etag, retry-after")],
                "{answer:?}"
            ),
            _ => assert_eq!(seen, [None, None], "{answer:?}"),
        }
    };
    for (method, path, allowed, foreign) in [
        ("GET", "/snapshot/SOL", "200 -", "403 origin_not_allowed"),
        (
            "GET",
            "/snapshot/a%2fb",
            "400 invalid_token",
            "400 invalid_token",
        ),
        (
            "GET",
            "/snapshot/SOL/more",
            "404 not_found",
            "404 not_found",
        ),
        (
            "POST",
            "/snapshot/SOL",
            "405 method_not_allowed",
            "405 method_not_allowed",
        ),
        (
            "OPTIONS",
            "/snapshot/SOL",
            "204 -",
            "403 origin_not_allowed",
        ),
        // So that the page gets to see that the token is none
        (
            "OPTIONS",
            "/snapshot/a%2fb",
            "204 -",
            "403 origin_not_allowed",
        ),
    ] {
        for (page, wanted) in [(PAGE, allowed), (FOREIGN, foreign)] {
            let answer = deployed.send(method, path, &[page, five], "").await;
            let code = match answer.status {
                200 | 204 => format!("{} -", answer.status),
                _ => answer.refusal(),
            };
            assert_eq!(code, wanted, "{method} {path} of {page:?}");
            shared(page, &answer);
        }
    }
    let other = deployed.get("/snapshots", &[PAGE, five]).await;
    assert_eq!(other.refusal(), "404 not_found");
    assert_eq!(
        other.header("access-control-allow-origin"),
        None,
        "{other:?}"
    );
    let etag = deployed.get("/snapshot/SOL", &[five]).await;
    shared(five, &etag);
    let etag = etag.header("etag").unwrap().to_owned();
    let known = ("if-none-match", etag.as_str());
    let unchanged = deployed.get("/snapshot/SOL", &[PAGE, five, known]).await;
    assert_eq!(unchanged.status, 304);
    shared(PAGE, &unchanged);
    let head = deployed
        .send("HEAD", "/snapshot/SOL", &[PAGE, five], "")
        .await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    shared(PAGE, &head);
    let limited = deployed.get("/snapshot/SOL", &[PAGE, five]).await;
    assert_eq!(
        (limited.refusal().as_str(), limited.header("retry-after")),
        ("429 connect_rate", Some("60"))
    );
    shared(PAGE, &limited);
    let asked = [(
        "access-control-request-headers",
        "if-none-match,traceparent",
    )];
    let preflight = deployed
        .send("OPTIONS", "/snapshot/SOL", &[PAGE, asked[0]], "")
        .await;
    assert_eq!(
        preflight.header("access-control-allow-headers"),
        Some("if-none-match, *")
    );
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
