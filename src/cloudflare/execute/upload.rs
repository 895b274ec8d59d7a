//! A new version of a script.

use std::collections::BTreeSet;

use anyhow::bail;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::overtaken::{self, Overtaken};
use crate::cloudflare::client::{Cloudflare, Repeat};
use crate::cloudflare::metadata::metadata;
use crate::cloudflare::payload::Inputs;
use crate::cloudflare::{observe, once};
use crate::plan::history::Listed;
use crate::plan::{Lane, Upload, filled};

/// Refuses to lose a binding that is inherited (recorded from wrangler 4.164).
const STRICT: &str = "bindings_inherit=strict";

/// Uploads a version and returns its id. In the lifecycle lane it is live at once.
pub async fn upload(
    cloudflare: &Cloudflare,
    upload: &Upload,
    inputs: &Inputs,
) -> anyhow::Result<String> {
    match &upload.lane {
        Lane::Code {
            adopt: Some(version),
            ..
        } => adopt(cloudflare, upload, inputs, version).await,
        Lane::Code { latest, .. } => add(cloudflare, upload, inputs, latest.as_deref()).await,
        Lane::Lifecycle { replaces, .. } => replace(cloudflare, upload, inputs, replaces).await,
    }
}

/// Takes the version that an earlier run uploaded, unless it lacks a secret and nobody is served by it.
async fn adopt(
    cloudflare: &Cloudflare,
    upload: &Upload,
    inputs: &Inputs,
    version: &str,
) -> anyhow::Result<String> {
    let name = &upload.script;
    let lacking = lacking(cloudflare, upload, inputs, version).await?;
    if lacking.is_empty() {
        return Ok(version.to_owned());
    }
    if observe::split(cloudflare, name).await?.has(version) {
        bail!(
            "the version `{version}` of `{name}`, whose rollout is under way, lacks `{}`: `edge-broadcast rollback {}` ends the rollout, then deploy again",
            lacking.join("`, `"),
            inputs.script(upload.role).environment
        );
    }
    add(cloudflare, upload, inputs, Some(version)).await
}

/// Adds a version that gets no traffic, once, whatever becomes of the answer. The newest one before it is `latest`.
async fn add(
    cloudflare: &Cloudflare,
    upload: &Upload,
    inputs: &Inputs,
    latest: Option<&str>,
) -> anyhow::Result<String> {
    let path = cloudflare.of_script(&upload.script, &format!("versions?{STRICT}"));
    let add = async || {
        let uploaded: Listed = send(cloudflare, Method::POST, &path, upload, inputs).await?;
        Ok(uploaded.id)
    };
    let version = once::send(add, async || newest(cloudflare, upload, latest).await).await?;
    complete(
        cloudflare,
        upload,
        inputs,
        version,
        "the version before stays live",
    )
    .await
}

/// Replaces the versions that are live, or makes the script.
async fn replace(
    cloudflare: &Cloudflare,
    upload: &Upload,
    inputs: &Inputs,
    replaces: &[String],
) -> anyhow::Result<String> {
    let name = &upload.script;
    let now = observe::split(cloudflare, name).await?;
    if !now.versions().eq(replaces) {
        return Err(overtaken::deployed(name, &now));
    }
    let path = cloudflare.of_account(&format!(
        "workers/scripts/{name}?excludeScript=true&{STRICT}"
    ));
    let before = replaces.first().map(String::as_str);
    let put = async || {
        let _: IgnoredAny = send(cloudflare, Method::PUT, &path, upload, inputs).await?;
        // Two first deployments at once: the later one's version is the newest
        newest(cloudflare, upload, before).await?.ok_or_else(|| {
            Overtaken(format!(
                "somebody else deployed `{name}` in the same moment; plan again"
            ))
            .into()
        })
    };
    let version = once::send(put, async || newest(cloudflare, upload, before).await).await?;
    if before.is_none() {
        return Ok(version);
    }
    complete(cloudflare, upload, inputs, version, "it is live").await
}

/// Refuses a new version that lacks a secret; `standing` says what that means for the traffic.
async fn complete(
    cloudflare: &Cloudflare,
    upload: &Upload,
    inputs: &Inputs,
    version: String,
    standing: &str,
) -> anyhow::Result<String> {
    let name = &upload.script;
    let lacking = lacking(cloudflare, upload, inputs, &version).await?;
    match lacking.first() {
        None => Ok(version),
        Some(first) => bail!(
            "the new version `{version}` of `{name}` lacks `{}`, and {standing}; make a version that has it with `wrangler versions secret put {first} --name {name}`, then deploy again",
            lacking.join("`, `"),
        ),
    }
}

/// The id of the script's newest version, if it is the one of `upload` and newer than `before`.
async fn newest(
    cloudflare: &Cloudflare,
    upload: &Upload,
    before: Option<&str>,
) -> anyhow::Result<Option<String>> {
    let newest = observe::newest_version(cloudflare, &upload.script).await?;
    let ours = newest.filter(|newest| {
        newest.tag.as_deref() == Some(&upload.tag) && Some(newest.id.as_str()) != before
    });
    Ok(ours.map(|newest| newest.id))
}

/// The secrets that a version should have and does not.
async fn lacking(
    cloudflare: &Cloudflare,
    upload: &Upload,
    inputs: &Inputs,
    version: &str,
) -> anyhow::Result<Vec<String>> {
    let wanted = &inputs.script(upload.role).secrets;
    if wanted.is_empty() && upload.inherited_secrets.is_empty() {
        return Ok(Vec::new());
    }
    let resources = observe::resources(cloudflare, &upload.script, version).await?;
    let bindings = resources.bindings.iter();
    let has: BTreeSet<String> = bindings
        .filter_map(|binding| binding.name().map(ToOwned::to_owned))
        .collect();
    let kept = upload
        .inherited_secrets
        .iter()
        .filter(|name| !has.contains(*name));
    let unfilled = wanted.iter().filter(|name| !filled(name, &has));
    let lacking: BTreeSet<&String> = kept.chain(unfilled).collect();
    Ok(lacking.into_iter().cloned().collect())
}

/// Sends the code, the bindings and the secrets of a version.
async fn send<T: DeserializeOwned>(
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
