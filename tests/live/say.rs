//! Lines for whoever watches. A terminal that is gone is no reason to leave anything behind.

use std::io::Write;

/// Writes a line to standard output, if somebody still reads it.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
