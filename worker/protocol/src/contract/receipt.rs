//! The answer to a publish.

use serde::{Deserialize, Serialize};

/// The fate of one update.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The number of the update, in `epoch`.
    pub seq: u64,
    pub epoch: String,
    /// Sockets that the update was written to, or, when it waits for its window, that are open.
    pub sockets: u32,
    /// Objects that hold those sockets.
    pub shards: u32,
    /// Earlier updates that this one replaced before they were sent.
    pub dropped: u32,
    /// A repeat: the rest of the receipt is the first one's, and nothing was sent again.
    pub duplicate: bool,
    /// Older than the room's latest `slot`: not delivered.
    pub stale: bool,
    /// The update leaves with the next frame of the batch window.
    pub batched: bool,
    /// Shards that failed or did not answer in time. An update that waits for its window has not been sent when its
    /// receipt is written, so there it is those of the room's last frame.
    pub failed_shards: u32,
    /// From the request's arrival in the room to this receipt, in milliseconds.
    pub took_ms: u64,
}

impl Receipt {
    /// The receipt of a repeat of the update that this one is for.
    #[must_use]
    pub(crate) fn repeated(self) -> Self {
        Self {
            duplicate: true,
            took_ms: 0,
            ..self
        }
    }
}
