//! `dev`: the sandbox, kept at what the sources say, with a page that shows it.

use anyhow::bail;

use super::Context;
use super::cli::Dev;

pub(super) fn run(_context: &Context, _args: &Dev) -> anyhow::Result<()> {
    bail!("`dev` is not there yet")
}
