//! Lines as wide as a terminal. What goes to a file or a pipe is never wrapped.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm, core};

use crate::terminal::paint;

/// Stands for a space at which no line may end.
const GLUE: char = '\u{a0}';

/// Breaks lines that are wider than `columns` between words. What follows stands under the text of its line, beside the sign or the
/// label that begins it. A word that is too wide, and what stands in backticks, stays whole: somebody may copy it.
pub(super) fn text(text: &str, columns: usize) -> String {
    let lines: Vec<String> = text.split('\n').map(|each| line(each, columns)).collect();
    lines.join("\n")
}

fn line(line: &str, columns: usize) -> String {
    if core::display_width(line) <= columns {
        return line.to_owned();
    }
    let hanging = " ".repeat(label(line).min(columns / 2));
    let options = Options::new(columns)
        .subsequent_indent(&hanging)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    if line.contains(GLUE) || line.matches('`').count() % 2 == 1 {
        return textwrap::fill(line, options);
    }
    let parts: Vec<String> = line
        .split('`')
        .enumerate()
        .map(|(at, part)| match at % 2 {
            0 => part.to_owned(),
            _ => part.replace(' ', &GLUE.to_string()),
        })
        .collect();
    textwrap::fill(&parts.join("`"), options).replace(GLUE, " ")
}

/// Columns before a line's text: its indentation, then a sign (`+ `, `1. `), a heading (`error: `), or a label of a table, after which
/// there are two spaces or more.
fn label(line: &str) -> usize {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let first = text.split(' ').next().unwrap_or_default();
    let is_sign = matches!(
        first,
        "+" | "~" | "-" | "error:" | "warning:" | "help:" | "skipped"
    );
    if is_sign || paint::is_title(text) {
        return indent + first.len() + 1;
    }
    let Some((label, rest)) = text.split_once("  ") else {
        return indent;
    };
    let gap = 2 + rest.len() - rest.trim_start_matches(' ').len();
    indent + core::display_width(label) + gap
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_too_wide_goes_on_under_its_text() {
        let wide =
            "error: `staging` is protected; look at `edge-broadcast plan staging`, then go on
  short enough
  ok      health answers and every other check of it does
  WRONG  secret A of glow-broadcast-staging-with-a-long-name: over 90 d, rotation due
         edge-broadcast secrets rotate staging
   ~ binding SETTINGS.allowed_origins: https://a.example -> https://b.example
12. give all traffic of `glow-broadcast-staging` to the new version
nothing begins this line, and so nothing is before what follows
  glow-broadcast-staging-room  code 0123456789abcdef at 100 %";
        insta::assert_snapshot!(text(wide, 40), @r"
        error: `staging` is protected; look at
               `edge-broadcast plan staging`,
               then go on
          short enough
          ok      health answers and every other
                  check of it does
          WRONG  secret A of
                 glow-broadcast-staging-with-a-long-name:
                 over 90 d, rotation due
                 edge-broadcast secrets rotate
                 staging
           ~ binding SETTINGS.allowed_origins:
             https://a.example ->
             https://b.example
        12. give all traffic of
            `glow-broadcast-staging` to the new
            version
        nothing begins this line, and so nothing
        is before what follows
          glow-broadcast-staging-room  code
                            0123456789abcdef at
                            100 %
        ");
    }

    proptest! {
        #[test]
        fn the_words_stay_and_only_one_that_is_too_wide_stands_out(
            any in "( {0,4}([+~1.-] |[a-zä]{1,12}:? {1,4}|`[a-z ]{0,9}` ){0,9}\n){0,3}",
            columns in 4_usize..60,
        ) {
            let wrapped = text(&any, columns);
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&wrapped), words(&any));
            for each in wrapped.lines().filter(|line| core::display_width(line) > columns) {
                let word = each.trim();
                let whole = !word.contains(' ') || word.matches('`').count() >= 2 || each.starts_with("  ");
                prop_assert!(whole, "{each:?} at {columns}");
            }
        }
    }
}
