//! Publishes of the last ten minutes by their ids: a repeat is answered with the first receipt and reaches nobody.
//!
//! What is promised: an id is known for ten minutes, or until 65,536 later ones came (a room reaches that at 109
//! publishes with ids a second; at the default limit of 1,000 a second the window is 65 seconds, still above the retries
//! of any sender we know). Of these the newest 2,048 are stored with the room's record and survive a restart. A hot room
//! writes its record twice a second at most, so a crash forgets ids of up to the last second.

use crate::receipt::Receipt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};

/// How long an id is remembered.
pub const MEMORY_MS: u64 = 10 * 60 * 1000;
/// Most ids in memory; beyond, the oldest go first. With 48 bytes for the receipt and about 30 for the index, 5 MiB.
pub const MAX_IDS: usize = 65_536;
/// Most ids in storage: about 70 bytes each, which are written with every record.
pub const MAX_STORED: usize = 2048;

/// Receipts by id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Recent {
    /// Epochs that receipts name: one, and one more for each crash.
    epochs: Vec<String>,
    /// Oldest first.
    kept: VecDeque<Kept>,
    /// Where an id is, counted from the first one ever kept.
    #[serde(skip)]
    places: BTreeMap<u64, usize>,
    /// How many have gone from the front.
    #[serde(skip)]
    gone: usize,
}

/// One receipt, small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept(
    /// The id's hash.
    u64,
    /// When it came, in unix milliseconds.
    u64,
    /// `seq`, `took_ms`, `sockets`, `shards`, `failed_shards`, `dropped`
    u64,
    u32,
    u32,
    u32,
    u32,
    u32,
    /// Which of the epochs.
    u16,
    /// `stale`, `batched`
    bool,
    bool,
);

impl Recent {
    /// The receipt of an earlier publish with this id.
    pub fn find(&self, id: &str, now_ms: u64) -> Option<Receipt> {
        let place = self.places.get(&hash(id))? - self.gone;
        #[rustfmt::skip]
        let &Kept(_, at_ms, seq, took_ms, sockets, shards, failed_shards, dropped, epoch, stale, batched) =
            self.kept.get(place)?;
        // Ids leave in the order they came, so only one that has not been swept yet can be too old.
        (now_ms < at_ms + MEMORY_MS).then(|| Receipt {
            seq,
            epoch: self
                .epochs
                .get(usize::from(epoch))
                .cloned()
                .unwrap_or_default(),
            sockets,
            shards,
            dropped,
            duplicate: false,
            stale,
            batched,
            failed_shards,
            took_ms: u64::from(took_ms),
        })
    }

    /// Remembers a receipt, or replaces the one of an id that is known.
    pub fn remember(&mut self, id: &str, receipt: &Receipt, now_ms: u64) {
        self.sweep(now_ms, MAX_IDS - 1);
        let id = hash(id);
        let known = self.places.get(&id).map(|place| place - self.gone);
        let kept = Kept(
            id,
            known.map_or(now_ms, |place| self.kept[place].1),
            receipt.seq,
            u32::try_from(receipt.took_ms).unwrap_or(u32::MAX),
            receipt.sockets,
            receipt.shards,
            receipt.failed_shards,
            receipt.dropped,
            self.epoch(&receipt.epoch),
            receipt.stale,
            receipt.batched,
        );
        match known {
            Some(place) => self.kept[place] = kept,
            None => {
                self.places.insert(id, self.gone + self.kept.len());
                self.kept.push_back(kept);
            }
        }
    }

    /// The newest ids, for storage.
    #[must_use]
    pub fn stored(&self) -> Self {
        let skipped = self.kept.len().saturating_sub(MAX_STORED);
        Self {
            epochs: self.epochs.clone(),
            kept: self.kept.range(skipped..).copied().collect(),
            ..Self::default()
        }
    }

    /// What was stored, after it has been read.
    #[must_use]
    pub fn restored(mut self) -> Self {
        self.places = (0..)
            .zip(&self.kept)
            .map(|(place, kept)| (kept.0, place))
            .collect();
        self
    }

    fn sweep(&mut self, now_ms: u64, most: usize) {
        while let Some(oldest) = self.kept.front() {
            if now_ms < oldest.1 + MEMORY_MS && self.kept.len() <= most {
                return;
            }
            self.places.remove(&oldest.0);
            self.kept.pop_front();
            self.gone += 1;
        }
        self.epochs.clear();
    }

    fn epoch(&mut self, epoch: &str) -> u16 {
        let known = self.epochs.iter().position(|known| known == epoch);
        let place = known.unwrap_or_else(|| {
            self.epochs.push(epoch.to_owned());
            self.epochs.len() - 1
        });
        u16::try_from(place).unwrap_or(u16::MAX)
    }
}

/// Two of the ids of one room are taken for one with a probability of 1 in 8 billion, at most.
fn hash(id: &str) -> u64 {
    let digest = Sha256::digest(id);
    u64::from_be_bytes(std::array::from_fn(|at| digest[at]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn receipt(seq: u64) -> Receipt {
        Receipt {
            seq,
            epoch: "e1".to_owned(),
            ..Receipt::default()
        }
    }

    #[test]
    fn an_id_is_known_for_ten_minutes() {
        let mut recent = Recent::default();
        recent.remember("a", &receipt(1), 1_000);
        assert_eq!(recent.find("a", 1_000 + MEMORY_MS - 1), Some(receipt(1)));
        assert_eq!(recent.find("a", 1_000 + MEMORY_MS), None);
        assert_eq!(recent.find("b", 1_000), None);
        recent.remember("b", &receipt(2), 1_000 + MEMORY_MS);
        assert_eq!(recent.kept.len(), 1, "what is too old is let go");
        assert_eq!(recent.find("b", 1_000 + MEMORY_MS), Some(receipt(2)));
    }

    #[test]
    fn the_oldest_ids_go_first_and_the_newest_survive_storage() {
        let mut recent = Recent::default();
        let count = MAX_IDS as u64 + 10;
        for seq in 0..count {
            recent.remember(&seq.to_string(), &receipt(seq), 1_000);
        }
        assert_eq!(recent.kept.len(), MAX_IDS);
        assert_eq!(recent.places.len(), MAX_IDS);
        assert_eq!(recent.find("9", 1_000), None);
        for seq in [10, count - 1] {
            assert_eq!(recent.find(&seq.to_string(), 1_000), Some(receipt(seq)));
        }
        let text = serde_json::to_string(&recent.stored()).unwrap();
        assert!(text.len() < MAX_STORED * 80, "{}", text.len());
        let mut restored = serde_json::from_str::<Recent>(&text).unwrap().restored();
        let (first, last) = (count - MAX_STORED as u64, count - 1);
        assert_eq!(restored.find(&(first - 1).to_string(), 1_000), None);
        for seq in [first, last] {
            assert_eq!(restored.find(&seq.to_string(), 1_000), Some(receipt(seq)));
        }
        restored.remember("new", &receipt(7), 1_000);
        assert_eq!(restored.find("new", 1_000), Some(receipt(7)));
    }

    #[test]
    fn a_receipt_takes_48_bytes() {
        assert_eq!(size_of::<Kept>(), 48);
    }

    #[test]
    fn a_later_receipt_of_the_same_publish_replaces_the_first() {
        let mut recent = Recent::default();
        recent.remember("a", &receipt(1), 1_000);
        recent.remember("a", &receipt(2), 2_000);
        assert_eq!(recent.find("a", 2_000), Some(receipt(2)));
        assert_eq!(recent.find("a", 1_000 + MEMORY_MS), None);
    }

    proptest! {
        #[test]
        fn a_receipt_comes_back_as_it_was(
            seq in any::<u64>(), numbers in any::<[u32; 5]>(), stale in any::<bool>(), batched in any::<bool>(), epoch in "e[1-3]",
        ) {
            let [sockets, shards, failed_shards, dropped, took_ms] = numbers;
            let receipt = Receipt {
                seq, epoch, sockets, shards, dropped, duplicate: false, stale, batched, failed_shards, took_ms: took_ms.into(),
            };
            let mut recent = Recent::default();
            recent.remember("other", &Receipt { epoch: "e2".to_owned(), ..Receipt::default() }, 1_000);
            recent.remember("a", &receipt, 1_000);
            prop_assert_eq!(recent.find("a", 1_000), Some(receipt.clone()));
            let text = serde_json::to_string(&recent.stored()).unwrap();
            let restored = serde_json::from_str::<Recent>(&text).unwrap().restored();
            prop_assert_eq!(restored.find("a", 1_000), Some(receipt));
        }
    }
}
