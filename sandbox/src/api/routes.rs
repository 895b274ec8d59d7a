//! Routes of a zone, and wrangler's full replace of a script's.

use axum::body::Bytes;
use axum::extract::{Path, State};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::json;

use super::call::{self, Call};
use super::context::{Shared, read, stamp};
use crate::account::route::{self, shown};
use crate::api::envelope::{self, Answer, result};

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![
        call::get("/zones/{zone}/workers/routes", list),
        call::post("/zones/{zone}/workers/routes", create),
        call::get("/zones/{zone}/workers/routes/{route}", get),
        call::put("/zones/{zone}/workers/routes/{route}", update),
        call::delete("/zones/{zone}/workers/routes/{route}", delete),
        call::get(
            "/accounts/{account}/workers/scripts/{script}/routes",
            of_script,
        ),
        call::put(
            "/accounts/{account}/workers/scripts/{script}/routes",
            replace,
        ),
    ]
}

pub(super) async fn list(State(context): Shared, Path(id): Path<String>) -> Answer {
    let state = context.engine.state();
    let (account, zone) = state.zone(&id, &context.account)?;
    envelope::list(
        state
            .account(&account)
            .routes
            .iter()
            .filter(|route| route.zone == zone)
            .map(shown),
    )
}

pub(super) async fn get(
    State(context): Shared,
    Path((id, route)): Path<(String, String)>,
) -> Answer {
    let state = context.engine.state();
    let (account, zone) = state.zone(&id, &context.account)?;
    let routes = state.account(&account).routes;
    let found = routes
        .iter()
        .find(|known| known.id == route && known.zone == zone);
    result(shown(found.ok_or_else(|| route::no_route(&route))?))
}

#[derive(Deserialize)]
struct Given {
    pattern: String,
    script: Option<String>,
}

pub(super) async fn create(
    State(context): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let given: Given = read(&body)?;
    let (account, zone) = context.engine.state().zone(&id, &context.account)?;
    let stamp = stamp(&headers);
    let edit = move |state: &mut crate::account::state::State| {
        route::create(
            state,
            &account,
            &zone,
            &given.pattern,
            given.script.as_deref(),
            &stamp,
        )
    };
    result(shown(&context.engine.change(edit).await?))
}

pub(super) async fn update(
    State(context): Shared,
    Path((id, route)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let given: Given = read(&body)?;
    let (account, zone) = context.engine.state().zone(&id, &context.account)?;
    let edit = move |state: &mut crate::account::state::State| {
        route::update(
            state,
            &account,
            &zone,
            &route,
            &given.pattern,
            given.script.as_deref(),
        )
    };
    result(shown(&context.engine.change(edit).await?))
}

pub(super) async fn delete(
    State(context): Shared,
    Path((id, route)): Path<(String, String)>,
) -> Answer {
    let (account, zone) = context.engine.state().zone(&id, &context.account)?;
    let answer = json!({"id": route});
    context
        .engine
        .change(move |state| route::delete(state, &account, &zone, &route))
        .await?;
    result(answer)
}

pub(super) async fn of_script(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
) -> Answer {
    let state = context.engine.state();
    state.script(&account, &name)?;
    let routes = state.account(&account).routes;
    envelope::list(
        routes
            .iter()
            .filter(|route| route.script.as_deref() == Some(&name))
            .map(shown),
    )
}

#[derive(Deserialize)]
struct Pattern {
    pattern: String,
    zone_name: Option<String>,
    zone_id: Option<String>,
}

pub(super) async fn replace(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let given: Vec<Pattern> = read(&body)?;
    let stamp = stamp(&headers);
    let edit = move |state: &mut crate::account::state::State| {
        state.script(&account, &name)?;
        let wanted: Vec<_> = given
            .into_iter()
            .map(|given| {
                let by_id = given
                    .zone_id
                    .and_then(|id| state.zone_named(&account, &id).map(str::to_owned));
                (given.pattern, given.zone_name.or(by_id))
            })
            .collect();
        route::replace(state, &account, &name, &wanted, &stamp)
    };
    envelope::list(context.engine.change(edit).await?.iter().map(shown))
}
