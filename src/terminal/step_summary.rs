//! The summary of a GitHub Actions step: Markdown that is appended to the file `GITHUB_STEP_SUMMARY` names.

use std::fmt::Display;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::Context;
use rustix::fs::OFlags;

use crate::terminal::advice::Advice;
use crate::terminal::{escape, output};

/// Appends `text` under `title`, when this runs as a step that has a summary. Where that fails, a warning is all that happens:
/// what the text tells is done.
pub(crate) fn append(title: &str, text: &impl Display) {
    if let Err(error) = write(title, text) {
        let why = Advice::of(&error).line();
        output::tell(&format!("warning: there is no step summary: {why}"));
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
        // It is the runner's file; a link in its place would be somebody else's
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .with_context(|| format!("opening the step summary `{shown}`"))?;
    writeln!(file, "{}", section(title, &text.to_string()))
        .with_context(|| format!("writing the step summary `{shown}`"))
}

/// A heading and a code block, which nothing in the text ends: its fence is longer than every run of backticks in it.
fn section(title: &str, text: &str) -> String {
    let text = escape::text(text);
    let longest = text.split(|c| c != '`').map(str::len).max();
    let fence = "`".repeat(longest.unwrap_or_default().max(3) + 1);
    format!("### {}\n\n{fence}\n{text}\n{fence}\n", escape::line(title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_text_ends_the_code_block() {
        assert_eq!(
            section("plan", "a `b`\n````\n# forged\u{1b}[2J"),
            "### plan\n\n`````\na `b`\n````\n# forged\\u{1b}[2J\n`````\n"
        );
        assert_eq!(section("plan", "a"), "### plan\n\n````\na\n````\n");
    }
}
