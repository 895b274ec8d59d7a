//! Secrets: names go out, values only come in.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{Call, Sent};
use super::endpoint::{self, Endpoint, SCRIPT, WORKERS, patch};
use super::envelope::{self, Answer, result};
use crate::account::error::{ApiError, invalid};
use crate::account::secret::{self, Change};
use crate::account::value::SecretValue;

/// The endpoints of this product.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint::get(SCRIPT, "/secrets", list),
        endpoint::put(SCRIPT, "/secrets", put),
        endpoint::get(SCRIPT, "/secrets/{name}", get),
        endpoint::delete(SCRIPT, "/secrets/{name}", delete),
        patch(SCRIPT, "/secrets-bulk", bulk),
        patch(WORKERS, "/workers/{script}/versions/latest", stage),
    ]
}

#[derive(Deserialize)]
struct Secret {
    name: Option<String>,
    text: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

async fn list(call: Call) -> Answer {
    envelope::list(secret::list(call.script(&call.state())?))
}

async fn get(call: Call) -> Answer {
    secret::check_known(call.script(&call.state())?, &call.item)?;
    result(secret::shown(&call.item))
}

async fn put(call: Call, Sent(given): Sent<Secret>) -> Answer {
    let name = given.name.clone();
    let name = name.ok_or_else(|| invalid(10021, "a secret without a `name`"))?;
    let changes = vec![(name.clone(), put_change(given)?)];
    call.change_script(|script, stamp| secret::change(script, changes, stamp))
        .await?;
    result(secret::shown(&name))
}

async fn delete(call: Call) -> Answer {
    let name = call.item.clone();
    let gone = call.change_script(|script, stamp| {
        secret::check_known(script, &name)?;
        secret::change(script, vec![(name, Change::Delete)], stamp)
    });
    gone.await?;
    result(Value::Null)
}

#[derive(Deserialize)]
struct Bulk {
    secrets: BTreeMap<String, Option<Secret>>,
}

/// A merge patch: null removes, and removing what is not there is no error. The answer is a map by name (SDK,
/// `SecretBulkUpdateResponse`).
async fn bulk(call: Call, Sent(bulk): Sent<Bulk>) -> Answer {
    let changes = changes(bulk.secrets)?;
    let changed = call.change_script(|script, stamp| {
        secret::change(script, changes, stamp)?;
        Ok(secret::list(script))
    });
    let by_name = changed.await?.into_iter().filter_map(|secret| {
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
async fn stage(call: Call, Sent(patch): Sent<Patch>) -> Answer {
    let changes = changes(patch.env)?;
    let staged = call.change_script(|script, stamp| {
        secret::stage(script, changes, patch.annotations, stamp)?;
        Ok(json!({"id": stamp.version, "number": script.latest().map(|version| version.number)}))
    });
    result(staged.await?)
}

fn changes(given: BTreeMap<String, Option<Secret>>) -> Result<Vec<(String, Change)>, ApiError> {
    let change = |(name, secret): (String, Option<Secret>)| match secret {
        Some(secret) => Ok((name, put_change(secret)?)),
        None => Ok((name, Change::Delete)),
    };
    given.into_iter().map(change).collect()
}

fn put_change(secret: Secret) -> Result<Change, ApiError> {
    if secret.kind.is_some_and(|kind| kind != "secret_text") {
        let message = "the sandbox has secrets of type `secret_text` only";
        return Err(invalid(10021, message));
    }
    // Cloudflare's documented limit
    if secret.text.len() > 5 << 10 {
        return Err(invalid(10021, "a secret's value has at most 5 KB"));
    }
    Ok(Change::Put(SecretValue::new(secret.text)))
}
