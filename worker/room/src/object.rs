//! One Durable Object: its runtime, its settings and its memory.

use crate::js;
use crate::memory::Memory;
use edge_broadcast_protocol::contract::call::{Call, Part};
use edge_broadcast_protocol::contract::counters::Billed;
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use edge_broadcast_protocol::contract::report::Awake;
use edge_broadcast_protocol::contract::settings::RoomSettings;
use edge_broadcast_protocol::contract::{binding, call};
use edge_broadcast_protocol::room::peer;
use edge_broadcast_protocol::room::registry::Registry;
use edge_broadcast_protocol::room::root::Root;
use edge_broadcast_protocol::room::shard::SHARD_TIME_LIMIT_MS;
use edge_broadcast_shell::{self as shell, env, unix_ms};
use serde::de::DeserializeOwned;
use std::cell::{RefCell, RefMut};
use worker::js_sys::Array;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen_futures::JsFuture;
use worker::{Env, State};

/// The key under which a root stores its [`edge_broadcast_protocol::room::root::Record`]; a shard's is good for its counters.
pub(crate) const ROOM_KEY: &str = "room";
/// The key under which a root stores its [`Registry`].
pub(crate) const SHARDS_KEY: &str = "shards";

pub(crate) struct Object {
    pub(crate) state: State,
    pub(crate) env: Env,
    pub(crate) settings: RoomSettings,
    /// Whether the deployment gave settings that can be read: without, nothing is served.
    pub(crate) has_settings: bool,
    environment: String,
    memory: RefCell<Memory>,
}

impl Object {
    /// Wakes an object up. Kept small: this runs before every first event.
    pub(crate) fn new(state: State, env: Env) -> Self {
        let settings: Option<RoomSettings> = env::settings(&env);
        let has_settings = settings.is_some();
        let settings = settings.unwrap_or_default();
        let environment = env::text(&env, binding::ENVIRONMENT).unwrap_or_default();
        // It fails only for texts that are too long, and these are not.
        let _ = js::answer_pings(state.as_raw(), peer::PING, peer::PONG);
        let memory = Memory {
            room: Root::new(&settings, &epoch()),
            awake: Awake {
                since_ms: unix_ms(),
                ..Awake::default()
            },
            ..Memory::default()
        };
        Self {
            state,
            env,
            settings,
            has_settings,
            environment,
            memory: RefCell::new(memory),
        }
    }

    /// Notes that something has reached the object.
    pub(crate) fn begin(&self, event: &str, billed: Billed) {
        let mut memory = self.memory();
        if memory.awake.woken_by.is_empty() {
            event.clone_into(&mut memory.awake.woken_by);
            memory.room.counters.wake_ups += 1;
        }
        memory.room.counters.month.count(billed, unix_ms());
    }

    /// The memory, until the end of the statement: never hold it across an `await`.
    pub(crate) fn memory(&self) -> RefMut<'_, Memory> {
        self.memory.borrow_mut()
    }

    /// Reads the object's record, once. While storage is read the runtime delivers no other event.
    ///
    /// # Errors
    /// 503 when it cannot be read: to go on without it would mean to write over it.
    pub(crate) async fn load(&self, part: Part) -> Result<(), Refusal> {
        if self.memory().loaded {
            return Ok(());
        }
        let keys = vec![ROOM_KEY.to_owned(), SHARDS_KEY.to_owned()];
        let values = JsFuture::from(js::load(self.state.as_raw(), keys))
            .await
            .map_err(|_| refusal::ROOM_UNAVAILABLE)?;
        let values = Array::from(&values);
        let mut memory = self.memory();
        if memory.loaded {
            return Ok(());
        }
        memory.loaded = true;
        let record = values.get(0).as_string();
        let mut room = Root::restored(&self.settings, record.as_deref(), &epoch());
        room.counters.add(&memory.room.counters);
        if part == Part::Shard {
            // Its stream is what the root says.
            memory.room.counters = room.counters;
            memory.room.saved_ms = room.saved_ms;
            return Ok(());
        }
        memory.room = room;
        memory.registry = values
            .get(1)
            .as_string()
            .and_then(|text| serde_json::from_str::<Registry>(&text).ok())
            .unwrap_or_default();
        Ok(())
    }

    /// Decides, once, whether the record that the root came back from is to be trusted.
    pub(crate) fn confirm_record(&self) {
        if self.memory().room.unconfirmed {
            let oldest_ms = js::oldest(self.state.as_raw()).map(|oldest_ms| oldest_ms as u64);
            self.memory().room.confirm_record(oldest_ms);
        }
    }

    /// Counts the open sockets, exactly; `except` is not one of them.
    pub(crate) fn count(&self, except: &JsValue) -> u32 {
        let sockets = js::count(self.state.as_raw(), None, except);
        let mut memory = self.memory();
        let now = memory.sockets.now();
        memory.sockets.count(sockets, now);
        sockets
    }

    /// About how many sockets are open; they are counted where nobody has done so since the object woke up.
    pub(crate) fn sockets(&self) -> u32 {
        let estimate = self.memory().sockets.estimate();
        estimate.unwrap_or_else(|| self.count(&JsValue::UNDEFINED))
    }

    /// Another object of this class. If this creates it, then near `hint`.
    pub(crate) fn stub(&self, name: &str, hint: Option<&str>) -> JsValue {
        let mut memory = self.memory();
        if let Some(stub) = memory.stubs.get(name) {
            return stub.clone();
        }
        let stub = env::stub(&self.env, name, hint);
        memory.stubs.insert(name.to_owned(), stub.clone());
        stub
    }

    /// Asks other objects by their names, each its own call with the same body. The calls leave at once; `None` is an
    /// object that failed or is late.
    pub(crate) fn ask(
        &self,
        calls: Vec<(String, Call)>,
        body: Option<&str>,
    ) -> impl Future<Output = Vec<(String, Option<String>)>> {
        let stubs = calls
            .iter()
            .map(|(name, _)| self.stub(name, None))
            .collect();
        let texts = calls.iter().map(|(_, call)| call.encode()).collect();
        let limit_ms = SHARD_TIME_LIMIT_MS as f64;
        let promise = js::ask(stubs, call::HEADER, texts, body, limit_ms);
        async move {
            let answers = JsFuture::from(promise).await;
            let answers = answers.map_or_else(|_| Array::new(), |answers| Array::from(&answers));
            let answers = (0..).zip(calls).map(|(at, (name, _))| {
                let answer = answers.get(at).as_string();
                if answer.is_none() {
                    // A stub that has failed once may be broken for good.
                    self.memory().stubs.remove(&name);
                }
                (name, answer)
            });
            answers.collect()
        }
    }

    /// Logs where the environment is `development`.
    pub(crate) fn debug(&self, text: impl FnOnce() -> String) {
        shell::debug(&self.environment, text);
    }
}

/// What an object answered, where it can be read.
pub(crate) fn read<T: DeserializeOwned>(answer: Option<String>) -> Option<T> {
    serde_json::from_str(&answer?).ok()
}

fn epoch() -> String {
    let mut random = js::random();
    random.truncate(8);
    random
}
