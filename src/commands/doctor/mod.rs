//! `doctor`: what is wrong with an environment, and how to mend it.
//!
//! What is looked at stands in [`examine`], in one order, which goes from this machine to the hosts: whatever is further away may be
//! wrong because of what is nearer.

mod access;
mod clock;
mod finding;
mod hosts;
mod live;
mod project;
mod way;

use std::fmt;
use std::time::SystemTime;

use anyhow::bail;
use serde::Serialize;

use self::finding::{Examined, Finding};
use self::project::Project;
use super::Context;
use super::secrets::facts::Facts;
use crate::build::{self, Bundles};
use crate::cloudflare::error::advice;
use crate::cloudflare::lists::Lists;
use crate::cloudflare::observe::observe;
use crate::cloudflare::token;
use crate::commands::cli::Doctor;
use crate::deploy::remote::Remote;
use crate::environment::Environment;
use crate::live::occupancy;
use crate::live::site::Site;
use crate::plan::{Live, finding as of_plan};
use crate::terminal::advice::Advice;

#[derive(Serialize)]
struct Answer {
    environments: Vec<Examined>,
}

/// What all environments are examined with.
struct Shared<'a> {
    args: &'a Doctor,
    project: Project,
    bundles: anyhow::Result<Bundles>,
    lists: Lists,
}

pub(super) async fn run(context: &Context, args: &Doctor) -> anyhow::Result<()> {
    let environments = context.project.each(&args.environments.environments)?;
    let shared = Shared {
        args,
        project: project::look(context),
        bundles: build::load(&context.project.root, |line| context.progress.say(line)),
        lists: Lists::default(),
    };
    let mut answer = Answer {
        environments: Vec::new(),
    };
    for environment in &environments {
        let examined = match environment {
            Ok(environment) => {
                let mut examined = Examined::new(environment.name.to_string());
                if let Err(error) = examine(context, environment, &shared, &mut examined).await {
                    examined.add([unreadable(error)]);
                }
                examined
            }
            Err((name, Advice { what, fix })) => {
                let mut examined = Examined::new(name.clone());
                let mend = fix.clone().unwrap_or_default();
                let what = format!("the manifest has problems: {what}");
                examined.add([Finding::wrong(what, mend)]);
                examined
            }
        };
        answer.environments.push(examined);
    }
    context.format.answer(&answer)?;
    let ill = answer.environments.iter().filter(|it| it.is_ill());
    let ill: Vec<&str> = ill.map(|examined| examined.environment.as_str()).collect();
    if !ill.is_empty() {
        bail!("something is wrong with `{}`", ill.join("`, `"));
    }
    Ok(())
}

/// Why nothing more was looked at.
fn unreadable(error: anyhow::Error) -> Finding {
    let Advice { what, fix } = advice(&error.context("what is live cannot be read"));
    let only = "nothing more could be looked at";
    Finding::wrong(
        what,
        fix.map_or(format!("correct that first: {only}"), |fix| {
            format!("{fix}: {only}")
        }),
    )
}

/// Everything that is looked at.
async fn examine(
    context: &Context,
    environment: &Environment,
    shared: &Shared<'_>,
    examined: &mut Examined,
) -> anyhow::Result<()> {
    let bundles = &shared.bundles;
    examined.add(project::of(&shared.project, bundles, environment));
    let remote = Remote::reading(environment, &context.progress, &shared.lists).await?;
    let cloudflare = &remote.cloudflare;
    // Where it gives nothing, what follows says why, or needs nothing of it
    let known = token::known(cloudflare).await.unwrap_or_default();
    let now = SystemTime::now();
    examined.add(known.now.map(|api| clock::of_clock(now, api)));
    examined.add(access::of_token(&known, now));
    let observed = observe(cloudflare, environment).await?;
    examined.add([Finding::well(format!(
        "the API token reads the account and the zone `{}`",
        environment.zone
    ))]);
    examined.add(access::rights(cloudflare, environment, &observed).await);
    let found = of_plan::of_built(environment, bundles, &observed);
    examined.add(found.into_iter().map(Finding::from));
    if let Ok(bundles) = bundles {
        examined.add(live::drift(environment, bundles, &observed));
    }
    let facts = Facts::observed(cloudflare, environment, &observed).await?;
    examined.add(live::secrets(environment, &facts));
    examined.secrets = Some(facts);
    if let Some(gateway) = observed.scripts.get(&environment.gateway_script()) {
        match remote.site(environment, &context.headers(environment)) {
            Ok(site) => {
                examined.add(way::of_ways(&ways(environment, &remote, &site)));
                of_hosts(
                    context,
                    environment,
                    shared.args,
                    (&site, gateway),
                    examined,
                )
                .await;
            }
            Err(error) => examined.add([Finding::failed(&error)]),
        }
    }
    Ok(())
}

/// What is reached, and through which proxy.
fn ways(environment: &Environment, remote: &Remote, site: &Site) -> Vec<(String, Option<String>)> {
    let hosts = environment.hosts.iter().map(|served| {
        let host = served.host.as_str();
        (format!("`{host}`"), site.at_host(host).proxy())
    });
    let api = ("the API".to_owned(), remote.cloudflare.proxy());
    std::iter::once(api).chain(hosts).collect()
}

/// What the hosts answer; the last two only where they were asked for, since they read a secret's value.
async fn of_hosts(
    context: &Context,
    environment: &Environment,
    args: &Doctor,
    (site, gateway): (&Site, &Live),
    examined: &mut Examined,
) {
    let (answers, served) = hosts::answers(environment, site, gateway).await;
    examined.add(answers);
    examined.add(hosts::origins(environment, site, &served).await);
    let secrets = context.secrets(environment);
    if args.publish && !served.is_empty() {
        examined.add(hosts::publish(environment, site, &served, &secrets).await);
    }
    let main = environment.main_host().as_str();
    if !served.iter().any(|host| host == main) {
        return;
    }
    match occupancy::dropped(site, environment, &args.room, &secrets).await {
        Ok(rooms) => examined.add(rooms.iter().map(hosts::room)),
        Err(error) => examined.add([Finding::failed(&error)]),
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (at, examined) in self.environments.iter().enumerate() {
            let gap = if at == 0 { "" } else { "\n\n" };
            write!(f, "{gap}{examined}")?;
        }
        Ok(())
    }
}
