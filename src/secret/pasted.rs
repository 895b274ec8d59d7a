//! A value that somebody pasted into a manifest where its source belongs: hidden wherever the manifest's text is drawn.

/// Keys under `[secrets.NAME]` whose text is never a value.
const HARMLESS: [&str; 3] = ["rotate_every", "retry_horizon", "senders"];
/// How the text of a source begins.
const SOURCES: [&str; 4] = ["env:", "file:", "command:", "prompt"];

/// The manifest's text with as many bytes, in which nothing under `secrets` can be read that may be a value.
///
/// Works line by line: the text need not be TOML, since what is not TOML is drawn too.
pub fn hidden(manifest: &str) -> String {
    let mut text = String::with_capacity(manifest.len());
    let mut header = "";
    let mut hiding = false;
    for line in manifest.split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed.starts_with('[') {
            header = trimmed.trim_matches(['[', ']']).trim();
            hiding = false;
            text.push_str(line);
        } else if let Some((key, value)) = entry(line) {
            let secret = is_secrets(header) || (header.is_empty() && is_secrets(key));
            hiding = secret && !is_harmless(key, value);
            text.push_str(&line[..line.len() - value.len()]);
            text.push_str(&if hiding {
                stars(value)
            } else {
                value.to_owned()
            });
        } else {
            // Perhaps the rest of a value of several lines
            text.push_str(&if hiding { stars(line) } else { line.to_owned() });
        }
    }
    text
}

/// A line's key, and everything after its `=`.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.\"' \t".contains(c);
    key.chars().all(plain).then_some((key.trim(), value))
}

fn is_secrets(path: &str) -> bool {
    let first = path.split('.').next().unwrap_or_default();
    first.trim().trim_matches(['"', '\'']) == "secrets"
}

fn is_harmless(key: &str, value: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or_default().trim();
    let value = value.trim();
    let text = value.strip_prefix(['"', '\'']);
    HARMLESS.contains(&last)
        || (last == "source"
            && text.is_some_and(|text| SOURCES.iter().any(|form| text.starts_with(form))))
}

fn stars(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_whitespace() {
                c.to_string()
            } else {
                "*".repeat(c.len_utf8())
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_may_be_a_value_is_hidden_and_everything_else_stays() {
        let text = r#"
[worker]
name = "glow"
[secrets]
A = "whsec_1"
[secrets.B]
source = "env:B"
rotate_every = "90 d"
[secrets.C]
source = whsec_2
value = "whsec_3"
[secrets."D"] # four
source = """
whsec_4
"""
senders = ["sst"]
[sst]
app = "glow"
"#;
        assert_eq!(
            hidden(text),
            r#"
[worker]
name = "glow"
[secrets]
A = *********
[secrets.B]
source = "env:B"
rotate_every = "90 d"
[secrets.C]
source = *******
value = *********
[secrets."D"] # four
source = ***
*******
***
senders = ["sst"]
[sst]
app = "glow"
"#
        );
        let inline = "secrets.A = { source = \"whsec_1\" }\nsecrets.B.source = \"prompt\"\n";
        assert_eq!(
            hidden(inline),
            "secrets.A = * ****** * ********* *\nsecrets.B.source = \"prompt\"\n"
        );
    }

    proptest! {
        #[test]
        fn every_place_in_the_text_stays_where_it_is(text in "(\\PC|\n|=|\\[secrets\\]\n)*") {
            let hidden = hidden(&text);
            prop_assert_eq!(hidden.len(), text.len());
            prop_assert_eq!(hidden.matches('\n').count(), text.matches('\n').count());
        }
    }
}
