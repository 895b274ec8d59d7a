//! Durable Object namespaces and the objects that have stored something.

use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{self, Call};
use super::context::Shared;
use crate::account::error::refuse;
use crate::account::namespace::shown;
use crate::api::envelope::{self, Answer};
use crate::api::paging::{Asked, NAMESPACES, OBJECTS, Pages, number};

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![
        call::get(
            "/accounts/{account}/workers/durable_objects/namespaces",
            namespaces,
        ),
        call::get(
            "/accounts/{account}/workers/durable_objects/namespaces/{namespace}/objects",
            objects,
        ),
    ]
}

pub(super) async fn namespaces(
    State(context): Shared,
    Path(account): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    let page = asked.page(NAMESPACES)?;
    let namespaces = context.engine.state().account(&account).namespaces;
    envelope::page(
        namespaces.iter().map(shown).collect(),
        page,
        Pages::Uncounted,
    )
}

#[derive(Deserialize)]
pub(super) struct Cursor {
    limit: Option<String>,
    cursor: Option<String>,
}

/// In the order of their ids; the cursor is the last id of the page before.
pub(super) async fn objects(
    State(context): Shared,
    Path((account, namespace)): Path<(String, String)>,
    Query(asked): Query<Cursor>,
) -> Answer {
    let limit = number("limit", asked.limit.as_deref(), OBJECTS)?;
    let known = context.engine.state().account(&account).namespaces;
    if !known.iter().any(|known| known.id == namespace) {
        return Err(refuse(
            StatusCode::NOT_FOUND,
            10066,
            format!("there is no namespace `{namespace}`"),
        ));
    }
    let after = asked.cursor.filter(|cursor| !cursor.is_empty());
    let ids = context
        .engine
        .store
        .objects(&namespace)
        .into_iter()
        .filter(|id| after.as_ref().is_none_or(|last| id > last));
    let mut ids: Vec<String> = ids.collect();
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
    // The SDKs of different years read one or the other
    let info = json!({"count": objects.len(), "cursor": cursor, "cursors": {"after": cursor}});
    envelope::informed(objects, &info)
}
