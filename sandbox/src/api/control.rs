//! The sandbox's own calls below `/sandbox`, which Cloudflare does not have.

use axum::body::Bytes;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{self, Call};
use super::context::{Shared, read};
use crate::account::error::invalid;
use crate::api::envelope::{Answer, result};
use crate::api::fault::Fault;
use crate::api::quota::Policy;

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![
        call::get("/sandbox", about),
        call::get("/sandbox/faults", faults),
        call::post("/sandbox/faults", add_fault),
        call::delete("/sandbox/faults", clear),
        call::get("/sandbox/requests", requests),
        call::delete("/sandbox/requests", clear),
        call::get("/sandbox/limits", limits),
        call::put("/sandbox/limits", keep_limits),
        call::delete("/sandbox/limits", tell_limits),
        call::get("/sandbox/analytics", analytics),
        call::get("/sandbox/logs", logs),
        call::delete("/sandbox/logs", clear_logs),
    ]
}

/// Not in the envelope: it is read by `verify` before anything else is known.
pub(super) async fn about(State(context): Shared) -> axum::Json<Value> {
    axum::Json(json!({"ingress": context.ingress.to_string(), "runtime": context.engine.health()}))
}

pub(super) async fn faults(State(context): Shared) -> Answer {
    result(json!(context.journal.faults()))
}

pub(super) async fn add_fault(State(context): Shared, body: Bytes) -> Answer {
    let fault: Fault = serde_json::from_slice(&body)
        .map_err(|error| invalid(10026, format!("no such fault: {error}")))?;
    context.journal.add(fault.clone());
    result(json!(fault))
}

pub(super) async fn requests(State(context): Shared) -> Answer {
    result(json!(context.journal.calls()))
}

pub(super) async fn clear(State(context): Shared) -> Answer {
    context.journal.clear();
    result(Value::Null)
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    dataset: Option<String>,
}

pub(super) async fn analytics(State(context): Shared, Query(wanted): Query<Wanted>) -> Answer {
    result(json!(context.engine.points.of(wanted.dataset.as_deref())))
}

pub(super) async fn logs(State(context): Shared) -> Answer {
    result(json!(context.engine.log.lines()))
}

pub(super) async fn clear_logs(State(context): Shared) -> Answer {
    context.engine.log.clear();
    result(Value::Null)
}

/// The limit that is kept; null while Cloudflare's is told only.
pub(super) async fn limits(State(context): Shared) -> Answer {
    result(json!(context.quotas.kept()))
}

/// `{calls, seconds}`: from now on every token has so many calls in so many seconds of each kind, and is refused beyond them.
pub(super) async fn keep_limits(State(context): Shared, body: Bytes) -> Answer {
    let policy: Policy = read(&body)?;
    if policy.calls == 0 || policy.seconds == 0 {
        return Err(invalid(10026, "`calls` and `seconds` start at 1"));
    }
    context.quotas.keep(Some(policy));
    result(json!(policy))
}

/// Back to telling; what was spent is forgotten.
pub(super) async fn tell_limits(State(context): Shared) -> Answer {
    context.quotas.keep(None);
    result(Value::Null)
}
