//! Which version an object runs while two are deployed, and after one was replaced.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async};

use super::{World, script};

/// Objects by name that say which version they run, count what they are asked, and keep an alarm.
const CODE: &str = r#"
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  async fetch(request) {
    if (request.headers.get("upgrade") === "websocket") {
      const [client, server] = Object.values(new WebSocketPair());
      this.ctx.acceptWebSocket(server);
      return new Response(null, { status: 101, webSocket: client });
    }
    if (new URL(request.url).pathname.startsWith("/alarm")) await this.ctx.storage.setAlarm(Date.now());
    const asked = ((await this.ctx.storage.get("asked")) ?? 0) + 1;
    await this.ctx.storage.put("asked", asked);
    const alarms = (await this.ctx.storage.get("alarms")) ?? [];
    return Response.json({ id: this.ctx.id.toString(), release: this.release(), version: this.env.VERSION.id, secret: this.env.SECRET, asked, alarms });
  }
  release() { return "RELEASE"; }
  async alarm() {
    await this.ctx.storage.put("alarms", [...((await this.ctx.storage.get("alarms")) ?? []), "RELEASE"]);
  }
  webSocketMessage(socket) { socket.send("RELEASE"); }
}
export default {
  async fetch(request, env) {
    const [, what, name] = new URL(request.url).pathname.split("/");
    const room = env.ROOM.get(env.ROOM.idFromName(name));
    if (what === "call") return new Response(await room.release());
    if (what === "bindings") return Response.json(Object.keys(env));
    return room.fetch(request);
  },
};
"#;

fn metadata() -> Value {
    json!({
        "main_module": "index.js",
        "compatibility_date": "2026-01-01",
        "bindings": [
            {"name": "ROOM", "type": "durable_object_namespace", "class_name": "Room"},
            {"name": "VERSION", "type": "version_metadata"},
        ],
        "keep_bindings": ["secret_text"],
    })
}

impl World {
    /// Uploads a release without deploying it.
    async fn release(&self, release: &str) -> String {
        let path = format!("{}/versions", script("room"));
        let code = CODE.replace("RELEASE", release);
        let (status, body) = self.upload("POST", &path, &code, metadata()).await;
        assert_eq!(status, 200, "{body}");
        body["result"]["id"].as_str().unwrap().to_owned()
    }

    /// The first release, with a secret, at its route. Gives its version.
    async fn first_release(&self) -> String {
        let mut metadata = metadata();
        metadata["migrations"] =
            json!({"new_tag": "v1", "steps": [{"new_sqlite_classes": ["Room"]}]});
        let secret = json!({"name": "SECRET", "type": "secret_text", "text": "kept"});
        metadata["bindings"].as_array_mut().unwrap().push(secret);
        let code = CODE.replace("RELEASE", "one");
        let (status, body) = self.upload("PUT", &script("room"), &code, metadata).await;
        assert_eq!(status, 200, "{body}");
        let route = json!({"pattern": "ws.glow.trade/*", "script": "room"});
        let path = format!("/zones/{}/workers/routes", self.zone().await);
        self.ok("POST", &path, route).await;
        let path = format!("{}/deployments", script("room"));
        let list = self.ok("GET", &path, Value::Null).await;
        let version = &list["deployments"][0]["versions"][0]["version_id"];
        version.as_str().unwrap().to_owned()
    }

    async fn share(&self, shares: &[(&str, u32)], strategy: Value) {
        let versions: Vec<Value> = shares
            .iter()
            .map(|(id, share)| json!({"version_id": id, "percentage": share}))
            .collect();
        let body = json!({"strategy": "percentage", "versions": versions, "code_update_strategy": strategy});
        let path = format!("{}/deployments", script("room"));
        self.ok("POST", &path, body).await;
    }

    async fn ask(&self, what: &str, name: &str) -> Value {
        let (status, body) = self
            .visit("ws.glow.trade", &format!("/{what}/{name}"))
            .await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// What each of so many objects runs, by name.
    async fn runs(&self, objects: u32) -> BTreeMap<String, Value> {
        let mut runs = BTreeMap::new();
        for object in 0..objects {
            let name = format!("object-{object}");
            runs.insert(name.clone(), self.ask("ask", &name).await);
        }
        runs
    }

    async fn socket(&self, name: &str) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
        let request = format!("ws://ws.glow.trade/ask/{name}").into_client_request();
        let stream = TcpStream::connect(self.sandbox.ingress()).await.unwrap();
        let opened = client_async(request.unwrap(), MaybeTlsStream::Plain(stream)).await;
        opened.unwrap().0
    }
}

fn of(runs: &BTreeMap<String, Value>, release: &str) -> Vec<String> {
    let those = runs.iter().filter(|(_, run)| run["release"] == release);
    those.map(|(name, _)| name.clone()).collect()
}

#[tokio::test]
async fn a_split_gives_each_object_one_version_by_its_id_and_every_version_the_same_objects() {
    let world = World::new().await;
    let old = world.first_release().await;
    let new = world.release("two").await;
    let immediate = json!({"mode": "immediate"});
    assert_eq!(of(&world.runs(60).await, "two"), [] as [String; 0]);

    world
        .share(&[(&new, 30), (&old, 70)], immediate.clone())
        .await;
    let runs = world.runs(60).await;
    for run in runs.values() {
        let lot = u32::from_str_radix(&run["id"].as_str().unwrap()[..8], 16).unwrap();
        let is_new = f64::from(lot) < 0.3 * f64::from(u32::MAX);
        let (release, version) = if is_new { ("two", &new) } else { ("one", &old) };
        assert_eq!(
            (&run["release"], &run["version"]),
            (&json!(release), &json!(version))
        );
        assert_eq!((&run["asked"], &run["secret"]), (&json!(2), &json!("kept")));
    }
    let low = of(&runs, "two");
    assert!((1..50).contains(&low.len()), "{low:?}");

    // Whichever version is greater holds all of them; nobody goes back
    world
        .share(&[(&new, 80), (&old, 20)], immediate.clone())
        .await;
    let runs = world.runs(60).await;
    let high = of(&runs, "two");
    assert!(low.len() < high.len() && high.len() < 60, "{high:?}");
    assert!(
        low.iter().all(|name| high.contains(name)),
        "{low:?} {high:?}"
    );
    assert!(runs.values().all(|run| run["asked"] == 3));

    // Alarms and calls reach the version, and the script sees its own bindings only
    for (release, name) in [("two", &high[0]), ("one", &of(&runs, "one")[0])] {
        world.ask("alarm", name).await;
        let until = Instant::now() + Duration::from_secs(10);
        while world.ask("ask", name).await["alarms"] != json!([release]) {
            assert!(Instant::now() < until, "no alarm of `{name}`");
        }
        assert_eq!(
            world
                .visit("ws.glow.trade", &format!("/call/{name}"))
                .await
                .1,
            release
        );
    }
    let mut bindings = world.ask("bindings", "any").await;
    bindings
        .as_array_mut()
        .unwrap()
        .sort_by_key(Value::to_string);
    assert_eq!(bindings, json!(["ROOM", "SECRET", "VERSION"]));

    world.share(&[(&new, 100)], immediate).await;
    assert_eq!(of(&world.runs(60).await, "one"), [] as [String; 0]);
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_deferred_change_leaves_a_busy_object_its_version_until_the_delay_is_over() {
    let world = World::new().await;
    world.first_release().await;
    let new = world.release("two").await;
    let mut busy = world.socket("busy").await;
    busy.send("which".into()).await.unwrap();
    assert_eq!(
        busy.next().await.unwrap().unwrap().into_text().unwrap(),
        "one"
    );
    assert_eq!(world.ask("ask", "quiet").await["release"], "one");

    let deferred = json!({"mode": "deferred", "max_delay": 4});
    let deployed = Instant::now();
    world.share(&[(&new, 100)], deferred).await;
    assert_eq!(world.ask("ask", "quiet").await["release"], "two");
    let held = world.ask("ask", "busy").await["release"].clone();
    assert!(
        held == "one" || deployed.elapsed() > Duration::from_secs(4),
        "{held}"
    );
    let until = Instant::now() + Duration::from_secs(20);
    while world.ask("ask", "busy").await["release"] != "two" {
        assert!(Instant::now() < until, "it never changed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        deployed.elapsed() >= Duration::from_secs(4),
        "it changed after {:?}",
        deployed.elapsed()
    );
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn an_immediate_change_and_the_death_of_the_runtime_wait_for_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("state");
    let world = World::with(Some(path.clone())).await;
    world.first_release().await;
    let two = world.release("two").await;
    let _busy = world.socket("busy").await;
    world
        .share(&[(&two, 100)], json!({"mode": "immediate"}))
        .await;
    assert_eq!(world.ask("ask", "busy").await["release"], "two");

    let three = world.release("three").await;
    let _busy = world.socket("busy").await;
    // Five minutes, the default
    world.share(&[(&three, 100)], Value::Null).await;
    assert_eq!(world.ask("ask", "busy").await["release"], "two");
    super::lifecycle::kill(&path).await;
    assert_eq!(world.ask("ask", "busy").await["release"], "three");
    world.sandbox.stop().await.unwrap();
}
