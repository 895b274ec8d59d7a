//! The API's routes. Handlers read a request, call a pure change, show the result.

mod accounts;
mod call;
mod control;
mod credential;
mod deployments;
mod dns;
mod domains;
mod front;
mod objects;
mod others;
mod routes;
mod schedules;
mod scripts;
mod secrets;
mod services;
mod settings;
mod subdomains;
mod tails;
mod uploads;
mod versions;
mod zones;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use http::{HeaderMap, Request, StatusCode};
use serde::de::DeserializeOwned;

use super::engine::Engine;
use super::error::{ApiError, invalid, no_route_to, refuse};
use super::journal::Journal;
use super::quota::Quotas;
use super::stamp::Stamp;
use super::tail::Tails;
use super::value::SecretValue;

use self::call::Call;
pub(super) use self::front::answer;
pub(super) use self::tails::sink;

/// Below this path lies everything.
pub(super) const BASE: &str = "/client/v4";
/// Cloudflare's own limit of a request's body.
const BODY_LIMIT: usize = 100 << 20;

/// What the handlers share.
#[derive(Debug)]
pub(super) struct Context {
    /// State and runtime.
    pub engine: Arc<Engine>,
    /// Calls and faults.
    pub journal: Journal,
    /// Calls that every token has left.
    pub quotas: Quotas,
    /// The token that opens the API.
    pub token: SecretValue,
    /// The account of calls that name none.
    pub account: String,
    /// Where the API itself answers.
    pub address: SocketAddr,
    /// Where the Workers answer.
    pub ingress: SocketAddr,
    /// Who wants trace events.
    pub tails: Tails,
}

/// How handlers get the context.
pub(super) type Shared = axum::extract::State<Arc<Context>>;

/// All calls, product by product.
fn calls() -> Vec<Call> {
    [
        accounts::calls(),
        control::calls(),
        deployments::calls(),
        dns::calls(),
        domains::calls(),
        objects::calls(),
        others::calls(),
        routes::calls(),
        schedules::calls(),
        scripts::calls(),
        secrets::calls(),
        services::calls(),
        settings::calls(),
        subdomains::calls(),
        tails::calls(),
        uploads::calls(),
        versions::calls(),
        zones::calls(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// All routes.
pub(super) fn router(context: Arc<Context>) -> Router {
    let api = calls().into_iter().fold(Router::new(), |router, call| {
        router.route(call.path, call.handler)
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

/// A stamp for a change by this request.
fn stamp(headers: &HeaderMap) -> Stamp {
    super::stamp::stamp(
        headers
            .get(http::header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok()),
    )
}

/// Reads a JSON body. The error says where, never what: a body can hold a secret.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        let message = format!(
            "could not read the JSON body at line {} column {}",
            error.line(),
            error.column()
        );
        invalid(10026, message)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::calls;

    #[test]
    fn the_readmes_table_and_the_router_have_the_same_calls() {
        let ours: BTreeSet<String> = calls()
            .iter()
            .map(|call| format!("{} {}", call.method, call.path))
            .collect();
        let rows = include_str!("../README.md")
            .lines()
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
