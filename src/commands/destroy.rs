//! `destroy`: the end of an environment, or of scripts that no manifest names.

use std::fmt;

use anyhow::{anyhow, bail};
use serde::Serialize;

use super::Context;
use crate::cloudflare::Cloudflare;
use crate::cloudflare::account::{self, Zones};
use crate::cloudflare::error::advice;
use crate::commands::cli::Destroy as Args;
use crate::deploy::destroy::destroy;
use crate::deploy::running::Running;
use crate::environment::Environment;
use crate::plan::destroy::{Claim, Destruction, Refusal, Refused, Standing};
use crate::plan::pair::{self, Pair, Tagged};
use crate::terminal::advice::Advice;
use crate::terminal::output::{self, Format};
use crate::terminal::{confirm, step_summary};

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    destruction: Destruction,
    /// Absent when nothing was begun.
    destroyed: Option<Destroyed>,
    /// Why the command failed.
    failure: Option<String>,
    /// And what to do about it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

#[derive(Serialize)]
struct Destroyed {
    done: Vec<String>,
    failed: Option<String>,
    not_attempted: Vec<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.destruction.fmt(f)?;
        match &self.destroyed {
            Some(destroyed) if self.failure.is_none() && !destroyed.done.is_empty() => {
                write!(f, "\n\ndestroyed")
            }
            _ => Ok(()),
        }
    }
}

/// What is to be destroyed, and where it is.
struct Target {
    /// What has to be typed.
    name: String,
    /// The scripts; none where they are gone.
    pair: Option<Pair>,
    zone: Option<String>,
    protected: bool,
    claim: Claim,
    cloudflare: Cloudflare,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let target = match (&args.environment, &args.script) {
        (Some(name), _) => of_environment(context, &context.project.environment(name)?)?,
        (None, Some(script)) => of_script(context, script).await?,
        (None, None) => bail!("there is nothing named to destroy"),
    };
    let standing = match &target.pair {
        Some(pair) => {
            let zones = target.zone.as_deref().map_or(Zones::All, Zones::One);
            account::standing(&target.cloudflare, pair, zones).await?
        }
        None => Standing::default(),
    };
    match Destruction::of(&target.name, target.pair.as_ref(), &standing, &target.claim) {
        Ok(destruction) => end(context, args, &target, destruction).await,
        Err(refused) => Err(refuse(context, &target.name, refused)),
    }
}

/// Tells why nothing may be destroyed wherever somebody looks: people get it as this error.
fn refuse(context: &Context, target: &str, refused: Refused) -> anyhow::Error {
    let Advice { what, fix } = refused.advice();
    let answer = Answer {
        destruction: Destruction {
            target: target.to_owned(),
            steps: Vec::new(),
        },
        destroyed: None,
        failure: Some(what),
        help: fix,
    };
    if context.format == Format::Json
        && let Err(error) = output::json(&answer)
    {
        return error;
    }
    step_summary::append(&title(target), &refused);
    refused.into()
}

fn title(target: &str) -> String {
    format!("destruction of {target}")
}

/// Asks, carries it out, and answers in any case.
async fn end(
    context: &Context,
    args: &Args,
    target: &Target,
    destruction: Destruction,
) -> anyhow::Result<()> {
    let mut answer = Answer {
        destruction,
        destroyed: None,
        failure: None,
        help: None,
    };
    let result = match answer.destruction.is_empty() {
        true => Ok(()),
        false => match confirm(args, target, &answer.destruction) {
            Ok(()) => carry_out(context, target, &mut answer).await,
            Err(error) => Err(error),
        },
    };
    let told = result.as_ref().err().map(advice);
    (answer.failure, answer.help) = match &told {
        Some(told) => (Some(told.what.clone()), told.fix.clone()),
        None => (None, None),
    };
    context.format.answer(&answer)?;
    match told {
        Some(told) => step_summary::append(&title(&target.name), &format!("{answer}\n\n{told:#}")),
        None => step_summary::append(&title(&target.name), &answer),
    }
    result
}

async fn carry_out(context: &Context, target: &Target, answer: &mut Answer) -> anyhow::Result<()> {
    let mut running = Running::new(["destruction", "destroy"], &target.name);
    let tell = |line: &str| context.progress.say(line);
    let destruction = &answer.destruction;
    let result = destroy(&target.cloudflare, destruction, &mut running.report, tell).await;
    let result = result.map_err(|error| running.stopped_by(error));
    let report = running.finish();
    answer.destroyed = Some(Destroyed {
        done: report.done,
        failed: report.failed,
        not_attempted: report.not_attempted,
    });
    result
}

/// Goes on only when the name of what is destroyed was given once more.
fn confirm(args: &Args, target: &Target, destruction: &Destruction) -> anyhow::Result<()> {
    let name = &target.name;
    match args.confirm.as_deref() {
        None => confirm::destruction(name, destruction, "--confirm"),
        Some(given) if given != name => bail!(Advice::new(
            format!("nothing was destroyed: `--confirm {given}` is not `{name}`"),
            format!("run with `--confirm {name}` to destroy exactly that")
        )),
        Some(_) if target.protected && !args.yes => confirm::protected(name, destruction, "status"),
        Some(_) => Ok(()),
    }
}

fn of_environment(context: &Context, environment: &Environment) -> anyhow::Result<Target> {
    Ok(Target {
        name: environment.name.to_string(),
        pair: Some(Pair::of(environment)),
        zone: Some(environment.zone.to_string()),
        protected: environment.protected,
        claim: Claim {
            owner: environment.owner.as_ref().map(ToString::to_string),
            hosts: Some(environment.hosts.clone()),
        },
        cloudflare: Cloudflare::from_env(environment)?.telling(&context.progress),
    })
}

/// The pair of a script that no manifest names.
async fn of_script(context: &Context, script: &str) -> anyhow::Result<Target> {
    for environment in context.project.good() {
        let named = [environment.gateway_script(), environment.room_script()];
        if named.iter().any(|name| name == script) {
            let name = &environment.name;
            bail!(Advice::new(
                format!("the script `{script}` is one of the environment `{name}`"),
                format!("`edge-broadcast destroy {name}` destroys both of its scripts")
            ));
        }
    }
    let cloudflare = of_manifests(context, script)?;
    let (scripts, classes) =
        tokio::try_join!(account::scripts(&cloudflare), account::classes(&cloudflare))?;
    let owner = context.owner();
    let pairs = pair::deployed(&scripts, &classes, owner.as_deref());
    let mut pairs = pairs.into_iter();
    let found = pairs.find(|pair| pair.scripts().iter().any(|(_, name)| name == script));
    let there = scripts.iter().find(|known| known.name == script);
    if let (None, Some(there)) = (&found, there) {
        return Err(strange(context, there, owner.as_deref()));
    }
    if let Some(pair) = &found {
        readable(context, script, &pair.environment)?;
    }
    // Under its new name an environment is protected still
    let is_protected = |pair: &Pair| {
        let mut environments = context.project.good();
        environments.any(|known| known.protected && known.name.as_str() == pair.environment)
    };
    Ok(Target {
        name: script.to_owned(),
        protected: found.as_ref().is_some_and(is_protected),
        pair: found,
        zone: None,
        claim: Claim { owner, hosts: None },
        cloudflare,
    })
}

/// Why a script may not go that is there, and none that this tool has deployed for the project `owner`.
fn strange(context: &Context, script: &Tagged, owner: Option<&str>) -> anyhow::Error {
    let name = &script.name;
    match Refusal::of_others(script, owner) {
        Some(refusal) => refuse(context, name, Refused(vec![refusal])),
        None => anyhow!(Advice::new(
            format!("the script `{name}` is not one that this tool has deployed"),
            format!(
                "`edge-broadcast status` lists those that are; if it shall go all the same: `wrangler delete --name {name}`"
            )
        )),
    }
}

/// Refuses a script of an environment whose manifest cannot be understood: it may name the script, or protect the environment.
fn readable(context: &Context, script: &str, environment: &str) -> anyhow::Result<()> {
    let mut unread = context.project.unread();
    if !unread.any(|name| name.as_str() == environment) {
        return Ok(());
    }
    bail!(Advice::new(
        format!(
            "nothing was destroyed: the script `{script}` is one of an environment `{environment}`, whose manifest cannot be understood and may name it"
        ),
        format!("`edge-broadcast check {environment}` says what is wrong: correct that first")
    ))
}

/// The account of the project: the one that all manifests name, or the environment variables.
fn of_manifests(context: &Context, script: &str) -> anyhow::Result<Cloudflare> {
    let mut accounts: Vec<_> = context
        .project
        .good()
        .filter_map(|environment| environment.account_id.as_ref())
        .collect();
    accounts.dedup();
    let account = match accounts.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    Ok(Cloudflare::of_manifest(account, script)?.telling(&context.progress))
}
