//! `environment new`: the manifest of a new environment.

use anyhow::bail;

use super::Context;
use super::cli::Manifest;

pub(super) fn run(_context: &Context, _args: &Manifest) -> anyhow::Result<()> {
    bail!("`environment` is not there yet")
}
