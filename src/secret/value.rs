//! The one type that holds a value.

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::terminal::utf8;

/// The value of a secret: redacted in `Debug`, not `Serialize`, zeroed when dropped.
#[derive(Clone, Debug)]
pub struct Value(SecretString);

impl Value {
    /// Takes a value in.
    pub fn new(text: String) -> Self {
        let text = Zeroizing::new(text);
        // A copy of exactly its size: shrinking the text itself could leave one behind that nobody zeroes
        Self(Box::<str>::from(text.as_str()).into())
    }

    /// What a program or an editor wrote, without the byte order mark and the line break that they put around it.
    pub(super) fn of_output(bytes: &[u8]) -> anyhow::Result<Self> {
        let text = utf8::text(bytes)?;
        Ok(Self::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// A new random value in the form of Standard Webhooks: `whsec_` and 32 bytes of base64.
    pub fn generate() -> Self {
        use base64::Engine as _;
        let bytes = Zeroizing::new(rand::random::<[u8; 32]>());
        let mut text = String::with_capacity(64);
        text.push_str("whsec_");
        base64::engine::general_purpose::STANDARD.encode_string(bytes.as_slice(), &mut text);
        Self::new(text)
    }

    /// The value of an `Authorization` header.
    pub fn bearer(&self) -> Zeroizing<String> {
        const SCHEME: &str = "Bearer ";
        let mut text = Zeroizing::new(String::with_capacity(SCHEME.len() + self.expose().len()));
        text.push_str(SCHEME);
        text.push_str(self.expose());
        text
    }

    /// The value itself, for the request that carries it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debug_form_of_a_value_is_redacted() {
        let value = Value::new("marker".to_owned());
        assert!(!format!("{value:?}").contains("marker"));
    }

    #[test]
    fn generated_values_differ_and_have_the_form_of_standard_webhooks() {
        let (one, two) = (Value::generate(), Value::generate());
        assert_ne!(one.expose(), two.expose());
        assert!(one.expose().starts_with("whsec_") && one.expose().len() == 6 + 44);
    }
}
