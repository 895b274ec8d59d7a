//! What every HTTP client of the tool shares: the way out, how much of an answer is read, that no redirect is followed, and how a
//! request becomes a WebSocket.
//!
//! Knows neither Cloudflare's API nor the deployed hosts.
//!
//! Imports: `terminal`

pub(crate) mod body;
pub(crate) mod connector;
pub(crate) mod redirect;
pub(crate) mod web_socket;
