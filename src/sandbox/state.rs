//! Everything the sandbox knows: accounts, their scripts and zones. Changed by pure functions only.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::dns::Record;
use super::domain::Domain;
use super::error::{ApiError, no_script, no_zone};
use super::module::hash;
use super::namespace::Namespace;
use super::route::Route;
use super::script::Script;

/// The whole state. Without secret values when it is serialised or shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    /// Any account is accepted; one appears here with its first change.
    pub accounts: BTreeMap<String, Account>,
    /// Names of the zones that exist, in every account.
    pub zones: BTreeSet<String>,
    /// DNS records that somebody made; a custom domain's own is not among them.
    pub records: Vec<Record>,
}

/// One account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Account {
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
    /// An account for reading; an unknown one is empty.
    pub(super) fn account(&self, id: &str) -> Account {
        self.accounts.get(id).cloned().unwrap_or_default()
    }

    /// An account for changing.
    pub(super) fn account_mut(&mut self, id: &str) -> &mut Account {
        self.accounts.entry(id.to_owned()).or_default()
    }

    /// A script for reading.
    pub(super) fn script(&self, account: &str, name: &str) -> Result<&Script, ApiError> {
        self.accounts
            .get(account)
            .and_then(|account| account.scripts.get(name))
            .ok_or_else(|| no_script(name))
    }

    /// A script for changing.
    pub(super) fn script_mut(
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
    pub(super) fn zone_of(&self, host: &str) -> Option<&str> {
        let within = |zone: &&String| {
            host == zone.as_str()
                || host
                    .strip_suffix(zone.as_str())
                    .is_some_and(|rest| rest.ends_with('.'))
        };
        self.zones
            .iter()
            .filter(within)
            .max_by_key(|zone| zone.len())
            .map(String::as_str)
    }

    /// The name of the zone with this id in this account.
    pub(super) fn zone_named(&self, account: &str, id: &str) -> Option<&str> {
        self.zones
            .iter()
            .find(|zone| zone_id(account, zone) == id)
            .map(String::as_str)
    }

    /// Account and zone of an id, for the calls that name no account.
    pub(super) fn zone(&self, id: &str, own_account: &str) -> Result<(String, String), ApiError> {
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

/// A zone's id: 32 hex digits, the same in every run.
pub(super) fn zone_id(account: &str, name: &str) -> String {
    hash(format!("zone {account} {name}").as_bytes())[..32].to_owned()
}

/// Removes a script with its routes, domains and classes.
pub(super) fn remove_script(account: &mut Account, script: &str) {
    account.scripts.remove(script);
    account
        .routes
        .retain(|route| route.script.as_deref() != Some(script));
    account.domains.retain(|domain| domain.service != script);
    account
        .namespaces
        .retain(|namespace| namespace.script != script);
}
