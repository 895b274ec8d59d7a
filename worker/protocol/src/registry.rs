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
}

/// Shards by the name of their object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry(BTreeMap<String, Shard>);

impl Registry {
    /// A shard is about to get its first socket. To join again changes nothing.
    ///
    /// # Errors
    /// 503 when the room, its root included, already has `max_shards` objects.
    pub fn join(&mut self, name: &str, region: &str, max_shards: u32) -> Result<(), Refusal> {
        if !self.0.contains_key(name) && self.0.len() + 1 >= max_shards as usize {
            return Err(room_full());
        }
        self.0.entry(name.to_owned()).or_default().region = region.to_owned();
        Ok(())
    }

    /// A shard has lost its last socket. Whether it was known.
    pub fn leave(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// A shard has said how many sockets it holds.
    pub fn count(&mut self, name: &str, sockets: u32) {
        if let Some(shard) = self.0.get_mut(name) {
            shard.sockets = sockets;
        }
    }

    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    pub fn shards(&self) -> &BTreeMap<String, Shard> {
        &self.0
    }

    /// Sockets of all shards, as of their last answers.
    pub fn sockets(&self) -> u32 {
        self.0.values().map(|shard| shard.sockets).sum()
    }

    pub fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
            r#"{"a":{"region":"","sockets":3},"b":{"region":"","sockets":4}}"#
        );
    }
}
