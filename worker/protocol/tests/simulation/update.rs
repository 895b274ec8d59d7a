//! Updates as they stand in frames: what the room added, and what the simulator's publishers wrote.

use edge_broadcast_protocol::contract::frame::{RoomFrame, Snapshot};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One numbered update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) epoch: String,
    pub(crate) seq: u64,
    /// What conflation and the latest values go by.
    pub(crate) key: String,
    /// Which published object this is.
    pub(crate) marker: u64,
    /// Its publisher's clock.
    pub(crate) slot: Option<u64>,
    pub(crate) text: String,
}

/// The first frame of a socket.
#[derive(Debug, Default)]
pub(crate) struct Greeting {
    pub(crate) epoch: String,
    pub(crate) seq: u64,
    pub(crate) recovered: bool,
    pub(crate) behind: bool,
    /// Older first.
    pub(crate) values: Vec<Item>,
}

impl Item {
    fn read(value: &Value) -> Self {
        Self {
            epoch: text(value, "epoch"),
            seq: value["seq"].as_u64().unwrap_or_default(),
            key: text(value, "type") + &text(value, "pool"),
            marker: value["n"].as_u64().unwrap_or_default(),
            slot: value["slot"].as_u64(),
            text: value.to_string(),
        }
    }
}

impl Greeting {
    pub(crate) fn read(frame: &str) -> Self {
        let value = exactly::<RoomFrame>(frame);
        let is = |name: &str| value[name].as_bool().unwrap_or_default();
        Self {
            epoch: text(&value, "epoch"),
            seq: value["seq"].as_u64().unwrap_or_default(),
            recovered: is("recovered"),
            behind: is("behind"),
            values: values(&value),
        }
    }
}

/// The latest values in a greeting or an answer of `GET /snapshot/:token`, older first.
fn values(value: &Value) -> Vec<Item> {
    let others = value["snapshots"].as_array().into_iter().flatten();
    let newest = Some(&value["snapshot"]).filter(|newest| newest.is_object());
    others.chain(newest).map(Item::read).collect()
}

/// The first frames of a socket: its greeting, and the updates that follow.
pub(crate) fn first(frames: &[String]) -> (Greeting, Vec<Item>) {
    let (greeting, later) = frames.split_first().expect("a socket is greeted");
    let retained = later.iter().flat_map(|frame| items(frame));
    (Greeting::read(greeting), retained.collect())
}

/// The updates of a frame.
pub(crate) fn items(frame: &str) -> Vec<Item> {
    several(&exactly::<RoomFrame>(frame))
}

/// The updates that a publisher's body has.
pub(crate) fn published(body: &str) -> Vec<Item> {
    several(&json(body))
}

fn several(value: &Value) -> Vec<Item> {
    match value["updates"].as_array() {
        Some(updates) if value["type"] == "BATCH_UPDATE" => {
            updates.iter().map(Item::read).collect()
        }
        _ => vec![Item::read(value)],
    }
}

/// The updates of a push from a root to a shard.
pub(crate) fn pushed(body: &str) -> Vec<Item> {
    let push = json(body);
    let updates = push["updates"].as_array().into_iter().flatten();
    updates
        .map(|update| Item::read(&json(update["text"].as_str().unwrap_or_default())))
        .collect()
}

/// The body of `GET /snapshot/:token`.
pub(crate) fn snapshot(body: &str) -> Vec<Item> {
    values(&exactly::<Snapshot>(body))
}

/// What rooms write by hand, as the type that describes it to clients: which reads all of it, and would write the same.
fn exactly<T: DeserializeOwned + Serialize>(text: &str) -> Value {
    let value = json(text);
    let typed = T::deserialize(&value).unwrap_or_else(|error| panic!("{error}: {text}"));
    let again = serde_json::to_value(typed).expect("it is JSON");
    assert_eq!(again, value, "{text}");
    value
}

pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
