//! A room's root: it decides about each publish, and what of it is stored.

use super::bucket::Bucket;
use super::recent::Recent;
use super::stream::Stream;
use super::window::{Offer, Window};
use crate::contract::call::Publish;
use crate::contract::counters::Counters;
use crate::contract::head::Head;
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
    /// Whether [`Self::confirm_record`] has still to decide about the record that this room came back from.
    pub unconfirmed: bool,
    recent: Recent,
    bucket: Bucket,
    /// The publisher's clock (Solana's slot), as of the latest update that had one.
    publisher_slot: Option<u64>,
}

/// The fate of a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is sent: it is a repeat, or stale.
    Answer(Receipt),
    /// It has this number, and is sent now or waits.
    Numbered(u64, Offer),
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
    slot: Option<u64>,
    #[serde(default)]
    ids: Recent,
    counters: Counters,
    #[serde(default)]
    saved_ms: u64,
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
        room.publisher_slot = record.slot;
        room.recent = record.ids.restored();
        room.counters = record.counters;
        room.saved_ms = record.saved_ms;
        match record.standing {
            Standing::Exact => room.unconfirmed = true,
            Standing::Behind => room.stream.restart(epoch),
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
            slot: self.publisher_slot,
            ids: self.recent.stored(),
            counters: self.counters.clone(),
            saved_ms: now_ms,
        };
        let write =
            |record: &Record| serde_json::to_string(record).expect("strings and numbers serialise");
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
    /// given out or the first record written. Frames leave before writes, so an object may die in between. Its sockets die
    /// with it: one that is left, and was there before the record was written, says that it did not. `oldest_ms` is when
    /// the oldest socket was opened, in unix milliseconds.
    pub fn confirm_record(&mut self, oldest_ms: Option<u64>) {
        let trusted = oldest_ms.is_some_and(|oldest_ms| oldest_ms <= self.saved_ms);
        if std::mem::take(&mut self.unconfirmed) && !trusted {
            self.stream.skip_unsure();
        }
    }

    /// Decides about the update `body` with the given head at `now_ms`.
    ///
    /// # Errors
    /// 429 when the room gets more than its rate.
    pub fn publish(
        &mut self,
        call: &Publish,
        head: Head,
        body: &str,
        now_ms: u64,
    ) -> Result<Outcome, Refusal> {
        if let Some(first) = call
            .id
            .as_deref()
            .and_then(|id| self.recent.find(id, now_ms))
        {
            let receipt = first.repeated();
            self.counters.duplicates += 1;
            return Ok(Outcome::Answer(receipt));
        }
        if let Err(seconds) = self.bucket.take(now_ms) {
            self.counters.limited += 1;
            return Err(refusal::PUBLISH_RATE.retry_after(seconds));
        }
        let force = call.force || head.force == Some(true);
        if !force
            && self
                .publisher_slot
                .zip(head.slot)
                .is_some_and(|(ours, theirs)| theirs < ours)
        {
            self.counters.stale += 1;
            let receipt = Receipt {
                stale: true,
                ..self.receipt(self.stream.assigned)
            };
            self.remember(call, &receipt, now_ms);
            return Ok(Outcome::Answer(receipt));
        }
        self.publisher_slot = head.slot.or(self.publisher_slot);
        self.counters.publishes += 1;
        self.counters.slots.count(call.slot, now_ms);
        let update = self.stream.number(head.kind, body);
        let seq = update.seq;
        // Until the real receipt is known: a repeat that arrives while this one is being delivered is a repeat too.
        let receipt = self.receipt(seq);
        self.remember(call, &receipt, now_ms);
        let offer = self.window.offer(update, now_ms);
        if let Offer::Wait { dropped, .. } = offer {
            self.counters.conflated += u64::from(dropped);
        }
        Ok(Outcome::Numbered(seq, offer))
    }

    /// Remembers the receipt of a publish that has an id.
    pub fn remember(&mut self, call: &Publish, receipt: &Receipt, now_ms: u64) {
        if let Some(id) = &call.id {
            self.recent.remember(id, receipt, now_ms);
        }
    }

    /// An empty receipt for number `seq`.
    pub fn receipt(&self, seq: u64) -> Receipt {
        Receipt {
            seq,
            epoch: self.stream.epoch.clone(),
            ..Receipt::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::head;
    use crate::contract::settings::Conflate;
    use crate::contract::slot::Slot;

    fn settings() -> RoomSettings {
        RoomSettings {
            max_connections: 10,
            max_shards: 4,
            batch_window_ms: 0,
            conflate: Conflate::Latest,
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
        let call = Publish {
            token: "SOL".to_owned(),
            slot: Slot::Primary,
            id: id.map(str::to_owned),
            force,
            signed_ms: None,
        };
        let outcome = room
            .publish(&call, head::read(body).unwrap(), body, now_ms)
            .map_err(|refusal| refusal.status)?;
        if let Outcome::Numbered(_, Offer::Send(updates)) = &outcome {
            room.stream.record(updates, 8);
        }
        Ok(outcome)
    }

    fn publish(room: &mut Root, body: &str) -> Outcome {
        publish_as(room, None, false, body, 1_000).unwrap()
    }

    fn is_sent(outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Numbered(_, Offer::Send(_)))
    }

    #[test]
    fn a_repeat_is_answered_with_the_first_receipt_and_not_sent() {
        let mut room = Root::new(&settings(), "e1");
        assert!(is_sent(
            &publish_as(&mut room, Some("m1"), false, "{}", 1_000).unwrap()
        ));
        let repeat = publish_as(&mut room, Some("m1"), false, r#"{"other":1}"#, 2_000).unwrap();
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
            publish_as(&mut back, Some("m1"), false, "{}", 2_000).unwrap(),
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
        let numbers = |record: &str, oldest_ms: Option<u64>| {
            let mut room = Root::restored(&settings(), Some(record), "e2");
            room.confirm_record(oldest_ms);
            let next = room.record(Standing::Exact, 3_000);
            let numbers: Vec<(u64, String)> = (0..3)
                .map(|_| match publish(&mut room, "{}") {
                    Outcome::Numbered(seq, Offer::Send(_)) => (seq, room.stream.epoch.clone()),
                    outcome => panic!("{outcome:?}"),
                })
                .collect();
            (numbers, next)
        };
        let (hibernated, _) = numbers(&record, Some(999));
        assert_eq!(
            hibernated[0],
            (2, "e1".to_owned()),
            "hibernation loses nothing"
        );
        let (crashed, written) = numbers(&record, None);
        assert_eq!(crashed[0], (10_002, "e1".to_owned()));
        // Whoever came after the crash says nothing about what was before it
        assert_eq!(numbers(&record, Some(2_000)).0, crashed);
        // And what is written before the next number does not forget it
        let (later, _) = numbers(&written, Some(2_000));
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
            publish_as(
                &mut room,
                Some("m1"),
                false,
                &format!(r#"{{"a":"{text}"}}"#),
                1_000,
            )
            .unwrap();
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
            let repeat = publish_as(&mut back, Some("m1"), false, "{}", 2_000).unwrap();
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
