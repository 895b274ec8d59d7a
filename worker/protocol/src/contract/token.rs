//! The name of a room.

use super::refusal::{self, Refusal};

/// Longest token in bytes. A base58 mint address has 44, a pair of them with a separator 89; a data point of Analytics Engine
/// takes an index of 96.
pub const MAX_TOKEN_BYTES: usize = 96;

/// What the tokens of the tool's own rooms begin with, in which a deployment is verified. Such a room stores nothing: it ends
/// with its object.
pub const PROBE_PREFIX: &str = "edge-broadcast-verify";

/// Whether `token` names a room of the tool's own.
pub fn is_probe(token: &str) -> bool {
    token.starts_with(PROBE_PREFIX)
}

/// 1 to 96 ASCII letters, digits, `-`, `_`, `.` and `:`, of which the first is a letter or a digit.
///
/// Neither `/` nor `%` can occur, so a token is a path segment as it stands, a percent-encoded one has one meaning, and names
/// that contain a `/` are free for the objects that are not rooms (see [`super::place`]).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(String);

impl Token {
    /// The token as it stands in a path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Token {
    type Error = Refusal;

    fn try_from(text: &str) -> Result<Self, Refusal> {
        let bytes = text.as_bytes();
        let first = bytes.first().is_some_and(u8::is_ascii_alphanumeric);
        let rest = bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte));
        if first && rest && bytes.len() <= MAX_TOKEN_BYTES {
            return Ok(Self(text.to_owned()));
        }
        Err(refusal::INVALID_TOKEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::place::Place;
    use crate::gateway::route::Route;
    use proptest::prelude::*;

    fn accepted(text: &str) -> bool {
        Token::try_from(text).is_ok()
    }

    #[test]
    fn mint_addresses_and_ticker_symbols_are_tokens() {
        for text in [
            "So11111111111111111111111111111111111111112",
            "SOL",
            "SOL-USD",
            "a.b_c:d",
            "7",
            "So11111111111111111111111111111111111111112:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
            &"a".repeat(MAX_TOKEN_BYTES),
        ] {
            assert!(accepted(text), "{text}");
        }
    }

    #[test]
    fn hostile_text_is_not_a_token() {
        let long = "a".repeat(MAX_TOKEN_BYTES + 1);
        let huge = "a".repeat(1 << 20);
        for text in [
            "",
            "__proto__",
            "..",
            ".",
            "-a",
            "a/b",
            "a%2fb",
            "%00",
            "a b",
            "tökén",
            "a\0",
            "🚀",
            &long,
            &huge,
        ] {
            assert!(!accepted(text), "{text:.20}");
        }
    }

    proptest! {
        #[test]
        fn what_is_a_token_is_one_segment_of_a_path_and_the_name_of_a_room_of_its_own(
            text in "[a-zA-Z0-9._:-]{0,100}|[./%a-f0-9]{0,12}|(__proto__|constructor|%2f|%2e|\\.\\.|/|\\\\|\\x00){0,4}|.*",
        ) {
            let path = format!("/ws/{text}");
            match Token::try_from(text.as_str()) {
                Ok(token) => {
                    prop_assert!((1..=MAX_TOKEN_BYTES).contains(&text.len()));
                    prop_assert!(!text.starts_with(['.', '_', '-', ':']), "{}", text);
                    prop_assert!(!text.contains(['/', '%', '\\', '?', '#', '\0', ' ', '"']), "{}", text);
                    prop_assert_eq!(token.as_str(), &text);
                    prop_assert_eq!(Place::first(&token, &[], None).name(), text);
                    prop_assert_eq!(Route::of("GET", &path), Ok(Route::Connect(token)));
                }
                Err(refusal) => {
                    prop_assert_eq!(refusal.status, 400);
                    match Route::of("GET", &path) {
                        Ok(Route::Connect(token)) => {
                            prop_assert!(text.contains(['%', '/']));
                            prop_assert!(token.as_str().len() < text.len());
                        }
                        refused => {
                            let status = refused.map_err(|refusal| refusal.status);
                            prop_assert!(matches!(status, Err(400 | 404)), "{:?}", status);
                        }
                    }
                }
            }
        }

        #[test]
        fn no_length_and_no_alphabet_panics(text in any::<String>(), times in 0usize..20_000) {
            prop_assert!(times <= MAX_TOKEN_BYTES || text.is_empty() || !accepted(&text.repeat(times)));
        }
    }
}
