//! Cloudflare's API as this tool uses it: what is live is read with `observe`, changed with `execute`.
//!
//! - `account`: what an account has as a whole
//! - `client`: one request: address, repeats
//! - `envelope`: what is in an answer: null means absent
//! - `page`: lists, page by page; `lists`: what was read of them
//! - `namespaces`: the Durable Object classes of an account
//! - `objects`: the objects of a namespace; `tail`: what happens in a script, as it happens
//! - `zone`: which zone is meant, and what of it decides whether requests reach a Worker
//! - `wire`: the shapes of the answers; `code`: the code of a version
//! - `copy`: a copy of the deployed version with other secrets
//! - `history`: the versions of a script by their places
//! - `older`: whether a secret is older than some time, in a long history
//! - `once`: a call that must not be sent twice, and whose answer may be lost
//! - `overtaken`: somebody else deployed meanwhile
//! - `credentials`: what opens the API, and where it is
//! - `rate_limit`: how fast calls may follow each other; `turn`: a call's turn by a clock
//! - `token`: what the API says of the credential, and which rights it lacks
//! - `path`: what may stand in the address of a call
//! - `error`: what the API answered instead; `hint`: what to do about it
//! - `redacted`: an error without the values that were sent
//! - `metadata`: a version's upload, as a pure function; `form`: how that and the files are sent
//!
//! Nothing here decides what to change: that is [`crate::plan`].
//!
//! Imports: `build`, `environment`, `http`, `plan`, `process`, `secret`, `terminal`

pub(crate) mod account;
pub(crate) mod analytics;
pub(crate) mod client;
mod code;
mod copy;
pub(crate) mod credentials;
mod envelope;
pub mod error;
pub(crate) mod execute;
mod form;
mod hint;
mod history;
pub(crate) mod lists;
pub mod metadata;
mod namespaces;
pub(crate) mod objects;
pub mod observe;
pub(crate) mod older;
mod once;
pub(crate) mod overtaken;
pub(crate) mod page;
#[cfg(test)]
pub(crate) mod paged;
mod path;
pub(crate) mod payload;
mod rate_limit;
mod redacted;
pub(crate) mod secrets;
pub(crate) mod tail;
pub(crate) mod token;
mod turn;
mod wire;
mod zone;

pub use client::Cloudflare;
