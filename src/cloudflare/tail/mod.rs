//! The trace events of a script, as they happen: what `wrangler tail` reads (its `src/tail`).
//!
//! - `filter`: which events are wanted
//! - `schedule`: when a tail is renewed and when it is tried again; pure
//! - `overlap`: events that two tails give are told once; pure
//! - `socket`: the WebSocket that a tail is read through
//! - `follow`: one tail after the other, until whoever asks has enough

mod filter;
mod follow;
mod overlap;
mod schedule;
mod socket;

pub(crate) use filter::Filters;
pub(crate) use follow::follow;
