//! Who may call: the credentials of a request, and Cloudflare's words for the wrong ones.

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};

use crate::account::error::{ApiError, invalid, refuse};

/// A token is at least so long.
const SHORTEST: usize = 40;

/// What a request brings: an API token, or the older pair of key and e-mail address.
pub(super) enum Credential<'a> {
    /// `Authorization: Bearer`.
    Token(&'a str),
    /// `X-Auth-Key`, beside `X-Auth-Email`.
    Key(&'a str),
    /// A header is there, and no credential in it; with Cloudflare's code for that header.
    Malformed(u32, &'static str),
    /// None.
    Missing,
}

const NO_TOKEN: Credential<'_> =
    Credential::Malformed(6111, "Invalid format for Authorization header");
const NO_KEY: Credential<'_> = Credential::Malformed(6103, "Invalid format for X-Auth-Key header");

/// Reads the headers.
pub(super) fn of(headers: &HeaderMap) -> Credential<'_> {
    let text = |name: &str| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    if let Some(given) = text(AUTHORIZATION.as_str()) {
        return match given.strip_prefix("Bearer ") {
            Some(token) => Credential::Token(token),
            None => NO_TOKEN,
        };
    }
    match (text("x-auth-key"), text("x-auth-email")) {
        (Some(key), Some(email)) if email.contains('@') => Credential::Key(key),
        (Some(_), _) => NO_KEY,
        (None, _) => Credential::Missing,
    }
}

/// Whether the credential opens the sandbox whose secret this is. The verification of a token has its own words.
pub(super) fn check(credential: &Credential<'_>, secret: &str, path: &str) -> Result<(), ApiError> {
    match credential {
        Credential::Token(given) | Credential::Key(given) if same(given, secret) => Ok(()),
        Credential::Token(given) if !is_token(given) => check(&NO_TOKEN, secret, path),
        Credential::Malformed(code, why) => {
            Err(invalid(6003, "Invalid request headers").because(*code, *why))
        }
        Credential::Missing => Err(invalid(
            9106,
            "Missing X-Auth-Key, X-Auth-Email or Authorization headers",
        )),
        Credential::Token(_) if path.ends_with("/tokens/verify") => {
            Err(refuse(StatusCode::UNAUTHORIZED, 1000, "Invalid API Token"))
        }
        Credential::Key(_) => Err(refuse(
            StatusCode::FORBIDDEN,
            9103,
            "Unknown X-Auth-Key or X-Auth-Email",
        )),
        Credential::Token(_) => Err(refuse(
            StatusCode::FORBIDDEN,
            10000,
            "Authentication error: the sandbox has another token",
        )),
    }
}

fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.len() >= SHORTEST && text.bytes().all(allowed)
}

/// Compares without an early exit.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes()
            .zip(b.bytes())
            .fold(0, |sum, (a, b)| sum | (a ^ b))
            == 0
}
