//! `secrets`: list, set, remove, rotate.

mod list;
mod remove;
mod rotate;
mod set;

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use super::Context;
use crate::cli::Secrets as Args;
use crate::environment::Environment;

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
    let name = environment.name.as_str();
    if !environment.protected || matches!(consent, Consent::Given) {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || std::env::var_os("CI").is_some() {
        bail!("`{name}` is protected and nobody can be asked here; run with `--yes` to {what}");
    }
    let typed: String = dialoguer::Input::new()
        .with_prompt(format!("`{name}` is protected. Type its name to {what}"))
        .allow_empty(true)
        .interact_text()
        .context("asking for confirmation")?;
    if typed != name {
        bail!("nothing was changed: `{typed}` is not `{name}`");
    }
    Ok(())
}
