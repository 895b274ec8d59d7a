//! A new version of a script.

use std::collections::BTreeSet;

use anyhow::bail;
use reqwest::Method;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::cloudflare::client::{Cloudflare, Repeat};
use crate::cloudflare::error::MayBeDone;
use crate::cloudflare::form::form;
use crate::cloudflare::metadata::metadata;
use crate::cloudflare::overtaken::{self, Overtaken};
use crate::cloudflare::payload::Inputs;
use crate::cloudflare::redacted::redacted;
use crate::cloudflare::{observe, once};
use crate::plan::history::Listed;
use crate::plan::{Lane, Upload, filled};
use crate::terminal::advice::Advice;

/// Refuses to lose a binding that is inherited (recorded from wrangler 4.164).
pub(in super::super) const STRICT: &str = "bindings_inherit=strict";

/// Uploads a version and returns its id. In the lifecycle lane it is live at once.
pub(crate) async fn upload(
    cloudflare: &Cloudflare,
    upload: &Upload,
    inputs: &Inputs,
) -> anyhow::Result<String> {
    let uploading = Uploading {
        cloudflare,
        upload,
        inputs,
    };
    match &upload.lane {
        Lane::Code {
            adopt: Some(version),
            ..
        } => uploading.adopt(version).await,
        Lane::Code { latest, .. } => uploading.add(latest.as_deref()).await,
        Lane::Lifecycle { replaces, .. } => uploading.replace(replaces).await,
    }
}

/// An upload, and what it sends.
#[derive(Clone, Copy)]
struct Uploading<'a> {
    cloudflare: &'a Cloudflare,
    upload: &'a Upload,
    inputs: &'a Inputs,
}

impl Uploading<'_> {
    /// Takes the version that an earlier run uploaded, unless it lacks a secret and nobody is served by it.
    async fn adopt(self, version: &str) -> anyhow::Result<String> {
        let name = &self.upload.script;
        let lacking = self.lacking(version).await?;
        if lacking.is_empty() {
            return Ok(version.to_owned());
        }
        if observe::split(self.cloudflare, name).await?.has(version) {
            let environment = &self.inputs.script(self.upload.role).environment;
            bail!(Advice::new(
                format!(
                    "the version `{version}` of `{name}`, whose rollout is under way, lacks `{}`",
                    lacking.join("`, `")
                ),
                format!(
                    "`edge-broadcast rollback {environment}` ends the rollout, then deploy again"
                )
            ));
        }
        self.add(Some(version)).await
    }

    /// Adds a version that gets no traffic, once, whatever becomes of the answer. The newest one before it is `latest`.
    async fn add(self, latest: Option<&str>) -> anyhow::Result<String> {
        let rest = format!("versions?{STRICT}");
        let path = self.cloudflare.of_script(&self.upload.script, &rest);
        let add = async || {
            let uploaded: Listed = self.send(Method::POST, &path).await?;
            Ok(uploaded.id)
        };
        let version = once::send(add, async || self.newest(latest).await).await?;
        self.complete(version, "the version before stays live")
            .await
    }

    /// Replaces the versions that are live, or makes the script.
    async fn replace(self, replaces: &[String]) -> anyhow::Result<String> {
        let name = &self.upload.script;
        let now = observe::split(self.cloudflare, name).await?;
        if !now.versions().eq(replaces) {
            return Err(overtaken::deployed(name, &now));
        }
        let path = self.cloudflare.of_account(&format!(
            "workers/scripts/{name}?excludeScript=true&{STRICT}"
        ));
        let before = replaces.first().map(String::as_str);
        let put = async || {
            let _: IgnoredAny = self.send(Method::PUT, &path).await?;
            // Two first deployments at once: the later one's version is the newest
            self.newest(before).await?.ok_or_else(|| {
                let what = format!("somebody else deployed `{name}` in the same moment");
                anyhow::Error::from(Overtaken::new(what)).context(MayBeDone::Accepted)
            })
        };
        let version = once::send(put, async || self.newest(before).await).await?;
        match before {
            None => Ok(version),
            Some(_) => self.complete(version, "it is live").await,
        }
    }

    /// Refuses a new version that lacks a secret; `standing` says what that means for the traffic.
    async fn complete(self, version: String, standing: &str) -> anyhow::Result<String> {
        let name = &self.upload.script;
        let lacking = self.lacking(&version).await?;
        let Some(first) = lacking.first() else {
            return Ok(version);
        };
        bail!(Advice::new(
            format!(
                "the new version `{version}` of `{name}` lacks `{}`, and {standing}",
                lacking.join("`, `")
            ),
            format!(
                "make a version that has it with `wrangler versions secret put {first} --name {name}`, then deploy again"
            )
        ))
    }

    /// The id of the script's newest version, if it is the one of this upload and newer than `before`.
    async fn newest(self, before: Option<&str>) -> anyhow::Result<Option<String>> {
        let newest = observe::newest_version(self.cloudflare, &self.upload.script).await?;
        let ours = newest.filter(|newest| {
            newest.tag.as_deref() == Some(&self.upload.tag) && Some(newest.id.as_str()) != before
        });
        Ok(ours.map(|newest| newest.id))
    }

    /// The secrets that a version should have and does not.
    async fn lacking(self, version: &str) -> anyhow::Result<Vec<String>> {
        let upload = self.upload;
        let wanted = &self.inputs.script(upload.role).secrets;
        if wanted.is_empty() && upload.inherited_secrets.is_empty() {
            return Ok(Vec::new());
        }
        let resources = observe::resources(self.cloudflare, &upload.script, version).await?;
        let names = resources.bindings.iter().filter_map(|it| it.name());
        let has: BTreeSet<String> = names.map(ToOwned::to_owned).collect();
        let kept = upload.inherited_secrets.difference(&has);
        let unfilled = wanted.iter().filter(|name| !filled(name, &has));
        let lacking: BTreeSet<&String> = kept.chain(unfilled).collect();
        Ok(lacking.into_iter().cloned().collect())
    }

    /// Sends the code, the bindings and the secrets of a version.
    async fn send<T: DeserializeOwned>(self, method: Method, path: &str) -> anyhow::Result<T> {
        let Inputs { secrets, .. } = self.inputs;
        let bundle = self.inputs.bundle(self.upload.role);
        let script = self.inputs.script(self.upload.role);
        let metadata = metadata(script, bundle.main_module, self.upload, secrets)?;
        let form = || {
            let files = bundle.modules.iter();
            form(
                &metadata,
                files.map(|it| (it.name, it.content_type, &*it.bytes)),
            )
        };
        let fill = |request: reqwest::RequestBuilder| request.multipart(form());
        let sent = self
            .cloudflare
            .call_filled(method, path, Repeat::Never, fill);
        redacted(sent.await, secrets.values())
    }
}
