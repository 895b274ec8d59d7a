//! The one type that holds a value.

use secrecy::{ExposeSecret, SecretString};

/// The value of a secret: redacted in `Debug`, not `Serialize`, zeroed when dropped.
#[derive(Clone, Debug)]
pub struct Value(SecretString);

impl Value {
    /// Takes a value in.
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// A new random value in the form of Standard Webhooks: `whsec_` and 32 bytes of base64.
    pub fn generate() -> Self {
        use base64::Engine as _;
        let bytes = zeroize::Zeroizing::new(rand::random::<[u8; 32]>());
        Self::new(format!(
            "whsec_{}",
            base64::engine::general_purpose::STANDARD.encode(*bytes)
        ))
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
