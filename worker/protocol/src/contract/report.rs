//! The answer of `GET /rooms/:token`.

use super::counters::Counters;
use super::slot::Uses;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One object of a room, as it sees itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema))]
pub struct Object {
    // Empty of a root that has never been told
    /// Where it is.
    pub region: String,
    /// Its open sockets.
    pub sockets: u32,
    /// Why it is in memory.
    pub awake: Awake,
    /// What it has counted.
    pub counters: Counters,
}

/// The reasons for which an object is in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema))]
pub struct Awake {
    /// Unix milliseconds when it was started.
    pub since_ms: u64,
    /// What started it: a call (`connect`, `publish`, `join`, …), a client's `message`, or the `close` of a socket.
    pub woken_by: String,
    /// What keeps it from hibernating.
    #[cfg_attr(feature = "describe", schemars(with = "Vec<HeldBy>"))]
    pub held_by: Vec<String>,
}

/// What keeps an object from hibernating, besides the request that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    BatchWindow,
    Save,
    PushAgain,
    Mark,
}

/// A room, root and shards together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema))]
pub struct Report {
    /// The room.
    pub token: String,
    /// Its epoch.
    pub epoch: String,
    /// The last number that was sent.
    pub seq: u64,
    /// Open sockets of all objects.
    pub sockets: u32,
    /// The same by region; `""` where the manifest has none.
    pub regions: BTreeMap<String, u32>,
    /// Accepted updates.
    pub publishes: u64,
    /// Updates that reached nobody: conflated, stale, or above the room's rate.
    pub drops: u64,
    /// Times that its objects were started.
    pub wake_ups: u64,
    /// Accepted publishes by secret slot.
    pub secret_uses: Uses,
    /// The month so far, all objects together.
    pub cost: Cost,
    /// The object that has the token's name.
    pub root: Object,
    /// The others by name; null for one that did not answer.
    pub shards: BTreeMap<String, Option<Object>>,
}

/// The month so far, all objects together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema))]
pub struct Cost {
    /// The month (UTC) that the next figures are of.
    pub month: String,
    /// Requests to its objects.
    pub requests: u64,
    /// Frames and closes of clients that reached them, except what a client sends after it was told to go; twenty cost one
    /// request.
    pub messages: u64,
    /// Rows.
    pub rows_written: u64,
    /// An estimate of the time in which an object could not hibernate.
    pub active_ms: u64,
    /// At list price, as if nothing were included in the plan.
    pub estimated_usd: f64,
}
