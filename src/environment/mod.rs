//! An environment: one manifest with its defaults and its rules across fields applied, once.
//!
//! Holds no secret value. Everything after this point reads [`Environment`], never a manifest.
//!
//! Imports: `build`, `secret`, `terminal`

mod clash;
pub mod cost;
mod day;
pub(crate) mod draft;
pub(crate) mod manifest;
pub mod name;
mod owner;
pub(crate) mod problem;
pub mod project;
mod resolve;
mod rules;
pub(crate) mod schema;
pub mod script;
pub(crate) mod script_name;

use std::collections::BTreeMap;
use std::time::Duration;

use edge_broadcast_protocol::contract::binding::DEVELOPMENT;
use edge_broadcast_protocol::contract::settings::{GatewaySettings, RoomSettings};
use serde::{Deserialize, Serialize};

use crate::environment::manifest::{CodeUpdateMode, Migration, OnInconclusive};
use crate::environment::name::{
    AccountId, Dataset, EnvironmentName, Host, Jurisdiction, Owner, SstName, Stages,
};
use crate::secret::Source;
use crate::secret::sender::Sender;

/// Everything that one environment governs.
#[derive(Clone, Debug)]
pub struct Environment {
    pub name: EnvironmentName,
    /// The gateway's script name without the environment: `glow-broadcast`.
    pub worker: String,
    /// Whose the scripts are: the manifest's `worker.owner`, or the address of the repository; `None` where there is neither.
    pub owner: Option<Owner>,
    pub account_id: Option<AccountId>,
    pub zone: Host,
    pub protected: bool,
    pub workers_dev: bool,
    pub compatibility_date: String,
    /// The value of the variable `ENVIRONMENT`.
    pub label: String,
    pub observability: bool,
    pub cpu_ms: Option<u32>,
    pub code_update: CodeUpdateStrategy,
    /// The jurisdiction of its objects; none lets Cloudflare choose.
    pub jurisdiction: Option<Jurisdiction>,
    /// The main hosts in the manifest's order, then the regions' own. The first is where the environment is verified.
    pub hosts: Vec<Served>,
    pub gateway: GatewaySettings,
    pub room: RoomSettings,
    pub connect_rate: Rate,
    pub broadcast_rate: Rate,
    pub dataset: Option<Dataset>,
    pub secrets: BTreeMap<String, Secret>,
    /// Headers of every request to the hosts, by name: where each value comes from.
    pub headers: BTreeMap<String, Source>,
    pub sst: Option<Sst>,
    /// What is expected of a month; only computed with.
    pub traffic: Option<cost::Traffic>,
    /// How new versions get the traffic, where they are not given all of it at once.
    pub rollout: Option<Rollout>,
}

/// Shares of the traffic, and what a new version must keep to at each of them.
#[derive(Clone, Debug)]
pub struct Rollout {
    pub steps: Stages,
    /// Events of each version without which nothing is said of it.
    pub min_samples: u32,
    /// How much greater the share of refused events may be, 0 to 1.
    pub max_refusal_delta: f64,
    /// How many times as long the slowest hundredth may take.
    pub max_p99_ratio: f64,
    pub on_inconclusive: OnInconclusive,
}

/// Time at which Durable Objects restart on new code: `code_update_strategy` of a deployment (wrangler 4.141 and later send it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CodeUpdateStrategy {
    pub mode: CodeUpdateMode,
    /// Seconds; only of `deferred`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_delay: Option<u64>,
}

impl CodeUpdateStrategy {
    /// Wrangler's own when its configuration says nothing (wrangler 4.164, `deployment-args.ts`).
    pub const DEFAULT: Self = Self {
        mode: CodeUpdateMode::Deferred,
        max_delay: Some(300),
    };
}

/// A host, and how it reaches the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    pub host: Host,
    pub by: ServedBy,
}

/// Cloudflare's way from a host to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServedBy {
    /// The zone route `host/*`; the DNS record exists already.
    ZoneRoute,
    /// A custom domain; Cloudflare makes the DNS record.
    CustomDomain(OverrideDns),
}

/// Whether a custom domain may take over the DNS record of another Worker. A record that a person made is a conflict all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OverrideDns {
    Never,
    Allowed,
}

impl Served {
    /// The `pattern` of a route in `wrangler.toml` and in the API: every path of a zone route's host, or the custom domain.
    pub fn pattern(&self) -> String {
        match self.by {
            ServedBy::ZoneRoute => format!("{}/*", self.host),
            ServedBy::CustomDomain(_) => self.host.to_string(),
        }
    }
}

/// Requests per period of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    pub limit: u32,
    pub period: u32,
}

/// Source of a secret's value, and the senders that must learn a new one.
#[derive(Clone, Debug)]
pub struct Secret {
    pub source: Source,
    pub rotate_every: Option<Duration>,
    pub retry_horizon: Duration,
    pub senders: Vec<Sender>,
}

/// The publisher's side.
#[derive(Clone, Debug, Serialize)]
pub struct Sst {
    pub app: SstName,
    pub stage: SstName,
    pub migration: Migration,
}

impl Environment {
    /// Where each secret's value comes from, by its name.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        let secrets = self.secrets.iter();
        secrets.map(|(name, secret)| (name.as_str(), &secret.source))
    }

    /// The same of the headers that requests to the hosts have.
    pub fn header_sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        let headers = self.headers.iter();
        headers.map(|(name, source)| (name.as_str(), source))
    }

    /// Whether only developers see it: `worker.debug`.
    pub fn is_for_development(&self) -> bool {
        self.label == DEVELOPMENT
    }

    /// The script that has the routes and the secrets.
    pub fn gateway_script(&self) -> String {
        script_name::gateway(&self.worker, self.name.as_str())
    }

    /// The script that defines the Durable Object.
    pub fn room_script(&self) -> String {
        script_name::room(&self.worker, self.name.as_str())
    }

    /// The hosts of zone routes: each needs a proxied DNS record, which the tool does not make.
    pub fn routed_hosts(&self) -> Vec<String> {
        let hosts = self.hosts.iter();
        hosts
            .filter(|served| served.by == ServedBy::ZoneRoute)
            .map(|served| served.host.to_string())
            .collect()
    }

    /// The host at which the environment is verified and published to.
    pub fn main_host(&self) -> &Host {
        &self.hosts[0].host
    }
}
