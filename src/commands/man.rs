//! `man`: the manual pages.

use anyhow::bail;

use super::Context;
use super::cli::Man;

pub(super) fn run(_context: &Context, _args: &Man) -> anyhow::Result<()> {
    bail!("`man` is not there yet")
}
