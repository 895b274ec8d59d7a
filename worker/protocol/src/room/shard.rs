//! Answers of a root and its shards to each other.

use super::stream::Stream;
use serde::{Deserialize, Serialize};

/// The time that an object waits for another one before it counts it as failed. A full object needs 1.1 to 1.6 seconds to write
/// one frame to all its sockets, several times that when its machine is busy or an earlier frame is still being written;
/// called failed, it would be sent the frame again. Nobody but the publisher waits for it: the frames of the other objects
/// have left before.
pub const SHARD_TIME_LIMIT_MS: u64 = 10_000;
/// The time after a failure when a shard is sent what it may have missed, once.
pub const PUSH_AGAIN_MS: u64 = 1000;

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
