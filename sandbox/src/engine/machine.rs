//! The one process of the runtime, and the gate in front of it: started, stopped, and started again when it ends by itself. What runs
//! is decided by who calls.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::{OnceCell, mpsc, watch};

use crate::account::state::{State, Strictness};
use crate::edge::gate::Gate;
use crate::edge::ingress::{Standing, Upstream};
use crate::edge::link::{Cut, Link};
use crate::edge::table::{self, Table};
use crate::runtime::config::Config;
use crate::runtime::log::Log;
use crate::runtime::process::{self, End, Process};
use crate::runtime::respawn::{Answer, Ends};
use crate::runtime::worker::service;

/// The process and the gate.
#[derive(Debug)]
pub(super) struct Machine {
    /// The program.
    pub workerd: PathBuf,
    directory: PathBuf,
    log: Log,
    /// What the ingress stands at.
    pub gate: Arc<Gate<Upstream>>,
    runtime: Mutex<Runtime>,
    /// Of the process that runs now.
    end: watch::Sender<Option<End>>,
    notices: mpsc::UnboundedSender<String>,
    /// The newest compatibility date that the program knows, once it was asked.
    newest: OnceCell<Option<String>>,
}

/// The running process with all that belongs to it. Without deployed scripts there is none.
#[derive(Debug, Default)]
struct Runtime {
    process: Option<Process>,
    config: Config,
    link: Option<(Link, Cut)>,
    phase: Phase,
    ends: Ends,
    /// How it ended the last time.
    last_end: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Serving,
    /// It ended too often, and is not started again before the next change.
    GivenUp,
    /// Nothing may be started any more.
    Ended,
}

impl Machine {
    /// A machine that runs nothing, and what is to be said aloud.
    pub(super) fn new(
        workerd: PathBuf,
        directory: &Path,
        log: Log,
    ) -> (Self, mpsc::UnboundedReceiver<String>) {
        let (notices, heard) = mpsc::unbounded_channel();
        let idle = Upstream {
            table: Table::default(),
            link: Link::new().0,
            process: Standing::Idle,
        };
        let machine = Self {
            workerd,
            directory: directory.to_owned(),
            log,
            gate: Arc::new(Gate::new(idle)),
            runtime: Mutex::default(),
            end: watch::Sender::new(None),
            notices,
            newest: OnceCell::new(),
        };
        (machine, heard)
    }

    /// The newest compatibility date that the runtime knows, where it says it.
    pub(super) async fn newest_date(&self) -> Option<&str> {
        let ask = || process::newest_date(&self.workerd);
        self.newest.get_or_init(ask).await.as_deref()
    }

    /// How the process ends, one process after another.
    pub(super) fn ends(&self) -> watch::Receiver<Option<End>> {
        self.end.subscribe()
    }

    /// The port of a socket while the process runs.
    pub(super) fn port(&self, socket: &str) -> Option<u16> {
        let runtime = self.runtime.lock();
        let process = runtime.process.as_ref()?;
        let port = process.ports.get(socket).copied();
        port.filter(|_| process.is_alive())
    }

    /// How it is.
    pub(super) fn health(&self) -> Value {
        let runtime = self.runtime.lock();
        let state = match (runtime.phase, &runtime.process) {
            (Phase::GivenUp, _) => "given up",
            (_, Some(process)) if process.is_alive() => "running",
            (_, Some(_)) => "starting again",
            (_, None) => "not needed",
        };
        json!({"state": state, "last_end": runtime.last_end})
    }

    /// From now on nothing is started.
    pub(super) fn retire(&self) {
        self.runtime.lock().phase = Phase::Ended;
    }

    /// Retires it and kills the process.
    pub(super) fn kill(&self) {
        let mut runtime = self.runtime.lock();
        runtime.phase = Phase::Ended;
        drop(runtime.process.take());
    }

    /// Kills the process, if there is one, as if it had ended by itself, and waits for its end.
    pub(super) async fn crash(&self) {
        let end = {
            let runtime = self.runtime.lock();
            let process = runtime.process.as_ref();
            process.map(|process| {
                process.signal(Signal::KILL);
                process.end.clone()
            })
        };
        if let Some(mut end) = end {
            let _ = end.wait_for(Option::is_some).await;
        }
    }

    /// Stops the process, if there is one.
    pub(super) async fn stop(&self) {
        self.end.send_replace(None);
        let process = {
            let mut runtime = self.runtime.lock();
            runtime.link = None;
            runtime.process.take()
        };
        if let Some(process) = process {
            process.stop().await;
        }
    }

    /// Whether something else runs than this configuration.
    pub(super) fn is_other_than(&self, config: &Config) -> bool {
        let runtime = self.runtime.lock();
        let dead = match &runtime.process {
            Some(process) => !process.is_alive(),
            None => !config.sockets.is_empty(),
        };
        dead || runtime.config != *config
    }

    /// Runs another configuration; where it does not start, the one of before again. Two processes must not open the same objects, so
    /// the old one goes before the new one comes.
    pub(super) async fn restart(&self, config: Config, before: Config) -> anyhow::Result<()> {
        self.gate.shut().await;
        self.stop().await;
        self.runtime.lock().ends = Ends::default();
        let started = self.start(config).await;
        if started.is_err()
            && let Err(again) = self.start(before).await
        {
            self.log
                .push(&format!("the runtime did not come back: {again:#}"));
        }
        started
    }

    /// Whether it is this end after which the process must be started again.
    pub(super) fn is_down_by(&self, end: &End) -> bool {
        let runtime = self.runtime.lock();
        let process = runtime.process.as_ref();
        runtime.phase == Phase::Serving
            && process.is_some_and(|process| process.end.same_channel(end))
    }

    /// Starts the configuration after the process has ended so, again and again, unless that is of no use.
    pub(super) async fn revive(&self, config: &Config, how: &str) {
        let mut what = format!("the runtime ended with {how}");
        loop {
            let answer = {
                let mut runtime = self.runtime.lock();
                runtime.last_end = Some(what.clone());
                runtime.ends.another(Instant::now())
            };
            match answer {
                Answer::Again(pause) => {
                    self.tell(&format!("{what}; it is started again"));
                    tokio::time::sleep(pause).await;
                }
                Answer::GiveUp(times, within) => {
                    what = format!(
                        "{what}, {times} times within {} seconds, and is not started again; see `GET /sandbox/logs`, then deploy something else or restart the sandbox",
                        within.as_secs()
                    );
                    self.tell(&what);
                    let mut runtime = self.runtime.lock();
                    runtime.phase = Phase::GivenUp;
                    runtime.last_end = Some(what);
                    return;
                }
            }
            match self.start(config.clone()).await {
                Err(error) if self.runtime.lock().phase != Phase::Ended => {
                    what = format!("the runtime did not start: {error:#}");
                }
                _ => return,
            }
        }
    }

    async fn start(&self, config: Config) -> anyhow::Result<()> {
        let process = if config.sockets.is_empty() {
            None
        } else {
            let (program, file) = (&self.workerd, "config.capnp");
            Some(process::start(program, &self.directory, file, &config, &self.log).await?)
        };
        let mut runtime = self.runtime.lock();
        if runtime.phase == Phase::Ended {
            anyhow::bail!("the sandbox has ended");
        }
        let end = process.as_ref().map(|process| process.end.clone());
        *runtime = Runtime {
            process,
            config,
            link: Some(Link::new()),
            phase: Phase::Serving,
            ends: std::mem::take(&mut runtime.ends),
            last_end: runtime.last_end.take(),
        };
        self.end.send_replace(end);
        Ok(())
    }

    /// Opens the ingress to a state, which must be the one that runs.
    pub(super) fn open(&self, state: &State, strictness: Strictness) {
        let runtime = self.runtime.lock();
        let link = runtime.link.as_ref();
        let link = link.map_or_else(|| Link::new().0, |(link, _)| link.clone());
        let process = match (&runtime.process, runtime.phase, &runtime.last_end) {
            (_, Phase::GivenUp, Some(how)) => Standing::Down(how.clone()),
            (Some(process), ..) => Standing::Running(process.end.clone()),
            (None, ..) => Standing::Idle,
        };
        let port = |account: &str, script: &str, version: &str| {
            let name = service(account, script, version);
            runtime.process.as_ref()?.ports.get(&name).copied()
        };
        let table = table::build(state, strictness, port);
        self.gate.open(Upstream {
            table,
            link,
            process,
        });
    }

    /// In the log, and aloud: something went wrong.
    pub(super) fn tell(&self, what: &str) {
        self.say("error", what);
    }

    /// The same of what is only to be known.
    pub(super) fn warn(&self, what: &str) {
        self.say("warn", what);
    }

    fn say(&self, level: &str, what: &str) {
        self.log
            .push(&json!({"level": level, "message": what}).to_string());
        let _ = self.notices.send(what.to_owned());
    }
}
