//! Zones.

use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{self, Call};
use super::context::Shared;
use crate::account::stamp::ALWAYS;
use crate::account::state::zone_id;
use crate::api::envelope::{self, Answer, result};
use crate::api::paging::{Asked, FEW, Pages};

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![call::get("/zones", zones), call::get("/zones/{zone}", zone)]
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    name: Option<String>,
    #[serde(rename = "account.id")]
    account: Option<String>,
}

/// With every member that the SDK's `Zone` requires. A zone of the sandbox has always been there.
fn shown_zone(account: &str, name: &str) -> Value {
    json!({
        "id": zone_id(account, name), "name": name, "status": "active", "paused": false, "type": "full",
        "development_mode": 0, "name_servers": ["a.ns.sandbox.localhost", "b.ns.sandbox.localhost"],
        "original_name_servers": null, "original_registrar": null, "original_dnshost": null,
        "created_on": ALWAYS, "modified_on": ALWAYS, "activated_on": ALWAYS,
        "meta": {"step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3, "phishing_detected": false},
        "owner": {"id": null, "type": "user", "email": null},
        "account": {"id": account, "name": "sandbox"},
        "permissions": ["#zone:read", "#zone:edit", "#dns_records:read", "#dns_records:edit", "#worker:read", "#worker:edit"],
        "plan": {"id": "sandbox", "name": "Free Website", "price": 0, "currency": "USD", "is_subscribed": true, "legacy_id": "free"},
    })
}

pub(super) async fn zones(
    State(context): Shared,
    Query(wanted): Query<Wanted>,
    Query(asked): Query<Asked>,
) -> Answer {
    let page = asked.page(FEW)?;
    let account = wanted
        .account
        .as_deref()
        .unwrap_or(&context.account)
        .to_owned();
    // A zone's id alone must lead back to its account later
    if !context.engine.state().accounts.contains_key(&account) {
        let account = account.clone();
        context
            .engine
            .change(move |state| {
                state.account_mut(&account);
                Ok(())
            })
            .await?;
    }
    let state = context.engine.state();
    let named = state
        .zones
        .iter()
        .filter(|zone| wanted.name.as_ref().is_none_or(|name| name == *zone));
    let zones = named.map(|zone| shown_zone(&account, zone)).collect();
    envelope::page(zones, page, Pages::Counted)
}

pub(super) async fn zone(State(context): Shared, Path(id): Path<String>) -> Answer {
    let (account, name) = context.engine.state().zone(&id, &context.account)?;
    result(shown_zone(&account, &name))
}
