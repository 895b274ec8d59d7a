//! Routes and custom domains: which are missing, which are ours and no longer wanted, which belong to another script.

use super::conflict::Conflict;
use super::desired::Desired;
use super::observed::Observed;
use super::step::Step;
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
                let mut routes = observed.routes.iter();
                match routes.find(|route| route.pattern == pattern) {
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
    steps.extend(removals(desired, observed));
    steps
}

/// Takes away the routes and custom domains of the gateway that the manifest does not want.
fn removals(desired: &Desired, observed: &Observed) -> Vec<Step> {
    let gateway = desired.gateway();
    let script = gateway.to_owned();
    let mut steps = Vec::new();
    let (routed, attached): (Vec<_>, Vec<_>) = desired
        .hosts
        .iter()
        .partition(|served| served.by == ServedBy::ZoneRoute);
    let wanted =
        |served: &[&Served], pattern: &str| served.iter().any(|it| it.pattern() == pattern);
    for route in &observed.routes {
        if route.script.as_deref() == Some(gateway) && !wanted(&routed, &route.pattern) {
            steps.push(Step::RemoveRoute {
                pattern: route.pattern.clone(),
                id: route.id.clone(),
                script: script.clone(),
            });
        }
    }
    for domain in &observed.domains {
        if domain.script == gateway && !wanted(&attached, &domain.hostname) {
            steps.push(Step::RemoveDomain {
                hostname: domain.hostname.clone(),
                id: domain.id.clone(),
                script: script.clone(),
            });
        }
    }
    steps
}
