//! What an object keeps in memory. All of it can be lost at any time: see `save` for what comes back.

use edge_broadcast_protocol::contract::report::Awake;
use edge_broadcast_protocol::contract::save::Saver;
use edge_broadcast_protocol::room::headcount::Headcount;
use edge_broadcast_protocol::room::registry::Registry;
use edge_broadcast_protocol::room::root::Root;
use std::collections::BTreeMap;
use worker::wasm_bindgen::JsValue;

#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) room: Root,
    /// The root's shards.
    pub(crate) registry: Registry,
    pub(crate) saver: Saver,
    pub(crate) awake: Awake,
    /// Whether the record has been read.
    pub(crate) loaded: bool,
    /// Whether the root knows this shard.
    pub(crate) joined: bool,
    /// The last time of this shard's clock that it has told the root.
    pub(crate) clock_ms: u64,
    /// Clients that will get a socket once the root has let this shard join.
    pub(crate) connecting: u32,
    pub(crate) sockets: Headcount,
    /// Deliveries that have called the shards, and whose own sockets are still to be served.
    pub(crate) queued: u32,
    /// Shards that failed at the last delivery.
    pub(crate) failed_shards: u32,
    /// Shards that a timer will send again what they may have missed.
    pub(crate) to_push_again: Vec<String>,
    /// When dead sockets were last looked for.
    pub(crate) swept_ms: Option<u64>,
    /// Other objects. Calls through one stub arrive in order.
    pub(crate) stubs: BTreeMap<String, JsValue>,
}
