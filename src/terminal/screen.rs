//! How text for people looks where it goes: wide lines are wrapped on a terminal, and beginnings of lines are coloured.

use std::io;

use anstream::{AutoStream, ColorChoice};
use terminal_size::{Width, terminal_size_of};

use crate::terminal::{escape, paint, wrap};

/// What one of the standard streams leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// The terminal's width; `None` where there is no terminal.
    pub columns: Option<usize>,
    pub colours: Colours,
}

/// Whether codes for colours are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    Ansi,
    None,
}

/// Heeds `FORCE_COLOR` (force-color.org; 0 is "no" to Node's tools), for this tool's own output and for what its command line prints.
/// `anstream` itself heeds `NO_COLOR`, which is stronger, `CLICOLOR_FORCE`, `CLICOLOR` and `TERM`.
pub fn heed_force_color() {
    let value = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if value("FORCE_COLOR").is_some_and(|value| value != "0") && value("NO_COLOR").is_none() {
        ColorChoice::Always.write_global();
    }
}

impl Screen {
    /// Of the standard output.
    pub fn stdout() -> Self {
        let columns = terminal_size_of(io::stdout());
        Self::with(columns, AutoStream::choice(&io::stdout()))
    }

    /// Of the standard error.
    pub fn stderr() -> Self {
        let columns = terminal_size_of(io::stderr());
        Self::with(columns, AutoStream::choice(&io::stderr()))
    }

    fn with<H>(size: Option<(Width, H)>, choice: ColorChoice) -> Self {
        Self {
            columns: size.map(|(Width(columns), _)| columns.into()),
            colours: match choice {
                ColorChoice::Never => Colours::None,
                ColorChoice::Auto | ColorChoice::Always | ColorChoice::AlwaysAnsi => Colours::Ansi,
            },
        }
    }

    /// Text as it is shown: made safe, then wrapped, then coloured.
    pub fn text(self, text: &str) -> String {
        let mut shown = escape::text(text).into_owned();
        if let Some(columns) = self.columns {
            shown = wrap::text(&shown, columns);
        }
        match self.colours {
            Colours::Ansi => paint::text(&shown),
            Colours::None => shown,
        }
    }

    /// An excerpt of a file with marks under it: its lines stay as they are.
    pub fn excerpt(self, text: &str) -> String {
        Self {
            columns: None,
            ..self
        }
        .text(text)
    }

    /// A unified diff: its lines stay as they are.
    pub fn diff(self, text: &str) -> String {
        let shown = escape::text(text);
        match self.colours {
            Colours::Ansi => paint::diff(&shown),
            Colours::None => shown.into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "error: the name `a\u{1b}[32mb` is wrong, and so is `c\u{202e}d`";

    #[test]
    fn codes_of_others_are_shown_as_text_wherever_ours_are_written() {
        let shown = |columns, colours| Screen { columns, colours }.text(TEXT);
        assert_eq!(
            shown(None, Colours::None),
            r"error: the name `a\u{1b}[32mb` is wrong, and so is `c\u{202e}d`"
        );
        assert_eq!(
            shown(None, Colours::Ansi),
            "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m the name `a\\u{1b}[32mb` is wrong, and so is `c\\u{202e}d`"
        );
        assert_eq!(
            shown(Some(30), Colours::Ansi),
            "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m the name `a\\u{1b}[32mb`\n       is wrong, and so is\n       `c\\u{202e}d`"
        );
    }

    #[test]
    fn an_excerpt_and_a_diff_keep_their_lines() {
        let narrow = Screen {
            columns: Some(4),
            colours: Colours::None,
        };
        assert_eq!(narrow.excerpt("1 | a = b\u{7}"), r"1 | a = b\u{7}");
        assert_eq!(narrow.diff("+a b c d e\u{7}"), r"+a b c d e\u{7}");
    }
}
