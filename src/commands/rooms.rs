//! `rooms`: the objects of an environment, and one room.

use anyhow::bail;

use super::Context;
use super::cli::Rooms;

pub(super) fn run(_context: &Context, _args: &Rooms) -> anyhow::Result<()> {
    bail!("`rooms` is not there yet")
}
