//! The answer of `POST /broadcast`: a result for each item. The gateway writes it by hand, from the rooms' own answers; these are its
//! shapes.

use super::receipt::Receipt;
use super::refusal;
use schemars::JsonSchema;

/// The results of `POST /broadcast`, in the order of the items.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a shape: the body is written by hand")]
pub struct Results {
    /// What became of each item.
    results: Vec<ItemResult>,
}

/// What became of an item.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum ItemResult {
    Accepted(AcceptedItem),
    Refused(RefusedItem),
}

/// An item that was accepted: its receipt. A repeat and a stale one are.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a shape: the body is written by hand")]
pub struct AcceptedItem {
    /// What a publish of this item alone would have been answered.
    #[schemars(extend("const" = 200))]
    status: u16,
    #[schemars(flatten)]
    receipt: Receipt,
}

/// An item that was refused: its error.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "a shape: the body is written by hand")]
pub struct RefusedItem {
    /// What a publish of this item alone would have been answered.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// Seconds; only where there is a `Retry-After`.
    #[schemars(with = "u32", skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
    #[schemars(flatten)]
    refusal: refusal::Body,
}
