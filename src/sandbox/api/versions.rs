//! Versions for reading.

use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Shared;
use crate::sandbox::envelope::{Answer, result};
use crate::sandbox::error::no_version;
use crate::sandbox::version::{detail, summary};

/// Newest first. Every version of the sandbox is deployable, so `?deployable=true` changes nothing.
pub(super) async fn list(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
) -> Answer {
    let state = context.engine.state();
    let items: Vec<Value> = state
        .script(&account, &name)?
        .versions
        .iter()
        .rev()
        .map(summary)
        .collect();
    result(json!({"items": items}))
}

pub(super) async fn get(
    State(context): Shared,
    Path((account, name, id)): Path<(String, String, String)>,
) -> Answer {
    let state = context.engine.state();
    let version = state
        .script(&account, &name)?
        .version(&id)
        .ok_or_else(|| no_version(&name, &id))?;
    result(detail(version, &name, &state.account(&account).namespaces))
}
