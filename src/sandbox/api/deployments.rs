//! Deployments.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{Shared, read, scripts, stamp};
use crate::sandbox::deployment::{Request, Secrets, create as created};
use crate::sandbox::envelope::{Answer, result};
use crate::sandbox::error::refuse;

/// Newest first.
pub(super) async fn list(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
) -> Answer {
    let state = context.engine.state();
    result(json!({"deployments": state.script(&account, &name)?.deployments}))
}

pub(super) async fn get(
    State(context): Shared,
    Path((account, name, id)): Path<(String, String, String)>,
) -> Answer {
    let state = context.engine.state();
    let found = state
        .script(&account, &name)?
        .deployments
        .iter()
        .find(|deployment| deployment.id == id);
    let missing = || {
        refuse(
            StatusCode::NOT_FOUND,
            10092,
            format!("`{name}` has no deployment `{id}`"),
        )
    };
    result(json!(found.ok_or_else(missing)?))
}

pub(super) async fn create(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    Query(force): Query<scripts::Force>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let request: Request = read(&body)?;
    let secrets = if force.is_set() {
        Secrets::Forced
    } else {
        Secrets::Guarded
    };
    let stamp = stamp(&headers);
    let deployment = context
        .engine
        .change(move |state| created(state.script_mut(&account, &name)?, request, secrets, &stamp))
        .await?;
    result(json!(deployment))
}
