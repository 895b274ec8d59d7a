//! `secrets remove`: one secret less, in one version.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::bail;
use edge_broadcast_protocol::contract::slot::Slot;
use serde::Serialize;

use super::super::Context;
use super::confirm;
use crate::cloudflare::secrets;
use crate::commands::cli::NamedSecret as Args;
use crate::deploy::remote::Remote;
use crate::rotation::blocked::undivided;
use crate::rotation::note::Note;
use crate::rotation::position::Filled;
use crate::rotation::run::live;
use crate::terminal::advice::Advice;

#[derive(Serialize)]
struct Answer {
    environment: String,
    removed: String,
    script: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self {
            environment,
            removed,
            script,
        } = self;
        write!(
            f,
            "{environment}: `{removed}` is gone from `{script}`, and nothing else changed"
        )
    }
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let environment = context.project.environment(&args.environment.environment)?;
    let name = args.name.as_str();
    let remote = Remote::from_env(&environment, &context.progress).await?;
    let script = environment.gateway_script();
    let live = live(&remote.cloudflare, &environment).await?;
    if !live.secrets.contains(name) {
        bail!(Advice::new(
            format!("`{script}` has no secret `{name}`"),
            format!(
                "`edge-broadcast secrets list {}` shows what it has",
                environment.name
            )
        ));
    }
    if Slot::ALL.iter().any(|slot| slot.binding() == name) {
        if Note::is_among(&live.tags) {
            bail!(Advice::new(
                "a rotation is open",
                format!(
                    "`edge-broadcast secrets rotate {}` ends it, `--abort` undoes it",
                    environment.name
                )
            ));
        }
        if Filled::of(&live.secrets) != Filled::Both {
            bail!(Advice::new(
                format!("`{name}` is the only value that publishers have"),
                format!(
                    "`edge-broadcast secrets rotate {}` replaces it",
                    environment.name
                )
            ));
        }
    } else if environment.secrets.contains_key(name) {
        bail!(Advice::new(
            format!("the manifest of `{}` names `{name}`", environment.name),
            format!("remove `[secrets.{name}]` from it first")
        ));
    }
    undivided(&environment, &script, &live)?;
    if !args.yes {
        confirm(&environment, &format!("delete `{name}`"))?;
    }
    secrets::change(
        &remote.cloudflare,
        &environment,
        &script,
        &live,
        &BTreeMap::from([(name, None)]),
    )
    .await?;
    context.format.answer(&Answer {
        environment: environment.name.to_string(),
        removed: name.to_owned(),
        script,
    })
}
