//! The summary of a GitHub Actions step: Markdown that is appended to the file `GITHUB_STEP_SUMMARY` names.

use std::fmt::Display;
use std::io::Write;

use anyhow::Context;

/// Appends `text` under `title`, when this runs as a step that has a summary. Where that fails, a warning is all that happens:
/// what the text tells is done.
pub fn append(title: &str, text: &impl Display) {
    if let Err(error) = write(title, text) {
        eprintln!("warning: there is no step summary: {error:#}");
    }
}

fn write(title: &str, text: &impl Display) -> anyhow::Result<()> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let shown = path.to_string_lossy().into_owned();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .with_context(|| format!("opening the step summary `{shown}`"))?;
    writeln!(file, "### {title}\n\n````\n{text}\n````\n")
        .with_context(|| format!("writing the step summary `{shown}`"))
}
