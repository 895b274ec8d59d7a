//! `deploy`: build, plan, confirm, apply, verify.

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use edge_broadcast_protocol::binding::WEBHOOK_SECRET;
use serde::Serialize;

use super::Context;
use crate::apply::{self, Inputs, Probe};
use crate::bundle::Worker;
use crate::cli::Deploy as Args;
use crate::cloudflare::observe::observe;
use crate::confirm;
use crate::environment::Environment;
use crate::half_done::HalfDone;
use crate::plan::{Desired, Plan, Step};
use crate::project::Project;
use crate::remote::Remote;
use crate::saved_plan::SavedPlan;
use crate::secret::{self, Value};
use crate::summary;
use crate::verify::{self, verify};

/// How long a first deployment may take to be reachable: DNS, certificate and route spread in that time.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct Answer {
    plan: Plan,
    applied: apply::Report,
    verified: verify::Report,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}\n\nverified {}", self.plan, self.verified)
    }
}

pub async fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let environment = context.project.environment(&args.environment.environment)?;
    let kept = args.plan.as_deref().map(SavedPlan::read).transpose()?;
    let secrets = Secrets::of(&context.project, &environment, args.sandbox);
    // Cheap and certain first: a missing token or secret shows before minutes of compiling
    let secret = secrets.read(WEBHOOK_SECRET)?;
    let remote = if args.sandbox {
        Remote::rehearsal(&environment, &context.progress).await?
    } else {
        Remote::from_env(&environment).await?
    };
    super::generate::refresh(context)?;
    let bundles = super::build::ensure(context).await?;
    let desired = Desired::new(
        &environment,
        bundles.gateway.tag().to_owned(),
        bundles.room.tag().to_owned(),
    );
    let observed = observe(&remote.cloudflare, &environment).await?;
    let rollout = match &kept {
        Some(kept) => kept.rollout.parse().map_err(anyhow::Error::msg)?,
        None => args.rollout.clone(),
    };
    let plan = Plan::between(&desired, &observed, &rollout)?;
    if let Some(kept) = &kept {
        kept.check(&SavedPlan::new(
            remote.cloudflare.account(),
            &observed,
            &plan,
            &rollout,
        )?)?;
    }
    let mut values = BTreeMap::from([(WEBHOOK_SECRET.to_owned(), secret.clone())]);
    for name in plan.secrets() {
        if !values.contains_key(name) {
            values.insert(name.to_owned(), secrets.read(name)?);
        }
    }
    let inputs = Inputs {
        zone: desired.zone.clone(),
        scripts: desired
            .scripts
            .iter()
            .map(|wanted| wanted.script.clone())
            .collect(),
        bundles: [
            (Worker::Gateway, bundles.gateway),
            (Worker::Room, bundles.room),
        ]
        .into(),
        secrets: values,
    };
    if !plan.is_empty() && environment.protected && !args.yes && !args.sandbox {
        confirm::protected(environment.name.as_str(), &plan, "plan")?;
    }
    let site = remote.site(&environment)?;
    let tell = |step: &str| context.progress.say(step);
    let check = async |probe: Probe<'_>| {
        let site = match probe {
            Probe::Version { script, version } => site.at_version(script, version),
            Probe::Live => {
                tokio::time::sleep(args.pause).await;
                site.clone()
            }
        };
        let report = verify(&site, &environment, &secret, Duration::ZERO).await;
        if report.passed() {
            Ok(())
        } else {
            bail!("{report}")
        }
    };
    let mut run = HalfDone::new(environment.name.as_str());
    if let Err(error) = apply::apply(
        &remote.cloudflare,
        &plan,
        &inputs,
        &mut run.report,
        tell,
        check,
    )
    .await
    {
        let error = error.context(format!("{run}\ncause"));
        run.over();
        return Err(error);
    }
    let verified = verify(&site, &environment, &secret, PATIENCE).await;
    let passed = verified.passed();
    if !passed {
        apply::undo(
            &remote.cloudflare,
            &plan.steps,
            &inputs,
            &mut run.report,
            tell,
        )
        .await?;
    }
    let answer = Answer {
        plan,
        applied: run.over(),
        verified,
    };
    summary::append(&format!("deployment of {}", environment.name), &answer)?;
    context.format.answer(&answer)?;
    remote.close().await?;
    if !passed {
        bail!("{}", does_not_work(&environment, &answer));
    }
    Ok(ExitCode::SUCCESS)
}

fn does_not_work(environment: &Environment, answer: &Answer) -> String {
    let name = &environment.name;
    let returned = &answer.applied.returned;
    let first = answer
        .plan
        .steps
        .iter()
        .any(|step| matches!(step, Step::Upload(_)));
    match returned.as_slice() {
        [] if first => format!(
            "`{name}` is deployed, but it does not work as it must: see the failed checks; no version before it could take over"
        ),
        [] => format!("`{name}` does not work as it must: see the failed checks"),
        returned => format!(
            "`{name}` did not work as it must: see the failed checks; `{}` went back to the version before",
            returned.join("`, `")
        ),
    }
}

/// Where this run's secret values come from.
struct Secrets<'a> {
    project: &'a Project,
    environment: &'a Environment,
    when_missing: WhenMissing,
}

enum WhenMissing {
    Fail,
    /// A rehearsal needs no real secret.
    MakeUp,
}

impl<'a> Secrets<'a> {
    fn of(project: &'a Project, environment: &'a Environment, sandbox: bool) -> Self {
        let when_missing = if sandbox {
            WhenMissing::MakeUp
        } else {
            WhenMissing::Fail
        };
        Self {
            project,
            environment,
            when_missing,
        }
    }

    fn read(&self, name: &str) -> anyhow::Result<Value> {
        let source = &self.environment.secrets[name].source;
        match (
            secret::read(name, source, &self.project.root),
            &self.when_missing,
        ) {
            (Err(_), WhenMissing::MakeUp) => Ok(Value::generate()),
            (result, _) => {
                let value = result?;
                secret::policy::check(name, &value)?;
                Ok(value)
            }
        }
    }
}
