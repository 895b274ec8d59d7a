//! Changes of secrets on a live script: each makes a new version of the latest code and deploys it at once. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::account::binding::Binding;
use crate::account::deployment::{release, triggered_by};
use crate::account::error::{ApiError, conflict, invalid, missing};
use crate::account::script::Script;
use crate::account::stamp::Stamp;
use crate::account::value::SecretValue;
use crate::account::version::Version;

/// New values of secrets by name; without one a secret is removed. Whether an absent one is an error is the caller's rule.
pub(crate) type Changes = BTreeMap<String, Option<SecretValue>>;

/// The names, as `GET …/secrets` lists them: those of the latest version.
pub(crate) fn names(script: &Script) -> Vec<String> {
    let bindings = script.latest().map_or(&[][..], |version| &version.bindings);
    let secrets = bindings.iter().filter(|binding| binding.is_secret());
    secrets.map(|binding| binding.name.clone()).collect()
}

/// One name.
pub(crate) fn shown(name: &str) -> Value {
    json!({"name": name, "type": "secret_text"})
}

/// Whether the script has this secret; 10056 if not.
pub(crate) fn check_known(script: &Script, name: &str) -> Result<(), ApiError> {
    let binding = script.latest().and_then(|latest| latest.binding(name));
    if binding.is_some_and(Binding::is_secret) {
        return Ok(());
    }
    let message = format!("there is no secret `{name}` on `{}`", script.name);
    Err(missing(10056, message))
}

/// Applies changes in one version and deploys it to everybody.
pub(crate) fn change(script: &mut Script, changes: Changes, stamp: &Stamp) -> Result<(), ApiError> {
    check_latest_is_deployed(script, if changes.len() == 1 { 10215 } else { 10214 })?;
    let version = changed(script, changes, "secret", Map::new(), stamp)?;
    release(script, version, "secret", stamp);
    Ok(())
}

/// Applies changes in one version that is not deployed: `PATCH workers/S/versions/latest`.
pub(crate) fn stage(
    script: &mut Script,
    changes: Changes,
    annotations: Map<String, Value>,
    stamp: &Stamp,
) -> Result<(), ApiError> {
    let version = changed(script, changes, "secret", annotations, stamp)?;
    script.versions.push(version);
    Ok(())
}

/// Bindings may only be edited in place when all traffic has the latest code: otherwise the edit would deploy something else too.
/// Cloudflare has a code for single secrets (10215) and one for several bindings at once (10214); wrangler treats them alike.
pub(crate) fn check_latest_is_deployed(script: &Script, code: u32) -> Result<(), ApiError> {
    let latest = script.latest().map(|version| version.id.as_str());
    match script.shares() {
        [only] if Some(only.version_id.as_str()) == latest => Ok(()),
        _ => Err(conflict(
            code,
            "edit failed: the latest version of the Worker isn't deployed to all traffic; deploy it or roll it back first",
        )),
    }
}

/// A new version of the latest code with other secrets.
pub(crate) fn changed(
    script: &Script,
    changes: Changes,
    trigger: &str,
    annotations: Map<String, Value>,
    stamp: &Stamp,
) -> Result<Version, ApiError> {
    let unknown = format!("the Worker `{}` has no versions", script.name);
    let latest = script.latest().ok_or_else(|| missing(10222, unknown))?;
    let mut version = Version {
        id: stamp.version.clone(),
        number: script.next_number(),
        created_on: stamp.now.clone(),
        source: stamp.source.to_owned(),
        annotations: triggered_by(trigger),
        ..latest.clone()
    };
    version.annotations.extend(annotations);
    for (name, value) in changes {
        if version.binding(&name).is_some_and(|it| !it.is_secret()) {
            let message = format!(
                "binding name `{name}` already in use; please use a different name and try again"
            );
            return Err(invalid(10053, message));
        }
        version.bindings.retain(|binding| binding.name != name);
        version.secrets.remove(&name);
        if let Some(value) = value {
            version.bindings.push(Binding::secret(&name));
            version.secrets.insert(name, value);
        }
    }
    Ok(version)
}
