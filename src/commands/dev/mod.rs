//! `dev`: the sandbox, kept at what the sources and the manifest say.
//!
//! - `watch`: what is looked at, and what a change asks for; `event`: what is told
//!
//! Absent on purpose: a way of deploying. Each change is planned, applied and verified as `deploy` does it, so that a plan says what is
//! deployed again, and what a bundle was made of says what is compiled again.

mod event;
mod watch;

use std::time::Instant;

use anyhow::bail;
use edge_broadcast_sandbox::Console;

use self::event::Event;
use self::watch::{Asked, Seen};
use super::cli::{Dev, Environment as Named};
use super::{Context, deploy, distinct};
use crate::cloudflare::error::advice;
use crate::deploy::remote::Remote;
use crate::environment::Environment;
use crate::environment::project::Project;
use crate::secret::Secrets;
use crate::terminal::advice::Advice;

pub(super) async fn run(context: &Context, args: &Dev) -> anyhow::Result<()> {
    let named = Named {
        environment: args.environment.clone(),
    };
    let environment = for_development(context, &named)?;
    let tell = |line: &str| context.progress.say(line);
    let sources = context.secrets(&environment).or_made_up(&tell);
    // Before the first deployment: what changes while it goes on counts
    let mut seen = Seen::of(&context.project.root)?;
    let state = args.state.clone();
    let mut remote = Remote::sandbox(
        &environment,
        &context.runner,
        args.port,
        state,
        Console::Helped,
    )
    .await?;
    let begun = Begun {
        named,
        environment: &environment,
        sources: &sources,
    };
    Event::ready(&environment, &remote).tell(context.format)?;
    begun.bring_up(context, &remote, Vec::new()).await?;
    loop {
        let now = tokio::select! {
            notice = remote.notice() => {
                context.progress.say(&notice);
                continue;
            }
            now = seen.another(&context.project.root) => now,
        };
        let because = seen.changed(&now);
        seen = now;
        match watch::asked(&because) {
            Asked::Deployment => begun.bring_up(context, &remote, because).await?,
            Asked::AnotherTool => Event::tool_is_old(because).tell(context.format)?,
        }
    }
}

/// What stays as it was when the command began.
struct Begun<'a> {
    named: Named,
    environment: &'a Environment,
    /// Read or made up once: later values would be others than those that are deployed.
    sources: &'a Secrets<'a>,
}

impl Begun<'_> {
    /// Deploys what there is now, and tells what came of it; fails only where nothing can be told.
    async fn bring_up(
        &self,
        context: &Context,
        remote: &Remote,
        because: Vec<String>,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        let deployed = async {
            let context = context.now()?;
            let environment = for_development(&context, &self.named)?;
            self.check(&environment)?;
            deploy::brought_up(&context, remote, &environment, self.sources).await
        };
        let event = match deployed.await {
            Ok(plan) => Event::deployed(because, &plan, began.elapsed()),
            Err(error) => Event::failed(because, advice(&error)),
        };
        event.tell(context.format)
    }

    /// Refuses what the running sandbox was not made for.
    fn check(&self, now: &Environment) -> anyhow::Result<()> {
        let new = now.sources().find(|(name, _)| !self.sources.has(name));
        let what = if let Some((name, _)) = new {
            format!("the manifest names the secret `{name}`, which it did not when `dev` began")
        } else if now.zone != self.environment.zone
            || now.routed_hosts() != self.environment.routed_hosts()
        {
            "the manifest names another zone or other hosts than when `dev` began".to_owned()
        } else {
            return Ok(());
        };
        bail!(Advice::new(
            what,
            "end `dev` with Ctrl-C and start it again"
        ));
    }
}

/// The environment, if it is one that only developers see.
fn for_development(context: &Context, named: &Named) -> anyhow::Result<Environment> {
    let environment = distinct(context, named)?;
    if !environment.is_for_development() {
        bail!(Advice::new(
            format!(
                "`dev` is for environments with `worker.debug = true`, and `{}` has not",
                environment.name
            ),
            format!(
                "`edge-broadcast dev` takes `local`; `edge-broadcast deploy {} --sandbox` rehearses this one",
                environment.name
            ),
        ));
    }
    Ok(environment)
}

impl Context {
    /// The same with the manifests as they are now.
    fn now(&self) -> anyhow::Result<Self> {
        let project = Project::load(self.project.root.clone())?;
        Ok(Self {
            withheld: super::secret_variables(&project),
            project,
            format: self.format,
            progress: self.progress.clone(),
            runner: self.runner.clone(),
        })
    }
}
