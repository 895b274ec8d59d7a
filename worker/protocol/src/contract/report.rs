//! The answer of `GET /rooms/:token`.

use super::counters::Counters;
use super::slot::Uses;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One object of a room, as it sees itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Empty for a root that has never been told.
    pub region: String,
    /// Open sockets.
    pub sockets: u32,
    pub awake: Awake,
    pub counters: Counters,
}

/// The reasons for which an object is in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awake {
    /// Unix milliseconds when it was started.
    pub since_ms: u64,
    /// What started it: a call by its [`super::call::Call::name`], a client's `message`, or the `close` of a socket.
    pub woken_by: String,
    /// The causes that keep it from hibernating, besides the request that asks: `batch_window`, `save`,
    /// `push_again`, `mark`.
    pub held_by: Vec<String>,
}

/// A room, root and shards together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub token: String,
    pub epoch: String,
    pub seq: u64,
    /// Open sockets of all objects.
    pub sockets: u32,
    /// Open sockets by region; the root's own are under its region's name, or `""` without regions.
    pub regions: BTreeMap<String, u32>,
    pub publishes: u64,
    /// Updates that reached nobody: conflated, stale or above the rate.
    pub drops: u64,
    /// Of all objects together.
    pub wake_ups: u64,
    pub secret_uses: Uses,
    pub cost: Cost,
    pub root: Object,
    /// Shards by name; `null` for one that did not answer.
    pub shards: BTreeMap<String, Option<Object>>,
}

/// The month so far, all objects together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// `2026-11`
    pub month: String,
    pub requests: u64,
    pub messages: u64,
    pub rows_written: u64,
    pub active_ms: u64,
    /// At list price, as if nothing were included in the plan.
    pub estimated_usd: f64,
}
