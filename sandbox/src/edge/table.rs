//! Who answers a request: from host and path to a script, from a script to one of its running versions. Pure.

use std::collections::BTreeMap;

use crate::account::dns;
use crate::account::state::{Record, State, Strictness, lies_in};
use crate::edge::pattern::Pattern;

/// Everything the ingress needs to choose.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// Most specific first.
    routes: Vec<(Pattern, Option<Key>)>,
    /// Custom domains and workers.dev addresses.
    hosts: BTreeMap<String, Key>,
    backends: BTreeMap<Key, Vec<Backend>>,
    /// What is known, for the message of an unknown host.
    pub known: Vec<String>,
    strictness: Strictness,
    zones: Vec<String>,
    /// Zones whose requests go past the edge.
    paused: Vec<String>,
    /// Of all zones and accounts.
    records: Vec<Record>,
}

/// Who answers a request.
#[derive(Debug, PartialEq)]
pub(crate) enum Choice<'a> {
    /// A script and its versions.
    Script(&'a str, &'a [Backend]),
    /// The request gets to the edge, and nobody there wants it.
    NoScript,
    /// The request does not get to the edge.
    NoRecord,
}

/// Account and script.
type Key = (String, String);

/// A running version.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Backend {
    /// The version.
    pub version: String,
    /// Its share.
    pub percentage: f64,
    /// Its port on the loopback interface.
    pub port: u16,
}

/// Builds the table. `port` is that of an account's script's version; a version without one is left out.
pub(crate) fn build(
    state: &State,
    strictness: Strictness,
    port: impl Fn(&str, &str, &str) -> Option<u16>,
) -> Table {
    let mut table = Table {
        strictness,
        zones: state.zones.iter().cloned().collect(),
        records: state.records.clone(),
        paused: state.paused.iter().cloned().collect(),
        ..Table::default()
    };
    for (id, account) in &state.accounts {
        let key = |script: &str| (id.clone(), script.to_owned());
        for route in &account.routes {
            let pattern = Pattern::parse(&route.pattern);
            let script = route.script.as_deref().map(key);
            table.routes.push((pattern, script));
            table.known.push(route.pattern.clone());
        }
        table.records.extend(dns::of_domains(account));
        for domain in &account.domains {
            let (host, script) = (domain.hostname.clone(), key(&domain.service));
            table.hosts.insert(host, script);
        }
        for script in account.scripts.values() {
            if script.subdomain.enabled {
                let host = format!("{}.{}.workers.dev", script.name, account.subdomain);
                table.hosts.insert(host, key(&script.name));
            }
            let backends = script.shares().iter().filter_map(|share| {
                let port = port(id, &script.name, &share.version_id)?;
                Some(Backend {
                    version: share.version_id.clone(),
                    percentage: share.percentage,
                    port,
                })
            });
            table.backends.insert(key(&script.name), backends.collect());
        }
    }
    table
        .routes
        .sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.specificity()));
    table.known.extend(table.hosts.keys().cloned());
    table
}

impl Table {
    /// The script's name and versions for a host (lower case, no port) and path. Zone routes go before custom domains, as on
    /// Cloudflare, where the domain's Worker is the origin behind the route.
    pub(crate) fn pick(&self, host: &str, path: &str) -> Choice<'_> {
        if !self.is_reached(host) {
            return Choice::NoRecord;
        }
        match self.script(host, path) {
            Some((script, backends)) => Choice::Script(script, backends),
            None => Choice::NoScript,
        }
    }

    /// Hosts outside the sandbox's zones are not refused for their records: workers.dev has its own, and of others nothing is known.
    fn is_reached(&self, host: &str) -> bool {
        let lies = |zone: &String| lies_in(host, zone);
        if self.paused.iter().any(lies) {
            return false;
        }
        self.strictness == Strictness::Lenient
            || !self.zones.iter().any(lies)
            || dns::is_proxied(&self.records, host)
    }

    fn script(&self, host: &str, path: &str) -> Option<(&str, &[Backend])> {
        let routed = self
            .routes
            .iter()
            .find(|(pattern, _)| pattern.matches(host, path));
        let key = match routed {
            Some((_, Some(key))) => key,
            _ => self.hosts.get(host)?,
        };
        Some((&key.1, self.backends.get(key)?))
    }
}

/// The version that the overrides header (`script="version", …`) names for this script, if it is one of the running ones.
/// <https://developers.cloudflare.com/workers/configuration/versions-and-deployments/gradual-deployments/>
pub(crate) fn overridden<'a>(
    header: &str,
    script: &str,
    backends: &'a [Backend],
) -> Option<&'a Backend> {
    let mut entries = header
        .split(',')
        .filter_map(|entry| entry.trim().split_once('='));
    let (_, id) = entries.find(|(name, _)| *name == script)?;
    let id = id.trim_matches('"');
    backends.iter().find(|backend| backend.version == id)
}

/// The version for a number from 0 to 100: by the shares, in their order.
pub(crate) fn share(backends: &[Backend], number: f64) -> Option<&Backend> {
    let mut sum = 0.0;
    let hit = backends.iter().find(|backend| {
        sum += backend.percentage;
        number < sum
    });
    hit.or_else(|| backends.iter().rfind(|backend| backend.percentage > 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split() -> Vec<Backend> {
        let backend = |version: &str, percentage, port| Backend {
            version: version.into(),
            percentage,
            port,
        };
        vec![backend("new", 10.0, 1), backend("old", 90.0, 2)]
    }

    #[test]
    fn requests_are_split_by_the_shares() {
        let at = |number| share(&split(), number).unwrap().version.clone();
        assert_eq!(
            [at(0.0), at(9.9), at(10.0), at(99.9), at(100.0)],
            ["new", "new", "old", "old", "old"]
        );
    }

    #[test]
    fn a_version_at_zero_is_reached_by_the_override_only() {
        let mut split = split();
        split[0].percentage = 0.0;
        split[1].percentage = 100.0;
        assert_eq!(share(&split, 0.0).unwrap().version, "old");
        assert_eq!(
            overridden("other=\"x\", room=\"new\"", "room", &split)
                .unwrap()
                .version,
            "new"
        );
        assert_eq!(overridden("room=\"gone\"", "room", &split), None);
        assert_eq!(overridden("rooms=\"new\"", "room", &split), None);
    }
}
