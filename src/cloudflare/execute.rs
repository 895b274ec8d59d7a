//! Performs one step of a plan.

use anyhow::{Context, bail};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::client::{Cloudflare, Repeat};
use super::metadata::metadata;
use super::observe;
use crate::apply::Inputs;
use crate::plan::{Lane, OverrideDns, Step, Upload};

/// Uploading the secrets with the code and refusing to lose one (recorded from wrangler 4.164).
const STRICT: &str = "bindings_inherit=strict";

#[derive(Deserialize)]
struct Uploaded {
    id: String,
}

/// Performs `step`, whose inputs are all at hand.
pub async fn execute(
    cloudflare: &Cloudflare,
    zone: &str,
    step: &Step,
    inputs: &Inputs,
) -> anyhow::Result<()> {
    match step {
        Step::Upload(upload) => self::upload(cloudflare, upload, inputs).await,
        Step::Settings {
            script,
            tags,
            observability,
            ..
        } => {
            let path = cloudflare.of_account(&format!("workers/scripts/{script}/script-settings"));
            let body = json!({ "tags": tags, "observability": { "enabled": observability } });
            cloudflare
                .send::<IgnoredAny>(Method::PATCH, &path, Repeat::Safe, &body)
                .await?;
            Ok(())
        }
        Step::WorkersDev {
            script, enabled, ..
        } => {
            let path = cloudflare.of_account(&format!("workers/scripts/{script}/subdomain"));
            let body = json!({ "enabled": enabled, "previews_enabled": false });
            cloudflare
                .send::<IgnoredAny>(Method::POST, &path, Repeat::Safe, &body)
                .await?;
            Ok(())
        }
        Step::AddRoute { pattern, script } => {
            let zone = observe::zone_id(cloudflare, zone).await?;
            let body = json!({ "pattern": pattern, "script": script });
            cloudflare
                .send::<IgnoredAny>(
                    Method::POST,
                    &format!("/zones/{zone}/workers/routes"),
                    Repeat::Never,
                    &body,
                )
                .await?;
            Ok(())
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
            cloudflare
                .send::<IgnoredAny>(
                    Method::PUT,
                    &cloudflare.of_account("workers/domains"),
                    Repeat::Safe,
                    &body,
                )
                .await?;
            Ok(())
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

async fn delete(cloudflare: &Cloudflare, path: &str) -> anyhow::Result<()> {
    match cloudflare
        .send::<IgnoredAny>(Method::DELETE, path, Repeat::Safe, &json!({}))
        .await
    {
        // A repeat after a lost answer finds it gone, which is what was wanted
        Err(error)
            if error
                .downcast_ref()
                .is_some_and(super::error::ApiError::is_absent) =>
        {
            Ok(())
        }
        result => result.map(|_| ()),
    }
}

async fn upload(cloudflare: &Cloudflare, upload: &Upload, inputs: &Inputs) -> anyhow::Result<()> {
    let name = &upload.script;
    match &upload.lane {
        Lane::Lifecycle { .. } => {
            let path = cloudflare.of_account(&format!(
                "workers/scripts/{name}?excludeScript=true&{STRICT}"
            ));
            put(cloudflare, Method::PUT, &path, Repeat::Safe, upload, inputs)
                .await
                .map(|_: IgnoredAny| ())
        }
        Lane::Code { replaces, adopt } => {
            let version = match adopt {
                Some(version) => version.clone(),
                None => {
                    let path =
                        cloudflare.of_account(&format!("workers/scripts/{name}/versions?{STRICT}"));
                    let uploaded: Uploaded = put(
                        cloudflare,
                        Method::POST,
                        &path,
                        Repeat::Never,
                        upload,
                        inputs,
                    )
                    .await?;
                    uploaded.id
                }
            };
            deploy(cloudflare, upload, replaces, &version, inputs).await
        }
    }
}

/// Gives all traffic to `version`, unless somebody deployed something else since the plan was made.
async fn deploy(
    cloudflare: &Cloudflare,
    upload: &Upload,
    replaces: &[String],
    version: &str,
    inputs: &Inputs,
) -> anyhow::Result<()> {
    let name = &upload.script;
    let split = observe::split(cloudflare, name).await?.unwrap_or_default();
    let now: Vec<&str> = split
        .iter()
        .map(|share| share.version_id.as_str())
        .collect();
    if now == [version] {
        return Ok(());
    }
    if now != replaces {
        bail!(
            "somebody else deployed `{name}` meanwhile: the plan replaces `{}`, but `{}` is live; the version `{version}` is uploaded and not deployed; plan again",
            replaces.join("`, `"),
            now.join("`, `")
        );
    }
    let script = inputs.script(upload.role);
    let body = json!({
        "strategy": "percentage",
        "versions": [{ "version_id": version, "percentage": 100 }],
        "annotations": { "workers/message": format!("edge-broadcast {}", script.environment) },
        "code_update_strategy": script.code_update,
    });
    let path = cloudflare.of_account(&format!("workers/scripts/{name}/deployments"));
    cloudflare
        .send::<IgnoredAny>(Method::POST, &path, Repeat::Never, &body)
        .await
        .with_context(|| format!("the version `{version}` of `{name}` is uploaded and not deployed; run again to deploy it"))?;
    Ok(())
}

async fn put<T: serde::de::DeserializeOwned>(
    cloudflare: &Cloudflare,
    method: Method,
    path: &str,
    repeat: Repeat,
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
        .call_filled(method, path, repeat, |request| request.multipart(form()))
        .await
}
