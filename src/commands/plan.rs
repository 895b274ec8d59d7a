//! `plan`: what a deployment would change.

use std::fmt;
use std::process::ExitCode;

use anyhow::bail;
use serde::Serialize;

use super::Context;
use super::secrets::facts::Facts;
use crate::build;
use crate::cloudflare::lists::Lists;
use crate::cloudflare::observe::observe;
use crate::commands::cli::{Plan as Args, Shares};
use crate::deploy::remote::Remote;
use crate::environment::Environment;
use crate::environment::name::{EnvironmentName, Stages};
use crate::live::occupancy::{self, Occupied};
use crate::plan::finding::{self, Finding, Lines};
use crate::plan::saved::SavedPlan;
use crate::plan::{Conflict, Conflicts, Desired, Observed, Plan, SocketImpact, ownership};
use crate::terminal::advice::Advice;
use crate::terminal::output::{self, Format};
use crate::terminal::step_summary;

/// As Terraform's `-detailed-exitcode`: something has to change.
const CHANGES: u8 = 2;

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    plan: Plan,
    findings: Vec<Finding>,
    /// The rooms that were asked; only where sockets would reconnect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    occupied: Vec<Occupied>,
    secrets: Facts,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rooms: String = self
            .occupied
            .iter()
            .map(|Occupied { token, sockets }| format!("\n  {sockets} of `{token}`"))
            .collect();
        let notes = format!("{rooms}{}{}", self.secrets, Lines(&self.findings));
        self.plan.fmt_with(f, &notes)
    }
}

/// The shares of `--rollout`; without a value those of the manifest.
pub(super) fn rollout(environment: &Environment, asked: &Shares) -> anyhow::Result<Stages> {
    let wanted = &environment.rollout;
    match (asked, wanted) {
        (Shares::These(rollout), _) => Ok(rollout.clone()),
        (Shares::AsManifest, Some(wanted)) => Ok(wanted.steps.clone()),
        (Shares::AsManifest, None) => bail!(Advice::new(
            format!(
                "the manifest of `{}` has no `[rollout]`, and `--rollout` names no shares",
                environment.name
            ),
            "write `--rollout 5,25,100`, or add `[rollout]` to the manifest",
        )),
    }
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let environment = super::distinct(context, &args.environment)?;
    let rollout = rollout(&environment, &args.rollout)?;
    let remote = Remote::reading(&environment, &context.progress, &Lists::default()).await?;
    let bundles = build::load(&context.project.root, |line| context.progress.say(line))?;
    let take = takes(context, &environment, &args.take_route_from)?;
    let desired = Desired::of(&environment, &bundles)
        .adopting(&args.adopt)
        .taking_from(&take);
    let observed = observe(&remote.cloudflare, &environment).await?;
    tell_vain_takes(context, &take, &observed);
    tell_needless(context, &desired, &observed);
    let title = format!("plan for {}", environment.name);
    let findings = finding::of_change(&environment, &observed);
    let plan = match Plan::between(&desired, &observed, &rollout) {
        Ok(plan) => plan,
        Err(conflicts) => {
            return Err(refuse(context, &environment, &title, findings, conflicts));
        }
    };
    if let Some(path) = &args.out {
        let account = remote.cloudflare.account();
        SavedPlan::new(account, &observed, &plan, &rollout, &args.adopt, &take)?.write(path)?;
    }
    let occupied = match plan.socket_impact {
        SocketImpact::Reconnect if !args.room.is_empty() => {
            occupancy::ask(
                &remote.site(&environment, &context.headers(&environment))?,
                &environment,
                &args.room,
                &context.secrets(&environment),
            )
            .await?
        }
        SocketImpact::Reconnect | SocketImpact::None => Vec::new(),
    };
    let secrets = Facts::observed(&remote.cloudflare, &environment, &observed).await?;
    let answer = Answer {
        plan,
        findings,
        occupied,
        secrets,
    };
    context.format.answer(&answer)?;
    step_summary::append(&title, &answer);
    let plan = answer.plan;
    Ok(match (args.detailed_exitcode, plan.is_empty()) {
        (true, false) => ExitCode::from(CHANGES),
        _ => ExitCode::SUCCESS,
    })
}

/// The scripts that `--take-route-from` names: the gateway of an environment that has a manifest, or the script of that name.
pub(super) fn takes(
    context: &Context,
    environment: &Environment,
    names: &[String],
) -> anyhow::Result<Vec<String>> {
    let script = |name: &String| {
        if *name == environment.name.as_str() || *name == environment.gateway_script() {
            bail!(Advice::new(
                format!("`--take-route-from {name}` names what the hosts are to move to"),
                format!(
                    "name the script that has them: `edge-broadcast plan {}` says which",
                    environment.name
                )
            ));
        }
        let mut all = context.project.good();
        let named = all.find(|known| known.name.as_str() == name);
        Ok(named.map_or_else(|| name.clone(), Environment::gateway_script))
    };
    names.iter().map(script).collect()
}

/// Says which scripts have none of the wanted hosts: they moved already, or another name was meant.
pub(super) fn tell_vain_takes(context: &Context, take: &[String], observed: &Observed) {
    for script in take.iter().filter(|name| !observed.kin.contains(*name)) {
        context.progress.say(&format!(
            "`{script}` is no script of this tool that has a host of the manifest: nothing moves from it"
        ));
    }
}

/// Says which scripts need no adoption: a run that is repeated has adopted them before.
pub(super) fn tell_needless(context: &Context, desired: &Desired, observed: &Observed) {
    for script in ownership::needless(desired, observed) {
        context
            .progress
            .say(&format!("`--adopt {script}`: it needs no adoption"));
    }
}

/// What stands in the way of a plan, for programs.
#[derive(Serialize)]
struct Refused<'a> {
    environment: &'a EnvironmentName,
    conflicts: &'a [Conflict],
    findings: Vec<Finding>,
}

/// Tells the conflicts wherever somebody looks: people get them as this error.
pub(super) fn refuse(
    context: &Context,
    environment: &Environment,
    title: &str,
    findings: Vec<Finding>,
    conflicts: Conflicts,
) -> anyhow::Error {
    for finding in &findings {
        context.progress.say(&finding.to_string());
    }
    if context.format == Format::Json {
        let refused = Refused {
            environment: &environment.name,
            conflicts: &conflicts.0,
            findings,
        };
        if let Err(error) = output::json(&refused) {
            return error;
        }
    }
    step_summary::append(title, &conflicts);
    conflicts.into()
}
