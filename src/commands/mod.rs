//! One file per command: load, call the core, answer.

pub mod build;
pub mod check;
pub mod deploy;
pub mod generate;
pub mod plan;
pub mod rollback;
pub mod sandbox;
pub mod secrets;
pub mod status;
pub mod verify;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::output::Format;
use crate::progress::Progress;
use crate::project::Project;

/// What every command gets.
pub struct Context {
    pub project: Project,
    pub format: Format,
    pub progress: Progress,
}

/// Runs the command that was typed.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let from = match cli.project {
        Some(folder) => folder,
        None => std::env::current_dir()?,
    };
    let context = Context {
        project: Project::find(&from)?,
        format: if cli.json { Format::Json } else { Format::Text },
        progress: Progress::stderr(),
    };
    match cli.command {
        Command::Check(args) => check::run(&context, &args),
        Command::Generate(args) => generate::run(&context, &args),
        Command::Build => build::run(&context).await,
        Command::Plan(args) => plan::run(&context, &args).await,
        Command::Deploy(args) => deploy::run(&context, &args).await,
        Command::Rollback(args) => rollback::run(&context, &args).await,
        Command::Status(args) => status::run(&context, &args).await,
        Command::Verify(args) => verify::run(&context, &args).await,
        Command::Secrets(args) => secrets::run(&context, &args).await,
        Command::Sandbox(args) => sandbox::run(&context, &args).await,
    }
}
