//! `tail`: what happens in the live workers, as it happens.
//!
//! - `trace`: an event, read; `line`: for people
//! - `secrecy`: what may be shown of it

mod line;
mod secrecy;
mod trace;

use anyhow::bail;
use futures_util::future::try_join_all;
use serde_json::Value as Json;
use tokio::sync::mpsc::{Receiver, channel};

use self::trace::Objects;
use super::Context;
use super::cli::{Ended, Role, Tail};
use crate::cloudflare::Cloudflare;
use crate::cloudflare::error::ApiError;
use crate::cloudflare::tail::{Filters, follow};
use crate::environment::Environment;
use crate::terminal::advice::Advice;
use crate::terminal::output::{self, Format};

/// Events that wait for a slow terminal.
const WAITING: usize = 1024;

pub(super) async fn run(context: &Context, args: &Tail) -> anyhow::Result<()> {
    let environment = context.project.environment(&args.environment.environment)?;
    let cloudflare = Cloudflare::from_env(&environment)?.telling(&context.progress);
    let scripts = scripts(&environment, args.script);
    let filters = filters(args);
    let (sender, receiver) = channel(WAITING);
    let followers = scripts.iter().map(async |script| {
        let followed = follow(&cloudflare, script, &filters, &sender).await;
        followed.map_err(|error| absent(error, &environment, script))
    });
    tokio::select! {
        ended = try_join_all(followers) => match ended?.into_iter().next() {
            Some(never) => match never {},
            None => bail!("there is nothing to follow"),
        },
        // A reader that went away wants no more
        printed = print(context, &environment, args.token.as_deref(), receiver) => printed,
    }
}

/// Writes events until nobody reads them any more.
async fn print(
    context: &Context,
    environment: &Environment,
    token: Option<&str>,
    mut receiver: Receiver<Json>,
) -> anyhow::Result<()> {
    let mut objects = Objects::default();
    while let Some(message) = receiver.recv().await {
        let trace = objects.read(&message);
        // That something was left out is of every room
        let is_wanted =
            trace.kind == trace::Kind::Overload || token.is_none_or(|token| trace.is_of(token));
        if !is_wanted {
            continue;
        }
        let text = match context.format {
            Format::Json => output::json_line(&trace)?,
            Format::Text => line::line(&trace, role(environment, &trace.script)),
        };
        if !output::is_heard(&text)? {
            break;
        }
    }
    Ok(())
}

fn role(environment: &Environment, script: &str) -> &'static str {
    match script {
        "" => "",
        script if script == environment.room_script() => "room",
        _ => "gateway",
    }
}

fn scripts(environment: &Environment, role: Option<Role>) -> Vec<String> {
    let (gateway, room) = (environment.gateway_script(), environment.room_script());
    match role {
        None => vec![gateway, room],
        Some(Role::Gateway) => vec![gateway],
        Some(Role::Room) => vec![room],
    }
}

/// The outcomes of a status are those of wrangler (`src/tail/filters.ts`).
fn filters(args: &Tail) -> Filters {
    let outcomes = args.status.iter().flat_map(|status| match status {
        Ended::Ok => &["ok"][..],
        Ended::Canceled => &["canceled"],
        Ended::Error => &["exception", "exceededCpu", "exceededMemory", "unknown"],
    });
    Filters {
        sampling: args.sampling,
        outcomes: outcomes.copied().collect(),
        methods: args.method.clone(),
        addresses: args.ip.clone(),
        search: args.search.clone(),
        version: args.version.clone(),
    }
}

/// What to do about a script that is not there.
fn absent(error: anyhow::Error, environment: &Environment, script: &str) -> anyhow::Error {
    match error.downcast_ref().is_some_and(ApiError::is_absent) {
        true => error.context(Advice::new(
            format!("`{script}` is not deployed"),
            format!("`edge-broadcast deploy {}`", environment.name),
        )),
        false => error,
    }
}
