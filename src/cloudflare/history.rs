//! The versions of a script by their places, each with its time and the names of its secrets: read where somebody looks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use anyhow::Context;

use super::client::Cloudflare;
use super::observe;
use super::page::Places;
use crate::plan::Holding;
use crate::plan::history::{Extent, Listed};

/// The versions of a script, the newest first.
pub(super) struct History<'a> {
    cloudflare: &'a Cloudflare,
    script: &'a str,
    pub(super) versions: Places<'a, Listed>,
    /// The names of secrets by the version's id: several secrets are looked for in much the same versions.
    known: BTreeMap<String, BTreeSet<String>>,
}

impl<'a> History<'a> {
    /// The history of `script`. What `live` tells already is not read again.
    pub(super) async fn of(
        cloudflare: &'a Cloudflare,
        script: &'a str,
        live: &Holding,
    ) -> anyhow::Result<Self> {
        let versions = match live.versions_read {
            Extent::All => Places::all(cloudflare, live.versions.clone()),
            Extent::Newest => {
                let path = cloudflare.of_script(script, "versions");
                Places::of(cloudflare, path, observe::HISTORY_PER_PAGE).await?
            }
        };
        let active = live.live.first();
        let known = active.map(|active| (active.clone(), live.secrets.clone()));
        Ok(Self {
            cloudflare,
            script,
            versions,
            known: known.into_iter().collect(),
        })
    }

    /// When the version at a place was made.
    pub(super) async fn time(&mut self, place: usize) -> anyhow::Result<SystemTime> {
        let script = self.script;
        let Listed { id, created_on, .. } = self.versions.at(place).await?;
        humantime::parse_rfc3339(created_on).with_context(|| {
            format!(
                "`{created_on}`, the `created_on` of the version `{id}` of `{script}`, is no time"
            )
        })
    }

    /// The names of the secrets of the version at a place.
    pub(super) async fn secrets(&mut self, place: usize) -> anyhow::Result<&BTreeSet<String>> {
        let id = &self.versions.at(place).await?.id;
        if !self.known.contains_key(id) {
            let resources = observe::resources(self.cloudflare, self.script, id).await?;
            self.known.insert(id.clone(), resources.secrets());
        }
        Ok(&self.known[id])
    }
}
