//! The wire as data: what the documents and the clients' types are made of. Not here: their texts, which the tool writes, and
//! anything that a Worker needs.
//!
//! Imports: `contract`
//!
//! - What is asked for and answered: [`route`], with its [`header`]s and [`parameter`]s
//! - What bodies and frames look like: [`schema`], [`frame`], which passes on what of `room` is a client's affair too

pub mod frame;
pub mod header;
pub mod parameter;
pub mod route;
pub mod schema;
