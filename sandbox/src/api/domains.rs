//! Custom domains: one by one, and wrangler's full replace.

use axum::extract::Query;
use serde::Deserialize;
use serde_json::Value;

use super::call::{Call, Sent};
use super::envelope::{self, Answer, result};
use crate::account::domain::{self, Overrides, shown};
use crate::account::state::zone_id;

#[derive(Deserialize)]
pub(super) struct Filter {
    hostname: Option<String>,
    service: Option<String>,
    zone_name: Option<String>,
    zone_id: Option<String>,
}

pub(super) async fn list(call: Call, Query(filter): Query<Filter>) -> Answer {
    let fits =
        |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
    let domains = call.state().account(&call.account).domains;
    let wanted = domains.iter().filter(|domain| {
        fits(&filter.hostname, &domain.hostname)
            && fits(&filter.service, &domain.service)
            && fits(&filter.zone_name, &domain.zone)
            && fits(&filter.zone_id, &zone_id(&call.account, &domain.zone))
    });
    envelope::list(wanted.map(|domain| shown(domain, &call.account)))
}

pub(super) async fn get(call: Call) -> Answer {
    let domains = call.state().account(&call.account).domains;
    result(shown(domain::found(&domains, &call.item)?, &call.account))
}

#[derive(Deserialize)]
pub(super) struct Attachment {
    hostname: String,
    service: String,
    #[serde(flatten)]
    overrides: Overrides,
}

pub(super) async fn attach(call: Call, Sent(given): Sent<Attachment>) -> Answer {
    let attached = call.change(move |state, call| {
        let (script, host) = (&given.service, &given.hostname);
        let account = &call.account;
        let domain = domain::attach(state, account, script, host, given.overrides, &call.stamp)?;
        Ok(shown(&domain, account))
    });
    result(attached.await?)
}

pub(super) async fn detach(call: Call) -> Answer {
    let gone = call.change(|state, call| domain::detach(state, &call.account, &call.item));
    gone.await?;
    result(Value::Null)
}

#[derive(Deserialize)]
pub(super) struct Origin {
    hostname: String,
}

fn hostnames(origins: Vec<Origin>) -> Vec<String> {
    origins.into_iter().map(|origin| origin.hostname).collect()
}

pub(super) async fn changeset(call: Call, Sent(origins): Sent<Vec<Origin>>) -> Answer {
    let state = call.state();
    call.script(&state)?;
    let hosts = hostnames(origins);
    let (account, script) = (&call.account, &call.script);
    result(domain::changeset(&state, account, script, &hosts))
}

#[derive(Deserialize)]
pub(super) struct Records {
    origins: Vec<Origin>,
    #[serde(flatten)]
    overrides: Overrides,
}

pub(super) async fn replace(call: Call, Sent(records): Sent<Records>) -> Answer {
    let hosts = hostnames(records.origins);
    let replaced = call.change(move |state, call| {
        let (account, script) = (&call.account, &call.script);
        let (overrides, stamp) = (records.overrides, &call.stamp);
        let domains = domain::replace(state, account, script, &hosts, overrides, stamp)?;
        let shown = domains.iter().map(|domain| shown(domain, account));
        Ok(shown.collect::<Vec<_>>())
    });
    envelope::list(replaced.await?)
}
