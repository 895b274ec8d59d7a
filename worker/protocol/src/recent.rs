//! Publishes of the last ten minutes by their ids: a repeat is answered with the first receipt and reaches nobody.

use crate::receipt::Receipt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// How long an id is remembered.
pub const MEMORY_MS: u64 = 10 * 60 * 1000;
/// Most ids in memory; beyond, the oldest go first.
const MAX_IDS: usize = 8192;
/// Most ids in storage.
const MAX_STORED: usize = 512;

/// Receipts by id.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    receipts: BTreeMap<String, Receipt>,
    order: VecDeque<(u64, String)>,
}

/// One id as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stored(String, u64, Receipt);

impl Recent {
    /// The receipt of an earlier publish with this id.
    pub fn find(&self, id: &str, now_ms: u64) -> Option<&Receipt> {
        let receipt = self.receipts.get(id)?;
        // Ids leave in the order they came, so only one that has not been swept yet can be too old.
        let (at_ms, _) = self.order.iter().find(|(_, known)| known == id)?;
        (now_ms < at_ms + MEMORY_MS).then_some(receipt)
    }

    /// Remembers a receipt, or replaces the one of an id that is known.
    pub fn remember(&mut self, id: &str, receipt: Receipt, now_ms: u64) {
        while self
            .order
            .front()
            .is_some_and(|(at_ms, _)| now_ms >= at_ms + MEMORY_MS)
            || self.order.len() >= MAX_IDS
        {
            if let Some((_, oldest)) = self.order.pop_front() {
                self.receipts.remove(&oldest);
            }
        }
        if self.receipts.insert(id.to_owned(), receipt).is_none() {
            self.order.push_back((now_ms, id.to_owned()));
        }
    }

    /// The newest ids, for storage.
    pub fn stored(&self) -> Vec<Stored> {
        let skipped = self.order.len().saturating_sub(MAX_STORED);
        self.order
            .iter()
            .skip(skipped)
            .filter_map(|(at_ms, id)| {
                Some(Stored(id.clone(), *at_ms, self.receipts.get(id)?.clone()))
            })
            .collect()
    }

    /// What was stored.
    pub fn restored(stored: Vec<Stored>) -> Self {
        let mut recent = Self::default();
        for Stored(id, at_ms, receipt) in stored {
            recent.remember(&id, receipt, at_ms);
        }
        recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(seq: u64) -> Receipt {
        Receipt {
            seq,
            ..Receipt::default()
        }
    }

    #[test]
    fn an_id_is_known_for_ten_minutes() {
        let mut recent = Recent::default();
        recent.remember("a", receipt(1), 1_000);
        assert_eq!(recent.find("a", 1_000 + MEMORY_MS - 1), Some(&receipt(1)));
        assert_eq!(recent.find("a", 1_000 + MEMORY_MS), None);
        assert_eq!(recent.find("b", 1_000), None);
    }

    #[test]
    fn the_oldest_ids_go_first_and_the_newest_survive_storage() {
        let mut recent = Recent::default();
        for seq in 0..10_000 {
            recent.remember(&seq.to_string(), receipt(seq), 1_000);
        }
        assert_eq!(recent.find("0", 1_000), None);
        assert_eq!(recent.find("9999", 1_000), Some(&receipt(9_999)));
        let restored = Recent::restored(recent.stored());
        assert_eq!(restored.find("9999", 1_000), Some(&receipt(9_999)));
        assert_eq!(restored.order.len(), MAX_STORED);
    }

    #[test]
    fn a_later_receipt_of_the_same_publish_replaces_the_first() {
        let mut recent = Recent::default();
        recent.remember("a", receipt(1), 1_000);
        recent.remember("a", receipt(2), 2_000);
        assert_eq!(recent.find("a", 2_000), Some(&receipt(2)));
        assert_eq!(recent.find("a", 1_000 + MEMORY_MS), None);
    }
}
