//! Where answers go: stdout, as text for a person or as JSON for a program.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Context;
use serde::Serialize;

use crate::terminal::escape;

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

impl Format {
    /// Writes `answer` to stdout.
    pub fn answer(self, answer: &(impl Display + Serialize)) -> anyhow::Result<()> {
        match self {
            Self::Text => line(&escape::text(&answer.to_string())),
            Self::Json => json(answer),
        }
    }
}

/// Writes `answer` to stdout as JSON, whatever the format of other answers.
pub fn json(answer: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(answer).context("writing the answer as JSON")?;
    line(&escape::json_text(&text))
}

/// Writes one line to stdout, as it is. A reader that went away (`| head`) is not an error.
pub fn line(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("writing to stdout"),
    }
}
