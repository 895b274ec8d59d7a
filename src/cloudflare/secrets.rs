//! The secrets of a live script: which there are, since when, and changes of nothing but them.
//!
//! `PATCH scripts/S/secrets-bulk` changes several in one version and deploys it at once (recorded from wrangler 4.164).

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use reqwest::Method;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use super::client::{Cloudflare, Repeat};
use super::observe;
use super::settle::settle;
use crate::secret::Value;

/// How long a change may take to be seen where it is read.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(500);
/// Versions that are read at the same time.
const AT_ONCE: usize = 20;
/// Versions that are read at most: a fifth of the calls that the API takes from one user in five minutes.
const MOST: usize = 240;

/// What a script holds, as far as its secrets go.
#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    /// The versions that get traffic, the largest share first.
    pub live: Vec<String>,
    /// The newest versions, the newest first.
    pub versions: Vec<String>,
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
}

impl Holding {
    /// The version that gets all traffic and is the newest; `None` while a change of secrets would deploy something else too.
    pub fn settled(&self) -> Option<&str> {
        match self.live.as_slice() {
            [only] if self.latest().is_none_or(|latest| latest == only) => Some(only),
            _ => None,
        }
    }

    /// The newest version.
    pub fn latest(&self) -> Option<&str> {
        self.versions.first().map(String::as_str)
    }

    /// How many versions were made since `before`; `None` when it is not among the newest any more.
    fn newer_than(&self, before: &Self) -> Option<usize> {
        let latest = before.latest()?;
        self.versions.iter().position(|version| version == latest)
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
        versions: versions.items.into_iter().map(|item| item.id).collect(),
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

/// The body of a change, which holds values.
#[derive(Serialize)]
struct Patch<'a> {
    secrets: BTreeMap<&'a str, Option<Text<'a>>>,
}

#[derive(Serialize)]
struct Text<'a> {
    name: &'a str,
    text: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// Changes secrets in one version, and makes sure that nothing else changed with them.
pub async fn change(
    cloudflare: &Cloudflare,
    script: &str,
    before: &Holding,
    changes: &Changes<'_>,
) -> anyhow::Result<Holding> {
    let body = body(changes)?;
    let path = cloudflare.of_account(&format!("workers/scripts/{script}/secrets-bulk"));
    let sent = Cell::new(0);
    let send = async || {
        sent.set(sent.get() + 1);
        cloudflare
            .call_filled::<IgnoredAny>(Method::PATCH, &path, Repeat::Never, |request| {
                request
                    .header("content-type", "application/merge-patch+json")
                    .body(body.to_vec())
            })
            .await
            .map(drop)
    };
    let now = async || {
        let now = read(cloudflare, script).await?;
        now.with_context(|| format!("`{script}` is gone"))
    };
    let done = async || {
        let made = now().await?.newer_than(before) != Some(0);
        Ok(made.then_some(()))
    };
    settle(send, done).await?;
    let until = Instant::now() + PATIENCE;
    let after = loop {
        let after = now().await?;
        // What was read may be older than what was written
        if after.newer_than(before) != Some(0) && after.settled().is_some() {
            break after;
        }
        if Instant::now() > until {
            bail!(
                "the change of the secrets of `{script}` is not deployed after {}; `edge-broadcast status` shows what is",
                humantime::format_duration(PATIENCE)
            );
        }
        tokio::time::sleep(PAUSE).await;
    };
    check(script, before, changes, &after, sent.get())?;
    Ok(after)
}

fn body(changes: &Changes<'_>) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let text = |value: Option<&Value>| value.map_or(0, |value| value.expose().len());
    let needed: usize = changes
        .iter()
        .map(|(name, value)| 2 * name.len() + 6 * text(*value) + 64)
        .sum();
    // Room for all of it from the start: a buffer that grows leaves its earlier self behind
    let mut body = Zeroizing::new(Vec::with_capacity(needed + 64));
    let secrets = changes.iter().map(|(name, value)| {
        let text = value.map(|value| Text {
            name,
            text: value.expose(),
            kind: "secret_text",
        });
        (*name, text)
    });
    let patch = Patch {
        secrets: secrets.collect(),
    };
    serde_json::to_writer(&mut *body, &patch).context("writing JSON")?;
    Ok(body)
}

/// `sent` is how often the change was sent: where answers were lost, each may have made a version.
fn check(
    script: &str,
    before: &Holding,
    changes: &Changes<'_>,
    after: &Holding,
    sent: usize,
) -> anyhow::Result<()> {
    let mut wanted = before.secrets.clone();
    for (name, value) in changes {
        match value {
            Some(_) => wanted.insert((*name).to_owned()),
            None => wanted.remove(*name),
        };
    }
    let only_ours =
        before.versions.is_empty() || after.newer_than(before).is_some_and(|made| made <= sent);
    if after.rest != before.rest || after.secrets != wanted || !only_ours {
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

/// A script's past, as far back as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The newest first.
    pub versions: Vec<Past>,
    pub end: End,
}

/// Where a history ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// With the first version.
    #[default]
    Beginning,
    /// Before it: there are older versions.
    CutOff,
}

/// Reads a script's history back until `enough` says so, or to its beginning; not further than a limit that keeps clear of the API's.
pub async fn history(
    cloudflare: &Cloudflare,
    script: &str,
    enough: impl Fn(&[Past]) -> bool,
) -> anyhow::Result<History> {
    let path = |rest: &str| cloudflare.of_account(&format!("workers/scripts/{script}/{rest}"));
    let mut versions: Vec<Past> = Vec::new();
    let mut seen = BTreeSet::new();
    for page in 1.. {
        let listed: Versions = cloudflare
            .get(&path(&format!("versions?per_page={AT_ONCE}&page={page}")))
            .await?;
        let items = listed.items.into_iter();
        // A server without pages gives the same ones again
        let fresh: Vec<Item> = items.filter(|item| seen.insert(item.id.clone())).collect();
        if fresh.is_empty() {
            return Ok(History {
                versions,
                end: End::Beginning,
            });
        }
        for some in fresh.chunks(AT_ONCE) {
            if enough(&versions) || versions.len() >= MOST {
                return Ok(History {
                    versions,
                    end: End::CutOff,
                });
            }
            let some = some.iter().map(|item| past(cloudflare, item, &path));
            versions.extend(futures_util::future::try_join_all(some).await?);
        }
    }
    unreachable!("the pages end before the numbers do")
}

async fn past(
    cloudflare: &Cloudflare,
    item: &Item,
    path: &impl Fn(&str) -> String,
) -> anyhow::Result<Past> {
    let version: Version = cloudflare
        .get(&path(&format!("versions/{}", item.id)))
        .await?;
    let created = item.metadata.created_on.as_deref().unwrap_or_default();
    let created_on = humantime::parse_rfc3339(created)
        .with_context(|| format!("`{created}` is not the time of a version"))?;
    Ok(Past {
        created_on,
        secrets: divided(version).0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(secrets: &[&str], rest: Json) -> Holding {
        Holding {
            live: vec!["v1".to_owned()],
            versions: vec!["v1".to_owned()],
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
        let result = |versions: &[&str], secrets: &[&str], etag, sent| {
            let after = Holding {
                versions: versions.iter().map(|&id| id.to_owned()).collect(),
                ..holding(secrets, json!({ "etag": etag }))
            };
            check("s", &before, &changes, &after, sent).is_ok()
        };
        assert!(result(&["v2", "v1"], &["A", "C"], 1, 1));
        assert!(!result(&["v2", "v1"], &["A", "C"], 2, 1));
        assert!(!result(&["v2", "v1"], &["A"], 1, 1));
        // A version between ours and the one before is somebody else's, unless a lost answer made us send twice
        assert!(!result(&["v3", "v2", "v1"], &["A", "C"], 1, 1));
        assert!(result(&["v3", "v2", "v1"], &["A", "C"], 1, 2));
        assert!(!result(&["v9", "v8"], &["A", "C"], 1, 9));
    }

    #[test]
    fn a_script_is_settled_when_all_traffic_has_the_newest_version() {
        let mut live = holding(&[], Json::Null);
        assert_eq!(live.settled(), Some("v1"));
        live.versions.insert(0, "v2".to_owned());
        assert_eq!(live.settled(), None);
    }

    #[test]
    fn a_change_is_sent_as_cloudflare_documents_it() {
        let value = Value::new("x\"y".to_owned());
        let changes = Changes::from([("A", Some(&value)), ("B", None)]);
        let body: Json = serde_json::from_slice(&body(&changes).unwrap()).unwrap();
        assert_eq!(
            body,
            json!({ "secrets": { "A": { "name": "A", "text": "x\"y", "type": "secret_text" }, "B": null } })
        );
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
            1,
        )
        .unwrap_err();
        assert!(!format!("{error:?}{changes:?}").contains("hunter2"));
    }
}
