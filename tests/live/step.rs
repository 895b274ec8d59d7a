//! One command of the tool, run as a person would run it.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use tokio::process::{Child, Command};

use super::credentials::{self, Credentials};
use super::name::Name;
use super::project::{Folder, Release};
use super::stop::Stop;

/// Longer than a first build of the workers takes.
const PATIENCE: Duration = Duration::from_secs(20 * 60);
/// How long a command has to end by itself once it was asked to.
const GRACE: Duration = Duration::from_secs(10);
/// Stands for the environment's name in a command line.
const ENV: &str = "ENV";

/// A command and what must come of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) args: &'static [&'static str],
    /// The exit code.
    pub(crate) exits: i32,
    pub(crate) release: Release,
}

/// What came of it.
pub(crate) struct Outcome {
    /// The exit code, or why there is none.
    pub(crate) exit: Result<i32, String>,
    pub(crate) took: Duration,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Where commands run, and against what.
pub(crate) struct Stage<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) name: &'a Name,
    pub(crate) credentials: &'a Credentials,
    /// The proxy's address.
    pub(crate) api: &'a str,
    pub(crate) stop: &'a Stop,
}

impl Step {
    pub(crate) const fn new(args: &'static [&'static str]) -> Self {
        Self {
            args,
            exits: 0,
            release: Release::First,
        }
    }

    pub(crate) const fn exits(self, exits: i32) -> Self {
        Self { exits, ..self }
    }

    /// With the manifest of the second release.
    pub(crate) const fn second(self) -> Self {
        Self {
            release: Release::Second,
            ..self
        }
    }

    /// As it is shown.
    pub(crate) fn title(&self) -> String {
        self.args.join(" ")
    }
}

impl Outcome {
    /// The names of the checks that failed, where the command makes any: they are the tool's own.
    pub(crate) fn failed_checks(&self) -> Vec<String> {
        let answer: Json = serde_json::from_str(&self.stdout).unwrap_or_default();
        let report = match answer["checks"].is_array() {
            true => &answer,
            false => &answer["verified"],
        };
        let checks = report["checks"].as_array().cloned().unwrap_or_default();
        checks
            .iter()
            .filter(|check| !check["failure"].is_null())
            .filter_map(|check| check["name"].as_str().map(ToOwned::to_owned))
            .collect()
    }
}

impl Stage<'_> {
    /// Runs a command to its end, or until somebody asks to stop. What it prints goes into the run's folder, under `number`.
    pub(crate) async fn run(&self, number: usize, step: &Step) -> anyhow::Result<Outcome> {
        self.folder
            .write(self.name, self.credentials, step.release)?;
        let word = step.args.iter().find(|word| **word != ENV).copied();
        let print = |ending: &str| {
            let word = word.unwrap_or_default();
            self.folder
                .path(&format!("steps/{number:02}-{word}.{ending}"))
        };
        let (stdout, stderr) = (print("stdout"), print("stderr"));
        let file = |path| File::create(path).context("writing down what a command prints");
        let environment = self.name.environment();
        let args = step.args.iter().map(|word| match *word {
            ENV => environment.as_str(),
            word => word,
        });
        let began = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_edge-broadcast"))
            .args(args)
            .current_dir(self.folder.project())
            .stdin(Stdio::null())
            .stdout(file(&stdout)?)
            .stderr(file(&stderr)?)
            .env("CLOUDFLARE_API_BASE_URL", self.api)
            .env(credentials::TOKEN, self.credentials.token.expose())
            .env(credentials::ACCOUNT, &self.credentials.account)
            .env("NO_COLOR", "1")
            .env("NO_PROXY", no_proxy())
            // A summary would name the account's hosts where everybody reads them
            .env_remove("GITHUB_STEP_SUMMARY")
            // The terminal's Ctrl-C comes here, and is passed on below
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("starting the tool")?;
        let exit = tokio::select! {
            status = child.wait() => {
                let status = status.context("waiting for the tool")?;
                status.code().ok_or_else(|| format!("ended by signal {}", status.signal().unwrap_or(0)))
            }
            () = self.stop.more_than(0) => {
                end(&mut child).await;
                Err("stopped".to_owned())
            }
            () = tokio::time::sleep(PATIENCE) => {
                end(&mut child).await;
                Err(format!("not ended after {} minutes", PATIENCE.as_secs() / 60))
            }
        };
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Ok(Outcome {
            exit,
            took: began.elapsed(),
            stdout: read(stdout),
            stderr: read(stderr),
        })
    }
}

/// The proxy is on this machine; whatever leads out of it stays as the user has it.
fn no_proxy() -> String {
    let own = ["NO_PROXY", "no_proxy"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_default();
    format!("127.0.0.1,{own}")
}

/// As Ctrl-C does, so that it takes its own children with it; by force when that is not enough.
async fn end(child: &mut Child) {
    let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    if let Some(id) = id {
        let _ = kill_process(id, Signal::INT);
    }
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}
