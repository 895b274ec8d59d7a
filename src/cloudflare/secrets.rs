//! The secrets of a live script: which there are, since when, and changes of nothing but them.
//!
//! `PATCH scripts/S/secrets-bulk` changes several in one version and deploys it at once (recorded from wrangler 4.164).

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use anyhow::{Context, bail};
use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value as Json, json};

use super::client::{Cloudflare, Repeat};
use super::observe;
use crate::secret::Value;

/// What a script holds, as far as its secrets go.
#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    /// The versions that get traffic, the largest share first.
    pub live: Vec<String>,
    /// The newest version.
    pub latest: Option<String>,
    /// Names of the secrets of the version with the largest share.
    pub secrets: BTreeSet<String>,
    /// Everything else of that version that a change of secrets must leave alone: code, bindings, runtime.
    pub rest: Json,
    /// The script's tags, which are not part of a version.
    pub tags: BTreeSet<String>,
}

/// New values by name; nothing removes the secret.
pub type Changes<'a> = BTreeMap<&'a str, Option<&'a Value>>;

#[derive(Deserialize)]
struct Versions {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    #[serde(default)]
    annotations: Option<BTreeMap<String, Json>>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    created_on: Option<String>,
}

#[derive(Deserialize)]
struct Version {
    resources: BTreeMap<String, Json>,
}

#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    tags: Option<BTreeSet<String>>,
}

/// A version on the way back through a script's history.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    pub created_on: SystemTime,
    pub secrets: BTreeSet<String>,
    /// Whether a change of secrets made the version.
    pub made_by: MadeBy,
}

/// What made a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeBy {
    Secrets,
    Upload,
}

impl Holding {
    /// The version that gets all traffic and is the newest; `None` while a change of secrets would deploy something else too.
    pub fn settled(&self) -> Option<&str> {
        match self.live.as_slice() {
            [only] if self.latest.as_ref().is_none_or(|latest| latest == only) => Some(only),
            _ => None,
        }
    }
}

/// Reads what `script` holds; `None` when it does not exist or was never deployed.
pub async fn read(cloudflare: &Cloudflare, script: &str) -> anyhow::Result<Option<Holding>> {
    let live = observe::live(cloudflare, script).await?;
    let Some(first) = live.first() else {
        return Ok(None);
    };
    let path = |rest: &str| cloudflare.of_account(&format!("workers/scripts/{script}/{rest}"));
    let paths = [
        path(&format!("versions/{first}")),
        path("versions"),
        path("script-settings"),
    ];
    let (version, versions, settings) = tokio::try_join!(
        cloudflare.get::<Version>(&paths[0]),
        cloudflare.get::<Versions>(&paths[1]),
        cloudflare.get::<Settings>(&paths[2]),
    )
    .with_context(|| format!("reading the secrets of `{script}`"))?;
    let (secrets, rest) = divided(version);
    Ok(Some(Holding {
        latest: versions.items.into_iter().next().map(|item| item.id),
        secrets,
        rest,
        tags: settings.tags.unwrap_or_default(),
        live,
    }))
}

fn divided(version: Version) -> (BTreeSet<String>, Json) {
    let mut secrets = BTreeSet::new();
    let mut others = BTreeMap::new();
    let mut rest = version.resources;
    let bindings = rest.remove("bindings").unwrap_or_default();
    for binding in bindings.as_array().into_iter().flatten() {
        let name = binding["name"].as_str().unwrap_or_default().to_owned();
        match binding["type"].as_str() {
            Some("secret_text" | "secret_key") => drop(secrets.insert(name)),
            _ => drop(others.insert(name, binding.clone())),
        }
    }
    // Says who deployed last, not what
    if let Some(code) = rest.get_mut("script").and_then(Json::as_object_mut) {
        code.remove("last_deployed_from");
    }
    (secrets, json!({ "bindings": others, "resources": rest }))
}

/// Changes secrets in one version, and makes sure that nothing else changed with them.
pub async fn change(
    cloudflare: &Cloudflare,
    script: &str,
    before: &Holding,
    changes: &Changes<'_>,
) -> anyhow::Result<Holding> {
    let body: BTreeMap<&str, Option<Json>> = changes
        .iter()
        .map(|(name, value)| {
            let secret = value.map(
                |value| json!({ "name": name, "text": value.expose(), "type": "secret_text" }),
            );
            (*name, secret)
        })
        .collect();
    let body = json!({ "secrets": body });
    let path = cloudflare.of_account(&format!("workers/scripts/{script}/secrets-bulk"));
    cloudflare
        .call_filled::<IgnoredAny>(Method::PATCH, &path, Repeat::Safe, |request| {
            request
                .header("content-type", "application/merge-patch+json")
                .body(body.to_string())
        })
        .await?;
    let after = read(cloudflare, script)
        .await?
        .with_context(|| format!("`{script}` is gone"))?;
    check(script, before, changes, &after)?;
    Ok(after)
}

fn check(
    script: &str,
    before: &Holding,
    changes: &Changes<'_>,
    after: &Holding,
) -> anyhow::Result<()> {
    let mut wanted = before.secrets.clone();
    for (name, value) in changes {
        match value {
            Some(_) => wanted.insert((*name).to_owned()),
            None => wanted.remove(*name),
        };
    }
    if after.rest != before.rest || after.secrets != wanted {
        let was = before.live.first().map_or("", String::as_str);
        bail!(
            "more than the secrets changed on `{script}`: somebody deployed it at the same moment; compare its newest version with `{was}`, the one before, and roll back if it is not meant"
        );
    }
    Ok(())
}

/// Replaces the script's tags. They are no part of a version: nothing restarts.
pub async fn tag(
    cloudflare: &Cloudflare,
    script: &str,
    tags: &BTreeSet<String>,
) -> anyhow::Result<()> {
    let path = cloudflare.of_account(&format!("workers/scripts/{script}/script-settings"));
    cloudflare
        .send::<IgnoredAny>(Method::PATCH, &path, Repeat::Safe, &json!({ "tags": tags }))
        .await
        .with_context(|| format!("noting on `{script}` how far the rotation is"))?;
    Ok(())
}

/// The newest `most` versions of a script, the newest first.
pub async fn history(
    cloudflare: &Cloudflare,
    script: &str,
    most: usize,
) -> anyhow::Result<Vec<Past>> {
    let path = |rest: &str| cloudflare.of_account(&format!("workers/scripts/{script}/{rest}"));
    let versions: Versions = cloudflare.get(&path("versions")).await?;
    let newest = versions.items.into_iter().take(most).map(async |item| {
        let path = path(&format!("versions/{}", item.id));
        let version: Version = cloudflare.get(&path).await?;
        let created = item.metadata.created_on.unwrap_or_default();
        let created_on = humantime::parse_rfc3339(&created)
            .with_context(|| format!("`{created}` is not the time of a version"))?;
        let by = item.annotations.unwrap_or_default();
        let made_by = match by.get("workers/triggered_by").and_then(Json::as_str) {
            Some("secret") => MadeBy::Secrets,
            _ => MadeBy::Upload,
        };
        anyhow::Ok(Past {
            created_on,
            secrets: divided(version).0,
            made_by,
        })
    });
    futures_util::future::try_join_all(newest).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(secrets: &[&str], rest: Json) -> Holding {
        Holding {
            live: vec!["v1".to_owned()],
            latest: Some("v1".to_owned()),
            secrets: secrets.iter().map(|&name| name.to_owned()).collect(),
            rest,
            tags: BTreeSet::new(),
        }
    }

    #[test]
    fn a_change_of_more_than_the_secrets_is_found() {
        let value = Value::new("x".to_owned());
        let changes = Changes::from([("A", Some(&value)), ("B", None)]);
        let before = holding(&["B", "C"], json!({ "etag": 1 }));
        let result = |after: &Holding| check("s", &before, &changes, after).is_ok();
        assert!(result(&holding(&["A", "C"], json!({ "etag": 1 }))));
        assert!(!result(&holding(&["A", "C"], json!({ "etag": 2 }))));
        assert!(!result(&holding(&["A"], json!({ "etag": 1 }))));
    }

    #[test]
    fn a_script_is_settled_when_all_traffic_has_the_newest_version() {
        let mut live = holding(&[], Json::Null);
        assert_eq!(live.settled(), Some("v1"));
        live.latest = Some("v2".to_owned());
        assert_eq!(live.settled(), None);
    }

    #[test]
    fn no_error_and_no_debug_form_holds_a_value() {
        let value = Value::new("hunter2".to_owned());
        let changes = Changes::from([("A", Some(&value))]);
        let error = check(
            "s",
            &holding(&[], Json::Null),
            &changes,
            &holding(&[], Json::Null),
        )
        .unwrap_err();
        assert!(!format!("{error:?}{changes:?}").contains("hunter2"));
    }
}
