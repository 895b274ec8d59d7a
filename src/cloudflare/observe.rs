//! Reads everything that a manifest governs. Sends nothing but GETs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use anyhow::Context;
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::client::{Cloudflare, Repeat};
use super::code;
use super::envelope;
use super::error::{ApiError, found};
use super::namespaces;
use super::page::Pages;
use super::path::{self, with_query};
use super::wire::{Resources, Sandbox, ScriptSettings, Subdomain, Version};
use super::zone::{self, zone};
use crate::environment::Environment;
use crate::environment::script::{self, Binding, Script};
use crate::http::body;
use crate::plan::foreign;
use crate::plan::history::{Deployed, Extent, Listed};
use crate::plan::pair::{self, Pair, Tagged};
use crate::plan::{
    Kept, Live, LiveDomain, LiveRoute, LiveVersion, Observed, Split, ownership, version_tag,
};

/// The most that the API gives of versions and deployments (SDK); it gives ten when it is not asked.
pub(super) const HISTORY_PER_PAGE: u32 = 100;

/// Reads what is live of `environment`.
pub async fn observe(
    cloudflare: &Cloudflare,
    environment: &Environment,
) -> anyhow::Result<Observed> {
    let (room, gateway) = (environment.room_script(), environment.gateway_script());
    let (room_live, gateway_live, of_zone, namespaces) = tokio::try_join!(
        script(cloudflare, &room),
        script(cloudflare, &gateway),
        of_zone(cloudflare, environment),
        namespaces::all(cloudflare),
    )
    .with_context(|| format!("reading what is live of `{}`", environment.name))?;
    let mut classes = namespaces::classes(namespaces);
    let others = in_the_way(environment, &gateway, &of_zone.routes, &of_zone.domains);
    let owner = environment.owner.as_ref().map(ToString::to_string);
    let kin = kin(cloudflare, others, &classes, owner.as_deref()).await?;
    classes.retain(|script, _| *script == room || *script == gateway);
    let scripts = [(room, room_live), (gateway, gateway_live)]
        .into_iter()
        .filter_map(|(name, live)| Some((name, live?)))
        .collect();
    Ok(Observed {
        scripts,
        classes,
        kin,
        ..of_zone
    })
}

/// Refuses an environment that has a script of somebody else in the place of one of its own.
pub(crate) async fn ours(cloudflare: &Cloudflare, environment: &Environment) -> anyhow::Result<()> {
    let tagged = async |wanted: Script| {
        let path = cloudflare.of_script(&wanted.name, "script-settings");
        let settings = cloudflare.find::<ScriptSettings>(&path).await;
        let settings =
            settings.with_context(|| format!("reading the tags of `{}`", wanted.name))?;
        match settings {
            Some(live) => ownership::ours(&wanted, &live.tags),
            None => Ok(()),
        }
    };
    // Both to their end, so that of two failures the same one is told each time
    let (gateway, room) = tokio::join!(
        tagged(script::gateway(environment)),
        tagged(script::room(environment)),
    );
    gateway.and(room)
}

/// The other scripts that serve a wanted host.
fn in_the_way(
    environment: &Environment,
    gateway: &str,
    routes: &[LiveRoute],
    domains: &[LiveDomain],
) -> BTreeSet<String> {
    let hosts = &environment.hosts;
    let is_wanted = |route: &&LiveRoute| hosts.iter().any(|it| route.is_for(&it.pattern()));
    let routes = routes.iter().filter(is_wanted);
    let routes = routes.filter_map(|route| route.script.clone());
    let domains = domains
        .iter()
        .filter(|domain| hosts.iter().any(|it| it.host.as_str() == domain.hostname));
    let domains = domains.map(|domain| domain.script.clone());
    let owners = routes.chain(domains);
    // What is no script's name cannot be asked for, and is not of this tool
    let nameable = owners.filter(|owner| path::is_id(owner));
    nameable.filter(|owner| owner != gateway).collect()
}

/// Those of some scripts that are gateways of this tool: one call for each, and there is hardly ever one.
async fn kin(
    cloudflare: &Cloudflare,
    scripts: BTreeSet<String>,
    classes: &BTreeMap<String, BTreeSet<String>>,
    owner: Option<&str>,
) -> anyhow::Result<BTreeSet<String>> {
    let tagged = scripts.into_iter().map(async |name| {
        let path = cloudflare.of_script(&name, "script-settings");
        let settings: Option<ScriptSettings> = cloudflare.find(&path).await?;
        let tags = settings.unwrap_or_default().tags;
        anyhow::Ok(Tagged { name, tags })
    });
    let tagged = try_join_all(tagged).await?;
    let deployed = pair::deployed(&tagged, classes, owner);
    let gateways: BTreeSet<String> = deployed.iter().map(Pair::gateway).collect();
    let names = tagged.into_iter().map(|script| script.name);
    Ok(names.filter(|name| gateways.contains(name)).collect())
}

/// The id of the zone `name` in the account.
pub(super) async fn zone_id(cloudflare: &Cloudflare, name: &str) -> anyhow::Result<String> {
    Ok(zone(cloudflare, name).await?.id)
}

/// The versions of a script, the newest first. There can be thousands.
pub fn versions<'a>(cloudflare: &'a Cloudflare, script: &str) -> Pages<'a, Listed> {
    list_of(cloudflare, script, "versions").sized(HISTORY_PER_PAGE)
}

/// At least `count` of the newest versions of a script, the newest first, or all; none when it does not exist.
async fn newest_versions(
    cloudflare: &Cloudflare,
    script: &str,
    count: usize,
) -> anyhow::Result<(Vec<Listed>, Extent)> {
    let mut versions = versions(cloudflare, script);
    let newest = found(versions.first(count).await)?.unwrap_or_default();
    let read = if versions.is_over() {
        Extent::All
    } else {
        Extent::Newest
    };
    Ok((newest, read))
}

/// The newest version of a script, which need not be deployed; `None` when it does not exist.
pub(crate) async fn newest_version(
    cloudflare: &Cloudflare,
    script: &str,
) -> anyhow::Result<Option<Listed>> {
    let mut versions = list_of(cloudflare, script, "versions");
    let newest = found(versions.first(1).await)?.unwrap_or_default();
    Ok(newest.into_iter().next())
}

/// The version `id` of a script; `None` when it has none of that id.
pub(crate) async fn version(
    cloudflare: &Cloudflare,
    script: &str,
    id: &str,
) -> anyhow::Result<Option<Listed>> {
    // Another text than the API's ids could name something else in a path
    if uuid::Uuid::parse_str(id).is_err() {
        return Ok(None);
    }
    cloudflare.find(&path_of(cloudflare, script, id)).await
}

fn path_of(cloudflare: &Cloudflare, script: &str, version: &str) -> String {
    cloudflare.of_script(script, &format!("versions/{version}"))
}

/// What is in the version `id` of a script.
pub(super) async fn resources(
    cloudflare: &Cloudflare,
    script: &str,
    id: &str,
) -> anyhow::Result<Resources> {
    Ok(whole(cloudflare, script, id).await?.resources)
}

/// The version `id` of a script, with what is in it.
pub(super) async fn whole(
    cloudflare: &Cloudflare,
    script: &str,
    id: &str,
) -> anyhow::Result<Version> {
    cloudflare.get(&path_of(cloudflare, script, id)).await
}

fn list_of<'a, T: DeserializeOwned>(
    cloudflare: &'a Cloudflare,
    script: &str,
    list: &str,
) -> Pages<'a, T> {
    Pages::new(cloudflare, cloudflare.of_script(script, list))
}

/// The deployments of a script, the newest first. There can be thousands.
pub(crate) fn deployments<'a>(cloudflare: &'a Cloudflare, script: &str) -> Pages<'a, Deployed> {
    list_of(cloudflare, script, "deployments").sized(HISTORY_PER_PAGE)
}

/// The split that a script has now; none when it does not exist.
pub(crate) async fn split(cloudflare: &Cloudflare, script: &str) -> anyhow::Result<Split> {
    let newest = newest_deployment(cloudflare, script).await?;
    Ok(newest.map(|newest| newest.split).unwrap_or_default())
}

/// When the split of a script's traffic became what it is, by Cloudflare's clock.
pub(crate) async fn split_since(
    cloudflare: &Cloudflare,
    script: &str,
) -> anyhow::Result<SystemTime> {
    let newest = newest_deployment(cloudflare, script).await?;
    let time = newest.map(|newest| newest.created_on).unwrap_or_default();
    humantime::parse_rfc3339(&time).with_context(|| {
        format!("`{time}`, the `created_on` of the newest deployment of `{script}`, is no time")
    })
}

async fn newest_deployment(
    cloudflare: &Cloudflare,
    script: &str,
) -> anyhow::Result<Option<Deployed>> {
    let mut deployments = list_of::<Deployed>(cloudflare, script, "deployments");
    let newest = found(deployments.first(1).await)?.unwrap_or_default();
    Ok(newest.into_iter().next())
}

/// The zone's routes.
pub(super) async fn routes(
    cloudflare: &Cloudflare,
    zone_id: &str,
) -> anyhow::Result<Vec<LiveRoute>> {
    let path = format!("/zones/{zone_id}/workers/routes");
    Pages::new(cloudflare, path).all().await
}

/// What is live of the zone alone.
async fn of_zone(cloudflare: &Cloudflare, environment: &Environment) -> anyhow::Result<Observed> {
    let zone = zone(cloudflare, environment.zone.as_str()).await?;
    let domains = with_query("workers/domains", &[("zone_id", &zone.id)]);
    let (routes, domains, records, certificates) = tokio::try_join!(
        routes(cloudflare, &zone.id),
        Pages::new(cloudflare, cloudflare.of_account(&domains)).all(),
        zone::records(cloudflare, &zone, environment),
        zone::certificates(cloudflare, &zone, environment),
    )?;
    Ok(Observed {
        routes,
        domains,
        records,
        certificates,
        zone: zone.live(),
        ..Observed::default()
    })
}

/// What a deployment and a change of secrets both go by: the version `active`, at least `count` of the newest ones, and the tags.
pub(super) async fn parts(
    cloudflare: &Cloudflare,
    script: &str,
    active: &str,
    count: usize,
) -> anyhow::Result<(Version, (Vec<Listed>, Extent), ScriptSettings)> {
    let paths = [
        path_of(cloudflare, script, active),
        cloudflare.of_script(script, "script-settings"),
    ];
    tokio::try_join!(
        cloudflare.get(&paths[0]),
        newest_versions(cloudflare, script, count),
        cloudflare.get(&paths[1]),
    )
}

async fn script(cloudflare: &Cloudflare, name: &str) -> anyhow::Result<Option<Live>> {
    let split = split(cloudflare, name).await?;
    let mut ids = split.versions();
    let Some(first) = ids.next() else {
        return Ok(None);
    };
    let subdomain = cloudflare.of_script(name, "subdomain");
    let ((active, (versions, versions_read), settings), subdomain) = tokio::try_join!(
        parts(cloudflare, name, first, 1),
        cloudflare.get::<Subdomain>(&subdomain),
    )?;
    let others = ids.map(async |id| {
        if let Some(listed) = versions.iter().find(|listed| listed.id == id) {
            return Ok(listed.tag.clone());
        }
        let path = path_of(cloudflare, name, id);
        let other = cloudflare.get::<Listed>(&path).await;
        other.map(|other| other.tag)
    });
    let others = try_join_all(others).await?;
    let tag = active.annotations.tag;
    let latest = versions.first();
    let code = match tag.as_deref().and_then(version_tag::code) {
        Some(code) => Some(code.to_owned()),
        // A version that wrangler, the dashboard or a change of secrets made has no tag of ours: its modules are read back
        None => {
            let code = code::read(cloudflare, name, first).await?;
            code.and_then(|code| code.name())
        }
    };
    let rest = active.resources.without_secrets();
    Ok(Some(Live {
        active: LiveVersion {
            id: first.to_owned(),
            tag: tag.clone(),
            code,
            ..uploaded(name, active.resources)
        },
        latest: latest.map(|latest| (latest.id.clone(), latest.tag.clone())),
        tags: settings.tags,
        observability: settings.observability.enabled,
        kept: Kept {
            observability: settings.observability.rest,
            logpush: settings.logpush,
            tail_consumers: settings.tail_consumers,
        },
        workers_dev: subdomain.enabled,
        previews: subdomain.previews_enabled,
        split: split.clone().tagged(std::iter::once(tag).chain(others)),
        versions,
        versions_read,
        rest,
    }))
}

/// The Durable Object migration that a version runs on.
pub(crate) async fn migration_tag(
    cloudflare: &Cloudflare,
    script: &str,
    version: &str,
) -> anyhow::Result<Option<String>> {
    let resources = resources(cloudflare, script, version).await?;
    Ok(resources.script_runtime.migration_tag)
}

/// What a version was uploaded with. Values that others wrote go no further than this.
pub(super) fn uploaded(script: &str, resources: Resources) -> LiveVersion {
    let secrets = resources.secrets();
    let bindings = resources.bindings.into_iter().filter_map(|binding| {
        let name = binding.name()?.to_owned();
        let compared = |binding| foreign::binding(script, &name, comparable(script, binding));
        (!binding.is_secret()).then(|| (name.clone(), compared(binding.0)))
    });
    let runtime = resources.script_runtime;
    LiveVersion {
        bindings: bindings.collect(),
        secrets,
        compatibility_date: runtime.compatibility_date,
        compatibility_flags: runtime.compatibility_flags,
        cpu_ms: runtime.limits.cpu_ms,
        placement: resources.script.placement_mode,
        migration_tag: runtime.migration_tag,
        ..LiveVersion::default()
    }
}

/// A binding with the fields that this tool sends: what the API adds, like the id of a class's namespace, is no difference.
/// One of a kind that this tool never sends stays as it is, but for its name, which is the key.
fn comparable(script: &str, mut binding: Json) -> Json {
    match Binding::deserialize(&binding) {
        Ok(mut known) => {
            if let Binding::DurableObjectNamespace { script_name, .. } = &mut known
                && script_name.as_deref() == Some(script)
            {
                *script_name = None;
            }
            json!(known)
        }
        Err(_) => {
            if let Some(fields) = binding.as_object_mut() {
                fields.remove("name");
            }
            binding
        }
    }
}

impl Cloudflare {
    /// The address at which a sandbox serves the routes' hosts; `None` when the API is not a sandbox's.
    pub async fn ingress(&self) -> anyhow::Result<Option<std::net::SocketAddr>> {
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
                    (share.version_id.clone(), tag, share.percentage.to_string())
                });
                let newest = format!("tag {}", count - 1);
                assert_eq!(
                    split.collect::<Vec<_>>(),
                    [
                        (paged::id(5), "tag 5", "90".to_owned()),
                        (paged::id(count - 1), newest.as_str(), "10".to_owned())
                    ],
                    "{paging:?}"
                );
                let latest = (paged::id(count - 1), Some(newest.clone()));
                assert_eq!(live.latest, Some(latest), "{paging:?}");
                calls.push(account.calls().len());
            }
            // Five of the account and the zone, and of each script its split, the active version, the newest ones, among which the other
            // one is, two sorts of settings, and the code of the version that has no tag of ours
            assert_eq!(calls, [17, 17], "{paging:?}");
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
