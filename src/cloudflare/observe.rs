//! Reads everything that a manifest governs. Sends nothing but GETs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::client::{Cloudflare, Repeat};
use super::envelope;
use super::error::ApiError;
use super::page::{Pages, or_nothing};
use super::path::with_query;
use super::wire::{
    Deployment, Domain, Namespace, Resources, Route, ScriptSettings, Subdomain, Version,
    VersionItem, Zone,
};
use crate::build;
use crate::environment::Environment;
use crate::environment::script::Binding;
use crate::http::body;
use crate::plan::{Kept, Live, LiveDomain, LiveRoute, LiveVersion, Observed, Share};

/// More than an account has, and what wrangler asks for.
const NAMESPACES_PER_PAGE: u32 = 1000;
/// The most that the API gives of versions and deployments (SDK); it gives ten when it is not asked.
const HISTORY_PER_PAGE: u32 = 100;

/// More than the modules of a script have: 64 MB before compression (docs: Workers, Limits, "Worker size").
const MODULES: usize = 72 * 1024 * 1024;

/// Reads what is live of `environment`.
pub async fn observe(
    cloudflare: &Cloudflare,
    environment: &Environment,
) -> anyhow::Result<Observed> {
    let (room, gateway) = (environment.room_script(), environment.gateway_script());
    let objects = cloudflare.of_account("workers/durable_objects/namespaces");
    let (room_live, gateway_live, zone, namespaces) = tokio::try_join!(
        script(cloudflare, &room),
        script(cloudflare, &gateway),
        zone_hosts(cloudflare, environment.zone.as_str()),
        Pages::<Namespace>::new(cloudflare, objects)
            .sized(NAMESPACES_PER_PAGE)
            .all(),
    )
    .with_context(|| format!("reading what is live of `{}`", environment.name))?;
    let mut classes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for namespace in namespaces {
        if let (Some(script), Some(class)) = (namespace.script, namespace.class)
            && (script == room || script == gateway)
        {
            classes.entry(script).or_default().insert(class);
        }
    }
    let (routes, domains) = zone;
    let scripts = [(room, room_live), (gateway, gateway_live)]
        .into_iter()
        .filter_map(|(name, live)| Some((name, live?)))
        .collect();
    Ok(Observed {
        scripts,
        routes,
        domains,
        classes,
    })
}

/// The id of the zone `name` in the account.
pub(super) async fn zone_id(cloudflare: &Cloudflare, name: &str) -> anyhow::Result<String> {
    let pairs = [("name", name), ("account.id", cloudflare.account())];
    let path = with_query("/zones", &pairs);
    let is_it = |zone: &Zone| zone.name.as_ref().is_none_or(|other| other == name);
    let zone = Pages::<Zone>::new(cloudflare, path).find(is_it).await?;
    zone.map(|zone| zone.id).with_context(|| {
        format!(
            "the account `{}` has no zone `{name}`; correct `cloudflare.zone` in the manifest, or give the API token Zone Read on it",
            cloudflare.account()
        )
    })
}

/// A version without what is in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "VersionItem")]
pub struct Listed {
    pub id: String,
    /// `workers/tag`
    pub tag: Option<String>,
    /// `workers/message`
    pub message: Option<String>,
    /// When it was made, RFC 3339.
    pub created_on: String,
}

impl From<VersionItem> for Listed {
    fn from(item: VersionItem) -> Self {
        Self {
            id: item.id,
            tag: item.annotations.tag,
            message: item.annotations.message,
            created_on: item.metadata.created_on,
        }
    }
}

/// The versions of a script, the newest first. There can be thousands.
pub fn versions<'a>(cloudflare: &'a Cloudflare, script: &str) -> Pages<'a, Listed> {
    list_of(cloudflare, script, "versions").sized(HISTORY_PER_PAGE)
}

/// At least `count` of the newest versions of a script, the newest first, or all; none when it does not exist.
pub async fn newest_versions(
    cloudflare: &Cloudflare,
    script: &str,
    count: usize,
) -> anyhow::Result<Vec<Listed>> {
    or_nothing(list_of(cloudflare, script, "versions").first(count).await)
}

/// The newest version of a script, which need not be deployed; `None` when it does not exist.
pub async fn newest_version(
    cloudflare: &Cloudflare,
    script: &str,
) -> anyhow::Result<Option<Listed>> {
    let newest = newest_versions(cloudflare, script, 1).await?;
    Ok(newest.into_iter().next())
}

/// The version `id` of a script; `None` when it has none of that id.
pub async fn version(
    cloudflare: &Cloudflare,
    script: &str,
    id: &str,
) -> anyhow::Result<Option<Listed>> {
    // Another text than the API's ids could name something else in a path
    if uuid::Uuid::parse_str(id).is_err() {
        return Ok(None);
    }
    let path = cloudflare.of_account(&format!("workers/scripts/{script}/versions/{id}"));
    cloudflare.find(&path).await
}

fn list_of<'a, T: DeserializeOwned>(
    cloudflare: &'a Cloudflare,
    script: &str,
    list: &str,
) -> Pages<'a, T> {
    let path = cloudflare.of_account(&format!("workers/scripts/{script}/{list}"));
    Pages::new(cloudflare, path)
}

/// A deployment: when it was made, and the versions that got traffic, the largest share first.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Deployment")]
pub struct Deployed {
    /// RFC 3339.
    pub created_on: String,
    /// Version ids and percentages.
    pub shares: Vec<(String, f64)>,
}

impl From<Deployment> for Deployed {
    fn from(deployment: Deployment) -> Self {
        let mut shares: Vec<(String, f64)> = deployment
            .versions
            .into_iter()
            .map(|share| (share.version_id, share.percentage))
            .collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        Self {
            created_on: deployment.created_on,
            shares,
        }
    }
}

/// The deployments of a script, the newest first. There can be thousands.
pub fn deployments<'a>(cloudflare: &'a Cloudflare, script: &str) -> Pages<'a, Deployed> {
    list_of(cloudflare, script, "deployments").sized(HISTORY_PER_PAGE)
}

/// The split that a script has now: version ids and percentages, the largest first; none when it does not exist.
pub async fn split(cloudflare: &Cloudflare, script: &str) -> anyhow::Result<Vec<(String, f64)>> {
    let newest: Vec<Deployed> =
        or_nothing(list_of(cloudflare, script, "deployments").first(1).await)?;
    let newest = newest.into_iter().next();
    Ok(newest.map(|newest| newest.shares).unwrap_or_default())
}

/// The ids of the versions that get traffic now, the largest share first; none when the script does not exist.
pub async fn live(cloudflare: &Cloudflare, script: &str) -> anyhow::Result<Vec<String>> {
    let split = split(cloudflare, script).await?;
    Ok(split.into_iter().map(|(id, _)| id).collect())
}

/// The zone's routes.
pub(super) async fn routes(
    cloudflare: &Cloudflare,
    zone_id: &str,
) -> anyhow::Result<Vec<LiveRoute>> {
    let path = format!("/zones/{zone_id}/workers/routes");
    let routes: Vec<Route> = Pages::new(cloudflare, path).all().await?;
    Ok(routes
        .into_iter()
        .map(|route| LiveRoute {
            id: route.id,
            pattern: route.pattern,
            script: route.script,
        })
        .collect())
}

async fn zone_hosts(
    cloudflare: &Cloudflare,
    zone: &str,
) -> anyhow::Result<(Vec<LiveRoute>, Vec<LiveDomain>)> {
    let id = zone_id(cloudflare, zone).await?;
    let domains_path = cloudflare.of_account(&with_query("workers/domains", &[("zone_id", &id)]));
    let (routes, domains) = tokio::try_join!(
        routes(cloudflare, &id),
        Pages::<Domain>::new(cloudflare, domains_path).all(),
    )?;
    let domains = domains
        .into_iter()
        .map(|domain| LiveDomain {
            id: domain.id,
            hostname: domain.hostname,
            script: domain.service,
        })
        .collect();
    Ok((routes, domains))
}

async fn script(cloudflare: &Cloudflare, name: &str) -> anyhow::Result<Option<Live>> {
    let shares = split(cloudflare, name).await?;
    let Some(((first, _), others)) = shares.split_first() else {
        return Ok(None);
    };
    let path = |rest: &str| cloudflare.of_account(&format!("workers/scripts/{name}/{rest}"));
    let paths = [
        path(&format!("versions/{first}")),
        path("script-settings"),
        path("subdomain"),
    ];
    let others = others.iter().map(async |(id, _)| {
        let path = path(&format!("versions/{id}"));
        cloudflare.get::<VersionItem>(&path).await
    });
    let (active, others, latest, settings, subdomain) = tokio::try_join!(
        cloudflare.get::<Version>(&paths[0]),
        try_join_all(others),
        newest_version(cloudflare, name),
        cloudflare.get::<ScriptSettings>(&paths[1]),
        cloudflare.get::<Subdomain>(&paths[2]),
    )?;
    let tags = others.into_iter().map(|other| other.annotations.tag);
    let tags = std::iter::once(active.annotations.tag.clone()).chain(tags);
    let split = shares
        .iter()
        .zip(tags)
        .map(|((id, percentage), tag)| Share {
            version_id: id.clone(),
            tag,
            percentage: *percentage,
        })
        .collect();
    let latest = latest.map(|newest| (newest.id, newest.tag));
    let tag = active.annotations.tag;
    let code = match tag.as_deref().and_then(build::code_of_tag) {
        Some(code) => Some(code.to_owned()),
        // A version that wrangler, the dashboard or a change of secrets made has no tag of ours: its modules are read
        // back. Only the newest version's can be
        None if latest.as_ref().is_some_and(|(id, _)| id == first) => {
            content(cloudflare, name).await?
        }
        None => None,
    };
    Ok(Some(Live {
        active: LiveVersion {
            id: first.clone(),
            tag,
            code,
            ..uploaded(name, active.resources)
        },
        latest,
        tags: settings.tags,
        observability: settings.observability.enabled,
        kept: Kept {
            observability: settings.observability.rest,
            logpush: settings.logpush,
            tail_consumers: settings.tail_consumers,
        },
        workers_dev: subdomain.enabled,
        previews: subdomain.previews_enabled,
        split,
    }))
}

/// The Durable Object migration that a version runs on.
pub async fn migration_tag(
    cloudflare: &Cloudflare,
    script: &str,
    version: &str,
) -> anyhow::Result<Option<String>> {
    let path = cloudflare.of_account(&format!("workers/scripts/{script}/versions/{version}"));
    let version: Version = cloudflare.get(&path).await?;
    Ok(version.resources.script_runtime.migration_tag)
}

/// What a version was uploaded with.
pub(super) fn uploaded(script: &str, resources: Resources) -> LiveVersion {
    let runtime = resources.script_runtime;
    let mut live = LiveVersion {
        compatibility_date: runtime.compatibility_date,
        compatibility_flags: runtime.compatibility_flags,
        cpu_ms: runtime.limits.cpu_ms,
        placement: resources.script.placement_mode,
        migration_tag: runtime.migration_tag,
        ..LiveVersion::default()
    };
    for binding in resources.bindings {
        let Some(name) = binding.name().map(ToOwned::to_owned) else {
            continue;
        };
        if binding.is_secret() {
            live.secrets.insert(name);
        } else {
            live.bindings.insert(name, comparable(script, binding.0));
        }
    }
    live
}

/// A binding with the fields that this tool sends: what the API adds, like the id of a class's namespace, is no difference.
/// One of a kind that this tool never sends stays as it is, but for its name, which is the key.
fn comparable(script: &str, mut binding: Json) -> Json {
    match Binding::deserialize(&binding) {
        Ok(Binding::DurableObjectNamespace {
            class_name,
            script_name,
        }) => {
            let script_name = script_name.filter(|owner| owner != script);
            plain(&Binding::DurableObjectNamespace {
                class_name,
                script_name,
            })
        }
        Ok(known) => plain(&known),
        Err(_) => {
            if let Some(fields) = binding.as_object_mut() {
                fields.remove("name");
            }
            binding
        }
    }
}

fn plain(binding: &Binding) -> Json {
    serde_json::to_value(binding).expect("bindings are plain data")
}

/// The content hash of the modules of the newest version: `GET scripts/S/content/v2` answers with multipart form data.
async fn content(cloudflare: &Cloudflare, script: &str) -> anyhow::Result<Option<String>> {
    let path = cloudflare.of_account(&format!("workers/scripts/{script}/content/v2"));
    let answer = match cloudflare.raw(&path, Repeat::Safe, MODULES).await {
        Err(error) if error.downcast_ref().is_some_and(ApiError::is_absent) => return Ok(None),
        result => result?,
    };
    let kind = answer
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok());
    let Some(boundary) = kind.and_then(|kind| kind.split("boundary=").nth(1)) else {
        return Ok(None);
    };
    Ok(build::code_of_multipart(&answer.body, boundary.trim_matches('"')).await)
}

impl Cloudflare {
    /// The address at which a sandbox serves the routes' hosts; `None` when the API is not a sandbox's.
    pub async fn ingress(&self) -> anyhow::Result<Option<std::net::SocketAddr>> {
        #[derive(Deserialize)]
        struct Sandbox {
            ingress: std::net::SocketAddr,
        }
        match self.raw("/sandbox", Repeat::Never, body::JSON).await {
            Ok(answer) => Ok(envelope::parse(&answer.body)
                .and_then(|answer| serde_json::from_value(answer).ok())
                .map(|sandbox: Sandbox| sandbox.ingress)),
            // Whatever another server says to a path that it does not have
            Err(error)
                if error
                    .downcast_ref()
                    .is_some_and(|error: &ApiError| error.status != 0) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::paged::{self, Account, Made, Story, environment};
    use super::*;

    #[test]
    fn what_the_api_adds_to_a_binding_is_no_difference() {
        for (live, compared) in [
            (
                json!({ "name": "R", "type": "durable_object_namespace", "class_name": "Room", "namespace_id": "1", "script_name": "own" }),
                json!({ "type": "durable_object_namespace", "class_name": "Room" }),
            ),
            (
                json!({ "name": "R", "type": "durable_object_namespace", "class_name": "Room", "script_name": "other", "environment": "production" }),
                json!({ "type": "durable_object_namespace", "class_name": "Room", "script_name": "other" }),
            ),
            (
                json!({ "name": "L", "type": "ratelimit", "namespace_id": "7", "simple": { "limit": 1, "period": 60, "mitigation": 0 }, "id": "x" }),
                json!({ "type": "ratelimit", "namespace_id": "7", "simple": { "limit": 1, "period": 60 } }),
            ),
            (
                json!({ "name": "S", "type": "json", "json": { "extra": 1 }, "part": "x" }),
                json!({ "type": "json", "json": { "extra": 1 } }),
            ),
            (
                json!({ "name": "V", "type": "version_metadata", "new": true }),
                json!({ "type": "version_metadata" }),
            ),
            // Not one of ours: what it is cannot be told from what was added
            (
                json!({ "name": "K", "type": "kv_namespace", "namespace_id": "1" }),
                json!({ "type": "kv_namespace", "namespace_id": "1" }),
            ),
        ] {
            assert_eq!(comparable("own", live), compared);
        }
    }

    /// `count` versions with tags of their own, a deployment of every tenth, and at last a split between the 5th and the newest.
    fn story(count: u64) -> Story {
        let mut story = Story::default();
        for minute in 0..count {
            let tag = Some(format!("tag {minute}"));
            let made = Made {
                tag,
                ..Made::default()
            };
            let id = story.make(minute, made);
            if minute % 10 == 0 {
                story.deploy(minute, &[(&id, 100.0)]);
            }
        }
        let shares = [(paged::id(5), 90.0), (paged::id(count - 1), 10.0)];
        story.deploy(
            count,
            &shares.each_ref().map(|(id, share)| (id.as_str(), *share)),
        );
        story
    }

    #[tokio::test]
    async fn what_is_live_is_read_in_as_few_calls_whatever_the_history_and_its_pages_are() {
        for paging in paged::pagings() {
            let mut calls = Vec::new();
            for count in [7, 3000] {
                let scripts = ["w-e", "w-e-room"].map(|name| (name.to_owned(), story(count)));
                let account = Account::start(scripts.into(), paging).await;
                let observed = observe(&account.cloudflare, &environment()).await.unwrap();
                let live = &observed.scripts["w-e"];
                let split = live.split.iter().map(|share| {
                    let tag = share.tag.as_deref().unwrap();
                    (share.version_id.clone(), tag, share.percentage)
                });
                let newest = format!("tag {}", count - 1);
                assert_eq!(
                    split.collect::<Vec<_>>(),
                    [
                        (paged::id(5), "tag 5", 90.0),
                        (paged::id(count - 1), newest.as_str(), 10.0)
                    ],
                    "{paging:?}"
                );
                let latest = (paged::id(count - 1), Some(newest.clone()));
                assert_eq!(live.latest, Some(latest), "{paging:?}");
                calls.push(account.calls().len());
            }
            // Four of the account, and of each script its split, two versions, the newest one, and two sorts of settings
            assert_eq!(calls, [16, 16], "{paging:?}");
        }
    }

    #[tokio::test]
    async fn a_history_is_read_whole_whatever_its_pages_are() {
        for paging in paged::pagings() {
            let account = Account::start([("S".to_owned(), story(230))].into(), paging).await;
            let versions = versions(&account.cloudflare, "S").all().await.unwrap();
            let ids: Vec<String> = versions.into_iter().map(|listed| listed.id).collect();
            assert_eq!(
                ids,
                (0..230).rev().map(paged::id).collect::<Vec<_>>(),
                "{paging:?}"
            );
            let deployments = deployments(&account.cloudflare, "S").all().await.unwrap();
            assert_eq!(deployments.len(), 24, "{paging:?}");
        }
    }
}
