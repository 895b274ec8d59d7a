//! A sender with its command line or file worked out. Pure; holds no value.

use std::fmt;

use super::entry::{Entry, Kind};

/// A sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// As people call it: `sst`, ``command `deploy-keys` ``.
    pub title: String,
    pub means: Means,
}

/// How a sender learns a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// A program that reads the value.
    Program { words: Vec<String>, input: Input },
    /// A key of a file.
    File { path: String, key: String },
}

/// What a program finds on its standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The value and nothing else, no line break either.
    Value,
    /// A line `NAME=value`, as `sst secret load` reads it.
    Line(String),
    /// The request of `aws ssm put-parameter`, which has the value in it.
    Parameter(String),
}

/// What command lines can name: `{stage}`, `{environment}`, `{worker}` and `{name}`.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    pub environment: &'a str,
    pub worker: &'a str,
    /// The SST stage.
    pub stage: Option<&'a str>,
    /// The secret's name.
    pub secret: &'a str,
    /// Where a workflow finds the value: the environment variable of the source, or else the secret's name.
    pub variable: &'a str,
}

impl Sender {
    /// What `entry` means, or what is missing for it: a problem's message.
    pub fn new(entry: &Entry, names: Names) -> Result<Self, String> {
        let named = |default: &str| entry.name.clone().unwrap_or(default.to_owned());
        let (default, name, input): (_, _, fn(String) -> Input) = match entry.kind {
            Kind::File => {
                let path = entry.path.clone().unwrap_or_default();
                return Ok(Self {
                    title: format!("file `{path}`"),
                    means: Means::File {
                        path,
                        key: named(names.secret),
                    },
                });
            }
            Kind::Command => ("", named(names.secret), |_| Input::Value),
            Kind::Github => (
                "gh secret set {name} --env {environment}",
                named(names.variable),
                |_| Input::Value,
            ),
            Kind::AwsSsm => (
                "aws ssm put-parameter --cli-input-json file:///dev/stdin",
                named(&["", names.worker, names.environment, names.secret].join("/")),
                Input::Parameter,
            ),
            // Not `set`: it keeps the line break or loses a line without one, as its version goes
            Kind::Sst => (
                "sst secret load /dev/stdin --stage {stage}",
                named("EdgeBroadcastSecret"),
                Input::Line,
            ),
        };
        let words: Vec<String> = match &entry.command {
            Some(line) => line.0.clone(),
            None => default.split(' ').map(str::to_owned).collect(),
        };
        if entry.kind == Kind::Sst && words.windows(2).any(|pair| pair == ["secret", "set"]) {
            return Err("`sst secret set` would take the whole line for the value\nuse `sst secret load /dev/stdin`: it gets `NAME=value` on its standard input".to_owned());
        }
        if names.stage.is_none() && words.iter().any(|word| word.contains("{stage}")) {
            return Err("the sender names a stage, and the manifest has no `[sst]`\nadd `[sst]` with `app` and `stage`, or give the sender a `command` of its own".to_owned());
        }
        // After the split: whatever a name holds, it stays one word
        let filled_in = words.iter().map(|word| {
            word.replace("{stage}", names.stage.unwrap_or_default())
                .replace("{environment}", names.environment)
                .replace("{worker}", names.worker)
                .replace("{name}", &name)
        });
        let words: Vec<String> = filled_in.collect();
        let title = match entry.kind {
            Kind::Sst => "sst".to_owned(),
            Kind::Github => "github".to_owned(),
            Kind::AwsSsm => "aws-ssm".to_owned(),
            Kind::Command | Kind::File => format!("command `{}`", words[0]),
        };
        let input = input(name);
        let means = Means::Program { words, input };
        Ok(Self { title, means })
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::sender::entry::Line;

    const NAMES: Names = Names {
        environment: "staging",
        worker: "glow-broadcast",
        stage: Some("staging-2"),
        secret: "WEBHOOK_SECRET",
        variable: "HOOK",
    };

    fn sender(kind: Kind, command: Option<&str>, names: Names) -> Result<(String, String), String> {
        let entry = Entry {
            kind,
            command: command.map(|text| Line::try_from(text.to_owned()).unwrap()),
            path: Some("keys.json".to_owned()),
            name: None,
        };
        Sender::new(&entry, names).map(|sender| match sender.means {
            Means::Program { words, .. } => (sender.title, shell_words::join(words)),
            Means::File { path, key } => (sender.title, format!("{path}#{key}")),
        })
    }

    #[test]
    fn every_kind_has_a_command_line_without_the_value() {
        for (kind, title, line) in [
            (
                Kind::Sst,
                "sst",
                "sst secret load /dev/stdin --stage staging-2",
            ),
            (Kind::Github, "github", "gh secret set HOOK --env staging"),
            (
                Kind::AwsSsm,
                "aws-ssm",
                "aws ssm put-parameter --cli-input-json file:///dev/stdin",
            ),
            (Kind::File, "file `keys.json`", "keys.json#WEBHOOK_SECRET"),
        ] {
            assert_eq!(
                sender(kind, None, NAMES),
                Ok((title.to_owned(), line.to_owned()))
            );
        }
    }

    #[test]
    fn a_command_of_the_manifest_replaces_it_and_a_name_stays_one_word() {
        let names = Names {
            stage: Some("two words"),
            ..NAMES
        };
        assert_eq!(
            sender(
                Kind::Sst,
                Some("npx sst secret load /dev/stdin --stage {stage}"),
                names
            ),
            Ok((
                "sst".to_owned(),
                "npx sst secret load /dev/stdin --stage 'two words'".to_owned()
            ))
        );
    }

    #[test]
    fn a_command_of_sst_that_would_store_the_name_with_the_value_is_a_problem() {
        assert_eq!(
            sender(Kind::Sst, Some("npx sst secret set Key"), NAMES),
            Err("`sst secret set` would take the whole line for the value\nuse `sst secret load /dev/stdin`: it gets `NAME=value` on its standard input".to_owned())
        );
    }

    #[test]
    fn a_stage_that_no_manifest_names_is_a_problem() {
        let names = Names {
            stage: None,
            ..NAMES
        };
        assert!(
            sender(Kind::Sst, None, names)
                .unwrap_err()
                .starts_with("the sender names a stage")
        );
        assert!(sender(Kind::Sst, Some("keys set"), names).is_ok());
    }
}
