//! A sender with its command line or file worked out. Pure; holds no value.

use std::fmt;

use super::written::{Kind, Written};

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
pub struct Surroundings<'a> {
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
    /// What `written` means, or what is missing for it: a problem's message.
    pub fn new(written: &Written, around: Surroundings) -> Result<Self, String> {
        let means = match written.kind {
            Kind::File => Means::File {
                path: written.path.clone().unwrap_or_default(),
                key: written
                    .name
                    .clone()
                    .unwrap_or_else(|| around.secret.to_owned()),
            },
            kind => program(kind, written, around)?,
        };
        let title = match (&means, written.kind) {
            (Means::File { path, .. }, _) => format!("file `{path}`"),
            (Means::Program { words, .. }, Kind::Command) => format!("command `{}`", words[0]),
            (_, Kind::Sst) => "sst".to_owned(),
            (_, Kind::Github) => "github".to_owned(),
            (_, Kind::AwsSsm | Kind::File) => "aws-ssm".to_owned(),
        };
        Ok(Self { title, means })
    }
}

fn program(kind: Kind, written: &Written, around: Surroundings) -> Result<Means, String> {
    let named = |default: String| written.name.clone().unwrap_or(default);
    let (default, name, input) = match kind {
        Kind::Github => {
            let name = named(around.variable.to_owned());
            (
                "gh secret set {name} --env {environment}",
                name,
                Input::Value,
            )
        }
        Kind::AwsSsm => {
            let name = named(format!(
                "/{}/{}/{}",
                around.worker, around.environment, around.secret
            ));
            (
                "aws ssm put-parameter --cli-input-json file:///dev/stdin",
                name.clone(),
                Input::Parameter(name),
            )
        }
        Kind::Sst => {
            let name = named("EdgeBroadcastSecret".to_owned());
            // Not `set`: it keeps the line break or loses a line without one, as its version goes
            (
                "sst secret load /dev/stdin --stage {stage}",
                name.clone(),
                Input::Line(name),
            )
        }
        Kind::Command | Kind::File => ("", named(around.secret.to_owned()), Input::Value),
    };
    let words: Vec<String> = match &written.command {
        Some(line) => line.0.clone(),
        None => default.split(' ').map(str::to_owned).collect(),
    };
    if kind == Kind::Sst && words.windows(2).any(|pair| pair == ["secret", "set"]) {
        return Err("`sst secret set` would take the whole line for the value\nuse `sst secret load /dev/stdin`: it gets `NAME=value` on its standard input".to_owned());
    }
    if around.stage.is_none() && words.iter().any(|word| word.contains("{stage}")) {
        return Err("the sender names a stage, and the manifest has no `[sst]`\nadd `[sst]` with `app` and `stage`, or give the sender a `command` of its own".to_owned());
    }
    let words = words
        .iter()
        .map(|word| {
            // After the split: whatever a name holds, it stays one word
            word.replace("{stage}", around.stage.unwrap_or_default())
                .replace("{environment}", around.environment)
                .replace("{worker}", around.worker)
                .replace("{name}", &name)
        })
        .collect();
    Ok(Means::Program { words, input })
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::sender::written::Line;

    const AROUND: Surroundings = Surroundings {
        environment: "staging",
        worker: "glow-broadcast",
        stage: Some("staging-2"),
        secret: "WEBHOOK_SECRET",
        variable: "HOOK",
    };

    fn sender(
        kind: Kind,
        command: Option<&str>,
        around: Surroundings,
    ) -> Result<(String, String), String> {
        let written = Written {
            kind,
            command: command.map(|text| Line::try_from(text.to_owned()).unwrap()),
            path: Some("keys.json".to_owned()),
            name: None,
        };
        Sender::new(&written, around).map(|sender| match sender.means {
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
                sender(kind, None, AROUND),
                Ok((title.to_owned(), line.to_owned()))
            );
        }
    }

    #[test]
    fn a_command_of_the_manifest_replaces_it_and_a_name_stays_one_word() {
        let around = Surroundings {
            stage: Some("two words"),
            ..AROUND
        };
        assert_eq!(
            sender(
                Kind::Sst,
                Some("npx sst secret load /dev/stdin --stage {stage}"),
                around
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
            sender(Kind::Sst, Some("npx sst secret set Key"), AROUND),
            Err("`sst secret set` would take the whole line for the value\nuse `sst secret load /dev/stdin`: it gets `NAME=value` on its standard input".to_owned())
        );
    }

    #[test]
    fn a_stage_that_no_manifest_names_is_a_problem() {
        let around = Surroundings {
            stage: None,
            ..AROUND
        };
        assert!(
            sender(Kind::Sst, None, around)
                .unwrap_err()
                .starts_with("the sender names a stage")
        );
        assert!(sender(Kind::Sst, Some("keys set"), around).is_ok());
    }
}
