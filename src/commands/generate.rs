//! `generate`: manifests to files.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::bail;
use serde::Serialize;

use super::{Context, today};
use crate::commands::cli::Generate;
use crate::generate::artifact::{self, Artifact, Stale};
use crate::generate::{documents, render};
use crate::terminal::advice::Advice;
use crate::terminal::output::Format;

#[derive(Serialize)]
struct Answer {
    written: Vec<String>,
    unchanged: usize,
    /// Files that no manifest asks for any more. They are named, never deleted.
    orphans: Vec<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for path in &self.written {
            writeln!(f, "wrote {path}")?;
        }
        for path in &self.orphans {
            writeln!(f, "no manifest asks for {path} any more: delete it")?;
        }
        write!(
            f,
            "{} written, {} unchanged",
            self.written.len(),
            self.unchanged
        )
    }
}

/// What `--check` found.
#[derive(Serialize)]
struct Difference {
    stale: Vec<Stale>,
    orphans: Vec<String>,
}

impl Difference {
    fn names(&self) -> Vec<String> {
        let stale = self.stale.iter().map(|stale| stale.path.clone());
        stale.chain(self.orphans.iter().cloned()).collect()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let diffs: String = self.stale.iter().map(ToString::to_string).collect();
        f.write_str(diffs.trim_end())
    }
}

pub(super) fn run(context: &Context, args: &Generate) -> anyhow::Result<()> {
    let root = &context.project.root;
    // Both wrangler.toml have a section for every environment, so all manifests are read whatever was named
    let mut chosen = rendered(context)?;
    let orphans = artifact::orphans(root, &chosen)?;
    let named = &args.environments.environments;
    let named = context.project.distinct(named, &today())?;
    let named = named.iter().map(|environment| environment.name.as_str());
    let folders: Vec<&str> = ["gateway", "room"].into_iter().chain(named).collect();
    chosen.retain(|artifact| {
        let folder = artifact.path.split('/').nth(1);
        folder.is_some_and(|folder| folders.contains(&folder))
    });
    chosen.extend(documents::documents(root)?);
    if args.check {
        return check(context, &chosen, orphans);
    }
    let written = artifact::write(root, &chosen)?;
    let unchanged = chosen.len() - written.len();
    context.format.answer(&Answer {
        written,
        unchanged,
        orphans,
    })
}

/// All generated files as they should be, as a part of a longer command. Writes nothing.
pub(super) fn rendered(context: &Context) -> anyhow::Result<Vec<Artifact>> {
    render::render(&context.project.environments(&[])?)
}

/// The same where only one environment is wanted: nothing where another one's manifest has problems, since some files are made of all.
pub(super) fn rendered_if_all_are_good(context: &Context) -> anyhow::Result<Vec<Artifact>> {
    let problems = context.project.problems();
    if problems.is_empty() {
        return rendered(context);
    }
    let paths: BTreeSet<&str> = problems.iter().map(|it| it.path.as_str()).collect();
    let paths: Vec<&str> = paths.into_iter().collect();
    context.progress.say(&format!(
        "`generated/` stays as it is, since it is made of all manifests: `edge-broadcast check` shows what is wrong with `{}`",
        paths.join("`, `")
    ));
    Ok(Vec::new())
}

/// Brings the files up to date, as a part of a longer command.
pub(super) fn refresh(context: &Context, artifacts: &[Artifact]) -> anyhow::Result<()> {
    for path in artifact::write(&context.project.root, artifacts)? {
        context
            .progress
            .say(&format!("wrote {path}, which was stale: commit it"));
    }
    Ok(())
}

fn check(context: &Context, artifacts: &[Artifact], orphans: Vec<String>) -> anyhow::Result<()> {
    let stale = artifact::stale(&context.project.root, artifacts)?;
    let difference = Difference { stale, orphans };
    let names = difference.names();
    if !difference.stale.is_empty() || context.format == Format::Json {
        context.format.diff(&difference)?;
    }
    if names.is_empty() {
        return Ok(());
    }
    bail!(Advice::new(
        format!("the generated files are stale: `{}`", names.join("`, `")),
        "run `edge-broadcast generate`, delete what no manifest asks for, and commit the result"
    ));
}
