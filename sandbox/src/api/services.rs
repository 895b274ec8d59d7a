//! The older `services` calls and the newer `workers/workers`, as far as wrangler uses them.

use serde_json::json;

use super::call::Call;
use super::endpoint::{self, Endpoint, WORKERS, delete};
use super::envelope::{Answer, result};
use super::scripts;
use crate::account::error::no_service;
use crate::account::script::summary;

/// The endpoints of this product.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint::get(WORKERS, "/services/{script}", get),
        delete(WORKERS, "/services/{script}", scripts::delete),
        endpoint::get(WORKERS, "/workers/{script}", worker),
    ]
}

async fn get(call: Call) -> Answer {
    let state = call.state();
    let script = call.script(&state).map_err(|_| no_service(&call.script))?;
    let environment = json!({
        "environment": "production", "created_on": script.created_on, "modified_on": script.modified_on,
        "script": summary(script),
    });
    result(json!({
        "id": script.name, "created_on": script.created_on, "modified_on": script.modified_on, "usage_model": "standard",
        "default_environment": environment, "environments": [environment],
    }))
}

async fn worker(call: Call) -> Answer {
    let state = call.state();
    let script = call.script(&state)?;
    result(json!({
        "id": script.tag, "name": script.name, "created_on": script.created_on, "updated_on": script.modified_on,
        "logpush": script.settings.logpush, "tags": script.settings.tags,
        "observability": script.settings.observability, "tail_consumers": script.settings.tail_consumers,
        "subdomain": script.subdomain,
    }))
}
