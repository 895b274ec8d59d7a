//! `analytics_engine/sql`: a statement in the body or in `?query=`, its answer without the envelope, and a refusal in plain text.

use axum::body::to_bytes;
use axum::extract::{Query, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;

use super::BODY_LIMIT;
use super::call::Call;
use crate::account::error::{ApiError, internal};
use crate::analytics::refusal::Refusal;
use crate::api::envelope::Plain;

#[derive(Deserialize)]
pub(super) struct Given {
    #[serde(default)]
    query: String,
}

/// `GET` and `POST`.
pub(super) async fn sql(
    call: Call,
    Query(given): Query<Given>,
    request: Request,
) -> Result<Response, ApiError> {
    let body = to_bytes(request.into_body(), BODY_LIMIT).await;
    let body = body.map_err(|error| internal(&error))?;
    let text = given.query + &String::from_utf8_lossy(&body);
    let points = call.context.engine.points.clone();
    let asked = tokio::task::spawn_blocking(move || points.ask(&call.account, &text)).await;
    Ok(match asked.map_err(|error| internal(&error))? {
        Ok(answer) => ([(CONTENT_TYPE, answer.content_type)], answer.body).into_response(),
        Err(Refusal(why)) => {
            let mut response = (StatusCode::UNPROCESSABLE_ENTITY, why).into_response();
            response.extensions_mut().insert(Plain);
            response
        }
    })
}
