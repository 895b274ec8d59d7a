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
    let mut counters = Counters::default();
    for object in answered() {
        counters.add(&object.counters);
    }
    let month = &counters.month;
    let cost = Cost {
        month: month.name(),
        requests: month.requests,
        messages: month.messages,
        rows_written: month.rows_written,
        active_ms: month.active_ms,
        estimated_usd: month.dollars(),
    };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        counters::Billed,
        settings::{Conflate, RoomSettings},
    };

    #[test]
    fn what_shards_count_is_part_of_the_room() {
        let settings = RoomSettings {
            max_connections: 10,
            max_shards: 4,
            batch_window_ms: 0,
            conflate: Conflate::Latest,
            history: 8,
            idle_timeout_ms: 90_000,
            publish_rate: 0,
        };
        let object = |wake_ups: u64, requests: u64| {
            let mut counters = Counters {
                wake_ups,
                ..Counters::default()
            };
            for _ in 0..requests {
                counters.month.count(Billed::Request, 1_796_083_200_000);
            }
            Object {
                region: String::new(),
                sockets: 1,
                awake: Awake::default(),
                counters,
            }
        };
        let mut registry = Registry::default();
        registry.join("SOL//1", "", 1, 4).unwrap();
        registry.join("SOL//2", "", 1, 4).unwrap();
        let shards = BTreeMap::from([
            ("SOL//1".to_owned(), Some(object(3, 40))),
            ("SOL//2".to_owned(), None),
        ]);
        let room = Room::new(&settings, "e1");
        let report = report("SOL", &room, object(2, 7), &registry, shards);
        assert_eq!(
            (report.wake_ups, report.cost.requests, report.sockets),
            (5, 47, 3)
        );
        assert_eq!(report.cost.month, "2026-12");
    }
}
