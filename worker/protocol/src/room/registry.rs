//! The shards of a room that hold sockets. The root keeps it; a broadcast calls these and no others.

use crate::contract::refusal::{self, Refusal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A shard as its root knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    pub region: String,
    /// Sockets as of its last answer; one when it has just joined.
    pub sockets: u32,
    /// The shard's own clock when it joined, so that what it said before that does not undo it.
    #[serde(default)]
    joined_ms: u64,
    /// Pushes that it has not answered.
    #[serde(skip)]
    pending: u32,
}

/// Most pushes that one shard may leave unanswered: it misses updates rather than let them pile up in the root. A frame
/// every 10 ms to the other side of the world has 30 on their way.
pub const MAX_PENDING: u32 = 256;

/// Shards by the name of their object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    shards: BTreeMap<String, Shard>,
}

impl Registry {
    /// A shard is about to get its first socket, at `clock_ms` of its own clock. Whether that is news: joining again is
    /// none.
    ///
    /// # Errors
    /// 503 when the room, its root included, already has `max_shards` objects.
    pub fn join(
        &mut self,
        name: &str,
        region: &str,
        clock_ms: u64,
        max_shards: u32,
    ) -> Result<bool, Refusal> {
        let news = !self.shards.contains_key(name);
        if news && self.shards.len() + 1 >= max_shards as usize {
            return Err(refusal::ROOM_FULL);
        }
        let shard = self.shards.entry(name.to_owned()).or_default();
        region.clone_into(&mut shard.region);
        shard.sockets = shard.sockets.max(1);
        shard.joined_ms = shard.joined_ms.max(clock_ms);
        Ok(news)
    }

    /// A shard had no socket left at `clock_ms` of its own clock: it is forgotten unless it has joined since. Whether it
    /// is. What shards say can overtake what they said before.
    pub fn leave(&mut self, name: &str, clock_ms: u64) -> bool {
        let known = self.shards.get(name);
        known.is_some_and(|shard| shard.joined_ms <= clock_ms) && self.shards.remove(name).is_some()
    }

    /// A shard has said how many sockets it holds.
    pub fn count(&mut self, name: &str, sockets: u32) {
        if let Some(shard) = self.shards.get_mut(name) {
            shard.sockets = sockets;
        }
    }

    /// A push begins: the shards that get it, and those that have too many unanswered.
    pub fn push(&mut self) -> (Vec<String>, Vec<String>) {
        let (mut called, mut passed_over) = (Vec::new(), Vec::new());
        for (name, shard) in &mut self.shards {
            if shard.pending < MAX_PENDING {
                shard.pending += 1;
                called.push(name.clone());
            } else {
                passed_over.push(name.clone());
            }
        }
        (called, passed_over)
    }

    /// A push was answered, or has failed.
    pub fn answered(&mut self, name: &str) {
        if let Some(shard) = self.shards.get_mut(name) {
            shard.pending = shard.pending.saturating_sub(1);
        }
    }

    /// The shards, by the name of their object.
    pub fn shards(&self) -> &BTreeMap<String, Shard> {
        &self.shards
    }

    /// Sockets of all shards, as of their last answers.
    pub fn sockets(&self) -> u32 {
        self.shards.values().map(|shard| shard.sockets).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_grows_to_its_number_of_objects_and_no_further() {
        let mut registry = Registry::default();
        assert!(registry.join("SOL/eu/0", "eu", 1, 3).is_ok());
        assert!(registry.join("SOL/eu/1", "eu", 1, 3).is_ok());
        assert!(
            registry.join("SOL/eu/0", "eu", 1, 3).is_ok(),
            "joining again is no growth"
        );
        assert_eq!(
            registry.join("SOL/us/1", "us", 2, 3).unwrap_err().code,
            "room_full"
        );
        assert!(registry.leave("SOL/eu/1", 2));
        assert!(!registry.leave("SOL/eu/1", 2));
        assert!(registry.join("SOL/us/1", "us", 2, 3).is_ok());
        assert_eq!(registry.push().0, ["SOL/eu/0", "SOL/us/1"]);
    }

    #[test]
    fn what_a_shard_said_before_a_join_does_not_undo_it() {
        let mut registry = Registry::default();
        assert_eq!(registry.join("a", "", 1_000, 8), Ok(true));
        assert_eq!(registry.join("a", "", 2_000, 8), Ok(false));
        assert_eq!(
            registry.join("a", "", 1_500, 8),
            Ok(false),
            "late, and no step back"
        );
        assert!(
            !registry.leave("a", 1_999),
            "it was said before the second join"
        );
        assert!(registry.leave("a", 2_001));
        assert!(!registry.leave("a", 2_001));
    }

    #[test]
    fn a_shard_of_a_root_that_restarted_may_leave() {
        let mut registry = Registry::default();
        registry.join("a", "", 1_000, 8).unwrap();
        let text = serde_json::to_string(&registry).unwrap();
        let mut back: Registry = serde_json::from_str(&text).unwrap();
        assert!(back.leave("a", 1_001));
    }

    #[test]
    fn a_shard_that_answers_nothing_is_passed_over_until_it_does() {
        let mut registry = Registry::default();
        registry.join("dead", "", 1, 8).unwrap();
        registry.join("quick", "", 1, 8).unwrap();
        for _ in 0..MAX_PENDING {
            assert_eq!(registry.push().0, ["dead", "quick"]);
            registry.answered("quick");
        }
        let passed_over = (vec!["quick".to_owned()], vec!["dead".to_owned()]);
        assert_eq!(registry.push(), passed_over);
        registry.answered("quick");
        registry.answered("dead");
        assert_eq!(registry.push().0, ["dead", "quick"]);
    }

    #[test]
    fn sockets_are_counted_by_what_shards_say() {
        let mut registry = Registry::default();
        registry.join("a", "", 1, 8).unwrap();
        registry.join("b", "", 1, 8).unwrap();
        assert_eq!(registry.sockets(), 2, "each is about to get its first");
        registry.count("a", 3);
        registry.count("b", 4);
        registry.count("stranger", 100);
        assert_eq!((registry.sockets(), registry.shards().len()), (7, 2));
        assert_eq!(
            serde_json::to_string(&registry).unwrap(),
            r#"{"shards":{"a":{"region":"","sockets":3,"joined_ms":1},"b":{"region":"","sockets":4,"joined_ms":1}}}"#
        );
    }
}
