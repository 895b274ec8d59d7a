//! `environment new`: the manifest of a new environment.

use std::fmt;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use super::Context;
use super::cli::{Manifest, New};
use crate::environment::draft::{Change, Draft, draft};
use crate::environment::name::EnvironmentName;
use crate::process::file::replace_below;
use crate::terminal::advice::Advice;

#[derive(Serialize)]
struct Answer {
    environment: String,
    /// The file that was written.
    path: String,
    from: String,
    changes: Vec<Change>,
    /// Where its secrets come from, as those of the other environment do.
    sources: Vec<String>,
}

pub(super) fn run(context: &Context, args: &Manifest) -> anyhow::Result<()> {
    let Manifest::New(New { name, from }) = args;
    let example = context.project.environment(from)?;
    let name: EnvironmentName = name.parse().map_err(told)?;
    let path = format!("environments/{name}.toml");
    let file = context.project.root.join(&path);
    if file.symlink_metadata().is_ok() {
        return Err(Advice::new(
            format!("`{path}` is there already"),
            "choose another name, or edit that file".to_owned(),
        )
        .into());
    }
    let known = format!("environments/{}.toml", example.name);
    let source = std::fs::read_to_string(context.project.root.join(&known))
        .with_context(|| format!("reading `{known}`"))?;
    let drafted = draft(&source, example.name.as_str(), name.as_str());
    let Draft { text, changes } = drafted.with_context(|| format!("reading `{known}`"))?;
    context.project.admits(&name, &text)?;
    replace_below(&context.project.root, Path::new(&path), text.as_bytes())?;
    let sources = example.sources();
    context.format.answer(&Answer {
        environment: name.to_string(),
        path,
        from: example.name.to_string(),
        changes,
        sources: sources
            .map(|(name, source)| format!("{name} from {source}"))
            .collect(),
    })
}

/// A rule's message, whose first line says what is wrong.
fn told(message: String) -> Advice {
    match message.split_once('\n') {
        Some((what, fix)) => Advice::new(what.to_owned(), fix.to_owned()),
        None => Advice {
            what: message,
            fix: None,
        },
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "wrote `{}`, like `{}`", self.path, self.from)?;
        for Change { key, before, after } in &self.changes {
            write!(f, "\n  {key}: {before} -> {after}")?;
        }
        write!(f, "\n\nlook at")?;
        write!(f, "\n  its comments, which are those of `{}`", self.from)?;
        for source in &self.sources {
            write!(f, "\n  the secret {source}: the same source")?;
        }
        write!(
            f,
            "\n\nthen `edge-broadcast generate` and `edge-broadcast plan {}`",
            self.environment
        )
    }
}
