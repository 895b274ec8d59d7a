//! Routes and custom domains: what is missing, what is ours and no longer wanted, what belongs to somebody else.

use std::collections::BTreeSet;

use super::conflict::Conflict;
use super::desired::Desired;
use super::observed::Observed;
use super::step::{OverrideDns, Step};
use crate::environment::ServedBy;

/// The steps for the hosts, and the hosts that another script owns.
pub(super) fn steps(
    desired: &Desired,
    observed: &Observed,
    conflicts: &mut Vec<Conflict>,
) -> Vec<Step> {
    let gateway = desired.gateway();
    let mut steps = Vec::new();
    let mut patterns = BTreeSet::new();
    let mut hostnames = BTreeSet::new();
    for (host, by) in &desired.hosts {
        if *by == ServedBy::ZoneRoute {
            let pattern = format!("{host}/*");
            match observed
                .routes
                .iter()
                .find(|route| route.pattern == pattern)
            {
                None => steps.push(Step::AddRoute {
                    pattern: pattern.clone(),
                    script: gateway.to_owned(),
                }),
                Some(route) if route.script.as_deref() == Some(gateway) => {}
                Some(route) => conflicts.push(Conflict {
                    problem: match &route.script {
                        Some(owner) => {
                            format!("the route `{pattern}` belongs to the script `{owner}`")
                        }
                        None => format!("the route `{pattern}` is set to run no Worker"),
                    },
                    way_out:
                        "remove that route in the dashboard, or use another host in the manifest"
                            .to_owned(),
                }),
            }
            patterns.insert(pattern);
        } else {
            match observed
                .domains
                .iter()
                .find(|domain| domain.hostname == *host)
            {
                None => steps.push(Step::AddDomain {
                    hostname: host.clone(),
                    script: gateway.to_owned(),
                    override_dns: match by {
                        ServedBy::CustomDomainOverridingDns => OverrideDns::Allowed,
                        _ => OverrideDns::Never,
                    },
                }),
                Some(domain) if domain.script == gateway => {}
                Some(domain) => conflicts.push(Conflict {
                    problem: format!(
                        "the custom domain `{host}` belongs to the script `{}`",
                        domain.script
                    ),
                    way_out:
                        "remove it from that script first, or use another host in the manifest"
                            .to_owned(),
                }),
            }
            hostnames.insert(host.clone());
        }
    }
    for route in &observed.routes {
        if route.script.as_deref() == Some(gateway) && !patterns.contains(&route.pattern) {
            steps.push(Step::RemoveRoute {
                pattern: route.pattern.clone(),
                id: route.id.clone(),
                script: gateway.to_owned(),
            });
        }
    }
    for domain in &observed.domains {
        if domain.script == gateway && !hostnames.contains(&domain.hostname) {
            steps.push(Step::RemoveDomain {
                hostname: domain.hostname.clone(),
                id: domain.id.clone(),
                script: gateway.to_owned(),
            });
        }
    }
    steps
}
