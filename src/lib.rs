//! edge-broadcast: from an environment manifest to a verified deployment.

pub mod build;
pub mod cloudflare;
pub mod commands;
pub mod deploy;
pub mod environment;
pub(crate) mod generate;
pub(crate) mod http;
pub mod live;
pub(crate) mod metric;
pub mod plan;
pub mod process;
pub(crate) mod rotation;
pub mod secret;
pub mod terminal;
