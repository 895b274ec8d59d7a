//! Decisions of a room's objects, its root and its shards. Not here: a request's credentials and headers, which the
//! gateway has judged.
//!
//! Imports: `contract`
//!
//! - The state machine: `machine`, by way of `delivery`, `socket`, `membership`, `store`, `inspection` and
//!   `uses` over what an [`object`] remembers, some of it [`pending`]; [`event`] comes in, [`effect`] goes out
//! - What becomes of a publish: [`root`], by way of [`recent`], [`bucket`], [`mark`], [`stream`] and [`window`]
//! - What subscribers are sent, and who of them first: [`greeting`], [`update`], [`turn`]
//! - The sockets of one object: [`peer`], [`headcount`], [`flow`]
//! - Root and shards: [`registry`], [`shard`], [`report`]

pub mod bucket;
mod delivery;
pub mod effect;
pub mod event;
pub mod flow;
pub mod greeting;
pub mod headcount;
mod inspection;
mod machine;
pub mod mark;
mod membership;
pub mod object;
pub mod peer;
pub mod pending;
pub mod recent;
pub mod registry;
pub mod report;
pub mod root;
pub mod shard;
mod socket;
mod store;
pub mod stream;
pub mod turn;
pub mod update;
mod uses;
pub mod window;
