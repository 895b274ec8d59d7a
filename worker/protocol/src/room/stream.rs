//! The numbered updates of one room: what subscribers have seen, and what one that comes back has missed.

use super::update::Update;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Most bytes of history in memory, however many updates the settings allow: objects share 128 MB with others.
pub const MAX_HISTORY_BYTES: usize = 4 << 20;
/// Most bytes of history that are stored: what is above is still kept in memory.
pub const MAX_STORED_BYTES: usize = 64 * 1024;
/// More numbers than can be given out before a write is durable: ten seconds' worth at the default publish rate, where
/// a write takes milliseconds.
pub const UNSURE_NUMBERS: u64 = 10_000;

/// The state that root and shards share, and that the root stores.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Names one unbroken numbering. A new one says: forget what you knew.
    pub epoch: String,
    /// The last number given to an update, sent or waiting for its window.
    pub assigned: u64,
    /// The last number that subscribers have been sent.
    pub sent: u64,
    /// Every update that was sent with a number above this one is in `history`.
    floor: u64,
    pub latest: Option<Update>,
    history: VecDeque<Update>,
}

/// Updates on their way from root to shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    pub epoch: String,
    /// The root's `sent` before these.
    pub previous: u64,
    pub updates: Vec<Update>,
}

impl Stream {
    /// A stream in which nothing has happened.
    pub(crate) fn new(epoch: &str) -> Self {
        Self {
            epoch: epoch.to_owned(),
            ..Self::default()
        }
    }

    /// Skips the numbers that may have been given out after the last record was written, since frames leave before
    /// writes: the next update gets one that none of them can have had. Within an epoch a number never means two updates.
    pub(crate) fn skip_unsure(&mut self) {
        self.assigned += UNSURE_NUMBERS;
    }

    /// The next update.
    pub(crate) fn number(&mut self, key: Option<String>, body: &str) -> Update {
        self.assigned += 1;
        Update::new(self.assigned, &self.epoch, key, body)
    }

    /// Remembers what has been sent, of which `limit` updates stay for clients that resume.
    pub fn record(&mut self, updates: &[Update], limit: u32) {
        for update in updates {
            self.sent = self.sent.max(update.seq);
            self.assigned = self.assigned.max(update.seq);
            self.latest = Some(update.clone());
            self.history.push_back(update.clone());
        }
        self.shorten(limit as usize, MAX_HISTORY_BYTES);
    }

    /// All that a client has missed whose last update was number `since` of `epoch`; `None` where that is not known.
    pub fn resume(&self, since: Option<u64>, epoch: Option<&str>) -> Option<Vec<Update>> {
        let since = since.filter(|since| (self.floor..=self.sent).contains(since))?;
        let missed = self.history.iter().filter(|update| update.seq > since);
        (epoch? == self.epoch).then(|| missed.cloned().collect())
    }

    /// A new numbering after numbers may have been lost: the latest value stays, the history does not.
    pub(crate) fn restart(&mut self, epoch: &str) {
        self.epoch = epoch.to_owned();
        self.sent = self.assigned;
        self.floor = self.assigned;
        self.history.clear();
    }

    /// Takes in what the root pushed, and returns the part that is news.
    pub fn receive(&mut self, push: Push, limit: u32) -> Vec<Update> {
        if push.epoch != self.epoch {
            *self = Self::new(&push.epoch);
        }
        if push.previous > self.sent {
            // A push was lost or went to this shard's previous life: whoever resumes across it gets the latest value.
            self.history.clear();
            self.floor = push.previous;
        }
        let mut news = push.updates;
        news.retain(|update| update.seq > self.sent);
        self.record(&news, limit);
        news
    }

    /// Takes in the root's stream when a shard joins. Pushes may have overtaken it.
    pub fn adopt(&mut self, root: Self) {
        if root.epoch != self.epoch || root.sent >= self.sent {
            *self = root;
        } else if root.sent >= self.floor {
            let floor = self.floor;
            let older = root
                .history
                .into_iter()
                .filter(|update| update.seq <= floor);
            self.history = older.chain(self.history.drain(..)).collect();
            self.floor = root.floor;
        }
    }

    /// The stream as it is stored: with as much history as is cheap to write.
    #[must_use]
    pub(crate) fn stored(&self) -> Self {
        let mut stored = self.clone();
        stored.shorten(usize::MAX, MAX_STORED_BYTES);
        stored
    }

    /// The stream without any update's text: where it stands.
    #[must_use]
    pub(crate) fn without_updates(&self) -> Self {
        Self {
            floor: self.sent,
            latest: None,
            history: VecDeque::new(),
            ..self.clone()
        }
    }

    /// The push for a shard that may have missed everything after number `since`: all of it, or at least the latest
    /// value.
    pub fn since(&self, since: u64) -> Push {
        let (previous, updates) = match (self.resume(Some(since), Some(&self.epoch)), &self.latest)
        {
            (None, Some(latest)) => (latest.seq - 1, vec![latest.clone()]),
            (missed, _) => (since, missed.unwrap_or_default()),
        };
        Push {
            epoch: self.epoch.clone(),
            previous,
            updates,
        }
    }

    /// The validator of `GET /snapshot/:token`.
    pub fn etag(&self) -> String {
        format!("\"{}-{}\"", self.epoch, self.sent)
    }

    /// Forgets the oldest updates beyond `most` and `most_bytes`.
    fn shorten(&mut self, most: usize, most_bytes: usize) {
        let mut bytes: usize = self.history.iter().map(|update| update.text.len()).sum();
        while self.history.len() > most || bytes > most_bytes {
            let Some(oldest) = self.history.pop_front() else {
                return;
            };
            bytes -= oldest.text.len();
            self.floor = oldest.seq;
        }
    }
}

/// Tells whether `If-None-Match` names `etag`; `W/` before an entry does not matter for a GET (RFC 9110, section 13.1.2).
pub fn none_match(header: Option<&str>, etag: &str) -> bool {
    header.is_some_and(|header| {
        header
            .split(',')
            .map(str::trim)
            .any(|entry| entry == "*" || entry.strip_prefix("W/").unwrap_or(entry) == etag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stream(count: u64, limit: u32) -> Stream {
        let mut stream = Stream::new("e1");
        for _ in 0..count {
            let update = stream.number(None, "{}");
            stream.record(&[update], limit);
        }
        stream
    }

    fn missed(stream: &Stream, since: u64) -> (bool, Vec<u64>) {
        let missed = stream.resume(Some(since), Some("e1"));
        let seqs = missed.iter().flatten().map(|update| update.seq).collect();
        (missed.is_some(), seqs)
    }

    #[test]
    fn a_client_that_comes_back_gets_exactly_what_it_missed() {
        let stream = stream(5, 3);
        assert_eq!(missed(&stream, 5), (true, vec![]));
        assert_eq!(missed(&stream, 3), (true, vec![4, 5]));
        assert_eq!(missed(&stream, 2), (true, vec![3, 4, 5]));
        assert_eq!(
            missed(&stream, 1),
            (false, vec![]),
            "the history does not reach so far"
        );
        assert_eq!(missed(&stream, 6), (false, vec![]), "that was never sent");
    }

    #[test]
    fn another_epoch_or_none_recovers_nothing() {
        let stream = stream(2, 8);
        for epoch in [None, Some("e0")] {
            assert_eq!(stream.resume(Some(2), epoch), None);
        }
        assert_eq!(stream.resume(None, Some("e1")), None);
    }

    #[test]
    fn conflated_numbers_are_no_gap() {
        let mut stream = Stream::new("e1");
        let dropped = stream.number(None, "{}");
        let kept = stream.number(None, "{}");
        stream.record(&[kept], 8);
        assert_eq!(dropped.seq, 1);
        assert_eq!(missed(&stream, 0), (true, vec![2]));
    }

    #[test]
    fn a_shard_that_joins_late_knows_what_the_root_knows() {
        let root = stream(5, 8);
        let mut shard = Stream::new("");
        shard.adopt(root.clone());
        assert_eq!(shard, root);
    }

    #[test]
    fn a_push_that_overtakes_the_join_loses_no_history() {
        let mut root = stream(5, 8);
        let before = root.clone();
        let update = root.number(None, "{}");
        let mut shard = Stream::new("");
        let push = Push {
            epoch: "e1".to_owned(),
            previous: 5,
            updates: vec![update.clone()],
        };
        assert_eq!(
            shard.receive(push.clone(), 8),
            std::slice::from_ref(&update)
        );
        assert_eq!(missed(&shard, 4), (false, vec![]));
        shard.adopt(before);
        assert_eq!(missed(&shard, 3), (true, vec![4, 5, 6]));
        assert_eq!(shard.receive(push, 8), [], "a repeat is no news");
    }

    #[test]
    fn a_lost_push_is_a_gap_that_a_resuming_client_is_told_of() {
        let mut root = stream(2, 8);
        let mut shard = root.clone();
        let lost = root.number(None, "{}");
        root.record(&[lost], 8);
        let update = root.number(None, "{}");
        let news = shard.receive(
            Push {
                epoch: "e1".to_owned(),
                previous: 3,
                updates: vec![update],
            },
            8,
        );
        assert_eq!(news.len(), 1);
        assert_eq!(missed(&shard, 2), (false, vec![]));
        assert_eq!(missed(&shard, 3), (true, vec![4]));
    }

    #[test]
    fn what_is_stored_has_a_limited_size_and_admits_it() {
        let mut stream = Stream::new("e1");
        let body = format!("{{\"x\":\"{}\"}}", "a".repeat(20_000));
        for _ in 0..5 {
            let update = stream.number(None, &body);
            stream.record(&[update], 64);
        }
        let stored = stream.stored();
        assert_eq!(missed(&stored, 2), (true, vec![3, 4, 5]));
        assert_eq!(missed(&stored, 1), (false, vec![]));
        assert_eq!(stored.latest, stream.latest);
    }

    #[test]
    fn after_a_crash_the_value_stays_and_the_numbering_is_new() {
        let mut stream = stream(3, 8);
        stream.restart("e2");
        assert_eq!(stream.latest.as_ref().unwrap().seq, 3);
        assert_eq!(stream.resume(Some(3), Some("e1")), None);
        assert_eq!(stream.number(None, "{}").text, r#"{"seq":4,"epoch":"e2"}"#);
    }

    #[test]
    fn a_number_that_may_have_been_given_out_is_not_given_out_again() {
        let before = stream(3, 8);
        let mut lost = before.clone();
        let mut back = before.clone();
        back.skip_unsure();
        let issued: Vec<u64> = (0..UNSURE_NUMBERS)
            .map(|_| lost.number(None, "{}").seq)
            .collect();
        let first = back.number(None, "{}").seq;
        assert!(!issued.contains(&first) && first > 3, "{first}");
        assert_eq!(back.number(None, "{}").seq, first + 1, "once is enough");
    }

    #[test]
    fn skipped_numbers_are_no_gap_for_clients_and_shards() {
        let mut root = stream(3, 8);
        let mut shard = root.clone();
        root.skip_unsure();
        let previous = root.sent;
        let update = root.number(None, "{}");
        root.record(std::slice::from_ref(&update), 8);
        assert_eq!(missed(&root, 3), (true, vec![update.seq]));
        let push = Push {
            epoch: "e1".to_owned(),
            previous,
            updates: vec![update.clone()],
        };
        assert_eq!(shard.receive(push, 8), std::slice::from_ref(&update));
        assert_eq!(missed(&shard, 2), (true, vec![3, update.seq]));
    }

    #[test]
    fn a_repeated_push_brings_what_was_missed_or_the_latest_value() {
        let root = stream(5, 3);
        let mut shard = stream(3, 3);
        let seqs =
            |updates: Vec<Update>| updates.iter().map(|update| update.seq).collect::<Vec<_>>();
        assert_eq!(seqs(shard.receive(root.since(3), 3)), [4, 5]);
        assert_eq!(
            seqs(shard.receive(root.since(3), 3)),
            [0u64; 0],
            "a second time it is no news"
        );
        let mut far_behind = stream(1, 3);
        assert_eq!(seqs(far_behind.receive(root.since(1), 3)), [5]);
        assert!(
            !missed(&far_behind, 1).0,
            "whoever resumes across the gap is told"
        );
    }

    #[test]
    fn the_history_is_bounded_in_bytes_too() {
        let mut stream = Stream::new("e1");
        let text = format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20));
        for _ in 0..10 {
            let update = stream.number(None, &text);
            stream.record(&[update], 10_000);
        }
        let bytes: usize = stream.history.iter().map(|update| update.text.len()).sum();
        assert!(bytes <= MAX_HISTORY_BYTES, "{bytes}");
        assert_eq!(missed(&stream, 7), (true, vec![8, 9, 10]));
        assert_eq!(missed(&stream, 6), (false, vec![]));
    }

    #[test]
    fn an_etag_matches_itself_weak_or_strong() {
        let etag = stream(3, 8).etag();
        assert_eq!(etag, "\"e1-3\"");
        for header in ["\"e1-3\"", "W/\"e1-3\"", "\"x\", \"e1-3\"", "*"] {
            assert!(none_match(Some(header), &etag), "{header}");
        }
        assert!(!none_match(Some("\"e1-2\""), &etag));
        assert!(!none_match(None, &etag));
    }

    proptest! {
        #[test]
        fn recovered_means_nothing_is_missing(count in 0u64..40, limit in 0u32..20, since in 0u64..50) {
            let stream = stream(count, limit);
            let (recovered, seqs) = missed(&stream, since);
            if recovered {
                prop_assert_eq!(seqs, (since + 1..=count).collect::<Vec<_>>());
            } else {
                prop_assert!(seqs.is_empty());
                prop_assert!(since > count || count - since > u64::from(limit));
            }
        }
    }
}
