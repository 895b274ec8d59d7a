//! Where a value comes from, as a manifest writes it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::terminal::escape;

/// How the problem with a source that cannot be read begins.
pub const NOT_A_SOURCE: &str = "this is not the source of a secret";

/// The forms, for the error.
const FORMS: &str = "say where the value comes from, never the value: `env:NAME` reads an environment variable, `file:PATH` or \
                     `file:PATH#KEY` a JSON or dotenv file, `command:…` the output of a program, and `prompt` asks on the terminal";

/// A source. It is text that may be shown: never a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// `env:NAME`: an environment variable of this process.
    Env(String),
    /// `file:PATH` or `file:PATH#KEY`: a key of a JSON file (by its ending) or of a dotenv file; the key is the secret's name by default.
    File { path: String, key: Option<String> },
    /// `command:…`: the standard output of a program, started without a shell; split into words as a shell would.
    Command { line: String, words: Vec<String> },
    /// `prompt`: typed on the terminal, unseen.
    Prompt,
}

impl TryFrom<String> for Source {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        // Generated files show a source in a comment of one line, and a reader of them takes more for its end than a line feed
        if escape::line(&text) != text {
            return Err(format!(
                "{NOT_A_SOURCE}: it has a character that ends a line or that nobody sees\n{FORMS}"
            ));
        }
        match text.split_once(':') {
            Some(("env", name))
                if !name.is_empty()
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') =>
            {
                Ok(Self::Env(name.to_owned()))
            }
            Some(("file", place)) => file(place),
            Some(("command", line)) => command(line),
            None if text == "prompt" => Ok(Self::Prompt),
            // The text may be a value that somebody pasted: it is not repeated.
            _ => Err(format!("{NOT_A_SOURCE}\n{FORMS}")),
        }
    }
}

fn file(place: &str) -> Result<Source, String> {
    let (path, key) = match place.rsplit_once('#') {
        Some((path, key)) => (path, Some(key.to_owned())),
        None => (place, None),
    };
    if path.is_empty() || key.as_deref() == Some("") {
        return Err(format!("{NOT_A_SOURCE}\n{FORMS}"));
    }
    Ok(Source::File {
        path: path.to_owned(),
        key,
    })
}

fn command(line: &str) -> Result<Source, String> {
    match shell_words::split(line) {
        Ok(words) if !words.is_empty() => Ok(Source::Command {
            line: line.trim().to_owned(),
            words,
        }),
        Ok(_) => Err(format!("{NOT_A_SOURCE}\nname the program after `command:`")),
        Err(_) => Err(format!(
            "{NOT_A_SOURCE}\nclose the quote in the command; it is split into words as a shell would, and no shell runs it"
        )),
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
            Self::File { path, key: None } => write!(f, "file:{path}"),
            Self::File {
                path,
                key: Some(key),
            } => write!(f, "file:{path}#{key}"),
            Self::Command { line, .. } => write!(f, "command:{line}"),
            Self::Prompt => f.write_str("prompt"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_never_repeats_what_might_be_a_value() {
        for text in [
            "hunter2",
            "env:hunter-2",
            "whsec_hunter2",
            "file:",
            "file:hunter2#",
            "command:'hunter2",
            "command: ",
            "command:a\nhunter2",
            "file:a\u{2028}hunter2",
            "command:a\u{202e}hunter2",
        ] {
            let error = Source::try_from(text.to_owned()).unwrap_err();
            assert!(!error.contains("hunter"), "{error}");
            assert!(error.starts_with(NOT_A_SOURCE), "{error}");
        }
    }

    #[test]
    fn a_source_is_written_as_it_was_read() {
        for text in [
            "env:WEBHOOK_SECRET",
            "file:secrets.env",
            "file:/run/secrets/all.json#WEBHOOK_SECRET",
            "command:op read 'op://glow/webhook secret/value'",
            "prompt",
        ] {
            let source = Source::try_from(text.to_owned()).unwrap();
            assert_eq!(source.to_string(), text);
        }
    }

    #[test]
    fn a_command_is_split_as_a_shell_would_and_not_run_by_one() {
        let source = Source::try_from("command:sops -d 'a b' $HOME | cat".to_owned());
        let Ok(Source::Command { words, .. }) = source else {
            panic!("{source:?}");
        };
        assert_eq!(words, ["sops", "-d", "a b", "$HOME", "|", "cat"]);
    }
}
