//! Which objects of a region a gateway asks for a place, and in which order: first the one where the last client found a
//! place, for a few seconds, then those after it, then those before it.
//!
//! Without that memory, every connection to a room of eight full shards would ask all eight.

use crate::contract::settings::MAX_SHARDS;

/// The time that a place is remembered. Afterwards the earlier shards, in which sockets may have closed, are tried again.
const MEMORY_MS: u64 = 10_000;
/// Most rooms that one gateway instance remembers.
const MAX_ROOMS: usize = 1024;

/// The objects that one connection asks, none of them twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search {
    start: u32,
    index: u32,
}

impl Search {
    /// Begins at `start`.
    pub fn from(start: u32) -> Self {
        Self {
            start,
            index: start,
        }
    }

    /// The object to ask now.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Moves on from an object that had no place and named the `next` one, or none: the object to ask now, if there is one.
    pub fn advance(&mut self, next: Option<u32>) -> Option<u32> {
        let end = if self.has_wrapped() {
            self.start
        } else {
            MAX_SHARDS
        };
        // What a room says is taken only if it leads forward: two versions may not agree on how shards are numbered.
        let onward = next.filter(|next| (self.index + 1..end).contains(next));
        // Sockets may have closed before the start.
        let wrapped = (self.start > 0 && !self.has_wrapped()).then_some(0);
        self.index = onward.or(wrapped)?;
        Some(self.index)
    }

    /// Whether everything from the start on was full.
    pub fn has_wrapped(&self) -> bool {
        self.index < self.start
    }
}

/// The first shard with a free place, by room and region: in the order of the names, since a map is 2 % of the bundle.
#[derive(Clone, Debug, Default)]
pub struct Starts(Vec<Start>);

#[derive(Clone, Debug)]
struct Start {
    /// The object whose index is 0.
    first: String,
    index: u32,
    until_ms: u64,
}

impl Starts {
    /// The index to try first for the object whose index 0 is called `first`.
    pub fn start(&self, first: &str, now_ms: u64) -> u32 {
        match self.find(first) {
            Ok(at) if now_ms < self.0[at].until_ms => self.0[at].index,
            _ => 0,
        }
    }

    /// A client found a place at `index`.
    pub fn found(&mut self, first: &str, index: u32, now_ms: u64) {
        if index == 0 {
            return self.forget(first);
        }
        if self.start(first, now_ms) == index {
            return;
        }
        if self.0.len() >= MAX_ROOMS {
            self.0.clear();
        }
        let start = Start {
            first: first.to_owned(),
            index,
            until_ms: now_ms + MEMORY_MS,
        };
        match self.find(first) {
            Ok(at) => self.0[at] = start,
            Err(at) => self.0.insert(at, start),
        }
    }

    /// Forgets a place that was taken when the next client came.
    pub fn forget(&mut self, first: &str) {
        if let Ok(at) = self.find(first) {
            self.0.remove(at);
        }
    }

    /// Where the room is, or would be.
    fn find(&self, first: &str) -> Result<usize, usize> {
        self.0
            .binary_search_by(|start| start.first.as_str().cmp(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The objects that are asked in a room of `shards` full ones.
    fn asked(start: u32, shards: u32) -> Vec<u32> {
        let mut search = Search::from(start);
        let mut asked = vec![search.index()];
        while let Some(index) =
            search.advance(Some(search.index() + 1).filter(|next| *next < shards))
        {
            asked.push(index);
        }
        asked
    }

    #[test]
    fn a_full_room_is_asked_once_around_from_where_the_last_client_found_a_place() {
        assert_eq!(asked(0, 4), [0, 1, 2, 3]);
        assert_eq!(asked(2, 4), [2, 3, 0, 1]);
        assert_eq!(asked(3, 4), [3, 0, 1, 2]);
        assert_eq!(asked(7, 4), [7, 0, 1, 2, 3], "the room has become smaller");
        assert_eq!(asked(0, MAX_SHARDS + 9).len(), MAX_SHARDS as usize);
    }

    #[test]
    fn an_object_that_names_no_other_ends_the_search_or_sends_it_to_the_beginning_once() {
        let mut search = Search::from(0);
        assert_eq!(search.advance(None), None);
        let mut search = Search::from(5);
        assert_eq!(search.advance(None), Some(0));
        assert!(search.has_wrapped());
        assert_eq!(search.advance(None), None);
    }

    proptest! {
        #[test]
        fn no_object_is_asked_twice_whatever_the_room_says(
            start in 0u32..300, answers in proptest::collection::vec(proptest::option::of(0u32..300), 0..700),
        ) {
            let mut search = Search::from(start);
            let mut asked = vec![start];
            for next in answers {
                let Some(index) = search.advance(next) else { break };
                prop_assert_eq!(index, search.index());
                asked.push(index);
            }
            let mut once = asked.clone();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), asked.len(), "{:?}", asked);
            prop_assert!(asked.len() <= MAX_SHARDS as usize + 1);
        }

        #[test]
        fn no_object_of_a_full_room_is_left_out(shards in 1u32..=MAX_SHARDS, start in 0u32..MAX_SHARDS) {
            let mut asked = asked(start % shards, shards);
            asked.sort_unstable();
            prop_assert_eq!(asked, (0..shards).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_found_place_is_remembered_for_ten_seconds_from_when_it_was_new() {
        let mut starts = Starts::default();
        assert_eq!(starts.start("SOL", 0), 0);
        starts.found("SOL", 3, 1_000);
        starts.found("SOL", 3, 9_000);
        assert_eq!(starts.start("SOL", 10_999), 3);
        assert_eq!(starts.start("SOL", 11_000), 0);
        starts.found("SOL", 2, 12_000);
        starts.forget("SOL");
        assert_eq!(starts.start("SOL", 12_000), 0);
    }

    proptest! {
        #[test]
        fn each_room_has_the_place_that_was_last_found_in_it(
            found in proptest::collection::vec(("[A-C]{0,2}", 0u32..3), 0..40),
        ) {
            let mut starts = Starts::default();
            let mut last = std::collections::BTreeMap::new();
            for (now_ms, (first, index)) in (0..).zip(&found) {
                starts.found(first, *index, now_ms);
                last.insert(first, *index);
            }
            for (first, index) in last {
                prop_assert_eq!(starts.start(first, 40), index, "{}", first);
            }
        }
    }
}
