//! Who changed something, when, and under which new identifier: what a pure change cannot make up itself.

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// When what was never made was made: RFC 3339, microseconds.
pub(crate) const ALWAYS: &str = "2025-01-01T00:00:00.000000Z";

/// The impure part of a change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stamp {
    /// RFC 3339, microseconds.
    pub now: String,
    /// A new version's identifier.
    pub version: String,
    /// A new deployment's, route's, domain's or namespace's identifier.
    pub id: String,
    /// `wrangler` or `api`: wrangler warns before it overwrites what another client deployed.
    pub source: &'static str,
}

/// A stamp for now. The source is read from the `User-Agent`, as Cloudflare does.
pub(crate) fn stamp(user_agent: Option<&str>) -> Stamp {
    Stamp {
        now: humantime::format_rfc3339_micros(SystemTime::now()).to_string(),
        version: Uuid::new_v4().to_string(),
        id: Uuid::new_v4().simple().to_string(),
        source: match user_agent {
            Some(agent) if agent.contains("wrangler") => "wrangler",
            _ => "api",
        },
    }
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}
