//! `completions`: a shell's completions.

use anyhow::bail;

use super::Context;
use super::cli::Completions;

pub(super) fn run(_context: &Context, _args: &Completions) -> anyhow::Result<()> {
    bail!("`completions` is not there yet")
}
