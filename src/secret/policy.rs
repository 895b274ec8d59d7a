//! What a good value is. Pure; never repeats the value.

use std::collections::BTreeMap;

use anyhow::bail;
use zeroize::Zeroizing;

use super::Value;
use crate::terminal::advice::Advice;

/// Shorter values are refused: 128 random bits take 22 characters of base64.
const MIN_BYTES: usize = 24;
/// Cloudflare's limit of a secret's value (docs: Workers, Limits).
const MAX_BYTES: usize = 5 << 10;
/// The least information, by the frequencies of the value's own characters, that is not plainly typed by hand.
const MIN_BITS: f64 = 72.0;
/// The same for what is left, in small letters, when common words are taken away.
const MIN_BITS_WITHOUT_WORDS: f64 = 48.0;
/// Values that stand in documentation, so that everybody knows them; with something before or after them too.
const KNOWN: [&str; 3] = [
    "your-secure-webhook-secret",
    "your-webhook-secret",
    "replace-with-your-webhook-secret",
];
/// The example of Standard Webhooks: nothing but the whole of it is known.
const KNOWN_WHOLE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Words that hide nothing. Longer ones first: a word must not take a part of a longer one away.
const WORDS: [&str; 24] = [
    "0123456789",
    "1234567890",
    "abcdefghij",
    "broadcast",
    "changeme",
    "password",
    "12345678",
    "default",
    "example",
    "letmein",
    "replace",
    "webhook",
    "welcome",
    "change",
    "123456",
    "passwd",
    "qwerty",
    "secret",
    "secure",
    "admin",
    "token",
    "edge",
    "test",
    "your",
];
/// The command that makes a good value.
const MAKE: &str = "echo \"whsec_$(openssl rand -base64 32)\"";

/// Refuses a value that is too easy to guess, or that no HTTP header can carry.
pub(super) fn check(name: &str, value: &Value) -> anyhow::Result<()> {
    match weakness(value) {
        None => Ok(()),
        Some(why) => bail!(Advice::new(
            format!("the value of the secret `{name}` {why}"),
            format!("make a good one with `{MAKE}`")
        )),
    }
}

/// What is wrong with a value.
fn weakness(value: &Value) -> Option<String> {
    let value = value.expose();
    let bytes = value.len();
    let folded = Zeroizing::new(value.to_ascii_lowercase());
    if value == KNOWN_WHOLE || KNOWN.iter().any(|known| folded.contains(known)) {
        return Some("is an example from documentation".to_owned());
    }
    if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("has a space, a line break or a character outside ASCII, which no `Authorization` header carries unchanged".to_owned());
    }
    if bytes < MIN_BYTES {
        return Some(format!("has {bytes} characters, fewer than {MIN_BYTES}"));
    }
    if bytes > MAX_BYTES {
        return Some(format!(
            "has {bytes} characters, more than Cloudflare's {MAX_BYTES}"
        ));
    }
    if bits(unit(value)) < MIN_BITS {
        return Some("repeats so few characters that it can be guessed".to_owned());
    }
    let rest = WORDS
        .iter()
        .fold(folded, |rest, word| Zeroizing::new(rest.replace(word, "")));
    (bits(unit(&rest)) < MIN_BITS_WITHOUT_WORDS)
        .then(|| "is made of common words, so that it can be guessed".to_owned())
}

/// The part of which the whole is nothing but a repetition.
fn unit(value: &str) -> &str {
    let bytes = value.as_bytes();
    let period = (1..bytes.len()).find(|&period| bytes[period..] == bytes[..bytes.len() - period]);
    // Not cut within a character: what is not ASCII was refused before
    period.map_or(value, |period| value.get(..period).unwrap_or(value))
}

/// Shannon's information of the characters by their frequency: an upper bound of what the value hides.
fn bits(value: &str) -> f64 {
    let mut counts: BTreeMap<char, f64> = BTreeMap::new();
    for character in value.chars() {
        *counts.entry(character).or_default() += 1.0;
    }
    let all = value.len() as f64;
    counts
        .values()
        .map(|count| count * (all / count).log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_known_repetitive_and_unsendable_values_are_refused_with_the_command_that_makes_a_good_one()
     {
        for (value, why) in [
            ("", "has 0 characters, fewer than 24"),
            ("hunter2", "has 7 characters, fewer than 24"),
            (
                "your-secure-webhook-secret",
                "is an example from documentation",
            ),
            (
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "repeats so few characters",
            ),
            (
                "abcabcabcabcabcabcabcabcabcabcabc",
                "repeats so few characters",
            ),
            (
                "your-secure-webhook-secret-1",
                "is an example from documentation",
            ),
            (
                "My-Your-Webhook-Secret-For-Staging",
                "is an example from documentation",
            ),
            ("password-password-password", "repeats so few characters"),
            (
                "correct-horse-correct-horse-correct-horse-",
                "repeats so few characters",
            ),
            (
                "Admin-Password-1234567890-Secret",
                "is made of common words",
            ),
            ("changeme_webhook_secret_test", "is made of common words"),
            ("a-line-break\nis-not-in-a-header-value", "has a space"),
        ] {
            let error = check("WEBHOOK_SECRET", &Value::new(value.to_owned())).unwrap_err();
            let error = format!("{:#}", Advice::of(&error));
            assert!(
                error.starts_with(&format!("the value of the secret `WEBHOOK_SECRET` {why}")),
                "{error}"
            );
            assert!(
                error.ends_with(
                    "\nhelp: make a good one with `echo \"whsec_$(openssl rand -base64 32)\"`"
                ),
                "{error}"
            );
            assert!(value.is_empty() || !error.contains(value), "{error}");
        }
    }

    #[test]
    fn what_the_tool_makes_and_what_password_managers_make_is_good() {
        for _ in 0..1000 {
            assert_eq!(weakness(&Value::generate()), None);
        }
        for value in [
            "another-secret-than-the-deployed-one",
            "0f1c3f6d2b7a4e58",
            "Tr0ub4dor&3-correct-horse",
            "3b1f8a6e9c2d4057a1e6f3b8",
        ] {
            let weakness = weakness(&Value::new(value.to_owned()));
            assert_eq!(weakness.is_none(), value.len() >= 24, "{weakness:?}");
        }
    }
}
