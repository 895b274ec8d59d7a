//! A deployment: which versions of a script answer, each for which share of the requests.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::account::error::{ApiError, invalid, no_version};
use crate::account::module::uuid;
use crate::account::script::{Deployment, Script, Share};
use crate::account::stamp::Stamp;
use crate::account::version::Version;

/// The body of `POST …/deployments`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Request {
    /// Must be `percentage`.
    pub strategy: Option<String>,
    /// The shares.
    pub versions: Vec<Share>,
    /// Free text for people.
    #[serde(default)]
    pub annotations: Map<String, Value>,
    /// `{mode: immediate|deferred, max_delay}`.
    pub code_update_strategy: Option<Value>,
}

/// Whether a deployment may put back secrets that were changed since (`?force=true`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// Refuse with 10220.
    Guarded,
    /// The caller has asked and insists.
    Forced,
}

/// A deployment of one version to everybody.
pub(crate) fn everybody(version: &str, trigger: &str, stamp: &Stamp) -> Deployment {
    let everybody = Share {
        version_id: version.to_owned(),
        percentage: 100.0,
    };
    let request = Request {
        versions: vec![everybody],
        annotations: triggered_by(trigger),
        ..Request::default()
    };
    made(request, stamp)
}

/// The annotation that says what made a version or a deployment.
pub(crate) fn triggered_by(trigger: &str) -> Map<String, Value> {
    Map::from_iter([("workers/triggered_by".to_owned(), trigger.into())])
}

/// Adds a version and deploys it to everybody.
pub(crate) fn release(script: &mut Script, version: Version, trigger: &str, stamp: &Stamp) {
    let deployment = everybody(&version.id, trigger, stamp);
    script.deployments.insert(0, deployment);
    script.versions.push(version);
    script.modified_on.clone_from(&stamp.now);
}

/// Checks a request against the script and makes it the current deployment.
pub(crate) fn create(
    script: &mut Script,
    request: Request,
    secrets: Secrets,
    stamp: &Stamp,
) -> Result<Deployment, ApiError> {
    check_shares(&request)?;
    for share in &request.versions {
        let version = script
            .version(&share.version_id)
            .ok_or_else(|| no_version(&script.name, &share.version_id))?;
        if version.migration_tag != script.migration_tag {
            return Err(invalid(
                10211,
                format!(
                    "version `{}` was made before the Durable Object migration `{}`; a deployment cannot cross a migration",
                    version.id,
                    script.migration_tag.as_deref().unwrap_or("none"),
                ),
            ));
        }
    }
    if secrets == Secrets::Guarded {
        check_secrets(script, &request.versions)?;
    }
    let deployment = made(request, stamp);
    script.deployments.insert(0, deployment.clone());
    Ok(deployment)
}

fn made(request: Request, stamp: &Stamp) -> Deployment {
    Deployment {
        id: uuid(&stamp.id),
        created_on: stamp.now.clone(),
        source: stamp.source.to_owned(),
        strategy: "percentage".into(),
        author_email: "sandbox@localhost".into(),
        annotations: request.annotations,
        versions: request.versions,
        code_update_strategy: request.code_update_strategy,
    }
}

fn check_shares(request: &Request) -> Result<(), ApiError> {
    let bad = |message: String| Err(invalid(10021, message));
    let strategy = request.strategy.as_deref().unwrap_or("percentage");
    if strategy != "percentage" {
        return bad("the deployment strategy must be `percentage`".into());
    }
    match request.versions.as_slice() {
        [_] => {}
        [one, other] if one.version_id != other.version_id => {}
        [_, _] => return bad("a deployment names the same version twice".into()),
        shares => {
            let count = shares.len();
            return bad(format!("a deployment has one or two versions, not {count}"));
        }
    }
    let percentages = request.versions.iter().map(|share| share.percentage);
    if !percentages.clone().all(|it| (0.0..=100.0).contains(&it)) {
        return bad("a percentage lies between 0 and 100".into());
    }
    let total: f64 = percentages.sum();
    if (total - 100.0).abs() > 0.001 {
        return bad(format!("the percentages must total 100, not {total}"));
    }
    Ok(())
}

/// 10220 for going back to a version that is not running and whose secrets are not those of the newest running version. Wrangler
/// shows what follows `The following secrets have changed:`.
fn check_secrets(script: &Script, shares: &[Share]) -> Result<(), ApiError> {
    let running: Vec<_> = script.running().collect();
    let Some(newest) = running.iter().max_by_key(|version| version.number) else {
        return Ok(());
    };
    let wanted = shares
        .iter()
        .filter_map(|share| script.version(&share.version_id));
    let older = wanted.filter(|version| {
        version.number < newest.number && !running.iter().any(|other| other.id == version.id)
    });
    let changed = older.flat_map(|version| {
        let names = version.secrets.keys().chain(newest.secrets.keys());
        names.filter(|name| version.secrets.get(*name) != newest.secrets.get(*name))
    });
    let changed: BTreeSet<&str> = changed.map(String::as_str).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let names = Vec::from_iter(changed).join(", ");
    Err(invalid(
        10220,
        format!(
            "repeat with `?force=true` to go back anyway. The following secrets have changed: {names}"
        ),
    ))
}
