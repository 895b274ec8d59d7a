//! The members of a published object that gateway and room act on. Both read them: the gateway refuses early, and the room
//! decides by `slot` and `force`; of everything else that is published, subscribers get the bytes as they came.

use super::refusal::{self, Refusal};
use serde::Deserialize;

/// The members of a published object that are not only for subscribers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Head {
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    #[serde(default)]
    pub token: Option<String>,
    /// The publisher's own clock (Solana's slot): a lower one than the room's is stale.
    #[serde(default)]
    pub slot: Option<u64>,
    /// Delivers even a stale update.
    #[serde(default)]
    pub force: Option<bool>,
}

/// Reads the head of one published object.
///
/// # Errors
/// 400 for what is not one JSON object, or has a `type`, `token`, `slot` or `force` of another kind.
pub fn read(body: &str) -> Result<Head, Refusal> {
    if !body.trim_start_matches(JSON_SPACE).starts_with('{') {
        return Err(refusal::NOT_AN_OBJECT);
    }
    serde_json::from_str(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => refusal::INVALID_UPDATE,
        _ => refusal::NOT_AN_OBJECT,
    })
}

/// Checks that an update is for the room it was sent to: a signature covers the body, not the path.
///
/// # Errors
/// 400 when the body names another token.
pub fn check_token(head: &Head, token: &str) -> Result<(), Refusal> {
    match &head.token {
        Some(named) if named != token => Err(refusal::TOKEN_MISMATCH),
        _ => Ok(()),
    }
}

/// The white space that JSON allows around a value (RFC 8259, section 2).
pub(crate) const JSON_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_one_json_object_is_an_update() {
        for body in [
            "", "null", "[]", "[1,2]", "\"a\"", "{", "{}{}", "{\"a\":}", "{'a':1}",
        ] {
            assert_eq!(read(body).unwrap_err().code, "invalid_json", "{body}");
        }
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&deep), Ok(Head::default()));
    }

    #[test]
    fn the_members_that_mean_something_must_have_their_kind() {
        for body in [
            r#"{"slot":"12"}"#,
            r#"{"slot":-1}"#,
            r#"{"slot":1.5}"#,
            r#"{"type":7}"#,
            r#"{"force":"yes"}"#,
            r#"{"slot":1,"slot":2}"#,
        ] {
            assert_eq!(read(body).unwrap_err().code, "invalid_update", "{body}");
        }
        let known = read(r#"{"type":"A","token":"SOL","slot":12,"force":true,"x":[{}]}"#).unwrap();
        assert_eq!(known.kind.as_deref(), Some("A"));
        assert_eq!((known.slot, known.force), (Some(12), Some(true)));
        assert!(check_token(&known, "SOL").is_ok());
        assert_eq!(
            check_token(&known, "BONK").unwrap_err().code,
            "token_mismatch"
        );
    }

    proptest! {
        #[test]
        fn no_body_panics(body in ".*") {
            let _ = read(&body);
        }
    }
}
