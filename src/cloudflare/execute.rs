//! The writes, one function each. Each looks first that the world still is as the plan saw it.

use anyhow::{Context, bail};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;

use super::client::{Cloudflare, Repeat};
use super::error::ApiError;
use super::metadata::metadata;
use super::observe;
use super::settle::settle;
use crate::apply::Inputs;
use crate::plan::{Lane, OverrideDns, Step, Upload};
use crate::script::CodeUpdateStrategy;

/// Refuses to lose a binding that is inherited (recorded from wrangler 4.164).
const STRICT: &str = "bindings_inherit=strict";

#[derive(Deserialize)]
struct Uploaded {
    id: String,
}

/// Uploads a version and returns its id. In the lifecycle lane it is live at once.
pub async fn upload(
    cloudflare: &Cloudflare,
    upload: &Upload,
    inputs: &Inputs,
) -> anyhow::Result<String> {
    let name = &upload.script;
    match &upload.lane {
        Lane::Code {
            adopt: Some(version),
            ..
        } => Ok(version.clone()),
        Lane::Code { latest, .. } => {
            let path = cloudflare.of_account(&format!("workers/scripts/{name}/versions?{STRICT}"));
            let send = async || {
                let uploaded: Uploaded =
                    put(cloudflare, Method::POST, &path, upload, inputs).await?;
                Ok(uploaded.id)
            };
            settle(send, async || {
                newest(cloudflare, upload, latest.as_deref()).await
            })
            .await
        }
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
                newest(cloudflare, upload, before).await?.with_context(|| {
                    format!("somebody else deployed `{name}` in the same moment; plan again")
                })
            };
            settle(send, async || newest(cloudflare, upload, before).await).await
        }
    }
}

/// The id of the script's newest version, if it is the one of `upload` and newer than `before`.
async fn newest(
    cloudflare: &Cloudflare,
    upload: &Upload,
    before: Option<&str>,
) -> anyhow::Result<Option<String>> {
    let newest = observe::versions(cloudflare, &upload.script)
        .await?
        .into_iter()
        .next();
    Ok(newest
        .filter(|newest| {
            newest.tag.as_deref() == Some(&upload.tag) && Some(newest.id.as_str()) != before
        })
        .map(|newest| newest.id))
}

/// A wanted split of a script's traffic.
#[derive(Clone, Copy, Debug)]
pub struct Split<'a> {
    pub script: &'a str,
    /// The version that gets `percent`; the rest stays with `from`.
    pub to: &'a str,
    pub percent: u8,
    pub from: &'a str,
    pub message: &'a str,
    pub code_update: CodeUpdateStrategy,
    /// Roll back although a secret changed since: Cloudflare refuses otherwise with 10220.
    pub secrets: OldSecrets,
}

/// Whether a version may come back with the secrets that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldSecrets {
    Refuse,
    Accept,
}

/// Changes the split, unless somebody deployed a third version since.
pub async fn shift(cloudflare: &Cloudflare, split: Split<'_>) -> anyhow::Result<()> {
    let Split {
        script,
        to,
        percent,
        from,
        ..
    } = split;
    let mut versions = vec![json!({ "version_id": to, "percentage": percent })];
    if percent < 100 {
        versions.push(json!({ "version_id": from, "percentage": 100 - percent }));
    }
    let body = json!({
        "strategy": "percentage",
        "versions": versions,
        "annotations": { "workers/message": split.message },
        "code_update_strategy": split.code_update,
    });
    let force = match split.secrets {
        OldSecrets::Refuse => "",
        OldSecrets::Accept => "?force=true",
    };
    let path = cloudflare.of_account(&format!("workers/scripts/{script}/deployments{force}"));
    let reached = async || -> anyhow::Result<Option<()>> {
        let newest = observe::deployments(cloudflare, script)
            .await?
            .unwrap_or_default()
            .into_iter()
            .next();
        let shares = newest.map(|newest| newest.shares).unwrap_or_default();
        if let Some((other, _)) = shares.iter().find(|(id, _)| id != to && id != from) {
            return Err(overtaken(script, std::slice::from_ref(other)));
        }
        let wanted = f64::from(percent);
        let has_its_share = shares
            .iter()
            .any(|(id, share)| id == to && (*share - wanted).abs() < 0.01);
        let alone = percent < 100 || shares.len() == 1;
        Ok((has_its_share && alone).then_some(()))
    };
    if reached().await?.is_some() {
        return Ok(());
    }
    let send = async || {
        cloudflare
            .send::<IgnoredAny>(Method::POST, &path, Repeat::Never, &body)
            .await?;
        Ok(())
    };
    settle(send, &reached).await?;
    match reached().await? {
        Some(()) => Ok(()),
        None => bail!("`{script}` was given another split in the same moment; plan again"),
    }
}

fn overtaken(script: &str, now: &[String]) -> anyhow::Error {
    match now {
        [] => anyhow::anyhow!("somebody deleted `{script}` since the plan was made; plan again"),
        now => anyhow::anyhow!(
            "somebody else deployed `{script}` since the plan was made: `{}` is live; plan again",
            now.join("`, `")
        ),
    }
}

/// Performs a step that is no upload and no shift.
pub async fn execute(cloudflare: &Cloudflare, zone: &str, step: &Step) -> anyhow::Result<()> {
    match step {
        Step::Upload(_) | Step::Shift(_) => bail!("`{}` is not a step of its own", step.title()),
        Step::Settings {
            script,
            tags,
            observability,
            kept,
            ..
        } => {
            let path = cloudflare.of_account(&format!("workers/scripts/{script}/script-settings"));
            let body = json!({ "tags": tags, "observability": kept.observability(*observability) });
            send(cloudflare, Method::PATCH, &path, &body).await
        }
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
            settle(add, async || {
                let routes = observe::routes(cloudflare, &zone).await?;
                let ours = |route: &crate::plan::LiveRoute| {
                    route.pattern == *pattern && route.script.as_ref() == Some(script)
                };
                Ok(routes.iter().any(ours).then_some(()))
            })
            .await
        }
        Step::RemoveRoute { id, .. } => {
            let zone = observe::zone_id(cloudflare, zone).await?;
            delete(cloudflare, &format!("/zones/{zone}/workers/routes/{id}")).await
        }
        Step::AddDomain {
            hostname,
            script,
            override_dns,
        } => {
            let zone = observe::zone_id(cloudflare, zone).await?;
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
        Step::RemoveDomain { id, .. } => {
            delete(
                cloudflare,
                &cloudflare.of_account(&format!("workers/domains/{id}")),
            )
            .await
        }
    }
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
    let secrets: Vec<_> = upload
        .secrets
        .iter()
        .map(|name| (name.as_str(), &inputs.secrets[name]))
        .collect();
    let metadata = metadata(
        inputs.script(upload.role),
        bundle.main_module,
        upload,
        &secrets,
    )
    .to_string();
    let form = || {
        let mut form = Form::new().text("metadata", metadata.clone());
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
