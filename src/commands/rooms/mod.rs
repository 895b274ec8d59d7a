//! `rooms`: the objects of an environment, and one room.

mod figures;
mod get;
mod list;

use super::Context;
use super::cli::Rooms;

pub(super) async fn run(context: &Context, args: &Rooms) -> anyhow::Result<()> {
    match args {
        Rooms::List(args) => list::run(context, args).await,
        Rooms::Get(args) => get::run(context, args).await,
    }
}
