//! The sandbox's only owner of state and runtime: every change is decided purely, brought to the runtime, and only then kept.
//!
//! Imports: `account`, `analytics`, `edge`, `runtime`, `store`

mod machine;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Method;
use parking_lot::RwLock;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use self::machine::Machine;
use crate::account::assignment::{Report, Update, bounds, held, still_held, unexpired};
use crate::account::bundle::Described;
use crate::account::error::{ApiError, internal, not_started};
use crate::account::metadata::Metadata;
use crate::account::module::Module;
use crate::account::script::Script;
use crate::account::stamp::milliseconds;
use crate::account::state::{Account, State, Strictness};
use crate::analytics::store::Points;
use crate::edge::gate::Gate;
use crate::edge::ingress::Upstream;
use crate::runtime::ask::ask;
use crate::runtime::config::{Config, render};
use crate::runtime::log::Log;
use crate::runtime::process::End;
use crate::runtime::worker::{TAILS, service};
use crate::runtime::{host, probe};
use crate::store::Store;

/// The engine.
#[derive(Debug)]
pub(crate) struct Engine {
    analytics: SocketAddr,
    strictness: Strictness,
    /// The state directory.
    pub store: Store,
    /// What the runtime wrote.
    pub log: Log,
    /// Analytics Engine data points.
    pub points: Points,
    machine: Machine,
    current: RwLock<Arc<State>>,
    /// Held by the one change that is under way.
    turn: tokio::sync::Mutex<()>,
    /// When the next object is no longer held, in milliseconds since 1970.
    deadline: watch::Sender<Option<u64>>,
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
        let log = Log::default();
        let (machine, heard) = Machine::new(workerd, store.path(), log.clone());
        let engine = Self {
            analytics,
            strictness,
            store,
            log,
            points,
            machine,
            current: RwLock::new(Arc::new(state)),
            turn: tokio::sync::Mutex::new(()),
            deadline: watch::Sender::new(None),
        };
        (engine, heard)
    }

    /// What the ingress stands at.
    pub(crate) fn gate(&self) -> Arc<Gate<Upstream>> {
        self.machine.gate.clone()
    }

    /// The state as of now.
    pub(crate) fn state(&self) -> Arc<State> {
        self.current.read().clone()
    }

    /// Asks the runtime what a bundle exports.
    pub(crate) async fn describe(
        &self,
        metadata: &Metadata,
        modules: &[Module],
    ) -> Result<(Described, u32), ApiError> {
        let workerd = &self.machine.workerd;
        let newest = self.machine.newest_date().await;
        if let (Some(sent), Some(newest)) = (metadata.compatibility_date.as_deref(), newest)
            && sent > newest
        {
            self.machine.warn(&format!(
                "the compatibility date `{sent}` is newer than any that this workerd knows: it runs the code with `{newest}`"
            ));
        }
        probe::probe(workerd, self.store.path(), newest, metadata, modules).await
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
        if let Some(port) = self.machine.port(TAILS) {
            let _ = ask(Method::POST, port, "/").await;
        }
    }

    /// Stops the runtime for good.
    pub(crate) async fn end(&self) {
        self.machine.retire();
        let _turn = self.turn.lock().await;
        self.machine.stop().await;
    }

    /// The same at once, for a drop.
    pub(crate) fn kill(&self) {
        self.machine.kill();
    }

    /// Kills the runtime, which [`Engine::mend`] starts again, and returns when it has ended.
    pub(crate) async fn crash(&self) {
        self.machine.crash().await;
    }

    /// Ends the objects of a room: its sockets break, and its next request makes it anew from what is stored.
    pub(crate) async fn evict(&self, token: &str) -> anyhow::Result<()> {
        for port in self.hosts() {
            host::evict(port, token).await?;
        }
        Ok(())
    }

    /// The ports at which the objects of all scripts are asked.
    fn hosts(&self) -> Vec<u16> {
        let state = self.state();
        let of_account = |(id, account): (&String, &Account)| {
            let scripts = account.scripts.values();
            let ports = scripts.filter_map(|script| self.host(id, script));
            ports.collect::<Vec<_>>()
        };
        state.accounts.iter().flat_map(of_account).collect()
    }

    /// How the runtime is.
    pub(crate) fn health(&self) -> Value {
        self.machine.health()
    }

    /// Starts the runtime again whenever it ends by itself. Never returns.
    pub(crate) async fn mend(self: Arc<Self>) {
        let mut current = self.machine.ends();
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
            let left = until_ms.map(|until_ms| until_ms.saturating_sub(now_ms()));
            let over = async {
                match left {
                    None => std::future::pending().await,
                    Some(left) => tokio::time::sleep(Duration::from_millis(left)).await,
                }
            };
            tokio::select! {
                () = over => {}
                _ = deadline.changed() => continue,
            }
            let released = self.change(|state| {
                let now_ms = now_ms();
                for script in state.scripts_mut() {
                    script.holds = unexpired(&script.holds, now_ms);
                }
                Ok(())
            });
            if let Err(error) = released.await {
                self.machine.tell(&format!(
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
        if self.machine.is_other_than(&self.render(&after).await) {
            self.hold(&before, &mut after).await;
            let (config, earlier) = (self.render(&after).await, self.render(&before).await);
            let restarted = self.machine.restart(config, earlier);
            if let Err(error) = restarted.await {
                self.open();
                return Err(not_started(&error));
            }
        }
        let saved = self.store.save(&after);
        self.forget_namespaces(&before, &after);
        self.keep(after);
        self.open();
        saved.map_err(|error| internal(&error))?;
        Ok(result)
    }

    async fn render(&self, state: &State) -> Config {
        // Where nothing runs the runtime need not be asked, nor be there
        let newest = match state.scripts().next() {
            Some(_) => self.machine.newest_date().await,
            None => None,
        };
        render(state, self.analytics, self.strictness, newest)
    }

    /// Makes a state the current one.
    fn keep(&self, state: State) {
        let holds = state.scripts().flat_map(|script| &script.holds);
        self.deadline
            .send_replace(holds.map(|hold| hold.until_ms).min());
        *self.current.write() = Arc::new(state);
    }

    /// Decides before a restart which objects keep the version that they run.
    async fn hold(&self, before: &State, after: &mut State) {
        if self.strictness == Strictness::Lenient {
            return;
        }
        for (id, account) in &mut after.accounts {
            for script in account.scripts.values_mut() {
                let Ok(was) = before.script(id, &script.name) else {
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
        let Some(port) = self.host(account, script) else {
            return Vec::new();
        };
        host::reports(port).await.unwrap_or_else(|error| {
            self.log.push(&format!(
                "no object of `{}` is held: {error:#}",
                script.name
            ));
            Vec::new()
        })
    }

    /// The port at which the script's objects are asked, while any can run.
    fn host(&self, account: &str, script: &Script) -> Option<u16> {
        let service = service(account, &script.name, &script.primary()?.id);
        self.machine.port(&host::socket(&service))
    }

    /// The runtime ended by itself: starts it again with what it ran, unless that is of no use. No object is held any more,
    /// since none is running.
    async fn revive(&self, end: &End, how: &str) {
        let _turn = self.turn.lock().await;
        if !self.machine.is_down_by(end) {
            return;
        }
        self.machine.gate.slam();
        let mut state = State::clone(&self.state());
        for script in state.scripts_mut() {
            script.holds.clear();
        }
        let config = self.render(&state).await;
        self.keep(state);
        self.machine.revive(&config, how).await;
        self.open();
    }

    /// Opens the ingress to what is current.
    fn open(&self) {
        self.machine.open(&self.state(), self.strictness);
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
}

fn now_ms() -> u64 {
    milliseconds(SystemTime::now())
}
