//! Routes of a zone, and wrangler's full replace of a script's.

use serde::Deserialize;
use serde_json::json;

use super::call::{Call, Sent};
use super::envelope::{self, Answer, result};
use crate::account::route::{self, shown};

pub(super) async fn list(call: Call) -> Answer {
    let routes = call.state().account(&call.account).routes;
    let of_zone = routes.iter().filter(|route| route.zone == call.zone);
    envelope::list(of_zone.map(shown))
}

pub(super) async fn get(call: Call) -> Answer {
    let routes = call.state().account(&call.account).routes;
    result(shown(route::found(&routes, &call.zone, &call.item)?))
}

#[derive(Deserialize)]
pub(super) struct Given {
    pattern: String,
    script: Option<String>,
}

pub(super) async fn create(call: Call, Sent(given): Sent<Given>) -> Answer {
    let made = call.change(move |state, call| {
        let (account, zone, script) = (&call.account, &call.zone, given.script.as_deref());
        route::create(state, account, zone, &given.pattern, script, &call.stamp)
    });
    result(shown(&made.await?))
}

pub(super) async fn update(call: Call, Sent(given): Sent<Given>) -> Answer {
    let changed = call.change(move |state, call| {
        let (account, zone, script) = (&call.account, &call.zone, given.script.as_deref());
        route::update(state, account, zone, &call.item, &given.pattern, script)
    });
    result(shown(&changed.await?))
}

pub(super) async fn delete(call: Call) -> Answer {
    let answer = json!({"id": call.item});
    let gone =
        call.change(|state, call| route::delete(state, &call.account, &call.zone, &call.item));
    gone.await?;
    result(answer)
}

pub(super) async fn of_script(call: Call) -> Answer {
    let state = call.state();
    let script = Some(&call.script(&state)?.name);
    let routes = state.account(&call.account).routes;
    let own = routes
        .iter()
        .filter(|route| route.script.as_ref() == script);
    envelope::list(own.map(shown))
}

#[derive(Deserialize)]
pub(super) struct Pattern {
    pattern: String,
    zone_name: Option<String>,
    zone_id: Option<String>,
}

pub(super) async fn replace(call: Call, Sent(given): Sent<Vec<Pattern>>) -> Answer {
    let replaced = call.change(move |state, call| {
        call.script(state)?;
        let wanted = given.into_iter().map(|given| {
            let id = given.zone_id;
            let by_id = id.and_then(|id| state.zone_named(&call.account, &id).map(str::to_owned));
            (given.pattern, given.zone_name.or(by_id))
        });
        let wanted: Vec<_> = wanted.collect();
        route::replace(state, &call.account, &call.script, &wanted, &call.stamp)
    });
    envelope::list(replaced.await?.iter().map(shown))
}
