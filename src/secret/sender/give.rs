//! Hands a value to a sender.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde::Serialize;
use zeroize::Zeroizing;

use super::resolved::{Input, Means, Sender};
use crate::process;
use crate::process::file::Readers;
use crate::process::invocation::Invocation;
use crate::process::run::{self, Input as Stdin, Printed, Terms};
use crate::process::surroundings::{Purpose, Withheld};
use crate::secret::{Value, file, json};
use crate::terminal::advice::Advice;

/// How long a sender may take: it may deploy something.
pub(crate) const LIMIT: Duration = Duration::from_secs(600);
/// How much of a failed program's standard error is shown.
const KEPT_LINES: usize = 20;

/// Hands `value` to `sender`. Relative paths and programs begin in `folder`; no program gets the variables `withheld`. `hear` gets what a
/// program says on its standard error.
pub(crate) fn give(
    sender: &Sender,
    value: &Value,
    folder: &Path,
    withheld: &Withheld,
    hear: impl Fn(&str),
) -> anyhow::Result<()> {
    match &sender.means {
        Means::Program { words, input } => program(words, input, value, folder, withheld, hear),
        Means::File { path, key } => write(&folder.join(path), key, value),
    }
    .with_context(|| format!("the sender {sender} did not take the value"))
}

fn program(
    words: &[String],
    input: &Input,
    value: &Value,
    folder: &Path,
    withheld: &Withheld,
    hear: impl Fn(&str),
) -> anyhow::Result<()> {
    let redacted = |said: &str| said.replace(value.expose(), "[redacted]");
    let terms = Terms {
        input: Stdin::Bytes(&stdin(input, value)?),
        output: Printed::Returned,
        limit: Some(LIMIT),
        kept: KEPT_LINES,
    };
    let program = Invocation::of_words(Purpose::Secret(withheld.clone()), words, folder);
    run::run(&program, terms, |line| hear(&redacted(line)))
        .map(drop)
        .map_err(|error| anyhow!(redacted(&Advice::of(&error).line())))
}

/// What the program finds on its standard input.
fn stdin(input: &Input, value: &Value) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let text = value.expose();
    match input {
        Input::Value => Ok(Zeroizing::new(text.as_bytes().to_vec())),
        Input::Line(name) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_+/=.:@%-".contains(c);
            if !text.chars().all(plain) {
                bail!(
                    "the value has a character that versions of `sst secret load` read differently; give it to this sender yourself, or set a value of letters, digits and `_+/=.:@%-`"
                );
            }
            Ok(Zeroizing::new(
                [name.as_str(), "=", text, "\n"].concat().into_bytes(),
            ))
        }
        Input::Parameter(name) => json(&Parameter {
            name,
            value: text,
            kind: "SecureString",
            overwrite: true,
        }),
    }
}

/// The request of `aws ssm put-parameter` (docs: Systems Manager, PutParameter).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter<'a> {
    name: &'a str,
    value: &'a str,
    #[serde(rename = "Type")]
    kind: &'a str,
    overwrite: bool,
}

/// Replaces the file as a whole, so that nobody reads half of it, with a right to read for its owner only.
fn write(path: &Path, key: &str, value: &Value) -> anyhow::Result<()> {
    let after = file::with(path, key, value)?;
    process::file::replace(path, after.as_bytes(), Readers::Owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::os::unix::fs::PermissionsExt;

    fn value() -> Value {
        Value::new("marker-of-the-sender-test".to_owned())
    }

    fn shell(script: &str) -> Sender {
        Sender {
            title: "command `sh`".to_owned(),
            means: Means::Program {
                words: ["sh", "-c", script].map(str::to_owned).into(),
                input: Input::Value,
            },
        }
    }

    #[test]
    fn a_program_gets_the_value_and_nothing_else_on_its_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        give(
            &shell("cat > got"),
            &value(),
            folder.path(),
            &Withheld::default(),
            |_| {},
        )
        .unwrap();
        assert_eq!(
            std::fs::read_to_string(folder.path().join("got")).unwrap(),
            "marker-of-the-sender-test"
        );
    }

    #[test]
    fn a_failing_program_is_named_with_what_it_said_but_not_with_the_value() {
        let error = give(
            &shell("echo no access; echo denied for $(cat) >&2; exit 3"),
            &value(),
            Path::new("/"),
            &Withheld::default(),
            |_| {},
        )
        .unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "the sender command `sh` did not take the value: `sh` failed (exit status: 3)\n  denied for [redacted]"
        );
    }

    #[test]
    fn sst_gets_a_whole_line_and_only_what_every_version_of_it_reads_alike() {
        let input = Input::Line("Key".to_owned());
        let line = stdin(&input, &value()).unwrap();
        assert_eq!(line.as_slice(), b"Key=marker-of-the-sender-test\n");
        for other in ["it's-quoted", "a#comment", "$HOME", "two words", "a\\b"] {
            let error = stdin(&input, &Value::new(other.to_owned())).unwrap_err();
            assert!(!error.to_string().contains(other), "{error}");
        }
    }

    #[test]
    fn the_parameter_store_gets_its_request_on_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        let mut sender = shell("cat > got");
        let Means::Program { input, .. } = &mut sender.means else {
            unreachable!()
        };
        *input = Input::Parameter("/glow/key".to_owned());
        give(
            &sender,
            &value(),
            folder.path(),
            &Withheld::default(),
            |_| {},
        )
        .unwrap();
        let got: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("got")).unwrap()).unwrap();
        assert_eq!(
            got,
            json!({ "Name": "/glow/key", "Value": "marker-of-the-sender-test", "Type": "SecureString", "Overwrite": true })
        );
    }

    #[test]
    fn a_file_keeps_its_other_keys_and_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        for (name, before, after) in [
            (
                "a.env",
                "OTHER=1\nKEY=old\n",
                "OTHER=1\nKEY='marker-of-the-sender-test'\n",
            ),
            (
                "new.json",
                "",
                "{\n  \"KEY\": \"marker-of-the-sender-test\"\n}\n",
            ),
        ] {
            let path = folder.path().join(name);
            if !before.is_empty() {
                std::fs::write(&path, before).unwrap();
            }
            let means = Means::File {
                path: name.to_owned(),
                key: "KEY".to_owned(),
            };
            give(
                &Sender {
                    title: String::new(),
                    means,
                },
                &value(),
                folder.path(),
                &Withheld::default(),
                |_| {},
            )
            .unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
            assert_eq!(
                std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }
}
