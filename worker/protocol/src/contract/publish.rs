//! The bodies of publishes, as shapes: what [`head`] reads of them.

use super::frame::{BatchUpdateType, OwnType};
use super::head::{self, MAX_ITEMS};
use schemars::JsonSchema;
use serde_json::{Map, Value};

/// One update, or a batch of them.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum Publish {
    Update(PublishedUpdate),
    Batch(PublishedBatch),
}

/// One update. Every member that is not here is the subscribers' business.
#[derive(JsonSchema)]
#[schemars(extend("not" = reserved()))]
#[expect(dead_code, reason = "a shape: bodies are read by hand")]
pub struct PublishedUpdate {
    /// What kind of update it is; the key, unless `room.conflate_key` says otherwise.
    #[schemars(rename = "type")]
    kind: Option<OwnType>,
    /// Must be the path's, where it is given; a signed body must have it.
    token: Option<String>,
    /// The publisher's own clock; an update with a lower one than the latest of its [key](#keys) is stale and not delivered: see
    /// [Slots](#slots).
    slot: Option<u64>,
    /// Deliver it all the same.
    force: Option<bool>,
    #[schemars(flatten)]
    members: Map<String, Value>,
}

/// A batch of updates, each with a number of its own, delivered together and in order.
#[derive(JsonSchema)]
#[schemars(extend("not" = reserved()))]
#[expect(dead_code, reason = "a shape: bodies are read by hand")]
pub struct PublishedBatch {
    #[schemars(rename = "type", description = "")]
    kind: BatchUpdateType,
    /// The updates.
    #[schemars(length(min = 1, max = MAX_ITEMS))]
    updates: Vec<PublishedUpdate>,
    /// Must be the path's, where it is given.
    token: Option<String>,
    /// Counts for each item that has none of its own.
    slot: Option<u64>,
    /// Counts for each item that has none of its own.
    force: Option<bool>,
    #[schemars(flatten)]
    members: Map<String, Value>,
}

/// The items of `POST /broadcast`: 1 to 100 updates or batches. One that is not as described is refused alone.
#[derive(JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "a shape: bodies are read by hand")]
pub struct PublishedItems(#[schemars(length(min = 1, max = MAX_ITEMS))] Vec<PublishedItem>);

/// One of several that are published at once, to rooms of their own.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a shape: bodies are read by hand")]
pub struct PublishedItem {
    /// The room.
    token: String,
    /// Its idempotency key: 1 to 256 visible ASCII characters.
    id: Option<String>,
    #[schemars(flatten)]
    members: Map<String, Value>,
}

/// Members that a publisher must not have.
fn reserved() -> Value {
    let required = head::RESERVED_KEYS.map(|key| serde_json::json!({ "required": [key] }));
    serde_json::json!({ "anyOf": required })
}
