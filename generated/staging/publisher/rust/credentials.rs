//! How a publish shows who it is: by a bearer, or by a signature that does not show the secret.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use base64::prelude::{BASE64_STANDARD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::RequestBuilder;
use sha2::Sha256;

pub(crate) enum Credentials {
    /// Nothing is published.
    None,
    Bearer(String),
    /// With the key that the secret is.
    Signature(Vec<u8>),
}

impl Credentials {
    /// Of the kind `bearer` or `signature`.
    pub(crate) fn new(kind: &str, secret: &str) -> Result<Self> {
        if secret.is_empty() {
            bail!("publishing to the edge needs its secret in `EDGE_BROADCAST_SECRET`");
        }
        if kind == "bearer" {
            return Ok(Self::Bearer(secret.to_owned()));
        }
        let text = secret.strip_prefix("whsec_").unwrap_or(secret);
        // Its error would show a part of the secret
        let key = BASE64_STANDARD.decode(text).ok();
        let key = key.context("`EDGE_BROADCAST_SECRET` is not `whsec_` and base64")?;
        Ok(Self::Signature(key))
    }

    pub(crate) fn of(&self, request: RequestBuilder, body: &str) -> RequestBuilder {
        let key = match self {
            Self::None => return request,
            Self::Bearer(secret) => return request.bearer_auth(secret),
            Self::Signature(key) => key,
        };
        let id = format!("{:032x}", rand::random::<u128>());
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let signature = signature(key, &format!("{id}.{now}.{body}"));
        request
            .header("webhook-id", id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", signature)
    }
}

/// As Standard Webhooks has it: `v1,` and the base64 of an HMAC with SHA-256.
pub(crate) fn signature(key: &[u8], text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    mac.update(text.as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    format!("v1,{signature}")
}
