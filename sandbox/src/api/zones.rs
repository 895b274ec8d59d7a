//! Zones.

use axum::extract::{self, Query};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Sent};
use super::context::{ACCOUNT, Shared};
use super::envelope::{self, Answer, result};
use super::paging::{Asked, FEW, Pages};
use crate::account::stamp::ALWAYS;
use crate::account::state::{State, zone_id};

#[derive(Deserialize)]
pub(super) struct Wanted {
    name: Option<String>,
    #[serde(rename = "account.id")]
    account: Option<String>,
}

/// With every member that the SDK's `Zone` requires. A zone of the sandbox has always been there.
fn shown_zone(state: &State, account: &str, name: &str) -> Value {
    json!({
        "id": zone_id(account, name), "name": name, "status": "active", "paused": state.paused.contains(name), "type": "full",
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
    extract::State(context): Shared,
    Query(wanted): Query<Wanted>,
    Query(asked): Query<Asked>,
) -> Answer {
    let page = asked.page(FEW)?;
    let account = wanted.account.unwrap_or_else(|| ACCOUNT.to_owned());
    // A zone's id alone must lead back to its account later
    if !context.engine.state().accounts.contains_key(&account) {
        let account = account.clone();
        let known = context.engine.change(move |state| {
            state.account_mut(&account);
            Ok(())
        });
        known.await?;
    }
    let state = context.engine.state();
    let named = state
        .zones
        .iter()
        .filter(|zone| wanted.name.as_ref().is_none_or(|name| name == *zone));
    let zones = named
        .map(|zone| shown_zone(&state, &account, zone))
        .collect();
    envelope::page(zones, page, Pages::Counted)
}

pub(super) async fn zone(call: Call) -> Answer {
    result(shown_zone(&call.state(), &call.account, &call.zone))
}

/// Of what a zone's owner can change, `paused`.
#[derive(Deserialize)]
pub(super) struct Given {
    paused: Option<bool>,
}

pub(super) async fn edit(call: Call, Sent(given): Sent<Given>) -> Answer {
    let changed = call.change(move |state, call| {
        match given.paused {
            Some(true) => drop(state.paused.insert(call.zone.clone())),
            Some(false) => drop(state.paused.remove(&call.zone)),
            None => {}
        }
        Ok(shown_zone(state, &call.account, &call.zone))
    });
    result(changed.await?)
}
