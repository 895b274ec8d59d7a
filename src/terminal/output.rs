//! Where answers go: stdout, as text for a person or as JSON for a program. What people are told beside them goes to stderr.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Context;
use serde::Serialize;

use crate::terminal::{escape, screen};

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

impl Format {
    /// Writes `answer` to stdout. On a terminal its width is that of the format: what has columns fits them into it.
    pub fn answer(self, answer: &(impl Display + Serialize)) -> anyhow::Result<()> {
        match self {
            Self::Text => {
                let columns = screen::columns(io::stdout());
                let text = match columns {
                    Some(columns) => format!("{answer:columns$}"),
                    None => answer.to_string(),
                };
                line(&screen::text(&text, columns))
            }
            Self::Json => json(answer),
        }
    }

    /// Writes `answer`, which is a unified diff to people, to stdout.
    pub fn diff(self, answer: &(impl Display + Serialize)) -> anyhow::Result<()> {
        match self {
            Self::Text => line(&screen::diff(&answer.to_string())),
            Self::Json => json(answer),
        }
    }
}

/// Tells people on stderr: an error, a warning, what is going on.
pub fn tell(text: &str) {
    let columns = screen::columns(io::stderr());
    anstream::eprintln!("{}", screen::text(text, columns));
}

/// Shows people on stderr where in a file something is wrong.
pub fn point_out(excerpt: &str) {
    anstream::eprintln!("{}", screen::text(excerpt, None));
}

/// Writes `answer` to stdout as JSON, whatever the format of other answers.
pub fn json(answer: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(answer).context("writing the answer as JSON")?;
    line(&escape::json_text(&text))
}

/// Writes one line to stdout, its colours only where they are wanted. A reader that went away (`| head`) is not an error.
pub fn line(text: &str) -> anyhow::Result<()> {
    is_heard(text).map(drop)
}

/// The same for what goes on for ever: whether there is still a reader.
pub(crate) fn is_heard(text: &str) -> anyhow::Result<bool> {
    let mut stdout = anstream::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true).context("writing to stdout"),
    }
}

/// An answer among many as one line of JSON.
pub(crate) fn json_line(answer: &impl Serialize) -> anyhow::Result<String> {
    let text = serde_json::to_string(answer).context("writing the answer as JSON")?;
    Ok(escape::json_text(&text).into_owned())
}
