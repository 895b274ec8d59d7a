//! DNS records of a zone.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::json;

use super::call::{self, Call};
use super::context::{Context, Shared, read, stamp};
use crate::account::dns::{self, Given, Scope, found, of_zone, shown};
use crate::account::state::Record;
use crate::api::envelope::{self, Answer, result};
use crate::api::paging::{Asked, Pages, RECORDS};

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![
        call::get("/zones/{zone}/dns_records", list),
        call::post("/zones/{zone}/dns_records", create),
        call::get("/zones/{zone}/dns_records/{record}", get),
        call::put("/zones/{zone}/dns_records/{record}", replace),
        call::patch("/zones/{zone}/dns_records/{record}", edit),
        call::delete("/zones/{zone}/dns_records/{record}", delete),
    ]
}

/// `name.exact` is the SDKs' form of `name`.
#[derive(Deserialize)]
pub(super) struct Filter {
    name: Option<String>,
    #[serde(rename = "name.exact")]
    exact: Option<String>,
    #[serde(rename = "name.contains")]
    contains: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    content: Option<String>,
    proxied: Option<String>,
}

impl Filter {
    fn fits(&self, record: &Record) -> bool {
        let same = |wanted: &Option<String>, value: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let part = |wanted: &Option<String>, value: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| value.contains(wanted.to_ascii_lowercase().as_str()))
        };
        same(&self.name, &record.name)
            && same(&self.exact, &record.name)
            && part(&self.contains, &record.name)
            && same(&self.kind, &record.kind)
            && same(&self.content, &record.content)
            && same(&self.proxied, if record.proxied { "true" } else { "false" })
    }
}

pub(super) async fn list(
    State(context): Shared,
    Path(id): Path<String>,
    Query(filter): Query<Filter>,
    Query(asked): Query<Asked>,
) -> Answer {
    let page = asked.page(RECORDS)?;
    let records = all(&context, &id)?;
    let wanted = records.iter().filter(|record| filter.fits(record));
    envelope::page(wanted.map(shown).collect(), page, Pages::Counted)
}

fn all(context: &Context, zone: &str) -> Result<Vec<Record>, crate::account::error::ApiError> {
    let state = context.engine.state();
    let (account, zone) = state.zone(zone, &context.account)?;
    Ok(of_zone(&state, &account, &zone))
}

pub(super) async fn get(
    State(context): Shared,
    Path((zone, id)): Path<(String, String)>,
) -> Answer {
    result(shown(found(&all(&context, &zone)?, &id)?))
}

pub(super) async fn create(
    State(context): Shared,
    Path(zone): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let given: Given = read(&body)?;
    let (account, zone) = context.engine.state().zone(&zone, &context.account)?;
    let stamp = stamp(&headers);
    let change = context
        .engine
        .change(move |state| dns::create(state, &account, &zone, given, &stamp));
    result(shown(&change.await?))
}

pub(super) async fn replace(
    context: Shared,
    path: Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    update(context, path, &headers, &body, Scope::Whole).await
}

pub(super) async fn edit(
    context: Shared,
    path: Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    update(context, path, &headers, &body, Scope::Part).await
}

async fn update(
    State(context): Shared,
    Path((zone, id)): Path<(String, String)>,
    headers: &HeaderMap,
    body: &[u8],
    scope: Scope,
) -> Answer {
    let given: Given = read(body)?;
    let (account, zone) = context.engine.state().zone(&zone, &context.account)?;
    let stamp = stamp(headers);
    let change = context
        .engine
        .change(move |state| dns::update(state, &account, &zone, &id, given, scope, &stamp));
    result(shown(&change.await?))
}

pub(super) async fn delete(
    State(context): Shared,
    Path((zone, id)): Path<(String, String)>,
) -> Answer {
    let (account, zone) = context.engine.state().zone(&zone, &context.account)?;
    let answer = json!({"id": id});
    context
        .engine
        .change(move |state| dns::delete(state, &account, &zone, &id))
        .await?;
    result(answer)
}
