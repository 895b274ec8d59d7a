//! What a publisher shows: the secret itself, or a signature made with it.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use edge_broadcast_protocol::contract::signature::signature;
use zeroize::Zeroizing;

use crate::environment::Environment;
use crate::secret::Value;

/// The way of a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    Bearer,
    /// Standard Webhooks. Accepted everywhere.
    Signature,
}

impl Credential {
    /// As the environment's publishers must.
    pub(crate) fn of(environment: &Environment) -> Self {
        match environment.gateway.require_signature {
            true => Self::Signature,
            false => Self::Bearer,
        }
    }

    /// The headers of a publish of `body`.
    pub(super) fn headers(
        self,
        secret: &Value,
        body: &str,
    ) -> anyhow::Result<Vec<(&'static str, Zeroizing<String>)>> {
        if self == Self::Bearer {
            return Ok(vec![("authorization", secret.bearer())]);
        }
        let id = format!("msg_{:016x}", rand::random::<u64>());
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .context("the clock is before 1970")?
            .as_secs();
        let signature = signature(secret.expose(), &id, now, body.as_bytes());
        Ok(vec![
            ("webhook-id", Zeroizing::new(id)),
            ("webhook-timestamp", Zeroizing::new(now.to_string())),
            ("webhook-signature", Zeroizing::new(signature)),
        ])
    }
}
