//! Durable Object namespaces and the objects that have stored something.

use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use crate::sandbox::envelope::{self, Answer};
use crate::sandbox::error::refuse;
use crate::sandbox::namespace::shown;

pub(super) async fn namespaces(State(context): Shared, Path(account): Path<String>) -> Answer {
    envelope::list(
        context
            .engine
            .state()
            .account(&account)
            .namespaces
            .iter()
            .map(shown),
    )
}

#[derive(Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// In the order of their ids; the cursor is the last id of the page before.
pub(super) async fn objects(
    State(context): Shared,
    Path((account, namespace)): Path<(String, String)>,
    Query(page): Query<Page>,
) -> Answer {
    let known = context.engine.state().account(&account).namespaces;
    if !known.iter().any(|known| known.id == namespace) {
        return Err(refuse(
            StatusCode::NOT_FOUND,
            10066,
            format!("there is no namespace `{namespace}`"),
        ));
    }
    let after = page.cursor.filter(|cursor| !cursor.is_empty());
    let ids = context
        .engine
        .store
        .objects(&namespace)
        .into_iter()
        .filter(|id| after.as_ref().is_none_or(|last| id > last));
    let mut ids: Vec<String> = ids.collect();
    let limit = page.limit.unwrap_or(1000).clamp(1, 10_000);
    let more = ids.len() > limit;
    ids.truncate(limit);
    let cursor = if more {
        ids.last().cloned().unwrap_or_default()
    } else {
        String::new()
    };
    let objects: Vec<Value> = ids
        .iter()
        .map(|id| json!({"id": id, "hasStoredData": true}))
        .collect();
    let body = json!({
        "success": true, "errors": [], "messages": [], "result": objects,
        "result_info": {"count": objects.len(), "cursor": cursor},
    });
    Ok(axum::Json(body).into_response())
}
