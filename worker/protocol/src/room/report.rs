//! Adds up what a room's root and its shards say of themselves.

use super::registry::Registry;
use super::root::Root;
use super::stream::Stream;
use crate::contract::counters::Counters;
use crate::contract::report::{Cost, Object, Report};
use std::collections::BTreeMap;

/// The report of a root and of what its shards answered.
pub fn report(
    token: &str,
    room: &Root,
    root: Object,
    registry: &Registry,
    shards: BTreeMap<String, Option<Object>>,
) -> Report {
    let Stream { epoch, sent, .. } = &room.stream;
    let answered = || std::iter::once(&root).chain(shards.values().flatten());
    let mut regions = BTreeMap::new();
    regions.insert(root.region.clone(), root.sockets);
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
    use crate::contract::counters::Billed;
    use crate::contract::report::Awake;
    use crate::contract::settings::{Conflate, RoomSettings};

    #[test]
    fn what_shards_count_is_part_of_the_room() {
        let settings = RoomSettings {
            max_connections: 10,
            max_shards: 4,
            batch_window_ms: 0,
            conflate: Conflate::Latest,
            conflate_key: crate::contract::settings::conflate_key(),
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
        let room = Root::new(&settings, "e1");
        let report = report("SOL", &room, object(2, 7), &registry, shards);
        assert_eq!(
            (report.wake_ups, report.cost.requests, report.sockets),
            (5, 47, 3)
        );
        assert_eq!(report.cost.month, "2026-12");
    }
}
