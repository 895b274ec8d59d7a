//! Routes and custom domains: which are missing, which are ours and no longer wanted, which belong to another script.

use edge_broadcast_sandbox::Pattern;

use super::conflict::Conflict;
use super::desired::Desired;
use super::observed::{Observed, Seen};
use super::obstacle::{self, Obstacle};
use super::step::{Change, Step};
use crate::environment::{Served, ServedBy};

/// The steps for the hosts, and the hosts that another script owns.
pub(super) fn steps(
    desired: &Desired,
    observed: &Observed,
    conflicts: &mut Vec<Conflict>,
) -> Vec<Step> {
    let gateway = desired.gateway();
    let script = gateway.to_owned();
    let mut steps = Vec::new();
    for served in &desired.hosts {
        let pattern = served.pattern();
        let script = script.clone();
        match served.by {
            ServedBy::ZoneRoute => {
                // The host's letters may be written in either case
                let wanted = Pattern::parse(&pattern);
                let mut routes = observed.routes.iter();
                match routes.find(|route| Pattern::parse(&route.pattern) == wanted) {
                    None => steps.push(Step::AddRoute { pattern, script }),
                    Some(route) if route.script.as_deref() == Some(gateway) => {}
                    Some(route) => {
                        conflicts.push(Conflict::RouteTaken(pattern, route.script.clone()));
                    }
                }
            }
            ServedBy::CustomDomain(override_dns) => {
                let mut domains = observed.domains.iter();
                match domains.find(|domain| domain.hostname == pattern) {
                    None => steps.push(Step::AddDomain {
                        changes: replaced(&pattern, observed).into_iter().collect(),
                        hostname: pattern,
                        script,
                        override_dns,
                    }),
                    Some(domain) if domain.script == gateway => {}
                    Some(domain) => {
                        conflicts.push(Conflict::DomainTaken(pattern, domain.script.clone()));
                    }
                }
            }
        }
    }
    let (zone, hosts) = (&desired.zone, &desired.hosts);
    let obstacles = obstacle::of(zone, hosts, gateway, observed).into_iter();
    let certain = obstacles.filter(Obstacle::is_certain);
    conflicts.extend(certain.map(Conflict::Obstacle));
    steps.extend(removals(desired, observed));
    steps
}

/// The DNS record that a custom domain's own takes the place of.
fn replaced(hostname: &str, observed: &Observed) -> Option<Change> {
    let Seen::All(records) = &observed.records else {
        return None;
    };
    let record = obstacle::blocking(hostname, records)?.to_string();
    let before = format!("{record} of another Worker");
    Change::between("DNS record", Some(before), Some("the custom domain's"))
}

/// Takes away the routes and custom domains of the gateway that the manifest does not want.
fn removals(desired: &Desired, observed: &Observed) -> Vec<Step> {
    let gateway = desired.gateway();
    let script = gateway.to_owned();
    let mut steps = Vec::new();
    let (routed, attached): (Vec<&Served>, Vec<&Served>) = desired
        .hosts
        .iter()
        .partition(|served| served.by == ServedBy::ZoneRoute);
    let is_attached = |hostname: &str| attached.iter().any(|it| it.pattern() == hostname);
    let is_routed = |pattern: &str| {
        let pattern = Pattern::parse(pattern);
        let mut routed = routed.iter();
        routed.any(|it| Pattern::parse(&it.pattern()) == pattern)
    };
    for route in &observed.routes {
        if route.script.as_deref() == Some(gateway) && !is_routed(&route.pattern) {
            steps.push(Step::RemoveRoute {
                pattern: route.pattern.clone(),
                id: route.id.clone(),
                script: script.clone(),
            });
        }
    }
    for domain in &observed.domains {
        if domain.script == gateway && !is_attached(&domain.hostname) {
            steps.push(Step::RemoveDomain {
                hostname: domain.hostname.clone(),
                id: domain.id.clone(),
                script: script.clone(),
            });
        }
    }
    steps
}
