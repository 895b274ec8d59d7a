//! Custom domains: one by one, and wrangler's full replace.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{self, Call};
use super::context::{Shared, read, stamp};
use crate::account::domain::{self, Overrides, shown};
use crate::account::state::zone_id;
use crate::api::envelope::{self, Answer, result};

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![
        call::get("/accounts/{account}/workers/domains", list),
        call::put("/accounts/{account}/workers/domains", attach),
        call::get("/accounts/{account}/workers/domains/{domain}", get),
        call::delete("/accounts/{account}/workers/domains/{domain}", detach),
        call::get("/accounts/{account}/workers/domains/records", list),
        call::get("/accounts/{account}/workers/domains/records/{domain}", get),
        call::post(
            "/accounts/{account}/workers/scripts/{script}/domains/changeset",
            changeset,
        ),
        call::put(
            "/accounts/{account}/workers/scripts/{script}/domains/records",
            replace,
        ),
    ]
}

#[derive(Deserialize)]
pub(super) struct Filter {
    hostname: Option<String>,
    service: Option<String>,
    zone_name: Option<String>,
    zone_id: Option<String>,
}

pub(super) async fn list(
    State(context): Shared,
    Path(account): Path<String>,
    Query(filter): Query<Filter>,
) -> Answer {
    let fits =
        |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
    let domains = context.engine.state().account(&account).domains;
    let wanted = domains.iter().filter(|domain| {
        fits(&filter.hostname, &domain.hostname)
            && fits(&filter.service, &domain.service)
            && fits(&filter.zone_name, &domain.zone)
            && fits(&filter.zone_id, &zone_id(&account, &domain.zone))
    });
    envelope::list(wanted.map(|domain| shown(domain, &account)))
}

pub(super) async fn get(
    State(context): Shared,
    Path((account, id)): Path<(String, String)>,
) -> Answer {
    let domains = context.engine.state().account(&account).domains;
    let found = domains
        .iter()
        .find(|domain| domain.id == id)
        .ok_or_else(|| domain::no_domain(&id))?;
    result(shown(found, &account))
}

#[derive(Deserialize)]
struct Attachment {
    hostname: String,
    service: String,
    #[serde(flatten)]
    overrides: Overrides,
}

pub(super) async fn attach(
    State(context): Shared,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let given: Attachment = read(&body)?;
    let stamp = stamp(&headers);
    let owner = account.clone();
    let edit = move |state: &mut crate::account::state::State| {
        domain::attach(
            state,
            &owner,
            &given.service,
            &given.hostname,
            given.overrides,
            &stamp,
        )
    };
    result(shown(&context.engine.change(edit).await?, &account))
}

pub(super) async fn detach(
    State(context): Shared,
    Path((account, id)): Path<(String, String)>,
) -> Answer {
    context
        .engine
        .change(move |state| domain::detach(state, &account, &id))
        .await?;
    result(Value::Null)
}

#[derive(Deserialize)]
struct Origin {
    hostname: String,
}

pub(super) async fn changeset(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let origins: Vec<Origin> = read(&body)?;
    let state = context.engine.state();
    state.script(&account, &name)?;
    let hostnames: Vec<String> = origins.into_iter().map(|origin| origin.hostname).collect();
    result(domain::changeset(&state, &account, &name, &hostnames))
}

#[derive(Deserialize)]
struct Records {
    origins: Vec<Origin>,
    #[serde(flatten)]
    overrides: Overrides,
}

pub(super) async fn replace(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let records: Records = read(&body)?;
    let hostnames: Vec<String> = records
        .origins
        .into_iter()
        .map(|origin| origin.hostname)
        .collect();
    let stamp = stamp(&headers);
    let owner = account.clone();
    let edit = move |state: &mut crate::account::state::State| {
        domain::replace(state, &owner, &name, &hostnames, records.overrides, &stamp)
    };
    let domains = context.engine.change(edit).await?;
    result(json!(
        domains
            .iter()
            .map(|domain| shown(domain, &account))
            .collect::<Vec<_>>()
    ))
}
