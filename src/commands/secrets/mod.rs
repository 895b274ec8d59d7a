//! `secrets`: list, set, remove, rotate.

pub(super) mod facts;
mod list;
mod remove;
mod rotate;
mod set;

use std::process::ExitCode;

use super::Context;
use crate::commands::cli::Secrets as Args;
use crate::environment::Environment;

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    match args {
        Args::List(args) => return list::run(context, args).await,
        Args::Set(args) => set::run(context, args).await,
        Args::Remove(args) => remove::run(context, args).await,
        Args::Rotate(args) => rotate::run(context, args).await,
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Asks before `what` is done to the secrets of a protected environment.
fn confirm(environment: &Environment, what: &str) -> anyhow::Result<()> {
    super::confirm(environment, &what, "secrets list")
}
