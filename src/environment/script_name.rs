//! What the scripts of an environment are called.

/// The end of a room's script, and of its service.
pub(crate) const ROOM: &str = "-room";

/// The script that has the routes and the secrets.
pub(crate) fn gateway(worker: &str, environment: &str) -> String {
    format!("{worker}-{environment}")
}

/// The script that defines the Durable Object.
pub(crate) fn room(worker: &str, environment: &str) -> String {
    format!("{worker}-{environment}{ROOM}")
}

/// Wrangler's name of the room without its environment. The gateway's is `worker`.
pub(crate) fn room_service(worker: &str) -> String {
    format!("{worker}{ROOM}")
}
