//! The older `services` calls and the newer `workers/workers`, as far as wrangler uses them.

use axum::extract::{Path, Query, State};
use serde_json::json;

use super::call::{self, Call};
use super::context::Shared;
use super::scripts;
use crate::account::error::no_service;
use crate::account::script::summary;
use crate::api::envelope::{Answer, result};

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![
        call::get("/accounts/{account}/workers/services/{script}", get),
        call::delete("/accounts/{account}/workers/services/{script}", delete),
        call::get("/accounts/{account}/workers/workers/{script}", worker),
    ]
}

pub(super) async fn get(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
) -> Answer {
    let state = context.engine.state();
    let script = state
        .script(&account, &name)
        .map_err(|_| no_service(&name))?;
    let environment = json!({
        "environment": "production", "created_on": script.created_on, "modified_on": script.modified_on,
        "script": summary(script),
    });
    result(json!({
        "id": name, "created_on": script.created_on, "modified_on": script.modified_on, "usage_model": "standard",
        "default_environment": environment, "environments": [environment],
    }))
}

pub(super) async fn delete(
    context: Shared,
    path: Path<(String, String)>,
    force: Query<scripts::Force>,
) -> Answer {
    scripts::delete(context, path, force).await
}

pub(super) async fn worker(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
) -> Answer {
    let state = context.engine.state();
    let script = state.script(&account, &name)?;
    result(json!({
        "id": script.tag, "name": name, "created_on": script.created_on, "updated_on": script.modified_on,
        "logpush": script.settings.logpush, "tags": script.settings.tags,
        "observability": script.settings.observability, "tail_consumers": script.settings.tail_consumers,
        "subdomain": script.subdomain,
    }))
}
