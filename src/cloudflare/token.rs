//! What the API says of the credential itself, and which rights it lacks: by harmless reads, since a token need not be allowed to tell
//! its own rights.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value as Json;

use super::analytics;
use super::client::{Cloudflare, Repeat};
use super::envelope::Envelope;
use super::error::ApiError;
use crate::http::body;

/// What is known of the credential.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// `active`, `disabled` or `expired`; none of a global API key, which has no such state.
    pub(crate) status: Option<String>,
    /// RFC 3339; none where it never ends.
    pub(crate) expires_on: Option<String>,
    /// The API's clock when it answered.
    pub(crate) now: Option<SystemTime>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Verified {
    status: Option<String>,
    expires_on: Option<String>,
}

/// Asks the API for the credential. A token of an account is unknown among those of users (docs: API reference, `GET
/// /user/tokens/verify` and `GET /accounts/A/tokens/verify`, "Verify Token").
pub(crate) async fn known(cloudflare: &Cloudflare) -> anyhow::Result<Known> {
    if !cloudflare.has_token() {
        return ask(cloudflare, "/user").await;
    }
    match ask(cloudflare, "/user/tokens/verify").await {
        Err(error) if is_refused(&error) => {
            let path = cloudflare.of_account("tokens/verify");
            ask(cloudflare, &path).await
        }
        asked => asked,
    }
}

async fn ask(cloudflare: &Cloudflare, path: &str) -> anyhow::Result<Known> {
    // What is only looked at is not waited for
    let answer = cloudflare.raw(path, Repeat::Never, body::JSON).await?;
    let result = Envelope::open(&answer.body).map_or(Json::Null, |envelope| envelope.result);
    let Verified { status, expires_on } = serde_json::from_value(result).unwrap_or_default();
    let date = answer.headers.get("date");
    let date = date.and_then(|date| date.to_str().ok());
    Ok(Known {
        status,
        expires_on,
        now: date.and_then(|date| httpdate::parse_http_date(date).ok()),
    })
}

/// Whether the credential may ask Analytics Engine.
pub(crate) async fn reads_analytics(cloudflare: &Cloudflare) -> anyhow::Result<bool> {
    allowed(analytics::ask(cloudflare, "SHOW TABLES").await)
}

/// Whether the credential may read the tails of `script`.
pub(crate) async fn reads_tails(cloudflare: &Cloudflare, script: &str) -> anyhow::Result<bool> {
    let path = cloudflare.of_script(script, "tails");
    allowed(cloudflare.find::<Json>(&path).await)
}

fn allowed<T>(answer: anyhow::Result<T>) -> anyhow::Result<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if is_refused(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_refused(error: &anyhow::Error) -> bool {
    let refused = |error: &ApiError| matches!(error.status, 401 | 403);
    error.downcast_ref().is_some_and(refused)
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, StatusCode, Uri};
    use axum::response::IntoResponse;
    use serde_json::json;

    use super::super::paged::answering;
    use super::*;

    /// The API where only the calls of `open` are allowed.
    async fn allowing(open: &'static [&'static str]) -> Cloudflare {
        answering(move |_: &Method, uri: &Uri, _: &[u8]| {
            let is_open = open.iter().any(|path| uri.path().ends_with(path));
            if !is_open {
                let error = json!({ "code": 1000, "message": "Invalid API Token" });
                let refusal = json!({ "success": false, "errors": [error] });
                return (StatusCode::UNAUTHORIZED, axum::Json(refusal)).into_response();
            }
            let result = json!({ "status": "active", "expires_on": null });
            let answer = json!({ "success": true, "result": result });
            let date = [("date", "Thu, 01 Jan 2026 00:00:00 GMT")];
            (date, axum::Json(answer)).into_response()
        })
        .await
    }

    #[tokio::test]
    async fn a_token_of_an_account_is_found_there_and_one_that_is_nowhere_is_refused() {
        let account = allowing(&["/accounts/acc0/tokens/verify"]).await;
        let known = known(&account).await.unwrap();
        assert_eq!(known.status.as_deref(), Some("active"));
        let now = humantime::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
        assert_eq!((known.expires_on, known.now), (None, Some(now)));
        let nowhere = super::known(&allowing(&[]).await).await;
        assert!(is_refused(&nowhere.unwrap_err()));
    }

    #[tokio::test]
    async fn a_right_is_missing_where_its_read_is_refused() {
        let tails = allowing(&["/tails"]).await;
        assert!(reads_tails(&tails, "w").await.unwrap());
        assert!(!reads_analytics(&tails).await.unwrap());
    }
}
