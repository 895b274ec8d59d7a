//! Versions for reading.

use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{self, Call};
use super::context::Shared;
use crate::account::error::no_version;
use crate::account::version::{Version, detail, summary};
use crate::api::envelope::{Answer, result};
use crate::api::paging::{Asked, HISTORY, Page, Pages};

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![
        call::get(
            "/accounts/{account}/workers/scripts/{script}/versions",
            list,
        ),
        call::get(
            "/accounts/{account}/workers/scripts/{script}/versions/{version}",
            get,
        ),
    ]
}

#[derive(Deserialize)]
pub(super) struct Which {
    deployable: Option<String>,
}

/// Newest first. Every version of the sandbox is deployable, so `?deployable=true` changes nothing but that there are no pages
/// (SDK, `VersionListParams`). Recorded: `errors` and `messages` are null, and nothing tells how many pages there are.
pub(super) async fn list(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    Query(which): Query<Which>,
    Query(asked): Query<Asked>,
) -> Answer {
    let state = context.engine.state();
    let versions: Vec<&Version> = state
        .script(&account, &name)?
        .versions
        .iter()
        .rev()
        .collect();
    let page = match which.deployable.as_deref() {
        Some("true") => Page::whole(versions.len()),
        _ => asked.page(HISTORY)?,
    };
    let (versions, info) = page.cut(versions, Pages::Uncounted);
    let items: Vec<Value> = versions.into_iter().map(summary).collect();
    let body = json!({
        "success": true, "errors": null, "messages": null, "result": {"items": items}, "result_info": info,
    });
    Ok(axum::Json(body).into_response())
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
