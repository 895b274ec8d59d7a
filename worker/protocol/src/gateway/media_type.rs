//! The media type that a body claims.

use crate::contract::refusal::{self, Refusal};

/// Checks that a body claims to be JSON. One that claims nothing is taken at its bytes.
///
/// # Errors
/// 415 for any other type.
pub fn check(header: Option<&str>) -> Result<(), Refusal> {
    let kind = header.map(|header| {
        header
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    });
    match kind.as_deref() {
        None | Some("application/json") => Ok(()),
        Some(kind) if kind.starts_with("application/") && kind.ends_with("+json") => Ok(()),
        Some(_) => Err(refusal::UNSUPPORTED_MEDIA_TYPE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_must_be_json_where_it_says_what_it_is() {
        for header in [
            None,
            Some("application/json"),
            Some("Application/JSON; charset=utf-8"),
            Some("application/cloudevents+json"),
        ] {
            assert!(check(header).is_ok(), "{header:?}");
        }
        for header in [
            "text/plain",
            "",
            "application/x-www-form-urlencoded",
            "application/jsonx",
        ] {
            assert_eq!(check(Some(header)).unwrap_err().status, 415, "{header}");
        }
    }
}
