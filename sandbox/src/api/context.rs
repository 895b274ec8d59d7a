//! What every handler has: the sandbox's parts.

use std::net::SocketAddr;
use std::sync::Arc;

#[cfg(feature = "faults")]
use parking_lot::Mutex;

#[cfg(feature = "faults")]
use super::faults::{guard::Guards, journal::Journal};
use super::quota::Quotas;
use crate::account::value::SecretValue;
use crate::engine::Engine;
use crate::runtime::tail::Tails;

/// Below this path lies everything.
pub(crate) const BASE: &str = "/client/v4";

/// The account that the sandbox names, and that of calls which name none; it accepts every other one too.
pub(crate) const ACCOUNT: &str = "5a2db0c5a2db0c5a2db0c5a2db0c5a2d";

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct Context {
    /// State and runtime.
    pub engine: Arc<Engine>,
    /// Calls and faults.
    #[cfg(feature = "faults")]
    pub journal: Mutex<Journal>,
    /// What stands before the hosts.
    #[cfg(feature = "faults")]
    pub guards: Guards,
    /// Calls that every token has left.
    pub quotas: Quotas,
    /// The token that opens the API.
    pub token: SecretValue,

    /// Where the API itself answers.
    pub address: SocketAddr,
    /// Where the Workers answer.
    pub ingress: SocketAddr,
    /// Who wants trace events.
    pub tails: Tails,
}

/// How handlers get the context.
pub(crate) type Shared = axum::extract::State<Arc<Context>>;
