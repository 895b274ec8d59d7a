//! workerd: its configuration, its process, and what it says of itself (logs, data points, trace events, objects). What is deployed is
//! decided elsewhere, and no request of a client comes by here.
//!
//! Imports: `account`, `analytics`, `store`

pub(crate) mod analytics;
pub(crate) mod ask;
pub(crate) mod capnp;
pub(crate) mod config;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod host;
pub(crate) mod log;
pub(crate) mod probe;
pub(crate) mod process;
pub(crate) mod respawn;
pub(crate) mod tail;
pub(crate) mod trace;
pub(crate) mod trace_filter;
pub(crate) mod worker;
