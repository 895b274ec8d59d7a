//! Sockets opened from inside the runtime: no file descriptors, so a whole room of them fits in one process.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::Deployed;
use crate::support::api;

/// Opens sockets through the gateway as clients do, and counts the updates that arrive. It leaves the closing of a socket
/// to its peer: with `web_socket_auto_reply_to_close` the runtime would answer for it.
const CROWD: &str = r#"
import { DurableObject } from 'cloudflare:workers';
export class Crowd extends DurableObject {
  sockets = [];
  received = 0;
  refused = {};
  async open(token, count) {
    const one = async () => {
      const url = `https://broadcast-staging.glow.trade/ws/${token}`;
      const answer = await this.env.GATEWAY.fetch(url, { headers: { Upgrade: 'websocket' } });
      const socket = answer.webSocket;
      if (!socket) {
        const why = `${answer.status} ${(await answer.text()).slice(0, 200)}`;
        this.refused[why] = (this.refused[why] ?? 0) + 1;
        return;
      }
      socket.addEventListener('message', (event) => { if (event.data.includes('"n":')) this.received++; });
      socket.accept();
      this.sockets.push(socket);
    };
    for (let opened = 0; opened < count; opened += 50) {
      await Promise.all(Array.from({ length: Math.min(50, count - opened) }, one));
    }
  }
  async fetch(request) {
    const { open, token, misbehave } = await request.json();
    if (open) await this.open(token, open);
    for (const socket of this.sockets.splice(0, misbehave ?? 0)) socket.send('not a ping');
    return Response.json({ sockets: this.sockets.length, received: this.received, refused: this.refused });
  }
}
export default {
  fetch(request, env) {
    const name = new URL(request.url).pathname;
    return env.CROWD.get(env.CROWD.idFromName(name)).fetch(request);
  }
}
"#;

/// Objects that share the opening: one alone would take all of one thread's time between two answers.
const PARTS: usize = 4;
/// Sockets that one request opens.
const SLICE: usize = 500;

/// The crowd as it stands.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Crowd {
    pub(super) sockets: u64,
    pub(super) received: u64,
    pub(super) refused: Vec<String>,
}

/// Deploys the crowd beside what is deployed.
pub(super) async fn upload(deployed: &Deployed) {
    let sandbox = &deployed.sandbox;
    let metadata = json!({
        "main_module": "index.js",
        "compatibility_date": "2025-01-01",
        "bindings": [
            { "name": "CROWD", "type": "durable_object_namespace", "class_name": "Crowd" },
            { "name": "GATEWAY", "type": "service", "service": "glow-broadcast-staging" },
        ],
        "migrations": { "new_tag": "v1", "steps": [{ "new_sqlite_classes": ["Crowd"] }] },
    });
    let answer = api::upload(sandbox, "PUT", "workers/scripts/crowd", &metadata, CROWD).await;
    assert_eq!(answer["success"], true, "{answer}");
    api::route(sandbox, "crowd.glow.trade/*", "crowd").await;
}

/// Opens `count` more sockets; the crowd afterwards.
pub(super) async fn open(deployed: &Deployed, token: &str, count: usize) -> Crowd {
    let slices = count.div_ceil(SLICE);
    let began = Instant::now();
    let mut crowd = Crowd::default();
    for first in (0..slices).step_by(PARTS) {
        let calls = (first..slices.min(first + PARTS)).map(|slice| {
            let open = SLICE.min(count - slice * SLICE);
            ask(
                deployed,
                slice % PARTS,
                json!({ "open": open, "token": token }),
            )
        });
        join_all(calls).await;
        assert!(
            began.elapsed() < Duration::from_secs(400),
            "slice {first} of {slices} after four hundred seconds"
        );
        crowd = look(deployed).await;
    }
    crowd
}

/// Has the first `count` sockets of each part send what no client may send: the room closes them, they do not.
pub(super) async fn misbehave(deployed: &Deployed, count: usize) {
    for part in 0..PARTS {
        ask(deployed, part, json!({ "misbehave": count })).await;
    }
}

/// The crowd as it stands.
pub(super) async fn look(deployed: &Deployed) -> Crowd {
    let parts = join_all((0..PARTS).map(|part| ask(deployed, part, json!({})))).await;
    let mut crowd = Crowd::default();
    for part in parts {
        crowd.sockets += part["sockets"].as_u64().unwrap();
        crowd.received += part["received"].as_u64().unwrap();
        let refused = part["refused"].as_object().unwrap();
        crowd
            .refused
            .extend(refused.iter().map(|(why, times)| format!("{times}: {why}")));
    }
    crowd
}

/// Waits until `count` updates have arrived.
pub(super) async fn received(deployed: &Deployed, count: u64) {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let crowd = look(deployed).await;
        if crowd.received >= count {
            assert_eq!(crowd.received, count, "somebody got it twice");
            return;
        }
        assert!(
            Instant::now() < until,
            "reach {} of {count}",
            crowd.received
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn ask(deployed: &Deployed, part: usize, what: Value) -> Value {
    let headers = [
        ("host", "crowd.glow.trade"),
        ("content-type", "application/json"),
    ];
    let path = format!("/{part}");
    let answer = deployed
        .send("POST", &path, &headers, what.to_string())
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}
