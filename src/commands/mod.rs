//! One file per command: load, call the core, answer.
//!
//! Decisions stand in the rooms below; what can be typed is in the folder `cli`.
//!
//! Imports: `build`, `cloudflare`, `deploy`, `environment`, `generate`, `live`, `metric`, `plan`, `process`, `rotation`, `secret`, `terminal`

mod bench;
mod build;
mod check;
pub mod cli;
mod completions;
mod cost;
mod deploy;
mod destroy;
mod dev;
mod doctor;
mod environment;
mod generate;
mod man;
mod plan;
mod rollback;
mod rooms;
mod sandbox;
mod schema;
mod secrets;
mod stats;
mod status;
mod tail;
mod verify;

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use edge_broadcast_protocol::contract::binding;

use self::cli::{Cli, Command};
use crate::cloudflare::credentials;
use crate::environment::Environment;
use crate::environment::project::Project;
use crate::process::run::Runner;
use crate::process::surroundings::Withheld;
use crate::secret::{Secrets, Source};
use crate::terminal::confirm;
use crate::terminal::output::Format;
use crate::terminal::progress::Progress;

/// What every command gets.
pub struct Context {
    pub project: Project,
    pub format: Format,
    pub progress: Progress,
    /// Runs what a build or a sandbox needs.
    pub runner: Runner,
    /// The variables that no program gets which reads or takes a secret.
    withheld: Withheld,
}

impl Context {
    /// The project that the manifests belong to, as the tags of their scripts say it. Where none is left that can be read, the checkout
    /// says it still.
    fn owner(&self) -> Option<String> {
        let mut owners = self.project.good().filter_map(|it| it.owner.as_ref());
        let owner = owners.next().or(self.project.owner.as_ref());
        owner.map(ToString::to_string)
    }

    /// The headers of requests to an environment's hosts, read like secrets: one of these for each command too.
    fn headers<'a>(&'a self, environment: &'a Environment) -> Secrets<'a> {
        Secrets::new(
            environment.header_sources(),
            &self.project.root,
            self.withheld.clone(),
        )
    }

    /// The secrets of an environment: one of these for each command, so that it reads each source once.
    fn secrets<'a>(&'a self, environment: &'a Environment) -> Secrets<'a> {
        Secrets::new(
            environment.sources(),
            &self.project.root,
            self.withheld.clone(),
        )
    }
}

/// Runs the command that was typed.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let format = if cli.json { Format::Json } else { Format::Text };
    match cli.command {
        // Of the command line alone: whoever packages the tool has no project
        Command::Completions(args) => completions::run(format, &args),
        Command::Man(args) => man::run(format, &args),
        Command::Schema => schema::run(),
        command => return of_project(command, cli.project, format).await,
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Runs a command on the project at or above `folder`, or above the folder that the tool is in.
async fn of_project(
    command: Command,
    folder: Option<PathBuf>,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let from = match folder {
        Some(folder) => folder,
        None => std::env::current_dir()?,
    };
    let (project, progress) = (Project::find(&from)?, Progress::stderr());
    let context = Context {
        runner: Runner {
            progress: progress.clone(),
        },
        withheld: secret_variables(&project),
        project,
        format,
        progress,
    };
    match command {
        // These say with their status what they found
        Command::Check(args) => return check::run(&context, &args),
        Command::Plan(args) => return plan::run(&context, &args).await,
        Command::Secrets(args) => return secrets::run(&context, &args).await,
        Command::Generate(args) => generate::run(&context, &args),
        Command::Build => build::run(&context).await,
        Command::Deploy(args) => deploy::run(&context, &args).await,
        Command::Rollback(args) => rollback::run(&context, &args).await,
        Command::Destroy(args) => destroy::run(&context, &args).await,
        Command::Status(args) => status::run(&context, &args).await,
        Command::Doctor(args) => doctor::run(&context, &args).await,
        Command::Verify(args) => verify::run(&context, &args).await,
        Command::Sandbox(args) => sandbox::run(&context, &args).await,
        Command::Dev(args) => dev::run(&context, &args).await,
        Command::Tail(args) => tail::run(&context, &args).await,
        Command::Rooms(args) => rooms::run(&context, &args).await,
        Command::Stats(args) => stats::run(&context, &args).await,
        Command::Cost(args) => cost::run(&context, &args),
        Command::Bench(args) => bench::run(&context, &args).await,
        Command::Environment(args) => environment::run(&context, &args),
        Command::Schema | Command::Completions(_) | Command::Man(_) => {
            unreachable!("they need no project")
        }
    }
    .map(|()| ExitCode::SUCCESS)
}

/// The environment that is to be deployed, unless another manifest has one of its scripts or hosts too, or its compatibility date is
/// in the future. Whatever is done to what is deployed already asks for less: the tags of the scripts say whose they are.
fn distinct(context: &Context, named: &cli::Environment) -> anyhow::Result<Environment> {
    let named = std::slice::from_ref(&named.environment);
    let mut found = context.project.distinct(named, &today())?;
    Ok(found.remove(0))
}

/// The day, in UTC, as a manifest writes it.
fn today() -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.chars().take("2026-10-01".len()).collect()
}

/// Asks before `what` is done to a protected environment; `look` is the command that shows it.
fn confirm(environment: &Environment, what: &impl Display, look: &str) -> anyhow::Result<()> {
    match environment.protected {
        true => confirm::protected(environment.name.as_str(), what, look),
        false => Ok(()),
    }
}

/// The environment variables that may hold a value: the credentials, the secrets' own names, and what the manifests name.
fn secret_variables(project: &Project) -> Withheld {
    let usual = [
        binding::WEBHOOK_SECRET,
        binding::WEBHOOK_SECRET_ALTERNATE,
        binding::ADMIN_SECRET,
    ];
    let usual = usual.iter().chain(&credentials::VARIABLES);
    let sources = project
        .good()
        .flat_map(|environment| environment.sources().chain(environment.header_sources()));
    let named = sources.filter_map(|(_, source)| match source {
        Source::Env(variable) => Some(variable.clone()),
        Source::File { .. } | Source::Command { .. } | Source::Prompt => None,
    });
    usual.map(|name| (*name).to_owned()).chain(named).collect()
}
