//! One connected client: what its socket remembers, what its frames mean, and when it is dead.

use crate::contract::call::Part;
use crate::contract::close::{self, Close};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A ping of exactly this text is answered by the runtime, without waking the room.
pub const PING: &str = r#"{"type":"ping"}"#;
/// The answer to a ping.
pub const PONG: &str = r#"{"type":"pong"}"#;

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
    /// Unix milliseconds when the socket was opened, or of the last ping that was not answered by the runtime.
    pub seen_ms: u64,
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
    Pong,
    Close(Close),
}

/// Decides about a frame of `bytes` bytes; `text` where it is text.
pub fn reply(text: Option<&str>, bytes: usize, max_message_bytes: u32) -> Reply {
    #[derive(Deserialize)]
    struct Message<'frame> {
        #[serde(borrow, rename = "type")]
        kind: std::borrow::Cow<'frame, str>,
    }
    if bytes > max_message_bytes as usize {
        return Reply::Close(close::TOO_LARGE);
    }
    match text.and_then(|text| serde_json::from_str::<Message<'_>>(text).ok()) {
        Some(message) if message.kind == "ping" => Reply::Pong,
        _ => Reply::Close(close::POLICY),
    }
}

/// The indexes of dead sockets, those silent for longer than `idle_timeout_ms`; 0 is never. Times are unix milliseconds.
pub fn dead(seen_ms: &[f64], now_ms: u64, idle_timeout_ms: u32) -> Vec<u32> {
    if idle_timeout_ms == 0 {
        return Vec::new();
    }
    let limit = now_ms.saturating_sub(u64::from(idle_timeout_ms)) as f64;
    (0u32..)
        .zip(seen_ms)
        .filter(|(_, seen_ms)| **seen_ms < limit)
        .map(|(index, _)| index)
        .collect()
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
    fn a_ping_is_answered_however_it_is_spaced_and_all_else_closes_the_socket() {
        for (text, reply_) in [
            (r#"{ "type": "ping" }"#, Reply::Pong),
            (r#"{"type":"ping","n":1}"#, Reply::Pong),
            (r#"{"type":"subscribe"}"#, Reply::Close(close::POLICY)),
            ("ping", Reply::Close(close::POLICY)),
            ("[]", Reply::Close(close::POLICY)),
        ] {
            assert_eq!(reply(Some(text), text.len(), 100), reply_, "{text}");
        }
        assert_eq!(reply(None, 3, 100), Reply::Close(close::POLICY));
        assert_eq!(reply(Some(PING), 101, 100), Reply::Close(close::TOO_LARGE));
    }

    #[test]
    fn only_the_silent_are_dead() {
        assert_eq!(
            dead(&[1_000.0, 9_999.0, 10_000.0, 50_000.0], 100_000, 90_000),
            [0, 1]
        );
        assert_eq!(dead(&[0.0], 100_000, 0), [0u32; 0]);
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
    }
}
