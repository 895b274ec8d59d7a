//! `cost`: what a month costs.

use anyhow::bail;

use super::Context;
use super::cli::Cost;

pub(super) fn run(_context: &Context, _args: &Cost) -> anyhow::Result<()> {
    bail!("`cost` is not there yet")
}
