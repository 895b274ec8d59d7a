//! `status`: what is live, of all environments on one screen.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::bail;
use serde::Serialize;

use super::Context;
use super::secrets::facts::Facts;
use crate::build::{self, Bundles};
use crate::cloudflare::Cloudflare;
use crate::cloudflare::account;
use crate::cloudflare::error::advice;
use crate::cloudflare::lists::Lists;
use crate::cloudflare::observe::observe;
use crate::commands::cli::Environments;
use crate::deploy::remote::Remote;
use crate::environment::Environment;
use crate::environment::name::EnvironmentName;
use crate::environment::name::Stages;
use crate::live::site::Site;
use crate::live::verify::ask_hosts;
use crate::plan::finding::{self, Finding, Lines};
use crate::plan::pair::{self, Orphan, Pair};
use crate::plan::{Conflict, Conflicts, Desired, Live, Observed, Plan, Split, Step, filled};
use crate::terminal::advice::Advice;

#[derive(Serialize)]
struct Answer {
    environments: Vec<Entry>,
    /// Scripts of this tool that no manifest names; absent where they could not be listed.
    orphans: Option<Vec<Orphan>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry {
    Read(Box<Status>),
    /// One environment that cannot be read does not hide the others.
    Unreadable {
        environment: String,
        error: String,
        /// What to do about it, where that is known.
        help: Option<String>,
    },
}

#[derive(Serialize)]
struct Status {
    environment: String,
    zone: String,
    scripts: BTreeMap<String, Option<Script>>,
    /// The gateway's routes and custom domains.
    hosts: Vec<String>,
    /// Whether each host of the manifest serves the gateway; none where it is not deployed.
    answers: Vec<Answering>,
    /// Whether each secret that the manifest names has a value.
    secrets: BTreeMap<String, bool>,
    #[serde(flatten)]
    facts: Facts,
    findings: Vec<Finding>,
    drift: Drift,
}

#[derive(Serialize)]
struct Answering {
    host: String,
    /// Why it does not.
    failure: Option<String>,
    /// What to do about it, where that is known.
    help: Option<String>,
}

#[derive(Serialize)]
struct Script {
    split: Split,
    code: Option<String>,
}

/// How far the live state is from the manifest and the built workers.
#[derive(Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Drift {
    None,
    Steps {
        steps: Vec<String>,
    },
    Conflicts {
        why: String,
        help: Option<String>,
    },
    /// The workers are not built, so there is nothing to compare with.
    Unknown {
        why: String,
        help: Option<String>,
    },
}

pub(super) async fn run(context: &Context, args: &Environments) -> anyhow::Result<()> {
    let environments = context.project.each(&args.environments)?;
    let bundles = build::load(&context.project.root, |line| context.progress.say(line));
    let mut answer = Answer {
        environments: Vec::new(),
        orphans: None,
    };
    let (mut accounts, lists) = (BTreeMap::new(), Lists::default());
    for environment in &environments {
        let unreadable = |environment: &str, Advice { what, fix }| Entry::Unreadable {
            environment: environment.to_owned(),
            error: what,
            help: fix,
        };
        let entry = match environment {
            Err((name, problems)) => unreadable(name, problems.clone()),
            Ok(environment) => match status(context, environment, &bundles, &lists).await {
                Ok((status, cloudflare)) => {
                    accounts.insert(cloudflare.account().to_owned(), cloudflare);
                    Entry::Read(Box::new(status))
                }
                Err(error) => unreadable(environment.name.as_str(), advice(&error)),
            },
        };
        answer.environments.push(entry);
    }
    match orphans(context, accounts.values()).await {
        Ok(orphans) => answer.orphans = orphans,
        Err(error) => context.progress.say(&format!(
            "scripts that no manifest names cannot be listed: {:#}",
            advice(&error)
        )),
    }
    context.format.answer(&answer)?;
    let unreadable: Vec<&str> = answer
        .environments
        .iter()
        .filter_map(|entry| match entry {
            Entry::Unreadable { environment, .. } => Some(environment.as_str()),
            Entry::Read(_) => None,
        })
        .collect();
    if !unreadable.is_empty() {
        bail!("cannot read what is live of `{}`", unreadable.join("`, `"));
    }
    Ok(())
}

/// The scripts of this tool in the accounts that no manifest names; none where no account could be read. The classes were read with
/// the environments, and the client has them still.
async fn orphans(
    context: &Context,
    accounts: impl ExactSizeIterator<Item = &Cloudflare>,
) -> anyhow::Result<Option<Vec<Orphan>>> {
    if accounts.len() == 0 {
        return Ok(None);
    }
    let named = context.project.good().map(Pair::of).collect();
    let unread = context.project.unread().map(EnvironmentName::as_str);
    let unread = unread.collect();
    let mut orphans = Vec::new();
    for cloudflare in accounts {
        let (scripts, classes) =
            tokio::try_join!(account::scripts(cloudflare), account::classes(cloudflare))?;
        let deployed = pair::deployed(&scripts, &classes, context.owner().as_deref());
        orphans.extend(pair::orphans(&deployed, &scripts, &named, &unread));
    }
    Ok(Some(orphans))
}

async fn status(
    context: &Context,
    environment: &Environment,
    bundles: &anyhow::Result<Bundles>,
    lists: &Lists,
) -> anyhow::Result<(Status, Cloudflare)> {
    let remote = Remote::reading(environment, &context.progress, lists).await?;
    let observed = observe(&remote.cloudflare, environment).await?;
    let gateway = environment.gateway_script();
    let scripts = [environment.room_script(), gateway.clone()].map(|name| {
        let script = observed.scripts.get(&name).map(|live| Script {
            split: live.split.clone(),
            code: live.active.code.clone(),
        });
        (name, script)
    });
    let routes = observed.routes.iter();
    let routes = routes.filter(|route| route.script.as_ref() == Some(&gateway));
    let domains = observed.domains.iter();
    let domains = domains.filter(|domain| domain.script == gateway);
    let live = observed.scripts.get(&gateway);
    let mut findings = finding::of_built(environment, bundles, &observed);
    let is_set = |name: &String| live.is_some_and(|live| filled(name, &live.active.secrets));
    let secrets = environment.secrets.keys();
    let answers = answers(context, &remote, environment, live, &mut findings).await;
    let status = Status {
        environment: environment.name.to_string(),
        zone: environment.zone.to_string(),
        scripts: scripts.into(),
        hosts: routes
            .map(|route| route.pattern.clone())
            .chain(domains.map(|domain| domain.hostname.clone()))
            .collect(),
        answers,
        secrets: secrets.map(|name| (name.clone(), is_set(name))).collect(),
        facts: Facts::observed(&remote.cloudflare, environment, &observed).await?,
        findings,
        drift: drift(environment, bundles, &observed),
    };
    Ok((status, remote.cloudflare))
}

/// Asks every host; where what opens them cannot be read, that is found instead.
async fn answers(
    context: &Context,
    remote: &Remote,
    environment: &Environment,
    live: Option<&Live>,
    findings: &mut Vec<Finding>,
) -> Vec<Answering> {
    let Some(live) = live else {
        return Vec::new();
    };
    match remote.site(environment, &context.headers(environment)) {
        Ok(site) => answering(&site, environment, live).await,
        Err(error) => {
            findings.push(Advice::of(&error).into());
            Vec::new()
        }
    }
}

async fn answering(site: &Site, environment: &Environment, gateway: &Live) -> Vec<Answering> {
    let live: Vec<&str> = gateway.split.versions().collect();
    let asked = ask_hosts(site, environment, &live).await;
    let answers = asked.into_iter().map(|(host, answered)| {
        let told = answered.err().map(|error| Advice::of(&error));
        let (failure, help) = told.map(|told| (told.what, told.fix)).unzip();
        Answering {
            host,
            failure,
            help: help.flatten(),
        }
    });
    answers.collect()
}

fn drift(
    environment: &Environment,
    bundles: &anyhow::Result<Bundles>,
    observed: &Observed,
) -> Drift {
    let bundles = match bundles {
        Ok(bundles) => bundles,
        Err(error) => {
            let Advice {
                what: why,
                fix: help,
            } = Advice::of(error);
            return Drift::Unknown { why, help };
        }
    };
    let desired = Desired::of(environment, bundles);
    match Plan::between(&desired, observed, &Stages::at_once()) {
        Ok(plan) if plan.is_empty() => Drift::None,
        Ok(plan) => Drift::Steps {
            steps: plan.steps.iter().map(Step::title).collect(),
        },
        Err(Conflicts(conflicts)) => {
            let advice = conflicts.iter().map(Conflict::advice);
            let (why, fixes): (Vec<_>, Vec<_>) = advice.map(|told| (told.what, told.fix)).unzip();
            let fixes: Vec<String> = fixes.into_iter().flatten().collect();
            Drift::Conflicts {
                why: why.join("; "),
                help: Some(fixes.join("; ")),
            }
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (at, entry) in self.environments.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "\n\n" })?;
            entry.fmt(f)?;
        }
        let orphans = self.orphans.as_deref().unwrap_or_default();
        if !orphans.is_empty() {
            write!(f, "\n\nscripts that no manifest names")?;
        }
        for orphan in orphans {
            write!(f, "\n  {}", orphan.scripts.join(", "))?;
            if !orphan.owned {
                write!(
                    f,
                    ": no tag says whose they are, they may be another project's"
                )?;
            }
            write!(f, "\n  help: `{}` retires them", orphan.fix)?;
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Read(status) => status.fmt(f),
            Self::Unreadable {
                environment,
                error,
                help,
            } => {
                write!(f, "{environment}\n  cannot be read: {error}")?;
                help_line(help.as_ref(), f)
            }
        }
    }
}

fn help_line(help: Option<&String>, f: &mut fmt::Formatter) -> fmt::Result {
    help.map_or(Ok(()), |help| write!(f, "\n  help: {help}"))
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} in the zone {}", self.environment, self.zone)?;
        // One below the other on a terminal; what reads a pipe gets what it always got
        let longest = self.scripts.keys().map(String::len).max();
        let wide = f.width().and(longest).unwrap_or_default();
        for (name, script) in &self.scripts {
            match script {
                None => write!(f, "\n  {name:wide$}  not deployed")?,
                Some(script) => {
                    let code = script.code.as_deref().unwrap_or("of another tool");
                    write!(f, "\n  {name:wide$}  code {code}")?;
                    for share in script.split.iter() {
                        write!(f, "  {} at {} %", share.version_id, share.percentage)?;
                    }
                }
            }
        }
        let hosts = match self.hosts.as_slice() {
            [] => "none".to_owned(),
            hosts => hosts.join(", "),
        };
        write!(f, "\n  hosts    {hosts}")?;
        for Answering {
            host,
            failure,
            help,
        } in &self.answers
        {
            let Some(why) = failure else { continue };
            write!(f, "\n  WRONG    `{host}` does not serve the gateway: {why}")?;
            help_line(help.as_ref(), f)?;
        }
        let secrets: Vec<String> = self
            .secrets
            .iter()
            .map(|(name, set)| format!("{name} {}", if *set { "set" } else { "missing" }))
            .collect();
        write!(f, "\n  secrets  {}{}", secrets.join(", "), self.facts)?;
        write!(f, "{}", Lines(&self.findings))?;
        match &self.drift {
            Drift::None => write!(f, "\n  drift    none"),
            Drift::Unknown { why, help } => {
                write!(f, "\n  drift    unknown: {why}")?;
                help_line(help.as_ref(), f)
            }
            Drift::Conflicts { why, help } => {
                write!(f, "\n  drift    in conflict: {why}")?;
                help_line(help.as_ref(), f)
            }
            Drift::Steps { steps } => {
                write!(f, "\n  drift    a deployment would {}", steps.join("; "))
            }
        }
    }
}
