//! Secrets: names go out, values only come in.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{Call, Sent};
use super::envelope::{self, Answer, result};
use crate::account::error::{ApiError, invalid};
use crate::account::secret::{self, Changes};
use crate::account::value::SecretValue;

#[derive(Deserialize)]
pub(super) struct Secret {
    name: Option<String>,
    text: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

pub(super) async fn list(call: Call) -> Answer {
    let names = secret::names(call.script(&call.state())?);
    envelope::list(names.iter().map(|name| secret::shown(name)))
}

pub(super) async fn get(call: Call) -> Answer {
    secret::check_known(call.script(&call.state())?, &call.item)?;
    result(secret::shown(&call.item))
}

pub(super) async fn put(call: Call, Sent(given): Sent<Secret>) -> Answer {
    let name = given.name.clone();
    let name = name.ok_or_else(|| invalid(10021, "a secret without a `name`"))?;
    let changes = Changes::from([(name.clone(), Some(value(given)?))]);
    call.change_script(|script, stamp| secret::change(script, changes, stamp))
        .await?;
    result(secret::shown(&name))
}

pub(super) async fn delete(call: Call) -> Answer {
    let name = call.item.clone();
    let gone = call.change_script(|script, stamp| {
        secret::check_known(script, &name)?;
        secret::change(script, Changes::from([(name, None)]), stamp)
    });
    gone.await?;
    result(Value::Null)
}

#[derive(Deserialize)]
pub(super) struct Bulk {
    secrets: BTreeMap<String, Option<Secret>>,
}

/// A merge patch: null removes, and removing what is not there is no error. The answer is a map by name (SDK,
/// `SecretBulkUpdateResponse`).
pub(super) async fn bulk(call: Call, Sent(bulk): Sent<Bulk>) -> Answer {
    let changes = changes(bulk.secrets)?;
    let changed = call.change_script(|script, stamp| {
        secret::change(script, changes, stamp)?;
        Ok(secret::names(script))
    });
    let by_name = changed.await?.into_iter().map(|name| {
        let shown = secret::shown(&name);
        (name, shown)
    });
    result(Value::Object(by_name.collect()))
}

#[derive(Deserialize)]
pub(super) struct Patch {
    #[serde(default)]
    env: BTreeMap<String, Option<Secret>>,
    #[serde(default)]
    annotations: Map<String, Value>,
}

/// `PATCH workers/S/versions/latest`: a version that is not deployed.
pub(super) async fn stage(call: Call, Sent(patch): Sent<Patch>) -> Answer {
    let changes = changes(patch.env)?;
    let staged = call.change_script(|script, stamp| {
        secret::stage(script, changes, patch.annotations, stamp)?;
        Ok(json!({"id": stamp.version, "number": script.latest().map(|version| version.number)}))
    });
    result(staged.await?)
}

fn changes(given: BTreeMap<String, Option<Secret>>) -> Result<Changes, ApiError> {
    let given = given.into_iter();
    given
        .map(|(name, secret)| Ok((name, secret.map(value).transpose()?)))
        .collect()
}

fn value(secret: Secret) -> Result<SecretValue, ApiError> {
    if secret.kind.is_some_and(|kind| kind != "secret_text") {
        let message = "the sandbox has secrets of type `secret_text` only";
        return Err(invalid(10021, message));
    }
    // Cloudflare's documented limit
    if secret.text.len() > 5 << 10 {
        return Err(invalid(10021, "a secret's value has at most 5 KB"));
    }
    Ok(SecretValue::new(secret.text))
}
