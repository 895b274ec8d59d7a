//! The clocks of publishers, as a room must have judged them: the slot of each update beside those of its key before it.

use crate::law::{Held, check};
use crate::update::Item;
use edge_broadcast_protocol::contract::receipt::Receipt;
use edge_broadcast_protocol::room::mark::{MAX_JUMP, Slot};
use std::collections::{BTreeMap, BTreeSet};

/// What a root has said of slots since it last crashed: then it may have forgotten some.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    judged: BTreeMap<String, Vec<Judged>>,
    /// Keys of updates in a batch whose receipt does not say which of them it means.
    unclear: BTreeSet<String>,
    has_crashed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Judged {
    /// The number of the update, or where it has none the last one that was given out before.
    seq: u64,
    slot: u64,
    verdict: Slot,
}

impl Slots {
    /// The receipt for `items`.
    pub(crate) fn note(&mut self, receipt: &Receipt, items: &[Item]) {
        let is_clear = receipt.stale_items == 0 && !receipt.implausible_slot;
        let first = receipt.first_seq.unwrap_or(receipt.seq);
        for (seq, item) in (first..).zip(items) {
            let Some(slot) = item.slot else {
                continue;
            };
            let (seq, verdict) = match (receipt.stale, receipt.implausible_slot) {
                (true, _) => (receipt.seq, Slot::Stale),
                (_, true) => (seq, Slot::Implausible),
                (_, false) => (seq, Slot::Latest),
            };
            if items.len() > 1 && !is_clear && !receipt.stale {
                self.unclear.insert(item.key.clone());
            }
            let judged = self.judged.entry(item.key.clone()).or_default();
            judged.push(Judged { seq, slot, verdict });
        }
    }

    pub(crate) fn crash(&mut self) {
        *self = Self {
            has_crashed: true,
            ..Self::default()
        };
    }

    /// All receipts are known: each slot was judged by those before it.
    pub(crate) fn are_right(&mut self) -> Held {
        for (key, judged) in &mut self.judged {
            if !self.unclear.contains(key) {
                // Receipts come when a delivery has ended, which is not the order of the numbers.
                judged.sort_by_key(|judged| (judged.seq, judged.verdict == Slot::Stale));
                follow(key, judged, self.has_crashed)?;
            }
        }
        Ok(())
    }
}

/// The clock of one key, from the beginning, or from the first that is certain.
fn follow(key: &str, judged: &[Judged], has_crashed: bool) -> Held {
    let is_same = |one: u64, other: u64| one.abs_diff(other) <= MAX_JUMP;
    let (mut mark, mut candidate) = (None, None);
    for it in judged {
        let expected = match mark {
            None => Slot::Latest,
            Some(mark) if is_same(mark, it.slot) && it.slot < mark => Slot::Stale,
            Some(mark) if is_same(mark, it.slot) => Slot::Latest,
            Some(_) => match candidate {
                Some(candidate) if is_same(candidate, it.slot) && it.slot >= candidate => {
                    Slot::Latest
                }
                _ => Slot::Implausible,
            },
        };
        let is_certain = !has_crashed || mark.is_some();
        check(5, it.verdict == expected || !is_certain, || {
            format!("of key `{key}` {it:?} is {expected:?}: {judged:?}")
        })?;
        match it.verdict {
            Slot::Latest => (mark, candidate) = (Some(it.slot), None),
            Slot::Implausible => candidate = Some(it.slot),
            Slot::Stale => {}
        }
    }
    Ok(())
}
