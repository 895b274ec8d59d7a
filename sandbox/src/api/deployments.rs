//! Deployments.

use std::time::SystemTime;

use axum::extract::Query;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Sent};
use super::envelope::{self, Answer, result};
use super::paging::{Asked, HISTORY, Pages};
use super::scripts::Force;
use crate::account::deployment::{self, Request, Secrets};
use crate::account::error::{ApiError, invalid, missing};
use crate::account::script::Deployment;

/// RFC 3339; both ends belong to the range.
#[derive(Deserialize)]
pub(super) struct Range {
    since: Option<String>,
    until: Option<String>,
}

/// Newest first, in an object of its own.
pub(super) async fn list(
    call: Call,
    Query(range): Query<Range>,
    Query(asked): Query<Asked>,
) -> Answer {
    let page = asked.page(HISTORY)?;
    let since = moment(range.since.as_deref())?;
    let until = moment(range.until.as_deref())?;
    let state = call.state();
    let within = |deployment: &&Deployment| {
        let made = humantime::parse_rfc3339(&deployment.created_on).ok();
        since.is_none_or(|since| made >= Some(since))
            && until.is_none_or(|until| made.is_some_and(|made| made <= until))
    };
    let wanted = call.script(&state)?.deployments.iter().filter(within);
    let (deployments, info) = page.cut(wanted.collect(), Pages::Counted);
    envelope::informed(json!({"deployments": deployments}), &info)
}

fn moment(text: Option<&str>) -> Result<Option<SystemTime>, ApiError> {
    let read = text.map(humantime::parse_rfc3339_weak).transpose();
    read.map_err(|_| {
        invalid(6008, "Invalid request parameters")
            .because(11000, "since and until must be RFC 3339 times")
    })
}

pub(super) async fn get(call: Call) -> Answer {
    let state = call.state();
    let mut deployments = call.script(&state)?.deployments.iter();
    let found = deployments.find(|deployment| deployment.id == call.item);
    result(json!(
        found.ok_or_else(|| unknown(&call.script, &call.item))?
    ))
}

/// Only what no longer answers can be deleted ("The latest deployment, which is actively serving traffic, cannot be deleted",
/// Cloudflare's documentation); the code of that refusal is not known.
pub(super) async fn delete(call: Call) -> Answer {
    let id = call.item.clone();
    let edit = call.change_script(move |script, _| {
        let place = script.deployments.iter().position(|known| known.id == id);
        match place.ok_or_else(|| unknown(&script.name, &id))? {
            0 => Err(invalid(
                10021,
                "the latest deployment serves traffic and cannot be deleted",
            )),
            place => Ok(script.deployments.remove(place)),
        }
    });
    edit.await?;
    result(Value::Null)
}

pub(super) async fn create(
    call: Call,
    Query(force): Query<Force>,
    Sent(request): Sent<Request>,
) -> Answer {
    let secrets = match force.is_set() {
        true => Secrets::Forced,
        false => Secrets::Guarded,
    };
    let made = call
        .change_script(move |script, stamp| deployment::create(script, request, secrets, stamp));
    result(json!(made.await?))
}

/// A deployment that was never made of this script.
fn unknown(script: &str, id: &str) -> ApiError {
    missing(
        10336,
        format!("the Worker `{script}` has no deployment `{id}`"),
    )
}
