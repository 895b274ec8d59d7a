//! `secrets list`: the matrix of environments and secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::SystemTime;

use super::super::Context;
use super::{Consent, confirm};
use crate::cli::ListSecrets as Args;
use crate::cloudflare::secrets;
use crate::environment::Environment;
use crate::inventory::{Column, Inventory, Live};
use crate::remote::Remote;
use crate::rotation::live::settled;

/// How far back a value's age is looked for.
const VERSIONS: usize = 25;

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let environments = context
        .project
        .environments(&args.environments.environments)?;
    let mut columns = Vec::new();
    for environment in &environments {
        let remote = Remote::from_env(environment).await?;
        let mut column = Column::of(
            environment,
            &live(&remote, environment).await?,
            SystemTime::now(),
        );
        if args.prune && column.extra().next().is_some() {
            confirm(
                environment,
                "delete the secrets that its manifest does not name",
                Consent::of(args.yes),
            )?;
            prune(context, &remote, environment, &column).await?;
            column = Column::of(
                environment,
                &live(&remote, environment).await?,
                SystemTime::now(),
            );
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

async fn live(remote: &Remote, environment: &Environment) -> anyhow::Result<Live> {
    let cloudflare = &remote.cloudflare;
    let script = environment.gateway_script();
    let room_script = environment.room_script();
    let (gateway, room) = tokio::try_join!(
        secrets::read(cloudflare, &script),
        secrets::read(cloudflare, &room_script),
    )?;
    let history = match gateway {
        Some(_) => secrets::history(cloudflare, &script, VERSIONS).await?,
        None => Vec::new(),
    };
    Ok(Live {
        gateway: gateway.map(|gateway| gateway.secrets),
        room: room.map(|room| room.secrets).unwrap_or_default(),
        history,
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
        settled(environment, script, &live)?;
        let names: Vec<&str> = column
            .extra()
            .filter(|cell| cell.script == script)
            .map(|cell| cell.name.as_str())
            .collect();
        let changes: BTreeMap<_, _> = names.iter().map(|name| (*name, None)).collect();
        secrets::change(&remote.cloudflare, script, &live, &changes).await?;
        context
            .progress
            .say(&format!("deleted `{}` of `{script}`", names.join("`, `")));
    }
    Ok(())
}
