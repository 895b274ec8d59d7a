//! Settings of a script, versioned and not.

use axum::body::Bytes;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{FromRequest, Path, Request, State};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::call::{self, Call};
use super::context::{Shared, read, stamp};
use crate::account::error::{ApiError, invalid, refuse};
use crate::account::observability;
use crate::account::revision::{self, Revision};
use crate::account::script::{Script, script_settings, settings};
use crate::api::envelope::{Answer, result};

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![
        call::get("/accounts/{account}/workers/scripts/{script}/settings", get),
        call::patch(
            "/accounts/{account}/workers/scripts/{script}/settings",
            patch,
        ),
        call::get(
            "/accounts/{account}/workers/scripts/{script}/script-settings",
            get_script,
        ),
        call::patch(
            "/accounts/{account}/workers/scripts/{script}/script-settings",
            patch_script,
        ),
    ]
}

pub(super) async fn get(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
) -> Answer {
    let state = context.engine.state();
    result(settings(
        state.script(&account, &name)?,
        &state.account(&account).namespaces,
    ))
}

pub(super) async fn get_script(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
) -> Answer {
    let state = context.engine.state();
    result(script_settings(state.script(&account, &name)?))
}

/// Multipart with a `settings` part (the SDKs, wrangler) or the JSON itself.
pub(super) async fn patch(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request,
) -> Answer {
    let revision: Revision = read(&settings_part(&headers, request).await?)?;
    let stamp = stamp(&headers);
    let edit = move |state: &mut crate::account::state::State| {
        revision::apply(state.script_mut(&account, &name)?, revision, &stamp)?;
        Ok(settings(
            state.script(&account, &name)?,
            &state.account(&account).namespaces,
        ))
    };
    result(context.engine.change(edit).await?)
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

pub(super) async fn patch_script(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let patch: Value = read(&body)?;
    context
        .engine
        .change(move |state| merge(state.script_mut(&account, &name)?, &patch))
        .await
        .and_then(result)
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
