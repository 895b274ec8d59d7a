//! Tails: opened, read through a `trace-v1` socket, closed.

use std::time::{Duration, SystemTime};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{World, script};

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// The socket behind a tail's url, as wrangler opens it.
async fn open(tail: &Value) -> Result<Socket, tungstenite::Error> {
    let mut request = tail["url"].as_str().unwrap().into_client_request()?;
    let protocol = HeaderValue::from_static("trace-v1");
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let (mut socket, answer) = tokio_tungstenite::connect_async(request).await?;
    assert_eq!(answer.headers()["sec-websocket-protocol"], "trace-v1");
    socket.send(Message::text(r#"{"debug":false}"#)).await?;
    Ok(socket)
}

/// The next event.
async fn event(socket: &mut Socket) -> Value {
    loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

#[tokio::test]
async fn a_tail_shows_what_the_runtime_traced_until_it_is_closed() {
    let world = World::new().await;
    world.deploy_room().await;
    let tails = format!("{}/tails", script("room"));
    assert_eq!(world.ok("GET", &tails, Value::Null).await, Value::Null);
    let all = world.ok("POST", &tails, json!({"filters": []})).await;
    let expires = humantime::parse_rfc3339(all["expires_at"].as_str().unwrap()).unwrap();
    let ahead = expires.duration_since(SystemTime::now()).unwrap();
    let six_hours = Duration::from_secs(6 * 3600);
    assert!(
        ahead <= six_hours && ahead > six_hours.saturating_sub(Duration::from_secs(60)),
        "{ahead:?}"
    );
    let filters = json!({"filters": [{"header": {"key": "host"}}, {"scriptVersion": "another"}]});
    let none = world.ok("POST", &tails, filters).await;
    assert_eq!(
        world.ok("GET", &tails, Value::Null).await,
        none,
        "the newest"
    );
    let (mut all_socket, mut none_socket) = (open(&all).await.unwrap(), open(&none).await.unwrap());

    assert_eq!(world.visit("ws.glow.trade", "/?q=1").await.0, 200);
    // The object ends first or the Worker that asks it: both are the script's
    let mut events = [event(&mut all_socket).await, event(&mut all_socket).await];
    events.sort_by_key(|event| event["executionModel"].to_string());
    let [object, request] = events;
    let version = world
        .ok("GET", &format!("{}/versions", script("room")), Value::Null)
        .await;
    for event in [&request, &object] {
        assert_eq!(event["scriptName"], "room");
        assert_eq!(event["outcome"], "ok");
        assert_eq!(event["scriptVersion"]["id"], version["items"][0]["id"]);
        assert_eq!(
            (&event["logs"], &event["exceptions"]),
            (&json!([]), &json!([]))
        );
        assert_eq!(
            event["event"]["request"]["url"],
            "http://ws.glow.trade/?q=1"
        );
        assert_eq!(event["event"]["response"], json!({"status": 200}));
    }
    assert_eq!(
        request["event"]["request"]["headers"]["cf-connecting-ip"],
        "127.0.0.1"
    );
    assert_eq!(request["event"]["request"]["cf"]["colo"], "SBX");
    assert_eq!(object["entrypoint"], "Room");

    all_socket
        .send(Message::Ping("wrangler tail ping".into()))
        .await
        .unwrap();
    let pong = all_socket.next().await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong("wrangler tail ping".into()));
    for (tail, socket) in [(&all, &mut all_socket), (&none, &mut none_socket)] {
        let one = format!("{tails}/{}", tail["id"].as_str().unwrap());
        assert_eq!(world.ok("DELETE", &one, Value::Null).await, Value::Null);
        let frame = CloseFrame {
            code: CloseCode::Normal,
            reason: "the tail was closed".into(),
        };
        assert_eq!(
            socket.next().await.unwrap().unwrap(),
            Message::Close(Some(frame))
        );
        assert_eq!(
            world.refused("DELETE", &one, Value::Null).await,
            (404, 10092)
        );
        assert!(
            open(tail).await.is_err(),
            "its url is worth nothing any more"
        );
    }
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_no_tail_is_refused_and_the_runtimes_events_outlive_its_restart() {
    let world = World::new().await;
    let missing = format!("{}/tails", script("missing"));
    assert_eq!(
        world.refused("POST", &missing, json!({})).await,
        (404, 10007)
    );
    world.deploy_room().await;
    let tails = format!("{}/tails", script("room"));
    let unknown = json!({"filters": [{"color": "red"}]});
    assert_eq!(world.refused("POST", &tails, unknown).await, (400, 10026));
    let tail = world.ok("POST", &tails, json!({})).await;
    let plain = world
        .http
        .get(tail["url"].as_str().unwrap().replacen("ws", "http", 1));
    assert_eq!(
        plain.send().await.unwrap().status(),
        400,
        "no WebSocket, no protocol"
    );

    let mut socket = open(&tail).await.unwrap();
    let before = world
        .ok("GET", &format!("{}/versions", script("room")), Value::Null)
        .await;
    let (status, body) = world
        .upload("PUT", &script("room"), super::ROOM, super::room_again())
        .await;
    assert_eq!(status, 200, "{body}");
    world.visit("ws.glow.trade", "/env").await;
    let event = event(&mut socket).await;
    assert_ne!(
        event["scriptVersion"]["id"], before["items"][0]["id"],
        "a new version runs"
    );
    world.sandbox.stop().await.unwrap();
}
