//! Obstacles: what keeps requests from getting to the gateway, whatever its code is. They are of the zone: its state, its routes, its
//! DNS records, its certificates.
//!
//! One that defeats a deployment for certain is a conflict, any other a finding.

use edge_broadcast_sandbox::{answering, is_deep};

use super::observed::{LiveRecord, Observed, Seen};
use super::shadow::{self, Shadow};
use crate::environment::{Environment, OverrideDns, Served, ServedBy};
use crate::terminal::advice::Advice;

/// What may keep requests from the gateway.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(test, derive(strum::EnumDiscriminants))]
#[cfg_attr(test, strum_discriminants(derive(strum::EnumIter)))]
pub enum Obstacle {
    /// A zone and its status: Cloudflare serves it when it is `active`.
    NotActive(String, String),
    /// A zone whose requests Cloudflare does not touch.
    Paused(String),
    /// A route of others goes before ours.
    Shadowed(Shadow),
    /// A zone route's host whose requests DNS leads elsewhere.
    NotProxied(String, Leads, Standing),
    /// A zone route's host for which the zone has no certificate.
    NoCertificate(String, Certificates, Standing),
    /// The host of a custom domain that is to be attached, and its DNS record.
    RecordInTheWay(String, String, Record),
    /// A zone, and hosts of it whose DNS records the token may not read.
    RecordsUnseen(String, Vec<String>),
}

/// Where DNS leads a host whose requests do not come to Cloudflare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leads {
    Nowhere,
    /// To what a record says that is not proxied.
    Past(String),
    /// The record is that of the host's custom domain, and goes with it.
    ToDomain,
}

/// Whether the host has been served before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The route is to be added.
    New,
    /// The route is there. Something that is not looked at may lead there, such as a load balancer.
    Live,
}

/// What is known of the zone's certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificates {
    NoneCovers,
    Unknown,
}

/// Whose a DNS record is that stands where a custom domain needs its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Somebody made it.
    Made,
    /// Somebody made it, and the host's zone route, which is ours, needs it until the domain is there.
    OfOurRoute,
    /// Another Worker's, and the manifest does not allow to take it over.
    OfAnotherWorker,
}

/// Everything that keeps requests to `hosts` from the script `gateway`.
pub(super) fn of(
    zone: &str,
    hosts: &[Served],
    gateway: &str,
    observed: &Observed,
) -> Vec<Obstacle> {
    let state = &observed.zone;
    let zone_name = zone.to_owned();
    let mut found = Vec::new();
    if let Some(status) = state.status.as_ref().filter(|status| *status != "active") {
        found.push(Obstacle::NotActive(zone_name.clone(), status.clone()));
    } else if state.is_paused {
        found.push(Obstacle::Paused(zone_name.clone()));
    }
    let mut unseen = Vec::new();
    for served in hosts {
        let shadows = shadow::on(served, gateway, &observed.routes);
        found.extend(shadows.into_iter().map(Obstacle::Shadowed));
        let standing = standing(served, observed);
        match (&observed.records, served.by, standing) {
            (Seen::All(records), ServedBy::ZoneRoute, _) => {
                found.extend(not_proxied(served, gateway, observed, records, standing));
            }
            (Seen::All(records), ServedBy::CustomDomain(over), Standing::New) => {
                found.extend(in_the_way(served, over, gateway, observed, records));
            }
            (Seen::Refused, _, Standing::New) => unseen.push(served.host.to_string()),
            _ => {}
        }
        if served.by == ServedBy::ZoneRoute && state.kind.as_deref() != Some("partial") {
            found.extend(no_certificate(served, zone, observed, standing));
        }
    }
    if !unseen.is_empty() {
        found.push(Obstacle::RecordsUnseen(zone_name, unseen));
    }
    found
}

/// The routes of others that take requests to `environment`, whether they defeat a deployment or not.
pub(crate) fn shadows(environment: &Environment, observed: &Observed) -> Vec<Shadow> {
    let gateway = environment.gateway_script();
    let hosts = environment.hosts.iter();
    hosts
        .flat_map(|served| shadow::on(served, &gateway, &observed.routes))
        .collect()
}

/// Whether the route or custom domain of a host is there, for whichever script: who has it is looked at elsewhere.
fn standing(served: &Served, observed: &Observed) -> Standing {
    let pattern = served.pattern();
    let is_there = match served.by {
        ServedBy::ZoneRoute => observed.routes.iter().any(|route| route.is_for(&pattern)),
        ServedBy::CustomDomain(_) => observed
            .domains
            .iter()
            .any(|domain| domain.hostname == pattern),
    };
    match is_there {
        true => Standing::Live,
        false => Standing::New,
    }
}

fn not_proxied(
    served: &Served,
    gateway: &str,
    observed: &Observed,
    records: &[LiveRecord],
    standing: Standing,
) -> Option<Obstacle> {
    let host = served.host.as_str();
    // Its record goes when the domain is detached, which the manifest asks for
    let mut domains = observed.domains.iter();
    let is_leaving = domains.any(|domain| domain.hostname == host && domain.script == gateway);
    let stays = |record: &&LiveRecord| !(is_leaving && record.is_of_worker && record.name == host);
    let staying: Vec<&LiveRecord> = records.iter().filter(stays).collect();
    let name = answering(host, |name| {
        staying.iter().any(|record| record.name == name)
    });
    let here = staying
        .iter()
        .filter(|record| Some(&record.name) == name.as_ref() && record.is_address());
    let here: Vec<_> = here.collect();
    if here.iter().any(|record| record.is_proxied) {
        return None;
    }
    let leads = match here.first() {
        Some(record) => Leads::Past(record.to_string()),
        None if is_leaving => Leads::ToDomain,
        None => Leads::Nowhere,
    };
    Some(Obstacle::NotProxied(host.to_owned(), leads, standing))
}

/// Universal SSL covers a zone's name and one label below it
/// (<https://developers.cloudflare.com/ssl/edge-certificates/universal-ssl/limitations/>); of zones whose DNS is elsewhere every host.
fn no_certificate(
    served: &Served,
    zone: &str,
    observed: &Observed,
    standing: Standing,
) -> Option<Obstacle> {
    let host = served.host.as_str();
    if !is_deep(host, zone) {
        return None;
    }
    let covers = |name: &String| {
        let wildcard = name.strip_prefix("*.");
        let above = host.split_once('.').map(|(_, above)| above);
        name == host || wildcard.is_some() && wildcard == above
    };
    let known = match &observed.certificates {
        Seen::All(names) if names.iter().any(covers) => return None,
        Seen::All(_) => Certificates::NoneCovers,
        // It was served before: one covers it
        Seen::Refused if standing == Standing::New => Certificates::Unknown,
        Seen::Refused | Seen::NotAsked => return None,
    };
    Some(Obstacle::NoCertificate(host.to_owned(), known, standing))
}

fn in_the_way(
    served: &Served,
    over: OverrideDns,
    gateway: &str,
    observed: &Observed,
    records: &[LiveRecord],
) -> Option<Obstacle> {
    let record = blocking(served.host.as_str(), records)?;
    let route = format!("{}/*", served.host);
    let mut routes = observed.routes.iter();
    let whose = match record.is_of_worker {
        true if over == OverrideDns::Allowed => return None,
        true => Record::OfAnotherWorker,
        false if routes.any(|it| it.is_for(&route) && it.script.as_deref() == Some(gateway)) => {
            Record::OfOurRoute
        }
        false => Record::Made,
    };
    let host = served.host.to_string();
    Some(Obstacle::RecordInTheWay(host, record.to_string(), whose))
}

/// The DNS record of `host` that a custom domain cannot have beside its own.
pub(super) fn blocking<'a>(host: &str, records: &'a [LiveRecord]) -> Option<&'a LiveRecord> {
    let here = |record: &&LiveRecord| record.name == host && record.is_address();
    let made = |record: &&LiveRecord| here(record) && !record.is_of_worker;
    // What somebody made cannot be taken over, so it is told first
    records.iter().find(made).or(records.iter().find(here))
}

impl Obstacle {
    /// Whether no deployment can be found to work while it is there.
    pub(super) fn is_certain(&self) -> bool {
        match self {
            Self::NotActive(..) | Self::Paused(_) | Self::RecordInTheWay(..) => true,
            Self::Shadowed(shadow) => shadow.is_certain(),
            Self::NotProxied(_, _, standing) => *standing == Standing::New,
            Self::NoCertificate(_, known, standing) => {
                (*known, *standing) == (Certificates::NoneCovers, Standing::New)
            }
            Self::RecordsUnseen(..) => false,
        }
    }

    /// What is in the way, and the way out.
    pub(super) fn advice(&self) -> Advice {
        match self {
            Self::NotActive(zone, status) => Advice::new(
                format!("the zone `{zone}` is `{status}`: Cloudflare serves active zones only"),
                "finish its setup in the dashboard: its registrar must name Cloudflare's name servers",
            ),
            Self::Paused(zone) => Advice::new(
                format!("the zone `{zone}` is paused: its requests go past Cloudflare, and no Worker gets them"),
                "enable Cloudflare for it in the dashboard (Overview, Advanced Actions)",
            ),
            Self::Shadowed(shadow) => shadow.advice(),
            Self::NotProxied(host, leads, _) => not_proxied_advice(host, leads),
            Self::NoCertificate(host, known, _) => Advice::new(
                format!(
                    "{} for `{host}`: Universal SSL covers one label below the zone",
                    match known {
                        Certificates::NoneCovers => "the zone has no certificate",
                        Certificates::Unknown => "the zone may have no certificate",
                    }
                ),
                match known {
                    Certificates::NoneCovers => "serve it as a custom domain (`custom_domain = true`), which brings its own, order an advanced certificate, or use a host one label below the zone".to_owned(),
                    Certificates::Unknown => "give the API token SSL and Certificates Read to have it looked at, serve it as a custom domain (`custom_domain = true`), or use a host one label below the zone".to_owned(),
                },
            ),
            Self::RecordInTheWay(host, record, whose) => in_the_way_advice(host, record, *whose),
            Self::RecordsUnseen(zone, hosts) => Advice {
                what: format!(
                    "the API token may not read the DNS records of `{zone}`: whether those of `{}` are as they must be was not looked at",
                    hosts.join("`, `")
                ),
                fix: None,
            },
        }
    }
}

fn not_proxied_advice(host: &str, leads: &Leads) -> Advice {
    let (why, fix) = match leads {
        Leads::Nowhere => (
            format!(
                "`{host}` has no DNS record (`A`, `AAAA` or `CNAME`): nothing leads its requests to a zone route"
            ),
            "make a proxied one in the zone's DNS settings (`AAAA`, `100::`), or serve the host as a custom domain (`custom_domain = true`), which makes its own",
        ),
        Leads::Past(record) => (
            format!(
                "the DNS record `{record}` of `{host}` is not proxied: its requests go past Cloudflare, and no route gets them"
            ),
            "switch its proxy on in the zone's DNS settings",
        ),
        Leads::ToDomain => (
            format!(
                "the DNS record of `{host}` is that of its custom domain, and goes with it: nothing would lead its requests to a zone route"
            ),
            "make a proxied record of the wildcard above it (`*`) first, or keep the custom domain",
        ),
    };
    Advice::new(why, fix)
}

fn in_the_way_advice(host: &str, record: &str, whose: Record) -> Advice {
    let what = format!(
        "the DNS record `{record}` of `{host}` stands in the way of its custom domain, which makes its own"
    );
    let fix = match whose {
        Record::Made => {
            "delete it in the zone's DNS settings: Cloudflare does not replace a record that somebody made, whatever `override_dns` says"
        }
        Record::OfOurRoute => {
            "the host's zone route needs it until the domain is there: make a proxied record of the wildcard above it (`*`), which leads the host to the route meanwhile, then delete this one in the zone's DNS settings"
        }
        Record::OfAnotherWorker => {
            "it is another Worker's: set `override_dns = true` in the manifest to take it over, or detach the domain from that Worker"
        }
    };
    Advice::new(what, fix)
}
