//! `man`: a manual page for each command.

use std::fmt;
use std::path::Path;

use anyhow::Context;
use clap::{Command, CommandFactory};
use serde::Serialize;

use super::cli::{Cli, Man};
use crate::process::file;
use crate::terminal::output::Format;

/// What was written.
#[derive(Serialize)]
struct Answer {
    folder: String,
    pages: Vec<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (count, folder) = (self.pages.len(), &self.folder);
        write!(f, "wrote {count} manual pages into `{folder}`")
    }
}

pub(super) fn run(format: Format, args: &Man) -> anyhow::Result<()> {
    // `edge-broadcast help …` is only another way to `--help`
    let mut command = Cli::command().disable_help_subcommand(true);
    // Gives each command its whole name, as in `edge-broadcast-secrets-set`, and the options that all have
    command.build();
    let mut pages = Vec::new();
    write(&command, &args.folder, &mut pages)?;
    pages.sort();
    format.answer(&Answer {
        folder: args.folder.display().to_string(),
        pages,
    })
}

/// Writes the page of `command` and those of what is below it, and says their names.
fn write(command: &Command, folder: &Path, pages: &mut Vec<String>) -> anyhow::Result<()> {
    for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        write(below, folder, pages)?;
    }
    let page = clap_mangen::Man::new(command.clone());
    let name = page.get_filename();
    let mut text = Vec::new();
    page.render(&mut text)
        .with_context(|| format!("writing the text of `{name}`"))?;
    // The folder itself is made, the one that it is in is not
    match (folder.parent(), folder.file_name()) {
        (Some(parent), Some(last)) => {
            file::replace_below(parent, &Path::new(last).join(&name), &text)?;
        }
        _ => file::replace_below(folder, Path::new(&name), &text)?,
    }
    pages.push(name);
    Ok(())
}
