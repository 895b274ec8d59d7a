//! `bench`: a load, and what of it arrived.

use anyhow::bail;

use super::Context;
use super::cli::Bench;

pub(super) fn run(_context: &Context, _args: &Bench) -> anyhow::Result<()> {
    bail!("`bench` is not there yet")
}
