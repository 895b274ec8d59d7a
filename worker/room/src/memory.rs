//! What an object keeps in memory. All of it can be lost at any time: see `save` for what comes back.

use edge_broadcast_protocol::{
    full::Full, registry::Registry, report::Awake, room::Room, save::Saver, settings::RoomSettings,
};
use std::collections::BTreeMap;
use worker::wasm_bindgen::JsValue;

pub(crate) struct Memory {
    pub(crate) room: Room,
    /// The root's shards.
    pub(crate) registry: Registry,
    pub(crate) saver: Saver,
    pub(crate) awake: Awake,
    /// Whether the record has been read, in a root.
    pub(crate) loaded: bool,
    /// Whether the root knows this shard.
    pub(crate) joined: bool,
    /// Clients that are between being let in and having a socket.
    pub(crate) arriving: u32,
    /// Open sockets, roughly: exact after each broadcast. Counting asks the runtime for every one of them.
    pub(crate) sockets: u32,
    pub(crate) full: Full,
    /// When dead sockets were last looked for.
    pub(crate) swept_ms: Option<u64>,
    /// Where the next delivery begins, so that the same clients are not always last.
    pub(crate) turn: u32,
    /// Other objects. Calls through one stub arrive in order.
    pub(crate) stubs: BTreeMap<String, JsValue>,
}

impl Memory {
    pub(crate) fn new(settings: &RoomSettings, epoch: &str, sockets: u32, now_ms: u64) -> Self {
        Self {
            room: Room::new(settings, epoch),
            registry: Registry::default(),
            saver: Saver::default(),
            awake: Awake {
                since_ms: now_ms,
                ..Awake::default()
            },
            loaded: false,
            joined: false,
            arriving: 0,
            sockets,
            full: Full::default(),
            swept_ms: None,
            turn: 0,
            stubs: BTreeMap::new(),
        }
    }
}
