//! `tail`: what happens in the live workers, as it happens.

use anyhow::bail;

use super::Context;
use super::cli::Tail;

pub(super) fn run(_context: &Context, _args: &Tail) -> anyhow::Result<()> {
    bail!("`tail` is not there yet")
}
