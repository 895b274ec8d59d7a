//! The shards of a room that hold sockets. The root keeps it; a broadcast calls these and no others.

use crate::refusal::Refusal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the root knows of a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    pub region: String,
    /// Sockets as of its last answer.
    pub sockets: u32,
    /// Which of the root's joins this was.
    #[serde(skip)]
    joined: u64,
}

/// Shards by the name of their object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    shards: BTreeMap<String, Shard>,
    #[serde(skip)]
    joins: u64,
}

impl Registry {
    /// A shard is about to get its first socket. To join again changes nothing.
    ///
    /// # Errors
    /// 503 when the room, its root included, already has `max_shards` objects.
    pub fn join(&mut self, name: &str, region: &str, max_shards: u32) -> Result<(), Refusal> {
        if !self.shards.contains_key(name) && self.shards.len() + 1 >= max_shards as usize {
            return Err(room_full());
        }
        self.joins += 1;
        let shard = self.shards.entry(name.to_owned()).or_default();
        region.clone_into(&mut shard.region);
        shard.joined = self.joins;
        Ok(())
    }

    /// A shard has lost its last socket. Whether it was known.
    pub fn leave(&mut self, name: &str) -> bool {
        self.shards.remove(name).is_some()
    }

    /// A shard said, in answer to a push, that it holds no sockets; it is forgotten unless it has joined again since
    /// that push, which began when there had been `joins`. Whether it is.
    pub fn forget(&mut self, name: &str, joins: u64) -> bool {
        let known = self.shards.get(name);
        known.is_some_and(|shard| shard.joined <= joins) && self.leave(name)
    }

    /// How often a shard has joined since this root woke up.
    pub fn joins(&self) -> u64 {
        self.joins
    }

    /// A shard has said how many sockets it holds.
    pub fn count(&mut self, name: &str, sockets: u32) {
        if let Some(shard) = self.shards.get_mut(name) {
            shard.sockets = sockets;
        }
    }

    pub fn names(&self) -> Vec<String> {
        self.shards.keys().cloned().collect()
    }

    pub fn shards(&self) -> &BTreeMap<String, Shard> {
        &self.shards
    }

    /// Sockets of all shards, as of their last answers.
    pub fn sockets(&self) -> u32 {
        self.shards.values().map(|shard| shard.sockets).sum()
    }

    pub fn len(&self) -> u32 {
        u32::try_from(self.shards.len()).unwrap_or(u32::MAX)
    }

    pub fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }
}

/// No object of the room has a place left.
pub const fn room_full() -> Refusal {
    Refusal::new(503, "room_full", "this room has no place left").retry_after(30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_grows_to_its_number_of_objects_and_no_further() {
        let mut registry = Registry::default();
        assert!(registry.join("SOL/eu/0", "eu", 3).is_ok());
        assert!(registry.join("SOL/eu/1", "eu", 3).is_ok());
        assert!(
            registry.join("SOL/eu/0", "eu", 3).is_ok(),
            "joining again is no growth"
        );
        assert_eq!(
            registry.join("SOL/us/1", "us", 3).unwrap_err().code,
            "room_full"
        );
        assert!(registry.leave("SOL/eu/1"));
        assert!(!registry.leave("SOL/eu/1"));
        assert!(registry.join("SOL/us/1", "us", 3).is_ok());
        assert_eq!(registry.names(), ["SOL/eu/0", "SOL/us/1"]);
    }

    #[test]
    fn an_answer_from_before_a_join_does_not_undo_it() {
        let mut registry = Registry::default();
        registry.join("a", "", 8).unwrap();
        let joins = registry.joins();
        registry.join("a", "", 8).unwrap();
        assert!(!registry.forget("a", joins));
        assert!(registry.forget("a", registry.joins()));
        assert!(!registry.forget("a", registry.joins()));
    }

    #[test]
    fn sockets_are_counted_by_what_shards_say() {
        let mut registry = Registry::default();
        registry.join("a", "", 8).unwrap();
        registry.join("b", "", 8).unwrap();
        registry.count("a", 3);
        registry.count("b", 4);
        registry.count("stranger", 100);
        assert_eq!((registry.sockets(), registry.len()), (7, 2));
        assert_eq!(
            serde_json::to_string(&registry).unwrap(),
            r#"{"shards":{"a":{"region":"","sockets":3},"b":{"region":"","sockets":4}}}"#
        );
    }
}
