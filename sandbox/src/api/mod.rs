//! The API: a table of its calls, and one file per product with what answers them: reads a request, calls a pure change, and shows the
//! result; before them credential, quota and faults, around them the envelope. What a change does to an account is decided in `account`.
//!
//! Imports: `account`, `analytics`, `engine`, `runtime`, `server`

mod accounts;
mod analytics;
mod call;
mod certificates;
pub(crate) mod context;
mod control;
mod credential;
mod deployments;
mod dns;
mod domains;
mod endpoint;
mod envelope;
#[cfg(feature = "faults")]
pub(crate) mod faults;
pub(crate) mod front;
mod objects;
mod others;
mod paging;
pub(crate) mod quota;
mod routes;
mod schedules;
mod scripts;
mod secrets;
mod services;
mod settings;
mod subdomains;
pub(crate) mod tails;
mod uploads;
mod versions;
mod zones;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use http::{Request, StatusCode};

use self::context::{BASE, Context};
use self::endpoint::{ACCOUNT, Endpoint, SCRIPT, WORKERS, ZONE, delete, get, patch, post, put};
use crate::account::error::{ApiError, no_route_to, refuse};

/// Cloudflare's own limit of a request's body.
const BODY_LIMIT: usize = 100 << 20;

/// All endpoints, product by product.
#[expect(clippy::too_many_lines, reason = "a table: one call a line")]
fn endpoints() -> Vec<Endpoint> {
    let shipped = vec![
        get("/user", "", accounts::user),
        get("/user", "/tokens/verify", accounts::verify),
        get("/memberships", "", accounts::memberships),
        get("/accounts", "", accounts::accounts),
        get(ACCOUNT, "", accounts::account),
        get(ACCOUNT, "/tokens/verify", accounts::verify),
        get(ACCOUNT, "/analytics_engine/sql", analytics::sql),
        post(ACCOUNT, "/analytics_engine/sql", analytics::sql),
        get("/sandbox", "", control::about),
        get("/sandbox", "/analytics", control::analytics),
        get("/sandbox", "/logs", control::logs),
        get(SCRIPT, "/deployments", deployments::list),
        post(SCRIPT, "/deployments", deployments::create),
        get(SCRIPT, "/deployments/{deployment}", deployments::get),
        delete(SCRIPT, "/deployments/{deployment}", deployments::delete),
        get(ZONE, "/dns_records", dns::list),
        post(ZONE, "/dns_records", dns::create),
        get(ZONE, "/dns_records/{record}", dns::get),
        put(ZONE, "/dns_records/{record}", dns::replace),
        patch(ZONE, "/dns_records/{record}", dns::edit),
        delete(ZONE, "/dns_records/{record}", dns::delete),
        get(WORKERS, "/domains", domains::list),
        put(WORKERS, "/domains", domains::attach),
        get(WORKERS, "/domains/{domain}", domains::get),
        delete(WORKERS, "/domains/{domain}", domains::detach),
        get(WORKERS, "/domains/records", domains::list),
        get(WORKERS, "/domains/records/{domain}", domains::get),
        post(SCRIPT, "/domains/changeset", domains::changeset),
        put(SCRIPT, "/domains/records", domains::replace),
        get(WORKERS, "/durable_objects/namespaces", objects::namespaces),
        get(
            WORKERS,
            "/durable_objects/namespaces/{namespace}/objects",
            objects::objects,
        ),
        get(ACCOUNT, "/storage/kv/namespaces", others::paged),
        get(ACCOUNT, "/queues", others::paged),
        get(SCRIPT, "/queue-consumers", others::paged),
        get(ACCOUNT, "/secrets_store/stores", others::paged),
        get(ACCOUNT, "/r2/buckets", others::buckets),
        get(ACCOUNT, "/containers/applications", others::whole),
        get(ACCOUNT, "/containers/dash/applications", others::whole),
        get(WORKERS, "/tails/by-consumer/{script}", others::whole),
        get(ZONE, "/ssl/certificate_packs", certificates::list),
        post(ZONE, "/ssl/certificate_packs/order", certificates::order),
        get(ZONE, "/workers/routes", routes::list),
        post(ZONE, "/workers/routes", routes::create),
        get(ZONE, "/workers/routes/{route}", routes::get),
        put(ZONE, "/workers/routes/{route}", routes::update),
        delete(ZONE, "/workers/routes/{route}", routes::delete),
        get(SCRIPT, "/routes", routes::of_script),
        put(SCRIPT, "/routes", routes::replace),
        get(SCRIPT, "/schedules", schedules::get),
        put(SCRIPT, "/schedules", schedules::replace),
        get(WORKERS, "/scripts", scripts::list),
        get(SCRIPT, "", scripts::content),
        delete(SCRIPT, "", scripts::delete),
        get(SCRIPT, "/content/v2", scripts::content),
        get(WORKERS, "/scripts-search", scripts::search),
        get(SCRIPT, "/references", scripts::references),
        get(SCRIPT, "/secrets", secrets::list),
        put(SCRIPT, "/secrets", secrets::put),
        get(SCRIPT, "/secrets/{name}", secrets::get),
        delete(SCRIPT, "/secrets/{name}", secrets::delete),
        patch(SCRIPT, "/secrets-bulk", secrets::bulk),
        get(
            WORKERS,
            "/workers/{script}/versions/{version}",
            versions::of_worker,
        ),
        patch(WORKERS, "/workers/{script}/versions/latest", secrets::stage),
        get(WORKERS, "/services/{script}", services::get),
        delete(WORKERS, "/services/{script}", scripts::delete),
        get(WORKERS, "/workers/{script}", services::worker),
        get(SCRIPT, "/settings", settings::get),
        patch(SCRIPT, "/settings", settings::patch),
        get(SCRIPT, "/script-settings", settings::get_script),
        patch(SCRIPT, "/script-settings", settings::patch_script),
        get(WORKERS, "/subdomain", subdomains::of_account),
        put(WORKERS, "/subdomain", subdomains::name),
        get(SCRIPT, "/subdomain", subdomains::of_script),
        post(SCRIPT, "/subdomain", subdomains::switch),
        delete(SCRIPT, "/subdomain", subdomains::switch_off),
        get(SCRIPT, "/tails", tails::newest),
        post(SCRIPT, "/tails", tails::create),
        delete(SCRIPT, "/tails/{tail}", tails::delete),
        put(SCRIPT, "", uploads::put),
        post(SCRIPT, "/versions", uploads::version),
        get(SCRIPT, "/versions", versions::list),
        get(SCRIPT, "/versions/{version}", versions::get),
        get("/zones", "", zones::zones),
        get(ZONE, "", zones::zone),
        patch(ZONE, "", zones::edit),
    ];
    let endpoints = shipped.into_iter();
    #[cfg(feature = "faults")]
    let endpoints = endpoints.chain(faults::endpoints());
    endpoints.collect()
}

/// All routes.
pub(crate) fn router(context: Arc<Context>) -> Router {
    let api = endpoints()
        .into_iter()
        .fold(Router::new(), |router, endpoint| {
            router.route(&endpoint.path, endpoint.handler)
        });
    Router::new()
        .nest(BASE, api)
        .merge(tails::sockets())
        .fallback(unknown)
        .method_not_allowed_fallback(other_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(context)
}

async fn unknown(request: Request<Body>) -> ApiError {
    let path = request.uri().path();
    no_route_to(path.strip_prefix(BASE).unwrap_or(path))
}

async fn other_method() -> ApiError {
    refuse(
        StatusCode::METHOD_NOT_ALLOWED,
        10405,
        "Method not allowed for this authentication scheme",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::endpoints;

    /// Below it are the calls that what is shipped does not have.
    const FAULTS: &str = "\n## For tests: faults\n";

    #[test]
    fn the_readmes_table_and_the_router_have_the_same_calls() {
        let ours: BTreeSet<String> = endpoints()
            .iter()
            .map(|endpoint| format!("{} {}", endpoint.method, endpoint.path))
            .collect();
        let readme = include_str!("../../README.md");
        let (shipped, tests) = readme.split_once(FAULTS).unwrap();
        let tests = if cfg!(feature = "faults") { tests } else { "" };
        let rows = shipped
            .lines()
            .chain(tests.lines())
            .filter(|line| line.starts_with("| `") && line.contains("` | `/"));
        let told: BTreeSet<String> = rows
            .flat_map(|row| {
                let mut columns = row.trim_matches('|').split('|');
                let methods = columns.next().unwrap_or_default();
                let path = columns.next().unwrap_or_default().trim().trim_matches('`');
                let methods = methods
                    .split_whitespace()
                    .map(|method| method.trim_matches('`'));
                methods
                    .map(|method| format!("{method} {path}"))
                    .collect::<Vec<_>>()
            })
            .collect();
        let missing: Vec<_> = ours.difference(&told).collect();
        let gone: Vec<_> = told.difference(&ours).collect();
        assert_eq!((missing, gone), (vec![], vec![]));
    }
}
