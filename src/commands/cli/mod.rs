//! The command line: what can be typed, and nothing else.

mod bench;
mod cost;
mod deployment;
mod dev;
mod documents;
mod manifest;
mod rooms;
mod secrets;
mod stats;
mod tail;
mod token;

use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand};

pub use bench::Bench;
pub use cost::Cost;
pub use deployment::{Deploy, Destroy, Plan, Rollback, Shares};
pub use dev::Dev;
pub use documents::{Completions, Man};
pub use manifest::{Manifest, New};
pub use rooms::{ListRooms, Room, Rooms};
pub use secrets::{ListSecrets, NamedSecret, RotateSecret, Secrets, SetSecret};
pub use stats::{By, Stats};
pub use tail::{Role, Status as Ended, Tail};

use crate::terminal::advice::Advice;
use crate::terminal::output;

/// Exit status of a command line that cannot be understood, as clap's own.
const USAGE: i32 = 2;

/// What was typed; what cannot be understood is told, and ends the program.
pub fn parse() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| {
        match named_environment(&error, std::env::args().skip(1)) {
            Some(told) => {
                output::tell(&format!("error: {told:#}"));
                std::process::exit(USAGE)
            }
            None => error.exit(),
        }
    })
}

/// What to type instead of `--env staging`, which wrangler takes.
fn named_environment(error: &clap::Error, typed: impl Iterator<Item = String>) -> Option<Advice> {
    let ContextValue::String(option) = error.get(ContextKind::InvalidArg)? else {
        return None;
    };
    let is_it = |word: &str| {
        matches!(
            word.split('=').next(),
            Some("--env" | "--environment" | "-e")
        )
    };
    if error.kind() != ErrorKind::UnknownArgument || !is_it(option) {
        return None;
    }
    let (mut words, mut name) = (Vec::new(), "ENV".to_owned());
    let mut typed = typed.peekable();
    while let Some(word) = typed.next() {
        match (is_it(&word), word.split_once('=')) {
            (false, _) => words.push(word),
            (true, Some((_, given))) => given.clone_into(&mut name),
            (true, None) => name = typed.next_if(|next| !next.starts_with('-')).unwrap_or(name),
        }
    }
    let place = place(&words)?;
    if words.get(place) != Some(&name) {
        words.insert(place, name);
    }
    Some(Advice::new(
        format!("there is no `{option}`: the environment is a positional argument"),
        format!("`edge-broadcast {}`", words.join(" ")),
    ))
}

/// Where the environment stands among `words`: behind the command's own. None where it is no argument of that command.
fn place(words: &[String]) -> Option<usize> {
    let all = Cli::command();
    let (mut command, mut place) = (&all, 0);
    for (at, word) in words.iter().enumerate() {
        if let Some(found) = command.find_subcommand(word) {
            (command, place) = (found, at + 1);
        }
    }
    let first = command.get_positionals().next()?;
    let is_environment = first.get_value_names()? == ["ENV"];
    is_environment.then_some(place)
}

/// Deploys the edge broadcast system from environment manifests, and proves that it works
#[derive(Debug, Parser)]
#[command(
    name = "edge-broadcast",
    version,
    max_term_width = 100,
    propagate_version = true
)]
#[command(after_help = "Examples:
  edge-broadcast deploy staging --sandbox    rehearse a deployment on this machine
  edge-broadcast plan production             what a deployment would change
  edge-broadcast check                       are all manifests good?

Every environment is one file, `environments/<name>.toml`.")]
pub struct Cli {
    /// The project's folder [default: the nearest one above that has `environments/` and `worker/`]
    #[arg(long, global = true, value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read the manifests and report every problem, with its line
    #[command(after_help = "Examples:
  edge-broadcast check
  edge-broadcast check staging --json

Exits 1 when there is a problem.")]
    Check(Environments),
    /// Write what the manifests describe into `generated/`
    #[command(after_help = "Examples:
  edge-broadcast generate
  edge-broadcast generate --check            in CI: exits 1 with a diff when a file is stale")]
    Generate(Generate),
    /// Compile both workers, if their sources changed
    #[command(after_help = "Examples:
  edge-broadcast build
  edge-broadcast build --json                hashes and sizes

Missing tools are installed into a cache folder outside the project; EDGE_BROADCAST_CACHE moves it.")]
    Build,
    /// Show what a deployment would change, and what it does to open sockets
    #[command(after_help = "Examples:
  edge-broadcast plan staging
  edge-broadcast plan production --detailed-exitcode
  edge-broadcast plan production --room SOL   how many sockets of a room would reconnect
  edge-broadcast plan production --out plan.json && edge-broadcast deploy production --plan plan.json

Reads CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_BASE_URL. Sends nothing but GETs.")]
    Plan(Plan),
    /// Build, plan, apply and verify
    #[command(after_help = "Examples:
  edge-broadcast deploy staging --sandbox    on this machine, with the real runtime
  WEBHOOK_SECRET=… edge-broadcast deploy staging
  edge-broadcast deploy production --yes --rollout 5,25,100
  edge-broadcast deploy production --yes --rollout --pause 5m    judged by what both versions count
  edge-broadcast deploy blue --take-route-from green   a host of another environment, or of a script before `worker.name` changed

Reads CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_BASE_URL, and the secrets' sources.")]
    Deploy(Deploy),
    /// Go back to the version before, or to a named one
    #[command(after_help = "Examples:
  edge-broadcast rollback staging
  edge-broadcast rollback production --to 3034e9e7-b43c-45d5-8e9b-aaf38140952e --yes

Both scripts go back to what belongs together. Refused across a Durable Object migration. Routes, domains and secrets stay
as they are.")]
    Rollback(Rollback),
    /// Retire an environment: its routes, its custom domains, its scripts, and what they have stored
    #[command(after_help = "Examples:
  edge-broadcast destroy qa                  shows what goes, and asks for the name
  edge-broadcast destroy qa --confirm qa     in CI: destroys exactly that; a protected one needs --yes too
  edge-broadcast destroy --script old-qa     scripts that no manifest names, which `status` lists

Only scripts that this tool has deployed, and what leads to them, are touched. What they have stored cannot be brought back.
The manifest stays: `deploy` makes the environment anew.")]
    Destroy(Destroy),
    /// Show what is live, of all environments on one screen
    #[command(after_help = "Examples:
  edge-broadcast status
  edge-broadcast status production --json")]
    Status(Environments),
    /// Say what is wrong with an environment, and how to mend it
    #[command(after_help = "Examples:
  edge-broadcast doctor
  edge-broadcast doctor production --json
  edge-broadcast doctor production --room SOL   whether updates of a room are dropped for their slot
  edge-broadcast doctor production --publish    whether what is signed with the manifest's secret arrives

Changes nothing and, without --room and --publish, reads no secret's value. Exits 1 when something is wrong.")]
    Doctor(Doctor),
    /// Prove that a deployed environment works
    #[command(after_help = "Examples:
  WEBHOOK_SECRET=… edge-broadcast verify staging
  edge-broadcast verify production --json

Publishes into a room of its own, which no client sees. Exits 1 when a check fails.")]
    Verify(Environment),
    /// List, set and rotate secrets
    #[command(after_help = "Examples:
  edge-broadcast secrets list                which secrets are there, in every environment
  edge-broadcast secrets set staging ADMIN_SECRET
  edge-broadcast secrets rotate production   a new webhook secret without a refused publish

No command ever prints a value, and none takes one as an argument.")]
    #[command(subcommand)]
    Secrets(Secrets),
    /// Keep a stand-in for Cloudflare running on this machine
    #[command(after_help = "Examples:
  edge-broadcast sandbox
  edge-broadcast sandbox --api-port 8799 --port 8788 --state .edge-broadcast/sandbox

Prints one JSON line with `api`, `ingress`, `account_id` and `token` when it is ready. This tool and wrangler reach it with
CLOUDFLARE_API_BASE_URL, CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN set to these. Ctrl-C ends it.")]
    Sandbox(Sandbox),
    /// Work on the workers: a sandbox that is kept at what sources and manifest say
    #[command(after_help = "Examples:
  edge-broadcast dev
  edge-broadcast dev --port 8788
  WEBHOOK_SECRET=whsec_... edge-broadcast dev local --json

Deploys the environment to a sandbox of its own and tells where its host is. What changes from then on is deployed again: a manifest
as the settings that it changes, a source as the worker that is made of it. A mistake is told, and what was deployed before stays.
Secrets whose source has no value here are made up. Ctrl-C ends it and leaves nothing behind but what `--state` names.")]
    Dev(Dev),
    /// Show what happens in the live workers, as it happens
    #[command(
        disable_version_flag = true,
        after_help = "Examples:
  edge-broadcast tail staging
  edge-broadcast tail production --token SOL --status error
  edge-broadcast tail production --script gateway --method POST --ip self --sampling 0.1
  edge-broadcast tail staging --json | jq -c 'select(.status >= 500)'

A line is written when a request, a call of an object or a frame of a socket is over. Values of headers and of query parameters that may
hold a secret are never shown. Ctrl-C ends it, and closes what it has opened at Cloudflare."
    )]
    Tail(Tail),
    /// Look into the rooms of an environment
    #[command(after_help = "Examples:
  edge-broadcast rooms list staging
  edge-broadcast rooms get staging SOL --watch")]
    #[command(subcommand)]
    Rooms(Rooms),
    /// Show what an environment has counted: sockets, publishes, deliveries, times, refusals
    #[command(after_help = "Examples:
  edge-broadcast stats production
  edge-broadcast stats production --since 24h --by version
  edge-broadcast stats production --since 7d --by token --csv > tokens.csv

Asks the data set of `[analytics]`, which gets what happens within a minute or two. The API token needs `Account Analytics Read`.")]
    Stats(Stats),
    /// Compute what a month costs, line by line, and what would change it
    #[command(after_help = "Examples:
  edge-broadcast cost
  edge-broadcast cost production --batch 100
  edge-broadcast cost production --users 1000000 --tokens 200 --updates-per-minute 60 --json

Computed from the manifest and a list of prices; nothing is asked.")]
    Cost(Cost),
    /// Load an environment, and measure what arrives
    #[command(after_help = "Examples:
  WEBHOOK_SECRET=… edge-broadcast bench staging
  edge-broadcast bench staging --sockets 2000 --tokens 20 --rate 50 --duration 1m --json > before.json
  edge-broadcast bench staging --sockets 2000 --tokens 20 --rate 50 --duration 1m --against before.json
  WEBHOOK_SECRET=… edge-broadcast bench https://broadcast.glow.trade --origin https://app.glow.trade

Latency is from when an update was due, so that a system that stalls cannot hide it. With a URL the value of the
variable WEBHOOK_SECRET signs; `http://HOST:PORT` is HOST in a sandbox on this machine. Sockets ping every 25 s, or three times
within a shorter `room.idle_timeout` of the manifest. Ctrl-C shows the result so far.")]
    Bench(Bench),
    /// Make the manifest of a new environment
    #[command(after_help = "Examples:
  edge-broadcast environment new qa --from staging")]
    #[command(subcommand)]
    Environment(Manifest),
    /// Print the JSON schema of manifests, for editors
    #[command(after_help = "Examples:
  edge-broadcast schema > environment.schema.json

A manifest names it in its first line: `#:schema ./environment.schema.json`. `generate` keeps the project's own up to date.")]
    Schema,
    /// Print a shell's completions
    #[command(after_help = "Examples:
  edge-broadcast completions bash > ~/.local/share/bash-completion/completions/edge-broadcast
  edge-broadcast completions zsh > ~/.zfunc/_edge-broadcast
  edge-broadcast completions fish > ~/.config/fish/completions/edge-broadcast.fish

Needs no project.")]
    Completions(Completions),
    /// Write the manual pages
    #[command(after_help = "Examples:
  edge-broadcast man ~/.local/share/man/man1 && man edge-broadcast-deploy

Needs no project. The folder is made; the one that it is in has to be there.")]
    Man(Man),
}

/// One environment.
#[derive(Debug, Args)]
pub struct Environment {
    /// The environment: the file name of its manifest without `.toml`
    #[arg(value_name = "ENV")]
    pub environment: String,
}

/// Some environments, or all.
#[derive(Debug, Args)]
pub struct Environments {
    /// The environments [default: all]
    #[arg(value_name = "ENV")]
    pub environments: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub environments: Environments,
    /// Look at this room too; may be repeated, needs the value of `ADMIN_SECRET`
    #[arg(long, value_name = "TOKEN")]
    pub room: Vec<String>,
    /// Publish once through each host too, into rooms of its own; needs the value of `WEBHOOK_SECRET`
    #[arg(long)]
    pub publish: bool,
}

#[derive(Debug, Args)]
pub struct Generate {
    #[command(flatten)]
    pub environments: Environments,
    /// Write nothing; show how the files differ and exit 1 when they do
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Args)]
pub struct Sandbox {
    /// Port of the API [default: a free one]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub api_port: u16,
    /// Port that stands for the internet: the routes' hosts are served here [default: a free one]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    /// Keep scripts, routes, secrets and rooms in this folder [default: forget them at the end]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Let every route answer, also one whose host has no proxied DNS record, which Cloudflare would not
    #[arg(long)]
    pub lenient: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
