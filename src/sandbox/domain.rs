//! Custom domains: hosts that belong to a script as a whole, with their DNS record.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::{ApiError, conflict, no_zone, refuse};
use super::stamp::Stamp;
use super::state::{State, zone_id};

/// A custom domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Domain {
    /// 32 hex digits.
    pub id: String,
    /// The host.
    pub hostname: String,
    /// The script.
    pub service: String,
    /// The zone's name.
    pub zone: String,
}

/// A DNS record that is no custom domain's; a test puts it there to see it respected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The host.
    pub hostname: String,
    /// `A`, `CNAME`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it points.
    pub content: String,
}

/// What an attachment may take away from others.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Overrides {
    /// Another script's domain.
    #[serde(default)]
    pub override_existing_origin: bool,
    /// A DNS record.
    #[serde(default)]
    pub override_existing_dns_record: bool,
}

/// As the API shows it.
pub(super) fn shown(domain: &Domain, account: &str) -> Value {
    json!({
        "id": domain.id, "hostname": domain.hostname, "service": domain.service, "environment": "production",
        "zone_name": domain.zone, "zone_id": zone_id(account, &domain.zone), "enabled": true, "previews_enabled": false,
    })
}

/// Attaches a host to a script: `PUT …/workers/domains`. 100117 is the conflict with a DNS record `[wire]`; the code for another
/// Worker's domain is not documented, so it has the same.
pub(super) fn attach(
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
    if let Some(record) = state
        .records
        .iter()
        .find(|record| record.hostname == hostname)
    {
        if !overrides.override_existing_dns_record {
            return Err(conflict(
                100117,
                format!(
                    "hostname `{hostname}` already has externally managed DNS records (`{}` to `{}`); delete them or override",
                    record.kind, record.content
                ),
            ));
        }
        state.records.retain(|record| record.hostname != hostname);
    }
    let domains = &mut state.account_mut(account).domains;
    if let Some(known) = domains
        .iter_mut()
        .find(|domain| domain.hostname == hostname)
    {
        if known.service != script && !overrides.override_existing_origin {
            let message = format!(
                "hostname `{hostname}` is already a custom domain of the Worker `{}`",
                known.service
            );
            return Err(conflict(100117, message));
        }
        script.clone_into(&mut known.service);
        return Ok(known.clone());
    }
    let id = super::module::hash(format!("{} {hostname}", stamp.id).as_bytes())[..32].to_owned();
    let domain = Domain {
        id,
        hostname: hostname.to_owned(),
        service: script.to_owned(),
        zone,
    };
    domains.push(domain.clone());
    Ok(domain)
}

/// `PUT …/scripts/S/domains/records`: these, and no others, belong to the script.
pub(super) fn replace(
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
pub(super) fn changeset(state: &State, account: &str, script: &str, hostnames: &[String]) -> Value {
    let domains = state.account(account).domains;
    let known = |hostname: &String| domains.iter().find(|domain| domain.hostname == *hostname);
    let added: Vec<_> = hostnames
        .iter()
        .filter(|host| known(host).is_none())
        .map(|host| json!({"hostname": host}))
        .collect();
    let updated = hostnames.iter().filter_map(known).map(|domain| {
        let mut value = shown(domain, account);
        value["modified"] = (domain.service != script).into();
        value
    });
    let removed = domains
        .iter()
        .filter(|domain| domain.service == script && !hostnames.contains(&domain.hostname));
    let conflicting = state
        .records
        .iter()
        .filter(|record| hostnames.contains(&record.hostname));
    json!({
        "added": added,
        "updated": updated.collect::<Vec<_>>(),
        "removed": removed.map(|domain| shown(domain, account)).collect::<Vec<_>>(),
        "conflicting": conflicting.map(|record| json!(record)).collect::<Vec<_>>(),
    })
}

/// `DELETE …/workers/domains/D`.
pub(super) fn detach(state: &mut State, account: &str, id: &str) -> Result<(), ApiError> {
    let domains = &mut state.account_mut(account).domains;
    let place = domains
        .iter()
        .position(|domain| domain.id == id)
        .ok_or_else(|| no_domain(id))?;
    domains.remove(place);
    Ok(())
}

/// No domain of this id.
pub(super) fn no_domain(id: &str) -> ApiError {
    refuse(
        StatusCode::NOT_FOUND,
        100114,
        format!("there is no custom domain `{id}`"),
    )
}
