//! Why a request is not served: one shape for every error answer of both workers.

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
    pub const fn new(status: u16, code: &'static str, message: &'static str) -> Self {
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

    /// `404` for a path that nobody serves, and for one whose existence is nobody's business.
    pub const fn not_found() -> Self {
        Self::new(404, "not_found", "there is nothing at this path")
    }

    /// `405` for a path that accepts only the methods `allow`.
    pub const fn method(allow: &'static str) -> Self {
        let mut refusal = Self::new(
            405,
            "method_not_allowed",
            "this path does not accept this method",
        );
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
            426 => headers.push(("upgrade", "websocket".to_owned())),
            _ => {}
        }
        headers
    }
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
    fn a_wrong_method_names_the_right_ones() {
        assert_eq!(
            Refusal::method("GET, HEAD").headers(),
            [("allow", "GET, HEAD".to_owned())]
        );
    }
}
