//! Whatever is sent, the answer is never a 5xx, and the next one is served.

use futures_util::SinkExt;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

use super::{Deployed, Opened, SECRET};

/// The status of a request whose head is sent as it is: no client library would send all of these.
async fn raw(deployed: &Deployed, head: &str, body: &[u8]) -> u16 {
    let mut stream = tokio::net::TcpStream::connect(deployed.sandbox.ingress)
        .await
        .unwrap();
    let rest = format!(
        "Host: broadcast-staging.glow.trade\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // A server that has seen enough may close while the rest is still being sent
    let _ = stream.write_all(format!("{head}{rest}").as_bytes()).await;
    let _ = stream.write_all(body).await;
    // The status line is in the first bytes; a socket that was opened would never end
    let mut answer = vec![0; 512];
    let reading =
        tokio::time::timeout(std::time::Duration::from_secs(20), stream.read(&mut answer));
    let read = reading
        .await
        .expect("an answer within twenty seconds")
        .unwrap_or(0);
    answer.truncate(read);
    let text = String::from_utf8_lossy(&answer);
    text.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

async fn still_serves(deployed: &Deployed) {
    assert_eq!(
        deployed.get("/health?deep=1", &[]).await.json()["room"]["status"],
        "ok"
    );
    deployed.publish("SOL", json!({ "type": "A" })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_tokens_are_refused_on_every_route() {
    let deployed = Deployed::new();
    let long = "a".repeat(3000);
    let mut tokens: Vec<String> = [
        "..",
        "%2e%2e%2f%2e%2e",
        "a%2fb",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "%F0%9F%9A%80",
        "__proto__",
        "-",
        "a b",
        "SOL%0d%0aX: y",
        "a//b",
        "%",
    ]
    .map(ToOwned::to_owned)
    .into();
    tokens.push(long);
    for token in &tokens {
        let token = token.replace(' ', "%20");
        for head in [
            format!("GET /ws/{token} HTTP/1.1\r\nUpgrade: websocket\r\n"),
            format!("GET /snapshot/{token} HTTP/1.1\r\n"),
            format!("POST /broadcast/{token} HTTP/1.1\r\nAuthorization: {SECRET}\r\n"),
            format!("GET /rooms/{token} HTTP/1.1\r\nAuthorization: x\r\n"),
        ] {
            let status = raw(&deployed, &head, b"").await;
            assert!(
                (400..500).contains(&status),
                "{status} for `{}`",
                &head[..head.len().min(120)].replace(SECRET, "…")
            );
        }
    }
    let huge = format!("GET /snapshot/{} HTTP/1.1\r\n", "a".repeat(1 << 20));
    let status = raw(&deployed, &huge, b"").await;
    assert!([414, 431].contains(&status), "{status} for a mebibyte");
    for plain in ["constructor", "toString", "hasOwnProperty"] {
        assert_eq!(
            deployed
                .get(&format!("/snapshot/{plain}"), &[])
                .await
                .json()["snapshot"],
            json!(null)
        );
    }
    still_serves(&deployed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_frames_close_their_own_socket_at_most() {
    let deployed = Deployed::with(&[
        ("connections_per_ip = 500", "connections_per_ip = 0"),
        (
            "connect_rate = { limit = 1000",
            "connect_rate = { limit = 100000",
        ),
    ]);
    let mut witness = deployed.client("/ws/SOL", &[]).await;
    deployed.publish("SOL", json!({ "n": 0 })).await;
    assert_eq!(witness.frame().await["n"], 0);
    let before = deployed.inspect("/rooms/SOL").await;
    let code = prop_oneof![
        Just(OpCode::Data(Data::Text)),
        Just(OpCode::Data(Data::Binary)),
        Just(OpCode::Data(Data::Continue)),
        Just(OpCode::Control(Control::Ping)),
        Just(OpCode::Control(Control::Pong)),
        Just(OpCode::Control(Control::Close))
    ];
    let payload = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..140),
        4 => "\\{ ?\"type\" ?: ?\"(ping|pong|connected|[a-z]{0,5})\"[ -~]{0,10}".prop_map(String::into_bytes),
        2 => ".{0,60}".prop_map(String::into_bytes),
        // Above our limit, and above the runtime's
        1 => (16_000usize..70_000).prop_map(|length| vec![b'x'; length]),
        1 => Just(vec![b'x'; (1 << 20) + 1]),
    ];
    let frame = (code, payload, prop::bool::weighted(0.8));
    let frames = prop::collection::vec(frame, 1..6);
    let mut runner = TestRunner::deterministic();
    for round in 0..150 {
        let frames = frames.new_tree(&mut runner).unwrap().current();
        let Opened::Socket(mut client) = deployed.open("/ws/SOL", &[]).await else {
            panic!("refused in round {round}")
        };
        assert_eq!(client.hello["type"], "connected", "round {round}");
        for (code, payload, last) in frames {
            let header = FrameHeader {
                is_final: last,
                opcode: code,
                ..FrameHeader::default()
            };
            let frame = Frame::from_payload(header, payload.into());
            // The room may have closed the socket over an earlier one
            if client.socket.send(Message::Frame(frame)).await.is_err() {
                break;
            }
        }
        if round % 10 == 0 {
            deployed.publish("SOL", json!({ "n": round + 1 })).await;
            assert_eq!(witness.frame().await["n"], round + 1);
        }
    }
    still_serves(&deployed).await;
    assert_eq!(witness.frame().await["type"], "A");
    let after = deployed
        .until("/rooms/SOL", |room| room["sockets"] == 1)
        .await;
    assert_eq!(
        (&after["wake_ups"], &after["root"]["awake"]["since_ms"]),
        (&before["wake_ups"], &before["root"]["awake"]["since_ms"]),
        "the object was started again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn random_requests_never_get_a_5xx_and_never_stop_the_instance() {
    let deployed = Deployed::with(&[
        (
            "connect_rate = { limit = 1000",
            "connect_rate = { limit = 100000",
        ),
        (
            "broadcast_rate = { limit = 1000",
            "broadcast_rate = { limit = 100000",
        ),
    ]);
    let mut runner = TestRunner::deterministic();
    let text = "[ -~]{0,40}";
    let header = prop_oneof![
        Just("webhook-id"),
        Just("webhook-timestamp"),
        Just("webhook-signature"),
        Just("idempotency-key"),
        Just("content-type"),
        Just("content-encoding"),
        Just("origin"),
        Just("if-none-match"),
        Just("x-edge-call"),
        Just("cf-connecting-ip"),
        Just("cf-ipcontinent"),
        Just("sec-websocket-extensions"),
    ];
    let value = prop_oneof![
        text,
        Just("v1,".to_owned()),
        Just("v1,AAAA v1,=== v1a,x".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("-1".to_owned()),
        Just("\"health\"".to_owned())
    ];
    let path = prop_oneof![
        "/ws/[A-Z]{1,4}\\?since=[-0-9a-z%]{0,24}&epoch=[-0-9a-z%]{0,24}",
        "/broadcast/[A-Z]{1,4}(\\?force=[a-z0-9]{0,3})?",
        Just("/broadcast".to_owned()),
        "/snapshot/[ -~]{0,20}",
        "/(rooms|secrets|health)/?[!-~]{0,20}",
    ];
    let body = prop_oneof![
        any::<Vec<u8>>(),
        "\\{\"(type|token|slot|force)\":[ -~]{0,20}\\}".prop_map(String::into_bytes),
        "\\[(\\{\"token\":\"[A-Z]{1,3}\",\"slot\":[0-9]{1,25}\\},?){0,4}\\]"
            .prop_map(String::into_bytes),
    ];
    let request = (
        prop::bool::ANY,
        path,
        prop::collection::vec((header, value), 0..4),
        prop::bool::ANY,
        body,
    );
    for _ in 0..400 {
        let (post, path, headers, known, body) = request.new_tree(&mut runner).unwrap().current();
        let path = path.replace(' ', "%20");
        let method = if post { "POST" } else { "GET" };
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        for (name, value) in &headers {
            head += &format!("{name}: {value}\r\n");
        }
        if known {
            head += &format!("authorization: Bearer {SECRET}\r\n");
        }
        if path.starts_with("/ws/") && known {
            head += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        }
        let status = raw(&deployed, &head, &body).await;
        assert!(
            (101..500).contains(&status),
            "{status} for {method} {path} with {headers:?} and {body:?}"
        );
    }
    still_serves(&deployed).await;
}
