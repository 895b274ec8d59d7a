//! Decisions of a room's objects, its root and its shards. Not here: a request's credentials and headers, which the
//! gateway has judged.
//!
//! Imports: `contract`
//!
//! - What becomes of a publish: [`root`], by way of [`recent`], [`bucket`], [`stream`] and [`window`]
//! - What subscribers are sent, and who of them first: [`greeting`], [`update`], [`turn`]
//! - The sockets of one object: [`peer`], [`headcount`], [`flow`]
//! - Root and shards: [`registry`], [`shard`], [`report`]

pub mod bucket;
pub mod flow;
pub mod greeting;
pub mod headcount;
pub mod peer;
pub mod recent;
pub mod registry;
pub mod report;
pub mod root;
pub mod shard;
pub mod stream;
pub mod turn;
pub mod update;
pub mod window;
