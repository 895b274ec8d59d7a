//! A word of a line in a colour. What others wrote is made safe first, so that a line can be put together of several.

use anstyle::{AnsiColor, Style};

use crate::terminal::escape;

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tint {
    Plain,
    /// Beside the matter.
    Faint,
    Name,
    Good,
    Caution,
    Bad,
}

impl Tint {
    /// The word in its colour, on one line.
    pub(crate) fn paint(self, word: &str) -> String {
        let word = escape::line(word);
        let word = escape::text(&word);
        let style = match self {
            Self::Plain => return word.into_owned(),
            Self::Faint => Style::new().dimmed(),
            Self::Name => AnsiColor::Cyan.on_default(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Caution => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
        };
        format!("{style}{word}{style:#}")
    }
}

/// The codes of a colour as a reader can tell them.
#[cfg(test)]
pub(crate) fn told(text: &str) -> String {
    text.replace("\u{1b}[0m", "</>")
        .replace("\u{1b}[1m", "<bold>")
        .replace("\u{1b}[2m", "<faint>")
        .replace("\u{1b}[31m", "<red>")
        .replace("\u{1b}[32m", "<green>")
        .replace("\u{1b}[33m", "<yellow>")
        .replace("\u{1b}[36m", "<cyan>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_bring_a_colour_or_a_line_of_its_own() {
        assert_eq!(
            Tint::Good.paint("a\u{1b}[31m\n##[b"),
            "\u{1b}[32ma\\u{1b}[31m\\n#\\u{23}[b\u{1b}[0m"
        );
        assert_eq!(Tint::Plain.paint("a"), "a");
    }
}
