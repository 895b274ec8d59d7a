//! Colours for people: the sign or the word that begins a line, as Terraform and cargo colour theirs.
//!
//! Pure. The text is safe to show already; the codes are put around what this tool wrote, and around nothing else.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};

const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();
const BOLD: Style = Style::new().bold();

/// Beginnings of lines with their indentation, by colour: the changes of a plan, checks and findings, what a stopped run has done, and
/// headings.
const STARTS: [(Style, &[&str]); 6] = [
    (GREEN, &["   +", "  ok", "  done:"]),
    (
        YELLOW,
        &["   ~", "  skipped", "  not attempted:", "  taken back:"],
    ),
    (
        RED,
        &[
            "   -",
            "  failed:",
            "  not taken back:",
            "  live and unverified:",
        ],
    ),
    (RED.bold(), &["  FAILED", "  WRONG", "error:"]),
    (YELLOW.bold(), &["warning:"]),
    (CYAN.bold(), &["help:", "  = help:", "   = help:"]),
];

/// Colours the beginnings of lines.
pub(super) fn text(text: &str) -> String {
    lines(text, |line| {
        if is_title(line) {
            return whole(line, BOLD);
        }
        for (style, starts) in STARTS {
            for start in starts {
                if let Some(rest) = line.strip_prefix(start)
                    && (rest.is_empty() || rest.starts_with(' '))
                {
                    let word = start.trim_start();
                    let indent = &start[..start.len() - word.len()];
                    return Cow::Owned(format!("{indent}{style}{word}{style:#}{rest}"));
                }
            }
        }
        Cow::Borrowed(line)
    })
}

/// Colours a unified diff.
pub(super) fn diff(text: &str) -> String {
    lines(text, |line| match line.as_bytes() {
        [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => whole(line, BOLD),
        [b'@', b'@', ..] => whole(line, CYAN),
        [b'+', ..] => whole(line, GREEN),
        [b'-', ..] => whole(line, RED),
        _ => Cow::Borrowed(line),
    })
}

/// Whether the line names a step of a plan: `1. upload …`.
pub(super) fn is_title(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < line.len() && rest.starts_with(". ")
}

fn lines<'a>(text: &'a str, paint: impl Fn(&'a str) -> Cow<'a, str>) -> String {
    let painted: Vec<Cow<str>> = text.split('\n').map(paint).collect();
    painted.join("\n")
}

fn whole(line: &str, style: Style) -> Cow<'_, str> {
    Cow::Owned(format!("{style}{line}{style:#}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::terminal::tint::told;

    #[test]
    fn a_plan_has_terraforms_colours() {
        let plan = "staging: 2 steps

1. upload a version of `glow`
   lane: code
   + secret A: set
   ~ code: 1 -> 2
   - placement: smart

12. give all traffic of `glow` to the new version

socket impact: none

1 to add, 1 to change, 0 to remove";
        insta::assert_snapshot!(told(&text(plan)), @r"
        staging: 2 steps

        <bold>1. upload a version of `glow`</>
           lane: code
           <green>+</> secret A: set
           <yellow>~</> code: 1 -> 2
           <red>-</> placement: smart

        <bold>12. give all traffic of `glow` to the new version</>

        socket impact: none

        1 to add, 1 to change, 0 to remove
        ");
    }

    #[test]
    fn headings_checks_and_what_a_stopped_run_has_done_are_coloured_and_their_text_is_not() {
        let shown = "error: it failed: error: so
warning: there is no summary
help: run it again
errors: none
  ok      health answers
  okay
  FAILED  a publish: ok
  skipped a check
  WRONG  it is not deployed
  not attempted:  route `a`
  - a conflict
  = help: write `a`";
        insta::assert_snapshot!(told(&text(shown)), @r"
        <bold><red>error:</> it failed: error: so
        <bold><yellow>warning:</> there is no summary
        <bold><cyan>help:</> run it again
        errors: none
          <green>ok</>      health answers
          okay
          <bold><red>FAILED</>  a publish: ok
          <yellow>skipped</> a check
          <bold><red>WRONG</>  it is not deployed
          <yellow>not attempted:</>  route `a`
          - a conflict
          <bold><cyan>= help:</> write `a`
        ");
    }

    #[test]
    fn a_diff_has_gits_colours() {
        let shown = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n a\n-b\n+c";
        insta::assert_snapshot!(told(&diff(shown)), @r"
        <bold>--- a/x</>
        <bold>+++ b/x</>
        <cyan>@@ -1 +1 @@</>
         a
        <red>-b</>
        <green>+c</>
        ");
    }

    proptest! {
        #[test]
        fn colours_are_all_that_is_added(any in "( {0,3}(ok|[+~-]|error:|1\\.)?[ a-z+-]{0,8}\n){0,6}") {
            for painted in [text(&any), diff(&any)] {
                let codes = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[36m"];
                let plain = codes.iter().fold(painted, |text, code| text.replace(code, ""));
                prop_assert_eq!(plain, any.clone());
            }
        }
    }
}
