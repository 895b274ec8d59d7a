//! Publishes of the last ten minutes by their ids: a repeat is answered with the first receipt and reaches nobody.
//!
//! The promise: an id is known for ten minutes, or until 65,536 later ones came (a room reaches that at 109
//! publishes with ids a second; at the default limit of 1,000 a second the window is 65 seconds, still above the retries
//! of any sender we know). Of these the newest 2,048 are stored with the room's record and survive a restart. A hot room
//! writes its record twice a second at most, so a crash forgets ids of up to the last second.

use crate::contract::receipt::Receipt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;

/// The time that an id is remembered.
pub const MEMORY_MS: u64 = 10 * 60 * 1000;
/// Most ids in memory; beyond, the oldest go first. With 48 bytes for each, and 4 to 8 to find it, less than 4 MiB.
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
    /// Where in `kept` an id may be, counted from the first one ever kept; by the last bits of its hash.
    #[serde(skip)]
    places: Vec<Vec<usize>>,
    /// How many have gone from the front.
    #[serde(skip)]
    gone: usize,
}

/// One receipt, small: the hash of the id, when it came in unix milliseconds, `seq`, `sockets` and `took_ms`, `shards` and
/// `failed_shards`, `dropped` and, in the last 18 bits, which of the epochs, `stale` and `batched`.
type Kept = [u64; 6];

const ID: usize = 0;
const AT_MS: usize = 1;
const BUCKETS: usize = 4096;

impl Recent {
    /// The receipt of an earlier publish with this id.
    pub(crate) fn find(&self, id: &str, now_ms: u64) -> Option<Receipt> {
        let [_, at_ms, seq, sockets, shards, rest] = self.kept[self.place(hash(id))?];
        // Ids leave in the order they came, so only one that has not been swept yet can be too old.
        (now_ms < at_ms + MEMORY_MS).then(|| Receipt {
            seq,
            epoch: self.epochs[(rest >> 2) as usize & 0xFFFF].clone(),
            sockets: (sockets >> 32) as u32,
            shards: (shards >> 32) as u32,
            dropped: (rest >> 32) as u32,
            duplicate: false,
            stale: rest & 1 == 1,
            batched: rest & 2 == 2,
            failed_shards: shards as u32,
            took_ms: sockets & 0xFFFF_FFFF,
        })
    }

    /// Remembers a receipt, or replaces the one of an id that is known.
    pub(crate) fn remember(&mut self, id: &str, receipt: &Receipt, now_ms: u64) {
        self.sweep(now_ms, MAX_IDS - 1);
        let id = hash(id);
        let pair = |high: u32, low: u32| (u64::from(high) << 32) | u64::from(low);
        let known = self.place(id);
        let kept = [
            id,
            known.map_or(now_ms, |place| self.kept[place][AT_MS]),
            receipt.seq,
            pair(
                receipt.sockets,
                u32::try_from(receipt.took_ms).unwrap_or(u32::MAX),
            ),
            pair(receipt.shards, receipt.failed_shards),
            pair(
                receipt.dropped,
                (self.epoch(&receipt.epoch) << 2)
                    | (u32::from(receipt.batched) << 1)
                    | u32::from(receipt.stale),
            ),
        ];
        if let Some(place) = known {
            self.kept[place] = kept;
        } else {
            self.places.resize(BUCKETS, Vec::new());
            self.places[id as usize % BUCKETS].push(self.gone + self.kept.len());
            self.kept.push_back(kept);
        }
    }

    /// The newest ids, for storage.
    #[must_use]
    pub(crate) fn stored(&self) -> Self {
        let skipped = self.kept.len().saturating_sub(MAX_STORED);
        Self {
            epochs: self.epochs.clone(),
            kept: self.kept.range(skipped..).copied().collect(),
            ..Self::default()
        }
    }

    /// Makes usable again what was stored and has been read.
    #[must_use]
    pub(crate) fn restored(mut self) -> Self {
        self.places.resize(BUCKETS, Vec::new());
        let known = 0..self.epochs.len();
        self.kept
            .retain(|kept| known.contains(&((kept[5] >> 2) as usize & 0xFFFF)));
        for (place, kept) in self.kept.iter().enumerate() {
            self.places[kept[ID] as usize % BUCKETS].push(place);
        }
        self
    }

    fn place(&self, id: u64) -> Option<usize> {
        let bucket = self.places.get(id as usize % BUCKETS)?;
        let places = bucket.iter().map(|place| place - self.gone);
        places.into_iter().find(|place| self.kept[*place][ID] == id)
    }

    fn sweep(&mut self, now_ms: u64, most: usize) {
        while let Some(oldest) = self.kept.front() {
            if now_ms < oldest[AT_MS] + MEMORY_MS && self.kept.len() <= most {
                return;
            }
            let gone = self.gone;
            self.places[oldest[ID] as usize % BUCKETS].retain(|place| *place != gone);
            self.kept.pop_front();
            self.gone += 1;
        }
        self.epochs.clear();
    }

    fn epoch(&mut self, epoch: &str) -> u32 {
        let known = self.epochs.iter().position(|known| known == epoch);
        let place = known.unwrap_or_else(|| {
            self.epochs.push(epoch.to_owned());
            self.epochs.len() - 1
        });
        place.min(0xFFFF) as u32
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
        assert_eq!(recent.places.iter().map(Vec::len).sum::<usize>(), MAX_IDS);
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
