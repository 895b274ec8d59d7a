//! Standard Webhooks signatures: <https://www.standardwebhooks.com>.
//!
//! `v1` only: HMAC-SHA256 over `id.timestamp.body`, base64, with the key in `whsec_<base64>`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Longest `webhook-id` or `Idempotency-Key`, in bytes.
pub const MAX_ID_BYTES: usize = 256;
/// Entries of one `webhook-signature` that are tried; more is an attack on our time.
const MAX_SIGNATURES: usize = 16;

/// Tells whether `text` can be a `webhook-id` or an `Idempotency-Key`: 1 to 256 visible ASCII characters.
pub fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_ID_BYTES
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The value of one `v1` entry of `webhook-signature`.
pub fn signature(secret: &str, id: &str, timestamp: u64, body: &[u8]) -> String {
    let mac = sign(&key(secret), id, &timestamp.to_string(), body);
    format!("v1,{}", STANDARD.encode(mac))
}

/// `whsec_` and base64 is the key's bytes; anything else that is not base64 is itself the key.
pub(crate) fn key(secret: &str) -> Vec<u8> {
    let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
    STANDARD
        .decode(encoded)
        .unwrap_or_else(|_| secret.as_bytes().to_vec())
}

/// The bytes of each `v1` entry of a `webhook-signature`; other versions are for other receivers.
pub(crate) fn entries(header: &str) -> impl Iterator<Item = Vec<u8>> {
    header
        .split_ascii_whitespace()
        .take(MAX_SIGNATURES)
        .filter_map(|entry| STANDARD.decode(entry.strip_prefix("v1,")?).ok())
}

/// The MAC of what a signature covers.
pub(crate) fn sign(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("hmac takes a key of any length");
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_not_base64_is_its_own_key() {
        assert_eq!(key("not-base64!"), b"not-base64!");
        assert_eq!(key("whsec_AAAA"), [0, 0, 0]);
    }
}
