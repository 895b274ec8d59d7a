//! The headers of the gateway's requests and answers.

/// A header that the gateway reads.
#[derive(Clone, Copy, Debug)]
pub struct RequestHeader {
    pub name: &'static str,
    /// Of what, in words.
    pub of: &'static str,
    /// The paths that read it; none where it is HTTP's own affair, or that of the credentials.
    pub paths: &'static [&'static str],
    pub meaning: &'static str,
    pub form: Form,
}

/// What a header that the gateway reads must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Any,
    /// Where it is there it matches this pattern (ECMA-262), or the request is refused.
    Matches(&'static str),
    /// It is there, and matches.
    Required(&'static str),
}

/// A header that the gateway sends.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHeader {
    pub name: &'static str,
    /// Of what, in words.
    pub of: &'static str,
    pub on: On,
    pub meaning: &'static str,
}

/// The answers that have a header.
#[derive(Clone, Copy, Debug)]
pub enum On {
    All,
    /// Those with one of these statuses.
    Statuses(&'static [u16]),
    /// Those of these methods of a path, with one of these statuses if any are named.
    Path(&'static [&'static str], &'static str, &'static [u16]),
}

impl On {
    /// Whether an answer with `status` to `method` of `path` has it.
    pub fn has(self, method: &str, path: &str, status: u16) -> bool {
        let among = |statuses: &[u16]| statuses.is_empty() || statuses.contains(&status);
        match self {
            Self::All => true,
            Self::Statuses(statuses) => among(statuses),
            Self::Path(methods, of, statuses) => {
                methods.contains(&method) && of == path && among(statuses)
            }
        }
    }
}

const PUBLISHING: &[&str] = &["/broadcast/:token", "/broadcast"];
/// An idempotency key, as `contract::signature::is_id` takes it.
const ID: &str = "^[!-~]{1,256}$";
const SNAPSHOT: &str = "/snapshot/:token";
const POLLS: &[&str] = &["GET", "HEAD"];
const ASKS: &[&str] = &["OPTIONS"];
const BOTH: &[&str] = &["GET", "HEAD", "OPTIONS"];

/// Every header that the gateway reads.
pub const REQUEST: &[RequestHeader] = &[
    RequestHeader {
        name: "authorization",
        of: "publishing, administration",
        paths: &[],
        meaning: "`Bearer VALUE`, or the value alone",
        form: Form::Any,
    },
    RequestHeader {
        name: "cf-connecting-ip",
        of: "all",
        paths: &[],
        meaning: "the client's address; Cloudflare sets it and lets nobody else do so",
        form: Form::Any,
    },
    RequestHeader {
        name: "content-encoding",
        of: "publishing",
        paths: PUBLISHING,
        meaning: "`identity`, or none",
        form: Form::Matches("^(identity)?$"),
    },
    RequestHeader {
        name: "content-length",
        of: "publishing",
        paths: &[],
        meaning: "refuses what is too large before it is read; not needed",
        form: Form::Any,
    },
    RequestHeader {
        name: "content-type",
        of: "publishing",
        paths: &[],
        meaning: "`application/json` or one that ends in `+json`; not needed",
        form: Form::Any,
    },
    RequestHeader {
        name: "idempotency-key",
        of: "publishing",
        paths: PUBLISHING,
        meaning: "makes repeats harmless",
        form: Form::Matches(ID),
    },
    RequestHeader {
        name: "if-none-match",
        of: "`/snapshot/:token`",
        paths: &[SNAPSHOT],
        meaning: "an `ETag` that the client has",
        form: Form::Any,
    },
    RequestHeader {
        name: "origin",
        of: "`/ws/:token`, `/snapshot/:token`",
        paths: &["/ws/:token", SNAPSHOT],
        meaning: "the page; browsers set it, and pages cannot",
        form: Form::Any,
    },
    RequestHeader {
        name: "sec-websocket-protocol",
        of: "`/ws/:token`",
        paths: &["/ws/:token"],
        meaning: "subprotocols that the client knows; not needed",
        form: Form::Any,
    },
    RequestHeader {
        name: "upgrade",
        of: "`/ws/:token`",
        paths: &["/ws/:token"],
        meaning: "`websocket`",
        form: Form::Required("^websocket$"),
    },
    RequestHeader {
        name: "webhook-id",
        of: "publishing",
        paths: PUBLISHING,
        meaning: "of a signature; the idempotency key too",
        form: Form::Matches(ID),
    },
    RequestHeader {
        name: "webhook-signature",
        of: "publishing",
        paths: &[],
        meaning: "see Credentials",
        form: Form::Any,
    },
    RequestHeader {
        name: "webhook-timestamp",
        of: "publishing",
        paths: PUBLISHING,
        meaning: "see Credentials",
        form: Form::Any,
    },
];

/// Every header that the gateway sends.
pub const RESPONSE: &[ResponseHeader] = &[
    ResponseHeader {
        name: "accept-encoding",
        of: "`415 unsupported_encoding`",
        on: On::Statuses(&[415]),
        meaning: "`identity`",
    },
    ResponseHeader {
        name: "access-control-allow-headers",
        of: "`OPTIONS /snapshot/:token`",
        on: On::Path(ASKS, SNAPSHOT, &[204]),
        meaning: "`if-none-match, *`: any other is let through, and not read",
    },
    ResponseHeader {
        name: "access-control-allow-methods",
        of: "`OPTIONS /snapshot/:token`",
        on: On::Path(ASKS, SNAPSHOT, &[204]),
        meaning: "`GET, HEAD`",
    },
    ResponseHeader {
        name: "access-control-allow-origin",
        of: "`/snapshot/:token`",
        on: On::Path(BOTH, SNAPSHOT, &[]),
        meaning: "the page's origin, where it is allowed; of a refusal too",
    },
    ResponseHeader {
        name: "access-control-expose-headers",
        of: "`/snapshot/:token`",
        on: On::Path(BOTH, SNAPSHOT, &[]),
        meaning: "`etag, retry-after`",
    },
    ResponseHeader {
        name: "access-control-max-age",
        of: "`OPTIONS /snapshot/:token`",
        on: On::Path(ASKS, SNAPSHOT, &[204]),
        meaning: "a day",
    },
    ResponseHeader {
        name: "allow",
        of: "`405`",
        on: On::Statuses(&[405]),
        meaning: "the methods of the path",
    },
    ResponseHeader {
        name: "cache-control",
        of: "all",
        on: On::All,
        meaning: "`no-store`; of a snapshot `no-cache`",
    },
    ResponseHeader {
        name: "content-type",
        of: "all",
        on: On::All,
        meaning: "`application/json`",
    },
    ResponseHeader {
        name: "etag",
        of: "`/snapshot/:token`",
        on: On::Path(POLLS, SNAPSHOT, &[200, 304]),
        meaning: "`\"EPOCH-SEQ\"`",
    },
    ResponseHeader {
        name: "retry-after",
        of: "`429`, `503`",
        on: On::Statuses(&[429, 503]),
        meaning: "seconds",
    },
    ResponseHeader {
        name: "sec-websocket-extensions",
        of: "`/ws/:token`",
        on: On::Path(&["GET"], "/ws/:token", &[101]),
        meaning: "`none`, unless `access.compression` allows `permessage-deflate`",
    },
    ResponseHeader {
        name: "sec-websocket-protocol",
        of: "`/ws/:token`",
        on: On::Path(&["GET"], "/ws/:token", &[101]),
        meaning: "`edge-broadcast.v1`, where it was offered",
    },
    ResponseHeader {
        name: "upgrade",
        of: "`426`",
        on: On::Statuses(&[426]),
        meaning: "`websocket`",
    },
    ResponseHeader {
        name: "vary",
        of: "`/snapshot/:token`",
        on: On::Path(BOTH, SNAPSHOT, &[]),
        meaning: "`origin`",
    },
    ResponseHeader {
        name: "www-authenticate",
        of: "`401`",
        on: On::Statuses(&[401]),
        meaning: "`Bearer`",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::signature::{MAX_ID_BYTES, is_id};

    #[test]
    fn the_pattern_of_an_idempotency_key_is_what_is_taken_for_one() {
        assert_eq!(ID, format!("^[!-~]{{1,{MAX_ID_BYTES}}}$"));
        for letter in (0..=255).map(char::from) {
            assert_eq!(
                is_id(&letter.to_string()),
                ('!'..='~').contains(&letter),
                "{letter:?}"
            );
        }
        assert!(!is_id(""));
    }
}
