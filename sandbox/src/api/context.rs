//! What every handler has: the sandbox's parts.

use std::net::SocketAddr;
use std::sync::Arc;

#[cfg(feature = "faults")]
use super::faults::journal::Journal;
use super::quota::Quotas;
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
