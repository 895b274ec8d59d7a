//! Certificates of a zone: the one that every zone has, those that custom domains bring, and those that somebody ordered. Pure.
//!
//! Universal SSL covers a zone's name and one label below it
//! (<https://developers.cloudflare.com/ssl/edge-certificates/universal-ssl/limitations/>). The ingress has no TLS, so that nothing but
//! what is shown depends on them.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::error::{ApiError, invalid};
use crate::account::module::id;
use crate::account::stamp::Stamp;
use crate::account::state::{Certificate, State, lies_in};

/// All packs of a zone as an account sees them.
pub(crate) fn of_zone(state: &State, account: &str, zone: &str) -> Vec<Value> {
    let universal = Certificate {
        id: id(&format!("universal certificate {zone}")),
        zone: zone.to_owned(),
        hosts: vec![zone.to_owned(), format!("*.{zone}")],
    };
    let domains = state.account(account).domains.into_iter();
    let domains = domains.filter(|domain| domain.zone == zone);
    let of_domains = domains.map(|domain| Certificate {
        id: id(&format!("certificate {}", domain.id)),
        zone: domain.zone,
        hosts: vec![domain.hostname],
    });
    let ordered = state.certificates.iter().filter(|it| it.zone == zone);
    let advanced = of_domains.chain(ordered.cloned());
    let advanced = advanced.map(|certificate| shown(&certificate, "advanced"));
    std::iter::once(shown(&universal, "universal"))
        .chain(advanced)
        .collect()
}

/// As the API shows it (SDK, `CertificatePackListResponse`).
pub(crate) fn shown(certificate: &Certificate, kind: &str) -> Value {
    json!({
        "id": certificate.id, "type": kind, "hosts": certificate.hosts, "status": "active", "certificate_authority": "google",
        "validation_method": "txt", "validity_days": 90, "cloudflare_branding": false, "primary_certificate": certificate.id,
        "certificates": [{"id": certificate.id, "hosts": certificate.hosts, "status": "active", "bundle_method": "ubiquitous"}],
    })
}

/// The body of an order.
#[derive(Debug, Deserialize)]
pub(crate) struct Order {
    #[serde(rename = "type")]
    kind: String,
    hosts: Vec<String>,
}

/// `POST /zones/Z/ssl/certificate_packs/order`: what is ordered is there at once. The code is Cloudflare's for a bad request; the words
/// are the sandbox's.
pub(crate) fn order(
    state: &mut State,
    zone: &str,
    order: Order,
    stamp: &Stamp,
) -> Result<Certificate, ApiError> {
    let outside = order.hosts.iter().find(|host| !lies_in(host, zone));
    if order.kind != "advanced" || order.hosts.is_empty() || outside.is_some() {
        let message = format!("an order is of the type `advanced` and names hosts in `{zone}`");
        return Err(invalid(1400, message));
    }
    let certificate = Certificate {
        id: stamp.id.clone(),
        zone: zone.to_owned(),
        hosts: order.hosts,
    };
    state.certificates.push(certificate.clone());
    Ok(certificate)
}
