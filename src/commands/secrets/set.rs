//! `secrets set`: one secret, one version, nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use anyhow::bail;
use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;
use serde::Serialize;

use super::super::Context;
use super::confirm;
use crate::cloudflare::secrets::{self, Holding};
use crate::commands::cli::SetSecret as Args;
use crate::deploy::remote::Remote;
use crate::environment::Environment;
use crate::rotation::age;
use crate::rotation::blocked::undivided;
use crate::rotation::note::Note;
use crate::rotation::position::Filled;
use crate::rotation::run::live;
use crate::secret;
use crate::terminal::advice::Advice;
use crate::terminal::suggestion;

#[derive(Serialize)]
struct Answer {
    environment: String,
    secret: String,
    /// Another one than the secret's name when its value is in the second slot.
    slot: String,
    script: String,
    version: Option<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self {
            environment,
            secret,
            slot,
            script,
            ..
        } = self;
        write!(f, "{environment}: `{secret}` is set on `{script}`")?;
        if secret != slot {
            write!(f, " in the slot `{slot}`")?;
        }
        f.write_str(", and nothing else changed")
    }
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let environment = context
        .project
        .environment(&args.secret.environment.environment)?;
    let name = args.secret.name.as_str();
    if !environment.secrets.contains_key(name) {
        bail!(unknown(&environment, name));
    }
    let remote = Remote::from_env(&environment, &context.progress).await?;
    let script = environment.gateway_script();
    let live = live(&remote.cloudflare, &environment).await?;
    undivided(&environment, &script, &live)?;
    let slot = slot(&environment, name, &live)?;
    if !args.secret.yes {
        confirm(&environment, &format!("set `{name}`"))?;
    }
    let (piped, sources);
    let value = if args.stdin {
        piped = secret::piped(name)?;
        &piped
    } else {
        sources = context.secrets(&environment);
        sources.good(name)?
    };
    let changes = BTreeMap::from([(slot, Some(value))]);
    let after = secrets::change(&remote.cloudflare, &environment, &script, &live, &changes).await?;
    let tags = age::with(&after.tags, slot, SystemTime::now());
    secrets::tag(&remote.cloudflare, &script, &tags).await?;
    context.format.answer(&Answer {
        environment: environment.name.to_string(),
        secret: name.to_owned(),
        slot: slot.to_owned(),
        script,
        version: after.settled().map(str::to_owned),
    })?;
    remote.close().await
}

/// Where the value belongs: for the webhook secret, in the slot that is filled.
fn slot<'a>(environment: &Environment, name: &'a str, live: &Holding) -> anyhow::Result<&'a str> {
    if name != WEBHOOK_SECRET {
        return Ok(name);
    }
    match Filled::of(&live.secrets) {
        // As long as there is a note, the value in a slot is one that the rotation knows
        _ if Note::is_among(&live.tags) => bail!(Advice::new(
            format!("a rotation of `{name}` is open"),
            format!(
                "`edge-broadcast secrets rotate {}` ends it, `--abort` undoes it",
                environment.name
            )
        )),
        Filled::Both => bail!(Advice::new(
            format!("both slots of `{name}` are filled"),
            format!(
                "`edge-broadcast secrets rotate {} --status` says what to do",
                environment.name
            )
        )),
        Filled::One(slot) => Ok(slot.binding()),
        Filled::Neither => Ok(name),
    }
}

fn unknown(environment: &Environment, name: &str) -> Advice {
    let known: Vec<&str> = environment.secrets.keys().map(String::as_str).collect();
    let hint = suggestion::nearest(name, &known)
        .map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    Advice::new(
        format!(
            "the manifest of `{}` names no secret `{name}`",
            environment.name
        ),
        format!(
            "add `[secrets.{name}]`, or use `{}`{hint}",
            known.join("`, `")
        ),
    )
}
