//! The envelope of every answer: `{success, errors, messages, result, result_info}`.

use axum::Json;
use axum::body::to_bytes;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::account::error::{ApiError, refuse};
use crate::api::paging::{Page, Pages};

/// What an API handler gives back.
pub(crate) type Answer = Result<Response, ApiError>;

/// One result.
pub(crate) fn result(value: impl Into<Value>) -> Answer {
    let body = json!({"success": true, "errors": [], "messages": [], "result": value.into()});
    Ok(Json(body).into_response())
}

/// A whole list that has no pages: without `result_info`, as the live API answers `GET …/workers/scripts` (recorded).
pub(crate) fn list(values: impl IntoIterator<Item = Value>) -> Answer {
    result(values.into_iter().collect::<Vec<_>>())
}

/// One page of a list.
pub(crate) fn page(values: Vec<Value>, page: Page, pages: Pages) -> Answer {
    let (values, info) = page.cut(values, pages);
    informed(values, &info)
}

/// A result with a `result_info` of its own.
pub(crate) fn informed(value: impl Into<Value>, info: &Value) -> Answer {
    let body = json!({
        "success": true, "errors": [], "messages": [], "result": value.into(), "result_info": info,
    });
    Ok(Json(body).into_response())
}

/// On a refusal that stays as it is: in plain text, as a product outside of the envelope has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain;

/// What else the framework refuses (a body that is too large, a query that cannot be read) gets the envelope too, with its words.
pub(crate) async fn enveloped(response: Response) -> Response {
    let status = response.status();
    let json = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let plain = response.extensions().get::<Plain>().is_some();
    if json || plain || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let words = to_bytes(response.into_body(), 4096)
        .await
        .unwrap_or_default();
    let words = String::from_utf8_lossy(&words).into_owned();
    let code = match status {
        StatusCode::PAYLOAD_TOO_LARGE => 10027,
        status if status.is_server_error() => 10013,
        // The Workers API's general word for a request that it does not understand
        _ => 10021,
    };
    refuse(status, code, words).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refusal_in_plain_text_gets_the_envelope_and_keeps_its_words() {
        let plain = (StatusCode::PAYLOAD_TOO_LARGE, "too long").into_response();
        let wrapped = enveloped(plain).await;
        assert_eq!(wrapped.status(), 413);
        assert_eq!(wrapped.headers()[CONTENT_TYPE], "application/json");
        let body = to_bytes(wrapped.into_body(), 4096).await.unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&body).unwrap(),
            json!({"success": false, "errors": [{"code": 10027, "message": "too long"}], "messages": [], "result": null})
        );
    }
}
