//! The answer to a publish.

use serde::{Deserialize, Serialize};

/// What became of one update, or of all updates of a published `BATCH_UPDATE`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema))]
pub struct Receipt {
    /// The update's number; of a batch, that of its last; of a stale one, the last number that was given.
    pub seq: u64,
    /// Of a [batch](#a-batch), the number of its first update: they follow each other; absent otherwise, and where all were
    /// stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "describe", schemars(with = "u64"))]
    pub first_seq: Option<u64>,
    /// The epoch of that number.
    pub epoch: String,
    /// Sockets that it was written to; while it waits for its window, sockets that are open.
    pub sockets: u32,
    /// Objects that hold those sockets.
    pub shards: u32,
    /// Earlier updates that this one replaced before they were sent.
    pub dropped: u32,
    /// A repeat: the rest is the first one's receipt, and nothing was sent again.
    pub duplicate: bool,
    /// Older than the latest `slot` of its key: not delivered; of a batch, whether every item was.
    pub stale: bool,
    /// Items of a batch that were stale; absent where none was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stale_items: u32,
    /// Its [slot](#slots), or that of an item, cannot be of the room's clock; absent otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    #[cfg_attr(feature = "describe", schemars(extend("const" = true)))]
    pub implausible_slot: bool,
    /// It leaves with the next frame of the batch window.
    pub batched: bool,
    // An update that waits for its window has not been sent when its receipt is written: there it is those of the room's
    // last frame.
    /// Shards that failed or did not answer in time; they are sent it up to three times more, after 1, 4 and 16 seconds.
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
