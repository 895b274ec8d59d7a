//! The sandbox's only owner of state and runtime: every change is decided purely, brought to the runtime, and only then kept.
//!
//! Imports: `account`, `edge`, `runtime`, `store`

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::account::assignment::{Report, Update, bounds, held, still_held, unexpired};
use crate::account::bundle::Described;
use crate::account::error::{ApiError, internal, invalid};
use crate::account::metadata::Metadata;
use crate::account::module::Module;
use crate::account::script::Script;
use crate::account::state::State;
use crate::account::state::Strictness;
use crate::edge::gate::Gate;
use crate::edge::ingress::{Standing, Upstream};
use crate::edge::link::{Cut, Link};
use crate::edge::table;
use crate::runtime::analytics::Points;
use crate::runtime::config::{Config, render};
use crate::runtime::log::Log;
use crate::runtime::process::{self, End, Process};
use crate::runtime::respawn::{Answer, Ends};
use crate::runtime::worker::{TAILS, service};
use crate::runtime::{host, probe};
use crate::store::Store;

/// The engine.
#[derive(Debug)]
pub(crate) struct Engine {
    workerd: PathBuf,
    analytics: SocketAddr,
    strictness: Strictness,
    /// The state directory.
    pub store: Store,
    /// What the runtime wrote.
    pub log: Log,
    /// Analytics Engine data points.
    pub points: Points,
    /// What the ingress stands at.
    pub gate: Arc<Gate<Upstream>>,
    current: RwLock<Arc<State>>,
    /// Held by the one change that is under way.
    turn: tokio::sync::Mutex<()>,
    runtime: Mutex<Runtime>,
    /// Of the process that runs now.
    end: watch::Sender<Option<End>>,
    /// When the next object is no longer held, in milliseconds since 1970.
    deadline: watch::Sender<Option<u64>>,
    notices: mpsc::UnboundedSender<String>,
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

impl Engine {
    /// An engine without a runtime; [`Engine::change`] starts it. Gives also what is to be said aloud: that the runtime ended.
    pub(crate) fn new(
        workerd: PathBuf,
        (analytics, points): (SocketAddr, Points),
        store: Store,
        state: State,
        strictness: Strictness,
    ) -> (Self, mpsc::UnboundedReceiver<String>) {
        let (notices, heard) = mpsc::unbounded_channel();
        let engine = Self {
            workerd,
            analytics,
            strictness,
            store,
            log: Log::default(),
            points,
            gate: Arc::new(Gate::new(Upstream::new(
                table::Table::default(),
                Link::new().0,
                Standing::Idle,
            ))),
            current: RwLock::new(Arc::new(state)),
            turn: tokio::sync::Mutex::new(()),
            runtime: Mutex::default(),
            end: watch::Sender::new(None),
            deadline: watch::Sender::new(None),
            notices,
        };
        (engine, heard)
    }

    /// The state as of now.
    pub(crate) fn state(&self) -> Arc<State> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks the runtime what a bundle exports.
    pub(crate) async fn describe(
        &self,
        metadata: &Metadata,
        modules: &[Module],
    ) -> Result<(Described, u32), ApiError> {
        let name = format!("{:016x}", rand::random::<u64>());
        probe::probe(&self.workerd, self.store.path(), &name, metadata, modules).await
    }

    /// Changes the state. When what runs changes with it, the runtime is restarted while the ingress holds requests; when it
    /// does not start, everything stays as it was (10021). A caller that goes away does not interrupt a change.
    pub(crate) async fn change<T, F>(self: &Arc<Self>, edit: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&mut State) -> Result<T, ApiError> + Send + 'static,
    {
        let engine = self.clone();
        let changed = tokio::spawn(async move { engine.commit(edit).await }).await;
        changed.unwrap_or_else(|error| Err(internal(&error)))
    }

    /// Asks the runtime for trace events from now on. One that does not answer is about to start anew, and then hands them over
    /// until it is told that nobody wants them.
    pub(crate) async fn wake_tails(&self) {
        let port = {
            let runtime = self.runtime();
            let ports = runtime.process.as_ref().map(|process| &process.ports);
            ports.and_then(|ports| ports.get(TAILS).copied())
        };
        let Some(port) = port else { return };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let request = http::Request::post(format!("http://{address}/"))
            .body(http_body_util::Empty::<axum::body::Bytes>::new());
        let client = Client::builder(TokioExecutor::new()).build_http();
        if let Ok(request) = request {
            let _ = client.request(request).await;
        }
    }

    /// Stops the runtime for good.
    pub(crate) async fn end(&self) {
        self.runtime().phase = Phase::Ended;
        let _turn = self.turn.lock().await;
        if let Some(process) = self.take_process() {
            process.stop().await;
        }
    }

    /// The same at once, for a drop.
    pub(crate) fn kill(&self) {
        let mut runtime = self.runtime();
        runtime.phase = Phase::Ended;
        drop(runtime.process.take());
    }

    /// How the runtime is.
    pub(crate) fn health(&self) -> Value {
        let runtime = self.runtime();
        let state = match (runtime.phase, &runtime.process) {
            (Phase::GivenUp, _) => "given up",
            (_, Some(process)) if process.is_alive() => "running",
            (_, Some(_)) => "starting again",
            (_, None) => "not needed",
        };
        json!({"state": state, "last_end": runtime.last_end})
    }

    /// Starts the runtime again whenever it ends by itself. Never returns.
    pub(crate) async fn mend(self: Arc<Self>) {
        let mut current = self.end.subscribe();
        loop {
            let end = current.borrow_and_update().clone();
            let Some(mut end) = end else {
                let _ = current.changed().await;
                continue;
            };
            let how = tokio::select! {
                how = end.wait_for(Option::is_some) => how.ok().and_then(|how| how.clone()),
                _ = current.changed() => continue,
            };
            if let Some(how) = how {
                self.revive(&end, &how).await;
            }
            let _ = current.changed().await;
        }
    }

    /// Lets held objects go when their time is over. Never returns.
    pub(crate) async fn release(self: Arc<Self>) {
        let mut deadline = self.deadline.subscribe();
        loop {
            let until_ms = *deadline.borrow_and_update();
            let over = async {
                match until_ms {
                    None => std::future::pending().await,
                    Some(until_ms) => {
                        tokio::time::sleep(Duration::from_millis(
                            until_ms.saturating_sub(now_ms()),
                        ))
                        .await;
                    }
                }
            };
            tokio::select! {
                () = over => {}
                _ = deadline.changed() => continue,
            }
            let released = self.change(|state| {
                let now_ms = now_ms();
                for script in scripts_mut(state) {
                    script.holds = unexpired(&script.holds, now_ms);
                }
                Ok(())
            });
            if let Err(error) = released.await {
                self.tell(&format!(
                    "objects could not change their version: {}",
                    error.problems[0].1
                ));
                let _ = deadline.changed().await;
            }
        }
    }

    async fn commit<T, F>(&self, edit: F) -> Result<T, ApiError>
    where
        F: FnOnce(&mut State) -> Result<T, ApiError>,
    {
        let _turn = self.turn.lock().await;
        let before = self.state();
        let mut after = State::clone(&before);
        let result = edit(&mut after)?;
        if self.needs_restart(&self.render(&after)) {
            self.hold(&before, &mut after).await;
            self.restart(self.render(&after), &before).await?;
        }
        let saved = self.store.save(&after);
        self.forget_namespaces(&before, &after);
        self.keep(after);
        self.open();
        saved.map_err(|error| internal(&error))?;
        Ok(result)
    }

    fn render(&self, state: &State) -> Config {
        render(state, self.analytics, self.strictness)
    }

    /// Makes a state the current one.
    fn keep(&self, state: State) {
        let holds = state
            .accounts
            .values()
            .flat_map(|account| account.scripts.values())
            .flat_map(|script| &script.holds);
        self.deadline
            .send_replace(holds.map(|hold| hold.until_ms).min());
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
    }

    /// Decides before a restart which objects keep the version that they run.
    async fn hold(&self, before: &State, after: &mut State) {
        if self.strictness == Strictness::Lenient {
            return;
        }
        for (id, account) in &mut after.accounts {
            for script in account.scripts.values_mut() {
                let Some(was) = before
                    .accounts
                    .get(id)
                    .and_then(|account| account.scripts.get(&script.name))
                else {
                    continue;
                };
                let (old, new) = (was.deployments.first(), script.deployments.first());
                let is_deployed = old.map(|old| &old.id) != new.map(|new| &new.id);
                if !is_deployed && script.holds.is_empty() {
                    continue;
                }
                let reports = self.reports(id, was).await;
                let now_ms = now_ms();
                script.holds = match new {
                    Some(new) if is_deployed => {
                        let update = Update::of(new.code_update_strategy.as_ref());
                        held(&was.holds, &reports, &bounds(&new.versions), update, now_ms)
                    }
                    _ => still_held(&was.holds, &reports, now_ms),
                };
            }
        }
    }

    /// What the script's objects run; nothing when they do not say it.
    async fn reports(&self, account: &str, script: &Script) -> Vec<Report> {
        let port = script.primary().and_then(|primary| {
            let service = service(account, &script.name, &primary.id);
            let runtime = self.runtime();
            let process = runtime
                .process
                .as_ref()
                .filter(|process| process.is_alive())?;
            process.ports.get(&host::socket(&service)).copied()
        });
        let Some(port) = port else { return Vec::new() };
        host::reports(port).await.unwrap_or_else(|error| {
            self.log.push(&format!(
                "no object of `{}` is held: {error:#}",
                script.name
            ));
            Vec::new()
        })
    }

    /// The runtime ended by itself: starts it again with what it ran, unless that is of no use. No object is held any more,
    /// since none is running.
    async fn revive(&self, end: &End, how: &str) {
        let _turn = self.turn.lock().await;
        let is_it = |runtime: &Runtime| {
            let process = runtime.process.as_ref();
            runtime.phase == Phase::Serving
                && process.is_some_and(|process| process.end.same_channel(end))
        };
        if !is_it(&self.runtime()) {
            return;
        }
        self.gate.slam();
        let mut state = State::clone(&self.state());
        for script in scripts_mut(&mut state) {
            script.holds.clear();
        }
        let config = self.render(&state);
        self.keep(state);
        let mut what = format!("the runtime ended with {how}");
        loop {
            let answer = {
                let mut runtime = self.runtime();
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
                    let mut runtime = self.runtime();
                    runtime.phase = Phase::GivenUp;
                    runtime.last_end = Some(what);
                    drop(runtime);
                    break;
                }
            }
            match self.start(config.clone()).await {
                Ok(()) => break,
                Err(_) if self.runtime().phase == Phase::Ended => return,
                Err(error) => what = format!("the runtime did not start: {error:#}"),
            }
        }
        self.open();
    }

    /// In the log, and aloud.
    fn tell(&self, what: &str) {
        self.log
            .push(&json!({"level": "error", "message": what}).to_string());
        let _ = self.notices.send(what.to_owned());
    }

    fn take_process(&self) -> Option<Process> {
        self.end.send_replace(None);
        let mut runtime = self.runtime();
        runtime.link = None;
        runtime.process.take()
    }

    fn needs_restart(&self, config: &Config) -> bool {
        let runtime = self.runtime();
        let dead = match &runtime.process {
            Some(process) => !process.is_alive(),
            None => !config.sockets.is_empty(),
        };
        dead || runtime.config != *config
    }

    /// Two processes must not open the same objects, so the old one goes before the new one comes.
    async fn restart(&self, config: Config, before: &State) -> Result<(), ApiError> {
        self.gate.shut().await;
        if let Some(old) = self.take_process() {
            old.stop().await;
        }
        self.runtime().ends = Ends::default();
        let Err(error) = self.start(config).await else {
            return Ok(());
        };
        if let Err(again) = self.start(self.render(before)).await {
            self.log
                .push(&format!("the runtime did not come back: {again:#}"));
        }
        self.open();
        Err(invalid(10021, format!("script startup failed: {error:#}")))
    }

    async fn start(&self, config: Config) -> anyhow::Result<()> {
        let process = if config.sockets.is_empty() {
            None
        } else {
            Some(
                process::start(
                    &self.workerd,
                    self.store.path(),
                    "config.capnp",
                    &config,
                    &self.log,
                )
                .await?,
            )
        };
        let mut runtime = self.runtime();
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

    /// Opens the ingress to what is current.
    fn open(&self) {
        let runtime = self.runtime();
        let link = runtime
            .link
            .as_ref()
            .map_or_else(|| Link::new().0, |(link, _)| link.clone());
        let process = match (&runtime.process, runtime.phase, &runtime.last_end) {
            (_, Phase::GivenUp, Some(how)) => Standing::Down(how.clone()),
            (Some(process), ..) => Standing::Running(process.end.clone()),
            (None, ..) => Standing::Idle,
        };
        let port = |account: &str, script: &str, version: &str| {
            let name = service(account, script, version);
            runtime.process.as_ref()?.ports.get(&name).copied()
        };
        let table = table::build(&self.state(), self.strictness, port);
        self.gate.open(Upstream::new(table, link, process));
    }

    fn forget_namespaces(&self, before: &State, after: &State) {
        let ids = |state: &State| -> BTreeSet<String> {
            let namespaces = state
                .accounts
                .values()
                .flat_map(|account| &account.namespaces);
            namespaces.map(|namespace| namespace.id.clone()).collect()
        };
        for gone in ids(before).difference(&ids(after)) {
            self.store.forget(gone);
        }
    }

    fn runtime(&self) -> MutexGuard<'_, Runtime> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn scripts_mut(state: &mut State) -> impl Iterator<Item = &mut Script> {
    let accounts = state.accounts.values_mut();
    accounts.flat_map(|account| account.scripts.values_mut())
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
