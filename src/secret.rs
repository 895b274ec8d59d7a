//! A secret: where its value comes from, and the one type that holds a value.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// How the problem with a source that cannot be read begins.
pub const NOT_A_SOURCE: &str = "this is not the source of a secret";

/// Where a secret's value comes from, as a manifest writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// `env:NAME`: an environment variable of this process.
    Env(String),
}

impl TryFrom<String> for Source {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("env", name))
                if !name.is_empty()
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') =>
            {
                Ok(Self::Env(name.to_owned()))
            }
            // The text may be a value that somebody pasted: it is not repeated.
            _ => Err(format!(
                "{NOT_A_SOURCE}\nsay where the value comes from, never the value: `env:NAME` reads an environment variable"
            )),
        }
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
        }
    }
}

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
        let bytes: [u8; 32] = rand::random();
        Self::new(format!(
            "whsec_{}",
            base64::engine::general_purpose::STANDARD.encode(bytes)
        ))
    }

    /// The value itself, for the request that carries it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Reads the value of the secret `name` from its source.
pub fn read(name: &str, source: &Source) -> anyhow::Result<Value> {
    let Source::Env(variable) = source;
    match std::env::var(variable) {
        Ok(text) if text.is_empty() => anyhow::bail!(
            "the secret `{name}` is empty: its source `{source}` names an environment variable that is set but empty"
        ),
        Ok(text) => Ok(Value::new(text)),
        Err(_) => anyhow::bail!(
            "the secret `{name}` has no value: its source `{source}` names an environment variable that is not set; set `{variable}` and run again"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_never_repeats_what_might_be_a_value() {
        let error = Source::try_from("hunter2".to_owned()).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_source_is_written_as_it_was_read() {
        let source = Source::try_from("env:WEBHOOK_SECRET".to_owned()).unwrap();
        assert_eq!(source.to_string(), "env:WEBHOOK_SECRET");
    }

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
