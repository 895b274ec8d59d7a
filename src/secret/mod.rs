//! A secret: where its value comes from, the one type that holds a value, and what a good value is.
//!
//! Nothing here knows of Cloudflare. A value leaves this process in four places only: the request that sets it, the probe that
//! proves it, the standard input (or the file) of a sender, and a file that somebody names to get it.
//!
//! Imports: `process`, `terminal`

mod dotenv;
mod file;
mod json;
mod policy;
mod read;
mod secrets;
pub(crate) mod sender;
mod source;
mod value;

pub(crate) use file::Written;
pub(crate) use json::json;
pub(crate) use read::piped;
pub use secrets::Secrets;
pub use source::{NOT_A_SOURCE, Source};
pub use value::Value;
