//! Two tails of one script, while one takes the place of the other: an event that both give is told once, and one that either gives is
//! told. Pure.

use std::collections::HashMap;

/// From which of the two a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Old,
    New,
}

/// How often each message came from each side. Equal messages may be two events: without a request's id nothing tells them apart, so
/// the greater count is how many there were.
#[derive(Debug, Default)]
pub(super) struct Overlap(HashMap<String, [u32; 2]>);

impl Overlap {
    /// Whether a message is of an event that was not told yet.
    pub(super) fn is_new(&mut self, side: Side, message: &str) -> bool {
        let counts = self.0.entry(message.to_owned()).or_default();
        let (own, other) = match side {
            Side::Old => (0, 1),
            Side::New => (1, 0),
        };
        counts[own] += 1;
        counts[own] > counts[other]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Both tails give what happens in the overlap, in order, the old one what was before it and the new one what is after it.
        #[test]
        fn no_event_is_told_twice_and_none_is_lost(
            events in prop::collection::vec("[ab]", 0..12),
            from in 0_usize..12,
            to in 0_usize..12,
            turns in prop::collection::vec(any::<bool>(), 24),
        ) {
            let from = from.min(events.len());
            let to = to.clamp(from, events.len().max(from));
            let (mut old, mut new) = (events[..to].iter(), events[from..].iter());
            let (mut overlap, mut told) = (Overlap::default(), Vec::new());
            // What came before the new tail was there came first
            for _ in 0..from {
                told.extend(old.next());
            }
            for turn in turns {
                let (side, next) = match turn {
                    true => (Side::Old, old.next()),
                    false => (Side::New, new.next()),
                };
                told.extend(next.filter(|message| overlap.is_new(side, message)));
            }
            told.extend(old.filter(|message| overlap.is_new(Side::Old, message)));
            told.extend(new.filter(|message| overlap.is_new(Side::New, message)));
            let mut told: Vec<_> = told.into_iter().collect();
            let mut all: Vec<_> = events.iter().collect();
            told.sort();
            all.sort();
            prop_assert_eq!(told, all);
        }
    }
}
