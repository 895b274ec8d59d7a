//! DNS records of a zone.

use axum::extract::Query;
use serde::Deserialize;
use serde_json::json;

use super::call::{Call, Sent};
use super::envelope::{self, Answer, result};
use super::paging::{Asked, Pages, RECORDS};
use crate::account::dns::{self, Given, Scope, found, of_zone, shown};
use crate::account::state::Record;

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
    call: Call,
    Query(filter): Query<Filter>,
    Query(asked): Query<Asked>,
) -> Answer {
    let page = asked.page(RECORDS)?;
    let records = all(&call);
    let wanted = records.iter().filter(|record| filter.fits(record));
    envelope::page(wanted.map(shown).collect(), page, Pages::Counted)
}

fn all(call: &Call) -> Vec<Record> {
    of_zone(&call.state(), &call.account, &call.zone)
}

pub(super) async fn get(call: Call) -> Answer {
    result(shown(found(&all(&call), &call.item)?))
}

pub(super) async fn create(call: Call, Sent(given): Sent<Given>) -> Answer {
    let made = call
        .change(|state, call| dns::create(state, &call.account, &call.zone, given, &call.stamp));
    result(shown(&made.await?))
}

pub(super) async fn replace(call: Call, Sent(given): Sent<Given>) -> Answer {
    update(call, given, Scope::Whole).await
}

pub(super) async fn edit(call: Call, Sent(given): Sent<Given>) -> Answer {
    update(call, given, Scope::Part).await
}

async fn update(call: Call, given: Given, scope: Scope) -> Answer {
    let changed = call.change(move |state, call| {
        let (account, zone) = (&call.account, &call.zone);
        dns::update(state, account, zone, &call.item, given, scope, &call.stamp)
    });
    result(shown(&changed.await?))
}

pub(super) async fn delete(call: Call) -> Answer {
    let answer = json!({"id": call.item});
    let gone = call.change(|state, call| dns::delete(state, &call.account, &call.zone, &call.item));
    gone.await?;
    result(answer)
}
