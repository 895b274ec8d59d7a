//! Everything the sandbox knows: accounts, their scripts and zones. Changed by pure functions only.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::account::error::{ApiError, no_script, no_zone};
use crate::account::module::id;
use crate::account::namespace::Namespace;
use crate::account::script::Script;

/// How closely the sandbox keeps to what Cloudflare does where that is less comfortable than what one machine could do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// As Cloudflare: a zone route needs a proxied DNS record of its host; each Durable Object runs the version that the split
    /// gives it, and a busy one changes as late as the deployment lets it.
    #[default]
    Strict,
    /// For a first look: whatever has a route answers; every object runs the version with the greatest share, at once.
    Lenient,
}

/// The whole state. Without secret values when it is serialised or shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// Any account is accepted; one appears here with its first change.
    pub accounts: BTreeMap<String, Account>,
    /// Names of the zones that exist, in every account.
    pub zones: BTreeSet<String>,
    /// DNS records that somebody made; a custom domain's own is not among them.
    pub records: Vec<Record>,
    /// Certificates that somebody ordered; those of custom domains and that of every zone are not among them.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// Names of the zones that Cloudflare answers for and leaves alone.
    #[serde(default)]
    pub paused: BTreeSet<String>,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Certificate {
    /// 32 hex digits.
    pub id: String,
    /// The zone's name.
    pub zone: String,
    /// What it covers; `*.` may start a name, and stands for one label.
    pub hosts: Vec<String>,
}

/// One account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    /// `<subdomain>.workers.dev`
    pub subdomain: String,
    /// By name.
    pub scripts: BTreeMap<String, Script>,
    /// Of all scripts.
    pub namespaces: Vec<Namespace>,
    /// Of all zones, in the order of their creation.
    pub routes: Vec<Route>,
    /// Custom domains.
    pub domains: Vec<Domain>,
}

/// A route. Without a script it switches Workers off for its pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    /// 32 hex digits.
    pub id: String,
    /// The zone's name.
    pub zone: String,
    /// As it was given.
    pub pattern: String,
    /// The script.
    pub script: Option<String>,
}

/// A custom domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Domain {
    /// 32 hex digits.
    pub id: String,
    /// The host.
    pub hostname: String,
    /// The script.
    pub service: String,
    /// The zone's name.
    pub zone: String,
    /// RFC 3339.
    #[serde(default)]
    pub created_on: String,
}

/// A record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// 32 hex digits.
    pub id: String,
    /// The zone's name.
    pub zone: String,
    /// The whole name, in lower case; `*.` may start it.
    pub name: String,
    /// `A`, `CNAME`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it points, or what it says.
    pub content: String,
    /// Whether requests go through the edge.
    pub proxied: bool,
    /// Seconds; 1 is automatic.
    pub ttl: u32,
    /// For people.
    pub comment: Option<String>,
    /// For people.
    pub tags: Vec<String>,
    /// RFC 3339.
    pub created_on: String,
    /// RFC 3339.
    pub modified_on: String,
    /// The script whose custom domain made it: nobody else may change it.
    pub managed_by: Option<String>,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            subdomain: "sandbox".into(),
            scripts: BTreeMap::new(),
            namespaces: Vec::new(),
            routes: Vec::new(),
            domains: Vec::new(),
        }
    }
}

impl State {
    /// Every script of every account.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = &Script> {
        let accounts = self.accounts.values();
        accounts.flat_map(|account| account.scripts.values())
    }

    /// The same for changing.
    pub(crate) fn scripts_mut(&mut self) -> impl Iterator<Item = &mut Script> {
        let accounts = self.accounts.values_mut();
        accounts.flat_map(|account| account.scripts.values_mut())
    }

    /// An account for reading; an unknown one is empty.
    pub(crate) fn account(&self, id: &str) -> Account {
        self.accounts.get(id).cloned().unwrap_or_default()
    }

    /// An account for changing.
    pub(crate) fn account_mut(&mut self, id: &str) -> &mut Account {
        self.accounts.entry(id.to_owned()).or_default()
    }

    /// A script for reading.
    pub(crate) fn script(&self, account: &str, name: &str) -> Result<&Script, ApiError> {
        self.accounts
            .get(account)
            .and_then(|account| account.scripts.get(name))
            .ok_or_else(|| no_script(name))
    }

    /// A script for changing.
    pub(crate) fn script_mut(
        &mut self,
        account: &str,
        name: &str,
    ) -> Result<&mut Script, ApiError> {
        let found = self
            .accounts
            .get_mut(account)
            .and_then(|account| account.scripts.get_mut(name));
        found.ok_or_else(|| no_script(name))
    }

    /// The zone that a host name lies in: the longest name that is a suffix of it.
    pub(crate) fn zone_of(&self, host: &str) -> Option<&str> {
        let zones = self.zones.iter().map(String::as_str);
        zones
            .filter(|zone| lies_in(host, zone))
            .max_by_key(|zone| zone.len())
    }

    /// The name of the zone with this id in this account.
    pub(crate) fn zone_named(&self, account: &str, id: &str) -> Option<&str> {
        self.zones
            .iter()
            .find(|zone| zone_id(account, zone) == id)
            .map(String::as_str)
    }

    /// Account and zone of an id, for the calls that name no account.
    pub(crate) fn zone(&self, id: &str, own_account: &str) -> Result<(String, String), ApiError> {
        let accounts = self
            .accounts
            .keys()
            .map(String::as_str)
            .chain([own_account]);
        let mut found =
            accounts.filter_map(|account| Some((account, self.zone_named(account, id)?)));
        found
            .next()
            .map(|(account, zone)| (account.to_owned(), zone.to_owned()))
            .ok_or_else(|| no_zone(id))
    }
}

/// Whether a host is a zone's own name, or one below it.
pub(crate) fn lies_in(host: &str, zone: &str) -> bool {
    host.strip_suffix(zone)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// A zone's id: 32 hex digits, the same in every run.
pub(crate) fn zone_id(account: &str, name: &str) -> String {
    id(&format!("zone {account} {name}"))
}

/// Removes a script with its routes, domains and classes.
pub(crate) fn remove_script(account: &mut Account, script: &str) {
    account.scripts.remove(script);
    account
        .routes
        .retain(|route| route.script.as_deref() != Some(script));
    account.domains.retain(|domain| domain.service != script);
    account
        .namespaces
        .retain(|namespace| namespace.script != script);
}
