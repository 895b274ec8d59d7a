//! `secrets list`: the matrix of environments and secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::bail;

use super::super::Context;
use super::confirm;
use super::facts::Facts;
use crate::cloudflare::error::advice;
use crate::cloudflare::secrets::{self, Holding};
use crate::commands::cli::ListSecrets as Args;
use crate::deploy::remote::Remote;
use crate::environment::{Environment, script};
use crate::plan::ownership;
use crate::rotation::blocked::undivided;
use crate::rotation::inventory::{Column, Inventory, Unreadable};
use crate::terminal::advice::Advice;

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let mut inventory = Inventory::default();
    match args.environments.environments.as_slice() {
        [] => {
            for environment in context.project.each(&[])? {
                let read = match environment {
                    Ok(environment) => column(context, args, &environment)
                        .await
                        .map_err(|error| (environment.name.to_string(), advice(&error))),
                    Err(problems) => Err(problems),
                };
                match read {
                    Ok(column) => inventory.environments.push(column),
                    Err((environment, Advice { what, fix })) => {
                        inventory.unreadable.push(Unreadable {
                            environment,
                            error: what,
                            help: fix,
                        });
                    }
                }
            }
        }
        named => {
            for environment in context.project.environments(named)? {
                let column = column(context, args, &environment).await?;
                inventory.environments.push(column);
            }
        }
    }
    context.format.answer(&inventory)?;
    let unreadable = inventory.unreadable.iter();
    let unreadable: Vec<&str> = unreadable.map(|it| it.environment.as_str()).collect();
    if !unreadable.is_empty() {
        bail!("cannot read the secrets of `{}`", unreadable.join("`, `"));
    }
    Ok(if inventory.is_complete() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What is live of an environment, without the extra secrets where they are to go.
async fn column(
    context: &Context,
    args: &Args,
    environment: &Environment,
) -> anyhow::Result<Column> {
    let remote = Remote::from_env(environment, &context.progress).await?;
    let read = async || {
        let facts = Facts::read(&remote.cloudflare, environment).await?;
        anyhow::Ok(facts.column(environment))
    };
    let column = read().await?;
    if !args.prune || column.extra().next().is_none() {
        return Ok(column);
    }
    let prunable = prunable(&remote, environment, &column).await?;
    if !args.yes {
        confirm(
            environment,
            "delete the secrets that its manifest does not name",
        )?;
    }
    prune(context, &remote, environment, &prunable).await?;
    read().await
}

/// A script that holds extra secrets.
struct Prunable<'a> {
    script: &'a str,
    live: Holding,
    extra: Vec<&'a str>,
}

/// The scripts that hold extra secrets, all of which may be changed: what forbids to change one stops the run before it changes another.
async fn prunable<'a>(
    remote: &Remote,
    environment: &Environment,
    column: &'a Column,
) -> anyhow::Result<Vec<Prunable<'a>>> {
    let cloudflare = &remote.cloudflare;
    let known = [script::gateway(environment), script::room(environment)];
    let scripts: BTreeSet<&str> = column.extra().map(|cell| cell.script.as_str()).collect();
    let mut prunable = Vec::new();
    for script in scripts {
        let Some(live) = secrets::read(cloudflare, script).await? else {
            continue;
        };
        for known in known.iter().filter(|known| known.name == script) {
            ownership::ours(known, &live.tags)?;
        }
        undivided(environment, script, &live)?;
        secrets::changeable(cloudflare, environment, script, &live).await?;
        let extra = column.extra().filter(|cell| cell.script == script);
        let extra = extra.map(|cell| cell.name.as_str()).collect();
        prunable.push(Prunable {
            script,
            live,
            extra,
        });
    }
    Ok(prunable)
}

/// Deletes the extra secrets, all of one script in one version.
async fn prune(
    context: &Context,
    remote: &Remote,
    environment: &Environment,
    prunable: &[Prunable<'_>],
) -> anyhow::Result<()> {
    for Prunable {
        script,
        live,
        extra,
    } in prunable
    {
        let changes: BTreeMap<_, _> = extra.iter().map(|name| (*name, None)).collect();
        secrets::change(&remote.cloudflare, environment, script, live, &changes).await?;
        context
            .progress
            .say(&format!("deleted `{}` of `{script}`", extra.join("`, `")));
    }
    Ok(())
}
