//! The `metadata` part of an upload, as Cloudflare's SDK types describe it. No `Debug`: it can hold secret values.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::account::bundle::Described;
use crate::account::error::{ApiError, invalid, refuse};
use crate::account::migration::Migrations;
use crate::account::module::Module;

/// The metadata.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Metadata {
    /// Name of the entry point's module.
    pub main_module: Option<String>,
    /// The entry point of the old service-worker format, which the sandbox refuses.
    pub body_part: Option<String>,
    /// See [`crate::account::binding::parse`].
    pub bindings: Vec<Value>,
    /// Date.
    pub compatibility_date: Option<String>,
    /// Flags.
    pub compatibility_flags: Vec<String>,
    /// Only with `PUT`.
    pub migrations: Option<Migrations>,
    /// The declarative form of the same: class → `{type, storage}`.
    pub exports: Option<Map<String, Value>>,
    /// Types of bindings that are taken over from the latest version when this upload does not name them.
    pub keep_bindings: Option<Vec<String>>,
    /// Free text for people.
    pub annotations: Map<String, Value>,
    /// Script setting.
    pub observability: Option<Value>,
    /// Script setting.
    pub logpush: Option<bool>,
    /// Script setting.
    pub tail_consumers: Option<Value>,
    /// Script setting.
    pub tags: Option<Vec<String>>,
    /// Of the version.
    pub limits: Option<Value>,
    /// Of the version.
    pub placement: Option<Value>,
    /// How soon objects take the new code.
    pub code_update_strategy: Option<Value>,
}

/// An upload after its modules were stored and its code was described by the runtime.
#[derive(Clone)]
pub(crate) struct Upload {
    /// The metadata.
    pub metadata: Metadata,
    /// The modules.
    pub modules: Vec<Module>,
    /// What they export.
    pub described: Described,
    /// How long the start took.
    pub startup_time_ms: u32,
}

/// Cloudflare takes 10 MB compressed; the sandbox limits what the same documentation limits before compression, 64 MiB.
const LARGEST: usize = 64 << 20;

/// Refuses a compatibility date after today's, in UTC, as Cloudflare does (workers-sdk issue 5453). `now` is RFC 3339.
pub(crate) fn check_date(date: Option<&str>, now: &str) -> Result<(), ApiError> {
    match date {
        Some(date) if date > now.split('T').next().unwrap_or(now) => Err(invalid(
            10021,
            format!("Can't set compatibility date in the future: {date}"),
        )),
        _ => Ok(()),
    }
}

/// What can be refused without running the code: format, date and size.
pub(crate) fn check(metadata: &Metadata, modules: &[Module], now: &str) -> Result<(), ApiError> {
    check_date(metadata.compatibility_date.as_deref(), now)?;
    if metadata.body_part.is_some() {
        return Err(invalid(
            10021,
            "the sandbox runs ES modules only; export a `default` handler",
        ));
    }
    let main = metadata.main_module.as_deref().unwrap_or_default();
    if !modules.iter().any(|module| module.name == main) {
        return Err(invalid(
            10021,
            format!("no such module `{main}`, which the metadata calls the main module"),
        ));
    }
    let size: usize = modules.iter().map(|module| module.size).sum();
    if size > LARGEST {
        let message =
            format!("the Worker has {size} bytes, which is more than the limit of {LARGEST}");
        return Err(refuse(http::StatusCode::PAYLOAD_TOO_LARGE, 10027, message));
    }
    Ok(())
}
