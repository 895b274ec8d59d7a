//! Deployments.

use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{self, Call};
use super::context::{Shared, read, stamp};
use super::scripts;
use crate::account::deployment::{Request, Secrets, create as created};
use crate::account::error::{ApiError, invalid, no_deployment};
use crate::account::script::Deployment;
use crate::api::envelope::{self, Answer, result};
use crate::api::paging::{Asked, HISTORY, Pages};

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![
        call::get(
            "/accounts/{account}/workers/scripts/{script}/deployments",
            list,
        ),
        call::post(
            "/accounts/{account}/workers/scripts/{script}/deployments",
            create,
        ),
        call::get(
            "/accounts/{account}/workers/scripts/{script}/deployments/{deployment}",
            get,
        ),
        call::delete(
            "/accounts/{account}/workers/scripts/{script}/deployments/{deployment}",
            delete,
        ),
    ]
}

/// RFC 3339; both ends belong to the range.
#[derive(Deserialize)]
pub(super) struct Range {
    since: Option<String>,
    until: Option<String>,
}

/// Newest first.
pub(super) async fn list(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    Query(range): Query<Range>,
    Query(asked): Query<Asked>,
) -> Answer {
    let page = asked.page(HISTORY)?;
    let (since, until) = (
        moment(range.since.as_deref())?,
        moment(range.until.as_deref())?,
    );
    let state = context.engine.state();
    let within = |deployment: &&Deployment| {
        let made = humantime::parse_rfc3339(&deployment.created_on).ok();
        since.is_none_or(|since| made >= Some(since))
            && until.is_none_or(|until| made.is_some_and(|made| made <= until))
    };
    let deployments = &state.script(&account, &name)?.deployments;
    let wanted = deployments.iter().filter(within).collect();
    let (deployments, info) = page.cut(wanted, Pages::Counted);
    envelope::informed(json!({"deployments": deployments}), &info)
}

fn moment(text: Option<&str>) -> Result<Option<SystemTime>, ApiError> {
    let read = text.map(humantime::parse_rfc3339_weak).transpose();
    read.map_err(|_| {
        let mut error = invalid(6008, "Invalid request parameters");
        error.chain = vec![(11000, "since and until must be RFC 3339 times".to_owned())];
        error
    })
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
    result(json!(found.ok_or_else(|| no_deployment(&name, &id))?))
}

/// Only what no longer answers can be deleted ("The latest deployment, which is actively serving traffic, cannot be deleted",
/// Cloudflare's documentation); the code of that refusal is not known.
async fn delete(
    State(context): Shared,
    Path((account, name, id)): Path<(String, String, String)>,
) -> Answer {
    let edit = move |state: &mut crate::account::state::State| {
        let deployments = &mut state.script_mut(&account, &name)?.deployments;
        let place = deployments.iter().position(|known| known.id == id);
        match place.ok_or_else(|| no_deployment(&name, &id))? {
            0 => Err(invalid(
                10021,
                "the latest deployment serves traffic and cannot be deleted",
            )),
            place => Ok(deployments.remove(place)),
        }
    };
    context.engine.change(edit).await?;
    result(Value::Null)
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
