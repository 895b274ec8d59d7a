//! `deploy`: build, plan, confirm, apply, verify.

use std::collections::BTreeMap;
use std::fmt;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use edge_broadcast_protocol::binding::WEBHOOK_SECRET;
use serde::Serialize;

use super::Context;
use crate::apply::{self, Inputs, apply};
use crate::bundle::Worker;
use crate::cli::Deploy as Args;
use crate::cloudflare::observe::observe;
use crate::environment::Environment;
use crate::plan::{Desired, Plan};
use crate::project::Project;
use crate::remote::Remote;
use crate::secret::{self, Value};
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
    let plan = Plan::between(&desired, &observed)?;
    let mut values = BTreeMap::from([(WEBHOOK_SECRET.to_owned(), secret.clone())]);
    for name in plan.secrets() {
        if !values.contains_key(name) {
            values.insert(name.to_owned(), secrets.read(name)?);
        }
    }
    let inputs = Inputs {
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
        confirm(&environment, &plan)?;
    }
    let (applied, result) = apply(&remote.cloudflare, &desired, &plan, &inputs, |step| {
        context.progress.say(step)
    })
    .await;
    if let Err(error) = result {
        return Err(error.context(half_done(&environment, &applied)));
    }
    let verified = verify(&remote.site(&environment)?, &environment, &secret, PATIENCE).await;
    let passed = verified.passed();
    context.format.answer(&Answer {
        plan,
        applied,
        verified,
    })?;
    remote.close().await?;
    if !passed {
        bail!(
            "`{}` is deployed, but it does not work as it must: see the failed checks",
            environment.name
        );
    }
    Ok(ExitCode::SUCCESS)
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

fn confirm(environment: &Environment, plan: &Plan) -> anyhow::Result<()> {
    let name = environment.name.as_str();
    if !std::io::stdin().is_terminal() || std::env::var_os("CI").is_some() {
        bail!(
            "`{name}` is protected and nobody can be asked here; look at `edge-broadcast plan {name}`, then run with `--yes`"
        );
    }
    eprintln!("{plan}\n");
    let typed: String = dialoguer::Input::new()
        .with_prompt(format!("`{name}` is protected. Type its name to go on"))
        .allow_empty(true)
        .interact_text()
        .context("asking for confirmation")?;
    if typed != name {
        bail!("nothing was changed: `{typed}` is not `{name}`");
    }
    Ok(())
}

fn half_done(environment: &Environment, report: &apply::Report) -> String {
    let mut text = format!("the deployment of `{}` stopped", environment.name);
    for done in &report.done {
        text += &format!("\n  done:           {done}");
    }
    if let Some(failed) = &report.failed {
        text += &format!("\n  failed:         {failed}");
    }
    for waiting in &report.not_attempted {
        text += &format!("\n  not attempted:  {waiting}");
    }
    text + "\nrun `deploy` again to go on from here\ncause"
}
