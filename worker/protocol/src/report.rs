//! What `GET /rooms/:token` answers.

use crate::{counters::Counters, registry::Registry, room::Room, slot::Uses, stream::Stream};
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

/// Why an object is in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awake {
    /// Unix milliseconds when it was started.
    pub since_ms: u64,
    /// The call that started it: `connect`, `publish`, `close`, …
    pub woken_by: String,
    /// What keeps it from hibernating besides the request that asks: `batch_window`, `save`.
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

/// The report of a root and of what its shards answered.
pub fn report(
    token: &str,
    room: &Room,
    root: Object,
    registry: &Registry,
    shards: BTreeMap<String, Option<Object>>,
) -> Report {
    let Stream { epoch, sent, .. } = &room.stream;
    let answered = || std::iter::once(&root).chain(shards.values().flatten());
    let mut regions = BTreeMap::from([(root.region.clone(), root.sockets)]);
    for (name, shard) in registry.shards() {
        let sockets = match shards.get(name) {
            Some(Some(object)) => object.sockets,
            _ => shard.sockets,
        };
        *regions.entry(shard.region.clone()).or_default() += sockets;
    }
    let mut cost = Cost {
        month: root.counters.month.name(),
        ..Cost::default()
    };
    for object in answered() {
        let month = &object.counters.month;
        cost.requests += month.requests;
        cost.messages += month.messages;
        cost.rows_written += month.rows_written;
        cost.active_ms += month.active_ms;
        cost.estimated_usd += month.dollars();
    }
    let counters = &root.counters;
    Report {
        token: token.to_owned(),
        epoch: epoch.clone(),
        seq: *sent,
        sockets: regions.values().sum(),
        regions,
        publishes: counters.publishes,
        drops: counters.conflated + counters.stale + counters.limited,
        wake_ups: counters.wake_ups,
        secret_uses: counters.slots,
        cost,
        root,
        shards,
    }
}
