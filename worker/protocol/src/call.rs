//! What gateway, root and shards ask of each other.
//!
//! A call travels as JSON in one header, [`HEADER`]. Whoever calls sets it, so what a client sent under that name never
//! arrives; a room reads it and, of everything else, only `Upgrade` and the body. All of it is visible ASCII.

use crate::{place::Place, slot::Slot, stream::Stream};
use serde::{Deserialize, Serialize};

/// The request header that holds a [`Call`].
pub const HEADER: &str = "x-edge-call";
/// The response header of an object that is full: the index of the shard to try next.
pub const NEXT: &str = "x-edge-next";
/// How long an object waits for another one before it counts it as failed. A full object needs 1.1 to 1.6 seconds to write
/// one frame to all its sockets, several times that when its machine is busy or an earlier frame is still being written;
/// called failed, it would be sent the frame again. Nobody but the publisher waits for it: the frames of the other objects
/// have left before.
pub const SHARD_TIME_LIMIT_MS: u64 = 10_000;
/// How long after a failure a shard is sent what it may have missed, once.
pub const PUSH_AGAIN_MS: u64 = 1000;

/// A request to an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Gateway to root or shard: open a socket.
    Connect(Connect),
    /// Gateway to root; the body is the update.
    Publish(Publish),
    /// Gateway to root.
    Snapshot {
        token: String,
        if_none_match: Option<String>,
    },
    /// Gateway to root, root to shard: how are you?
    Inspect {
        token: String,
        /// The object's own name, and its region.
        name: String,
        region: String,
    },
    /// Gateway to [`crate::place::HEALTH_OBJECT`].
    Health,
    /// Gateway to [`crate::place::USES_OBJECT`]; the body is [`crate::slot::Uses`] to add, or empty.
    Uses,
    /// Shard to root, before its first socket; answered with a [`Joined`].
    Join { name: String, region: String },
    /// Shard to root, after its last socket.
    Leave { name: String },
    /// Root to shard; the body is a [`crate::stream::Push`], the answer a [`Pushed`].
    Push,
}

/// A client that wants a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connect {
    pub place: Place,
    /// The client's [`crate::address::group`], where its address is known.
    pub address: Option<String>,
    /// Sockets that one address may hold in one object; 0 is no limit.
    pub per_address: u32,
    /// The largest frame that the client may send, in bytes.
    pub max_message_bytes: u32,
    /// The last number that the client has seen.
    pub since: Option<u64>,
    /// The epoch of that number.
    pub epoch: Option<String>,
}

/// An update whose publisher has been authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    pub token: String,
    pub slot: Slot,
    /// Two publishes with the same id are one.
    pub id: Option<String>,
    pub force: bool,
}

/// What a shard gets when it wants to join: nothing when the room has as many objects as it may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    pub stream: Option<Stream>,
}

/// What a shard says of a push.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// Sockets that the frame was written to.
    pub sockets: u32,
    /// Sockets whose write failed.
    pub failed: u32,
    /// Whether the shard holds sockets or is about to; if not, the root forgets it.
    pub stays: bool,
}

impl Call {
    /// What the call is, in a word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Publish(_) => "publish",
            Self::Snapshot { .. } => "snapshot",
            Self::Inspect { .. } => "inspect",
            Self::Health => "health",
            Self::Uses => "uses",
            Self::Join { .. } => "join",
            Self::Leave { .. } => "leave",
            Self::Push => "push",
        }
    }

    /// The header's value.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers serialise")
    }

    /// Reads the header's value.
    pub fn decode(header: &str) -> Option<Self> {
        serde_json::from_str(header).ok()
    }
}

/// `text`, when it can be part of a header: visible ASCII of reasonable length.
pub fn plain(text: &str) -> Option<String> {
    (text.len() <= 256
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' '))
    .then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_call_is_one_line_of_json() {
        let call = Call::Publish(Publish {
            token: "SOL".to_owned(),
            slot: Slot::Alternate,
            id: Some("msg_1".to_owned()),
            force: false,
        });
        assert_eq!(
            call.encode(),
            r#"{"publish":{"token":"SOL","slot":"alternate","id":"msg_1","force":false}}"#
        );
        assert_eq!(Call::decode(&call.encode()), Some(call));
    }

    #[test]
    fn what_cannot_be_in_a_header_is_left_out() {
        assert_eq!(plain("\"e1-7\"").as_deref(), Some("\"e1-7\""));
        for text in ["é", "a\r\nb", &"a".repeat(257)] {
            assert_eq!(plain(text), None);
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(header in ".*") {
            let _ = Call::decode(&header);
        }
    }
}
