//! Secrets: names go out, values only come in.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Path, State};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{self, Call};
use super::context::{Shared, read, stamp};
use crate::account::error::{ApiError, invalid};
use crate::account::secret::{self, Change};
use crate::account::value::SecretValue;
use crate::api::envelope::{self, Answer, result};

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![
        call::get("/accounts/{account}/workers/scripts/{script}/secrets", list),
        call::put("/accounts/{account}/workers/scripts/{script}/secrets", put),
        call::get(
            "/accounts/{account}/workers/scripts/{script}/secrets/{name}",
            get,
        ),
        call::delete(
            "/accounts/{account}/workers/scripts/{script}/secrets/{name}",
            delete,
        ),
        call::patch(
            "/accounts/{account}/workers/scripts/{script}/secrets-bulk",
            bulk,
        ),
        call::patch(
            "/accounts/{account}/workers/workers/{script}/versions/latest",
            stage,
        ),
    ]
}

#[derive(Deserialize)]
struct Secret {
    name: Option<String>,
    text: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

pub(super) async fn list(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
) -> Answer {
    let state = context.engine.state();
    envelope::list(secret::list(state.script(&account, &name)?))
}

pub(super) async fn get(
    State(context): Shared,
    Path((account, name, key)): Path<(String, String, String)>,
) -> Answer {
    let state = context.engine.state();
    secret::check_known(state.script(&account, &name)?, &key)?;
    result(secret::shown(&key))
}

pub(super) async fn put(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let given: Secret = read(&body)?;
    let key = given
        .name
        .clone()
        .ok_or_else(|| invalid(10021, "a secret without a `name`"))?;
    let change = (key.clone(), put_change(given)?);
    let stamp = stamp(&headers);
    let edit = move |state: &mut crate::account::state::State| {
        secret::change(state.script_mut(&account, &name)?, vec![change], &stamp)
    };
    context.engine.change(edit).await?;
    result(secret::shown(&key))
}

pub(super) async fn delete(
    State(context): Shared,
    Path((account, name, key)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Answer {
    let stamp = stamp(&headers);
    context
        .engine
        .change(move |state| {
            let script = state.script_mut(&account, &name)?;
            secret::check_known(script, &key)?;
            secret::change(script, vec![(key, Change::Delete)], &stamp)
        })
        .await?;
    result(Value::Null)
}

#[derive(Deserialize)]
struct Bulk {
    secrets: BTreeMap<String, Option<Secret>>,
}

/// A merge patch: null removes, and removing what is not there is no error. The answer is a map by name (SDK,
/// `SecretBulkUpdateResponse`).
pub(super) async fn bulk(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let bulk: Bulk = read(&body)?;
    let changes = changes(bulk.secrets)?;
    let stamp = stamp(&headers);
    let edit = move |state: &mut crate::account::state::State| {
        let script = state.script_mut(&account, &name)?;
        secret::change(script, changes, &stamp)?;
        Ok(secret::list(script))
    };
    let secrets = context.engine.change(edit).await?;
    let by_name = secrets.into_iter().filter_map(|secret| {
        let name = secret["name"].as_str()?.to_owned();
        Some((name, secret))
    });
    result(Value::Object(by_name.collect()))
}

#[derive(Deserialize)]
struct Patch {
    #[serde(default)]
    env: BTreeMap<String, Option<Secret>>,
    #[serde(default)]
    annotations: Map<String, Value>,
}

/// `PATCH workers/S/versions/latest`: a version that is not deployed.
pub(super) async fn stage(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let patch: Patch = read(&body)?;
    let changes = changes(patch.env)?;
    let stamp = stamp(&headers);
    let edit = move |state: &mut crate::account::state::State| {
        let script = state.script_mut(&account, &name)?;
        secret::stage(script, changes, patch.annotations, &stamp)?;
        Ok(json!({"id": stamp.version, "number": script.latest().map(|version| version.number)}))
    };
    result(context.engine.change(edit).await?)
}

fn changes(given: BTreeMap<String, Option<Secret>>) -> Result<Vec<(String, Change)>, ApiError> {
    let change = |(name, secret): (String, Option<Secret>)| match secret {
        Some(secret) => Ok((name, put_change(secret)?)),
        None => Ok((name, Change::Delete)),
    };
    given.into_iter().map(change).collect()
}

fn put_change(secret: Secret) -> Result<Change, ApiError> {
    if secret
        .kind
        .as_deref()
        .is_some_and(|kind| kind != "secret_text")
    {
        return Err(invalid(
            10021,
            "the sandbox has secrets of type `secret_text` only",
        ));
    }
    // Cloudflare's documented limit
    if secret.text.len() > 5 << 10 {
        return Err(invalid(10021, "a secret's value has at most 5 KB"));
    }
    Ok(Change::Put(SecretValue::new(secret.text)))
}
