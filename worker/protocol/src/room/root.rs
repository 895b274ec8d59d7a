//! A room's root: it decides about each publish, and what of it is stored.

use super::bucket::Bucket;
use super::mark::{Marks, Slot};
use super::recent::{self, Fingerprint, Known, Recent};
use super::stream::Stream;
use super::update::Update;
use super::window::{Kept, Offer, Window};
use crate::contract::call::Publish;
use crate::contract::counters::Counters;
use crate::contract::head::{self, Head, Item};
use crate::contract::receipt::Receipt;
use crate::contract::refusal::{self, Refusal};
use crate::contract::settings::RoomSettings;
use serde::{Deserialize, Serialize};

/// Everything that a root decides with. A shard has one too, for its stream and counters.
#[derive(Clone, Debug, Default)]
pub struct Root {
    pub stream: Stream,
    pub window: Window,
    pub counters: Counters,
    /// When the stored record was written, in unix milliseconds.
    pub saved_ms: u64,
    /// One more than that of the life that has written the record which this one came back to.
    pub life: u64,
    /// Whether [`Self::confirm_record`] has still to decide about the record that this room came back from.
    pub unconfirmed: bool,
    recent: Recent,
    bucket: Bucket,
    marks: Marks,
    /// The members that make an update's key.
    conflate_key: Vec<String>,
}

/// The fate of a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is sent: it is a repeat, or stale.
    Answer(Receipt),
    /// It has the numbers of this receipt, from `first_seq` (where it is a batch) to `seq`, and is sent now or waits. What the
    /// receipt lacks is what its delivery will tell: `sockets`, `shards`, `failed_shards` and `took_ms`.
    Numbered { receipt: Receipt, offer: Offer },
}

/// The currency of a stored record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    Exact,
    /// More was published after it was written.
    Behind,
}

/// A room as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    standing: Standing,
    stream: Stream,
    /// The one mark of a room of the version before.
    #[serde(default, skip_serializing)]
    slot: Option<u64>,
    #[serde(default)]
    marks: Option<Marks>,
    #[serde(default)]
    ids: Recent,
    counters: Counters,
    #[serde(default)]
    saved_ms: u64,
    /// The life of the object that has written it.
    #[serde(default)]
    life: u64,
}

/// The largest record that is stored. SQLite-backed objects take values of 2 MB (docs: Durable Objects, Limits), the
/// key included.
pub const MAX_RECORD_BYTES: usize = 2_000_000;

impl Root {
    /// A room in which nothing has happened. `epoch` is a random text that no earlier epoch of the room had.
    pub fn new(settings: &RoomSettings, epoch: &str) -> Self {
        Self {
            stream: Stream::new(epoch),
            window: Window::new(settings.batch_window_ms, settings.conflate),
            bucket: Bucket::new(settings.publish_rate),
            conflate_key: settings.conflate_key.clone(),
            ..Self::default()
        }
    }

    /// The room of a stored record, or a new one when there is none that can be read.
    pub fn restored(settings: &RoomSettings, record: Option<&str>, epoch: &str) -> Self {
        let mut room = Self::new(settings, epoch);
        let Some(record) = record.and_then(|text| serde_json::from_str::<Record>(text).ok()) else {
            return room;
        };
        room.stream = record.stream;
        room.marks = record.marks.unwrap_or_else(|| Marks::of_all(record.slot));
        room.recent = record.ids.restored();
        room.counters = record.counters;
        room.saved_ms = record.saved_ms;
        room.life = record.life + 1;
        match record.standing {
            Standing::Exact => room.unconfirmed = true,
            Standing::Behind => {
                room.stream.restart(epoch);
                room.recent.crashed(record.saved_ms);
            }
        }
        room
    }

    /// The record to store at `now_ms`. Where the newest update is too large for it, the record does without it and the
    /// history: then a restart forgets them, but neither the numbering nor the newest updates of other keys.
    pub fn record(&mut self, standing: Standing, now_ms: u64) -> String {
        self.saved_ms = now_ms;
        let mut record = Record {
            standing,
            stream: self.stream.stored(),
            slot: None,
            marks: Some(self.marks.clone()),
            ids: self.recent.stored(),
            counters: self.counters.clone(),
            saved_ms: now_ms,
            // One that is not confirmed vouches for no more than the one that it came from
            life: self.life - u64::from(self.unconfirmed),
        };
        let write = |record: &Record| serde_json::to_string(record).unwrap_or_default();
        let text = write(&record);
        // The runtime stores a text that is not all Latin-1 with two bytes for each UTF-16 unit.
        let bytes = if text.is_ascii() {
            text.len()
        } else {
            2 * text.encode_utf16().count()
        };
        if bytes <= MAX_RECORD_BYTES {
            return text;
        }
        record.stream = self.stream.without_latest();
        write(&record)
    }

    /// Decides whether the record that this room came back from is to be trusted, before the first number since then is
    /// given out. Frames leave before writes, so an object may die in between. Its sockets die with it: one that is left,
    /// and was opened in the life that has written the record or in an earlier one, says that it did not. `oldest` is the
    /// life of the oldest socket. Clocks cannot say it, since they step. Whether it is; if not, numbers are skipped.
    pub fn confirm_record(&mut self, oldest: Option<u64>) -> bool {
        let trusted = oldest.is_some_and(|life| life < self.life);
        let skips = std::mem::take(&mut self.unconfirmed) && !trusted;
        if skips {
            self.stream.skip_unsure();
        }
        !skips
    }

    /// Decides about the publish of `body` at `now_ms`: one update, or a `BATCH_UPDATE` of several.
    ///
    /// In this order: what the body is, whether it is a repeat, whether it may be one that was forgotten, the room's rate, and
    /// of each update whether it is stale.
    ///
    /// # Errors
    /// 400 for a body that is no update of this room, 401 for a signature that is older than what the room remembers, 422
    /// for an id that came with another body, 429 when the room gets more than its rate. Then nothing is remembered.
    pub fn publish(&mut self, call: &Publish, body: &str, now_ms: u64) -> Result<Outcome, Refusal> {
        let head = head::read_keyed(body, &self.conflate_key)?;
        head::check_token(&head, &call.token)?;
        let fingerprint = call.id.as_ref().map_or(0, |_| recent::fingerprint(body));
        if let Some(first) = self.repeated(call, fingerprint, now_ms)? {
            return Ok(Outcome::Answer(first));
        }
        if let Err(seconds) = self.bucket.take(head.updates.len().max(1) as u32, now_ms) {
            self.counters.limited += 1;
            return Err(refusal::PUBLISH_RATE.retry_after(seconds));
        }
        let mut receipt = Receipt {
            epoch: self.stream.epoch.clone(),
            ..Receipt::default()
        };
        let (updates, kept) = self.number(call, head, body, &mut receipt);
        if receipt.stale {
            self.remember_first(call, fingerprint, &receipt, now_ms);
            return Ok(Outcome::Answer(receipt));
        }
        self.counters.publishes += updates.len() as u64;
        self.counters.slots.count(call.slot, now_ms);
        let (offer, dropped) = self.window.offer(updates, kept, now_ms);
        self.counters.conflated += u64::from(dropped);
        receipt.dropped = dropped;
        receipt.batched = matches!(offer, Offer::Wait { .. });
        // Until the real receipt is known: a repeat that arrives while this one is being delivered is a repeat too.
        self.remember_first(call, fingerprint, &receipt, now_ms);
        Ok(Outcome::Numbered { receipt, offer })
    }

    /// The receipt for a repeat, if this is one.
    fn repeated(
        &mut self,
        call: &Publish,
        body: Fingerprint,
        now_ms: u64,
    ) -> Result<Option<Receipt>, Refusal> {
        let Some(id) = &call.id else {
            return Ok(None);
        };
        match self.recent.find(id, body, now_ms) {
            Known::Repeat(first) => {
                self.counters.duplicates += 1;
                Ok(Some(first.repeated()))
            }
            Known::Reused => Err(refusal::ID_REUSED),
            Known::Nothing => match call.signed_ms {
                Some(signed_ms) if self.recent.may_have_forgotten(signed_ms, now_ms) => {
                    Err(refusal::FORGOTTEN_SIGNATURE)
                }
                _ => Ok(None),
            },
        }
    }

    /// Numbers what of a publish is not stale. The receipt gets what is known then: where nothing is left, it is stale.
    fn number(
        &mut self,
        call: &Publish,
        head: Head,
        body: &str,
        receipt: &mut Receipt,
    ) -> (Vec<Update>, Kept) {
        let force = call.force || head.force == Some(true);
        let (slot, is_batch) = (head.slot, !head.updates.is_empty());
        let items = match is_batch {
            true => head.updates,
            false => vec![Item { head, body }],
        };
        let mut updates = Vec::with_capacity(items.len());
        for Item { head, body } in items {
            // What a batch says counts for each of its updates that does not say it itself
            let force = head.force.unwrap_or(force) || call.force;
            match head
                .slot
                .or(slot)
                .map(|slot| self.judge(&head.key, slot, force))
            {
                Some(Slot::Stale) => {
                    self.counters.stale += 1;
                    receipt.stale_items += 1;
                    continue;
                }
                Some(Slot::Implausible) => {
                    self.counters.implausible_slots += 1;
                    receipt.implausible_slot = true;
                }
                Some(Slot::Latest) | None => {}
            }
            updates.push(self.stream.number(head.key, body));
        }
        receipt.seq = self.stream.assigned;
        receipt.stale = updates.is_empty();
        if !is_batch {
            receipt.stale_items = 0;
            return (updates, Kept::Latest);
        }
        receipt.first_seq = updates.first().map(|update| update.seq);
        (updates, Kept::Always)
    }

    fn judge(&mut self, key: &str, slot: u64, force: bool) -> Slot {
        if force {
            self.marks.force(key, slot);
            return Slot::Latest;
        }
        self.marks.judge(key, slot)
    }

    fn remember_first(
        &mut self,
        call: &Publish,
        body: Fingerprint,
        receipt: &Receipt,
        now_ms: u64,
    ) {
        if let Some(id) = &call.id {
            self.recent
                .remember(id, body, receipt, call.signed_ms, now_ms);
        }
    }

    /// Corrects the receipt that repeats of a publish get: its delivery is known now.
    pub fn remember(&mut self, call: &Publish, receipt: &Receipt) {
        if let Some(id) = &call.id {
            self.recent.correct(id, receipt);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::settings::{self, Conflate};
    use crate::contract::slot;

    fn settings() -> RoomSettings {
        RoomSettings {
            max_connections: 10,
            max_shards: 4,
            batch_window_ms: 0,
            conflate: Conflate::Latest,
            conflate_key: settings::conflate_key(),
            history: 8,
            idle_timeout_ms: 90_000,
            publish_rate: 0,
        }
    }

    fn publish_as(
        room: &mut Root,
        id: Option<&str>,
        force: bool,
        body: &str,
        now_ms: u64,
    ) -> Result<Outcome, u16> {
        published(room, &publisher(id, force), body, now_ms).map_err(|refusal| refusal.status)
    }

    fn publisher(id: Option<&str>, force: bool) -> Publish {
        Publish {
            token: "SOL".to_owned(),
            slot: slot::Slot::Primary,
            id: id.map(str::to_owned),
            force,
            signed_ms: None,
        }
    }

    fn published(
        room: &mut Root,
        call: &Publish,
        body: &str,
        now_ms: u64,
    ) -> Result<Outcome, Refusal> {
        let outcome = room.publish(call, body, now_ms)?;
        if let Outcome::Numbered {
            offer: Offer::Send(updates),
            ..
        } = &outcome
        {
            room.stream.record(updates, 8);
        }
        Ok(outcome)
    }

    fn publish(room: &mut Root, body: &str) -> Outcome {
        publish_as(room, None, false, body, 1_000).unwrap()
    }

    fn is_sent(outcome: &Outcome) -> bool {
        matches!(
            outcome,
            Outcome::Numbered {
                offer: Offer::Send(_),
                ..
            }
        )
    }

    #[test]
    fn a_repeat_is_answered_with_the_first_receipt_and_not_sent() {
        let mut room = Root::new(&settings(), "e1");
        assert!(is_sent(
            &publish_as(&mut room, Some("m1"), false, "{}", 1_000).unwrap()
        ));
        let repeat = publish_as(&mut room, Some("m1"), false, "{}", 2_000).unwrap();
        let expected = Receipt {
            seq: 1,
            epoch: "e1".to_owned(),
            duplicate: true,
            ..Receipt::default()
        };
        assert_eq!(repeat, Outcome::Answer(expected));
        assert!(is_sent(
            &publish_as(&mut room, Some("m2"), false, "{}", 2_000).unwrap()
        ));
    }

    #[test]
    fn an_update_from_before_the_rooms_slot_is_stale_unless_forced() {
        let mut room = Root::new(&settings(), "e1");
        assert!(is_sent(&publish(&mut room, r#"{"slot":10}"#)));
        assert!(is_sent(&publish(&mut room, r#"{"slot":10}"#)));
        assert!(is_sent(&publish(&mut room, "{}")));
        let stale = publish(&mut room, r#"{"slot":9}"#);
        assert!(
            matches!(
                stale,
                Outcome::Answer(Receipt {
                    stale: true,
                    seq: 3,
                    ..
                })
            ),
            "{stale:?}"
        );
        assert!(is_sent(&publish(&mut room, r#"{"slot":9,"force":true}"#)));
        assert!(is_sent(
            &publish_as(&mut room, None, true, r#"{"slot":8}"#, 1_000).unwrap()
        ));
        assert!(is_sent(&publish(&mut room, r#"{"slot":8}"#)));
    }

    /// The receipt, and the numbers that were sent.
    fn told(outcome: Outcome) -> (Receipt, Vec<u64>) {
        match outcome {
            Outcome::Answer(receipt) => (receipt, Vec::new()),
            Outcome::Numbered { receipt, offer } => {
                let Offer::Send(updates) = offer else {
                    return (receipt, Vec::new());
                };
                let seqs = updates.iter().map(|update| update.seq);
                (receipt, seqs.collect())
            }
        }
    }

    fn numbered(seq: u64) -> Receipt {
        Receipt {
            seq,
            epoch: "e1".to_owned(),
            ..Receipt::default()
        }
    }

    #[test]
    fn the_updates_of_a_batch_are_numbered_in_order_and_one_receipt_tells_of_all() {
        let mut room = Root::new(&settings(), "e1");
        publish(&mut room, "{}");
        let body =
            r#"{"type":"BATCH_UPDATE","updates":[{"type":"A","n":1},{"type":"A","n":2}],"at":7}"#;
        let outcome = publish(&mut room, body);
        let Outcome::Numbered {
            receipt,
            offer: Offer::Send(updates),
        } = &outcome
        else {
            panic!("{outcome:?}")
        };
        let expected = Receipt {
            first_seq: Some(2),
            ..numbered(3)
        };
        assert_eq!(receipt, &expected);
        assert_eq!(
            super::super::update::frames(updates),
            [
                r#"{"type":"BATCH_UPDATE","updates":[{"type":"A","n":1,"seq":2,"epoch":"e1"},{"type":"A","n":2,"seq":3,"epoch":"e1"}]}"#
            ]
        );
        assert_eq!(room.counters.publishes, 3);
        let one = r#"{"type":"BATCH_UPDATE","updates":[{}]}"#;
        let expected = Receipt {
            first_seq: Some(4),
            ..numbered(4)
        };
        assert_eq!(told(publish(&mut room, one)), (expected, vec![4]));
    }

    #[test]
    fn a_receipt_has_the_members_of_a_batch_only_where_it_is_of_one() {
        let json = |receipt: &Receipt| serde_json::to_string(receipt).unwrap();
        assert_eq!(
            json(&numbered(1)),
            r#"{"seq":1,"epoch":"e1","sockets":0,"shards":0,"dropped":0,"duplicate":false,"stale":false,"batched":false,"failed_shards":0,"took_ms":0}"#
        );
        let all = Receipt {
            first_seq: Some(1),
            stale_items: 2,
            implausible_slot: true,
            ..numbered(3)
        };
        assert_eq!(
            json(&all),
            r#"{"seq":3,"first_seq":1,"epoch":"e1","sockets":0,"shards":0,"dropped":0,"duplicate":false,"stale":false,"stale_items":2,"implausible_slot":true,"batched":false,"failed_shards":0,"took_ms":0}"#
        );
        for receipt in [numbered(1), all] {
            assert_eq!(
                serde_json::from_str::<Receipt>(&json(&receipt)).unwrap(),
                receipt
            );
        }
    }

    #[test]
    fn what_is_stale_of_a_batch_is_left_out() {
        let mut room = Root::new(&settings(), "e1");
        publish(&mut room, r#"{"type":"A","slot":10}"#);
        let some = r#"{"type":"BATCH_UPDATE","slot":9,"updates":[{"type":"A"},{"type":"B"},{"type":"A","slot":11},{"type":"A"},{"type":"A","force":true}]}"#;
        let expected = Receipt {
            first_seq: Some(2),
            stale_items: 2,
            ..numbered(4)
        };
        assert_eq!(told(publish(&mut room, some)), (expected, vec![2, 3, 4]));
        let all =
            r#"{"type":"BATCH_UPDATE","updates":[{"type":"A","slot":8},{"type":"B","slot":8}]}"#;
        let expected = Receipt {
            stale: true,
            stale_items: 2,
            ..numbered(4)
        };
        assert_eq!(told(publish(&mut room, all)), (expected, vec![]));
        assert_eq!((room.counters.publishes, room.counters.stale), (4, 4));
        let forced = r#"{"type":"BATCH_UPDATE","force":true,"updates":[{"type":"A","slot":1},{"type":"A","slot":8},{"type":"B"}]}"#;
        let expected = Receipt {
            first_seq: Some(5),
            ..numbered(7)
        };
        assert_eq!(told(publish(&mut room, forced)), (expected, vec![5, 6, 7]));
    }

    #[test]
    fn every_update_of_a_batch_counts_for_the_rate_and_a_large_one_passes_a_full_bucket() {
        let mut room = Root::new(
            &RoomSettings {
                publish_rate: 2,
                ..settings()
            },
            "e1",
        );
        let batch = |count: usize| {
            let items = vec!["{}"; count].join(",");
            format!(r#"{{"type":"BATCH_UPDATE","updates":[{items}]}}"#)
        };
        let mut at = |count: usize, now_ms: u64| {
            let call = publisher(None, false);
            let published = published(&mut room, &call, &batch(count), now_ms);
            published.map_err(|refusal| refusal.retry_after).map(|_| ())
        };
        assert_eq!(at(5, 1_000), Ok(()));
        assert_eq!(at(1, 2_999), Err(Some(1)));
        assert_eq!(at(2, 2_999), Err(Some(1)));
        assert_eq!(at(1, 3_000), Ok(()));
    }

    #[test]
    fn a_batch_in_a_window_is_conflated_neither_by_itself_nor_by_others() {
        let mut room = Root::new(
            &RoomSettings {
                batch_window_ms: 10,
                ..settings()
            },
            "e1",
        );
        publish(&mut room, r#"{"type":"A"}"#);
        publish(&mut room, r#"{"type":"A"}"#);
        let batch = r#"{"type":"BATCH_UPDATE","updates":[{"type":"A"},{"type":"A"}]}"#;
        let (receipt, _) = told(publish(&mut room, batch));
        let expected = Receipt {
            first_seq: Some(3),
            batched: true,
            ..numbered(4)
        };
        assert_eq!(receipt, expected);
        let (receipt, _) = told(publish(&mut room, r#"{"type":"A"}"#));
        let expected = Receipt {
            dropped: 1,
            batched: true,
            ..numbered(5)
        };
        assert_eq!(receipt, expected);
        let seqs = room
            .window
            .close(1_010)
            .into_iter()
            .map(|update| update.seq);
        assert_eq!(seqs.collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(room.counters.conflated, 1);
    }

    #[test]
    fn the_named_members_decide_which_update_replaces_which() {
        let mut room = Root::new(
            &RoomSettings {
                batch_window_ms: 10,
                conflate_key: vec!["type".to_owned(), "pool".to_owned()],
                ..settings()
            },
            "e1",
        );
        for body in [
            r#"{"type":"PRICE","pool":"a"}"#,
            r#"{"type":"PRICE","pool":"a"}"#,
            r#"{"type":"PRICE","pool":"b"}"#,
            r#"{"type":"PRICE","pool":"c"}"#,
            r#"{"pool":"a","type":"PRICE"}"#,
            r#"{"type":"PRICE"}"#,
            "{}",
            r#"{"n":1}"#,
        ] {
            publish(&mut room, body);
        }
        let seqs = room
            .window
            .close(1_010)
            .into_iter()
            .map(|update| update.seq);
        assert_eq!(seqs.collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn each_key_has_its_own_clock_and_a_jump_is_told() {
        let mut room = Root::new(&settings(), "e1");
        let mut slot = |kind: &str, slot: u64| {
            let body = format!(r#"{{"type":"{kind}","slot":{slot}}}"#);
            let (receipt, _) = told(publish(&mut room, &body));
            (receipt.stale, receipt.implausible_slot)
        };
        assert_eq!(slot("PRICE", 300_000_001), (false, false));
        assert_eq!(slot("TRADE", 300_000_000), (false, false));
        assert_eq!(slot("PRICE", 300_000_000), (true, false));
        // Milliseconds, by mistake, and then what it always was
        assert_eq!(slot("PRICE", 1_796_000_000_000), (false, true));
        assert_eq!(slot("PRICE", 300_000_002), (false, false));
        assert_eq!(slot("PRICE", 300_000_001), (true, false));
        assert_eq!(
            (room.counters.stale, room.counters.implausible_slots),
            (2, 1)
        );
        let record = room.record(Standing::Exact, 1_000);
        let mut back = Root::restored(&settings(), Some(&record), "e2");
        let stale = publish(&mut back, r#"{"type":"PRICE","slot":300000001}"#);
        assert!(told(stale).0.stale);
    }

    #[test]
    fn a_record_with_one_slot_for_all_types_is_read() {
        let mut room = Root::new(&settings(), "e1");
        publish(&mut room, "{}");
        let record = room.record(Standing::Exact, 1_000);
        let mut record: serde_json::Value = serde_json::from_str(&record).unwrap();
        record.as_object_mut().unwrap().remove("marks");
        record["slot"] = 10.into();
        let mut back = Root::restored(&settings(), Some(&record.to_string()), "e2");
        assert!(told(publish(&mut back, r#"{"type":"A","slot":9}"#)).0.stale);
        assert!(
            !told(publish(&mut back, r#"{"type":"A","slot":10}"#))
                .0
                .stale
        );
        assert!(told(publish(&mut back, r#"{"type":"B","slot":9}"#)).0.stale);
    }

    #[test]
    fn an_id_with_another_body_is_422_and_changes_nothing() {
        let mut room = Root::new(&settings(), "e1");
        publish_as(&mut room, Some("m1"), false, r#"{"n":1}"#, 1_000).unwrap();
        let reused = publish_as(&mut room, Some("m1"), false, r#"{"n":2}"#, 1_000);
        assert_eq!(reused, Err(422));
        let again = publish_as(&mut room, Some("m1"), false, r#"{"n":1}"#, 1_000).unwrap();
        let expected = Receipt {
            duplicate: true,
            ..numbered(1)
        };
        assert_eq!(again, Outcome::Answer(expected));
        assert_eq!((room.counters.publishes, room.counters.duplicates), (1, 1));
    }

    #[test]
    fn a_batchs_repeat_has_the_same_receipt() {
        let mut room = Root::new(&settings(), "e1");
        publish(&mut room, r#"{"slot":10}"#);
        let body =
            r#"{"type":"BATCH_UPDATE","updates":[{"slot":1},{"type":"A"},{"slot":99000000}]}"#;
        let (first, _) = told(publish_as(&mut room, Some("m1"), false, body, 1_000).unwrap());
        let expected = Receipt {
            first_seq: Some(2),
            stale_items: 1,
            implausible_slot: true,
            ..numbered(3)
        };
        assert_eq!(first, expected);
        let delivered = Receipt {
            sockets: 3,
            shards: 1,
            took_ms: 12,
            ..expected
        };
        room.remember(&publisher(Some("m1"), false), &delivered);
        let again = publish_as(&mut room, Some("m1"), false, body, 1_000).unwrap();
        assert_eq!(again, Outcome::Answer(delivered.repeated()));
    }

    #[test]
    fn a_signed_publish_from_before_the_memory_is_refused_as_stale() {
        let mut room = Root::new(&settings(), "e1");
        let signed = |id: &str, signed_ms: u64| Publish {
            signed_ms: Some(signed_ms),
            ..publisher(Some(id), false)
        };
        let first = signed("m0", 100_000);
        published(&mut room, &first, "{}", 100_400).unwrap();
        for id in 1..=recent::MAX_STORED {
            publish_as(&mut room, Some(&format!("m{id}")), false, "{}", 101_000).unwrap();
        }
        let record = room.record(Standing::Exact, 101_000);
        let mut back = Root::restored(&settings(), Some(&record), "e2");
        for (room, refused) in [
            (&mut room, None),
            (&mut back, Some(refusal::FORGOTTEN_SIGNATURE)),
        ] {
            let again = published(room, &first, "{}", 102_000);
            assert_eq!(again.as_ref().err(), refused.as_ref());
            assert!(again.is_err() || told(again.unwrap()).0.duplicate);
            assert!(published(room, &signed("new", 101_000), "{}", 102_000).is_ok());
            let unsigned = publish_as(room, Some("bearer"), false, "{}", 102_000);
            assert!(unsigned.is_ok());
        }
        // Ids that came after the last record are lost with a crash
        let record = room.record(Standing::Behind, 200_000);
        let mut back = Root::restored(&settings(), Some(&record), "e2");
        let replayed = published(&mut back, &signed("lost", 203_000), "{}", 260_000);
        assert_eq!(replayed, Err(refusal::FORGOTTEN_SIGNATURE));
        assert!(published(&mut back, &signed("new", 205_000), "{}", 260_000).is_ok());
    }

    #[test]
    fn a_signer_whose_clock_is_ahead_costs_nobody_else_an_id() {
        let mut room = Root::new(&settings(), "e1");
        publish_as(&mut room, Some("m1"), false, "{}", 1_000).unwrap();
        let ahead = Publish {
            signed_ms: Some(601_000),
            ..publisher(Some("ahead"), false)
        };
        published(&mut room, &ahead, "{}", 301_000).unwrap();
        for (now_ms, is_repeat) in [(301_000, true), (600_999, true), (601_000, false)] {
            let again = publish_as(&mut room, Some("m1"), false, "{}", now_ms).unwrap();
            assert_eq!(matches!(again, Outcome::Answer(_)), is_repeat, "{now_ms}");
        }
    }

    #[test]
    fn what_is_no_update_is_refused_by_the_room_too() {
        let mut room = Root::new(&settings(), "e1");
        for (body, code) in [
            ("[]", "invalid_json"),
            (r#"{"seq":1}"#, "reserved_key"),
            (r#"{"type":"ping"}"#, "reserved_type"),
            (r#"{"token":"BONK"}"#, "token_mismatch"),
            (
                r#"{"type":"BATCH_UPDATE","updates":[{"token":"BONK"}]}"#,
                "token_mismatch",
            ),
        ] {
            let refused = published(&mut room, &publisher(Some("m1"), false), body, 1_000);
            assert_eq!(refused.unwrap_err().code, code, "{body}");
        }
        assert!(is_sent(
            &publish_as(&mut room, Some("m1"), false, "{}", 1_000).unwrap()
        ));
    }

    #[test]
    fn above_its_rate_a_room_refuses_and_remembers_nothing() {
        let mut room = Root::new(
            &RoomSettings {
                publish_rate: 1,
                ..settings()
            },
            "e1",
        );
        assert!(is_sent(&publish(&mut room, "{}")));
        assert_eq!(
            publish_as(&mut room, Some("m1"), false, "{}", 1_000),
            Err(429)
        );
        assert!(is_sent(
            &publish_as(&mut room, Some("m1"), false, "{}", 2_000).unwrap()
        ));
    }

    #[test]
    fn a_restored_room_goes_on_where_it_stopped() {
        let mut room = Root::new(&settings(), "e1");
        publish_as(&mut room, Some("m1"), false, r#"{"slot":10}"#, 1_000).unwrap();
        let record = room.record(Standing::Exact, 1_000);
        let mut back = Root::restored(&settings(), Some(&record), "e2");
        assert_eq!(back.stream, room.stream);
        assert!(matches!(
            publish_as(&mut back, Some("m1"), false, r#"{"slot":10}"#, 2_000).unwrap(),
            Outcome::Answer(Receipt {
                duplicate: true,
                ..
            })
        ));
        assert!(matches!(
            publish(&mut back, r#"{"slot":9}"#),
            Outcome::Answer(Receipt { stale: true, .. })
        ));
        assert_eq!(back.counters.publishes, 1);
    }

    #[test]
    fn a_record_that_is_behind_starts_a_new_epoch_with_the_old_value() {
        let mut room = Root::new(&settings(), "e1");
        publish(&mut room, r#"{"price":1}"#);
        let back = Root::restored(
            &settings(),
            Some(&room.record(Standing::Behind, 1_000)),
            "e2",
        );
        assert_eq!(back.stream.epoch, "e2");
        assert_eq!(back.stream.latest, room.stream.latest);
    }

    #[test]
    fn a_crash_between_a_frame_and_its_write_gives_no_number_twice() {
        let mut room = Root::new(&settings(), "e1");
        publish(&mut room, "{}");
        let record = room.record(Standing::Exact, 1_000);
        let numbers = |record: &str, oldest: Option<u64>| {
            let mut room = Root::restored(&settings(), Some(record), "e2");
            room.confirm_record(oldest);
            let next = room.record(Standing::Exact, 3_000);
            let numbers: Vec<(u64, String)> = (0..3)
                .map(|_| match publish(&mut room, "{}") {
                    Outcome::Numbered { receipt, .. } => (receipt.seq, receipt.epoch),
                    outcome @ Outcome::Answer(_) => panic!("{outcome:?}"),
                })
                .collect();
            (numbers, next)
        };
        let (hibernated, _) = numbers(&record, Some(0));
        assert_eq!(
            hibernated[0],
            (2, "e1".to_owned()),
            "hibernation loses nothing"
        );
        let (crashed, written) = numbers(&record, None);
        assert_eq!(crashed[0], (10_002, "e1".to_owned()));
        // Whoever came after the crash says nothing about what was before it
        assert_eq!(numbers(&record, Some(1)).0, crashed);
        // And what is written before the next number does not forget it
        let (later, _) = numbers(&written, Some(1));
        assert_eq!(later, crashed);
    }

    #[test]
    fn a_record_stays_below_what_storage_takes_and_keeps_the_numbering() {
        let ascii = "x".repeat(1 << 20);
        let wide = format!("{ascii}€");
        let (accents, escapes) = ("é".repeat(1 << 19), r#"\\\""#.repeat(1 << 18));
        for (text, kept) in [
            (ascii, true),
            (wide, false),
            (accents, true),
            (escapes, false),
        ] {
            let mut room = Root::new(&settings(), "e1");
            let filler = text.chars().next_back();
            let body = format!(r#"{{"a":"{text}"}}"#);
            publish_as(&mut room, Some("m1"), false, &body, 1_000).unwrap();
            let record = room.record(Standing::Exact, 1_000);
            let units = if record.is_ascii() { 1 } else { 2 };
            assert!(
                record.encode_utf16().count() * units <= MAX_RECORD_BYTES,
                "{filler:?}"
            );
            let mut back = Root::restored(&settings(), Some(&record), "e2");
            assert_eq!((back.stream.sent, back.stream.epoch.as_str()), (1, "e1"));
            assert_eq!(back.stream.latest.is_some(), kept, "{filler:?}");
            assert!(
                !back.stream.welcome(Some(0), Some("e1")).recovered,
                "{filler:?}"
            );
            let repeat = publish_as(&mut back, Some("m1"), false, &body, 2_000).unwrap();
            assert!(matches!(
                repeat,
                Outcome::Answer(Receipt {
                    duplicate: true,
                    ..
                })
            ));
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_is_a_new_room() {
        for record in [None, Some(""), Some("{}"), Some("null")] {
            assert_eq!(
                Root::restored(&settings(), record, "e2").stream,
                Stream::new("e2")
            );
        }
    }
}
