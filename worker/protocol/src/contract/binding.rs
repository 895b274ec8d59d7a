//! The names under which the workers find what the deployment gives them.

/// The Durable Object class that the room script exports: the Rust struct's identifier.
pub const ROOM_CLASS: &str = "BroadcastRoom";
/// The migration that creates [`ROOM_CLASS`], in the room script.
pub const ROOM_MIGRATION: &str = "v1";

/// Both scripts: the namespace of [`ROOM_CLASS`] (in the gateway with `script_name`).
pub const ROOM: &str = "BROADCAST_ROOM";
/// Both scripts: JSON, a [`super::settings::GatewaySettings`] or [`super::settings::RoomSettings`].
pub const SETTINGS: &str = "SETTINGS";
/// Both scripts: plain text, the environment's name or [`DEVELOPMENT`].
pub const ENVIRONMENT: &str = "ENVIRONMENT";
/// Turns debug logging on.
pub const DEVELOPMENT: &str = "development";
/// Both scripts: plain text; the jurisdiction of all objects, absent where they are in none. Its name stands in the script of
/// `shell::env` too, which alone reads it.
pub const JURISDICTION: &str = "JURISDICTION";
/// Both scripts: Analytics Engine data set.
pub const ANALYTICS: &str = "ANALYTICS";
/// Both scripts: version metadata.
pub const VERSION: &str = "CF_VERSION_METADATA";
/// Gateway: rate limit of connecting and polling, by client address and token.
pub const CONNECT_RATE: &str = "CONNECT_RATE";
/// Gateway: rate limit of publishing per token.
pub const BROADCAST_RATE: &str = "BROADCAST_RATE";

/// Gateway secret: a publisher's credential.
pub const WEBHOOK_SECRET: &str = "WEBHOOK_SECRET";
/// Gateway secret: the second slot, of equal rank, used during a rotation.
pub const WEBHOOK_SECRET_ALTERNATE: &str = "WEBHOOK_SECRET_ALTERNATE";
/// Gateway secret: opens `GET /rooms/:token`; without it the route does not exist.
pub const ADMIN_SECRET: &str = "ADMIN_SECRET";
