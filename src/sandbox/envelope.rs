//! The envelope of every successful answer: `{success, errors, messages, result, result_info}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::ApiError;

/// What an API handler gives back.
pub(super) type Answer = Result<Response, ApiError>;

/// One result.
pub(super) fn result(value: impl Into<Value>) -> Answer {
    let body = json!({"success": true, "errors": [], "messages": [], "result": value.into()});
    Ok(Json(body).into_response())
}

/// A whole list as its only page: the sandbox never has enough of anything to need a second one.
pub(super) fn list(values: impl IntoIterator<Item = Value>) -> Answer {
    let values: Vec<Value> = values.into_iter().collect();
    let count = values.len();
    let body = json!({
        "success": true, "errors": [], "messages": [], "result": Value::Array(values),
        "result_info": {"page": 1, "per_page": count.max(20), "count": count, "total_count": count, "total_pages": 1, "cursor": ""},
    });
    Ok(Json(body).into_response())
}
