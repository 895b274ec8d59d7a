//! Routes and custom domains: which are missing, which are ours and no longer wanted, which belong to another script.

use super::conflict::{Conflict, Whose};
use super::desired::Desired;
use super::observed::{LiveDomain, LiveRoute, Observed, Seen};
use super::obstacle::{self, Obstacle};
use super::step::{Change, Step};
use crate::environment::{OverrideDns, Served, ServedBy};

/// The steps for the hosts, and the hosts that another script owns.
pub(super) fn steps(
    desired: &Desired,
    observed: &Observed,
    conflicts: &mut Vec<Conflict>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for served in &desired.hosts {
        let step = match served.by {
            ServedBy::ZoneRoute => route(served, desired, observed),
            ServedBy::CustomDomain(dns) => domain(served, dns, desired, observed),
        };
        match step {
            Ok(step) => steps.extend(step),
            Err(conflict) => conflicts.push(*conflict),
        }
    }
    let (zone, hosts) = (&desired.zone, &desired.hosts);
    let obstacles = obstacle::of(zone, hosts, desired.gateway(), observed).into_iter();
    let certain = obstacles.filter(Obstacle::is_certain);
    conflicts.extend(certain.map(Conflict::Obstacle));
    steps.extend(removals(desired, observed));
    steps
}

/// The step that gives the gateway a wanted zone route, unless it has it.
fn route(
    served: &Served,
    desired: &Desired,
    observed: &Observed,
) -> Result<Option<Step>, Box<Conflict>> {
    let (pattern, gateway) = (served.pattern(), desired.gateway());
    let script = gateway.to_owned();
    let mut routes = observed.routes.iter();
    let Some(route) = routes.find(|route| route.is_for(&pattern)) else {
        return match covered(served, gateway, observed) {
            None => Ok(Some(Step::AddRoute { pattern, script })),
            Some(LiveDomain {
                hostname, script, ..
            }) => {
                let whose = whose(desired, observed, Some(script));
                let (host, owner) = (hostname.clone(), script.clone());
                Err(Conflict::DomainCovered(host, owner, whose).into())
            }
        };
    };
    match &route.script {
        Some(owner) if owner == gateway => Ok(None),
        Some(from) if movable(desired, observed, from) => Ok(Some(Step::MoveRoute {
            pattern,
            id: route.id.clone(),
            from: from.clone(),
            script,
        })),
        owner => {
            let whose = whose(desired, observed, owner.as_deref());
            Err(Conflict::RouteTaken(pattern, owner.clone(), whose).into())
        }
    }
}

/// The same of a wanted custom domain.
fn domain(
    served: &Served,
    override_dns: OverrideDns,
    desired: &Desired,
    observed: &Observed,
) -> Result<Option<Step>, Box<Conflict>> {
    let (hostname, gateway) = (served.pattern(), desired.gateway());
    let script = gateway.to_owned();
    let mut domains = observed.domains.iter();
    let Some(domain) = domains.find(|domain| domain.hostname == hostname) else {
        return Ok(Some(Step::AddDomain {
            changes: replaced(&hostname, observed).into_iter().collect(),
            hostname,
            script,
            override_dns,
        }));
    };
    match &domain.script {
        owner if owner == gateway => Ok(None),
        from if movable(desired, observed, from) => Ok(Some(Step::MoveDomain {
            hostname,
            from: from.clone(),
            script,
        })),
        owner => {
            let whose = whose(desired, observed, Some(owner));
            Err(Conflict::DomainTaken(hostname, owner.clone(), whose).into())
        }
    }
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

/// Whether a wanted host may move over from the script that has it: it is ours, and was named.
fn movable(desired: &Desired, observed: &Observed, owner: &str) -> bool {
    owner != desired.gateway() && observed.kin.contains(owner) && desired.taken_from.contains(owner)
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
    let is_routed = |route: &LiveRoute| routed.iter().any(|it| route.is_for(&it.pattern()));
    for route in &observed.routes {
        if route.script.as_deref() == Some(gateway) && !is_routed(route) {
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
