//! A manifest's settings for each Worker: the tool serialises these, the Workers read them back.

use serde::{Deserialize, Serialize};

/// Most objects one token may grow to: a gateway asks no more, whatever a room says.
pub const MAX_SHARDS: u32 = 256;

/// Settings of the gateway script. Changing them never touches a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySettings {
    /// Origins whose pages may open a socket: exact (`https://app.glow.trade`), every subdomain (`https://*.glow.trade`) or
    /// any (`*`). None refuses every browser.
    pub allowed_origins: Vec<String>,
    /// Whether a request without an `Origin` header (no browser sends one without) is refused.
    pub require_origin: bool,
    /// Whether publishers must sign (Standard Webhooks); `Authorization: Bearer` is then refused.
    pub require_signature: bool,
    /// Sockets that one client address may hold in one room object; 0 is no limit.
    pub connections_per_ip: u32,
    /// The largest publish body and the largest client frame, in bytes.
    pub max_message_bytes: u32,
    /// Whether permessage-deflate may be negotiated. Off by default: of a 200-byte frame it leaves 0.13 of the bytes on the
    /// wire, but a delivery takes 1.4 to 1.6 times the CPU, of which one object has one core for all its sockets
    /// (measured on workerd by `tests/workers/compression.rs`).
    pub compression: bool,
    /// Seconds over which the rate limit of connecting counts: whoever is over it may come back after so long.
    pub connect_period: u32,
    /// The same of publishing.
    pub broadcast_period: u32,
    /// Regions in the manifest's order; the first is also the fallback.
    pub regions: Vec<Region>,
}

/// A region: a host of its own, and where its shards are created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// `us`, `eu`, `asia`: lower-case letters, digits and dashes.
    pub name: String,
    /// The host that chooses this region, whatever the client's continent.
    pub host: String,
    /// Cloudflare's location hint for new shards: `enam`, `weur`, `apac`, …
    pub location_hint: String,
    /// Continent codes (`NA`, `EU`, …) of clients that the main host sends here.
    pub continents: Vec<String>,
}

/// Settings of the room script. Changing them makes a new version, so every socket reconnects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomSettings {
    /// Sockets per object, at most 32,768 (the runtime's own limit).
    pub max_connections: u32,
    /// Objects one token may grow to, overflow shards of all regions and the root included.
    pub max_shards: u32,
    /// Leading-edge batching window in milliseconds; 0 sends every update at once.
    pub batch_window_ms: u32,
    /// The updates that a batch keeps.
    pub conflate: Conflate,
    /// The members by which updates are values of the same thing, 1 to [`super::head::MAX_NAMES`] names.
    #[serde(default = "conflate_key")]
    pub conflate_key: Vec<String>,
    /// Updates kept for clients that resume.
    pub history: u32,
    /// A client that has pinged and then been silent for longer is closed, in milliseconds; one that never pinged only where
    /// its place is needed. Never below 10 s: the room takes whoever pinged within these for alive (`js::seen`).
    pub idle_timeout_ms: u32,
    /// Updates per second that one room accepts, with a burst of the same size; 0 is no limit.
    pub publish_rate: u32,
}

/// The members that make an update's key where the manifest names none.
pub fn conflate_key() -> Vec<String> {
    vec!["type".to_owned()]
}

/// The updates that a batch keeps of those that arrive within one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Conflate {
    /// The last update of each key; every one that has none.
    #[default]
    Latest,
    /// Every update, in order.
    All,
}
