use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Deployed;
use crate::support::{Run, api};

/// Opens sockets from inside the runtime, where no file descriptors are needed, and counts what arrives.
const CROWD: &str = r#"
import { DurableObject } from 'cloudflare:workers';
export class Crowd extends DurableObject {
  constructor(state, env) { super(state, env); this.env = env; this.sockets = 0; this.received = 0; this.refused = 0; }
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === '/open') {
      const wanted = Number(url.searchParams.get('count'));
      let failed = 0;
      const one = async () => {
        const address = `10.${(this.sockets >> 16) & 255}.${(this.sockets >> 8) & 255}.${this.sockets & 255}`;
        const answer = await this.env.GATEWAY.fetch('https://broadcast-staging.glow.trade/ws/CROWD', { headers: { Upgrade: 'websocket', 'CF-Connecting-IP': address } });
        if (!answer.webSocket) { failed++; return; }
        answer.webSocket.addEventListener('message', (event) => { if (event.data.includes('"n":')) this.received++; });
        answer.webSocket.accept();
        this.sockets++;
      };
      for (let opened = 0; opened < wanted; opened += 100) await Promise.all(Array.from({ length: Math.min(100, wanted - opened) }, one));
      return Response.json({ sockets: this.sockets, failed });
    }
    return Response.json({ sockets: this.sockets, received: this.received });
  }
}
export default {
  fetch(request, env) {
    const name = new URL(request.url).searchParams.get('crowd') ?? 'one';
    return env.CROWD.get(env.CROWD.idFromName(name)).fetch(request);
  }
}
"#;

const SOCKETS: u64 = 40_000;
/// The crowd's own objects share the runtime's limit of sockets per object.
const CROWDS: u64 = 4;

async fn upload_crowd(deployed: &Deployed) {
    let metadata = json!({
        "main_module": "index.js",
        "compatibility_date": "2026-10-01",
        "bindings": [
            { "name": "CROWD", "type": "durable_object_namespace", "class_name": "Crowd" },
            { "name": "GATEWAY", "type": "service", "service": "glow-broadcast-staging" },
        ],
        "migrations": { "new_tag": "v1", "steps": [{ "new_sqlite_classes": ["Crowd"] }] },
    });
    let answer = api::upload(
        &deployed.sandbox,
        "PUT",
        "workers/scripts/crowd",
        &metadata,
        CROWD,
    )
    .await;
    assert_eq!(answer["success"], true, "{answer}");
    let zones = api::call(
        &deployed.sandbox,
        "GET",
        &format!(
            "/zones?name=glow.trade&account.id={}",
            deployed.sandbox.account_id
        ),
        None,
    )
    .await;
    let zone = zones["result"][0]["id"].as_str().unwrap();
    let route = json!({ "pattern": "crowd.glow.trade/*", "script": "crowd" });
    let answer = api::call(
        &deployed.sandbox,
        "POST",
        &format!("/zones/{zone}/workers/routes"),
        Some(route),
    )
    .await;
    assert_eq!(answer["success"], true, "{answer}");
}

async fn crowd(deployed: &Deployed, number: u64, path: &str) -> Value {
    let separator = if path.contains('?') { '&' } else { '?' };
    let answer = deployed
        .get(
            &format!("{path}{separator}crowd={number}"),
            &[("host", "crowd.glow.trade")],
        )
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_thousand_sockets_on_one_token_all_receive_one_publish() {
    let deployed = Deployed::with(&[
        ("max_connections = 32000", "max_connections = 15000"),
        ("connections_per_ip = 20", "connections_per_ip = 0"),
        (
            "connect_rate = { limit = 100",
            "connect_rate = { limit = 1000000",
        ),
        ("idle_timeout = \"90s\"", "idle_timeout = \"1h\""),
    ]);
    upload_crowd(&deployed).await;
    let began = Instant::now();
    for number in 0..CROWDS {
        for _ in 0..10 {
            let opened = crowd(
                &deployed,
                number,
                &format!("/open?count={}", SOCKETS / CROWDS / 10),
            )
            .await;
            assert_eq!(opened["failed"], 0, "{opened}");
            assert!(
                began.elapsed() < Duration::from_secs(300),
                "only {opened} of crowd {number} after five minutes"
            );
        }
    }
    let opened = began.elapsed();
    let receipt = deployed
        .publish("CROWD", json!({ "type": "A", "n": 1 }))
        .await;
    assert_eq!(
        (&receipt["sockets"], &receipt["failed_shards"]),
        (&json!(SOCKETS), &json!(0)),
        "{receipt}"
    );
    assert!(receipt["shards"].as_u64().unwrap() > 1, "{receipt}");
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let mut received = 0;
        for number in 0..CROWDS {
            received += crowd(&deployed, number, "/count").await["received"]
                .as_u64()
                .unwrap();
        }
        if received == SOCKETS {
            break;
        }
        assert!(Instant::now() < until, "reach {received} of {SOCKETS}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!(
        "{SOCKETS} sockets opened in {opened:.1?}, one publish through {} objects in {} ms, reach 100 %",
        receipt["shards"], receipt["took_ms"]
    );
}

#[test]
fn both_bundles_together_are_under_250_kb_gzipped() {
    let built = Run::new(["build", "--json"]).succeeds().json();
    let sizes: Vec<u64> = built["workers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|worker| worker["gzip_bytes"].as_u64().unwrap())
        .collect();
    assert!(sizes.iter().sum::<u64>() < 250_000, "{sizes:?}");
}
