//! Settings of a script, versioned and not.

use axum::body::Bytes;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::call::{Call, Sent, read};
use super::envelope::{Answer, result};
use crate::account::error::{ApiError, invalid, refuse};
use crate::account::observability;
use crate::account::revision::{self, Revision};
use crate::account::script::{Script, script_settings, settings};

pub(super) async fn get(call: Call) -> Answer {
    let state = call.state();
    let namespaces = state.account(&call.account).namespaces;
    result(settings(call.script(&state)?, &namespaces))
}

pub(super) async fn get_script(call: Call) -> Answer {
    result(script_settings(call.script(&call.state())?))
}

/// Multipart with a `settings` part (the SDKs, wrangler) or the JSON itself.
pub(super) async fn patch(call: Call, headers: HeaderMap, request: Request) -> Answer {
    let revision: Revision = read(&settings_part(&headers, request).await?)?;
    let patched = call.change(|state, call| {
        let namespaces = state.account(&call.account).namespaces;
        let script = state.script_mut(&call.account, &call.script)?;
        revision::apply(script, revision, &call.stamp)?;
        Ok(settings(script, &namespaces))
    });
    result(patched.await?)
}

async fn settings_part(headers: &HeaderMap, request: Request) -> Result<Bytes, ApiError> {
    let multipart = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"));
    if !multipart {
        return Bytes::from_request(request, &())
            .await
            .map_err(|error| refuse(error.status(), 10021, error.body_text()));
    }
    let unreadable = |error: MultipartError| invalid(10021, error.body_text());
    let mut parts = Multipart::from_request(request, &())
        .await
        .map_err(|error| invalid(10021, error.body_text()))?;
    while let Some(part) = parts.next_field().await.map_err(unreadable)? {
        if part.name() == Some("settings") {
            return part.bytes().await.map_err(unreadable);
        }
    }
    Err(invalid(10021, "the request has no `settings` part"))
}

pub(super) async fn patch_script(call: Call, Sent(patch): Sent<Value>) -> Answer {
    let patched = call.change_script(move |script, _| merge(script, &patch));
    result(patched.await?)
}

fn merge(script: &mut Script, patch: &Value) -> Result<Value, ApiError> {
    let mut value = json!(script.settings);
    for (key, new) in patch
        .as_object()
        .ok_or_else(|| invalid(10021, "settings must be a JSON object"))?
    {
        let emptied = matches!(key.as_str(), "tags" | "logpush") && new.is_null();
        if key == "observability" && !new.is_null() {
            observability::check(new)?;
        }
        if !emptied {
            value[key] = new.clone();
        }
    }
    script.settings = serde_json::from_value(value)
        .map_err(|_| invalid(10021, "a setting has the wrong type"))?;
    Ok(script_settings(script))
}
