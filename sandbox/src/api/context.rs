//! What every handler has: the sandbox's parts, and how a request is read.

use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderMap;
use serde::de::DeserializeOwned;

#[cfg(feature = "faults")]
use super::faults::journal::Journal;
use super::quota::Quotas;
use crate::account::error::{ApiError, invalid};
use crate::account::stamp::{self, Stamp};
use crate::account::value::SecretValue;
use crate::engine::Engine;
use crate::runtime::tail::Tails;

/// Below this path lies everything.
pub(crate) const BASE: &str = "/client/v4";
/// What the handlers share.
#[derive(Debug)]
pub(crate) struct Context {
    /// State and runtime.
    pub engine: Arc<Engine>,
    /// Calls and faults.
    #[cfg(feature = "faults")]
    pub journal: Journal,
    /// Calls that every token has left.
    pub quotas: Quotas,
    /// The token that opens the API.
    pub token: SecretValue,
    /// The account of calls that name none.
    pub account: String,
    /// Where the API itself answers.
    pub address: SocketAddr,
    /// Where the Workers answer.
    pub ingress: SocketAddr,
    /// Who wants trace events.
    pub tails: Tails,
}

/// How handlers get the context.
pub(crate) type Shared = axum::extract::State<Arc<Context>>;

/// A stamp for a change by this request.
pub(super) fn stamp(headers: &HeaderMap) -> Stamp {
    stamp::stamp(
        headers
            .get(http::header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok()),
    )
}

/// Reads a JSON body. The error says where, never what: a body can hold a secret.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        let message = format!(
            "could not read the JSON body at line {} column {}",
            error.line(),
            error.column()
        );
        invalid(10026, message)
    })
}
