//! A zone: which one is meant, its state, and what of it decides whether requests reach a Worker. Sends nothing but GETs.

use edge_broadcast_sandbox::is_deep;

use super::client::Cloudflare;
use super::error::{ApiError, found};
use super::page::Pages;
use super::path::with_query;
use super::wire::{Pack, Zone};
use crate::environment::{Environment, ServedBy};
use crate::plan::{LiveRecord, Seen};
use crate::terminal::advice::Advice;

/// More than most zones have; the API allows 5,000,000 (docs: DNS, "List DNS Records") and gives 100 when it is not asked.
const RECORDS_PER_PAGE: u32 = 5000;

/// The zone `name` of the account, which stays the same: it is read once.
pub(super) async fn zone(cloudflare: &Cloudflare, name: &str) -> anyhow::Result<Zone> {
    if let Some(zone) = cloudflare.known_zones().get(name) {
        return Ok(zone.clone());
    }
    let account = cloudflare.account();
    let pairs = [("name", name), ("account.id", account)];
    let named = Pages::<Zone>::new(cloudflare, with_query("/zones", &pairs));
    let zones: Vec<Zone> = named.all().await?;
    let zones = zones.into_iter().filter(|zone| is_it(zone, name));
    let zones = zones.filter(|zone| zone.account.id.as_deref().is_none_or(|id| id == account));
    let zones: Vec<Zone> = zones.collect();
    let active = |zone: &&Zone| zone.live().status.as_deref() == Some("active");
    let zone = match zones.as_slice() {
        [] => return Err(absent(cloudflare, name).await?.into()),
        [only] => only,
        several => match several.iter().filter(active).collect::<Vec<_>>().as_slice() {
            [only] => only,
            _ => return Err(doubled(account, name, several).into()),
        },
    };
    let mut known = cloudflare.known_zones();
    known.insert(name.to_owned(), zone.clone());
    Ok(zone.clone())
}

/// All zones of the account that can have routes.
pub(super) async fn all(cloudflare: &Cloudflare) -> anyhow::Result<Vec<Zone>> {
    let path = with_query("/zones", &[("account.id", cloudflare.account())]);
    let mut zones = Pages::<Zone>::new(cloudflare, path).all().await?;
    zones.retain(|zone| zone.live().kind.as_deref() != Some("internal"));
    Ok(zones)
}

/// An internal zone may have the name of another one, and no host on the internet (docs: DNS, "Internal DNS").
fn is_it(zone: &Zone, name: &str) -> bool {
    let is_named = zone.name.as_ref().is_none_or(|other| other == name);
    is_named && zone.live().kind.as_deref() != Some("internal")
}

/// Where the zone is instead, as far as the token reads it.
async fn absent(cloudflare: &Cloudflare, name: &str) -> anyhow::Result<Advice> {
    let everywhere = Pages::<Zone>::new(cloudflare, with_query("/zones", &[("name", name)]));
    let zones = everywhere.all().await?.into_iter();
    let elsewhere = zones.filter(|zone| is_it(zone, name));
    let others: Vec<String> = elsewhere.filter_map(|zone| zone.account.id).collect();
    let account = cloudflare.account();
    let other = others.iter().find(|other| *other != account);
    Ok(match other {
        Some(other) => Advice::new(
            format!("the account `{account}` has no zone `{name}`: it is in the account `{other}`"),
            format!(
                "set `cloudflare.account_id = \"{other}\"` in the manifest, if that is the one that is meant"
            ),
        ),
        None => Advice::new(
            format!("the account `{account}` has no zone `{name}`"),
            "correct `cloudflare.zone` in the manifest, or give the API token Zone Read on it",
        ),
    })
}

fn doubled(account: &str, name: &str, zones: &[Zone]) -> Advice {
    let shown = zones.iter().map(|zone| {
        let status = zone.live().status;
        format!(
            "`{}` ({})",
            zone.id,
            status.as_deref().unwrap_or("of unknown status")
        )
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    Advice::new(
        format!(
            "the account `{account}` has {} zones `{name}`, and it is not clear which one is meant: {shown}",
            zones.len()
        ),
        "remove in the dashboard those that do not serve the name: one zone of a name can be active",
    )
}

/// The DNS records that decide where the hosts of `environment` lead: their own, and those of the names and wildcards above.
pub(super) async fn records(
    cloudflare: &Cloudflare,
    zone: &Zone,
    environment: &Environment,
) -> anyhow::Result<Seen<LiveRecord>> {
    let path = format!("/zones/{}/dns_records", zone.id);
    let all = Pages::<LiveRecord>::new(cloudflare, path).sized(RECORDS_PER_PAGE);
    let hosts = &environment.hosts;
    let decides = |name: &str| {
        hosts
            .iter()
            .any(|served| is_above(name, served.host.as_str()))
    };
    Ok(match readable(all.all().await)? {
        None => Seen::Refused,
        Some(mut records) => {
            records.retain(|record| decides(&record.name));
            Seen::All(records)
        }
    })
}

/// Whether a record of `name` is looked at for `host`.
fn is_above(name: &str, host: &str) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    let above = host.strip_suffix(name);
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

/// The names that certificates of the zone cover, where a host needs another one than every zone has.
pub(super) async fn certificates(
    cloudflare: &Cloudflare,
    zone: &Zone,
    environment: &Environment,
) -> anyhow::Result<Seen<String>> {
    let is_routed = |by| by == ServedBy::ZoneRoute;
    let mut hosts = environment.hosts.iter().filter(|it| is_routed(it.by));
    if !hosts.any(|it| is_deep(it.host.as_str(), environment.zone.as_str())) {
        return Ok(Seen::NotAsked);
    }
    // Those that are active, which is what the API gives when it is asked for no status
    let path = format!("/zones/{}/ssl/certificate_packs", zone.id);
    let packs = Pages::<Pack>::new(cloudflare, path).all().await;
    Ok(match readable(packs)? {
        None => Seen::Refused,
        Some(packs) => Seen::All(packs.into_iter().flat_map(|pack| pack.hosts).collect()),
    })
}

/// What a token may read; `None` where the API refuses: nothing that is only looked at ahead may fail for a missing right.
pub(super) fn readable<T>(answer: anyhow::Result<T>) -> anyhow::Result<Option<T>> {
    match found(answer) {
        Err(error) if error.downcast_ref().is_some_and(ApiError::is_final) => Ok(None),
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{StatusCode, Uri};
    use axum::response::{IntoResponse, Response};
    use serde_json::{Value, json};

    use super::super::paged::{environment, served};
    use super::*;

    fn answer(result: &Value) -> Response {
        axum::Json(json!({ "success": true, "errors": [], "messages": [], "result": result }))
            .into_response()
    }

    fn shown(id: &str, account: &str, status: &str, kind: &str) -> Value {
        json!({ "id": id, "name": "glow.trade", "account": { "id": account }, "status": status, "paused": false, "type": kind })
    }

    /// What is found of the zone by an account that sees `zones`, and its state or why it is not clear.
    async fn found_among(zones: Vec<Value>) -> String {
        let cloudflare = served(move |_: Uri| answer(&json!(zones))).await;
        match zone(&cloudflare, "glow.trade").await {
            Ok(zone) => format!("{} {}", zone.id, zone.live().status.unwrap()),
            Err(error) => Advice::of(&error).line(),
        }
    }

    #[tokio::test]
    async fn of_several_zones_of_a_name_the_accounts_own_active_one_is_meant() {
        let own = |id: &str, status: &str| shown(id, "acc0", status, "full");
        let other = shown("z9", "acc9", "active", "full");
        let internal = shown("z8", "acc0", "active", "internal");
        let first = found_among(vec![other.clone(), internal.clone(), own("z1", "pending")]);
        assert_eq!(first.await, "z1 pending");
        let several = found_among(vec![own("z1", "moved"), own("z2", "active")]);
        assert_eq!(several.await, "z2 active");
        let unclear = found_among(vec![own("z1", "moved"), own("z2", "pending")]);
        assert_eq!(
            unclear.await,
            "the account `acc0` has 2 zones `glow.trade`, and it is not clear which one is meant: `z1` (moved), `z2` (pending); remove in the dashboard those that do not serve the name: one zone of a name can be active"
        );
        assert_eq!(
            found_among(vec![other]).await,
            "the account `acc0` has no zone `glow.trade`: it is in the account `acc9`; set `cloudflare.account_id = \"acc9\"` in the manifest, if that is the one that is meant"
        );
        assert_eq!(
            found_among(vec![internal]).await,
            "the account `acc0` has no zone `glow.trade`; correct `cloudflare.zone` in the manifest, or give the API token Zone Read on it"
        );
    }

    #[tokio::test]
    async fn records_that_a_token_may_not_read_are_no_error() {
        let cloudflare = served(|uri: Uri| match uri.path() {
            "/zones" => answer(&json!([shown("z1", "acc0", "active", "full")])),
            _ => {
                let refusal = json!({ "success": false, "errors": [{ "code": 10000, "message": "Authentication error" }] });
                (StatusCode::FORBIDDEN, axum::Json(refusal)).into_response()
            }
        })
        .await;
        let zone = zone(&cloudflare, "glow.trade").await.unwrap();
        let seen = records(&cloudflare, &zone, &environment()).await.unwrap();
        assert_eq!(seen, Seen::Refused);
        let seen = certificates(&cloudflare, &zone, &environment()).await;
        assert_eq!(seen.unwrap(), Seen::NotAsked);
    }

    #[tokio::test]
    async fn only_records_that_decide_where_a_host_leads_are_kept() {
        let names = [
            "w.glow.trade",
            "*.glow.trade",
            "glow.trade",
            "v.glow.trade",
            "a.w.glow.trade",
            "*.w.glow.trade",
        ];
        let all = names.map(|name| json!({ "id": name, "name": name, "type": "A", "content": "192.0.2.1", "proxied": true }));
        let cloudflare = served(move |uri: Uri| match uri.path() {
            "/zones" => answer(&json!([shown("z1", "acc0", "active", "full")])),
            _ => answer(&json!(all)),
        })
        .await;
        let zone = zone(&cloudflare, "glow.trade").await.unwrap();
        let Seen::All(records) = records(&cloudflare, &zone, &environment()).await.unwrap() else {
            panic!("they may be read");
        };
        let kept: Vec<&str> = records.iter().map(|record| record.name.as_str()).collect();
        assert_eq!(
            kept,
            [
                "w.glow.trade",
                "*.glow.trade",
                "glow.trade",
                "*.w.glow.trade"
            ]
        );
    }
}
