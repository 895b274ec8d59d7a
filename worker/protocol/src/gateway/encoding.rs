//! The content coding that a body claims.

use crate::contract::refusal::{self, Refusal};

/// Checks that a body comes as it is. Nothing is decompressed: of a small body little is saved, and what a small one may
/// grow to would have to be bounded.
///
/// # Errors
/// 415 for any `Content-Encoding` but `identity` (RFC 9110, section 8.4).
pub fn check(header: Option<&str>) -> Result<(), Refusal> {
    let mut codings = header.unwrap_or_default().split(',').map(str::trim);
    if codings.all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case("identity")) {
        return Ok(());
    }
    Err(refusal::UNSUPPORTED_ENCODING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_as_it_is() {
        for header in [None, Some(""), Some("identity"), Some("Identity, identity")] {
            assert!(check(header).is_ok(), "{header:?}");
        }
        for header in ["gzip", "GZIP", "identity, br", "zstd, identity", "x"] {
            let refusal = check(Some(header)).unwrap_err();
            assert_eq!(refusal.code, "unsupported_encoding", "{header}");
            assert_eq!(
                refusal.headers(),
                [("accept-encoding", "identity".to_owned())]
            );
        }
    }
}
