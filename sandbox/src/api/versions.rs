//! Versions for reading.

use axum::extract::Query;
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::envelope::{Answer, result};
use super::paging::{Asked, HISTORY, Page, Pages};
use crate::account::error::{internal, no_version};
use crate::account::version::{Version, detail, summary, view};

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

#[derive(Deserialize)]
pub(super) struct Include {
    include: Option<String>,
}

/// The newer view of a version, and with `?include=modules` its code (SDK, `workers.beta.workers.versions.get`).
pub(super) async fn of_worker(call: Call, Query(include): Query<Include>) -> Answer {
    let state = call.state();
    let version = call.script(&state)?.version(&call.item);
    let version = version.ok_or_else(|| no_version(&call.script, &call.item))?;
    let namespaces = state.account(&call.account).namespaces;
    let mut shown = view(version, &call.script, &namespaces);
    if include.include.as_deref() == Some("modules") {
        let store = &call.context.engine.store;
        let mut modules = Vec::new();
        for module in &version.modules {
            let bytes = store.module(&module.hash);
            let bytes = bytes.map_err(|error| internal(&error))?;
            modules.push(json!({
                "name": module.name, "content_type": module.kind.content_type(),
                "content_base64": STANDARD.encode(bytes),
            }));
        }
        shown["modules"] = modules.into();
    }
    result(shown)
}
