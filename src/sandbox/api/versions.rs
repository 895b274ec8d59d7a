//! Versions for reading.

use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use crate::sandbox::envelope::{Answer, result};
use crate::sandbox::error::no_version;
use crate::sandbox::version::{detail, summary};

/// What a page holds when the caller does not say: `wrangler versions list` shows ten.
const PAGE: usize = 10;

#[derive(Deserialize)]
pub(super) struct Which {
    page: Option<usize>,
    per_page: Option<usize>,
    deployable: Option<bool>,
}

/// Newest first. Every version of the sandbox is deployable, so `?deployable=true` changes nothing but that there are no pages
/// (SDK, `VersionListParams`).
pub(super) async fn list(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Answer {
    let state = context.engine.state();
    let versions = &state.script(&account, &name)?.versions;
    let total = versions.len();
    let per_page = match which.deployable {
        Some(true) => total.max(1),
        _ => which.per_page.unwrap_or(PAGE).clamp(1, 100),
    };
    let page = which.page.unwrap_or(1).max(1);
    let items: Vec<Value> = versions
        .iter()
        .rev()
        .skip((page - 1).saturating_mul(per_page))
        .take(per_page)
        .map(summary)
        .collect();
    let body = json!({
        "success": true, "errors": [], "messages": [],
        "result_info": {
            "page": page, "per_page": per_page, "count": items.len(), "total_count": total, "total_pages": total.div_ceil(per_page),
        },
        "result": { "items": items },
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
