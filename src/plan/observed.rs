//! What is live.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use edge_broadcast_protocol::contract::binding;
use edge_broadcast_sandbox::Pattern;
use serde::Serialize;
use serde_json::{Map, Value};

use super::foreign;
use super::history::{Extent, Listed};
use super::split::Split;

/// What is live, as far as the manifest governs it. Made by GETs only. As JSON it has no value that others wrote.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Observed {
    pub scripts: BTreeMap<String, Live>,
    /// Every zone route of the zone, whosever it is.
    pub routes: Vec<LiveRoute>,
    /// Every custom domain of the zone, whosever it is.
    pub domains: Vec<LiveDomain>,
    /// Durable Object classes by script.
    pub classes: BTreeMap<String, BTreeSet<String>>,
    pub zone: LiveZone,
    /// DNS records of the hosts and of the names above them. Not every token may read them: what they decide is in the plan.
    #[serde(skip)]
    pub records: Seen<LiveRecord>,
    /// Names that the zone's certificates cover; asked for when there is a host that the zone's own does not. As with the records.
    #[serde(skip)]
    pub certificates: Seen<String>,
    /// The gateways of this tool that serve wanted hosts of this environment, which are in its way.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub kin: BTreeSet<String>,
}

/// A script that exists.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Live {
    /// The versions that get traffic, the largest share first.
    pub split: Split,
    /// The version with the largest share.
    pub active: LiveVersion,
    /// The newest version, which need not be deployed, and its tag.
    pub latest: Option<(String, Option<String>)>,
    #[serde(serialize_with = "foreign::as_tags")]
    pub tags: BTreeSet<String>,
    pub observability: bool,
    pub kept: Kept,
    pub workers_dev: bool,
    pub previews: bool,
    /// The newest versions, the newest first, as far as they were read.
    #[serde(skip)]
    pub(crate) versions: Vec<Listed>,
    #[serde(skip)]
    pub(crate) versions_read: Extent,
    /// Everything of the active version that a change of secrets must leave alone: code, bindings, runtime.
    #[serde(skip)]
    pub(crate) rest: Value,
}

/// A script as far as its secrets go: a view of what is live of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holding {
    /// The versions that get traffic, the largest share first.
    pub(crate) live: Vec<String>,
    /// The newest versions, the newest first, as far as they were read.
    pub(crate) versions: Vec<Listed>,
    pub(crate) versions_read: Extent,
    /// Names of the secrets of the version with the largest share.
    pub(crate) secrets: BTreeSet<String>,
    /// As in [`Live`].
    pub(crate) rest: Value,
    /// The script's tags, which are not part of a version.
    pub(crate) tags: BTreeSet<String>,
}

impl Live {
    /// What is live as far as the secrets go.
    pub(crate) fn holding(&self) -> Holding {
        Holding {
            live: self.split.versions().map(ToOwned::to_owned).collect(),
            versions: self.versions.clone(),
            versions_read: self.versions_read,
            secrets: self.active.secrets.clone(),
            rest: self.rest.clone(),
            tags: self.tags.clone(),
        }
    }
}

/// How the secrets of a script change and nothing else with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way<'a> {
    /// This version gets all traffic and is the newest: Cloudflare makes the next one of it, and deploys that at once.
    InPlace(&'a str),
    /// This version gets all traffic, and another one is the newest: a copy of it is made, and then deployed.
    Copy(&'a str),
}

impl Holding {
    /// How its secrets change; `None` in a gradual deployment, which any change would end.
    pub(crate) fn way(&self) -> Option<Way<'_>> {
        match self.live.as_slice() {
            [only] if self.latest().is_none_or(|latest| latest == only) => Some(Way::InPlace(only)),
            [only] => Some(Way::Copy(only)),
            _ => None,
        }
    }

    /// The version that gets all traffic and is the newest.
    pub(crate) fn settled(&self) -> Option<&str> {
        match self.way()? {
            Way::InPlace(only) => Some(only),
            Way::Copy(_) => None,
        }
    }

    /// The newest version.
    pub(crate) fn latest(&self) -> Option<&str> {
        self.versions.first().map(|newest| newest.id.as_str())
    }

    /// How many versions were made since `before`; `None` when it is not among the newest any more.
    pub(crate) fn newer_than(&self, before: &Self) -> Option<usize> {
        let latest = before.latest()?;
        self.versions
            .iter()
            .position(|version| version.id == latest)
    }
}

/// Settings of a script that the manifest does not govern. A write that replaces them sends them as they are; as JSON, of which a plan
/// is made, their values are hidden.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Kept {
    /// `observability` without `enabled`: sampling, traces, destinations.
    #[serde(serialize_with = "foreign::as_hidden")]
    pub observability: Map<String, Value>,
    pub logpush: bool,
    #[serde(serialize_with = "foreign::as_hidden_items")]
    pub tail_consumers: Vec<Value>,
}

impl Kept {
    /// Whether everything is as in a new script.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The whole `observability` setting.
    pub fn observability(&self, enabled: bool) -> Value {
        let mut whole = self.observability.clone();
        whole.insert("enabled".to_owned(), enabled.into());
        whole.into()
    }
}

/// A version as it was uploaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LiveVersion {
    pub id: String,
    #[serde(serialize_with = "foreign::as_version_tag")]
    pub tag: Option<String>,
    /// The content hash of the modules, from our tag or by reading them back.
    pub code: Option<String>,
    /// Bindings without the secrets, as the API writes them, but with the values that others wrote hidden (`foreign::binding`).
    pub bindings: BTreeMap<String, Value>,
    pub secrets: BTreeSet<String>,
    pub compatibility_date: String,
    pub compatibility_flags: Vec<String>,
    pub cpu_ms: Option<u32>,
    /// `smart` or `targeted`; none is where the client is.
    pub placement: Option<String>,
    pub migration_tag: Option<String>,
}

impl LiveVersion {
    /// The jurisdiction of the objects that it asks for.
    pub(super) fn jurisdiction(&self) -> Option<&str> {
        self.bindings.get(binding::JURISDICTION)?["text"].as_str()
    }
}

/// A zone route.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveRoute {
    pub id: String,
    pub pattern: String,
    /// None switches Workers off for the pattern.
    pub script: Option<String>,
}

impl LiveRoute {
    /// Whether it is the route of `pattern`, whose host may be written in letters of either case.
    pub(crate) fn is_for(&self, pattern: &str) -> bool {
        Pattern::parse(&self.pattern) == Pattern::parse(pattern)
    }
}

/// A custom domain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveDomain {
    pub id: String,
    pub hostname: String,
    pub script: String,
}

/// The state of a zone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LiveZone {
    /// `initializing`, `pending`, `active` or `moved`.
    pub status: Option<String>,
    /// Cloudflare answers for its names and leaves its requests alone.
    pub is_paused: bool,
    /// `full`, `partial` (its DNS is elsewhere), `secondary` or `internal`.
    pub kind: Option<String>,
}

/// A list that a token need not be allowed to read.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Seen<T> {
    #[default]
    NotAsked,
    Refused,
    All(Vec<T>),
}

/// A DNS record.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveRecord {
    /// The whole name; `*.` may start it.
    pub name: String,
    /// `A`, `CNAME`, …
    pub kind: String,
    pub content: String,
    pub is_proxied: bool,
    /// A custom domain of a Worker made it.
    pub is_of_worker: bool,
}

impl LiveRecord {
    /// Whether it leads its name somewhere.
    pub(crate) fn is_address(&self) -> bool {
        matches!(self.kind.as_str(), "A" | "AAAA" | "CNAME")
    }
}

impl fmt::Display for LiveRecord {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.content)
    }
}
