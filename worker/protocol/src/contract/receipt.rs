//! The answer to a publish.

use serde::{Deserialize, Serialize};

/// The fate of one update, or of all updates of a published `BATCH_UPDATE`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The number of the update, in `epoch`; of a batch, that of the last one which is not stale.
    pub seq: u64,
    /// Of a batch, the number of its first update: they follow each other. Absent otherwise, and where all were stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seq: Option<u64>,
    pub epoch: String,
    /// Sockets that the update was written to, or, when it waits for its window, that are open.
    pub sockets: u32,
    /// Objects that hold those sockets.
    pub shards: u32,
    /// Earlier updates that this one replaced before they were sent.
    pub dropped: u32,
    /// A repeat: the rest of the receipt is the first one's, and nothing was sent again.
    pub duplicate: bool,
    /// Older than the latest `slot` of its key: not delivered. Of a batch, whether all updates were.
    pub stale: bool,
    /// Updates of a batch that were stale, and left out; absent where none was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stale_items: u32,
    /// Its `slot`, or one of a batch's, was too far from the latest one to be of the same clock: it was delivered, and the
    /// room's mark was not moved. Absent otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    pub implausible_slot: bool,
    /// The update leaves with the next frame of the batch window.
    pub batched: bool,
    /// Shards that failed or did not answer in time. An update that waits for its window has not been sent when its
    /// receipt is written, so there it is those of the room's last frame.
    pub failed_shards: u32,
    /// From the request's arrival in the room to this receipt, in milliseconds.
    pub took_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
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
