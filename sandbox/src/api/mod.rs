//! The API: one file per product with its calls, each of which reads a request, calls a pure change, and shows the result; before them
//! credential, quota and faults, around them the envelope. What a change does to an account is decided in `account`.
//!
//! Imports: `account`, `engine`, `runtime`, `server`

mod accounts;
mod call;
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
use self::endpoint::Endpoint;
use crate::account::error::{ApiError, no_route_to, refuse};

/// Cloudflare's own limit of a request's body.
const BODY_LIMIT: usize = 100 << 20;

/// All endpoints, product by product.
fn endpoints() -> Vec<Endpoint> {
    let shipped = [
        accounts::endpoints(),
        control::endpoints(),
        deployments::endpoints(),
        dns::endpoints(),
        domains::endpoints(),
        objects::endpoints(),
        others::endpoints(),
        routes::endpoints(),
        schedules::endpoints(),
        scripts::endpoints(),
        secrets::endpoints(),
        services::endpoints(),
        settings::endpoints(),
        subdomains::endpoints(),
        tails::endpoints(),
        uploads::endpoints(),
        versions::endpoints(),
        zones::endpoints(),
    ];
    let endpoints = shipped.into_iter().flatten();
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
