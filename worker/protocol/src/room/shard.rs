//! Root and shards: what they say to each other, and what a shard knows of its place in the room.

use super::event::Request;
use super::peer::Peer;
use super::stream::{Push, Stream};
use crate::contract::call::{Connect, Part};
use serde::{Deserialize, Serialize};

/// The time that an object waits for another one before it counts it as failed. A full object needs 1.1 to 1.6 seconds to write
/// one frame to all its sockets, several times that when its machine is busy or an earlier frame is still being written;
/// called failed, it would be sent the frame again. Nobody but the publisher waits for it: the frames of the other objects
/// have left before.
pub const SHARD_TIME_LIMIT_MS: u64 = 10_000;
/// The time after a failure when a shard is sent what it may have missed; four times as long after each that fails too.
pub const PUSH_AGAIN_MS: u64 = 1000;
/// How often it is sent that: a shard that then fails still is sent it with the next update.
pub const PUSH_AGAIN_TRIES: u32 = 3;

/// The answer to a shard that wants to join: nothing when the room has as many objects as it may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    pub stream: Option<Stream>,
}

/// The answer of a shard to a push.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// Sockets that the frame was written to.
    pub sockets: u32,
    /// Sockets whose write failed.
    pub failed: u32,
    /// The shard's own clock, where it holds no socket and is not about to: the root forgets it.
    pub left_ms: Option<u64>,
}

/// A client that wants a socket.
#[derive(Debug)]
pub(crate) struct Client {
    pub request: Request,
    /// The name of its socket.
    pub random: String,
    pub call: Connect,
}

/// What an object knows of its room; all but the token is for shards.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    /// The token of the room, once a call has told it.
    pub token: String,
    /// Whether this is a root or a shard, once something has told it.
    pub part: Option<Part>,
    /// Whether the newest socket is about to be marked.
    pub marking: bool,
    /// Whether the root knows this shard.
    pub joined: bool,
    /// The last time of this shard's clock that it has told the root.
    pub clock_ms: u64,
    /// Whether the root is being asked for its stream.
    pub asking: bool,
    /// Whether it was told, since it was asked, that there is no socket here: its answer is not to be relied on.
    pub left: bool,
    /// How often it was asked in a row for what is missing before the pushes below.
    pub asked: u32,
    /// Clients that get a socket once it has answered.
    pub connecting: Vec<Client>,
    /// Pushes that wait for its answer, since something before them is missing.
    pub held: Vec<(Request, Push)>,
}

impl Membership {
    /// Takes from a socket what it remembers of its object.
    pub(crate) fn place(&mut self, peer: &Peer) {
        self.part = Some(peer.part());
        // In an earlier life its clock may have been ahead: told an earlier time, the root would take what is said now for
        // something that it knows.
        self.clock_ms = self.clock_ms.max(peer.clock_ms);
        if self.token.is_empty() {
            self.token.clone_from(&peer.token);
        }
    }

    /// This shard's clock, which never says the same twice: the root tells by it what came first.
    pub(crate) fn clock(&mut self, now_ms: u64) -> u64 {
        self.clock_ms = now_ms.max(self.clock_ms + 1);
        self.clock_ms
    }
}
