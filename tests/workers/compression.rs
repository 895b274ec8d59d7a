//! What permessage-deflate costs and saves for frames of the usual size: measured and printed, for the default of
//! `access.compression`.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::Deployed;

const SOCKETS: usize = 200;
const PUBLISHES: usize = 150;

/// The sockets of one setting, after all publishes.
struct Measured {
    /// Bytes on the wire of one frame, its header included.
    bytes: f64,
    /// Microseconds of the runtime's time for one frame: all that it does, divided by the frames.
    cpu: f64,
}

#[tokio::test(flavor = "multi_thread")]
async fn deflate_makes_small_frames_smaller_and_what_it_costs_is_printed() {
    let changes = |compression: &'static str| {
        [
            ("batch_window = \"10ms\"", "batch_window = \"0\""),
            ("connections_per_ip = 500", "connections_per_ip = 0"),
            (
                "connect_rate = { limit = 1000",
                "connect_rate = { limit = 100000",
            ),
            (
                "require_signature = false",
                match compression {
                    "on" => "require_signature = false\ncompression = true",
                    _ => "require_signature = false",
                },
            ),
            ("[analytics]\ndataset = \"edge_broadcast_staging\"\n", ""),
        ]
    };
    let deployed = Deployed::with(&changes("off"));
    let off = measure(&deployed, "SOL").await;
    Deployed::deploy(&deployed.sandbox, &changes("on"));
    // Another room: the slots of the first one have passed
    let on = measure(&deployed, "WIF").await;
    println!(
        "{SOCKETS} sockets, {PUBLISHES} publishes. off: {:.1} bytes and {:.1} us of CPU per frame; on: {:.1} bytes and {:.1} us; \
         on/off: {:.2} of the bytes, {:.2} of the CPU",
        off.bytes,
        off.cpu,
        on.bytes,
        on.cpu,
        on.bytes / off.bytes,
        on.cpu / off.cpu
    );
    assert!(
        (195.0..=205.0).contains(&off.bytes),
        "{} bytes is not the frame this is about",
        off.bytes
    );
    assert!(on.bytes < off.bytes, "{} bytes", on.bytes);
}

async fn measure(deployed: &Deployed, token: &str) -> Measured {
    let mut sockets = join_all((0..SOCKETS).map(|_| socket(deployed, token))).await;
    // The first frame of each socket
    join_all(sockets.iter_mut().map(|socket| frames(socket, 1))).await;
    let before = cpu_ticks(deployed);
    let publishing = async {
        for n in 0..PUBLISHES {
            let receipt = deployed.publish(token, update(token, n)).await;
            assert_eq!(receipt["sockets"], SOCKETS, "{receipt}");
        }
    };
    let reading = join_all(sockets.iter_mut().map(|socket| frames(socket, PUBLISHES)));
    let (bytes, ()) = tokio::join!(reading, publishing);
    let ticks = cpu_ticks(deployed) - before;
    let count = (SOCKETS * PUBLISHES) as f64;
    Measured {
        bytes: bytes.iter().sum::<usize>() as f64 / count,
        // Linux counts in hundredths of a second, whatever its kernel's own clock is
        cpu: ticks as f64 * 10_000.0 / count,
    }
}

/// A price as the seed's publisher sends it, with new figures every time; with its number and epoch 200 bytes.
fn update(token: &str, n: usize) -> Value {
    let price = 125.0 + (n * 7919 % 1000) as f64 / 1000.0;
    json!({
        "type": "PRICE_UPDATE",
        "token": token,
        "mint": "So11111111111111111111111111111111111111112",
        "price": format!("{price:.3}"),
        "slot": 250_000_000 + n * 3,
        "source": "jup",
        "timestamp": 1_764_000_000_000_u64 + n as u64 * 417,
    })
}

/// A socket whose client offers the extension and reads what comes as it comes.
async fn socket(deployed: &Deployed, token: &str) -> TcpStream {
    let offered = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    deployed.upgraded(token, offered).await
}

/// Reads so many frames; the bytes that they took (RFC 6455, 5.2).
async fn frames(stream: &mut TcpStream, count: usize) -> usize {
    let mut bytes = 0;
    for _ in 0..count {
        let reading = async {
            let head = stream.read_u16().await.unwrap();
            assert_eq!(head >> 8 & 0x8f, 0x81, "a whole text frame");
            let (more, length) = match head & 0x7f {
                126 => (2, usize::from(stream.read_u16().await.unwrap())),
                short => (0, usize::from(short)),
            };
            stream.read_exact(&mut vec![0; length]).await.unwrap();
            2 + more + length
        };
        bytes += tokio::time::timeout(Duration::from_secs(60), reading)
            .await
            .expect("a frame within a minute");
    }
    bytes
}

/// What the sandbox's runtime has used so far: `utime` and `stime` (man 5 proc).
fn cpu_ticks(deployed: &Deployed) -> u64 {
    let parent = deployed.sandbox.process_id().to_string();
    let processes = std::fs::read_dir("/proc").unwrap();
    let stats =
        processes.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok());
    stats
        .filter_map(|stat| {
            let (name, rest) = stat.split_once(" (")?.1.rsplit_once(") ")?;
            let fields: Vec<String> = rest.split(' ').map(ToOwned::to_owned).collect();
            (name == "workerd" && fields[1] == parent)
                .then(|| fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap())
        })
        .sum()
}
