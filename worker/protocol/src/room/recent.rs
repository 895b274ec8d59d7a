//! Publishes of the last ten minutes by their ids: a repeat is answered with the first receipt and reaches nobody.
//!
//! The promise: an id is known for ten minutes, or until 65,536 later ones came (a room reaches that at 109
//! publishes with ids a second; at the default limit of 1,000 a second the window is 65 seconds, still above the retries
//! of any sender we know). Of these the newest 2,048 are stored with the room's record and survive a restart. A hot room
//! writes its record twice a second at most, so a crash forgets ids of up to the last second. What a clock signed that is
//! ahead is as late as its signature says: it can come again for longer, and must not make what others sign stale.
//!
//! A signed publish can be sent again by whoever has seen it, for as long as its timestamp is tolerated. So the memory
//! knows since when it is complete, and one that was signed before is not accepted.

use crate::contract::receipt::Receipt;
use crate::contract::save::LOST_MS;
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
    /// In the order of their times, so that what leaves is what can come again for the shortest time.
    kept: VecDeque<Kept>,
    /// The latest time of an id that was forgotten, in unix milliseconds: what was signed later is known, if it came.
    #[serde(default)]
    forgotten_ms: u64,
    /// When a crash may have lost ids, at the latest.
    #[serde(default)]
    crashed_ms: u64,
    /// Where in `kept` an id may be, counted from the first one ever kept; by the last bits of its hash.
    #[serde(skip)]
    places: Vec<Vec<usize>>,
    /// How many have gone from the front.
    #[serde(skip)]
    gone: usize,
}

/// One receipt, small. The words: the hash of the id; when it came, or for when it was signed if that is later, in unix
/// milliseconds; `seq`; `sockets` and the body's
/// fingerprint; `shards`, the numbers of a batch (8 bits), its stale ones (8) and `failed_shards` (16); `dropped` and, in the
/// last 20 bits, `implausible_slot`, whether there is a fingerprint, which of the epochs (16), `batched` and `stale`. A record
/// of before has `took_ms` where the fingerprint is, and nothing in the new bits.
type Kept = [u64; 6];

/// A body, short: two of them are taken for one with a probability of 1 in 4 billion.
pub(crate) type Fingerprint = u32;

/// What is known of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    Nothing,
    /// It came before, with the same body and this receipt.
    Repeat(Receipt),
    /// It came before with another body.
    Reused,
}

const ID: usize = 0;
const AT_MS: usize = 1;
const BODY: usize = 3;
const FLAGS: usize = 5;
const HAS_BODY: u64 = 1 << 18;
const IMPLAUSIBLE: u64 = 1 << 19;
const LOW: u64 = 0xFFFF_FFFF;
const BUCKETS: usize = 4096;

impl Recent {
    /// What became of an earlier publish with this id, whose body was `body`.
    pub(crate) fn find(&self, id: &str, body: Fingerprint, now_ms: u64) -> Known {
        let Some(place) = self.place(hash(id)) else {
            return Known::Nothing;
        };
        let [_, at_ms, seq, sockets, shards, rest] = self.kept[place];
        if now_ms >= at_ms + MEMORY_MS {
            return Known::Nothing;
        }
        if rest & HAS_BODY != 0 && sockets & LOW != u64::from(body) {
            return Known::Reused;
        }
        let batch = (shards >> 24) & 0xFF;
        Known::Repeat(Receipt {
            seq,
            first_seq: (batch > 0).then(|| seq + 1 - batch),
            epoch: self.epochs[(rest >> 2) as usize & 0xFFFF].clone(),
            sockets: (sockets >> 32) as u32,
            shards: (shards >> 32) as u32,
            dropped: (rest >> 32) as u32,
            duplicate: false,
            stale: rest & 1 == 1,
            stale_items: (shards >> 16) as u32 & 0xFF,
            implausible_slot: rest & IMPLAUSIBLE != 0,
            batched: rest & 2 == 2,
            failed_shards: shards as u32 & 0xFFFF,
            took_ms: 0,
        })
    }

    /// Whether a publish that was signed at `signed_ms`, a whole second, and whose id is not known, may be one that was
    /// forgotten. What was signed in the second of a crash is believed to be new.
    pub(crate) fn may_have_forgotten(&self, signed_ms: u64, now_ms: u64) -> bool {
        signed_ms <= self.forgotten_ms || signed_ms + 999 < self.crashed_ms.min(now_ms)
    }

    /// Ids may have been lost that came after the record of `saved_ms` was written, until the next one was due.
    pub(crate) fn crashed(&mut self, saved_ms: u64) {
        self.crashed_ms = saved_ms + LOST_MS;
    }

    /// Remembers the receipt of the publish of `body`, which came at `now_ms`. One that has been signed for a later time is
    /// known for longer, since it may also be sent again for longer.
    pub(crate) fn remember(
        &mut self,
        id: &str,
        body: Fingerprint,
        receipt: &Receipt,
        signed_ms: Option<u64>,
        now_ms: u64,
    ) {
        self.sweep(now_ms, MAX_IDS - 1);
        let at_ms = signed_ms.map_or(now_ms, |signed_ms| signed_ms.max(now_ms));
        let place = self.insert([hash(id), at_ms, 0, u64::from(body), 0, HAS_BODY]);
        self.write(place, receipt);
    }

    /// Adds one that is not known, after all that are not later: at the end, but where a signer's clock is ahead.
    fn insert(&mut self, kept: Kept) -> usize {
        let place = self
            .kept
            .partition_point(|other| other[AT_MS] <= kept[AT_MS]);
        self.places.resize(BUCKETS, Vec::new());
        for later in (place..self.kept.len()).rev() {
            let bucket = &mut self.places[self.kept[later][ID] as usize % BUCKETS];
            let mut moved = bucket.iter_mut().rev();
            if let Some(moved) = moved.find(|place| **place == self.gone + later) {
                *moved += 1;
            }
        }
        self.places[kept[ID] as usize % BUCKETS].push(self.gone + place);
        self.kept.insert(place, kept);
        place
    }

    /// Replaces the receipt of an id that is known.
    pub(crate) fn correct(&mut self, id: &str, receipt: &Receipt) {
        if let Some(place) = self.place(hash(id)) {
            self.write(place, receipt);
        }
    }

    fn write(&mut self, place: usize, receipt: &Receipt) {
        let Receipt {
            seq,
            first_seq,
            stale_items,
            ..
        } = *receipt;
        let epoch = self.epoch(&receipt.epoch);
        let batch = first_seq.map_or(0, |first_seq| seq + 1 - first_seq);
        let high = |word: u32| u64::from(word) << 32;
        let kept = &mut self.kept[place];
        let flags = (u64::from(receipt.implausible_slot) * IMPLAUSIBLE)
            | (kept[FLAGS] & HAS_BODY)
            | (u64::from(epoch) << 2)
            | (u64::from(receipt.batched) << 1)
            | u64::from(receipt.stale);
        let counts = (batch.min(0xFF) << 24)
            | (u64::from(stale_items.min(0xFF)) << 16)
            | u64::from(receipt.failed_shards.min(0xFFFF));
        kept[2] = seq;
        kept[BODY] = high(receipt.sockets) | (kept[BODY] & LOW);
        kept[4] = high(receipt.shards) | counts;
        kept[FLAGS] = high(receipt.dropped) | flags;
    }

    /// The newest ids, for storage.
    #[must_use]
    pub(crate) fn stored(&self) -> Self {
        let skipped = self.kept.len().saturating_sub(MAX_STORED);
        let forgotten = self.kept.range(..skipped).next_back();
        Self {
            epochs: self.epochs.clone(),
            kept: self.kept.range(skipped..).copied().collect(),
            forgotten_ms: forgotten
                .map_or(self.forgotten_ms, |kept| kept[AT_MS].max(self.forgotten_ms)),
            crashed_ms: self.crashed_ms,
            ..Self::default()
        }
    }

    /// Makes usable again what was stored and has been read.
    #[must_use]
    pub(crate) fn restored(mut self) -> Self {
        for kept in std::mem::take(&mut self.kept) {
            if (kept[FLAGS] >> 2) as usize & 0xFFFF < self.epochs.len() {
                self.insert(kept);
            }
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
            // Of one that is too old no signature is tolerated any more, but for a clock that stepped
            self.forgotten_ms = self.forgotten_ms.max(oldest[AT_MS]);
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

/// The fingerprint of a body.
pub(crate) fn fingerprint(body: &str) -> Fingerprint {
    let digest = Sha256::digest(body);
    u32::from_be_bytes(std::array::from_fn(|at| digest[at]))
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

    fn found(recent: &Recent, id: &str, now_ms: u64) -> Option<u64> {
        match recent.find(id, 7, now_ms) {
            Known::Nothing => None,
            Known::Repeat(receipt) => Some(receipt.seq),
            Known::Reused => panic!("`{id}` has another body"),
        }
    }

    fn stored(recent: &Recent) -> Recent {
        let text = serde_json::to_string(&recent.stored()).unwrap();
        serde_json::from_str::<Recent>(&text).unwrap().restored()
    }

    #[test]
    fn an_id_is_known_for_ten_minutes() {
        let mut recent = Recent::default();
        recent.remember("a", 7, &receipt(1), None, 1_000);
        assert_eq!(found(&recent, "a", 1_000 + MEMORY_MS - 1), Some(1));
        assert_eq!(found(&recent, "a", 1_000 + MEMORY_MS), None);
        assert_eq!(found(&recent, "b", 1_000), None);
        recent.remember("b", 7, &receipt(2), None, 1_000 + MEMORY_MS);
        assert_eq!(recent.kept.len(), 1, "what is too old is let go");
        assert_eq!(found(&recent, "b", 1_000 + MEMORY_MS), Some(2));
    }

    #[test]
    fn a_signer_whose_clock_is_ahead_makes_nobody_elses_id_forgotten() {
        let mut recent = Recent::default();
        recent.remember("bearer", 7, &receipt(1), None, 1_000);
        recent.remember("ahead", 7, &receipt(2), Some(601_000), 301_000);
        assert_eq!(found(&recent, "bearer", 1_000 + MEMORY_MS - 1), Some(1));
        // Its own is known for as long as its signature may come again
        assert_eq!(found(&recent, "ahead", 601_000 + MEMORY_MS - 1), Some(2));
        recent.remember("last", 7, &receipt(3), None, 1_000 + MEMORY_MS);
        assert_eq!(recent.kept.len(), 2, "the one that is ahead stays");
    }

    #[test]
    fn a_signer_whose_clock_is_ahead_makes_nobody_elses_signature_stale() {
        for (most, restarts) in [(MAX_IDS, false), (MAX_STORED, true)] {
            let mut recent = Recent::default();
            recent.remember("ahead", 7, &receipt(0), Some(301_000), 1_000);
            for seq in 1..=most as u64 {
                recent.remember(&seq.to_string(), 7, &receipt(seq), None, 1_000 + seq);
            }
            if restarts {
                recent = stored(&recent);
            }
            assert_eq!(recent.kept.len(), most);
            assert_eq!(found(&recent, "ahead", 80_000), Some(0));
            for (id, seq) in [("1", None), ("2", Some(2))] {
                assert_eq!(found(&recent, id, 80_000), seq, "the oldest has left");
            }
            assert!(!recent.may_have_forgotten(2_000, 80_000));
            assert!(recent.may_have_forgotten(1_001, 80_000));
        }
    }

    #[test]
    fn ids_are_found_and_leave_in_the_order_of_their_times_however_they_came() {
        let mut recent = Recent::default();
        for (seq, at_ms) in [(1, 5_000), (2, 9_000), (3, 4_000), (4, 9_000), (5, 7_000)] {
            recent.remember(&seq.to_string(), 7, &receipt(seq), Some(at_ms), 1_000);
        }
        // The version before kept and stored them as they came
        let mut before = recent.stored();
        before.kept.make_contiguous().sort_by_key(|kept| kept[2]);
        for mut recent in [stored(&recent), before.restored(), recent] {
            for seq in 1..=5 {
                assert_eq!(found(&recent, &seq.to_string(), 2_000), Some(seq));
            }
            for seq in [3, 1, 5, 2, 4] {
                recent.sweep(2_000, recent.kept.len() - 1);
                assert_eq!(found(&recent, &seq.to_string(), 2_000), None, "{seq}");
            }
            assert_eq!(recent.forgotten_ms, 9_000);
        }
    }

    #[test]
    fn the_oldest_ids_go_first_and_the_newest_survive_storage() {
        let mut recent = Recent::default();
        let count = MAX_IDS as u64 + 10;
        for seq in 0..count {
            recent.remember(&seq.to_string(), 7, &receipt(seq), None, 1_000);
        }
        assert_eq!(recent.kept.len(), MAX_IDS);
        assert_eq!(recent.places.iter().map(Vec::len).sum::<usize>(), MAX_IDS);
        assert_eq!(found(&recent, "9", 1_000), None);
        for seq in [10, count - 1] {
            assert_eq!(found(&recent, &seq.to_string(), 1_000), Some(seq));
        }
        let text = serde_json::to_string(&recent.stored()).unwrap();
        assert!(text.len() < MAX_STORED * 80, "{}", text.len());
        let mut restored = serde_json::from_str::<Recent>(&text).unwrap().restored();
        let (first, last) = (count - MAX_STORED as u64, count - 1);
        assert_eq!(found(&restored, &(first - 1).to_string(), 1_000), None);
        for seq in [first, last] {
            assert_eq!(found(&restored, &seq.to_string(), 1_000), Some(seq));
        }
        restored.remember("new", 7, &receipt(7), None, 1_000);
        assert_eq!(found(&restored, "new", 1_000), Some(7));
    }

    #[test]
    fn a_receipt_takes_48_bytes() {
        assert_eq!(size_of::<Kept>(), 48);
    }

    #[test]
    fn a_later_receipt_of_the_same_publish_replaces_the_first() {
        let mut recent = Recent::default();
        recent.remember("a", 7, &receipt(1), None, 1_000);
        recent.correct("a", &receipt(2));
        recent.correct("never came", &receipt(3));
        assert_eq!(found(&recent, "a", 2_000), Some(2));
        assert_eq!(recent.find("a", 8, 2_000), Known::Reused);
        assert_eq!(found(&recent, "a", 1_000 + MEMORY_MS), None);
        assert_eq!(recent.kept.len(), 1);
    }

    #[test]
    fn the_same_id_with_another_body_is_no_repeat() {
        let mut recent = Recent::default();
        recent.remember("a", fingerprint("{}"), &receipt(1), None, 1_000);
        for recent in [stored(&recent), recent] {
            assert_eq!(
                recent.find("a", fingerprint("{}"), 1_000),
                Known::Repeat(receipt(1))
            );
            assert_eq!(recent.find("a", fingerprint("{} "), 1_000), Known::Reused);
            assert_eq!(
                recent.find("a", fingerprint("{} "), 1_000 + MEMORY_MS),
                Known::Nothing
            );
        }
    }

    #[test]
    fn an_id_of_the_version_before_is_known_without_its_body() {
        // `seq` 5, 3 sockets, took 12 ms, 1 shard, 2 dropped, the second epoch, stale
        let id = hash("a");
        let words = [id, 1_000, 5, (3 << 32) + 12, 1 << 32, (2 << 32) + 0b101];
        let text = format!(r#"{{"epochs":["e0","e1"],"kept":[{words:?}]}}"#);
        let recent = serde_json::from_str::<Recent>(&text).unwrap().restored();
        let expected = Receipt {
            sockets: 3,
            shards: 1,
            dropped: 2,
            stale: true,
            ..receipt(5)
        };
        for body in [0, 12, 99] {
            assert_eq!(
                recent.find("a", body, 1_000),
                Known::Repeat(expected.clone())
            );
        }
        assert!(!recent.may_have_forgotten(1, 1_000));
    }

    #[test]
    fn what_was_signed_before_the_memory_begins_may_have_been_there() {
        let mut recent = Recent::default();
        for seq in 0..=MAX_STORED as u64 {
            recent.remember(&seq.to_string(), 7, &receipt(seq), None, 10_000 + seq);
        }
        assert!(
            !recent.may_have_forgotten(1_000, 20_000),
            "nothing was forgotten"
        );
        let mut restored = stored(&recent);
        assert!(restored.may_have_forgotten(10_000, 20_000));
        assert!(!restored.may_have_forgotten(11_000, 20_000));
        // And that stays so
        restored = stored(&restored);
        assert!(restored.may_have_forgotten(10_000, 20_000));
        restored.crashed(20_000);
        let restored = stored(&restored);
        assert!(restored.may_have_forgotten(24_000, 30_000));
        assert!(!restored.may_have_forgotten(25_000, 30_000));
        // A room that is back at once does not refuse what is signed now
        assert!(restored.may_have_forgotten(20_000, 21_500));
        assert!(!restored.may_have_forgotten(21_000, 21_500));
    }

    proptest! {
        #[test]
        fn a_receipt_comes_back_as_it_was(
            seq in 1000u64.., numbers in any::<[u32; 3]>(), failed_shards in any::<u16>(), flags in any::<[bool; 3]>(), epoch in "e[1-3]",
            batch in proptest::option::of(1u64..101), stale_items in 0u32..101, body in any::<u32>(),
        ) {
            let [sockets, shards, dropped] = numbers;
            let [stale, batched, implausible_slot] = flags;
            let receipt = Receipt {
                seq, first_seq: batch.map(|batch| seq + 1 - batch), epoch, sockets, shards, dropped, duplicate: false, stale,
                stale_items, implausible_slot, batched, failed_shards: failed_shards.into(), took_ms: 0,
            };
            let mut recent = Recent::default();
            recent.remember("other", 7, &Receipt { epoch: "e2".to_owned(), ..Receipt::default() }, None, 1_000);
            recent.remember("a", body, &Receipt::default(), None, 1_000);
            recent.correct("a", &receipt);
            prop_assert_eq!(recent.find("a", body, 1_000), Known::Repeat(receipt.clone()));
            prop_assert_eq!(recent.find("a", !body, 1_000), Known::Reused);
            prop_assert_eq!(stored(&recent).find("a", body, 1_000), Known::Repeat(receipt));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Whatever is forgotten and whenever the room restarts, what was signed is accepted once: also by clocks that step. And
        /// whoever signs by a wrong clock costs others nothing: the last id before is known for its time, and what is signed now
        /// is accepted.
        #[test]
        fn nothing_signed_is_accepted_twice(
            steps in proptest::collection::vec((0u64..900_000, -400i64..400, 0u32..4000, any::<bool>()), 1..8), again in 0u64..900_000,
        ) {
            let (mut recent, mut now_ms, mut seq) = (Recent::default(), 10_000_000, 0);
            let (mut signed, mut last) = (Vec::new(), None::<(String, u64)>);
            for (pause_ms, skew, others, restarts) in steps {
                now_ms += pause_ms;
                prop_assert!(pause_ms < 1000 || !recent.may_have_forgotten(now_ms / 1000 * 1000, now_ms));
                let signed_ms = (now_ms / 1000).saturating_add_signed(skew) * 1000;
                let id = format!("signed {seq}");
                if now_ms.abs_diff(signed_ms) <= 300_999 && !recent.may_have_forgotten(signed_ms, now_ms) {
                    recent.remember(&id, 7, &receipt(seq), Some(signed_ms), now_ms);
                    signed.push((id, signed_ms));
                }
                if let Some((id, at_ms)) = last.take() {
                    prop_assert_eq!(found(&recent, &id, now_ms).is_some(), now_ms < at_ms + MEMORY_MS, "{} {}", id, at_ms);
                }
                for _ in 0..others {
                    seq += 1;
                    recent.remember(&seq.to_string(), 7, &receipt(seq), None, now_ms);
                    last = Some((seq.to_string(), now_ms));
                }
                seq += 1;
                if restarts {
                    recent = stored(&recent);
                }
            }
            now_ms += again;
            for (id, signed_ms) in signed {
                let is_known = found(&recent, &id, now_ms).is_some();
                let is_tolerated = (now_ms / 1000).abs_diff(signed_ms / 1000) <= 300;
                prop_assert!(is_known || !is_tolerated || recent.may_have_forgotten(signed_ms, now_ms), "{id} {signed_ms} {now_ms}");
            }
        }
    }
}
