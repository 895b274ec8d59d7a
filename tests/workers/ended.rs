//! A room that ends under a stream of updates, by a deployment and by a kill: what clients get that come back to it.

use std::time::Duration;

use serde_json::{Value, json};

use super::shards::REGIONS;
use super::{Deployed, Opened};
use crate::support::runtime::runtime_of;

/// The update with which everything is over.
const LAST: u64 = 60;
/// The one after which the room ends.
const END: u64 = 25;

/// An update's place in the numbering.
type Place = (String, u64);

fn place(numbered: &Value) -> Place {
    let epoch = numbered["epoch"].as_str().unwrap().to_owned();
    (epoch, numbered["seq"].as_u64().unwrap())
}

/// One connection of a client.
struct Connection {
    /// Where the client was.
    since: Option<Place>,
    hello: Value,
    /// The updates that the first frame had, and those that came later.
    values: Vec<Place>,
    updates: Vec<Place>,
}

/// Follows the room of `token` until the last update, and comes back whenever it must: `pause` after it was cut off.
async fn follow(deployed: &Deployed, token: &str, host: &str, pause: Duration) -> Vec<Connection> {
    let mut connections: Vec<Connection> = Vec::new();
    let mut since = None;
    loop {
        let resume = since.as_ref();
        let resume = resume.map(|(epoch, seq)| format!("?since={seq}&epoch={epoch}"));
        let path = format!("/ws/{token}{}", resume.unwrap_or_default());
        let mut client = match deployed.open(&path, &[("host", host)]).await {
            Opened::Socket(client) if client.hello["type"] == "connected" => client,
            _ => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let hello = client.hello.clone();
        let others = hello["snapshots"].as_array().into_iter().flatten();
        let values = others.chain(hello.get("snapshot")).map(place).collect();
        let before = since.clone();
        if hello["recovered"] == false {
            since = Some(place(&hello));
        }
        let mut updates = Vec::new();
        let mut over = false;
        while let (false, Ok(frame)) = (over, client.next().await) {
            let one = vec![frame.clone()];
            for update in frame["updates"].as_array().unwrap_or(&one) {
                updates.push(place(update));
                over |= update["n"] == LAST;
            }
            since = updates.last().cloned();
        }
        connections.push(Connection {
            since: before,
            hello,
            values,
            updates,
        });
        if over {
            return connections;
        }
        tokio::time::sleep(pause).await;
    }
}

/// Publishes sixteen updates a second and ends the room in between; the places of those that came after its end.
async fn publish(deployed: &Deployed, token: &str, end: impl Future<Output = ()>) -> Vec<Place> {
    let post = async |n: u64| {
        let body = json!({ "type": "A", "n": n }).to_string();
        let (path, id) = (format!("/broadcast/{token}"), n.to_string());
        loop {
            let headers = [("idempotency-key", id.as_str())];
            let answer = deployed.post(&path, &headers, body.clone()).await;
            if answer.status == 200 {
                return place(&answer.json());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let pace = || tokio::time::sleep(Duration::from_millis(62));
    for n in 1..=END {
        post(n).await;
        pace().await;
    }
    end.await;
    let mut places = Vec::new();
    for n in END + 1..=LAST {
        places.push(post(n).await);
        pace().await;
    }
    places
}

/// Nobody misses an update that was published after the end, gets one twice or out of order, or is given what is older than what it has.
fn nothing_is_lost(connections: &[Connection], published: &[Place]) {
    let told = |connection: &Connection| {
        let Connection {
            since,
            hello,
            values,
            updates,
        } = connection;
        format!("{since:?} {hello} {values:?} {updates:?}")
    };
    let all: Vec<String> = connections.iter().map(told).collect();
    let all = all.join("\n");
    let got = connections.iter();
    let got = got.flat_map(|connection| connection.values.iter().chain(&connection.updates));
    let got: Vec<&Place> = got.filter(|place| published.contains(place)).collect();
    assert_eq!(got, published.iter().collect::<Vec<_>>(), "{all}");
    for connection in connections {
        let hello = &connection.hello;
        let behind = hello["behind"] == true;
        assert!(!behind || connection.values.is_empty(), "{all}");
        assert!(!(behind && hello["recovered"] == true), "{all}");
        let Some((epoch, since)) = &connection.since else {
            continue;
        };
        let mut all_of_it = connection.values.iter().chain(&connection.updates);
        assert!(
            all_of_it.all(|(of, seq)| of != epoch || seq >= since),
            "{all}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_to_a_room_that_ended_misses_nothing_that_the_new_one_has() {
    let deployed = Deployed::with(&[
        REGIONS,
        ("conflate = \"latest\"", "conflate = \"all\""),
        (
            "connect_rate = { limit = 1000,",
            "connect_rate = { limit = 100000,",
        ),
    ]);
    let killed = async || {
        let runtime = runtime_of(deployed.sandbox.process_id());
        let kill = std::process::Command::new("kill")
            .args(["-9", &runtime])
            .status();
        assert!(kill.unwrap().success());
    };
    for (token, kill) in [("SOL", false), ("BONK", true)] {
        let end = async {
            match kill {
                true => killed().await,
                false => deployed.restart().await,
            }
        };
        let hosts = [super::HOST, "broadcast-eu.glow.trade"];
        let clients = hosts.iter().flat_map(|host| {
            let pauses = [0, 100, 300, 700, 1500].map(Duration::from_millis);
            // On the heap: all of them together are larger than a stack
            pauses.map(|pause| Box::pin(follow(&deployed, token, host, pause)))
        });
        let (published, followed) = tokio::join!(
            Box::pin(publish(&deployed, token, end)),
            futures_util::future::join_all(clients)
        );
        for connections in followed {
            nothing_is_lost(&connections, &published);
        }
    }
}
