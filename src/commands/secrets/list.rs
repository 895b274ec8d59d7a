//! `secrets list`: the matrix of environments and secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use super::super::Context;
use super::confirm;
use super::facts::Facts;
use crate::cli::ListSecrets as Args;
use crate::cloudflare::secrets;
use crate::deploy::remote::Remote;
use crate::environment::{Environment, script};
use crate::plan::ownership;
use crate::rotation::blocked::undivided;
use crate::rotation::inventory::{Column, Inventory};

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let environments = context
        .project
        .environments(&args.environments.environments)?;
    let mut columns = Vec::new();
    for environment in &environments {
        let remote = Remote::from_env(environment, &context.progress).await?;
        let read = async || {
            let facts = Facts::read(&remote.cloudflare, environment).await?;
            anyhow::Ok(facts.column(environment))
        };
        let mut column = read().await?;
        if args.prune && column.extra().next().is_some() {
            if !args.yes {
                confirm(
                    environment,
                    "delete the secrets that its manifest does not name",
                )?;
            }
            prune(context, &remote, environment, &column).await?;
            column = read().await?;
        }
        columns.push(column);
    }
    let inventory = Inventory {
        environments: columns,
    };
    context.format.answer(&inventory)?;
    Ok(if inventory.is_complete() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Deletes the extra secrets, all of one script in one version.
async fn prune(
    context: &Context,
    remote: &Remote,
    environment: &Environment,
    column: &Column,
) -> anyhow::Result<()> {
    let scripts: BTreeSet<&str> = column.extra().map(|cell| cell.script.as_str()).collect();
    for script in scripts {
        let Some(live) = secrets::read(&remote.cloudflare, script).await? else {
            continue;
        };
        let scripts = [script::gateway(environment), script::room(environment)];
        for known in scripts.iter().filter(|known| known.name == script) {
            ownership::ours(known, &live.tags)?;
        }
        undivided(environment, script, &live)?;
        let names: Vec<&str> = column
            .extra()
            .filter(|cell| cell.script == script)
            .map(|cell| cell.name.as_str())
            .collect();
        let changes: BTreeMap<_, _> = names.iter().map(|name| (*name, None)).collect();
        secrets::change(&remote.cloudflare, environment, script, &live, &changes).await?;
        context
            .progress
            .say(&format!("deleted `{}` of `{script}`", names.join("`, `")));
    }
    Ok(())
}
