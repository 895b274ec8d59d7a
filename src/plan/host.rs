//! Routes and custom domains: which are missing, which are ours and no longer wanted, which belong to another script.

use edge_broadcast_sandbox::Pattern;

use super::conflict::{Conflict, Whose};
use super::desired::Desired;
use super::observed::{LiveDomain, Observed, Seen};
use super::obstacle::{self, Obstacle};
use super::step::{Change, Step};
use crate::environment::{Served, ServedBy};

/// The steps for the hosts, and the hosts that another script owns. Those that move over are in [`moves`].
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
                let mut routes = observed.routes.iter();
                match routes.find(|route| route.is_for(&pattern)) {
                    None => match covered(served, gateway, observed) {
                        None => steps.push(Step::AddRoute { pattern, script }),
                        Some(domain) => {
                            let owner = domain.script.clone();
                            let whose = whose(desired, observed, Some(&owner));
                            let host = domain.hostname.clone();
                            conflicts.push(Conflict::DomainCovered(host, owner, whose));
                        }
                    },
                    Some(route) if route.script.as_deref() == Some(gateway) => {}
                    Some(route) if movable(desired, observed, route.script.as_deref()) => {}
                    Some(route) => {
                        let owner = route.script.clone();
                        let whose = whose(desired, observed, owner.as_deref());
                        conflicts.push(Conflict::RouteTaken(pattern, owner, whose));
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
                    Some(domain) if movable(desired, observed, Some(&domain.script)) => {}
                    Some(domain) => {
                        let owner = domain.script.clone();
                        let whose = whose(desired, observed, Some(&owner));
                        conflicts.push(Conflict::DomainTaken(pattern, owner, whose));
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

/// The custom domain of another script that a new route of the host would take every request from: routes go before domains.
fn covered<'a>(served: &Served, gateway: &str, observed: &'a Observed) -> Option<&'a LiveDomain> {
    let mut domains = observed.domains.iter();
    domains.find(|it| it.hostname == served.host.as_str() && it.script != gateway)
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

/// Moves wanted hosts over from the scripts of ours that were named. It must come when the new code is live.
pub(super) fn moves(desired: &Desired, observed: &Observed) -> Vec<Step> {
    let script = desired.gateway();
    let mut steps = Vec::new();
    for served in &desired.hosts {
        let pattern = served.pattern();
        match served.by {
            ServedBy::ZoneRoute => {
                let mut routes = observed.routes.iter();
                let route = routes.find(|route| route.is_for(&pattern));
                let moved = route.filter(|it| movable(desired, observed, it.script.as_deref()));
                steps.extend(moved.and_then(|route| {
                    Some(Step::MoveRoute {
                        pattern,
                        id: route.id.clone(),
                        from: route.script.clone()?,
                        script: script.to_owned(),
                    })
                }));
            }
            ServedBy::CustomDomain(_) => {
                let mut domains = observed.domains.iter();
                let domain = domains.find(|domain| domain.hostname == pattern);
                let moved = domain.filter(|it| movable(desired, observed, Some(&it.script)));
                steps.extend(moved.map(|domain| Step::MoveDomain {
                    hostname: pattern,
                    from: domain.script.clone(),
                    script: script.to_owned(),
                }));
            }
        }
    }
    steps
}

/// Whether a wanted host may move over from the script that has it: it is ours, and was named.
fn movable(desired: &Desired, observed: &Observed, owner: Option<&str>) -> bool {
    owner.is_some_and(|owner| {
        owner != desired.gateway()
            && observed.kin.contains(owner)
            && desired.taken_from.contains(owner)
    })
}

fn whose(desired: &Desired, observed: &Observed, owner: Option<&str>) -> Whose {
    match owner.is_some_and(|owner| observed.kin.contains(owner)) {
        true => Whose::Kin(desired.environment.clone()),
        false => Whose::Theirs,
    }
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
