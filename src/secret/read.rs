//! Reads a value from its source.

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use super::{Source, Value, file, policy};
use crate::process::invocation::Invocation;
use crate::process::run::{self, Input, Printed, Terms};
use crate::process::surroundings::{Purpose, Withheld};
use crate::terminal::advice::Advice;
use crate::terminal::output;

/// Long enough for somebody to touch a key or to answer a password manager.
const LIMIT: Duration = Duration::from_secs(60);

/// Reads the value of the secret `name` from its source. Relative paths and commands begin in `folder`; a command does not get the
/// variables `withheld`.
pub(super) fn read(
    name: &str,
    source: &Source,
    folder: &Path,
    withheld: &Withheld,
) -> anyhow::Result<Value> {
    let value = match source {
        Source::Env(variable) => return environment_variable(name, source, variable),
        Source::File { path, key } => {
            file::read(&folder.join(path), key.as_deref().unwrap_or(name))
        }
        Source::Command { words, .. } => command(words, folder, withheld),
        Source::Prompt => prompt(name),
    }
    .with_context(|| format!("the secret `{name}` has no value: its source `{source}`"))?;
    if value.expose().is_empty() {
        bail!("the secret `{name}` is empty: its source `{source}` gave nothing");
    }
    Ok(value)
}

fn environment_variable(name: &str, source: &Source, variable: &str) -> anyhow::Result<Value> {
    match std::env::var(variable) {
        Ok(text) if text.is_empty() => bail!(
            "the secret `{name}` is empty: its source `{source}` names an environment variable that is set but empty"
        ),
        Ok(text) => Ok(Value::new(text)),
        Err(_) => bail!(Advice::new(
            format!(
                "the secret `{name}` has no value: its source `{source}` names an environment variable that is not set"
            ),
            format!("set `{variable}` and run again")
        )),
    }
}

/// The output of `op read`, `sops -d`, `aws secretsmanager get-secret-value`, `vault kv get`; their standard error is shown as it comes.
fn command(words: &[String], folder: &Path, withheld: &Withheld) -> anyhow::Result<Value> {
    let program = Invocation::of_words(Purpose::Secret(withheld.clone()), words, folder);
    let terms = Terms {
        input: match std::io::stdin().is_terminal() {
            true => Input::Terminal,
            false => Input::Bytes(b""),
        },
        output: Printed::Returned,
        limit: Some(LIMIT),
        kept: 0,
    };
    let printed = run::run(&program, terms, |line| {
        output::tell(&format!("{}: {line}", program.name()));
    })?;
    Value::of_output(&printed)
}

/// Whether somebody can be asked.
pub(super) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::env::var_os("CI").is_none()
}

fn prompt(name: &str) -> anyhow::Result<Value> {
    if !can_ask() {
        bail!(Advice::new(
            "asks on a terminal, and there is none",
            "use another source, or `secrets set --stdin`"
        ));
    }
    let text = dialoguer::Password::new()
        .with_prompt(format!("Value of `{name}`"))
        .allow_empty_password(true)
        .interact()
        .context("asks on the terminal")?;
    Ok(Value::new(text))
}

/// The value of `name` that is piped into this command, good enough to be deployed.
pub(crate) fn piped(name: &str) -> anyhow::Result<Value> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        bail!(Advice::new(
            format!(
                "`--stdin` reads the value of `{name}` from a pipe; on a terminal it would be seen"
            ),
            "leave `--stdin` out to use its source"
        ));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    stdin
        .read_to_end(&mut bytes)
        .context("reading the standard input")?;
    let value = Value::of_output(&bytes)
        .with_context(|| format!("the value of `{name}` on the standard input"))?;
    policy::check(name, &value)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, source: &Source, folder: &Path) -> anyhow::Result<Value> {
        super::read(name, source, folder, &Withheld::default())
    }

    fn source(text: &str) -> Source {
        Source::try_from(text.to_owned()).unwrap()
    }

    fn said(error: &anyhow::Error) -> String {
        format!("{error:#}")
    }

    #[test]
    fn a_file_gives_the_key_of_the_secrets_name_or_the_named_one() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        std::fs::write(
            here.join("all.json"),
            r#"{"WEBHOOK_SECRET":"json","other":"more"}"#,
        )
        .unwrap();
        std::fs::write(
            here.join("all.env"),
            "# comment\nexport WEBHOOK_SECRET='dot env'\nOTHER=\"a\\nb\"\n",
        )
        .unwrap();
        for (text, value) in [
            ("file:all.json", "json"),
            ("file:all.json#other", "more"),
            ("file:all.env", "dot env"),
            ("file:all.env#OTHER", "a\nb"),
        ] {
            let read = read("WEBHOOK_SECRET", &source(text), here).unwrap();
            assert_eq!(read.expose(), value, "{text}");
        }
    }

    #[test]
    fn a_missing_file_key_or_value_names_the_secret_and_its_source() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        std::fs::write(here.join("all.json"), r#"{"A":5,"B":"","hidden":"marker"}"#).unwrap();
        std::fs::write(here.join("broken.json"), r#"{"A": marker"#).unwrap();
        std::fs::write(here.join("broken.env"), "A=\"marker\n").unwrap();
        for (text, wanted) in [
            (
                "file:none.env#A",
                "the secret `S` has no value: its source `file:none.env#A`: reading `",
            ),
            (
                "file:all.json#C",
                "the secret `S` has no value: its source `file:all.json#C`: the file has no key `C`",
            ),
            (
                "file:all.json#A",
                "the secret `S` has no value: its source `file:all.json#A`: the key `A` is not a string",
            ),
            (
                "file:all.json#B",
                "the secret `S` is empty: its source `file:all.json#B` gave nothing",
            ),
            (
                "file:broken.json#A",
                "the secret `S` has no value: its source `file:broken.json#A`: it is not a JSON object (line 1, column 7)",
            ),
            (
                "file:broken.env#A",
                "the secret `S` has no value: its source `file:broken.env#A`: line 1 is not `KEY=value`",
            ),
            (
                "command:true",
                "the secret `S` is empty: its source `command:true` gave nothing",
            ),
            (
                "command:false",
                "the secret `S` has no value: its source `command:false`: `false` failed (exit status: 1)",
            ),
            (
                "command:no-such-program",
                "the secret `S` has no value: its source `command:no-such-program`: cannot start `no-such-program`",
            ),
            (
                "env:EDGE_BROADCAST_NOT_SET",
                "the secret `S` has no value: its source `env:EDGE_BROADCAST_NOT_SET` names an environment variable that is not set",
            ),
        ] {
            let error = said(&read("S", &source(text), here).unwrap_err());
            assert!(error.starts_with(wanted), "{error}");
            assert!(!error.contains("marker"), "{error}");
        }
    }

    /// What Windows PowerShell and its editors write.
    #[test]
    fn a_byte_order_mark_is_no_part_of_a_value_and_utf_16_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let utf_16 = |text: &str| -> Vec<u8> {
            let units = std::iter::once(0xfeff).chain(text.encode_utf16());
            units.flat_map(u16::to_le_bytes).collect()
        };
        std::fs::write(here.join("bom.env"), "\u{feff}S='one'\r\n").unwrap();
        std::fs::write(here.join("bom.json"), "\u{feff}{\"S\":\"two\"}").unwrap();
        std::fs::write(here.join("wide.env"), utf_16("S=marker")).unwrap();
        let value = |text: &str| read("S", &source(text), here).unwrap();
        assert_eq!(value("file:bom.env").expose(), "one");
        assert_eq!(value("file:bom.json").expose(), "two");
        assert_eq!(
            value(r"command:printf '\357\273\277three\r\n'").expose(),
            "three"
        );
        for text in ["file:wide.env", "command:cat wide.env"] {
            let error = Advice::of(&read("S", &source(text), here).unwrap_err());
            let reading = match text {
                "file:wide.env" => format!("reading `{}`: ", here.join("wide.env").display()),
                _ => String::new(),
            };
            assert_eq!(
                format!("{error:#}"),
                format!(
                    "the secret `S` has no value: its source `{text}`: {reading}it is UTF-16, as `>` of Windows PowerShell writes it\nhelp: save it as UTF-8: `iconv -f UTF-16 -t UTF-8`, or `Set-Content -Encoding utf8` instead of `>`"
                )
            );
        }
    }

    #[test]
    fn a_command_gives_its_output_without_the_last_line_break() {
        let read = read("S", &source("command:printf 'a value\\n'"), Path::new("/")).unwrap();
        assert_eq!(read.expose(), "a value");
    }
}
