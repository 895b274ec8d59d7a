//! A room's token as an argument.

use edge_broadcast_protocol::contract::token::Token;

/// The token, if it can be one.
pub(super) fn token(text: &str) -> Result<String, String> {
    match Token::try_from(text) {
        Ok(token) => Ok(token.as_str().to_owned()),
        Err(refusal) => Err(refusal.message.to_owned()),
    }
}
