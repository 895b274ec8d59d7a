//! `docs/protocol.md`: what the Workers' sources say, and what a deployment answers. Most of its tables are generated from
//! `worker/protocol`, and `generate --check` holds them fresh; here is seen that the tables there leave nothing out of the code.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use edge_broadcast_protocol::contract::{call, close};
use edge_broadcast_protocol::room::peer;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::markdown::Document;
use super::shape::assert_describes;
use super::source::{between, code};
use crate::workers::{Deployed, HOST};

fn document() -> Document {
    Document::read("docs/protocol.md")
}

fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    items.into_iter().collect()
}

/// A Rust string literal at the start of `text`.
fn literal(text: &str) -> Option<&str> {
    text.trim_start().strip_prefix('"')?.split('"').next()
}

/// A close that stands elsewhere would be in no table.
#[test]
fn every_close_of_the_workers_is_one_of_the_table() {
    let named: BTreeSet<String> = close::CLOSES
        .iter()
        .map(|close| close.code.to_string())
        .collect();
    let code = code(&["worker"]);
    for made in between(&code, "Close {", "}") {
        let Some((_, value)) = made.split_once("code: ") else {
            continue;
        };
        let value = value.split(',').next().unwrap().trim();
        assert!(
            !value.starts_with('4') || named.contains(value),
            "{made} is not in `contract/close.rs`"
        );
    }
    assert_eq!(named.len(), close::CLOSES.len());
}

#[test]
fn every_frame_type_is_described_and_no_other() {
    let code = code(&["worker"]);
    let mut made = set(between(&code, "\"type\":\"", "\""));
    made.extend(between(&code, "kind: \"", "\""));
    made.extend(peer::TYPES);
    let described = document().table(&["`type`", "from"]).column(0);
    assert_eq!(set(described.iter().map(String::as_str)), made);
}

#[test]
fn every_header_and_every_parameter_is_described_and_no_other() {
    let code = code(&["worker"]);
    let document = document();
    let asked = set(between(&code, "header(\"", "\")"));
    let described = document.table(&["request header"]).column(0);
    assert_eq!(set(described.iter().map(String::as_str)), asked);

    let name =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let mut sent = BTreeSet::new();
    // A name and a value, in whatever is made into headers
    for (at, _) in code.match_indices('(') {
        let called = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = &code[at + 1..];
        let Some(first) = literal(rest) else { continue };
        let rest = rest.trim_start()[first.len() + 2..].trim_start();
        let Some(value) = rest.strip_prefix(',') else {
            continue;
        };
        let value = value.trim_start();
        let absent =
            value.starts_with("None") || value.starts_with("Some") || value.starts_with(')');
        let closed = value
            .split([',', ')', '('])
            .next()
            .is_some_and(|value| !value.is_empty());
        if !called && name(first) && !absent && closed {
            sent.insert(first);
        }
    }
    sent.extend(between(&code, "headers: { \"", "\""));
    let described = document.table(&["response header"]).column(0);
    assert_eq!(set(described.iter().map(String::as_str)), sent);

    let read = set(between(&code, "parameter(\"", "\""));
    let described = document.table(&["parameter"]).column(0);
    assert_eq!(set(described.iter().map(String::as_str)), read);

    for internal in [call::HEADER, call::NEXT] {
        assert!(
            document.text.contains(&format!("`{internal}`")),
            "{internal}"
        );
    }
}

#[test]
fn every_limit_of_the_protocol_is_described_with_its_value_and_no_other() {
    let code = code(&["worker/protocol"]);
    let mut made = Vec::new();
    for constant in between(&code, "pub const ", ";") {
        let Some((name, rest)) = constant.split_once(':') else {
            continue;
        };
        let Some((kind, value)) = rest.split_once('=') else {
            continue;
        };
        if ["u16", "u32", "u64", "usize"].contains(&kind.trim()) {
            made.push((name.to_owned(), evaluated(value).to_string()));
        }
    }
    made.sort();
    assert!(made.len() > 15, "{made:?}");
    let table = document().table(&["constant", "value"]);
    let mut described: Vec<(String, String)> =
        table.column(0).into_iter().zip(table.column(1)).collect();
    described.sort();
    assert_eq!(described, made);
}

/// `10 * 60 * 1000`, `1 << 20`
fn evaluated(expression: &str) -> u64 {
    let number = |text: &str| -> u64 {
        let text = text.trim().replace('_', "");
        text.parse()
            .unwrap_or_else(|_| panic!("cannot compute `{expression}`"))
    };
    match expression.split_once("<<") {
        Some((number_, places)) => number(number_) << number(places),
        None => expression.split('*').map(number).product(),
    }
}

#[test]
fn every_example_of_the_manifests_keys_in_this_document_exists() {
    let manifest = Document::read("docs/manifest.md");
    let keys = set(super::manifest::described(&manifest));
    let tables = [
        "worker.",
        "cloudflare.",
        "routes[].",
        "regions[].",
        "room.",
        "access.",
        "secrets.",
        "analytics.",
        "sst.",
        "traffic.",
    ];
    for document in super::documents() {
        for name in document.quoted() {
            // The first word of `room.conflate = "latest"`
            let key = name.split(' ').next().unwrap();
            if tables.iter().any(|table| key.starts_with(table))
                && !document.path.ends_with("json.md")
                && key
                    .chars()
                    .all(|c| c.is_ascii_alphabetic() || "._[]".contains(c))
                && !key.ends_with(".rs")
                && !key.ends_with(".md")
            {
                let known = keys.contains(key)
                    || keys
                        .iter()
                        .any(|known| known.starts_with(&format!("{key}.")));
                // The keys of answers have names like these
                let answer = document.path.ends_with("protocol.md")
                    && key.starts_with("room.")
                    && ["status", "version", "took_ms", "probe"].contains(&&key[5..]);
                assert!(
                    known || answer,
                    "{}: `{key}` is no key of a manifest",
                    document.path
                );
            }
        }
    }
}

/// One deployment that shows every key of every answer.
#[tokio::test(flavor = "multi_thread")]
async fn every_key_of_every_answer_is_described_and_no_other() {
    let document = document();
    let deployed = Deployed::with(&[
        ("max_connections = 32000", "max_connections = 2"),
        ("batch_window = \"10ms\"", "batch_window = \"300ms\""),
        ("conflate = \"latest\"", "conflate = \"all\""),
        (
            "broadcast_rate = { limit = 1000",
            "broadcast_rate = { limit = 9",
        ),
    ]);
    let mut client = deployed.client("/ws/SOL", &[]).await;
    let (mut receipts, mut batches) = (Vec::new(), Vec::new());
    for price in 1..=3 {
        let update = json!({ "type": "PRICE_UPDATE", "price": price });
        receipts.push(deployed.publish("SOL", update).await);
    }
    deployed.publish("SOL", json!({ "viewers": 3 })).await;
    while batches.is_empty() {
        let frame = client.frame().await;
        if frame["type"] == "BATCH_UPDATE" {
            batches.push(frame);
        }
    }
    // One that is stale, and one that is of another clock
    let slots = [10, 9, 99_000_000].map(|slot| json!({ "type": "SLOTS", "slot": slot }));
    let update = json!({ "type": "BATCH_UPDATE", "updates": slots });
    receipts.push(deployed.publish("SOL", update).await);
    let mut greeted = vec![client.hello.clone()];
    let epoch = receipts[0]["epoch"].as_str().unwrap();
    let ahead = format!("/ws/SOL?since=99&epoch={epoch}");
    for path in ["/ws/SOL", &ahead] {
        greeted.push(deployed.client(path, &[]).await.hello);
    }
    let _full = deployed.client("/ws/SOL", &[]).await;
    let _overflow = deployed.client("/ws/SOL", &[]).await;
    let items: Vec<Value> = (0..12)
        .map(|price| json!({ "token": "SOL", "price": price }))
        .collect();
    let many = deployed
        .post("/broadcast", &[], json!(items).to_string())
        .await
        .json();
    let refused = deployed
        .send("POST", "/broadcast/SOL", &[], "{}")
        .await
        .json();
    let polled = deployed.get("/snapshot/SOL", &[]).await.json();
    let health = ["/health", "/health?deep=1&probe=3"];
    let health = [
        deployed.get(health[0], &[]).await.json(),
        deployed.get(health[1], &[]).await.json(),
    ];
    let room = deployed
        .until("/rooms/SOL", |room| {
            room["root"]["awake"]["held_by"] != json!([])
                && room["shards"]
                    .as_object()
                    .is_some_and(|shards| !shards.is_empty())
        })
        .await;
    let uses = deployed.inspect("/secrets/uses").await;
    let seen = [
        ("connected", greeted),
        ("batch_update", batches),
        ("receipt", receipts),
        ("many-at-once", vec![many]),
        ("errors", vec![refused]),
        ("snapshot", vec![polled]),
        ("health-answer", health.to_vec()),
        ("room", vec![room]),
        ("uses", vec![uses]),
    ];
    assert_describes(
        &document,
        seen.iter().map(|(anchor, seen)| (*anchor, seen.as_slice())),
    );
}

/// The example itself, in a process that has `WebSocket` and finds the host at the sandbox.
#[tokio::test(flavor = "multi_thread")]
async fn the_browsers_example_gets_a_price() {
    let deployed = Deployed::with(&[]);
    let document = document();
    let example = document.blocks("js")[0];
    let port = deployed.sandbox.ingress.port();
    let address = format!("\"wss://{HOST}\"");
    assert!(example.contains(&address), "{example}");
    let script = example.replace(&address, &format!("\"ws://{HOST}:{port}\""));
    let folder = tempfile::tempdir().unwrap();
    let hosts = "require('dns').lookup = (host, options, done) => (done ?? options)(null, options?.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4);";
    std::fs::write(folder.path().join("hosts.cjs"), hosts).unwrap();
    let mut child = Command::new("node")
        .args([
            "--experimental-websocket",
            "--require",
            "./hosts.cjs",
            "--eval",
            &script,
        ])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    deployed
        .until("/rooms/SOL", |room| room["sockets"] == 1)
        .await;
    deployed
        .publish("SOL", json!({ "type": "PRICE_UPDATE", "price": 125.45 }))
        .await;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(Duration::from_secs(10), lines.next_line()).await;
    assert_eq!(line.unwrap().unwrap().as_deref(), Some("125.45"));
}
