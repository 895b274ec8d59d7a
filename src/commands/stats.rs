//! `stats`: what an environment has counted.

use anyhow::bail;

use super::Context;
use super::cli::Stats;

pub(super) fn run(_context: &Context, _args: &Stats) -> anyhow::Result<()> {
    bail!("`stats` is not there yet")
}
