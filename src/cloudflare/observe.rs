//! Reads everything that a manifest governs. Sends nothing but GETs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value as Json;

use super::client::{Cloudflare, Repeat};
use super::envelope;
use super::error::ApiError;
use super::wire::{
    Deployment, Domain, Namespace, Resources, Route, ScriptSettings, Subdomain, Version,
    VersionItem, Zone,
};
use crate::bundle;
use crate::environment::Environment;
use crate::plan::{Kept, Live, LiveDomain, LiveRoute, LiveVersion, Observed, Share};
use crate::script::Binding;

/// More than an account has, and what wrangler asks for.
const NAMESPACES_PER_PAGE: u32 = 1000;
/// A script keeps a hundred versions that can be deployed; older ones are on further pages.
const VERSIONS_PER_PAGE: u32 = 100;

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
        cloudflare.list::<Namespace>(&objects, NAMESPACES_PER_PAGE),
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
    let path = format!("/zones?name={name}&account.id={}", cloudflare.account());
    let zones: Vec<Zone> = cloudflare.get_list(&path).await?;
    zones.into_iter().next().map(|zone| zone.id).with_context(|| {
        format!(
            "the account `{}` has no zone `{name}`; correct `cloudflare.zone` in the manifest, or give the API token Zone Read on it",
            cloudflare.account()
        )
    })
}

/// A version as the list of versions shows it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub id: String,
    /// `workers/tag`
    pub tag: Option<String>,
    /// `workers/message`
    pub message: Option<String>,
    /// When it was made, RFC 3339.
    pub created_on: String,
}

/// The versions of a script, the newest first; none when it does not exist.
pub async fn versions(cloudflare: &Cloudflare, script: &str) -> anyhow::Result<Vec<Listed>> {
    let path = cloudflare.of_account(&format!("workers/scripts/{script}/versions"));
    let items = match cloudflare
        .list::<VersionItem>(&path, VERSIONS_PER_PAGE)
        .await
    {
        Err(error) if error.downcast_ref().is_some_and(ApiError::is_absent) => Vec::new(),
        result => result?,
    };
    Ok(items
        .into_iter()
        .map(|item| Listed {
            tag: item.annotations.tag,
            message: item.annotations.message,
            created_on: item.metadata.created_on,
            id: item.id,
        })
        .collect())
}

/// A deployment: when it was made, and the versions that got traffic, the largest share first.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// RFC 3339.
    pub created_on: String,
    /// Version ids and percentages.
    pub shares: Vec<(String, f64)>,
}

/// The deployments of a script, the newest first; `None` when the script does not exist.
pub async fn deployments(
    cloudflare: &Cloudflare,
    script: &str,
) -> anyhow::Result<Option<Vec<Deployed>>> {
    let path = cloudflare.of_account(&format!("workers/scripts/{script}/deployments"));
    match cloudflare.get_list::<Deployment>(&path).await {
        Err(error) if error.downcast_ref().is_some_and(ApiError::is_absent) => Ok(None),
        list => Ok(Some(list?.into_iter().map(deployed).collect())),
    }
}

pub(super) fn deployed(deployment: Deployment) -> Deployed {
    let mut shares: Vec<(String, f64)> = deployment
        .versions
        .into_iter()
        .map(|share| (share.version_id, share.percentage))
        .collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    Deployed {
        created_on: deployment.created_on,
        shares,
    }
}

/// The ids of the versions that get traffic now, the largest share first; none when the script does not exist.
pub async fn live(cloudflare: &Cloudflare, script: &str) -> anyhow::Result<Vec<String>> {
    let newest = deployments(cloudflare, script)
        .await?
        .unwrap_or_default()
        .into_iter()
        .next();
    Ok(newest.map_or(Vec::new(), |newest| {
        newest.shares.into_iter().map(|(id, _)| id).collect()
    }))
}

/// The zone's routes.
pub(super) async fn routes(
    cloudflare: &Cloudflare,
    zone_id: &str,
) -> anyhow::Result<Vec<LiveRoute>> {
    let routes: Vec<Route> = cloudflare
        .get_list(&format!("/zones/{zone_id}/workers/routes"))
        .await?;
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
    let domains_path = cloudflare.of_account(&format!("workers/domains?zone_id={id}"));
    let (routes, domains) = tokio::try_join!(
        routes(cloudflare, &id),
        cloudflare.get_list::<Domain>(&domains_path),
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
    let newest = deployments(cloudflare, name)
        .await?
        .unwrap_or_default()
        .into_iter()
        .next();
    let Some(shares) = newest.map(|newest| newest.shares) else {
        return Ok(None);
    };
    let Some((first, _)) = shares.first() else {
        return Ok(None);
    };
    let path = |rest: &str| cloudflare.of_account(&format!("workers/scripts/{name}/{rest}"));
    let paths = [
        path(&format!("versions/{first}")),
        path("script-settings"),
        path("subdomain"),
    ];
    let (active, versions, settings, subdomain) = tokio::try_join!(
        cloudflare.get::<Version>(&paths[0]),
        versions(cloudflare, name),
        cloudflare.get::<ScriptSettings>(&paths[1]),
        cloudflare.get::<Subdomain>(&paths[2]),
    )?;
    let tag_of = |id: &str| {
        versions
            .iter()
            .find(|version| version.id == id)
            .and_then(|version| version.tag.clone())
    };
    let split = shares
        .iter()
        .map(|(id, percentage)| Share {
            version_id: id.clone(),
            tag: tag_of(id),
            percentage: *percentage,
        })
        .collect();
    let latest = versions
        .into_iter()
        .next()
        .map(|newest| (newest.id, newest.tag));
    let tag = active.annotations.tag;
    let code = match tag.as_deref().and_then(bundle::code_of_tag) {
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
            ..version(name, active.resources)
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
pub(super) fn version(script: &str, resources: Resources) -> LiveVersion {
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
    let answer = match cloudflare.raw(&path, Repeat::Safe).await {
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
    Ok(bundle::code_of_multipart(&answer.body, boundary.trim_matches('"')).await)
}

impl Cloudflare {
    /// The address at which a sandbox serves the routes' hosts; `None` when the API is not a sandbox's.
    pub async fn ingress(&self) -> anyhow::Result<Option<std::net::SocketAddr>> {
        #[derive(Deserialize)]
        struct Sandbox {
            ingress: std::net::SocketAddr,
        }
        match self.raw("/sandbox", Repeat::Never).await {
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
}
