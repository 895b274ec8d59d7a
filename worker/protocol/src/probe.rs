//! Which shard of a region a gateway tries first: where the last client found a place, for a few seconds.
//!
//! Without it, every connection to a room of eight full shards would ask all eight.

use std::collections::BTreeMap;

/// How long a place is remembered. Afterwards the earlier shards, in which sockets may have closed, are tried again.
const MEMORY_MS: u64 = 10_000;
/// Most rooms that one gateway instance remembers.
const MAX_ROOMS: usize = 1024;

/// The first shard with a free place, by room and region.
#[derive(Clone, Debug, Default)]
pub struct Probes(BTreeMap<String, (u32, u64)>);

impl Probes {
    /// The index to try first for the object whose index 0 is called `first`.
    pub fn start(&self, first: &str, now_ms: u64) -> u32 {
        match self.0.get(first) {
            Some((index, until_ms)) if now_ms < *until_ms => *index,
            _ => 0,
        }
    }

    /// A client found a place at `index`.
    pub fn found(&mut self, first: &str, index: u32, now_ms: u64) {
        if index == 0 {
            self.0.remove(first);
            return;
        }
        if self.start(first, now_ms) == index {
            return;
        }
        if self.0.len() >= MAX_ROOMS {
            self.0.clear();
        }
        self.0.insert(first.to_owned(), (index, now_ms + MEMORY_MS));
    }

    /// No place was found from where the probing started.
    pub fn forget(&mut self, first: &str) {
        self.0.remove(first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_found_place_is_remembered_for_ten_seconds_from_when_it_was_new() {
        let mut probes = Probes::default();
        assert_eq!(probes.start("SOL", 0), 0);
        probes.found("SOL", 3, 1_000);
        probes.found("SOL", 3, 9_000);
        assert_eq!(probes.start("SOL", 10_999), 3);
        assert_eq!(probes.start("SOL", 11_000), 0);
        probes.found("SOL", 2, 12_000);
        probes.forget("SOL");
        assert_eq!(probes.start("SOL", 12_000), 0);
    }
}
