//! Who the token is, and the sandbox's own calls below `/sandbox`, which Cloudflare does not have.

use axum::body::Bytes;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Shared, read};
use crate::sandbox::domain::Record;
use crate::sandbox::envelope::{self, Answer, result};
use crate::sandbox::error::invalid;
use crate::sandbox::fault::Fault;

pub(super) async fn verify() -> Answer {
    result(json!({"id": "5a2db0c5a2db0c5a2db0c5a2db0c5a2e", "status": "active"}))
}

pub(super) async fn user() -> Answer {
    result(json!({"id": "sandbox", "email": "sandbox@localhost"}))
}

pub(super) async fn accounts(State(context): Shared) -> Answer {
    envelope::list(vec![
        json!({"id": context.account, "name": "sandbox", "type": "standard"}),
    ])
}

pub(super) async fn memberships(State(context): Shared) -> Answer {
    let account = json!({"id": context.account, "name": "sandbox"});
    envelope::list(vec![
        json!({"id": "sandbox", "status": "accepted", "account": account, "roles": []}),
    ])
}

/// Not in the envelope: it is read by `verify` before anything else is known.
pub(super) async fn about(State(context): Shared) -> axum::Json<Value> {
    axum::Json(json!({"ingress": context.ingress.to_string()}))
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

pub(super) async fn records(State(context): Shared) -> Answer {
    result(json!(context.engine.state().records))
}

pub(super) async fn add_record(State(context): Shared, body: Bytes) -> Answer {
    let record: Record = read(&body)?;
    let shown = json!(record);
    context
        .engine
        .change(move |state| {
            state.records.push(record);
            Ok(())
        })
        .await?;
    result(shown)
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
