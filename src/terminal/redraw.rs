//! A block of lines that takes the place of the one before, on a terminal; elsewhere one comes after the other.

use std::io::{self, Write};

use anyhow::Context;

use crate::terminal::{output, screen};

/// What is drawn again and again.
#[derive(Debug, Default)]
pub(crate) struct Redraw {
    /// The lines on the terminal.
    lines: usize,
}

impl Redraw {
    /// Draws `block`; whether somebody is there to see it.
    pub(crate) fn draw(&mut self, block: &str) -> anyhow::Result<bool> {
        let columns = screen::columns(io::stdout());
        let text = screen::text(block, columns);
        let Some(_) = columns else {
            return output::is_heard(&format!("{text}\n"));
        };
        let mut stdout = io::stdout();
        let above = above(self.lines);
        stdout
            .write_all(above.as_bytes())
            .and_then(|()| stdout.flush())
            .context("writing to the terminal")?;
        self.lines = text.lines().count();
        output::is_heard(&text)
    }
}

/// Back to the first of so many lines, and nothing below it (ECMA-48: CPL and ED). No colour: `NO_COLOR` says nothing about it.
fn above(lines: usize) -> String {
    match lines {
        0 => String::new(),
        lines => format!("\u{1b}[{lines}F\u{1b}[J"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_takes_the_place_of_the_one_before() {
        assert_eq!(above(0), "");
        assert_eq!(above(3), "\u{1b}[3F\u{1b}[J");
    }
}
