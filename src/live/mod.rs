//! A deployed environment as its clients reach it: sites, sockets, publishes, admin calls, and proofs that they work.
//!
//! Speaks HTTP and WebSocket to the deployed hosts only; Cloudflare's API is in `cloudflare`.
//!
//! Imports: `environment`, `http`, `secret`, `terminal`

pub(crate) mod acceptance;
pub(crate) mod bench;
pub(crate) mod credential;
pub(crate) mod elsewhere;
pub(crate) mod header;
pub(crate) mod loss;
pub(crate) mod occupancy;
pub mod rooms;
pub mod site;
pub mod verify;
