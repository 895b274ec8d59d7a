//! What becomes of clients that are silent, that read nothing, and that send too much.

use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio_tungstenite::tungstenite::Message;

use super::{Client, Deployed, HOST};
use crate::sdk;
use crate::support::runtime::runtime_of;

const PING: &str = r#"{"type":"ping"}"#;
/// The same in a spelling that the runtime does not answer by itself.
const NEAR_PING: &str = r#"{"type": "ping"}"#;
const SILENT: (u16, &str) = (4008, "no ping within the idle time");
const CLIENT: &str = "websockets==17.4";

fn from(address: &str) -> [(&str, &str); 1] {
    [("cf-connecting-ip", address)]
}

async fn says(client: &mut Client, text: &str) {
    client.socket.send(Message::text(text)).await.unwrap();
}

async fn goes_for_its_silence(mut client: Client) {
    let (code, reason) = client.closed().await;
    assert_eq!((code, reason.as_str()), SILENT);
}

/// A subscriber of another library, which pings by protocol only: its program prints what it gets.
struct Python {
    /// Ends with this.
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Python {
    async fn start(deployed: &Deployed, token: &str) -> Self {
        let program = format!(
            "
import asyncio, websockets
async def main():
    async with websockets.connect('ws://{HOST}/ws/{token}', host='127.0.0.1', port={}, proxy=None, ping_interval=1, close_timeout=1) as socket:
        try:
            while True:
                print(await socket.recv(), flush=True)
        except websockets.ConnectionClosed:
            print('closed with', socket.close_code, flush=True)
asyncio.run(main())
",
            deployed.sandbox.ingress.port()
        );
        let mut child = Command::new(sdk::python_with(CLIENT))
            .args(["-c", &program])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut python = Self {
            _child: child,
            lines,
        };
        let hello: Value = serde_json::from_str(&python.line().await).unwrap();
        assert_eq!(hello["type"], "connected");
        python
    }

    async fn line(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(20), self.lines.next_line())
            .await
            .expect("a line within twenty seconds")
            .unwrap()
            .expect("the program runs")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_silent_give_way_before_anybody_is_refused() {
    let deployed = Deployed::with(&[
        ("idle_timeout = \"90s\"", "idle_timeout = \"10s\""),
        ("max_connections = 32000", "max_connections = 3"),
        ("max_shards = 8", "max_shards = 1"),
        ("connections_per_ip = 500", "connections_per_ip = 2"),
        ("batch_window = \"10ms\"", "batch_window = \"0\""),
    ]);
    let client = async |token: &str, address: &str| {
        deployed
            .client(&format!("/ws/{token}"), &from(address))
            .await
    };
    // A quiet room without a place, a quiet one with two sockets of one address, and a busy one
    let never = client("FULL", "192.0.2.1").await;
    let mut stopped = client("FULL", "192.0.2.2").await;
    let mut pings = client("FULL", "192.0.2.3").await;
    let older = client("ADDRESS", "192.0.2.9").await;
    let newer = client("ADDRESS", "192.0.2.9").await;
    let mut python = Python::start(&deployed, "BUSY").await;
    for (ping, pong) in [(NEAR_PING, r#"{"type":"pong"}"#), ("ping", "pong")] {
        says(&mut stopped, ping).await;
        let answer = stopped.socket.next().await.unwrap().unwrap();
        assert_eq!(answer, Message::text(pong), "{ping}");
    }
    assert_eq!(
        deployed.refused("/ws/FULL", &from("192.0.2.4")).await,
        "503 room_full"
    );
    assert_eq!(
        deployed.refused("/ws/ADDRESS", &from("192.0.2.9")).await,
        "429 too_many_connections"
    );
    // The quiet ones hibernate: pings that the runtime answers do not wake a room
    for n in 0..12 {
        says(&mut pings, PING).await;
        assert_eq!(pings.frame().await, json!({ "type": "pong" }));
        deployed.publish("BUSY", json!({ "n": n })).await;
        let update: Value = serde_json::from_str(&python.line().await).unwrap();
        assert_eq!(update["n"], n, "{update}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let _first = client("FULL", "192.0.2.5").await;
    goes_for_its_silence(stopped).await;
    let _second = client("FULL", "192.0.2.6").await;
    goes_for_its_silence(never).await;
    assert_eq!(
        deployed.refused("/ws/FULL", &from("192.0.2.7")).await,
        "503 room_full"
    );
    let _first = client("ADDRESS", "192.0.2.9").await;
    goes_for_its_silence(older).await;
    let _second = client("ADDRESS", "192.0.2.9").await;
    goes_for_its_silence(newer).await;
    assert_eq!(
        deployed.refused("/ws/ADDRESS", &from("192.0.2.9")).await,
        "429 too_many_connections"
    );
    let _others = (
        client("BUSY", "192.0.2.1").await,
        client("BUSY", "192.0.2.2").await,
    );
    let _third = client("BUSY", "192.0.2.3").await;
    assert_eq!(python.line().await, "closed with 4008");
    for (token, sockets, swept) in [("FULL", 3, 2), ("ADDRESS", 2, 2), ("BUSY", 3, 1)] {
        let room = deployed
            .until(&format!("/rooms/{token}"), |room| {
                room["root"]["counters"]["disconnects"] == swept
            })
            .await;
        assert_eq!(
            (&room["sockets"], &room["root"]["counters"]["swept"]),
            (&json!(sockets), &json!(swept)),
            "{room:#}"
        );
        // Rooms in which nothing was published store no counts: those that hibernated have counted since only
        let connects = if token == "BUSY" { 4 } else { 2 };
        assert_eq!(room["root"]["counters"]["connects"], connects, "{room:#}");
    }
    says(&mut pings, PING).await;
    assert_eq!(pings.frame().await, json!({ "type": "pong" }));
}

/// A client's text frame, masked with zeros (RFC 6455, 5.2).
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126);
    let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
    frame.extend(text.as_bytes());
    frame
}

/// The resident memory of the sandbox's runtime, in bytes (man 5 proc).
fn resident(deployed: &Deployed) -> u64 {
    let runtime = runtime_of(deployed.sandbox.process_id());
    let status = std::fs::read_to_string(format!("/proc/{runtime}/status")).unwrap();
    let (_, rest) = status.split_once("\nVmRSS:").unwrap();
    let kilobytes: u64 = rest.split_whitespace().next().unwrap().parse().unwrap();
    kilobytes * 1024
}

/// Half of the times are at most this.
fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_ping_and_never_read_are_closed_and_the_others_are_served() {
    const MUTE: usize = 20;
    const UPDATES: usize = 200;
    const BYTES: usize = 200_000;
    let deployed = Deployed::with(&[
        ("batch_window = \"10ms\"", "batch_window = \"0\""),
        ("connections_per_ip = 500", "connections_per_ip = 0"),
        ("max_message_bytes = 16384", "max_message_bytes = 262144"),
    ]);
    // Two rooms get the same, and in one of them nobody is mute
    let mut readers = [
        deployed.client("/ws/ALONE", &[]).await,
        deployed.client("/ws/BESIDE", &[]).await,
    ];
    let mut mute = join_all((0..MUTE).map(|_| deployed.upgraded("BESIDE", ""))).await;
    let before = resident(&deployed);
    let text = "x".repeat(BYTES);
    let mut times = [Vec::new(), Vec::new()];
    let mut reached = Vec::new();
    for n in 1..=UPDATES {
        for (at, token) in ["ALONE", "BESIDE"].into_iter().enumerate() {
            let (reader, began) = (&mut readers[at], Instant::now());
            let publish = deployed.publish(token, json!({ "n": n, "text": text }));
            let (receipt, update) = tokio::join!(publish, reader.frame());
            times[at].push(began.elapsed());
            assert_eq!((&update["n"], &update["seq"]), (&json!(n), &json!(n)));
            if at == 1 {
                reached.push(receipt["sockets"].as_u64().unwrap());
            }
            if n % 2 == 0 {
                says(reader, &format!(r#"{{"type":"ack","seq":{n}}}"#)).await;
            }
        }
        for stream in &mut mute {
            // A closed one may be gone
            let _ = stream.write_all(&frame(PING)).await;
        }
    }
    let grown = resident(&deployed).saturating_sub(before);
    let most = MUTE as u64 * (11 << 20);
    assert!(
        grown < most + (64 << 20),
        "{MUTE} mute sockets cost {} MB",
        grown >> 20
    );
    assert_eq!(reached[0], 1 + MUTE as u64);
    assert_eq!(reached[UPDATES - 1], 1, "{reached:?}");
    let room = deployed.inspect("/rooms/BESIDE").await;
    assert_eq!(
        (&room["sockets"], &room["root"]["counters"]["slow"]),
        (&json!(1), &json!(MUTE))
    );
    let room = deployed.inspect("/rooms/ALONE").await;
    assert_eq!(room["root"]["counters"]["slow"], 0);
    for reader in &mut readers {
        says(reader, PING).await;
        assert_eq!(reader.frame().await, json!({ "type": "pong" }));
    }
    let closed_after = reached.iter().filter(|sockets| **sockets > 1).count();
    let [alone, beside] = times.map(|mut times| median(&mut times));
    println!(
        "{} MB to {MUTE} sockets that read nothing: {} MB more resident, closed after {} MB each; \
         publish to frame {alone:.1?} without them, {beside:.1?} beside them (ratio {:.2})",
        MUTE * UPDATES * BYTES / 1_000_000,
        grown / 1_000_000,
        closed_after * BYTES / 1_000_000,
        beside.as_secs_f64() / alone.as_secs_f64()
    );
}

/// Sends `frame` ten thousand times a second for two seconds, also after the socket was closed; what it got.
async fn floods(mut stream: TcpStream, frame: Vec<u8>) -> String {
    let (mut reading, mut writing) = stream.split();
    let many = frame.repeat(100);
    let write = async {
        while writing.write_all(&many).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let read = async {
        let (mut got, mut bytes) = (Vec::new(), vec![0; 4096]);
        loop {
            let count = reading.read(&mut bytes).await.unwrap_or_default();
            got.extend_from_slice(&bytes[..count]);
            let text = String::from_utf8_lossy(&got);
            if count == 0 || text.contains("too many messages") {
                return text.into_owned();
            }
        }
    };
    tokio::select! {
        got = read => got,
        () = write => panic!("the socket ended without a word"),
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("it may send for ever"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_too_much_is_closed_and_the_others_are_served() {
    const LOUD: u64 = 4;
    let deployed = Deployed::with(&[("batch_window = \"10ms\"", "batch_window = \"0\"")]);
    let mut witness = deployed.client("/ws/SOL", &[]).await;
    let mut n = 0;
    let mut publishes = async |count: usize| {
        let mut times = Vec::new();
        for _ in 0..count {
            n += 1;
            let began = Instant::now();
            let publish = deployed.publish("SOL", json!({ "n": n }));
            let (_, update) = tokio::join!(publish, witness.frame());
            assert_eq!(update["n"], n);
            times.push(began.elapsed());
        }
        median(&mut times)
    };
    let quiet = publishes(50).await;
    let flooding = (0..LOUD).map(async |_| {
        let stream = deployed.upgraded("SOL", "").await;
        floods(stream, frame(NEAR_PING)).await
    });
    let (got, loud) = tokio::join!(join_all(flooding), publishes(50));
    for got in got {
        assert!(got.ends_with("too many messages"), "{got}");
        assert_eq!(got.matches("pong").count(), 20, "{got}");
    }
    let room = deployed
        .until("/rooms/SOL", |room| room["sockets"] == 1)
        .await;
    assert_eq!(room["root"]["counters"]["loud"], LOUD, "{room:#}");
    println!(
        "publish to frame {quiet:.1?} in a quiet room, {loud:.1?} beside {LOUD} clients that send without pause"
    );
}
