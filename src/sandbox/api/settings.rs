//! Settings of a script, versioned and not, and the workers.dev addresses.

use axum::body::Bytes;
use axum::extract::multipart::Multipart;
use axum::extract::{FromRequest, Path, Request, State};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Shared, read, stamp};
use crate::sandbox::engine::internal;
use crate::sandbox::envelope::{Answer, result};
use crate::sandbox::error::{ApiError, invalid};
use crate::sandbox::script::{Script, Subdomain, settings};
use crate::sandbox::secret;

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
    result(json!(state.script(&account, &name)?.settings))
}

/// `PATCH …/settings` takes multipart with a `settings` part. The sandbox changes bindings and what is not versioned; the rest is
/// refused.
pub(super) async fn patch(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request,
) -> Answer {
    let multipart = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"));
    let body = if multipart {
        let mut parts = Multipart::from_request(request, &())
            .await
            .map_err(|error| invalid(10021, error.body_text()))?;
        let part = parts
            .next_field()
            .await
            .map_err(|error| invalid(10021, error.body_text()))?;
        let part = part.ok_or_else(|| invalid(10021, "the request has no `settings` part"))?;
        part.bytes()
            .await
            .map_err(|error| invalid(10021, error.body_text()))?
    } else {
        Bytes::from_request(request, &())
            .await
            .map_err(|error| internal(&error))?
    };
    let mut patch: Value = read(&body)?;
    let bindings = patch
        .as_object_mut()
        .and_then(|patch| patch.remove("bindings"));
    let known = ["tags", "logpush", "observability", "tail_consumers"];
    let unknown = patch
        .as_object()
        .and_then(|patch| patch.keys().find(|key| !known.contains(&key.as_str())));
    if let Some(key) = unknown {
        return Err(invalid(
            10021,
            format!("the sandbox cannot patch `{key}`; upload a version instead"),
        ));
    }
    let stamp = stamp(&headers);
    let edit = move |state: &mut crate::sandbox::state::State| {
        let script = state.script_mut(&account, &name)?;
        if let Some(bindings) = bindings {
            let bindings = bindings
                .as_array()
                .ok_or_else(|| invalid(10021, "`bindings` must be a list"))?;
            secret::rebind(script, bindings, &stamp)?;
        }
        merge(script, &patch)?;
        Ok(settings(
            state.script(&account, &name)?,
            &state.account(&account).namespaces,
        ))
    };
    result(context.engine.change(edit).await?)
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
        if !emptied {
            value[key] = new.clone();
        }
    }
    script.settings = serde_json::from_value(value)
        .map_err(|_| invalid(10021, "a setting has the wrong type"))?;
    Ok(json!(script.settings))
}

pub(super) async fn subdomain(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
) -> Answer {
    let state = context.engine.state();
    result(json!(state.script(&account, &name)?.subdomain))
}

#[derive(Deserialize)]
struct Wanted {
    enabled: bool,
    previews_enabled: Option<bool>,
}

pub(super) async fn set_subdomain(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let wanted: Wanted = read(&body)?;
    let edit = move |state: &mut crate::sandbox::state::State| {
        let script = state.script_mut(&account, &name)?;
        let previews_enabled = wanted.previews_enabled.unwrap_or(wanted.enabled);
        script.subdomain = Subdomain {
            enabled: wanted.enabled,
            previews_enabled,
        };
        Ok(json!(script.subdomain))
    };
    context.engine.change(edit).await.and_then(result)
}

pub(super) async fn account_subdomain(
    State(context): Shared,
    Path(account): Path<String>,
) -> Answer {
    result(json!({"subdomain": context.engine.state().account(&account).subdomain}))
}

#[derive(Deserialize)]
struct Named {
    subdomain: String,
}

pub(super) async fn set_account_subdomain(
    State(context): Shared,
    Path(account): Path<String>,
    body: Bytes,
) -> Answer {
    let named: Named = read(&body)?;
    let edit = move |state: &mut crate::sandbox::state::State| {
        state
            .account_mut(&account)
            .subdomain
            .clone_from(&named.subdomain);
        Ok(json!({"subdomain": named.subdomain}))
    };
    context.engine.change(edit).await.and_then(result)
}
