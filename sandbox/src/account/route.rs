//! Zone routes: which script answers for which host and path.
//!
//! Pattern syntax and precedence: <https://developers.cloudflare.com/workers/configuration/routing/routes/>. A `*` may start the
//! host and end the path; the most specific pattern wins.

use serde_json::{Value, json};

use crate::account::error::{ApiError, conflict, invalid, missing, no_zone};
use crate::account::module::id;
use crate::account::stamp::Stamp;
use crate::account::state::{Account, Route, State};

/// As the API shows it.
pub(crate) fn shown(route: &Route) -> Value {
    json!({"id": route.id, "pattern": route.pattern, "script": route.script, "request_limit_fail_open": false})
}

/// `POST /zones/Z/workers/routes`.
pub(crate) fn create(
    state: &mut State,
    account: &str,
    zone: &str,
    pattern: &str,
    script: Option<&str>,
    stamp: &Stamp,
) -> Result<Route, ApiError> {
    check(state, account, zone, pattern, script)?;
    let account = state.account_mut(account);
    free(account, pattern, None)?;
    let route = Route {
        id: stamp.id.clone(),
        zone: zone.to_owned(),
        pattern: pattern.to_owned(),
        script: script.map(str::to_owned),
    };
    account.routes.push(route.clone());
    Ok(route)
}

/// `PUT /zones/Z/workers/routes/R`.
pub(crate) fn update(
    state: &mut State,
    account: &str,
    zone: &str,
    id: &str,
    pattern: &str,
    script: Option<&str>,
) -> Result<Route, ApiError> {
    check(state, account, zone, pattern, script)?;
    let account = state.account_mut(account);
    free(account, pattern, Some(id))?;
    let mut routes = account.routes.iter_mut();
    let route = routes.find(|route| route.zone == zone && route.id == id);
    let route = route.ok_or_else(|| no_route(id))?;
    pattern.clone_into(&mut route.pattern);
    route.script = script.map(str::to_owned);
    Ok(route.clone())
}

/// `DELETE /zones/Z/workers/routes/R`.
pub(crate) fn delete(
    state: &mut State,
    account: &str,
    zone: &str,
    id: &str,
) -> Result<(), ApiError> {
    let routes = &mut state.account_mut(account).routes;
    found(routes, zone, id)?;
    routes.retain(|route| route.id != id);
    Ok(())
}

/// `PUT …/scripts/S/routes`: these, and no others, belong to the script. All or nothing.
pub(crate) fn replace(
    state: &mut State,
    account: &str,
    script: &str,
    wanted: &[(String, Option<String>)],
    stamp: &Stamp,
) -> Result<Vec<Route>, ApiError> {
    let mut routes = Vec::new();
    for (index, (pattern, zone)) in wanted.iter().enumerate() {
        let host = host_of(pattern);
        let zone = zone
            .as_deref()
            .or_else(|| state.zone_of(host))
            .ok_or_else(|| no_zone(host))?
            .to_owned();
        check(state, account, &zone, pattern, Some(script))?;
        let routes_now = &state.account(account).routes;
        let kept = routes_now.iter().find(|route| route.pattern == *pattern);
        let owner = kept.map(|route| route.script.as_deref());
        if let Some(owner) = owner.filter(|owner| *owner != Some(script)) {
            return Err(taken(pattern, owner));
        }
        let made = || id(&format!("{} {index}", stamp.id));
        let id = kept.map_or_else(made, |route| route.id.clone());
        routes.push(Route {
            id,
            zone,
            pattern: pattern.clone(),
            script: Some(script.to_owned()),
        });
    }
    let account = state.account_mut(account);
    account
        .routes
        .retain(|route| route.script.as_deref() != Some(script));
    account.routes.extend(routes.clone());
    Ok(routes)
}

/// The host part of a pattern, without a leading wildcard.
pub(crate) fn host_of(pattern: &str) -> &str {
    let host = without_scheme(pattern).split('/').next();
    let host = host.unwrap_or_default().trim_start_matches('*');
    host.trim_start_matches('.')
}

/// A pattern without its scheme.
pub(crate) fn without_scheme(pattern: &str) -> &str {
    pattern.split_once("://").map_or(pattern, |(_, rest)| rest)
}

fn check(
    state: &State,
    account: &str,
    zone: &str,
    pattern: &str,
    script: Option<&str>,
) -> Result<(), ApiError> {
    if !state.zones.contains(zone) {
        return Err(no_zone(zone));
    }
    if let Some(script) = script
        && state.script(account, script).is_err()
    {
        let message = format!("the route names the Worker `{script}`, which does not exist");
        return Err(invalid(10019, message));
    }
    let host = host_of(pattern);
    if state.zone_of(host) != Some(zone) && host != zone {
        let message = format!("the route pattern `{pattern}` does not lie in the zone `{zone}`");
        return Err(invalid(10022, message));
    }
    let rest = without_scheme(pattern);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let misplaced = host.trim_start_matches('*').contains('*')
        || path.strip_suffix('*').unwrap_or(path).contains('*');
    if misplaced || path.contains('?') {
        let message = format!(
            "the route pattern `{pattern}` is invalid; `*` may start the host and end the path"
        );
        return Err(invalid(10022, message));
    }
    Ok(())
}

fn free(account: &Account, pattern: &str, but: Option<&str>) -> Result<(), ApiError> {
    let mut others = account
        .routes
        .iter()
        .filter(|it| Some(it.id.as_str()) != but);
    match others.find(|other| other.pattern == pattern) {
        Some(other) => Err(taken(pattern, other.script.as_deref())),
        None => Ok(()),
    }
}

/// 10020.
fn taken(pattern: &str, owner: Option<&str>) -> ApiError {
    let owner = owner.map_or("no Worker".into(), |owner| format!("the Worker `{owner}`"));
    let message =
        format!("a route with the pattern `{pattern}` exists already and belongs to {owner}");
    conflict(10020, message)
}

/// The route of a zone with this id; 10009.
pub(crate) fn found<'a>(routes: &'a [Route], zone: &str, id: &str) -> Result<&'a Route, ApiError> {
    let mut of_zone = routes.iter().filter(|route| route.zone == zone);
    let found = of_zone.find(|route| route.id == id);
    found.ok_or_else(|| no_route(id))
}

fn no_route(id: &str) -> ApiError {
    missing(10009, format!("there is no route `{id}` in this zone"))
}
