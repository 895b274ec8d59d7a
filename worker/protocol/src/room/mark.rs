//! The publisher's clock, as the room has seen it: the latest `slot` of each key.
//!
//! An update with a lower slot than the mark of its key is stale. A slot that cannot be of the same clock (milliseconds
//! instead of slots, another chain) decides nothing: it is delivered, and becomes the mark only when a second one
//! agrees with it. So one bad value blocks no room, whether it comes later or was the first, and a new clock is adopted.

use serde::{Deserialize, Serialize};

/// Most keys whose clock is known. The one that was updated longest ago is forgotten first: then nothing of it is stale.
pub const MAX_MARKS: usize = 256;
/// Slots of one clock are at most so far apart, or one is at most double the other: Solana makes as many in five days.
pub const MAX_JUMP: u64 = 1_000_000;

/// The marks of one room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// The one mark of a room that was stored before each key had its own: that of every key that has none.
    #[serde(default)]
    fallback: Option<u64>,
    /// The one that was updated last is the last.
    kept: Vec<Mark>,
}

/// What is known of the clock of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    key: String,
    slot: u64,
    /// The last implausible slot, if the mark was not moved since: it waits for a second one.
    #[serde(default)]
    candidate: Option<u64>,
}

/// What a slot says about its update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// It is the latest of its key.
    Latest,
    /// A later one was there before.
    Stale,
    /// It is not of the clock that the key had: nothing can be said.
    Implausible,
}

impl Marks {
    /// The marks of a stored room that had one for all keys.
    pub(crate) fn of_all(slot: Option<u64>) -> Self {
        Self {
            fallback: slot,
            ..Self::default()
        }
    }

    /// Judges `slot` and moves the mark of `key` accordingly.
    pub(crate) fn judge(&mut self, key: &str, slot: u64) -> Slot {
        let known = self.kept.iter().rposition(|mark| mark.key == key);
        let (before, candidate) = match known.map(|at| &self.kept[at]) {
            Some(mark) => (Some(mark.slot), mark.candidate),
            None => (self.fallback, None),
        };
        let Some(before) = before.filter(|before| !is_plausible(*before, slot)) else {
            if before.is_some_and(|before| slot < before) {
                return Slot::Stale;
            }
            self.set(key, slot, None);
            return Slot::Latest;
        };
        match candidate.filter(|candidate| is_plausible(*candidate, slot)) {
            Some(candidate) if slot >= candidate => {
                self.set(key, slot, None);
                Slot::Latest
            }
            _ => {
                self.set(key, before, Some(slot));
                Slot::Implausible
            }
        }
    }

    /// Sets the mark of `key`, and that nothing else is known of it.
    pub(crate) fn force(&mut self, key: &str, slot: u64) {
        self.set(key, slot, None);
    }

    fn set(&mut self, key: &str, slot: u64, candidate: Option<u64>) {
        let known = self.kept.iter().rposition(|mark| mark.key == key);
        let mut mark = match known {
            Some(at) => self.kept.remove(at),
            None => Mark {
                key: key.to_owned(),
                slot,
                candidate,
            },
        };
        if self.kept.len() >= MAX_MARKS {
            self.kept.remove(0);
        }
        (mark.slot, mark.candidate) = (slot, candidate);
        self.kept.push(mark);
    }
}

/// Whether two slots can be of one clock.
fn is_plausible(one: u64, other: u64) -> bool {
    let reach = |slot: u64| slot.saturating_mul(2).saturating_add(MAX_JUMP);
    one <= reach(other) && other <= reach(one)
}

#[cfg(test)]
mod tests {
    use super::Slot::{Implausible, Latest, Stale};
    use super::*;
    use proptest::prelude::*;

    const SLOT: u64 = 300_000_000;
    const TIMESTAMP: u64 = 1_796_000_000_000;

    fn judged(marks: &mut Marks, slots: &[u64]) -> Vec<Slot> {
        slots.iter().map(|slot| marks.judge("A", *slot)).collect()
    }

    #[test]
    fn a_slot_is_stale_after_a_later_one_of_its_key_only() {
        let mut marks = Marks::default();
        assert_eq!(
            judged(&mut marks, &[10, 9, 10, 11, 10]),
            [Latest, Stale, Latest, Latest, Stale]
        );
        assert_eq!(marks.judge("B", 5), Latest);
        assert_eq!(marks.judge("A", 10), Stale);
    }

    #[test]
    fn a_room_heals_from_a_bad_first_value() {
        let mut marks = Marks::default();
        assert_eq!(
            judged(&mut marks, &[TIMESTAMP, SLOT, SLOT + 1, SLOT, SLOT + 1]),
            [Latest, Implausible, Latest, Stale, Latest]
        );
    }

    #[test]
    fn one_bad_value_in_between_moves_nothing_and_a_new_clock_is_adopted() {
        let mut marks = Marks::default();
        assert_eq!(
            judged(
                &mut marks,
                &[
                    SLOT,
                    TIMESTAMP,
                    SLOT + 1,
                    TIMESTAMP + 9,
                    SLOT,
                    SLOT + 2,
                    7,
                    SLOT + 3
                ]
            ),
            [
                Latest,
                Implausible,
                Latest,
                Implausible,
                Stale,
                Latest,
                Implausible,
                Latest
            ]
        );
        assert_eq!(
            judged(&mut marks, &[TIMESTAMP, TIMESTAMP + 1, TIMESTAMP, SLOT]),
            [Implausible, Latest, Stale, Implausible]
        );
    }

    #[test]
    fn a_new_clock_is_adopted_when_it_goes_forward() {
        let mut marks = Marks::default();
        assert_eq!(
            judged(
                &mut marks,
                &[TIMESTAMP, SLOT + 5, SLOT + 4, SLOT + 5, SLOT + 4]
            ),
            [Latest, Implausible, Implausible, Latest, Stale]
        );
        // Two that are of different clocks say nothing together
        let mut marks = Marks::default();
        assert_eq!(
            judged(&mut marks, &[TIMESTAMP, SLOT, 7, 8]),
            [Latest, Implausible, Implausible, Latest]
        );
    }

    #[test]
    fn a_room_that_was_stored_with_one_mark_has_it_for_every_key() {
        let mut marks = Marks::of_all(Some(10));
        assert_eq!(marks.judge("A", 9), Stale);
        assert_eq!(marks.judge("A", 12), Latest);
        assert_eq!(marks.judge("B", 11), Latest);
        assert_eq!(marks.judge("C", TIMESTAMP), Implausible);
        assert_eq!(marks.judge("C", TIMESTAMP), Latest);
    }

    #[test]
    fn what_is_forced_is_the_mark() {
        let mut marks = Marks::default();
        marks.judge("A", 10);
        marks.force("A", 8);
        assert_eq!(judged(&mut marks, &[7, 8]), [Stale, Latest]);
    }

    #[test]
    fn the_key_that_was_updated_longest_ago_is_forgotten_first() {
        let mut marks = Marks::default();
        let judge = |marks: &mut Marks, key: usize, slot| marks.judge(&key.to_string(), slot);
        for key in 0..MAX_MARKS {
            judge(&mut marks, key, 10);
        }
        judge(&mut marks, 0, 11);
        judge(&mut marks, MAX_MARKS, 10);
        assert_eq!(marks.kept.len(), MAX_MARKS);
        assert_eq!(judge(&mut marks, 0, 10), Stale);
        assert_eq!(judge(&mut marks, 2, 9), Stale);
        assert_eq!(judge(&mut marks, 1, 9), Latest);
    }

    proptest! {
        /// Whatever came before, a clock that goes on is believed from its second value at the latest.
        #[test]
        fn no_value_blocks_a_clock_that_is_another(
            before in proptest::collection::vec(prop_oneof![any::<u64>(), 0u64..3_000_000, 0u64..100], 0..20), start in 0u64..(1 << 60), steps in proptest::collection::vec(0u64..1000, 2..20),
        ) {
            let mut marks = Marks::default();
            judged(&mut marks, &before);
            let mark = marks.kept.last().map_or(start, |mark| mark.slot);
            prop_assume!(!is_plausible(mark, start) || start >= mark);
            let slots: Vec<u64> = steps.iter().scan(start, |slot, step| { *slot += step; Some(*slot) }).collect();
            prop_assume!(slots.iter().all(|slot| !is_plausible(mark, *slot) || *slot >= mark));
            let judged = judged(&mut marks, &slots);
            prop_assert!(!judged.contains(&Stale));
            prop_assert!(judged[1..].iter().all(|slot| *slot == Latest), "{judged:?}");
        }

        /// As long as all slots are of one clock, an update is stale exactly if a later one came before.
        #[test]
        fn of_one_clock_exactly_what_is_older_is_stale(slots in proptest::collection::vec(0u64..MAX_JUMP, 1..50)) {
            let judged = judged(&mut Marks::default(), &slots);
            for (at, slot) in slots.iter().enumerate() {
                let older = slots[..at].iter().any(|before| before > slot);
                prop_assert_eq!(judged[at], if older { Stale } else { Latest });
            }
        }
    }
}
