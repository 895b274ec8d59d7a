//! `doctor`: what is wrong with an environment, and how to mend it.

use std::fmt;

use anyhow::bail;
use serde::Serialize;

use super::Context;
use super::secrets::facts::Facts;
use crate::build::{self, Bundles};
use crate::cloudflare::error::advice;
use crate::cloudflare::lists::Lists;
use crate::cloudflare::observe::observe;
use crate::commands::cli::Doctor;
use crate::deploy::remote::Remote;
use crate::environment::Environment;
use crate::live::occupancy::{self, Dropped};
use crate::live::site::Site;
use crate::live::verify::ask_hosts;
use crate::plan::finding;
use crate::plan::{Desired, Live, Observed, Plan, Rollout};
use crate::rotation::inventory::{Cell, State};
use crate::terminal::advice::Advice;

#[derive(Serialize)]
struct Answer {
    environments: Vec<Examined>,
}

/// One environment and what was found, in the order in which it is looked for.
#[derive(Serialize)]
struct Examined {
    environment: String,
    findings: Vec<Finding>,
    /// As in `plan`; absent where nothing could be read.
    secrets: Option<Facts>,
}

#[derive(Serialize)]
struct Finding {
    /// `ok`, `note` or `WRONG`, before it.
    word: &'static str,
    what: String,
    /// What to do; absent where nothing is wrong.
    mend: Option<String>,
}

/// What all environments are examined with.
struct Shared {
    bundles: anyhow::Result<Bundles>,
    lists: Lists,
}

pub(super) async fn run(context: &Context, args: &Doctor) -> anyhow::Result<()> {
    let environments = context.project.each(&args.environments.environments)?;
    let shared = Shared {
        bundles: build::load(&context.project.root, |line| context.progress.say(line)),
        lists: Lists::default(),
    };
    let mut answer = Answer {
        environments: Vec::new(),
    };
    for environment in &environments {
        let name = match environment {
            Ok(environment) => environment.name.to_string(),
            Err((name, _)) => name.clone(),
        };
        let mut examined = Examined {
            environment: name,
            findings: Vec::new(),
            secrets: None,
        };
        let environment = match environment {
            Ok(environment) => environment,
            Err((_, Advice { what, fix })) => {
                let mend = fix.clone().unwrap_or_default();
                examined.wrong(format!("the manifest has problems: {what}"), mend);
                answer.environments.push(examined);
                continue;
            }
        };
        if let Err(error) = examine(context, environment, &shared, &args.room, &mut examined).await
        {
            let Advice { what, fix } = advice(&error.context("what is live cannot be read"));
            let only = "nothing more could be looked at";
            examined.wrong(
                what,
                fix.map_or(format!("correct that first: {only}"), |fix| {
                    format!("{fix}: {only}")
                }),
            );
        }
        answer.environments.push(examined);
    }
    context.format.answer(&answer)?;
    let is_wrong = |finding: &Finding| finding.mend.is_some();
    let ill = answer.environments.iter();
    let ill = ill.filter(|examined| examined.findings.iter().any(is_wrong));
    let ill: Vec<&str> = ill.map(|examined| examined.environment.as_str()).collect();
    if !ill.is_empty() {
        bail!("something is wrong with `{}`", ill.join("`, `"));
    }
    Ok(())
}

async fn examine(
    context: &Context,
    environment: &Environment,
    Shared { bundles, lists }: &Shared,
    tokens: &[String],
    examined: &mut Examined,
) -> anyhow::Result<()> {
    match bundles {
        Ok(_) => examined.well("the workers are built"),
        Err(error) => examined.failed(error),
    }
    let remote = Remote::reading(environment, &context.progress, lists).await?;
    let observed = observe(&remote.cloudflare, environment).await?;
    examined.well(&format!(
        "the API token reads the account and the zone `{}`",
        environment.zone
    ));
    for found in finding::of_built(environment, bundles, &observed) {
        match found.fix {
            None => examined.note("note", &found.what),
            Some(fix) => examined.wrong(found.what, fix),
        }
    }
    if let Ok(bundles) = bundles {
        drift(environment, bundles, &observed, examined);
    }
    let facts = Facts::observed(&remote.cloudflare, environment, &observed).await?;
    secrets(environment, &facts, examined);
    examined.secrets = Some(facts);
    if let Some(gateway) = observed.scripts.get(&environment.gateway_script()) {
        let site = match remote.site(environment, &context.headers(environment)) {
            Ok(site) => site,
            Err(error) => {
                examined.failed(&error);
                return Ok(());
            }
        };
        if answers(environment, &site, gateway, examined).await {
            let secrets = context.secrets(environment);
            match occupancy::dropped(&site, environment, tokens, &secrets).await {
                Ok(rooms) => rooms.iter().for_each(|room| examined.room(room)),
                Err(error) => examined.failed(&error),
            }
        }
    }
    Ok(())
}

/// Asks every host for the gateway, its version and a socket; whether the main one serves it.
async fn answers(
    environment: &Environment,
    site: &Site,
    gateway: &Live,
    examined: &mut Examined,
) -> bool {
    let live: Vec<&str> = gateway.split.versions().collect();
    let main = environment.main_host().as_str();
    let mut is_served = false;
    for (host, answered) in ask_hosts(site, environment, &live).await {
        let Err(error) = answered else {
            examined.well(&format!("`{host}` answers"));
            is_served |= host == main;
            continue;
        };
        let Advice { what, fix } = Advice::of(&error);
        let usual = || {
            format!(
                "look at its DNS record, then at `edge-broadcast verify {}`",
                environment.name
            )
        };
        examined.wrong(
            format!("`{host}` does not serve the gateway: {what}"),
            fix.unwrap_or_else(usual),
        );
    }
    is_served
}

/// Whether what is live is what the manifest and the built workers ask for.
fn drift(
    environment: &Environment,
    bundles: &Bundles,
    observed: &Observed,
    examined: &mut Examined,
) {
    let name = &environment.name;
    let desired = Desired::of(environment, bundles);
    match Plan::between(&desired, observed, &Rollout::at_once()) {
        Ok(plan) if plan.is_empty() => examined.well("what is live is what the manifest asks for"),
        Ok(_) if observed.scripts.is_empty() => examined.wrong(
            "it is not deployed".to_owned(),
            format!("edge-broadcast deploy {name}"),
        ),
        Ok(plan) => examined.wrong(
            format!(
                "what is live is not what the manifest asks for, by {} steps",
                plan.steps.len()
            ),
            format!("look at `edge-broadcast plan {name}`, then deploy"),
        ),
        Err(conflicts) => {
            for conflict in conflicts.0 {
                let Advice { what, fix } = conflict.advice();
                examined.wrong(what, fix.unwrap_or_default());
            }
        }
    }
}

/// The facts of `plan`, `status` and `secrets list`, each with what to do about it.
fn secrets(environment: &Environment, facts: &Facts, examined: &mut Examined) {
    let name = &environment.name;
    let before = examined.findings.len();
    for cell in &facts.inventory {
        let Cell {
            name: secret,
            script,
            ..
        } = cell;
        let mend = match cell.state {
            State::Missing => format!("edge-broadcast deploy {name}"),
            State::Extra => format!("edge-broadcast secrets list {name} --prune"),
            _ if cell.is_due() => format!("edge-broadcast secrets rotate {name}"),
            _ => continue,
        };
        examined.wrong(format!("secret {secret} of {script}: {cell}"), mend);
    }
    if let Some(status) = facts.open_rotation() {
        examined.wrong(
            format!("secret {}: {}", status.secret, status.stage),
            format!("edge-broadcast secrets rotate {name} --status"),
        );
    }
    if examined.findings.len() == before {
        examined.well("every secret is there and none is due");
    }
}

impl Examined {
    fn well(&mut self, what: &str) {
        self.note("ok", what);
    }

    fn note(&mut self, word: &'static str, what: &str) {
        self.findings.push(Finding {
            word,
            what: what.to_owned(),
            mend: None,
        });
    }

    /// That an update overtakes another now and then is usual, and that a publisher changes its clock happens. One in ten is
    /// neither.
    fn room(&mut self, room: &Dropped) {
        let Dropped {
            token,
            publishes,
            stale,
            implausible,
        } = room;
        let all = publishes + stale;
        let what = format!(
            "room `{token}`: {stale} of {all} updates were stale, {implausible} had a slot of another clock"
        );
        if (stale + implausible) * 10 < all.max(1) {
            return self.well(&what);
        }
        let mend = "look at what its publishers send as `slot`: it must rise, and be of one clock, for the updates of each key";
        self.wrong(what, mend.to_owned());
    }

    /// That something could not be looked at.
    fn failed(&mut self, error: &anyhow::Error) {
        let Advice { what, fix } = Advice::of(error);
        self.wrong(what, fix.unwrap_or("see the error".to_owned()));
    }

    fn wrong(&mut self, what: String, mend: String) {
        self.findings.push(Finding {
            word: "WRONG",
            what,
            mend: Some(mend),
        });
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (at, examined) in self.environments.iter().enumerate() {
            let gap = if at == 0 { "" } else { "\n\n" };
            write!(f, "{gap}{}", examined.environment)?;
            for finding in &examined.findings {
                write!(f, "\n  {:<5}  {}", finding.word, finding.what)?;
                if let Some(mend) = &finding.mend {
                    write!(f, "\n         {mend}")?;
                }
            }
        }
        Ok(())
    }
}
