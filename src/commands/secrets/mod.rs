//! `secrets`: list, set, remove, rotate.

pub mod facts;
mod list;
mod remove;
mod rotate;
mod set;

use std::process::ExitCode;

use super::Context;
use crate::cli::Secrets as Args;
use crate::environment::Environment;
use crate::terminal::confirm;

pub async fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    match args {
        Args::List(args) => list::run(context, args).await,
        Args::Set(args) => set::run(context, args).await,
        Args::Remove(args) => remove::run(context, args).await,
        Args::Rotate(args) => rotate::run(context, args).await,
    }
}

/// Who says that a protected environment may change.
#[derive(Clone, Copy)]
enum Consent {
    Given,
    Ask,
}

impl Consent {
    fn of(yes: bool) -> Self {
        if yes { Self::Given } else { Self::Ask }
    }
}

/// Asks before `what` is done to a protected environment.
fn confirm(environment: &Environment, what: &str, consent: Consent) -> anyhow::Result<()> {
    match (environment.protected, consent) {
        (true, Consent::Ask) => {
            confirm::protected(environment.name.as_str(), &what, "secrets list")
        }
        _ => Ok(()),
    }
}
