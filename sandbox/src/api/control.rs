//! The sandbox's own calls below `/sandbox`, which Cloudflare does not have: what its user can find out nowhere else.

use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::Shared;
use crate::account::error::internal;
use crate::api::envelope::{Answer, result};

/// Not in the envelope: it is read by `verify` before anything else is known.
pub(super) async fn about(State(context): Shared) -> axum::Json<Value> {
    axum::Json(json!({"ingress": context.ingress.to_string(), "runtime": context.engine.health()}))
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    dataset: Option<String>,
}

/// The newest data points as they were written, of every account.
pub(super) async fn analytics(State(context): Shared, Query(wanted): Query<Wanted>) -> Answer {
    let points = context.engine.points.of(wanted.dataset.as_deref());
    result(json!(points.map_err(|error| internal(&error))?))
}

/// Where the ingress points when the runtime does not start.
pub(super) async fn logs(State(context): Shared) -> Answer {
    result(json!(context.engine.log.lines()))
}
