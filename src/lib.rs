//! edge-broadcast: from an environment manifest to a verified deployment.

pub mod bundle;
pub mod child;
pub mod commands;
pub mod file_lock;
pub mod interrupt;
pub mod invocation;
pub mod progress;
pub mod sandbox;
pub mod toolchain;
pub mod workspace;
