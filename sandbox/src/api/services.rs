//! The older `services` calls and the newer `workers/workers`, as far as wrangler uses them.

use serde_json::json;

use super::call::Call;
use super::envelope::{Answer, result};
use crate::account::error::missing;
use crate::account::script::summary;

pub(super) async fn get(call: Call) -> Answer {
    let state = call.state();
    let unknown = format!(
        "This service does not exist on your account: `{}`",
        call.script
    );
    let script = call.script(&state).map_err(|_| missing(10090, unknown))?;
    let environment = json!({
        "environment": "production", "created_on": script.created_on, "modified_on": script.modified_on,
        "script": summary(script),
    });
    result(json!({
        "id": script.name, "created_on": script.created_on, "modified_on": script.modified_on, "usage_model": "standard",
        "default_environment": environment, "environments": [environment],
    }))
}

pub(super) async fn worker(call: Call) -> Answer {
    let state = call.state();
    let script = call.script(&state)?;
    result(json!({
        "id": script.tag, "name": script.name, "created_on": script.created_on, "updated_on": script.modified_on,
        "logpush": script.settings.logpush, "tags": script.settings.tags,
        "observability": script.settings.observability, "tail_consumers": script.settings.tail_consumers,
        "subdomain": script.subdomain,
    }))
}
