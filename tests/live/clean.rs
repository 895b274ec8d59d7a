//! `./test live --clean`: removes what runs that were killed have left.

use std::io::{IsTerminal, Write};

use anyhow::{Context, bail};

use super::account::Account;
use super::credentials::Credentials;
use super::exit::{FAILURE, SUCCESS};
use super::flow;
use super::name::Whose;
use super::project;
use super::proxy::Target;
use super::remains;
use super::say::say;
use super::stop::Stop;

/// Shows what there is, asks, and deletes it.
pub(crate) async fn clean(
    api: &str,
    target: Target,
    credentials: Credentials,
    yes: bool,
    stop: &Stop,
) -> anyhow::Result<u8> {
    let account = Account::new(api, credentials.clone())?;
    let zone_id = flow::zone_id(&account, &credentials).await?;
    let found = remains::find(&account, &zone_id, &Whose::Every)
        .await
        .context("looking for what earlier runs left")?;
    for unseen in &found.unseen {
        say(&format!("cannot be looked at: {unseen}"));
    }
    if found.things.is_empty() {
        say("nothing is left of any run");
        return Ok(SUCCESS);
    }
    for thing in &found.things {
        say(&format!("{thing}"));
    }
    if !yes && !confirmed(found.things.len()).await? {
        say("nothing was deleted");
        return Ok(FAILURE);
    }
    let removing = remains::remove(&account, &zone_id, &Whose::Every, target.patience());
    let (left, problems) = tokio::select! {
        removed = removing => removed?,
        () = stop.more_than(0) => bail!("stopped; `./test live --clean` goes on"),
    };
    project::remove_of(found.gateways())?;
    if left.things.is_empty() {
        say("deleted; nothing is left of any run");
        return Ok(SUCCESS);
    }
    for thing in &left.things {
        let command = thing.command(api).unwrap_or_default();
        say(&format!("still there: {thing}\n  {command}"));
    }
    bail!("not everything could be deleted: {}", problems.join("; "))
}

/// Asks on the terminal.
async fn confirmed(things: usize) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody can be asked here: `--yes` deletes them without asking");
    }
    print!("delete these {things}? A run that is still at work would lose them. [y/N] ");
    std::io::stdout().flush().context("asking")?;
    let read = || {
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map(|_| answer)
    };
    let answer = tokio::task::spawn_blocking(read).await.context("asking")?;
    Ok(matches!(
        answer.context("asking")?.trim(),
        "y" | "Y" | "yes"
    ))
}
