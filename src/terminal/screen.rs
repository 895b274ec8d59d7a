//! How text for people looks where it goes: wide lines are wrapped on a terminal, and beginnings of lines are coloured.
//!
//! Codes for colours are always there: the stream takes them out where nobody wants them (`anstream`).

use std::os::fd::AsFd;

use anstream::ColorChoice;
use terminal_size::{Width, terminal_size_of};

use crate::terminal::{escape, paint, wrap};

/// Heeds `FORCE_COLOR` (force-color.org; 0 is "no" to Node's tools), for this tool's own output and for what its command line prints.
/// `anstream` itself heeds `NO_COLOR`, which is stronger, `CLICOLOR_FORCE`, `CLICOLOR` and `TERM`.
pub fn heed_force_color() {
    let value = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if value("FORCE_COLOR").is_some_and(|value| value != "0") && value("NO_COLOR").is_none() {
        ColorChoice::Always.write_global();
    }
}

/// The width of the terminal to which a stream leads; `None` where there is no terminal.
pub(super) fn columns(stream: impl AsFd) -> Option<usize> {
    terminal_size_of(stream).map(|(Width(columns), _)| columns.into())
}

/// Text as it is shown: made safe, then wrapped, then coloured.
pub(super) fn text(text: &str, columns: Option<usize>) -> String {
    let shown = escape::text(text);
    match columns {
        Some(columns) => paint::text(&wrap::text(&shown, columns)),
        None => paint::text(&shown),
    }
}

/// A unified diff: its lines stay as they are.
pub(super) fn diff(text: &str) -> String {
    paint::diff(&escape::text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "error: the name `a\u{1b}[32mb` is wrong, and so is `c\u{202e}d`";

    #[test]
    fn codes_of_others_are_shown_as_text_wherever_ours_are_written() {
        let bare = |shown: &str| anstream::adapter::strip_str(shown).to_string();
        let coloured = text(TEXT, None);
        assert_eq!(
            bare(&coloured),
            r"error: the name `a\u{1b}[32mb` is wrong, and so is `c\u{202e}d`"
        );
        assert_eq!(
            coloured,
            "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m the name `a\\u{1b}[32mb` is wrong, and so is `c\\u{202e}d`"
        );
        assert_eq!(
            text(TEXT, Some(30)),
            "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m the name `a\\u{1b}[32mb`\n       is wrong, and so is\n       `c\\u{202e}d`"
        );
    }

    #[test]
    fn an_excerpt_and_a_diff_keep_their_lines() {
        assert_eq!(text("1 | a = b\u{7}", None), r"1 | a = b\u{7}");
        let shown = diff("+a b c d e\u{7}");
        assert_eq!(shown, "\u{1b}[32m+a b c d e\\u{7}\u{1b}[0m");
    }
}
