//! The `workers/tag` of a version (at most 25 characters): its code, then its settings. By it what is live is recognised without being
//! read back.

use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::build::module::hex;

/// The length of [`crate::build::Bundle::tag`].
const CODE: usize = 16;
const SETTINGS: usize = 8;

/// The tag of a version of `code` with `settings`. Equal tags are equal versions, secrets aside.
pub(super) fn of(code: &str, settings: &impl Serialize) -> String {
    let digest = Sha256::digest(json!(settings).to_string());
    format!("{code}-{}", hex(&digest[..SETTINGS / 2]))
}

/// The code that a tag names; `None` when the tag is not one of ours.
pub(crate) fn code(tag: &str) -> Option<&str> {
    let (code, settings) = tag.split_once('-')?;
    let hex = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_ours = code.len() == CODE && settings.len() == SETTINGS && hex(code) && hex(settings);
    is_ours.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tags_of_our_form_name_code() {
        assert_eq!(code("0123456789abcdef-01234567"), Some("0123456789abcdef"));
        assert_eq!(
            code(&of("0123456789abcdef", &["settings"])),
            Some("0123456789abcdef")
        );
        for tag in [
            "",
            "v1.2.3",
            "0123456789abcdef",
            "0123456789abcdeX-01234567",
        ] {
            assert_eq!(code(tag), None, "{tag}");
        }
    }
}
