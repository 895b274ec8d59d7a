//! Error answers of both Workers: their one shape, and every one that there is.

/// An HTTP error answer. Its body is `{"error":{"code","message"}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// For programs: lower-case words joined by `_`. It never changes once published.
    pub code: &'static str,
    /// For people. Never holds what the client sent, so that it can be logged and shown.
    pub message: &'static str,
    /// Seconds after which a repeat may succeed.
    pub retry_after: Option<u32>,
    /// The methods that the path does accept.
    pub allow: Option<&'static str>,
}

impl Refusal {
    const fn new(status: u16, code: &'static str, message: &'static str) -> Self {
        Self {
            status,
            code,
            message,
            retry_after: None,
            allow: None,
        }
    }

    /// The same refusal with `Retry-After`, in seconds.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// `405` for a path that accepts only the methods `allow`.
    pub(crate) const fn method(allow: &'static str) -> Self {
        let mut refusal = METHOD_NOT_ALLOWED;
        refusal.allow = Some(allow);
        refusal
    }

    /// The JSON body.
    pub fn body(&self) -> String {
        // Both are our own texts without anything that JSON escapes.
        format!(
            r#"{{"error":{{"code":"{}","message":"{}"}}}}"#,
            self.code, self.message
        )
    }

    /// The headers that belong to the answer, besides its content type.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if let Some(seconds) = self.retry_after {
            headers.push(("retry-after", seconds.to_string()));
        }
        if let Some(allow) = self.allow {
            headers.push(("allow", allow.to_owned()));
        }
        match self.status {
            401 => headers.push(("www-authenticate", "Bearer".to_owned())),
            415 if self.code == UNSUPPORTED_ENCODING.code => {
                headers.push(("accept-encoding", "identity".to_owned()));
            }
            426 => headers.push(("upgrade", "websocket".to_owned())),
            _ => {}
        }
        headers
    }
}

/// The body of every error answer.
#[cfg(feature = "describe")]
#[derive(schemars::JsonSchema)]
#[schemars(rename = "Refusal")]
#[expect(dead_code, reason = "a shape: the body is written by hand")]
pub struct Body {
    error: Problem,
}

/// Why a request is not served.
#[cfg(feature = "describe")]
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "a shape: the body is written by hand")]
pub struct Problem {
    /// For programs: it never changes once published.
    code: String,
    /// For people.
    message: String,
}

/// The code in a refusal's body, as far as one can be found in an answer of another version.
pub fn code_of(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once(r#""code":""#)?;
    Some(rest.split_once('"')?.0)
}

/// Declares each refusal as a constant, and all of them as [`ALL`]. The comment is what its code means; constants that share a
/// code have one comment, that of the first.
macro_rules! refusals {
    ($($(#[doc = $meaning:literal])? $name:ident = $status:literal, $code:literal, $message:literal $(, retry after $seconds:literal)?;)*) => {
        $(#[doc = $message] pub const $name: Refusal = Refusal::new($status, $code, $message)$(.retry_after($seconds))?;)*
        /// Every refusal there is.
        pub const ALL: &[Refusal] = &[$($name),*];
        /// Every code, and what it means.
        #[cfg(feature = "describe")]
        pub const MEANINGS: &[(&str, &str)] = &[$($(($code, $meaning),)?)*];
    };
}

refusals! {
    /// the body ended too soon
    INCOMPLETE_BODY = 400, "incomplete_body", "the body ended too soon";
    /// `POST /broadcast`, or a `BATCH_UPDATE`, with no item or with more than 100
    INVALID_COUNT = 400, "invalid_count", "one request publishes 1 to 100 items";
    /// an idempotency key, or an item's `id`, that is not 1 to 256 visible ASCII characters
    INVALID_ID = 400, "invalid_id", "an idempotency key has 1 to 256 visible ASCII characters";
    /// the body is not one JSON object, or for `POST /broadcast` not an array
    NOT_UTF8 = 400, "invalid_json", "the body must be UTF-8";
    NOT_AN_OBJECT = 400, "invalid_json", "the body must be one JSON object";
    NOT_AN_ARRAY = 400, "invalid_json", "the body must be a JSON array of objects with a `token`";
    /// between objects of different versions only
    INVALID_PUSH = 400, "invalid_push", "the push is not what this version understands";
    /// a token that cannot be one
    INVALID_TOKEN = 400, "invalid_token", "a token has 1 to 96 letters, digits, `-`, `_`, `.` or `:` and starts with a letter or a digit";
    /// `type`, `token`, `slot` or `force` of the wrong kind, or twice
    INVALID_UPDATE = 400, "invalid_update", "`type` and `token` must be strings, `slot` a whole number, `force` true or false, each at most once";
    /// `probe` is not a number from 0 to 255
    BAD_PROBE = 400, "bad_probe", "`probe` is a number from 0 to 255";
    /// an item, or a signed body, without `token`
    MISSING_TOKEN = 400, "missing_token", "a signed body, and each item of a batch, needs the `token` of its room";
    /// `seq` and `epoch` are the room's own members
    RESERVED_KEY = 400, "reserved_key", "`seq` and `epoch` are the room's own members";
    /// a `type` that is the system's own, or a `BATCH_UPDATE` that is no batch
    RESERVED_TYPE = 400, "reserved_type", "this `type` is the system's own; a `BATCH_UPDATE` has `updates`, a list of objects that are none themselves";
    /// the body names another token than the path
    TOKEN_MISMATCH = 400, "token_mismatch", "the body's `token` is not the path's";
    /// the gateway and the room are of versions that do not know each other
    UNKNOWN_CALL = 400, "unknown_call", "the gateway and the room are of different versions";
    /// `?force=` beside a signature, which does not cover it: `force` belongs in the body
    UNSIGNED_FORCE = 400, "unsigned_force", "no signature covers the URL: `force` must be in the signed body";
    /// the three headers of a signature are not what they must be
    MALFORMED_SIGNATURE = 401, "malformed_signature", "`webhook-id`, `webhook-timestamp` and `webhook-signature` must have the form of Standard Webhooks";
    /// neither a bearer nor a signature
    MISSING_CREDENTIALS = 401, "missing_credentials", "publishing needs `Authorization: Bearer` or a Standard Webhooks signature";
    /// a bearer, where `access.require_signature` is set
    SIGNATURE_REQUIRED = 401, "signature_required", "publishing needs a Standard Webhooks signature";
    /// `webhook-timestamp` is more than five minutes from now, or before what the room remembers: sign it again
    STALE_SIGNATURE = 401, "stale_signature", "`webhook-timestamp` is more than five minutes from now";
    FORGOTTEN_SIGNATURE = 401, "stale_signature", "the room may have forgotten whether it has had this; sign it again";
    /// a page of this origin may not connect
    ORIGIN_NOT_ALLOWED = 403, "origin_not_allowed", "pages of this origin may not connect";
    /// no `Origin`, where `access.require_origin` is set
    ORIGIN_REQUIRED = 403, "origin_required", "this room accepts only requests with an `Origin` header";
    /// no secret slot accepts them
    WRONG_CREDENTIALS = 403, "wrong_credentials", "no secret slot accepts these credentials";
    /// nothing is at this path
    NOT_FOUND = 404, "not_found", "there is nothing at this path";
    /// `Allow` names the methods
    METHOD_NOT_ALLOWED = 405, "method_not_allowed", "this path does not accept this method";
    /// the body, or an item, is larger than this deployment accepts
    BODY_TOO_LARGE = 413, "too_large", "the body is larger than this deployment accepts";
    ITEM_TOO_LARGE = 413, "too_large", "the item is larger than this deployment accepts";
    /// a `Content-Encoding`; `Accept-Encoding` says `identity`
    UNSUPPORTED_ENCODING = 415, "unsupported_encoding", "the body must come without `Content-Encoding`";
    /// a `Content-Type` other than JSON; none at all is fine
    UNSUPPORTED_MEDIA_TYPE = 415, "unsupported_media_type", "the body must be `application/json`";
    /// this idempotency key came with another body
    ID_REUSED = 422, "id_reused", "this idempotency key came with another body";
    /// `/ws/:token` without `Upgrade: websocket`
    UPGRADE_REQUIRED = 426, "upgrade_required", "this path is for WebSockets";
    /// more publishes to this token than `access.broadcast_rate`
    BROADCAST_RATE = 429, "broadcast_rate", "this room is published to more often than this deployment accepts";
    /// more connects to this room, and polls of it, by this address than `access.connect_rate`
    CONNECT_RATE = 429, "connect_rate", "this address connects too often to this room";
    /// `/health?deep=1`: this object was asked often, and has not answered
    HEALTH_RATE = 429, "health_rate", "this room object is being asked too often", retry after 1;
    /// more updates in this room than `room.publish_rate`
    PUBLISH_RATE = 429, "publish_rate", "this room gets more updates per second than it accepts";
    /// this address has `access.connections_per_ip` sockets in one object of the room
    TOO_MANY_CONNECTIONS = 429, "too_many_connections", "this address has too many connections to this room", retry after 30;
    /// a binding is missing: the deployment is not whole
    GATEWAY_MISCONFIGURED = 500, "misconfigured", "the binding `SETTINGS` is missing or is not what this version understands";
    ROOM_MISCONFIGURED = 500, "misconfigured", "the room's binding `SETTINGS` is missing or is not what this version understands";
    /// of a batch's item: the room's answer cannot be read; repeat it with the same key
    UNREADABLE_ANSWER = 502, "unreadable_answer", "the room's answer cannot be read; publish this item again with the same idempotency key";
    /// of a batch's item: those before it took too long, and it was not published
    BATCH_TIME = 503, "batch_time", "the items before this one took too long; publish it again", retry after 1;
    /// the room has `room.max_shards` objects and none has a place
    ROOM_FULL = 503, "room_full", "this room has no place left", retry after 30;
    /// the room does not answer right now: it restarts, or is overloaded
    ROOM_UNAVAILABLE = 503, "room_unavailable", "the room does not answer right now", retry after 1;
    /// `/health?deep=1`: the room script does not answer as it should
    ROOM_UNHEALTHY = 503, "room_unhealthy", "the room script does not answer as it should", retry after 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_json_object_with_code_and_message() {
        let refusal = Refusal::new(503, "room_full", "this room is full").retry_after(5);
        assert_eq!(
            refusal.body(),
            r#"{"error":{"code":"room_full","message":"this room is full"}}"#
        );
        assert_eq!(refusal.headers(), [("retry-after", "5".to_owned())]);
    }

    #[test]
    fn a_code_has_one_status_and_every_text_is_json_as_it_stands() {
        for refusal in ALL {
            let body: serde_json::Value = serde_json::from_str(&refusal.body()).unwrap();
            assert_eq!(body["error"]["code"], refusal.code);
            assert_eq!(body["error"]["message"], refusal.message);
            assert_eq!(code_of(&refusal.body()), Some(refusal.code));
            let same = |other: &&Refusal| other.code == refusal.code;
            assert!(
                ALL.iter()
                    .filter(same)
                    .all(|other| other.status == refusal.status),
                "{refusal:?}"
            );
        }
    }

    #[cfg(feature = "describe")]
    #[test]
    fn every_code_means_one_thing() {
        use std::collections::BTreeSet;
        let codes: BTreeSet<&str> = ALL.iter().map(|refusal| refusal.code).collect();
        let described: Vec<&str> = MEANINGS.iter().map(|(code, _)| *code).collect();
        assert_eq!(described.len(), codes.len());
        assert_eq!(described.into_iter().collect::<BTreeSet<_>>(), codes);
    }

    #[test]
    fn a_wrong_method_names_the_right_ones() {
        assert_eq!(
            Refusal::method("GET, HEAD").headers(),
            [("allow", "GET, HEAD".to_owned())]
        );
    }
}
