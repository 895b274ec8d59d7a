//! What became of a script: its versions and deployments, as far as they were read. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Context;

use super::release;
use super::split::Split;

/// A version without what is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub id: String,
    /// `workers/tag`
    pub tag: Option<String>,
    /// `workers/message`
    pub message: Option<String>,
    /// When it was made, RFC 3339.
    pub created_on: String,
}

/// A deployment: when it was made, and the versions that got traffic.
#[derive(Clone, Debug)]
pub(crate) struct Deployed {
    /// RFC 3339.
    pub(crate) created_on: String,
    pub(crate) split: Split,
}

/// What became of a script, as far as it was read: it can be a story of thousands.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) script: String,
    /// The newest first.
    pub(crate) deployments: Vec<Deployed>,
    pub(crate) deployments_read: Extent,
    /// By id.
    pub(crate) versions: BTreeMap<String, Listed>,
    pub(crate) versions_read: Extent,
}

/// How much of a list was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Extent {
    #[default]
    Newest,
    All,
}

/// More of a script's history is needed than was read. Read another page of it, and ask again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    Deployments(String),
    Versions(String),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Deployments(script) => write!(f, "older deployments of `{script}` are not read"),
            Self::Versions(script) => write!(f, "older versions of `{script}` are not read"),
        }
    }
}

impl std::error::Error for Unread {}

impl History {
    /// The newest split.
    pub(super) fn now(&self) -> anyhow::Result<&Split> {
        self.deployments
            .first()
            .map(|newest| &newest.split)
            .filter(|split| !split.is_empty())
            .with_context(|| format!("`{}` was never deployed", self.script))
    }

    /// The version that has all traffic.
    pub(crate) fn live(&self) -> Option<&str> {
        self.deployments.first()?.split.only()
    }

    /// Nothing, once all is read; more before.
    fn no_deployment<T>(&self) -> anyhow::Result<Option<T>> {
        match self.deployments_read {
            Extent::All => Ok(None),
            Extent::Newest => Err(Unread::Deployments(self.script.clone()).into()),
        }
    }

    /// A version by id; `None` when the script has none of it any more.
    fn listed(&self, version: &str) -> anyhow::Result<Option<&Listed>> {
        match (self.versions.get(version), self.versions_read) {
            (None, Extent::Newest) => Err(Unread::Versions(self.script.clone()).into()),
            (listed, _) => Ok(listed),
        }
    }

    /// The release that made a version, when it is one of ours.
    pub(super) fn release(&self, version: &str) -> anyhow::Result<Option<&str>> {
        let listed = self.listed(version)?;
        Ok(listed.and_then(|listed| release::among(listed.message.as_deref()?)))
    }

    /// The deployments, once no older one can have had `version`.
    pub(super) fn since_it_was_made(&self, version: &str) -> anyhow::Result<&[Deployed]> {
        if self.deployments_read == Extent::Newest {
            let made = self.listed(version)?.map(|listed| &listed.created_on);
            let oldest = self.deployments.last();
            let reached = made
                .zip(oldest)
                .is_some_and(|(made, oldest)| is_before(&oldest.created_on, made));
            if !reached {
                self.no_deployment::<()>()?;
            }
        }
        Ok(&self.deployments)
    }

    /// The deployments older than the oldest one that gave `version` all traffic; all, when none did.
    fn older_than(&self, version: &str) -> anyhow::Result<&[Deployed]> {
        let deployments = self.since_it_was_made(version)?;
        let oldest = deployments
            .iter()
            .rposition(|deployed| deployed.split.only() == Some(version));
        Ok(&deployments[oldest.map_or(0, |oldest| oldest + 1)..])
    }

    /// The version that had all traffic before the present one came, not before it came back; in a gradual deployment, before that
    /// began.
    pub(super) fn before(&self) -> anyhow::Result<Option<&str>> {
        let older = match self.now()?.only() {
            Some(only) => self.older_than(only)?,
            None => self.deployments.as_slice(),
        };
        match older.iter().find_map(|deployed| deployed.split.only()) {
            Some(before) => Ok(Some(before)),
            None => self.no_deployment(),
        }
    }

    /// The version that a rollback takes away: the present one; of a gradual deployment, the one that came with it.
    pub(super) fn subject(&self) -> anyhow::Result<&str> {
        let split = self.now()?;
        let before = self.before()?;
        let came = split.versions().find(|id| Some(*id) != before);
        Ok(came.unwrap_or(&split[0].version_id))
    }

    /// When `version` got traffic first.
    pub(super) fn since(&self, version: &str) -> anyhow::Result<&str> {
        let first = self
            .since_it_was_made(version)?
            .iter()
            .rfind(|deployed| deployed.split.has(version));
        Ok(first.map_or("", |first| &first.created_on))
    }

    /// The version that had the most traffic at a time.
    pub(super) fn at(&self, time: &str) -> anyhow::Result<Option<&str>> {
        let deployed = self
            .deployments
            .iter()
            .find(|deployed| !time.is_empty() && !is_before(time, &deployed.created_on));
        match deployed {
            Some(deployed) => Ok(deployed.split.versions().next()),
            None => self.no_deployment(),
        }
    }

    /// The versions that had all traffic once, the newest first, as far as deployments were read.
    pub(super) fn settled(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let ids = self.deployments.iter();
        ids.filter_map(|deployed| deployed.split.only())
            .filter(|id| seen.insert(*id))
            .collect()
    }

    /// The newest version of `release` that had all traffic once.
    pub(super) fn settled_of(&self, release: &str) -> anyhow::Result<Option<&str>> {
        for id in self.settled() {
            if self.release(id)? == Some(release) {
                return Ok(Some(id));
            }
        }
        self.no_deployment()
    }
}

/// Whether a time is before another one, both RFC 3339 in UTC. What is not known is not before.
pub(super) fn is_before(time: &str, other: &str) -> bool {
    // Without the `Z`, as a fraction of a second may be shorter than another one
    !time.is_empty() && time.trim_end_matches('Z') < other.trim_end_matches('Z')
}
