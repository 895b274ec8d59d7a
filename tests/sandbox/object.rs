use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async};

use super::{ROOM, World, room_again, script};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(world: &World) -> Socket {
    let mut request = "ws://ws.glow.trade/".into_client_request().unwrap();
    request
        .headers_mut()
        .insert("origin", "https://app.glow.trade".parse().unwrap());
    let stream = TcpStream::connect(world.sandbox.ingress()).await.unwrap();
    client_async(request, MaybeTlsStream::Plain(stream))
        .await
        .unwrap()
        .0
}

async fn text(socket: &mut Socket) -> String {
    socket
        .next()
        .await
        .unwrap()
        .unwrap()
        .into_text()
        .unwrap()
        .to_string()
}

#[tokio::test]
async fn a_worker_with_an_object_answers_on_its_route_and_holds_sockets() {
    let world = World::new().await;
    world.deploy_room().await;
    let mut socket = connect(&world).await;
    assert_eq!(text(&mut socket).await, "hello");
    socket.send("ping".into()).await.unwrap();
    assert_eq!(text(&mut socket).await, "echo ping");
    assert_eq!(
        world.visit("ws.glow.trade", "/publish").await,
        (200, "count 1".into())
    );
    assert_eq!(text(&mut socket).await, "count 1");
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_new_version_ends_the_sockets_and_keeps_the_stored_data() {
    let world = World::new().await;
    world.deploy_room().await;
    let mut socket = connect(&world).await;
    assert_eq!(text(&mut socket).await, "hello");
    assert_eq!(world.visit("ws.glow.trade", "/").await.1, "count 1");
    let (status, body) = world
        .upload("PUT", &script("room"), ROOM, room_again())
        .await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(text(&mut socket).await, "count 1");
    assert!(
        socket.next().await.is_none_or(|frame| frame.is_err()),
        "the socket should have ended"
    );
    assert_eq!(world.visit("ws.glow.trade", "/").await.1, "count 2");
    let mut socket = connect(&world).await;
    assert_eq!(text(&mut socket).await, "hello");
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn another_script_reaches_the_objects_by_its_name() {
    let world = World::new().await;
    world.deploy_room().await;
    let gateway = "export default { fetch(request, env) { return env.ROOM.get(env.ROOM.idFromName('one')).fetch(request); } }";
    let binding = json!({"name": "ROOM", "type": "durable_object_namespace", "class_name": "Room", "script_name": "room"});
    let metadata = json!({"main_module": "index.js", "compatibility_date": "2026-01-01", "bindings": [binding]});
    let (status, body) = world
        .upload("PUT", &script("gateway"), gateway, metadata.clone())
        .await;
    assert_eq!(status, 200, "{body}");
    let zone = world.zone().await;
    world
        .ok(
            "POST",
            &format!("/zones/{zone}/workers/routes"),
            json!({"pattern": "glow.trade/*", "script": "gateway"}),
        )
        .await;
    assert_eq!(world.visit("glow.trade", "/").await.1, "count 1");
    assert_eq!(world.visit("ws.glow.trade", "/").await.1, "count 2");

    // The class is in use, so its script cannot go without force
    assert_eq!(
        world.refused("DELETE", &script("room"), Value::Null).await,
        (409, 10064)
    );
    world
        .ok(
            "DELETE",
            "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/services/room?force=true",
            Value::Null,
        )
        .await;
    let (_, body) = world
        .upload("PUT", &script("gateway"), gateway, metadata)
        .await;
    assert_eq!(body["errors"][0]["code"], 10061, "{body}");
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn namespaces_and_the_objects_with_data_are_listed() {
    let world = World::new().await;
    world.deploy_room().await;
    let namespaces = world
        .ok(
            "GET",
            "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/durable_objects/namespaces",
            Value::Null,
        )
        .await;
    assert_eq!(
        (&namespaces[0]["script"], &namespaces[0]["class"]),
        (&json!("room"), &json!("Room"))
    );
    let objects = format!(
        "/accounts/acc0acc0acc0acc0acc0acc0acc0acc0/workers/durable_objects/namespaces/{}/objects",
        namespaces[0]["id"].as_str().unwrap()
    );
    assert_eq!(world.ok("GET", &objects, Value::Null).await, json!([]));
    world.visit("ws.glow.trade", "/").await;
    let listed = world.ok("GET", &objects, Value::Null).await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["hasStoredData"], true);
    world.sandbox.stop().await.unwrap();
}
