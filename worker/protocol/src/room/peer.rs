//! One connected client: what its socket remembers, what its frames mean, and when it has to go for its silence.

use crate::contract::call::Part;
use crate::contract::close::{self, Close};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// A ping of exactly this text is answered by the runtime, without waking the room.
pub const PING: &str = r#"{"type":"ping"}"#;
/// The answer to a ping.
pub const PONG: &str = r#"{"type":"pong"}"#;
/// The types of what a client may send.
pub const TYPES: [&str; 2] = ["ping", "ack"];
/// A ping of clients whose libraries know no other, and its answer.
const PLAIN: [&str; 2] = ["ping", "pong"];

/// The attachment of a socket, which survives hibernation with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    pub id: String,
    /// The token of the room.
    pub token: String,
    /// The name of this object, and its region.
    pub name: String,
    pub region: String,
    pub max_message_bytes: u32,
    /// Unix milliseconds when the socket was opened.
    pub opened_ms: u64,
    /// Unix milliseconds of the last ping that was not answered by the runtime.
    #[serde(default)]
    pub pinged_ms: Option<u64>,
    /// In a shard, where its stream stood when it last sent something to this socket: the newest one says so for all, since
    /// a shard that has hibernated knows nothing else of it.
    #[serde(default)]
    pub epoch: String,
    #[serde(default)]
    pub sent: u64,
    /// In a shard, the last time of its clock that its root had heard when the socket was opened.
    #[serde(default)]
    pub clock_ms: u64,
    /// In a root, the life of it in which the socket was opened: see [`super::root::Root::confirm_record`].
    #[serde(default)]
    pub life: u64,
}

impl Peer {
    /// The part that its object has in the room.
    pub fn part(&self) -> Part {
        Part::of(&self.name, &self.token)
    }
}

/// The socket tag of a client: equal for its sockets in one room, and telling nothing without the room's `salt`.
pub fn tag(salt: &str, group: &str) -> String {
    let digest = Sha256::new()
        .chain_update(salt)
        .chain_update([0])
        .chain_update(group)
        .finalize();
    let digits: String = digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("ip:{digits}")
}

/// The reaction to a frame from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It was a ping; the frame that answers it.
    Pong(&'static str),
    /// The client has got everything up to this number.
    Ack(u64),
    Close(Close),
}

/// Decides about a frame of `bytes` bytes; `text` where it is text.
pub fn reply(text: Option<&str>, bytes: usize, max_message_bytes: u32) -> Reply {
    #[derive(Deserialize)]
    struct Message<'frame> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'frame, str>,
    }
    #[derive(Deserialize)]
    struct Ack {
        seq: u64,
    }
    if bytes > max_message_bytes as usize {
        return Reply::Close(close::TOO_LARGE);
    }
    let text = text.unwrap_or_default();
    if text == PLAIN[0] {
        return Reply::Pong(PLAIN[1]);
    }
    let message = serde_json::from_str::<Message<'_>>(text).ok();
    let kind = message.map(|message| message.kind).unwrap_or_default();
    let reply = match TYPES.iter().position(|known| *known == kind) {
        Some(0) => Some(Reply::Pong(PONG)),
        Some(_) => serde_json::from_str::<Ack>(text)
            .ok()
            .map(|ack| Reply::Ack(ack.seq)),
        None => None,
    };
    reply.unwrap_or(Reply::Close(close::POLICY))
}

/// What is known of one open socket, in unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub opened_ms: u64,
    /// The last ping, whoever answered it; `None` of a client that never sent one.
    pub pinged_ms: Option<u64>,
}

impl Seen {
    /// A socket that is closing already: it holds no place, and nobody is to close it again.
    pub const CLOSING: Self = Self {
        opened_ms: u64::MAX,
        pinged_ms: None,
    };

    fn heard_ms(&self) -> u64 {
        self.pinged_ms.unwrap_or(self.opened_ms)
    }
}

/// Those that never pinged which give way at once: one in so many of them, and at least one. One would do for one client;
/// but to look at every socket of a full object costs a third of a second, and closing all would bring all back at once.
const GIVING_WAY_AT_ONCE: usize = 64;

/// The indexes of the sockets to close in passing: they have pinged once, and have been silent for longer than
/// `idle_timeout_ms` since; 0 is never. A client that never pinged may be well: many libraries ping by protocol only, which
/// the room does not see.
pub fn swept(seen: &[Seen], now_ms: u64, idle_timeout_ms: u32) -> Vec<u32> {
    silent(seen, now_ms, idle_timeout_ms)
        .filter(|(_, seen)| seen.pinged_ms.is_some())
        .map(|(index, _)| index)
        .collect()
}

/// The indexes of the sockets to close before a client is refused for want of their place: all that [`swept`] finds, and
/// where it finds none, of those that never pinged and were opened longer ago than `idle_timeout_ms` the oldest. Empty only
/// where nobody is silent.
pub fn giving_way(seen: &[Seen], now_ms: u64, idle_timeout_ms: u32) -> Vec<u32> {
    let mut indexes = swept(seen, now_ms, idle_timeout_ms);
    if indexes.is_empty() {
        let mut mute: Vec<(u64, u32)> = silent(seen, now_ms, idle_timeout_ms)
            .map(|(index, seen)| (seen.opened_ms, index))
            .collect();
        for _ in 0..mute.len().div_ceil(GIVING_WAY_AT_ONCE) {
            if let Some((at, _)) = mute.iter().enumerate().min_by_key(|(_, one)| **one) {
                indexes.push(mute.swap_remove(at).1);
            }
        }
    }
    indexes
}

/// The earliest time at which [`giving_way`] may find somebody among sockets of which nobody gives way now, whatever is
/// opened in the meantime. A full object need not look at all of them for each client that it refuses before then.
pub fn giving_way_ms(seen: &[Seen], now_ms: u64, idle_timeout_ms: u32) -> u64 {
    if idle_timeout_ms == 0 {
        return u64::MAX;
    }
    let first_ms = seen.iter().map(Seen::heard_ms).fold(now_ms, u64::min);
    first_ms.saturating_add(u64::from(idle_timeout_ms) + 1)
}

/// Whether `again_ms`, which [`giving_way_ms`] told, is still to come. A clock that was set back must not make it last longer
/// than an idle time, where there is one.
pub fn is_before(again_ms: u64, now_ms: u64, idle_timeout_ms: u32) -> bool {
    let left_ms = again_ms.saturating_sub(now_ms);
    left_ms > 0 && (idle_timeout_ms == 0 || left_ms <= u64::from(idle_timeout_ms))
}

/// Those from which nothing was heard for longer than `idle_timeout_ms`, with their indexes.
fn silent(seen: &[Seen], now_ms: u64, idle_timeout_ms: u32) -> impl Iterator<Item = (u32, &Seen)> {
    // 0 is never
    let limit_ms = match idle_timeout_ms {
        0 => 0,
        timeout_ms => now_ms.saturating_sub(u64::from(timeout_ms)),
    };
    (0..)
        .zip(seen)
        .filter(move |(_, seen)| seen.heard_ms() < limit_ms)
}

/// Tells whether it is time to look for dead sockets again: often enough to find them soon, seldom enough to cost nothing.
pub fn sweep_due(last_ms: Option<u64>, now_ms: u64, idle_timeout_ms: u32) -> bool {
    let interval_ms = u64::from(idle_timeout_ms / 3);
    idle_timeout_ms > 0
        && last_ms.is_none_or(|last_ms| now_ms >= last_ms.saturating_add(interval_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_ping_is_answered_however_it_is_spelt_an_ack_is_taken_and_all_else_closes_the_socket() {
        let policy = Reply::Close(close::POLICY);
        for (text, reply_) in [
            (r#"{ "type": "ping" }"#, Reply::Pong(PONG)),
            (r#"{"type":"ping","seq":"x"}"#, Reply::Pong(PONG)),
            ("ping", Reply::Pong("pong")),
            (r#"{"type":"ack","seq":42}"#, Reply::Ack(42)),
            (r#"{"seq": 0, "type": "ack"}"#, Reply::Ack(0)),
            (r#"{"type":"ack"}"#, policy),
            (r#"{"type":"ack","seq":-1}"#, policy),
            (r#"{"type":"ack","seq":1.5}"#, policy),
            (r#"{"type":"ack","seq":"1"}"#, policy),
            (r#"{"type":"subscribe"}"#, policy),
            (r#"{"type":"pong"}"#, policy),
            (" ping", policy),
            ("pong", policy),
            ("[]", policy),
            ("", policy),
        ] {
            assert_eq!(reply(Some(text), text.len(), 100), reply_, "{text}");
        }
        assert_eq!(reply(None, 3, 100), policy);
        assert_eq!(reply(None, 0, 100), policy);
        for text in [PING, "ping", r#"{"type":"ack","seq":1}"#] {
            let large = reply(Some(text), 101, 100);
            assert_eq!(large, Reply::Close(close::TOO_LARGE), "{text}");
        }
    }

    #[test]
    fn what_is_answered_without_waking_the_room_is_exactly_a_ping_and_a_pong() {
        use crate::contract::frame::{ClientFrame, Ping, PingType, Pong, PongType, RoomFrame};
        let ping = ClientFrame::Ping(Ping {
            kind: PingType::Only,
        });
        assert_eq!(serde_json::to_string(&ping).unwrap(), PING);
        let pong = Pong {
            kind: PongType::Only,
        };
        assert_eq!(serde_json::to_string(&pong).unwrap(), PONG);
        assert!(serde_json::from_str::<RoomFrame>(PONG).is_ok());
    }

    #[test]
    fn an_attachment_has_the_names_that_the_loops_over_all_sockets_read() {
        let text = r#"{"id":"i","token":"SOL","name":"SOL//1","region":"","max_message_bytes":9,"opened_ms":7,"pinged_ms":8,"epoch":"","sent":0,"clock_ms":0,"life":0}"#;
        let peer: Peer = serde_json::from_str(text).unwrap();
        assert_eq!((peer.opened_ms, peer.pinged_ms), (7, Some(8)));
        assert_eq!(serde_json::to_string(&peer).unwrap(), text);
    }

    const fn seen(opened_ms: u64, pinged_ms: Option<u64>) -> Seen {
        Seen {
            opened_ms,
            pinged_ms,
        }
    }

    const NONE: [u32; 0] = [];

    #[test]
    fn in_passing_only_those_go_that_have_pinged_and_stopped() {
        let room = [
            seen(0, None),
            seen(0, Some(9_999)),
            seen(0, Some(10_000)),
            Seen::CLOSING,
            seen(5_000, Some(6_000)),
        ];
        assert_eq!(swept(&room, 100_000, 90_000), [1, 4]);
        assert_eq!(swept(&room, 100_000, 0), NONE);
    }

    #[test]
    fn for_a_place_those_go_that_stopped_pinging_or_else_the_oldest_that_never_pinged() {
        let room = [seen(3, None), seen(1, None), seen(2, None)];
        assert_eq!(giving_way(&room, 100_000, 90_000), [1]);
        assert_eq!(giving_way(&room[..1], 90_003, 90_000), NONE);
        assert_eq!(giving_way(&room[..1], 90_004, 90_000), [0]);
        let stopped = [seen(1, None), seen(1, Some(2)), seen(1, Some(3))];
        assert_eq!(giving_way(&stopped, 100_000, 90_000), [1, 2]);
        assert_eq!(giving_way(&[Seen::CLOSING], u64::MAX, 1), NONE);
        assert_eq!(giving_way(&room, u64::MAX, 0), NONE);
    }

    #[test]
    fn of_a_crowd_that_never_pinged_a_few_give_way_at_a_time() {
        let room: Vec<Seen> = (0..130).rev().map(|ms| seen(ms, None)).collect();
        assert_eq!(giving_way(&room, 1_000, 500), [129, 128, 127]);
    }

    #[test]
    fn a_full_object_looks_again_when_the_first_may_have_become_silent() {
        let room = [seen(0, Some(50_000)), seen(20_000, None), Seen::CLOSING];
        let again_ms = giving_way_ms(&room, 60_000, 90_000);
        assert_eq!(again_ms, 110_001);
        assert_eq!(giving_way(&room, again_ms - 1, 90_000), NONE);
        assert_eq!(giving_way(&room, again_ms, 90_000), [1]);
        assert_eq!(giving_way_ms(&[], 60_000, 90_000), 150_001);
        assert_eq!(giving_way_ms(&room, 60_000, 0), u64::MAX);
    }

    #[test]
    fn a_full_object_where_nobody_is_ever_silent_looks_once() {
        let room = [seen(0, None), seen(20_000, Some(30_000))];
        for (idle_timeout_ms, now_ms, waits) in [
            (0, 60_000, true),
            (0, u64::MAX - 1, true),
            (90_000, 60_000, true),
            (90_000, 90_000, true),
            (90_000, 90_001, false),
            // A clock that was set back
            (90_000, 0, false),
        ] {
            let again_ms = giving_way_ms(&room, 60_000, idle_timeout_ms);
            assert_eq!(
                is_before(again_ms, now_ms, idle_timeout_ms),
                waits,
                "{idle_timeout_ms} {now_ms}"
            );
        }
    }

    #[test]
    fn the_sweep_runs_three_times_per_idle_time() {
        assert!(sweep_due(None, 0, 90_000));
        assert!(!sweep_due(Some(1_000), 30_999, 90_000));
        assert!(sweep_due(Some(1_000), 31_000, 90_000));
        assert!(!sweep_due(None, 0, 0));
    }

    #[test]
    fn a_tag_depends_on_the_salt_and_does_not_hold_the_address() {
        let tag_ = tag("a", "203.0.113.7");
        assert_eq!(tag_.len(), 35);
        assert!(!tag_.contains("203"));
        assert_ne!(tag_, tag("b", "203.0.113.7"));
        assert_eq!(tag_, tag("a", "203.0.113.7"));
    }

    proptest! {
        #[test]
        fn no_frame_panics(text in ".*", max in any::<u32>()) {
            let _ = reply(Some(&text), text.len(), max);
        }

        #[test]
        fn nobody_gives_way_who_was_heard_of_and_somebody_does_while_one_is_silent(
            room in prop::collection::vec((0u64..1_000, prop::option::of(0u64..1_000)), 0..200),
            now_ms in 0u64..1_500,
            idle_timeout_ms in 1u32..600,
        ) {
            let room: Vec<Seen> = room.into_iter().map(|(opened_ms, pinged_ms)| seen(opened_ms, pinged_ms)).collect();
            let is_silent = |seen: &Seen| seen.heard_ms() + u64::from(idle_timeout_ms) < now_ms;
            let go = giving_way(&room, now_ms, idle_timeout_ms);
            prop_assert!(go.iter().all(|index| is_silent(&room[*index as usize])));
            prop_assert_eq!(go.is_empty(), !room.iter().any(is_silent));
            if go.is_empty() {
                prop_assert!(giving_way_ms(&room, now_ms, idle_timeout_ms) > now_ms);
            }
            let swept = swept(&room, now_ms, idle_timeout_ms);
            let stopped = room.iter().filter(|seen| seen.pinged_ms.is_some() && is_silent(seen));
            prop_assert_eq!(swept.len(), stopped.count());
            prop_assert!(swept.is_empty() || swept == go);
        }
    }
}
