//! Custom domains: hosts that belong to a script as a whole, with their DNS record.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::dns::in_the_way;
use crate::account::error::{ApiError, conflict, missing, no_zone};
use crate::account::module::{id, uuid};
use crate::account::stamp::Stamp;
use crate::account::state::{Domain, State, zone_id};

/// What an attachment may take away from others. wrangler sends `override_existing_dns_record` too, which is documented nowhere: a
/// record that somebody made is in the way whatever it says (workers-sdk issue 9878).
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Overrides {
    /// Another script's domain.
    #[serde(default)]
    pub override_existing_origin: bool,
}

/// As the API shows it.
pub(crate) fn shown(domain: &Domain, account: &str) -> Value {
    json!({
        "id": domain.id, "cert_id": cert_id(domain), "hostname": domain.hostname, "service": domain.service, "environment": "production",
        "zone_name": domain.zone, "zone_id": zone_id(account, &domain.zone), "enabled": true, "previews_enabled": false,
    })
}

/// A UUID, as the certificate's identifier is.
fn cert_id(domain: &Domain) -> String {
    uuid(&id(&format!("certificate {}", domain.id)))
}

/// Attaches a host to a script: `PUT …/workers/domains`. 100116 is another Worker's custom domain, 100117 a DNS record in the way
/// (wrangler's source, `isOriginConflictError` and `isDNSConflictError`).
pub(crate) fn attach(
    state: &mut State,
    account: &str,
    script: &str,
    hostname: &str,
    overrides: Overrides,
    stamp: &Stamp,
) -> Result<Domain, ApiError> {
    state.script(account, script)?;
    let zone = state
        .zone_of(hostname)
        .ok_or_else(|| no_zone(hostname))?
        .to_owned();
    if in_the_way(state, hostname).is_some() {
        let message = format!(
            "Hostname '{hostname}' already has externally managed DNS records (A, CNAME, etc). Delete them first or try a different hostname."
        );
        return Err(conflict(100_117, message));
    }
    let domains = &mut state.account_mut(account).domains;
    if let Some(known) = domains
        .iter_mut()
        .find(|domain| domain.hostname == hostname)
    {
        if known.service != script && !overrides.override_existing_origin {
            let message = format!(
                "Hostname '{hostname}' is already in use by the Worker '{}'",
                known.service
            );
            return Err(conflict(100_116, message));
        }
        script.clone_into(&mut known.service);
        return Ok(known.clone());
    }
    let domain = Domain {
        id: id(&format!("{} {hostname}", stamp.id)),
        hostname: hostname.to_owned(),
        service: script.to_owned(),
        zone,
        created_on: stamp.now.clone(),
    };
    domains.push(domain.clone());
    Ok(domain)
}

/// `PUT …/scripts/S/domains/records`: these, and no others, belong to the script.
pub(crate) fn replace(
    state: &mut State,
    account: &str,
    script: &str,
    hostnames: &[String],
    overrides: Overrides,
    stamp: &Stamp,
) -> Result<Vec<Domain>, ApiError> {
    let attached: Result<Vec<Domain>, ApiError> = hostnames
        .iter()
        .map(|hostname| attach(state, account, script, hostname, overrides, stamp))
        .collect();
    let unwanted =
        |domain: &Domain| domain.service == script && !hostnames.contains(&domain.hostname);
    let attached = attached?;
    state
        .account_mut(account)
        .domains
        .retain(|domain| !unwanted(domain));
    Ok(attached)
}

/// `POST …/scripts/S/domains/changeset`: what [`replace`] would do.
pub(crate) fn changeset(state: &State, account: &str, script: &str, hostnames: &[String]) -> Value {
    let domains = state.account(account).domains;
    let known = |hostname: &String| domains.iter().find(|domain| domain.hostname == *hostname);
    let added = hostnames.iter().filter(|host| known(host).is_none());
    let updated = hostnames.iter().filter_map(known).map(|domain| {
        let mut value = shown(domain, account);
        value["modified"] = (domain.service != script).into();
        value
    });
    let removed = domains
        .iter()
        .filter(|domain| domain.service == script && !hostnames.contains(&domain.hostname));
    // wrangler's source, `ConflictingCustomDomain`
    let conflicting = hostnames.iter().filter_map(|host| {
        let record = in_the_way(state, host)?;
        Some(json!({
            "id": "", "hostname": host, "service": script, "environment": "production", "zone_name": record.zone,
            "zone_id": zone_id(account, &record.zone), "enabled": true, "previews_enabled": false,
            "external_dns_record_id": record.id, "external_cert_id": null,
        }))
    });
    json!({
        "added": added.map(|host| json!({"hostname": host})).collect::<Vec<_>>(),
        "updated": updated.collect::<Vec<_>>(),
        "removed": removed.map(|domain| shown(domain, account)).collect::<Vec<_>>(),
        "conflicting": conflicting.collect::<Vec<_>>(),
    })
}

/// `DELETE …/workers/domains/D`.
pub(crate) fn detach(state: &mut State, account: &str, id: &str) -> Result<(), ApiError> {
    let domains = &mut state.account_mut(account).domains;
    found(domains, id)?;
    domains.retain(|domain| domain.id != id);
    Ok(())
}

/// The domain with this id; 100114.
pub(crate) fn found<'a>(domains: &'a [Domain], id: &str) -> Result<&'a Domain, ApiError> {
    let found = domains.iter().find(|domain| domain.id == id);
    found.ok_or_else(|| missing(100_114, format!("there is no custom domain `{id}`")))
}
