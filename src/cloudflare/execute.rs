//! The writes, one function each. Each looks first that the world still is as the plan saw it.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::bail;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;

use super::client::{Cloudflare, Repeat};
use super::error::ApiError;
use super::metadata::metadata;
use super::observe;
use super::page::Pages;
use super::path::with_query;
use super::settle::settle;
use super::wire::{Domain, ScriptSettings, Version, VersionItem};
use crate::cloudflare::payload::Inputs;
use crate::environment::CodeUpdateStrategy;
use crate::plan::{Kept, Lane, OverrideDns, Step, Upload, filled};

/// Refuses to lose a binding that is inherited (recorded from wrangler 4.164).
const STRICT: &str = "bindings_inherit=strict";

/// Somebody else deployed since the plan was made, or in the same moment.
#[derive(Debug)]
pub struct Overtaken(pub String);

impl fmt::Display for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Overtaken {}

/// Uploads a version and returns its id. In the lifecycle lane it is live at once.
pub async fn upload(
    cloudflare: &Cloudflare,
    upload: &Upload,
    inputs: &Inputs,
) -> anyhow::Result<String> {
    let name = &upload.script;
    let wanted = &inputs.script(upload.role).secrets;
    let (version, live) = match &upload.lane {
        Lane::Code {
            adopt: Some(version),
            ..
        } => {
            let lost = lost(cloudflare, upload, wanted, version).await?;
            if lost.is_empty() {
                return Ok(version.clone());
            }
            if observe::live(cloudflare, name).await?.contains(version) {
                bail!(
                    "the version `{version}` of `{name}`, whose rollout is under way, lacks `{}`: `edge-broadcast rollback {}` ends the rollout, then deploy again",
                    lost.join("`, `"),
                    inputs.script(upload.role).environment
                );
            }
            (
                version_of(cloudflare, upload, inputs, Some(version)).await?,
                "the version before stays live",
            )
        }
        Lane::Code { latest, .. } => (
            version_of(cloudflare, upload, inputs, latest.as_deref()).await?,
            "the version before stays live",
        ),
        Lane::Lifecycle { replaces, .. } => {
            let now = observe::live(cloudflare, name).await?;
            if now != *replaces {
                return Err(overtaken(name, &now));
            }
            let path = cloudflare.of_account(&format!(
                "workers/scripts/{name}?excludeScript=true&{STRICT}"
            ));
            let before = replaces.first().map(String::as_str);
            let send = async || {
                let _: IgnoredAny = put(cloudflare, Method::PUT, &path, upload, inputs).await?;
                // Two first deployments at once: the later one's version is the newest
                newest(cloudflare, upload, before).await?.ok_or_else(|| {
                    Overtaken(format!(
                        "somebody else deployed `{name}` in the same moment; plan again"
                    ))
                    .into()
                })
            };
            let version = settle(send, async || newest(cloudflare, upload, before).await).await?;
            if before.is_none() {
                return Ok(version);
            }
            (version, "it is live")
        }
    };
    let lost = lost(cloudflare, upload, wanted, &version).await?;
    if let Some(first) = lost.first() {
        bail!(
            "the new version `{version}` of `{name}` lacks `{}`, and {live}; make a version that has it with `wrangler versions secret put {first} --name {name}`, then deploy again",
            lost.join("`, `"),
        );
    }
    Ok(version)
}

/// Adds a version that gets no traffic, once, whatever becomes of the answer.
async fn version_of(
    cloudflare: &Cloudflare,
    upload: &Upload,
    inputs: &Inputs,
    latest: Option<&str>,
) -> anyhow::Result<String> {
    let path = cloudflare.of_account(&format!(
        "workers/scripts/{}/versions?{STRICT}",
        upload.script
    ));
    let send = async || {
        let uploaded: VersionItem = put(cloudflare, Method::POST, &path, upload, inputs).await?;
        Ok(uploaded.id)
    };
    settle(send, async || newest(cloudflare, upload, latest).await).await
}

/// The id of the script's newest version, if it is the one of `upload` and newer than `before`.
async fn newest(
    cloudflare: &Cloudflare,
    upload: &Upload,
    before: Option<&str>,
) -> anyhow::Result<Option<String>> {
    let newest = observe::newest_version(cloudflare, &upload.script).await?;
    Ok(newest
        .filter(|newest| {
            newest.tag.as_deref() == Some(&upload.tag) && Some(newest.id.as_str()) != before
        })
        .map(|newest| newest.id))
}

/// The secrets that a version should have and does not.
async fn lost(
    cloudflare: &Cloudflare,
    upload: &Upload,
    wanted: &BTreeSet<String>,
    version: &str,
) -> anyhow::Result<Vec<String>> {
    if wanted.is_empty() && upload.inherited_secrets.is_empty() {
        return Ok(Vec::new());
    }
    let path = format!("workers/scripts/{}/versions/{version}", upload.script);
    let version: Version = cloudflare.get(&cloudflare.of_account(&path)).await?;
    let bindings = version.resources.bindings.iter();
    let has: BTreeSet<String> = bindings
        .filter_map(|binding| binding.name().map(ToOwned::to_owned))
        .collect();
    let kept = upload
        .inherited_secrets
        .iter()
        .filter(|name| !has.contains(*name));
    let filled = wanted.iter().filter(|name| !filled(name, &has));
    let lost: BTreeSet<&String> = kept.chain(filled).collect();
    Ok(lost.into_iter().cloned().collect())
}

/// A wanted split of a script's traffic.
#[derive(Clone, Copy, Debug)]
pub struct Split<'a> {
    pub script: &'a str,
    /// The version that gets `percent`; the rest stays with `from`.
    pub to: &'a str,
    pub percent: u8,
    pub from: &'a str,
    /// The split that this one replaces: version ids and percentages. Any other one is somebody else's.
    pub before: &'a [(String, f64)],
    pub message: &'a str,
    pub code_update: CodeUpdateStrategy,
    /// Whether to repeat with `force` what is refused with 10220, because a secret changed since.
    pub secrets: OldSecrets,
}

/// Whether a version may come back with the secrets that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldSecrets {
    Refuse,
    Accept,
}

/// The shares of a split: version ids and percentages.
pub fn shares(to: &str, percent: u8, from: &str) -> Vec<(String, f64)> {
    let mut shares = vec![(to.to_owned(), f64::from(percent))];
    if percent < 100 {
        shares.push((from.to_owned(), f64::from(100 - percent)));
    }
    shares
}

/// Whether two splits give the same versions the same shares.
pub fn is_same(a: &[(String, f64)], b: &[(String, f64)]) -> bool {
    let has = |(id, share): &(String, f64)| {
        b.iter()
            .any(|(other, theirs)| other == id && (theirs - share).abs() < 0.01)
    };
    a.len() == b.len() && a.iter().all(has)
}

/// Changes the split, unless it is another one by now than the one to replace.
pub async fn shift(cloudflare: &Cloudflare, wanted: Split<'_>) -> anyhow::Result<()> {
    let Split {
        script,
        to,
        percent,
        from,
        before,
        ..
    } = wanted;
    let mut versions = vec![json!({ "version_id": to, "percentage": percent })];
    if percent < 100 {
        versions.push(json!({ "version_id": from, "percentage": 100 - percent }));
    }
    let body = json!({
        "strategy": "percentage",
        "versions": versions,
        "annotations": { "workers/message": wanted.message },
        "code_update_strategy": wanted.code_update,
    });
    let path = cloudflare.of_account(&format!("workers/scripts/{script}/deployments"));
    let target = shares(to, percent, from);
    // A version without traffic may or may not be listed
    let serving = |shares: &[(String, f64)]| -> Vec<(String, f64)> {
        let idle = |(id, share): &(String, f64)| id == to && *share < 0.01;
        shares
            .iter()
            .filter(|share| !idle(share))
            .cloned()
            .collect()
    };
    let reached = async || -> anyhow::Result<Option<()>> {
        let now = observe::split(cloudflare, script).await?;
        if is_same(&now, &target) {
            return Ok(Some(()));
        }
        if is_same(&serving(&now), &serving(before)) {
            return Ok(None);
        }
        let now: Vec<String> = now.into_iter().map(|(id, _)| id).collect();
        Err(overtaken(script, &now))
    };
    if reached().await?.is_some() {
        return Ok(());
    }
    let post = async |path: &str| {
        cloudflare
            .send::<IgnoredAny>(Method::POST, path, Repeat::Never, &body)
            .await
            .map(drop)
    };
    let send = async || match post(&path).await {
        // Not at once: what else it makes the API overlook is documented nowhere
        Err(error) if wanted.secrets == OldSecrets::Accept && is_secret_change(&error) => {
            post(&format!("{path}?force=true")).await
        }
        result => result,
    };
    settle(send, &reached).await?;
    match reached().await? {
        Some(()) => Ok(()),
        None => Err(Overtaken(format!(
            "`{script}` was given another split in the same moment; plan again"
        ))
        .into()),
    }
}

/// Whether a split was refused because a secret changed since the version that is to come back.
pub fn is_secret_change(error: &anyhow::Error) -> bool {
    error
        .downcast_ref()
        .is_some_and(|error: &ApiError| error.is(&[10220]))
}

fn overtaken(script: &str, now: &[String]) -> anyhow::Error {
    let text = match now {
        [] => format!("somebody deleted `{script}` since the plan was made; plan again"),
        now => format!(
            "somebody else deployed `{script}` since the plan was made: `{}` is live; plan again",
            now.join("`, `")
        ),
    };
    Overtaken(text).into()
}

/// Performs a step that is no upload and no shift. What belongs to somebody else by now is left alone.
pub async fn execute(cloudflare: &Cloudflare, zone: &str, step: &Step) -> anyhow::Result<()> {
    match step {
        Step::Upload(_) | Step::Shift(_) => bail!("`{}` is not a step of its own", step.title()),
        Step::Settings {
            script,
            tags,
            observability,
            ..
        } => settings(cloudflare, script, tags, *observability).await,
        Step::WorkersDev {
            script, enabled, ..
        } => {
            let path = cloudflare.of_account(&format!("workers/scripts/{script}/subdomain"));
            let body = json!({ "enabled": enabled, "previews_enabled": false });
            send(cloudflare, Method::POST, &path, &body).await
        }
        Step::AddRoute { pattern, script } => {
            let zone = observe::zone_id(cloudflare, zone).await?;
            let path = format!("/zones/{zone}/workers/routes");
            let body = json!({ "pattern": pattern, "script": script });
            let add = async || {
                cloudflare
                    .send::<IgnoredAny>(Method::POST, &path, Repeat::Never, &body)
                    .await?;
                Ok(())
            };
            let added = async || {
                let routes = observe::routes(cloudflare, &zone).await?;
                match routes.into_iter().find(|route| route.pattern == *pattern) {
                    None => Ok(None),
                    Some(route) if route.script.as_ref() == Some(script) => Ok(Some(())),
                    Some(route) => Err(taken(&format!("the route `{pattern}`"), route.script)),
                }
            };
            match added().await? {
                Some(()) => Ok(()),
                None => settle(add, added).await,
            }
        }
        Step::RemoveRoute {
            id,
            pattern,
            script,
        } => {
            let zone = observe::zone_id(cloudflare, zone).await?;
            let routes = observe::routes(cloudflare, &zone).await?;
            match routes.into_iter().find(|route| route.id == *id) {
                None => Ok(()),
                Some(route) if route.script.as_ref() == Some(script) => {
                    delete(cloudflare, &format!("/zones/{zone}/workers/routes/{id}")).await
                }
                Some(route) => Err(taken(&format!("the route `{pattern}`"), route.script)),
            }
        }
        Step::AddDomain {
            hostname,
            script,
            override_dns,
        } => {
            let zone = observe::zone_id(cloudflare, zone).await?;
            let pairs = [("zone_id", zone.as_str()), ("hostname", hostname)];
            let path = cloudflare.of_account(&with_query("workers/domains", &pairs));
            let others =
                |domain: &Domain| domain.hostname == *hostname && domain.service != *script;
            // The API would take it away from its Worker without a word
            if let Some(domain) = Pages::new(cloudflare, path).find(others).await? {
                return Err(taken(
                    &format!("the custom domain `{hostname}`"),
                    Some(domain.service),
                ));
            }
            let body = json!({
                "hostname": hostname,
                "service": script,
                "environment": "production",
                "zone_id": zone,
                "override_existing_dns_record": *override_dns == OverrideDns::Allowed,
            });
            send(
                cloudflare,
                Method::PUT,
                &cloudflare.of_account("workers/domains"),
                &body,
            )
            .await
        }
        Step::RemoveDomain {
            id,
            hostname,
            script,
        } => {
            let path = cloudflare.of_account(&format!("workers/domains/{id}"));
            match cloudflare.find::<Domain>(&path).await? {
                None => Ok(()),
                Some(domain) if domain.service == *script => delete(cloudflare, &path).await,
                Some(domain) => Err(taken(
                    &format!("the custom domain `{hostname}`"),
                    Some(domain.service),
                )),
            }
        }
    }
}

fn taken(what: &str, owner: Option<String>) -> anyhow::Error {
    let owner = owner.map_or("no script".to_owned(), |owner| {
        format!("the script `{owner}`")
    });
    anyhow::anyhow!("{what} belongs to {owner} since the plan was made; plan again")
}

/// Adds tags and switches observability. Sends only what differs now: a rotation keeps its place in a tag, and whoever set how much
/// is sampled meant it.
async fn settings(
    cloudflare: &Cloudflare,
    script: &str,
    tags: &BTreeSet<String>,
    observability: bool,
) -> anyhow::Result<()> {
    let path = cloudflare.of_account(&format!("workers/scripts/{script}/script-settings"));
    let now: ScriptSettings = cloudflare.get(&path).await?;
    if !now.tags.is_superset(tags) {
        let all: BTreeSet<&String> = now.tags.union(tags).collect();
        send(cloudflare, Method::PATCH, &path, &json!({ "tags": all })).await?;
    }
    if now.observability.enabled != observability {
        let kept = Kept {
            observability: now.observability.rest,
            ..Kept::default()
        };
        let body = json!({ "observability": kept.observability(observability) });
        send(cloudflare, Method::PATCH, &path, &body).await?;
    }
    Ok(())
}

/// A write that changes nothing more when it is repeated.
async fn send(
    cloudflare: &Cloudflare,
    method: Method,
    path: &str,
    body: &serde_json::Value,
) -> anyhow::Result<()> {
    cloudflare
        .send::<IgnoredAny>(method, path, Repeat::Safe, body)
        .await?;
    Ok(())
}

async fn delete(cloudflare: &Cloudflare, path: &str) -> anyhow::Result<()> {
    match send(cloudflare, Method::DELETE, path, &json!({})).await {
        // A repeat after a lost answer finds it gone, which is what was wanted
        Err(error) if error.downcast_ref().is_some_and(ApiError::is_absent) => Ok(()),
        result => result,
    }
}

async fn put<T: DeserializeOwned>(
    cloudflare: &Cloudflare,
    method: Method,
    path: &str,
    upload: &Upload,
    inputs: &Inputs,
) -> anyhow::Result<T> {
    let bundle = inputs.bundle(upload.role);
    let script = inputs.script(upload.role);
    let metadata = metadata(script, bundle.main_module, upload, &inputs.secrets)?;
    let form = || {
        let mut form = Form::new().part("metadata", Part::stream(metadata.clone()));
        for module in &bundle.modules {
            let part = Part::bytes(module.bytes.clone())
                .file_name(module.name)
                .mime_str(module.content_type)
                .expect("the content types are constants");
            form = form.part(module.name, part);
        }
        form
    };
    cloudflare
        .call_filled(method, path, Repeat::Never, |request| {
            request.multipart(form())
        })
        .await
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::http;
    use axum::response::IntoResponse;

    use serde_json::Value as Json;

    use super::super::paged::answering;
    use super::*;

    #[tokio::test]
    async fn no_null_that_was_read_is_sent_back() {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let got = Arc::clone(&sent);
        let answer = move |method: &Method, _: &http::Uri, body: &[u8]| {
            if method == Method::PATCH {
                let body: Json = serde_json::from_slice(body).unwrap();
                got.lock().unwrap().push(body);
            }
            // As recorded from the live API
            axum::Json(json!({ "success": true, "errors": null, "messages": null, "result": {
                "tags": null, "tail_consumers": null, "logpush": null,
                "observability": { "enabled": true, "head_sampling_rate": 1, "logs": { "enabled": true, "head_sampling_rate": null, "persist": null, "invocation_logs": true } },
            }}))
            .into_response()
        };
        let cloudflare = answering(answer).await;
        let step = Step::Settings {
            script: "S".to_owned(),
            tags: ["t".to_owned()].into(),
            observability: false,
            changes: Vec::new(),
        };
        execute(&cloudflare, "glow.trade", &step).await.unwrap();
        assert_eq!(
            *sent.lock().unwrap(),
            [
                json!({ "tags": ["t"] }),
                json!({ "observability": { "enabled": false, "head_sampling_rate": 1, "logs": { "enabled": true, "invocation_logs": true } } }),
            ]
        );
    }
}
