//! What an account has and how it changes, one resource per file: pure, so no clock, no randomness, no files, no sockets, no runtime.
//! What cannot be made up purely comes in by a [`stamp::Stamp`].
//!
//! Imports: nothing

pub(crate) mod assignment;
pub(crate) mod binding;
pub(crate) mod bundle;
pub(crate) mod certificate;
pub(crate) mod class;
pub(crate) mod deployment;
pub(crate) mod dns;
pub(crate) mod domain;
pub(crate) mod error;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod inheritance;
pub(crate) mod metadata;
pub(crate) mod migration;
pub(crate) mod module;
pub(crate) mod namespace;
pub(crate) mod observability;
pub(crate) mod revision;
pub(crate) mod route;
pub(crate) mod script;
pub(crate) mod secret;
pub(crate) mod stamp;
pub(crate) mod state;
pub(crate) mod upload;
pub(crate) mod value;
pub(crate) mod version;
