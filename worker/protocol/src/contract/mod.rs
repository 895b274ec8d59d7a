//! What one side writes and another one reads: names, shapes and limits that the tool, both Workers, publishers and
//! clients agree on. Not here: what a Worker decides with them, unless both Workers decide it alike.
//!
//! Imports: nothing
//!
//! - What the tool deploys: [`binding`], [`settings`], [`metric`]
//! - What publishers and administrators send and are answered: [`head`], [`signature`], [`receipt`], [`refusal`],
//!   [`report`] with its [`counters`], [`slot`], [`health`]
//! - What clients see: [`frame`], [`token`], [`close`]
//! - Shapes of what is read and written by hand, for the documents alone: `publish`, `results`
//! - What the gateway, a room's root and its shards ask of each other: [`call`], [`place`]
//! - What both Workers decide alike: [`save`]

pub mod binding;
pub mod call;
pub mod close;
pub mod counters;
pub mod frame;
pub mod head;
pub mod health;
pub mod metric;
pub mod place;
#[cfg(feature = "describe")]
pub mod publish;
pub mod receipt;
pub mod refusal;
pub mod report;
#[cfg(feature = "describe")]
pub mod results;
pub mod save;
pub mod settings;
pub mod signature;
pub mod slot;
pub mod token;
