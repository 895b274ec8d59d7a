//! Decisions about one request, made before a room sees it. Not here: anything that a room remembers, and anything that
//! the room's Worker needs too.
//!
//! Imports: `contract`
//!
//! - What is asked for: [`route`], [`subprotocol`], [`media_type`], [`encoding`], [`batch`]
//! - Who asks: [`origin`], [`envelope`], [`credential`], [`claim`], [`address`]
//! - Which object is to serve it: [`region`], [`search`], [`probe`]

pub mod address;
pub mod batch;
pub mod claim;
pub mod credential;
pub mod encoding;
pub mod envelope;
pub mod media_type;
pub mod origin;
pub mod probe;
pub mod region;
pub mod route;
pub mod search;
pub mod subprotocol;
