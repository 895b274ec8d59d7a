//! What the tool and the two workers must agree on, and every decision of the workers as a pure function.
//!
//! No dependency on `worker`, no clock, no randomness: all of this is tested on the host.
//!
//! Agreed with the tool:
//! - [`binding`]: the names of bindings, the Durable Object class and its migration
//! - [`settings`]: what a manifest tells each worker, sent as the JSON binding `SETTINGS`
//! - [`metric`]: the columns of Analytics Engine data points
//! - [`receipt`], [`report`], [`slot`]: what publishers and administrators are answered
//!
//! At the gateway:
//! - [`route`], [`token`], [`origin`], [`refusal`]: what a request asks for, and why it is not served
//! - [`credential`], [`signature`]: who may publish
//! - [`address`], [`place`], [`probe`]: who a client is, and which object its socket goes to
//! - [`update`], [`batch`]: what is published, the frames that carry it, and what a batch is answered
//! - [`health`]: whether all of this runs
//! - [`call`]: what the gateway, a room's root and its shards ask of each other
//!
//! In the room:
//! - [`room`]: what becomes of a publish, by way of [`recent`], [`bucket`], [`stream`] and [`window`]
//! - [`registry`]: the shards that hold sockets
//! - [`greeting`], [`peer`]: the first frame of a socket, and what becomes of it later
//! - [`headcount`], [`turn`]: how many sockets there are, and which of them is served first
//! - [`save`], [`counters`]: what is written down, and when

pub mod address;
pub mod batch;
pub mod binding;
pub mod bucket;
pub mod call;
pub mod counters;
pub mod credential;
pub mod greeting;
pub mod headcount;
pub mod health;
pub mod metric;
pub mod origin;
pub mod peer;
pub mod place;
pub mod probe;
pub mod receipt;
pub mod recent;
pub mod refusal;
pub mod registry;
pub mod report;
pub mod room;
pub mod route;
pub mod save;
pub mod settings;
pub mod signature;
pub mod slot;
pub mod stream;
pub mod token;
pub mod turn;
pub mod update;
pub mod window;
