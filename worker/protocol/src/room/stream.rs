//! The numbered updates of one room: what subscribers have seen, and what one that comes back has missed.

use super::update::{self, Update};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Most bytes of history in memory, however many updates the settings allow: objects share 128 MB with others.
pub const MAX_HISTORY_BYTES: usize = 4 << 20;
/// Most bytes of history that are stored: what is above is still kept in memory.
pub const MAX_STORED_BYTES: usize = 64 * 1024;
/// More numbers than can be given out before a write is durable: ten seconds' worth at the default publish rate, where
/// a write takes milliseconds.
pub const UNSURE_NUMBERS: u64 = 10_000;

/// Most keys of which the newest update is kept.
pub const MAX_KEYS: usize = 64;
/// Most bytes of the newest updates of all keys but the one that was updated last. A larger update is kept only while it
/// is the newest of all.
pub const MAX_VALUES_BYTES: usize = 128 * 1024;
/// Most bytes that the frame `connected` has around its values: a comma for each of [`MAX_KEYS`], and 300 for all else where
/// the token is the longest.
const CONNECTED_BYTES: usize = 384;
/// Most earlier epochs that are remembered.
const MAX_EARLIER: usize = 8;

/// The state that root and shards share, and that the root stores.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Names one unbroken numbering. A new one says: forget what you knew. Empty in a shard that does not know its root's.
    pub epoch: String,
    /// The last number given to an update, sent or waiting for its window.
    pub assigned: u64,
    /// The last number that subscribers have been sent.
    pub sent: u64,
    /// Every update that was sent with a number above this one is in `history`.
    floor: u64,
    /// The newest update of all; absent after a restart if it was too large to be stored.
    pub latest: Option<Update>,
    /// The newest update of each other key, older first: at most [`MAX_KEYS`] with the one above, and of
    /// [`MAX_VALUES_BYTES`]. The key that was updated longest ago goes first.
    #[serde(default)]
    others: Vec<Update>,
    /// Updates of this epoch.
    history: VecDeque<Update>,
    /// The last epochs before this one, each with the last of its numbers that is known here: of what was sent after it
    /// nothing is left.
    #[serde(default)]
    earlier: VecDeque<(String, u64)>,
}

/// Updates on their way from root to shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    pub epoch: String,
    /// The root's `sent` before these.
    pub previous: u64,
    pub updates: Vec<Update>,
    /// Whether the shard may have had them before.
    #[serde(default)]
    pub again: bool,
}

/// What a client gets when it connects: `values` in its first frame and `retained` after it, both in order, no update in
/// both and none of the first newer than one of the second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Welcome {
    /// Whether `retained` is all that the client has missed.
    pub recovered: bool,
    /// Whether the client has seen what nothing is left of. It gets nothing that is older.
    pub behind: bool,
    /// The newest update of each key, where it is not retained.
    pub values: Vec<Update>,
    pub retained: Vec<Update>,
}

impl Stream {
    /// A stream in which nothing has happened.
    pub(crate) fn new(epoch: &str) -> Self {
        Self {
            epoch: epoch.to_owned(),
            ..Self::default()
        }
    }

    /// The stream of a shard that knows no more than where it stands.
    pub(crate) fn at(epoch: String, sent: u64) -> Self {
        Self {
            epoch,
            assigned: sent,
            sent,
            floor: sent,
            ..Self::default()
        }
    }

    /// Skips the numbers that may have been given out after the last record was written, since frames leave before
    /// writes: the next update gets one that none of them can have had. Within an epoch a number never means two updates.
    pub(crate) fn skip_unsure(&mut self) {
        self.assigned += UNSURE_NUMBERS;
    }

    /// The next update; `key` is empty where it has none.
    pub(crate) fn number(&mut self, key: String, body: &str) -> Update {
        self.assigned += 1;
        Update::new(self.assigned, &self.epoch, key, body)
    }

    /// Remembers what has been sent, of which `limit` updates stay for clients that resume.
    pub fn record(&mut self, updates: &[Update], limit: u32) {
        for update in updates {
            self.sent = self.sent.max(update.seq);
            self.assigned = self.assigned.max(update.seq);
            self.keep(update.clone());
            self.history.push_back(update.clone());
        }
        self.shorten(limit as usize, MAX_HISTORY_BYTES);
    }

    /// What a client gets that has seen everything up to number `since` of `epoch`, or nothing.
    pub fn welcome(&self, since: Option<u64>, epoch: Option<&str>) -> Welcome {
        let epoch = epoch.unwrap_or_default();
        let (mut recovered, mut behind) = (false, false);
        // A new client gets no history, and an unknown one all of it.
        let (mut values_after, mut after) = (0, u64::MAX);
        if let Some(since) = since {
            let survived = self.survived(epoch);
            recovered = epoch == self.epoch && self.reaches(since);
            behind = survived.is_some_and(|survived| since > survived);
            after = survived.map_or(0, |survived| since.min(survived));
            if recovered || behind {
                values_after = after;
            }
        }
        let (mut values, mut retained) = self.after(values_after, after);
        let bytes: usize = values.iter().map(|update| update.text.len()).sum();
        if values.len() > 1 && bytes > update::MAX_FRAME_BYTES - CONNECTED_BYTES {
            // The newest alone is so large: it gets a frame of its own.
            retained.splice(..0, values.pop());
        }
        Welcome {
            recovered,
            behind,
            values,
            retained,
        }
    }

    /// The newest update of each key, older first.
    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &Update> {
        self.others.iter().chain(&self.latest)
    }

    /// The history after number `after`, and before it each key's newest update with a number above `values_after` where
    /// that is not in it.
    fn after(&self, values_after: u64, after: u64) -> (Vec<Update>, Vec<Update>) {
        let history = self.history.iter().filter(|update| update.seq > after);
        let history: Vec<Update> = history.cloned().collect();
        let first = history.first().map_or(u64::MAX, |update| update.seq);
        let values = self
            .values()
            .filter(|update| values_after < update.seq && update.seq < first);
        (values.cloned().collect(), history)
    }

    /// The last number of `epoch` that is known here, if that epoch is.
    fn survived(&self, epoch: &str) -> Option<u64> {
        if epoch == self.epoch {
            return Some(self.sent);
        }
        let mut earlier = self.earlier.iter();
        let found = earlier.find(|(name, _)| name == epoch);
        found.map(|(_, survived)| *survived)
    }

    fn is_past(&self, epoch: &str) -> bool {
        self.earlier.iter().any(|(name, _)| name == epoch)
    }

    /// Whether the history has everything after number `since` of this epoch.
    fn reaches(&self, since: u64) -> bool {
        (self.floor..=self.sent).contains(&since)
    }

    /// A new numbering after numbers may have been lost: the newest update of each key stays, the history does not.
    pub(crate) fn restart(&mut self, epoch: &str) {
        let ended = std::mem::replace(&mut self.epoch, epoch.to_owned());
        self.earlier.push_back((ended, self.sent));
        if self.earlier.len() > MAX_EARLIER {
            self.earlier.pop_front();
        }
        self.sent = self.assigned;
        self.floor = self.assigned;
        self.history.clear();
    }

    /// Whether this shard has missed something before `push`: see [`Self::catch_up`]. A shard that knows nothing, as
    /// after hibernation, cannot tell.
    pub fn misses(&self, push: &Push) -> bool {
        let is_current = push.epoch == self.epoch && push.previous <= self.sent;
        !self.epoch.is_empty() && !is_current && !self.is_past(&push.epoch)
    }

    /// Takes in what the root pushed, and returns the part that is news.
    pub fn receive(&mut self, push: Push, limit: u32) -> Vec<Update> {
        if self.is_past(&push.epoch) {
            return Vec::new();
        }
        if push.epoch != self.epoch {
            *self = Self::new(&push.epoch);
        }
        if push.previous > self.sent {
            // A push was lost or went to this shard's previous life: whoever resumes across it is not recovered.
            self.history.clear();
            self.floor = push.previous;
        }
        let mut news = push.updates;
        news.retain(|update| update.seq > self.sent);
        self.record(&news, limit);
        let floor = self.floor;
        self.history.retain(|update| update.seq > floor);
        news
    }

    /// Takes in the root's stream after a gap, and returns what this shard's sockets have not been sent, in order: all that
    /// the root still has of it, and in a new epoch all that it has of that. Nothing where this shard does not know what its
    /// sockets have been sent.
    pub fn catch_up(&mut self, root: Self) -> Vec<Update> {
        let mut missed = Vec::new();
        if !self.epoch.is_empty() && !self.is_past(&root.epoch) {
            let began = root.earlier.back().map_or(0, |(_, survived)| *survived);
            let survived = root.survived(&self.epoch);
            let after = survived.map_or(began, |survived| survived.min(self.sent));
            let (values, retained) = root.after(after, after);
            missed = values;
            missed.extend(retained);
        }
        self.adopt(root);
        missed
    }

    /// Takes in the root's stream when a shard joins. Pushes may have overtaken it.
    pub fn adopt(&mut self, root: Self) {
        if self.is_past(&root.epoch) {
            return;
        }
        if root.epoch != self.epoch || root.sent >= self.sent {
            *self = root;
            return;
        }
        for update in root.values() {
            self.keep(update.clone());
        }
        self.earlier = root.earlier;
        if root.sent >= self.floor {
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

    /// The stream without its history and without the newest update, which may be too large to be stored.
    #[must_use]
    pub(crate) fn without_latest(&self) -> Self {
        Self {
            floor: self.sent,
            latest: None,
            history: VecDeque::new(),
            ..self.clone()
        }
    }

    /// The push for a shard that may have missed everything after number `since`: all of it, or else all that is known of
    /// it, and a `previous` that says so.
    pub fn since(&self, since: u64) -> Push {
        let (mut updates, retained) = self.after(since, since);
        updates.extend(retained);
        Push {
            epoch: self.epoch.clone(),
            previous: since.max(self.floor),
            updates,
            again: true,
        }
    }

    /// The validator of `GET /snapshot/:token`.
    pub fn etag(&self) -> String {
        format!("\"{}-{}\"", self.epoch, self.sent)
    }

    /// Makes `update` the newest of its key, unless a newer one is known.
    fn keep(&mut self, mut update: Update) {
        match &mut self.latest {
            None => {
                self.others.retain(|other| other.key != update.key);
                self.latest = Some(update);
                return;
            }
            Some(latest) => {
                if latest.seq < update.seq {
                    std::mem::swap(latest, &mut update);
                }
                // From here on it is the older of the two. In most rooms all updates have one key.
                if latest.key == update.key {
                    return;
                }
                self.others.retain(|other| other.key != latest.key);
            }
        }
        let known = |other: &Update| other.key == update.key && other.seq > update.seq;
        if self.others.iter().any(known) {
            return;
        }
        self.others.retain(|other| other.key != update.key);
        if update.text.len() > MAX_VALUES_BYTES {
            return;
        }
        let place = self.others.partition_point(|other| other.seq < update.seq);
        self.others.insert(place, update);
        let mut bytes: usize = self.others.iter().map(|other| other.text.len()).sum();
        while self.others.len() >= MAX_KEYS || bytes > MAX_VALUES_BYTES {
            bytes -= self.others.remove(0).text.len();
        }
    }

    /// Forgets the oldest updates beyond `most` and `most_bytes`.
    fn shorten(&mut self, most: usize, most_bytes: usize) {
        let mut bytes: usize = self.history.iter().map(|update| update.text.len()).sum();
        while self.history.len() > most || bytes > most_bytes {
            let Some(oldest) = self.history.pop_front() else {
                return;
            };
            bytes -= oldest.text.len();
            self.floor = oldest.seq.max(self.floor);
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
    use crate::contract::token::MAX_TOKEN_BYTES;
    use crate::room::greeting::greeting;
    use proptest::prelude::*;

    fn stream(count: u64, limit: u32) -> Stream {
        let mut stream = Stream::new("e1");
        for _ in 0..count {
            let update = stream.number(String::new(), "{}");
            stream.record(&[update], limit);
        }
        stream
    }

    fn missed(stream: &Stream, since: u64) -> (bool, Vec<u64>) {
        let welcome = stream.welcome(Some(since), Some("e1"));
        let missed = welcome.retained.iter().filter(|_| welcome.recovered);
        (welcome.recovered, missed.map(|update| update.seq).collect())
    }

    fn seqs(updates: &[Update]) -> Vec<u64> {
        updates.iter().map(|update| update.seq).collect()
    }

    /// What a client gets: whether it recovered, whether it is behind, and the numbers of both parts.
    fn greeted(stream: &Stream, since: u64, epoch: &str) -> (bool, bool, Vec<u64>, Vec<u64>) {
        let welcome = stream.welcome(Some(since), Some(epoch));
        let parts = (seqs(&welcome.values), seqs(&welcome.retained));
        (welcome.recovered, welcome.behind, parts.0, parts.1)
    }

    fn publish(stream: &mut Stream, key: &str, limit: u32) {
        let update = stream.number(key.to_owned(), "{}");
        stream.record(&[update], limit);
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
            assert!(!stream.welcome(Some(2), epoch).recovered);
        }
        assert!(!stream.welcome(None, Some("e1")).recovered);
    }

    #[test]
    fn conflated_numbers_are_no_gap() {
        let mut stream = Stream::new("e1");
        let dropped = stream.number(String::new(), "{}");
        let kept = stream.number(String::new(), "{}");
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
        let update = root.number(String::new(), "{}");
        let mut shard = Stream::new("");
        let push = Push {
            epoch: "e1".to_owned(),
            previous: 5,
            updates: vec![update.clone()],
            again: false,
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
        let lost = root.number(String::new(), "{}");
        root.record(&[lost], 8);
        let update = root.number(String::new(), "{}");
        let news = shard.receive(
            Push {
                epoch: "e1".to_owned(),
                previous: 3,
                updates: vec![update],
                again: false,
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
            let update = stream.number(String::new(), &body);
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
        assert!(!stream.welcome(Some(3), Some("e1")).recovered);
        assert_eq!(
            stream.number(String::new(), "{}").text,
            r#"{"seq":4,"epoch":"e2"}"#
        );
    }

    #[test]
    fn a_number_that_may_have_been_given_out_is_not_given_out_again() {
        let before = stream(3, 8);
        let mut lost = before.clone();
        let mut back = before.clone();
        back.skip_unsure();
        let issued: Vec<u64> = (0..UNSURE_NUMBERS)
            .map(|_| lost.number(String::new(), "{}").seq)
            .collect();
        let first = back.number(String::new(), "{}").seq;
        assert!(!issued.contains(&first) && first > 3, "{first}");
        assert_eq!(
            back.number(String::new(), "{}").seq,
            first + 1,
            "once is enough"
        );
    }

    #[test]
    fn skipped_numbers_are_no_gap_for_clients_and_shards() {
        let mut root = stream(3, 8);
        let mut shard = root.clone();
        root.skip_unsure();
        let previous = root.sent;
        let update = root.number(String::new(), "{}");
        root.record(std::slice::from_ref(&update), 8);
        assert_eq!(missed(&root, 3), (true, vec![update.seq]));
        let push = Push {
            epoch: "e1".to_owned(),
            previous,
            updates: vec![update.clone()],
            again: false,
        };
        assert_eq!(shard.receive(push, 8), std::slice::from_ref(&update));
        assert_eq!(missed(&shard, 2), (true, vec![3, update.seq]));
    }

    #[test]
    fn a_repeated_push_brings_what_was_missed_or_what_is_left_of_it() {
        let root = stream(5, 3);
        let mut shard = stream(3, 3);
        assert_eq!(seqs(&shard.receive(root.since(3), 3)), [4, 5]);
        assert_eq!(
            seqs(&shard.receive(root.since(3), 3)),
            [0u64; 0],
            "a second time it is no news"
        );
        let mut far_behind = stream(1, 3);
        assert!(far_behind.misses(&root.since(1)));
        assert_eq!(seqs(&far_behind.receive(root.since(1), 3)), [3, 4, 5]);
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
            let update = stream.number(String::new(), &text);
            stream.record(&[update], 10_000);
        }
        let bytes: usize = stream.history.iter().map(|update| update.text.len()).sum();
        assert!(bytes <= MAX_HISTORY_BYTES, "{bytes}");
        assert_eq!(missed(&stream, 7), (true, vec![8, 9, 10]));
        assert_eq!(missed(&stream, 6), (false, vec![]));
    }

    #[test]
    fn the_newest_update_of_each_key_stays_however_old_it_is() {
        let mut stream = Stream::new("e1");
        for key in ["PRICE", "VIEWERS", "", "VIEWERS", "VIEWERS"] {
            publish(&mut stream, key, 2);
        }
        let values = seqs(&stream.welcome(None, None).values);
        assert_eq!(values, [1, 3, 5]);
        let stored: Stream =
            serde_json::from_str(&serde_json::to_string(&stream.stored()).unwrap()).unwrap();
        assert_eq!(stored, stream);
        // Of what the history has nothing is told twice
        assert_eq!(
            greeted(&stream, 1, "e0"),
            (false, false, vec![1, 3], vec![4, 5])
        );
        assert_eq!(greeted(&stream, 3, "e1"), (true, false, vec![], vec![4, 5]));
        assert_eq!(
            greeted(&stream, 2, "e1"),
            (false, false, vec![1, 3], vec![4, 5])
        );
    }

    #[test]
    fn the_key_that_was_updated_longest_ago_is_forgotten_first() {
        let mut stream = Stream::new("e1");
        for key in 0..70 {
            publish(&mut stream, &key.to_string(), 0);
        }
        publish(&mut stream, "6", 0);
        publish(&mut stream, "70", 0);
        let values: Vec<_> = stream.values().map(|update| update.key.as_str()).collect();
        let expected: Vec<String> = (8..70).chain([6, 70]).map(|key| key.to_string()).collect();
        assert_eq!(values, expected);
    }

    #[test]
    fn a_large_update_does_not_cost_the_newest_of_other_keys() {
        let mut stream = Stream::new("e1");
        let mut sized = |key: &str, bytes: usize| {
            let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes));
            let update = stream.number(key.to_owned(), &body);
            stream.record(&[update], 0);
            stream
                .values()
                .map(|update| update.key.clone())
                .collect::<String>()
        };
        assert_eq!(sized("a", 60_000), "a");
        assert_eq!(sized("b", 60_000), "ab");
        assert_eq!(sized("c", 1_000_000), "abc");
        assert_eq!(
            sized("d", 60_000),
            "abd",
            "it was kept while it was the newest"
        );
        assert_eq!(sized("e", 60_000), "bde");
    }

    #[test]
    fn what_is_too_large_to_be_stored_costs_no_other_key() {
        let mut stream = Stream::new("e1");
        for key in ["A", "B", "C"] {
            publish(&mut stream, key, 8);
        }
        let mut stored = stream.without_latest();
        assert_eq!(seqs(&stored.welcome(None, None).values), [1, 2]);
        assert_eq!(greeted(&stored, 3, "e1"), (true, false, vec![], vec![]));
        assert_eq!(
            greeted(&stored, 2, "e1"),
            (false, false, vec![1, 2], vec![])
        );
        publish(&mut stored, "A", 8);
        assert_eq!(seqs(&stored.welcome(None, None).values), [2, 4]);
    }

    #[test]
    fn a_greeting_is_no_larger_than_clients_take() {
        let mut stream = Stream::new("e1");
        for (key, bytes) in [("a", 100_000), ("b", 1_000_000)] {
            let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes));
            let update = stream.number(key.to_owned(), &body);
            stream.record(&[update], 0);
        }
        let welcome = stream.welcome(None, None);
        assert_eq!(
            (seqs(&welcome.values), seqs(&welcome.retained)),
            (vec![1], vec![2])
        );
    }

    /// What `connected` says of `stream`, where everything around the values is as long as it can be.
    fn connected(stream: &Stream, welcome: &Welcome) -> String {
        let (uuid, token) = ("0".repeat(36), "a".repeat(MAX_TOKEN_BYTES));
        greeting(&uuid, &token, stream, welcome).swap_remove(0)
    }

    #[test]
    fn what_connected_has_around_its_values_is_small() {
        let mut stream = Stream::new("e1234567");
        stream.assigned = u64::MAX - 1 - MAX_KEYS as u64;
        for key in 0..MAX_KEYS {
            publish(&mut stream, &key.to_string(), 0);
        }
        let mut welcome = stream.welcome(None, None);
        assert_eq!(welcome.values.len(), MAX_KEYS);
        welcome.behind = true;
        let values: usize = welcome.values.iter().map(|value| value.text.len()).sum();
        let around = connected(&stream, &welcome).len() - values;
        assert!(around <= CONNECTED_BYTES, "{around}");
    }

    #[test]
    fn the_version_before_is_understood_and_understands() {
        let old_start = r#"{"epoch":"e1","assigned":3,"sent":3,"floor":1,"latest":{"seq":3,"kind":"A","text":"{}"},"#;
        let old = r#"{"epoch":"e1","assigned":3,"sent":3,"floor":1,"latest":{"seq":3,"kind":"A","text":"{}"},"history":[{"seq":2,"kind":"","text":"{}"},{"seq":3,"kind":"A","text":"{}"}]}"#;
        let stream: Stream = serde_json::from_str(old).unwrap();
        assert_eq!(greeted(&stream, 1, "e1"), (true, false, vec![], vec![2, 3]));
        assert_eq!(seqs(&stream.welcome(None, None).values), [3]);
        let old = r#"{"epoch":"e1","previous":3,"updates":[]}"#;
        let push: Push = serde_json::from_str(old).unwrap();
        assert!(!push.again && !stream.misses(&push));
        // And the other way round, while a new version is rolled out
        assert_eq!(
            serde_json::to_string(&stream.since(2)).unwrap(),
            r#"{"epoch":"e1","previous":2,"updates":[{"seq":3,"kind":"A","text":"{}"}],"again":true}"#
        );
        let written = serde_json::to_string(&stream).unwrap();
        assert!(written.starts_with(old_start), "{written}");
    }

    #[test]
    fn a_client_that_is_ahead_of_what_survived_is_told_so_and_gets_nothing_older() {
        let mut stream = stream(5, 8);
        assert_eq!(greeted(&stream, 6, "e1"), (false, true, vec![], vec![]));
        stream.restart("e2");
        assert_eq!(greeted(&stream, 6, "e1"), (false, true, vec![], vec![]));
        assert_eq!(greeted(&stream, 5, "e1"), (false, false, vec![5], vec![]));
        publish(&mut stream, "B", 8);
        publish(&mut stream, "B", 8);
        assert_eq!(greeted(&stream, 9, "e1"), (false, true, vec![], vec![6, 7]));
        assert_eq!(
            greeted(&stream, 3, "e1"),
            (false, false, vec![5], vec![6, 7])
        );
        assert_eq!(greeted(&stream, 5, "e2"), (true, false, vec![], vec![6, 7]));
        // Also where the history is too short, and for eight epochs
        stream.record(&[], 0);
        assert_eq!(greeted(&stream, 9, "e1"), (false, true, vec![7], vec![]));
        for epoch in 3..10 {
            stream.restart(&format!("e{epoch}"));
        }
        assert_eq!(greeted(&stream, 9, "e1"), (false, true, vec![7], vec![]));
        assert_eq!(greeted(&stream, 9, "e2"), (false, true, vec![], vec![]));
        stream.restart("e10");
        assert_eq!(
            greeted(&stream, 9, "e1"),
            (false, false, vec![5, 7], vec![])
        );
    }

    #[test]
    fn a_shard_that_missed_pushes_catches_up_with_all_that_the_root_has() {
        let mut root = stream(3, 2);
        let mut shard = root.clone();
        for key in ["A", "B", "B"] {
            publish(&mut root, key, 2);
        }
        let push = Push {
            epoch: "e1".to_owned(),
            previous: 6,
            updates: vec![],
            again: false,
        };
        assert!(shard.misses(&push) && !root.misses(&push));
        assert_eq!(seqs(&shard.catch_up(root.clone())), [4, 5, 6]);
        assert_eq!(shard, root);
        assert_eq!(seqs(&shard.catch_up(root.clone())), [0u64; 0]);
        for key in ["C", "A", "B", "B"] {
            publish(&mut root, key, 2);
        }
        assert_eq!(seqs(&shard.catch_up(root.clone())), [7, 8, 9, 10]);
    }

    #[test]
    fn a_shard_catches_up_with_an_epoch_that_it_has_not_seen_begin() {
        let mut shard = stream(5, 8);
        let mut root = stream(3, 8);
        root.restart("e2");
        publish(&mut root, "A", 8);
        publish(&mut root, "A", 8);
        let push = root.since(4);
        assert!(shard.misses(&push));
        let missed = shard.catch_up(root.clone());
        assert_eq!(seqs(&missed), [4, 5]);
        assert!(missed.iter().all(|update| update.text.contains("e2")));
        assert_eq!(shard, root);
        // What survived of the old epoch without having reached it is sent too
        let mut shard = stream(2, 8);
        assert_eq!(seqs(&shard.catch_up(root.clone())), [3, 4, 5]);
        // A root that has lost everything, and one that is older than what the shard knows
        let mut new = Stream::new("e3");
        publish(&mut new, "A", 8);
        assert_eq!(seqs(&shard.catch_up(new.clone())), [1]);
        let mut shard = root.clone();
        assert_eq!(shard.catch_up(stream(9, 8)), []);
        assert_eq!(shard, root);
    }

    #[test]
    fn a_shard_that_has_forgotten_everything_cannot_tell_what_its_sockets_miss() {
        let root = stream(3, 8);
        let mut shard = Stream::default();
        assert!(!shard.misses(&root.since(1)));
        assert_eq!(shard.catch_up(root.clone()), []);
        assert_eq!(shard, root);
    }

    #[test]
    fn a_push_that_overtakes_the_join_loses_no_key() {
        let mut root = Stream::new("e1");
        publish(&mut root, "A", 8);
        publish(&mut root, "B", 8);
        let before = root.clone();
        publish(&mut root, "B", 8);
        let mut shard = Stream::default();
        shard.receive(root.since(2), 8);
        shard.adopt(before);
        assert_eq!(shard, root);
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

    /// A room and what happened to it. A client is what one has seen that followed it until some moment.
    #[derive(Clone, Debug)]
    struct Life {
        stream: Stream,
        /// Updates that are not lost: the epoch's index, number and key.
        known: Vec<(usize, u64, String)>,
        clients: Vec<Client>,
    }

    #[derive(Clone, Debug)]
    struct Client {
        epoch: usize,
        since: u64,
        /// Whether what it has seen last is still known.
        ahead: bool,
    }

    #[derive(Clone, Debug)]
    enum Happens {
        Publish(u8),
        Conflated,
        Store,
        Crash,
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            8 => (0u8..5).prop_map(Happens::Publish),
            1 => Just(Happens::Conflated),
            3 => Just(Happens::Store),
            1 => Just(Happens::Crash),
        ]
    }

    fn lived(life: &[Happens], limit: u32) -> Life {
        let mut stream = Stream::new("e0");
        let (mut stored, mut known, mut stored_known) = (stream.clone(), Vec::new(), 0);
        let mut clients: Vec<Client> = Vec::new();
        let mut epoch = 0;
        for event in life {
            match event {
                Happens::Publish(key) => {
                    publish(&mut stream, &key.to_string(), limit);
                    known.push((epoch, stream.sent, key.to_string()));
                }
                Happens::Conflated => drop(stream.number(String::new(), "{}")),
                Happens::Store => (stored, stored_known) = (stream.stored(), known.len()),
                Happens::Crash => {
                    stream = stored.clone();
                    for client in clients.iter_mut().filter(|client| client.epoch == epoch) {
                        client.ahead |= client.since > stream.sent;
                    }
                    known.truncate(stored_known);
                    epoch += 1;
                    stream.restart(&format!("e{epoch}"));
                    // The record that is written next is of the new epoch
                    (stored, stored_known) = (stream.stored(), known.len());
                }
            }
            clients.push(Client {
                epoch,
                since: stream.sent,
                ahead: false,
            });
        }
        Life {
            stream,
            known,
            clients,
        }
    }

    /// What root and shard are in for.
    #[derive(Clone, Debug)]
    enum Pushed {
        Arrives(u8),
        IsLost(u8),
        Twice(u8),
        Store,
        Crash,
    }

    fn pushed() -> impl Strategy<Value = Pushed> {
        prop_oneof![
            6 => (0u8..4).prop_map(Pushed::Arrives),
            3 => (0u8..4).prop_map(Pushed::IsLost),
            1 => (0u8..4).prop_map(Pushed::Twice),
            3 => Just(Pushed::Store),
            1 => Just(Pushed::Crash),
        ]
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

        #[test]
        fn everybody_gets_what_they_are_told(
            life in proptest::collection::vec(happens(), 0..60), limit in 0u32..12,
        ) {
            let Life { stream, known, clients, .. } = lived(&life, limit);
            let newest = |key: &str| known.iter().rev().find(|(_, _, other)| other == key);
            let current = clients.last().map_or(0, |client| client.epoch);
            let of_this_epoch = known.iter().filter(|(epoch, ..)| *epoch == current);
            let of_this_epoch: Vec<u64> = of_this_epoch.map(|(_, seq, _)| *seq).collect();
            let kept = of_this_epoch.len().min(limit as usize);
            let history = &of_this_epoch[of_this_epoch.len() - kept..];
            let mut all: Vec<u64> = (0..5).filter_map(|key| newest(&key.to_string())).map(|(_, seq, _)| *seq).collect();
            all.sort_unstable();

            let fresh = stream.welcome(None, None);
            prop_assert!(!fresh.recovered && !fresh.behind);
            prop_assert_eq!((seqs(&fresh.values), seqs(&fresh.retained)), (all.clone(), vec![]));

            for Client { epoch, since, ahead } in clients {
                let remembered = current - epoch <= MAX_EARLIER;
                let (recovered, behind, values, retained) = greeted(&stream, since, &format!("e{epoch}"));
                let got: Vec<u64> = values.iter().chain(&retained).copied().collect();
                prop_assert!(got.is_sorted_by(|one, two| one < two), "{:?}", got);
                let later: Vec<u64> = known.iter().filter(|update| (update.0, update.1) > (epoch, since)).map(|update| update.1).collect();
                prop_assert_eq!(behind, ahead && remembered);
                prop_assert!(!(recovered && behind));
                if recovered {
                    prop_assert_eq!(&got, &later);
                } else if behind {
                    let left = all.iter().chain(history).copied();
                    let mut left: Vec<u64> = left.filter(|seq| later.contains(seq)).collect();
                    left.sort_unstable();
                    left.dedup();
                    prop_assert_eq!(&got, &left);
                } else {
                    prop_assert_eq!(&retained, history);
                    let older: Vec<u64> = all.iter().copied().filter(|seq| !history.contains(seq)).collect();
                    prop_assert_eq!(&values, &older);
                    prop_assert!(epoch != current || later.len() > limit as usize);
                }
            }
        }

        #[test]
        fn a_shards_sockets_get_everything_once_and_in_order(life in proptest::collection::vec(pushed(), 0..60)) {
            let mut root = Stream::new("e0");
            let (mut stored, mut shard, mut epoch) = (root.clone(), root.clone(), 0);
            let mut got: Vec<Update> = Vec::new();
            for event in life.into_iter().chain([Pushed::Arrives(0)]) {
                let (key, times) = match event {
                    Pushed::Arrives(key) => (key, 1),
                    Pushed::IsLost(key) => (key, 0),
                    Pushed::Twice(key) => (key, 2),
                    Pushed::Store => {
                        stored = root.stored();
                        continue;
                    }
                    Pushed::Crash => {
                        epoch += 1;
                        root = stored.clone();
                        root.restart(&format!("e{epoch}"));
                        stored = root.stored();
                        continue;
                    }
                };
                let previous = root.sent;
                let update = root.number(key.to_string(), "{}");
                root.record(std::slice::from_ref(&update), 64);
                let push = Push { epoch: root.epoch.clone(), previous, updates: vec![update], again: false };
                for _ in 0..times {
                    let missed = if shard.misses(&push) { shard.catch_up(root.clone()) } else { Vec::new() };
                    let news = shard.receive(push.clone(), 64);
                    got.extend(missed.into_iter().chain(news));
                }
            }
            prop_assert_eq!(&shard, &root);
            for (at, update) in got.iter().enumerate() {
                prop_assert!(!got[..at].contains(update), "{:?} came twice", update);
            }
            let all: Vec<Update> = root.history.iter().cloned().collect();
            prop_assert!(got.ends_with(&all), "{:?} {:?}", got, all);
            for value in root.values() {
                // Or one of the key that the root has lost
                let newer = |update: &Update| update.key == value.key && update.seq > value.seq;
                prop_assert!(got.contains(value) || got.iter().any(newer), "{:?}", value);
            }
        }

        #[test]
        fn what_a_client_gets_is_bounded(
            sizes in proptest::collection::vec((0u8..80, prop_oneof![9 => 0usize..20_000, 1 => 0usize..400_000]), 0..120), since in 0u64..120,
            spare in 0usize..800,
        ) {
            let mut stream = Stream::new("e1");
            for (key, size) in sizes {
                let update = stream.number(key.to_string(), &format!(r#"{{"a":"{}"}}"#, "x".repeat(size)));
                stream.record(&[update], 64);
            }
            // The last makes the values about as large as a frame may be
            let others: usize = stream.values().filter(|value| value.key != "0").map(|value| value.text.len()).sum();
            let size = update::MAX_FRAME_BYTES.saturating_sub(others + spare);
            let update = stream.number("0".to_owned(), &format!(r#"{{"a":"{}"}}"#, "x".repeat(size)));
            stream.record(&[update], 64);
            let bytes = |updates: &[Update]| updates.iter().map(|update| update.text.len()).sum::<usize>();
            prop_assert!(stream.values().count() <= MAX_KEYS && bytes(&stream.others) <= MAX_VALUES_BYTES);
            for (since, epoch) in [(None, None), (Some(since), Some("e1")), (Some(since), None)] {
                let welcome = stream.welcome(since, epoch);
                let connected = connected(&stream, &welcome).len();
                prop_assert!(welcome.values.len() < 2 || connected <= update::MAX_FRAME_BYTES, "{}", connected);
                let retained = welcome.retained;
                let texts: Vec<&str> = retained.iter().map(|update| update.text.as_str()).collect();
                let frames = update::frames(&retained);
                let mut sent = Vec::new();
                for frame in &frames {
                    let batch: serde_json::Value = serde_json::from_str(frame).unwrap();
                    let several = batch["updates"].as_array().map_or(1, Vec::len);
                    prop_assert!(several == 1 || frame.len() <= update::MAX_FRAME_BYTES, "{}", frame.len());
                    sent.push(several);
                }
                prop_assert_eq!(sent.iter().sum::<usize>(), texts.len());
            }
        }
    }
}
