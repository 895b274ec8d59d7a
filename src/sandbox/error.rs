//! A refusal in Cloudflare's words: an HTTP status and one or more numbered problems.
//!
//! The numbers are Cloudflare's where its documentation, its SDK or wrangler's source shows them; where only the behaviour is
//! known, the constructor says so.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

/// A refused call. Never holds a secret value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// Code and message of each problem; at least one.
    pub problems: Vec<(u32, String)>,
}

/// One problem with an explicit status.
pub(super) fn refuse(status: StatusCode, code: u32, message: impl Into<String>) -> ApiError {
    ApiError {
        status,
        problems: vec![(code, message.into())],
    }
}

/// A request that cannot be fulfilled as it is written (400).
pub(super) fn invalid(code: u32, message: impl Into<String>) -> ApiError {
    refuse(StatusCode::BAD_REQUEST, code, message)
}

/// A request that contradicts what is there (409).
pub(super) fn conflict(code: u32, message: impl Into<String>) -> ApiError {
    refuse(StatusCode::CONFLICT, code, message)
}

/// 10007, which wrangler takes for "this Worker does not exist".
pub(super) fn no_script(script: &str) -> ApiError {
    refuse(
        StatusCode::NOT_FOUND,
        10007,
        format!("this Worker does not exist on your account: `{script}`"),
    )
}

/// 10090, the same for the older `services` calls.
pub(super) fn no_service(script: &str) -> ApiError {
    refuse(
        StatusCode::NOT_FOUND,
        10090,
        format!("this service does not exist: `{script}`"),
    )
}

/// A version that was never uploaded to this script; the code is the generic "not found" of these endpoints.
pub(super) fn no_version(script: &str, version: &str) -> ApiError {
    refuse(
        StatusCode::NOT_FOUND,
        10092,
        format!("the Worker `{script}` has no version `{version}`"),
    )
}

/// 7003, the answer to an identifier that names nothing.
pub(super) fn no_zone(zone: &str) -> ApiError {
    refuse(
        StatusCode::NOT_FOUND,
        7003,
        format!(
            "could not route to the zone `{zone}`: no such zone; name it when the sandbox is started"
        ),
    )
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let errors: Vec<_> = self
            .problems
            .iter()
            .map(|(code, message)| json!({"code": code, "message": message}))
            .collect();
        let body = json!({"success": false, "errors": errors, "messages": [], "result": null});
        (self.status, Json(body)).into_response()
    }
}
