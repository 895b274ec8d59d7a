//! A secret's value: never serialised, never shown.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A secret's value. `Debug` redacts, there is no `Serialize`, and the memory is cleared on drop.
#[derive(Clone)]
pub(crate) struct SecretValue(SecretString);

impl SecretValue {
    /// Takes a value in.
    pub(crate) fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The value itself, for the runtime's environment and for comparing.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for SecretValue {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_value_does_not_show_itself() {
        assert_eq!(format!("{:?}", SecretValue::new("hunter2")), "[redacted]");
    }
}
