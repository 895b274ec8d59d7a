use std::time::Duration;

use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{Deployed, HOST};

fn from(address: &str) -> [(&str, &str); 1] {
    [("cf-connecting-ip", address)]
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_are_exact_or_a_wildcard_for_every_subdomain_and_programs_have_none() {
    let deployed = Deployed::with(&[(
        "allowed_origins = [\"https://app.glow.trade\",",
        "allowed_origins = [\"https://app.glow.trade\", \"https://*.preview.glow.trade\",",
    )]);
    for good in [
        "https://app.glow.trade",
        "http://localhost:3000",
        "https://x.preview.glow.trade",
        "https://a.b.preview.glow.trade",
    ] {
        deployed.client("/ws/SOL", &[("origin", good)]).await;
    }
    deployed.client("/ws/SOL", &[]).await;
    // React Native on Android sends the host's own
    let own = format!("https://{HOST}");
    deployed.client("/ws/SOL", &[("origin", &own)]).await;
    for foreign in [
        "https://evil.example",
        "https://preview.glow.trade",
        "http://app.glow.trade",
        "null",
        "https://app.glow.trade.evil.example",
    ] {
        assert_eq!(
            deployed.refused("/ws/SOL", &[("origin", foreign)]).await,
            "403 origin_not_allowed",
            "{foreign}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_origins_in_the_manifest_every_page_connects_and_with_an_empty_list_none() {
    const ORIGINS: &str =
        "allowed_origins = [\"https://app.glow.trade\", \"http://localhost:3000\"]\n";
    let page = [("origin", "https://any.example")];
    let deployed = Deployed::with(&[(ORIGINS, "")]);
    deployed.client("/ws/SOL", &page).await;
    // The deployment proves itself without an `Origin`
    Deployed::deploy(&deployed.sandbox, &[(ORIGINS, "allowed_origins = []\n")]);
    assert_eq!(
        deployed.refused("/ws/SOL", &page).await,
        "403 origin_not_allowed"
    );
    deployed.client("/ws/SOL", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_an_origin_is_refused_where_the_manifest_says_so() {
    let deployed = Deployed::with(&[(
        "require_signature = false",
        "require_signature = false\nrequire_origin = true",
    )]);
    assert_eq!(
        deployed.refused("/ws/SOL", &[]).await,
        "403 origin_required"
    );
    deployed
        .client("/ws/SOL", &[("origin", "https://app.glow.trade")])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_may_hold_only_so_many_sockets_and_ipv6_counts_by_network() {
    let deployed = Deployed::with(&[("connections_per_ip = 500", "connections_per_ip = 2")]);
    let _one = deployed.client("/ws/SOL", &from("2001:db8:1:2::1")).await;
    let two = deployed.client("/ws/SOL", &from("2001:db8:1:2::2")).await;
    assert_eq!(
        deployed
            .refused("/ws/SOL", &from("2001:db8:1:2:ffff::3"))
            .await,
        "429 too_many_connections"
    );
    deployed.client("/ws/SOL", &from("2001:db8:1:3::1")).await;
    deployed.client("/ws/BONK", &from("2001:db8:1:2::1")).await;
    let told = deployed
        .told("/ws/SOL?errors=close", &from("2001:db8:1:2::4"))
        .await;
    assert_eq!(told, "4029 too_many_connections;retry=30");
    drop(two);
    deployed
        .until("/rooms/SOL", |room| room["sockets"] == 1)
        .await;
    deployed.client("/ws/SOL", &from("2001:db8:1:2::5")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_room_answers_503_and_says_so_as_a_close_code_on_request() {
    let deployed = Deployed::with(&[
        ("max_connections = 32000", "max_connections = 2"),
        ("max_shards = 8", "max_shards = 1"),
    ]);
    let _held = (
        deployed.client("/ws/SOL", &[]).await,
        deployed.client("/ws/SOL", &[]).await,
    );
    assert_eq!(deployed.refused("/ws/SOL", &[]).await, "503 room_full");
    let told = deployed.told("/ws/SOL?errors=close", &[]).await;
    assert_eq!(told, "4013 room_full;retry=30");
    assert_eq!(deployed.publish("SOL", json!({})).await["sockets"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_may_not_send_closes_its_socket_with_advice() {
    let deployed = Deployed::new();
    for (message, code, reason) in [
        (
            Message::text("hello"),
            4001,
            "only pings and acknowledgements are accepted",
        ),
        (
            Message::binary(vec![1_u8]),
            4001,
            "only pings and acknowledgements are accepted",
        ),
        (Message::text("x".repeat(20_000)), 4009, "message too large"),
    ] {
        let mut client = deployed.client("/ws/SOL", &[]).await;
        client.socket.send(message).await.unwrap();
        assert_eq!(client.closed().await, (code, reason.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_peer_is_swept_during_broadcasts_and_a_pinging_one_is_not() {
    let deployed = Deployed::with(&[("idle_timeout = \"90s\"", "idle_timeout = \"10s\"")]);
    let mut dead = deployed.client("/ws/SOL", &[]).await;
    let mut alive = deployed.client("/ws/SOL", &[]).await;
    assert_eq!(
        deployed.publish("SOL", json!({ "n": 1 })).await["sockets"],
        2
    );
    dead.frame().await;
    // It has pinged once: of a client that never did, silence says nothing
    dead.socket
        .send(Message::text(r#"{"type":"ping"}"#))
        .await
        .unwrap();
    assert_eq!(dead.frame().await["type"], "pong");
    for _ in 0..4 {
        alive
            .socket
            .send(Message::text(r#"{"type":"ping"}"#))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    deployed.publish("SOL", json!({ "n": 2 })).await;
    loop {
        match edge_broadcast::live::site::next_frame(&mut dead.socket).await {
            Ok(frame) => assert_eq!(frame["n"], 2),
            Err(error) => {
                assert_eq!(
                    error.to_string(),
                    "the socket was closed with 4008: no ping within the idle time"
                );
                break;
            }
        }
    }
    let room = deployed
        .until("/rooms/SOL", |room| room["sockets"] == 1)
        .await;
    assert_eq!(room["sockets"], 1);
    while alive.frame().await["n"] != 2 {}
}

#[tokio::test(flavor = "multi_thread")]
async fn connects_and_publishes_above_their_rate_get_429_and_when_to_come_back() {
    let deployed = Deployed::with(&[
        (
            "connect_rate = { limit = 1000, period = 60 }",
            "connect_rate = { limit = 2, period = 10 }",
        ),
        (
            "broadcast_rate = { limit = 1000, period = 60 }",
            "broadcast_rate = { limit = 2, period = 60 }",
        ),
    ]);
    for _ in 0..2 {
        deployed.client("/ws/SOL", &from("192.0.2.7")).await;
        deployed.publish("SOL", json!({})).await;
    }
    assert_eq!(
        deployed.refused("/ws/SOL", &from("192.0.2.7")).await,
        "429 connect_rate"
    );
    let handshake = [("upgrade", "websocket"), from("192.0.2.7")[0]];
    let answer = deployed.get("/ws/SOL", &handshake).await;
    assert_eq!(
        (answer.refusal().as_str(), answer.header("retry-after")),
        ("429 connect_rate", Some("10"))
    );
    deployed.client("/ws/SOL", &from("192.0.2.8")).await;
    let answer = deployed.post("/broadcast/SOL", &[], "{}").await;
    assert_eq!(
        (answer.refusal().as_str(), answer.header("retry-after")),
        ("429 broadcast_rate", Some("60"))
    );
    let items = json!([{ "token": "SOL" }, { "token": "WIF" }]).to_string();
    let answer = deployed.post("/broadcast", &[], items).await;
    assert_eq!((answer.status, answer.header("retry-after")), (207, None));
    let answer = answer.json();
    assert_eq!(
        (
            &answer["results"][0]["status"],
            &answer["results"][0]["retry_after"]
        ),
        (&json!(429), &json!(60)),
        "{answer}"
    );
    assert_eq!(answer["results"][1]["status"], 200, "{answer}");
    deployed.publish("BONK", json!({})).await;
    let none = json!([{ "token": "SOL" }, {}]).to_string();
    let answer = deployed.post("/broadcast", &[], none).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some("60"))
    );
    assert_eq!(answer.json()["results"][1]["status"], 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_has_a_rate_of_its_own() {
    let deployed = Deployed::with(&[
        ("history = 64", "history = 64\npublish_rate = 3"),
        ("batch_window = \"10ms\"", "batch_window = \"0\""),
    ]);
    let mut refused = None;
    for _ in 0..8 {
        let answer = deployed.post("/broadcast/SOL", &[], "{}").await;
        if answer.status != 200 {
            refused = Some((
                answer.refusal(),
                answer.header("retry-after").map(ToOwned::to_owned),
            ));
            break;
        }
    }
    assert_eq!(
        refused,
        Some(("429 publish_rate".to_owned(), Some("1".to_owned())))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deflate_is_negotiated_only_where_the_manifest_allows_it() {
    let offer = [("sec-websocket-extensions", "permessage-deflate")];
    let off = Deployed::new();
    assert_eq!(off.client("/ws/SOL", &offer).await.extensions, None);
    subprotocols(&off).await;
    Deployed::deploy(
        &off.sandbox,
        &[(
            "require_signature = false",
            "require_signature = false\ncompression = true",
        )],
    );
    let answer = handshake(&off, "/ws/SOL", "Origin: https://app.glow.trade").await;
    assert!(
        answer.contains("sec-websocket-extensions: permessage-deflate"),
        "{answer}"
    );
    subprotocols(&off).await;
}

/// One name is answered where it is offered, a socket that is closed at once included, and nothing else is: a browser fails the
/// connection where it has offered names and none is answered, or another one.
async fn subprotocols(deployed: &Deployed) {
    for path in ["/ws/SOL", "/ws/a%2fb?errors=close"] {
        for (offered, answered) in [
            ("edge-broadcast.v1", true),
            ("graphql-ws, edge-broadcast.v1", true),
            (
                "graphql-ws\r\nSec-WebSocket-Protocol: edge-broadcast.v1",
                true,
            ),
            ("graphql-ws", false),
        ] {
            let offer = format!("Sec-WebSocket-Protocol: {offered}");
            let answer = handshake(deployed, path, &offer).await;
            let chosen: Vec<&str> = answer
                .lines()
                .filter(|line| line.starts_with("sec-websocket-protocol"))
                .collect();
            let wanted = answered.then_some("sec-websocket-protocol: edge-broadcast.v1");
            assert_eq!(chosen, Vec::from_iter(wanted), "{path} {offered}");
        }
        let plain = handshake(deployed, path, "X: y").await;
        assert!(!plain.contains("sec-websocket-protocol"), "{plain}");
    }
}

/// What is answered to a handshake with a further header. The client library knows no extensions, so only this is looked at.
async fn handshake(deployed: &Deployed, path: &str, header: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(deployed.sandbox.ingress)
        .await
        .unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\n{header}\r\nHost: broadcast-staging.glow.trade\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 2048];
    let read = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).to_lowercase();
    assert!(answer.starts_with("http/1.1 101"), "{answer}");
    answer
}
