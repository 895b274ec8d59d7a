//! What goes to the sockets of one object and what comes from them: who takes too little, and who sends too much.
//!
//! The runtime queues what a client does not read without bound and without telling, so only what the client says can bound
//! it. All of this is in memory and begins anew when the object does; while an object hibernates, nothing is queued.

use super::bucket::Bucket;
use super::peer::Reply;
use crate::contract::close;
use std::collections::VecDeque;

/// A client that has got so many bytes within [`ACK_WINDOW_MS`] says so. It may count the characters instead.
pub const ACK_BYTES: u64 = 262_144;
/// The time after which a client that got less begins to count anew: in a quiet room nobody acknowledges anything, since that
/// would wake it.
pub const ACK_WINDOW_MS: u64 = 30_000;
/// The most that is sent to a client which confirms nothing of it.
pub const MAX_UNCONFIRMED_BYTES: u64 = 8 << 20;
/// The frames that a client may send per second, and at once after a quiet second. An acknowledgement of at least half of
/// [`ACK_BYTES`] more than those before does not count: there are no more of these than the room sends for.
pub const FRAMES_PER_SECOND: u32 = 20;

/// Bytes that are looked at as one.
const MARK_BYTES: u64 = 32 << 10;
/// Bytes to each socket after which they are looked at again.
const CHECK_BYTES: u64 = 1 << 20;
/// Bytes within [`ACK_WINDOW_MS`] of which every client acknowledges some: twice what it counts, since its count begins
/// anywhere, in characters of up to three bytes.
const HOT_BYTES: u64 = 6 * ACK_BYTES;
/// Sockets that are remembered, as many as the runtime lets an object have.
const MAX_HEARD: usize = 32_768;

/// The bytes that this object has sent to each of its sockets, and what its sockets have said.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    sent: u64,
    /// How much of that was sent before the first mark.
    floor: u64,
    /// How much of it had been sent when the sockets were last looked at.
    checked: u64,
    /// In order; they reach [`MAX_UNCONFIRMED_BYTES`] back.
    marks: VecDeque<Mark>,
    /// Sockets that have sent something, by their ids.
    heard: Vec<Heard>,
}

/// A moment of the flow: after the update `seq` at `at_ms`, so many `bytes` had been sent.
#[derive(Clone, Copy, Debug)]
struct Mark {
    seq: u64,
    at_ms: u64,
    bytes: u64,
}

#[derive(Clone, Debug)]
struct Heard {
    id: String,
    /// How much of what was sent it has confirmed, if it ever has.
    confirmed: Option<u64>,
    bucket: Bucket,
}

impl Flow {
    /// Notes that frames of `bytes` bytes, the last of which ends with number `seq`, were sent to every socket.
    pub fn send(&mut self, seq: u64, bytes: u64, now_ms: u64) {
        if let Some(last) = self.marks.back()
            && (seq < last.seq || now_ms < last.at_ms)
        {
            // Another epoch, or a clock that was set back: what was before cannot be compared.
            self.marks.clear();
            self.floor = self.sent;
        }
        self.sent += bytes;
        let mark = Mark {
            seq,
            at_ms: now_ms,
            bytes: self.sent,
        };
        let before = self.marks.iter().nth_back(1);
        let before = before.map_or(self.floor, |mark| mark.bytes);
        match self.marks.back_mut() {
            Some(last) if last.bytes - before < MARK_BYTES => *last = mark,
            _ => self.marks.push_back(mark),
        }
        while let Some(first) = self.marks.front()
            && first.bytes + MAX_UNCONFIRMED_BYTES + CHECK_BYTES < self.sent
        {
            self.floor = first.bytes;
            self.marks.pop_front();
        }
    }

    /// Counts a frame of the socket `id` and what it confirms; returns what is to be done about it.
    pub fn hear(&mut self, id: &str, reply: Reply, now_ms: u64) -> Reply {
        let confirmed = match reply {
            Reply::Close(_) => return reply,
            Reply::Pong(_) => None,
            Reply::Ack(seq) => self.confirmed_by(seq),
        };
        let heard = self.heard(id);
        if let Some(confirmed) = confirmed {
            let before = heard.confirmed.unwrap_or_default();
            heard.confirmed = Some(before.max(confirmed));
            if confirmed >= before + ACK_BYTES / 2 {
                return reply;
            }
        }
        match heard.bucket.take(1, now_ms) {
            Ok(()) => reply,
            Err(_) => Reply::Close(close::TOO_LOUD),
        }
    }

    /// Forgets a socket that is gone.
    pub fn forget(&mut self, id: &str) {
        if let Ok(at) = self.find(id) {
            self.heard.remove(at);
        }
    }

    /// Whether it is time to look for sockets that take too little. Where nobody can be so far behind, it never is.
    pub fn is_due(&mut self, now_ms: u64) -> bool {
        if self.sent - self.checked < CHECK_BYTES {
            return false;
        }
        self.checked = self.sent;
        let since = self.window(now_ms).min(self.hot(now_ms));
        self.sent - since > MAX_UNCONFIRMED_BYTES
    }

    /// The indexes of the sockets that were sent more than [`MAX_UNCONFIRMED_BYTES`] without confirming any of it. Of each
    /// its id, and when it was opened in unix milliseconds (`u64::MAX` of one that is closing). Whoever has acknowledged
    /// before should have done so since it was sent that much, unless the room was quiet in between; of all others, which
    /// may not know how, only what they were sent within [`ACK_WINDOW_MS`] counts.
    pub fn lagging(&self, sockets: &[(String, u64)], now_ms: u64) -> Vec<u32> {
        let (window, hot) = (self.window(now_ms), self.hot(now_ms));
        let is_lagging = |(id, opened_ms): &(String, u64)| {
            let heard = self.find(id).ok().map(|at| &self.heard[at]);
            let confirmed = heard.and_then(|heard| heard.confirmed);
            let since = confirmed.map_or(window, |confirmed| confirmed.max(hot));
            self.sent - since > MAX_UNCONFIRMED_BYTES
                && self.sent - self.before(*opened_ms) > MAX_UNCONFIRMED_BYTES
        };
        (0..)
            .zip(sockets)
            .filter(|(_, socket)| is_lagging(socket))
            .map(|(index, _)| index)
            .collect()
    }

    /// How much had been sent at `at_ms`.
    fn before(&self, at_ms: u64) -> u64 {
        let after = self.marks.partition_point(|mark| mark.at_ms <= at_ms);
        self.marks_before(after)
    }

    /// How much a client has got that has got the update `seq`; `None` of one that was not sent yet, or nobody knows when.
    fn confirmed_by(&self, seq: u64) -> Option<u64> {
        let last = self.marks.back().filter(|last| seq <= last.seq);
        last.map(|_| self.marks_before(self.marks.partition_point(|mark| mark.seq <= seq)))
    }

    /// How much had been sent at the mark before number `after`.
    fn marks_before(&self, after: usize) -> u64 {
        let mark = after.checked_sub(1).and_then(|at| self.marks.get(at));
        mark.map_or(self.floor, |mark| mark.bytes)
    }

    /// How much had been sent before the last [`ACK_WINDOW_MS`].
    fn window(&self, now_ms: u64) -> u64 {
        self.before(now_ms.saturating_sub(ACK_WINDOW_MS))
    }

    /// How much had been sent when the flow was last so thin that nobody had to acknowledge it.
    fn hot(&self, now_ms: u64) -> u64 {
        let is_thin = |mark: &&Mark| {
            let enough = mark.bytes + HOT_BYTES;
            let at = self.marks.partition_point(|later| later.bytes < enough);
            let until_ms = self.marks.get(at).map_or(now_ms, |later| later.at_ms);
            until_ms.saturating_sub(mark.at_ms) > ACK_WINDOW_MS
        };
        let thin = self.marks.iter().rev().find(is_thin);
        thin.map_or(self.floor, |mark| mark.bytes)
    }

    fn find(&self, id: &str) -> Result<usize, usize> {
        self.heard
            .binary_search_by(|heard| heard.id.as_str().cmp(id))
    }

    fn heard(&mut self, id: &str) -> &mut Heard {
        let at = match self.find(id) {
            Ok(at) => at,
            Err(mut at) => {
                if self.heard.len() >= MAX_HEARD {
                    self.heard.clear();
                    at = 0;
                }
                let heard = Heard {
                    id: id.to_owned(),
                    confirmed: None,
                    bucket: Bucket::new(FRAMES_PER_SECOND),
                };
                self.heard.insert(at, heard);
                at
            }
        };
        &mut self.heard[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::peer::PONG;
    use proptest::prelude::*;

    const KB: u64 = 1 << 10;
    const NONE: [u32; 0] = [];

    fn sockets(sockets: &[(&str, u64)]) -> Vec<(String, u64)> {
        sockets
            .iter()
            .map(|(id, opened_ms)| ((*id).to_owned(), *opened_ms))
            .collect()
    }

    /// A flow of frames of 16 KiB, one each `pause_ms` from 1 ms on.
    fn flow(frames: u64, pause_ms: u64) -> Flow {
        let mut flow = Flow::default();
        for seq in 1..=frames {
            flow.send(seq, 16 * KB, seq * pause_ms);
        }
        flow
    }

    #[test]
    fn who_confirms_nothing_of_eight_mebibytes_within_thirty_seconds_lags() {
        let room = sockets(&[("old", 0), ("late", 400), ("closing", u64::MAX)]);
        assert_eq!(flow(512, 10).lagging(&room, 5_120), NONE);
        assert_eq!(flow(514, 10).lagging(&room, 5_140), [0]);
        assert_eq!(flow(560, 10).lagging(&room, 5_600), [0, 1]);
        // As much, but slower: a client that does not know how to confirm is not held to it
        assert_eq!(flow(2_000, 100).lagging(&room, 200_000), NONE);
    }

    #[test]
    fn who_confirms_does_not_lag_and_lags_once_it_stops() {
        let room = sockets(&[("reads", 0), ("never", 0)]);
        let mut flow = flow(500, 10);
        assert_eq!(flow.hear("reads", Reply::Ack(480), 5_000), Reply::Ack(480));
        for seq in 501..=990 {
            flow.send(seq, 16 * KB, seq * 10);
        }
        assert_eq!(flow.lagging(&room, 9_900), [1]);
        for seq in 991..=1_000 {
            flow.send(seq, 16 * KB, seq * 10);
        }
        assert_eq!(flow.lagging(&room, 10_000), [0, 1]);
    }

    #[test]
    fn who_stopped_confirming_is_found_at_a_rate_at_which_nobody_else_is_held_to_it() {
        let room = sockets(&[("stopped", 0), ("never", 0)]);
        let mut flow = flow(40, 100);
        flow.hear("stopped", Reply::Ack(40), 4_000);
        for seq in 41..=560 {
            flow.send(seq, 16 * KB, seq * 100);
        }
        assert_eq!(flow.lagging(&room, 56_000), [0]);
    }

    #[test]
    fn a_room_that_was_quiet_owes_nobody_a_confirmation() {
        let room = sockets(&[("confirmed", 0)]);
        let mut flow = flow(40, 100);
        flow.hear("confirmed", Reply::Ack(40), 4_000);
        for seq in 41..=2_000 {
            flow.send(seq, 16 * KB, seq * 1_000);
        }
        assert_eq!(flow.lagging(&room, 2_000_000), NONE);
    }

    #[test]
    fn a_number_that_was_not_sent_or_is_of_before_confirms_nothing() {
        let room = sockets(&[("liar", 0), ("earlier", 0)]);
        let mut flow = flow(514, 10);
        flow.hear("liar", Reply::Ack(515), 5_000);
        flow.hear("earlier", Reply::Ack(0), 5_000);
        assert_eq!(flow.lagging(&room, 5_140), [0, 1]);
        assert_eq!(Flow::default().confirmed_by(0), None);
    }

    #[test]
    fn another_epoch_and_a_clock_that_is_set_back_begin_anew() {
        let room = sockets(&[("never", 0)]);
        for (seq, now_ms) in [(1, 5_000), (501, 10)] {
            let mut flow = flow(500, 10);
            flow.send(seq, 16 * KB, now_ms);
            for more in 1..=500 {
                flow.send(seq + more, 16 * KB, now_ms + 10 * more);
            }
            assert_eq!(flow.lagging(&room, now_ms + 5_000), NONE);
            assert_eq!(flow.confirmed_by(seq + 1), Some(502 * 16 * KB));
        }
    }

    #[test]
    fn the_sockets_are_looked_at_once_per_mebibyte_and_only_where_one_can_lag() {
        let mut flow = Flow::default();
        let mut looked = Vec::new();
        for seq in 1..=700 {
            flow.send(seq, 16 * KB, seq * 10);
            if flow.is_due(seq * 10) {
                looked.push(seq);
            }
        }
        assert_eq!(looked, [576, 640]);
        let mut quiet = Flow::default();
        for seq in 1..=7_000 {
            quiet.send(seq, 16 * KB, seq * 1_000);
            assert!(!quiet.is_due(seq * 1_000), "{seq}");
        }
    }

    #[test]
    fn twenty_frames_at_once_pass_and_then_twenty_a_second_for_each_socket_alone() {
        let (pong, loud) = (Reply::Pong(PONG), Reply::Close(close::TOO_LOUD));
        let mut flow = Flow::default();
        for _ in 0..20 {
            assert_eq!(flow.hear("a", pong, 0), pong);
        }
        assert_eq!(flow.hear("a", pong, 0), loud);
        assert_eq!(flow.hear("b", pong, 0), pong);
        assert_eq!(flow.hear("a", pong, 50), pong);
        assert_eq!(flow.hear("a", pong, 99), loud);
        // What closes a socket anyway is not counted
        let policy = Reply::Close(close::POLICY);
        assert_eq!(flow.hear("a", policy, 99), policy);
        flow.forget("a");
        assert_eq!(flow.hear("a", pong, 99), pong);
    }

    #[test]
    fn confirmations_of_something_new_are_not_counted_and_others_are() {
        let mut flow = flow(480, 1);
        for seq in (16..=480).step_by(16) {
            let ack = Reply::Ack(seq);
            assert_eq!(flow.hear("a", ack, 480), ack);
        }
        for _ in 0..20 {
            assert_eq!(flow.hear("a", Reply::Ack(480), 480), Reply::Ack(480));
        }
        let loud = Reply::Close(close::TOO_LOUD);
        assert_eq!(flow.hear("a", Reply::Ack(480), 480), loud);
        assert_eq!(flow.hear("a", Reply::Ack(9_999), 480), loud);
        // Half of what a client should wait for is enough, less is not
        assert_eq!(flow.hear("b", Reply::Ack(16), 480), Reply::Ack(16));
        for seq in 17..=36 {
            assert_eq!(flow.hear("b", Reply::Ack(seq), 480), Reply::Ack(seq));
        }
        assert_eq!(flow.hear("b", Reply::Ack(44), 480), Reply::Ack(44));
        assert_eq!(flow.hear("b", Reply::Ack(51), 480), loud);
        assert_eq!(flow.hear("b", Reply::Ack(60), 480), Reply::Ack(60));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut flow = flow(10_000, 1);
        assert!(flow.marks.len() < 300, "{}", flow.marks.len());
        for seq in 10_001..20_000 {
            flow.send(seq, 200, seq);
        }
        assert!(flow.marks.len() < 300, "{}", flow.marks.len());
        for id in 0..=MAX_HEARD {
            flow.hear(&id.to_string(), Reply::Pong(PONG), 0);
        }
        assert_eq!(flow.heard.len(), 1);
        flow.forget("nobody");
        assert_eq!(flow.heard.len(), 1);
    }

    /// A client that reads all it is sent at once and acknowledges as it should, counting a `share`-th of the bytes.
    struct Honest {
        share: u64,
        counted: u64,
        since_ms: u64,
    }

    impl Honest {
        fn gets(&mut self, bytes: u64, now_ms: u64) -> bool {
            if now_ms > self.since_ms + ACK_WINDOW_MS {
                (self.counted, self.since_ms) = (0, now_ms);
            }
            self.counted += bytes / self.share;
            let acknowledges = self.counted >= ACK_BYTES;
            if acknowledges {
                (self.counted, self.since_ms) = (0, now_ms);
            }
            acknowledges
        }
    }

    proptest! {
        #[test]
        fn an_honest_client_is_never_closed(
            phases in prop::collection::vec((1u64..40, 0u64..2_000, 1u64..(200 * KB)), 1..12),
            share in 1u64..=3,
        ) {
            let room = sockets(&[("honest", 0)]);
            let mut client = Honest { share, counted: 0, since_ms: 0 };
            let (mut flow, mut seq, mut now_ms) = (Flow::default(), 0, 0);
            for (frames, pause_ms, bytes) in phases {
                for _ in 0..frames {
                    (seq, now_ms) = (seq + 1, now_ms + pause_ms);
                    flow.send(seq, bytes, now_ms);
                    if client.gets(bytes, now_ms) {
                        prop_assert_eq!(flow.hear("honest", Reply::Ack(seq), now_ms), Reply::Ack(seq));
                    }
                    prop_assert_eq!(flow.lagging(&room, now_ms), NONE);
                }
            }
        }

        #[test]
        fn a_client_that_stops_reading_a_hot_room_is_sent_at_most_ten_mebibytes_and_a_frame(
            read in 0u64..300,
            bytes in (2 * KB)..(200 * KB),
            hot in 1u64..20,
        ) {
            // At least 300 KB a second, so that it holds for one that never confirmed too
            let pause_ms = bytes / (300 * hot);
            let now_ms = |seq: u64| 100_000 + seq * pause_ms;
            let room = sockets(&[("stops", 0)]);
            let (mut flow, mut seq, mut unread) = (Flow::default(), 0, 0);
            loop {
                seq += 1;
                flow.send(seq, bytes, now_ms(seq));
                if seq <= read {
                    flow.hear("stops", Reply::Ack(seq), now_ms(seq));
                } else {
                    unread += bytes;
                }
                if flow.is_due(now_ms(seq)) && flow.lagging(&room, now_ms(seq)) == [0] {
                    break;
                }
                prop_assert!(unread <= MAX_UNCONFIRMED_BYTES + 2 * CHECK_BYTES + bytes);
            }
            prop_assert!(unread > MAX_UNCONFIRMED_BYTES - bytes - MARK_BYTES);
        }
    }
}
