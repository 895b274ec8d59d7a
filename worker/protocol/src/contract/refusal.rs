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

/// The code in a refusal's body, as far as one can be found in an answer of another version.
pub fn code_of(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once(r#""code":""#)?;
    Some(rest.split_once('"')?.0)
}

/// Declares each refusal as a constant, and all of them as [`ALL`].
macro_rules! refusals {
    ($($name:ident = $status:literal, $code:literal, $message:literal $(, retry after $seconds:literal)?;)*) => {
        $(#[doc = $message] pub const $name: Refusal = Refusal::new($status, $code, $message)$(.retry_after($seconds))?;)*
        /// Every refusal there is.
        pub const ALL: &[Refusal] = &[$($name),*];
    };
}

refusals! {
    INCOMPLETE_BODY = 400, "incomplete_body", "the body ended too soon";
    INVALID_COUNT = 400, "invalid_count", "one request publishes 1 to 100 items";
    INVALID_ID = 400, "invalid_id", "an idempotency key has 1 to 256 visible ASCII characters";
    NOT_UTF8 = 400, "invalid_json", "the body must be UTF-8";
    NOT_AN_OBJECT = 400, "invalid_json", "the body must be one JSON object";
    NOT_AN_ARRAY = 400, "invalid_json", "the body must be a JSON array of objects with a `token`";
    INVALID_PUSH = 400, "invalid_push", "the push is not what this version understands";
    INVALID_TOKEN = 400, "invalid_token", "a token has 1 to 96 letters, digits, `-`, `_`, `.` or `:` and starts with a letter or a digit";
    INVALID_UPDATE = 400, "invalid_update", "`type` and `token` must be strings, `slot` a whole number, `force` true or false, each at most once";
    BAD_PROBE = 400, "bad_probe", "`probe` is a number from 0 to 255";
    MISSING_TOKEN = 400, "missing_token", "a signed body, and each item of a batch, needs the `token` of its room";
    RESERVED_KEY = 400, "reserved_key", "`seq` and `epoch` are the room's own members";
    RESERVED_TYPE = 400, "reserved_type", "this `type` is the system's own; a `BATCH_UPDATE` has `updates`, a list of objects that are none themselves";
    TOKEN_MISMATCH = 400, "token_mismatch", "the body's `token` is not the path's";
    UNKNOWN_CALL = 400, "unknown_call", "the gateway and the room are of different versions";
    UNSIGNED_FORCE = 400, "unsigned_force", "no signature covers the URL: `force` must be in the signed body";
    MALFORMED_SIGNATURE = 401, "malformed_signature", "`webhook-id`, `webhook-timestamp` and `webhook-signature` must have the form of Standard Webhooks";
    MISSING_CREDENTIALS = 401, "missing_credentials", "publishing needs `Authorization: Bearer` or a Standard Webhooks signature";
    SIGNATURE_REQUIRED = 401, "signature_required", "publishing needs a Standard Webhooks signature";
    STALE_SIGNATURE = 401, "stale_signature", "`webhook-timestamp` is more than five minutes from now";
    FORGOTTEN_SIGNATURE = 401, "stale_signature", "the room may have forgotten whether it has had this; sign it again";
    ORIGIN_NOT_ALLOWED = 403, "origin_not_allowed", "pages of this origin may not connect";
    ORIGIN_REQUIRED = 403, "origin_required", "this room accepts only requests with an `Origin` header";
    WRONG_CREDENTIALS = 403, "wrong_credentials", "no secret slot accepts these credentials";
    NOT_FOUND = 404, "not_found", "there is nothing at this path";
    METHOD_NOT_ALLOWED = 405, "method_not_allowed", "this path does not accept this method";
    BODY_TOO_LARGE = 413, "too_large", "the body is larger than this deployment accepts";
    ITEM_TOO_LARGE = 413, "too_large", "the item is larger than this deployment accepts";
    UNSUPPORTED_ENCODING = 415, "unsupported_encoding", "the body must come without `Content-Encoding`";
    UNSUPPORTED_MEDIA_TYPE = 415, "unsupported_media_type", "the body must be `application/json`";
    ID_REUSED = 422, "id_reused", "this idempotency key came with another body";
    UPGRADE_REQUIRED = 426, "upgrade_required", "this path is for WebSockets";
    BROADCAST_RATE = 429, "broadcast_rate", "this room is published to more often than this deployment accepts";
    CONNECT_RATE = 429, "connect_rate", "this address connects too often to this room";
    HEALTH_RATE = 429, "health_rate", "this room object is being asked too often", retry after 1;
    PUBLISH_RATE = 429, "publish_rate", "this room gets more updates per second than it accepts";
    TOO_MANY_CONNECTIONS = 429, "too_many_connections", "this address has too many connections to this room", retry after 30;
    GATEWAY_MISCONFIGURED = 500, "misconfigured", "the binding `SETTINGS` is missing or is not what this version understands";
    ROOM_MISCONFIGURED = 500, "misconfigured", "the room's binding `SETTINGS` is missing or is not what this version understands";
    UNREADABLE_ANSWER = 502, "unreadable_answer", "the room's answer cannot be read; publish this item again with the same idempotency key";
    BATCH_TIME = 503, "batch_time", "the items before this one took too long; publish it again", retry after 1;
    ROOM_FULL = 503, "room_full", "this room has no place left", retry after 30;
    ROOM_UNAVAILABLE = 503, "room_unavailable", "the room does not answer right now", retry after 1;
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

    #[test]
    fn a_wrong_method_names_the_right_ones() {
        assert_eq!(
            Refusal::method("GET, HEAD").headers(),
            [("allow", "GET, HEAD".to_owned())]
        );
    }
}
