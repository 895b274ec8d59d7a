//! `schema`: the JSON schema of manifests.

use anyhow::bail;

use super::Context;

pub(super) fn run(_context: &Context) -> anyhow::Result<()> {
    bail!("`schema` is not there yet")
}
