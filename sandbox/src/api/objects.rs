//! Durable Object namespaces and the objects that have stored something.

use axum::extract::Query;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::envelope::{self, Answer};
use super::paging::{Asked, NAMESPACES, OBJECTS, Pages, number};
use crate::account::error::missing;
use crate::account::namespace::shown;

pub(super) async fn namespaces(call: Call, Query(asked): Query<Asked>) -> Answer {
    let page = asked.page(NAMESPACES)?;
    let namespaces = call.state().account(&call.account).namespaces;
    let shown = namespaces.iter().map(shown).collect();
    envelope::page(shown, page, Pages::Uncounted)
}

#[derive(Deserialize)]
pub(super) struct Cursor {
    limit: Option<String>,
    cursor: Option<String>,
}

/// In the order of their ids; the cursor is the last id of the page before.
pub(super) async fn objects(call: Call, Query(asked): Query<Cursor>) -> Answer {
    let limit = number("limit", asked.limit.as_deref(), OBJECTS)?;
    let known = call.state().account(&call.account).namespaces;
    if !known.iter().any(|known| known.id == call.item) {
        let message = format!("there is no namespace `{}`", call.item);
        return Err(missing(10066, message));
    }
    let after = asked.cursor.unwrap_or_default();
    let mut ids = call.context.engine.store.objects(&call.item);
    ids.retain(|id| *id > after);
    let more = ids.len() > limit;
    ids.truncate(limit);
    let cursor = ids.last().filter(|_| more).cloned().unwrap_or_default();
    let objects: Vec<Value> = ids
        .iter()
        .map(|id| json!({"id": id, "hasStoredData": true}))
        .collect();
    // The SDKs of different years read one or the other
    let info = json!({"count": objects.len(), "cursor": cursor, "cursors": {"after": cursor}});
    envelope::informed(objects, &info)
}
