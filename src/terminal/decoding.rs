//! What serde says of a text that it cannot read.

/// Serde's ``invalid type: string "text", expected …`` without the text, which may be the value of a secret.
pub(crate) fn without_value(message: &str) -> String {
    match message.rsplit_once(", expected ") {
        Some((found, expected)) => {
            let kind = found
                .split(['"', '`'])
                .next()
                .unwrap_or_default()
                .trim_end();
            format!("{kind}, expected {expected}")
        }
        None => message.to_owned(),
    }
}
