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
pub(crate) struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// Code and message of each problem; at least one.
    pub problems: Vec<(u32, String)>,
    /// `error_chain` of the first problem: what is behind it.
    pub chain: Vec<(u32, String)>,
}

/// One problem with an explicit status.
pub(crate) fn refuse(status: StatusCode, code: u32, message: impl Into<String>) -> ApiError {
    ApiError {
        status,
        problems: vec![(code, message.into())],
        chain: Vec::new(),
    }
}

/// A request that cannot be fulfilled as it is written (400).
pub(crate) fn invalid(code: u32, message: impl Into<String>) -> ApiError {
    refuse(StatusCode::BAD_REQUEST, code, message)
}

/// A request that contradicts what is there (409).
pub(crate) fn conflict(code: u32, message: impl Into<String>) -> ApiError {
    refuse(StatusCode::CONFLICT, code, message)
}

/// Something that is not there (404).
pub(crate) fn missing(code: u32, message: impl Into<String>) -> ApiError {
    refuse(StatusCode::NOT_FOUND, code, message)
}

/// 10007, which wrangler takes for "this Worker does not exist".
pub(crate) fn no_script(script: &str) -> ApiError {
    missing(
        10007,
        format!("This Worker does not exist on your account: `{script}`"),
    )
}

/// 100146: a version that was never uploaded to this script.
pub(crate) fn no_version(script: &str, version: &str) -> ApiError {
    missing(
        100_146,
        format!("the Worker `{script}` has no version `{version}`"),
    )
}

/// A host in no zone of the sandbox.
pub(crate) fn no_zone(zone: &str) -> ApiError {
    missing(
        7003,
        format!("there is no zone for `{zone}`: name it when the sandbox is started"),
    )
}

/// 7003, the answer to an identifier that names nothing, and 7000 for a path that nobody knows. `path` is below `/client/v4`.
pub(crate) fn no_route_to(path: &str) -> ApiError {
    let message = format!("Could not route to {path}, perhaps your object identifier is invalid?");
    ApiError {
        problems: vec![(7003, message), (7000, "No route for that URI".to_owned())],
        ..missing(7003, "")
    }
}

impl ApiError {
    /// With what is behind its first problem.
    pub(crate) fn because(self, code: u32, message: impl Into<String>) -> ApiError {
        ApiError {
            chain: vec![(code, message.into())],
            ..self
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let shown = |(code, message): &(u32, String)| json!({"code": code, "message": message});
        let mut errors: Vec<_> = self.problems.iter().map(shown).collect();
        if let (Some(first), false) = (errors.first_mut(), self.chain.is_empty()) {
            first["error_chain"] = self.chain.iter().map(shown).collect();
        }
        let body = json!({"success": false, "errors": errors, "messages": [], "result": null});
        (self.status, Json(body)).into_response()
    }
}

/// Something that is the sandbox's own fault.
pub(crate) fn internal(error: &impl std::fmt::Display) -> ApiError {
    refuse(
        StatusCode::INTERNAL_SERVER_ERROR,
        10013,
        format!("the sandbox failed: {error:#}"),
    )
}

/// 10021: code that the runtime does not start, with its words.
pub(crate) fn not_started(error: &anyhow::Error) -> ApiError {
    invalid(10021, format!("script startup failed: {error:#}"))
}
