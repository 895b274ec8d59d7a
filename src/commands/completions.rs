//! `completions`: a shell's completions of commands, options and their fixed values.

use std::fmt;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use serde::Serialize;

use super::cli::{Cli, Completions};
use crate::terminal::output::{self, Format};

/// What a shell reads.
#[derive(Serialize)]
struct Answer {
    shell: String,
    script: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.script.trim_end())
    }
}

pub(super) fn run(format: Format, args: &Completions) -> anyhow::Result<()> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, &name, &mut script);
    let script = String::from_utf8(script).context("reading the completions as text")?;
    let answer = Answer {
        shell: args.shell.to_string(),
        script: match args.shell {
            Shell::Bash => of_one_name(&script, &name),
            _ => script,
        },
    };
    match format {
        // A program's source: neither wrapped nor coloured on a terminal
        Format::Text => output::line(&answer.to_string()),
        Format::Json => format.answer(&answer),
    }
}

/// The dash of the tool's name as the script for bash writes it everywhere: where it says which command is typed it is `__`, and
/// where it looks up what to offer, `__subcmd__` (`clap_complete` 4.6.11, `shells/bash.rs`), so that nothing below the first word is found.
fn of_one_name(script: &str, name: &str) -> String {
    script.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__"))
}
