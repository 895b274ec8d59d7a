//! Cap'n Proto text. Pure.

use std::fmt::Write;

/// A Cap'n Proto string literal.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            control if control.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn no_text_breaks_out_of_its_literal() {
        assert_eq!(quote("a\"b\\c\nd\te"), r#""a\"b\\c\nd\x09e""#);
    }
}
