//! A program whose output is a value: `op read`, `sops -d`, `aws secretsmanager get-secret-value`, `vault kv get`.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use super::{Value, tool};
use crate::terminal::output;

/// Long enough for somebody to touch a key or to answer a password manager.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs the program; its standard error is shown as it comes.
pub(super) fn read(words: &[String], folder: &Path) -> anyhow::Result<Value> {
    let name = words[0].clone();
    let output = if std::io::stdin().is_terminal() {
        tool::ask(words, folder, LIMIT)?
    } else {
        tool::run(words, folder, b"", LIMIT, move |line| {
            output::tell(&format!("{name}: {line}"));
        })?
    };
    Value::of_output(&output.stdout)
}
