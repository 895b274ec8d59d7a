//! The sandbox as a client meets it: its API by raw calls, its Workers through the ingress, on the real runtime.

mod dns;
mod edge;
mod envelope;
mod fault;
mod lifecycle;
mod limit;
mod live;
mod object;
mod paging;
mod refusal;
mod secret;
mod split;
mod tail;
mod version;

use std::path::PathBuf;

use edge_broadcast_sandbox::{Console, Options, Sandbox, Strictness, start};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

/// A script whose object counts requests, keeps sockets, and shows what it finds in its environment.
pub(crate) const ROOM: &str = r#"
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  async fetch(request) {
    if (request.headers.get("upgrade") === "websocket") {
      const [client, server] = Object.values(new WebSocketPair());
      this.ctx.acceptWebSocket(server);
      server.send("hello");
      return new Response(null, { status: 101, webSocket: client });
    }
    const count = ((await this.ctx.storage.get("count")) ?? 0) + 1;
    await this.ctx.storage.put("count", count);
    for (const socket of this.ctx.getWebSockets()) socket.send("count " + count);
    return new Response("count " + count);
  }
  webSocketMessage(socket, message) { socket.send("echo " + message); }
}
export default {
  async fetch(request, env) {
    const path = new URL(request.url).pathname;
    if (path === "/env") return Response.json({ ...env, ROOM: undefined, cf: request.cf, ip: request.headers.get("cf-connecting-ip") });
    return env.ROOM.get(env.ROOM.idFromName("one")).fetch(request);
  },
};
"#;

/// Any account that can be one is accepted.
pub(crate) const ACCOUNT: &str = "acc0acc0acc0acc0acc0acc0acc0acc0";

/// A sandbox and a client of it.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: Client,
}

impl World {
    pub(crate) async fn new() -> World {
        World::with(None).await
    }

    pub(crate) async fn with(state: Option<PathBuf>) -> World {
        World {
            sandbox: start(options(state)).await.unwrap(),
            http: client(),
        }
    }

    /// Calls the API below an account and gives status and body.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let answer = self.sent(method, path, body).await;
        (
            answer.status().as_u16(),
            answer.json().await.unwrap_or_default(),
        )
    }

    /// The same, with everything that came.
    pub(crate) async fn sent(&self, method: &str, path: &str, body: Value) -> Response {
        let url = format!("{}{path}", self.sandbox.api());
        let request = self
            .http
            .request(method.parse::<Method>().unwrap(), url)
            .bearer_auth(self.sandbox.token());
        let request = if body.is_null() {
            request
        } else {
            request.json(&body)
        };
        request.send().await.unwrap()
    }

    /// The same, for what must succeed: gives the result.
    pub(crate) async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, body) = self.call(method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {body}");
        body["result"].clone()
    }

    /// The same, for what must be refused: gives status and the first code.
    pub(crate) async fn refused(&self, method: &str, path: &str, body: Value) -> (u16, u64) {
        let (status, body) = self.call(method, path, body).await;
        assert_eq!(
            body["success"], false,
            "{method} {path} should be refused: {body}"
        );
        (status, body["errors"][0]["code"].as_u64().unwrap())
    }

    /// Uploads `index.js` with metadata.
    pub(crate) async fn upload(
        &self,
        method: &str,
        path: &str,
        code: &str,
        metadata: Value,
    ) -> (u16, Value) {
        let method = method.parse().unwrap();
        let answer = self.uploaded(method, path, code, metadata).await;
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The same, with everything that came.
    pub(crate) async fn uploaded(
        &self,
        method: Method,
        path: &str,
        code: &str,
        metadata: Value,
    ) -> Response {
        let metadata = Part::text(metadata.to_string());
        let code = Part::text(code.to_owned())
            .file_name("index.js")
            .mime_str("application/javascript+module")
            .unwrap();
        let form = Form::new()
            .part("metadata", metadata)
            .part("index.js", code);
        let url = format!("{}{path}?bindings_inherit=strict", self.sandbox.api());
        let request = self
            .http
            .request(method, url)
            .bearer_auth(self.sandbox.token());
        request.multipart(form).send().await.unwrap()
    }

    /// The usual script `room` with its class and some bindings, and a route `ws.glow.trade/*` to it.
    pub(crate) async fn deploy_room(&self) {
        let (status, body) = self.upload("PUT", &script("room"), ROOM, room()).await;
        assert_eq!(status, 200, "{body}");
        let zone = self.zone().await;
        self.ok(
            "POST",
            &format!("/zones/{zone}/workers/routes"),
            json!({"pattern": "ws.glow.trade/*", "script": "room"}),
        )
        .await;
    }

    pub(crate) async fn zone(&self) -> String {
        let zones = self
            .ok(
                "GET",
                &format!("/zones?name=glow.trade&account.id={ACCOUNT}"),
                Value::Null,
            )
            .await;
        zones[0]["id"].as_str().unwrap().to_owned()
    }

    /// A request through the ingress.
    pub(crate) async fn visit(&self, host: &str, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.sandbox.ingress());
        let answer = self
            .http
            .get(url)
            .header("host", host)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// What the room script finds in its environment.
    pub(crate) async fn environment(&self) -> Value {
        let (status, body) = self.visit("ws.glow.trade", "/env").await;
        serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status} {body}"))
    }
}

pub(crate) fn options(state: Option<PathBuf>) -> Options {
    let workerd =
        edge_broadcast::build::toolchain::workerd(&edge_broadcast::process::run::Runner::hidden())
            .unwrap();
    Options {
        workerd,
        api_port: 0,
        port: 0,
        state,
        zones: vec!["glow.trade".into()],
        records: vec!["glow.trade".into(), "*.glow.trade".into()],
        strictness: Strictness::Strict,
        console: Console::Alone,
    }
}

pub(crate) fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

/// Path of a script in the account.
pub(crate) fn script(name: &str) -> String {
    format!("/accounts/{ACCOUNT}/workers/scripts/{name}")
}

/// Metadata of the first upload of `room`.
pub(crate) fn room() -> Value {
    json!({
        "main_module": "index.js",
        "compatibility_date": "2026-01-01",
        "bindings": [
            {"name": "ROOM", "type": "durable_object_namespace", "class_name": "Room"},
            {"name": "TEXT", "type": "plain_text", "text": "quoted \" text \\ with\nlines"},
            {"name": "OBJECT", "type": "json", "json": {"a": [1, "two"]}},
            {"name": "SECRET", "type": "secret_text", "text": "first-secret"},
            {"name": "VERSION", "type": "version_metadata"},
        ],
        "migrations": {"new_tag": "v1", "steps": [{"new_sqlite_classes": ["Room"]}]},
        "keep_bindings": ["secret_text", "secret_key"],
    })
}

/// Metadata of a later upload of `room`: no migration, no secret.
pub(crate) fn room_again() -> Value {
    let mut metadata = room();
    metadata.as_object_mut().unwrap().remove("migrations");
    metadata["bindings"]
        .as_array_mut()
        .unwrap()
        .retain(|binding| binding["type"] != "secret_text");
    metadata
}
