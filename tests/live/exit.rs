//! Exit codes, as those of the tool itself.

pub(super) const SUCCESS: u8 = 0;
pub(super) const FAILURE: u8 = 1;
pub(super) const USAGE: u8 = 2;
/// What a shell reports for a program that Ctrl-C ended.
pub(super) const INTERRUPTED: u8 = 130;
