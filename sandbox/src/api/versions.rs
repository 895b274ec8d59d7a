//! Versions for reading.

use axum::extract::Query;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::envelope::{Answer, result};
use super::paging::{Asked, HISTORY, Page, Pages};
use crate::account::error::no_version;
use crate::account::version::{Version, detail, summary};

#[derive(Deserialize)]
pub(super) struct Which {
    deployable: Option<String>,
}

/// Newest first. Every version of the sandbox is deployable, so `?deployable=true` changes nothing but that there are no pages
/// (SDK, `VersionListParams`). Recorded: `errors` and `messages` are null, and nothing tells how many pages there are.
pub(super) async fn list(
    call: Call,
    Query(which): Query<Which>,
    Query(asked): Query<Asked>,
) -> Answer {
    let state = call.state();
    let versions: Vec<&Version> = call.script(&state)?.versions.iter().rev().collect();
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

pub(super) async fn get(call: Call) -> Answer {
    let state = call.state();
    let version = call.script(&state)?.version(&call.item);
    let version = version.ok_or_else(|| no_version(&call.script, &call.item))?;
    let namespaces = state.account(&call.account).namespaces;
    result(detail(version, &call.script, &namespaces))
}
