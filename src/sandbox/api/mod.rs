//! The API's routes. Handlers read a request, call a pure change, show the result.

mod control;
mod deployments;
mod domains;
mod front;
mod objects;
mod routes;
mod scripts;
mod secrets;
mod services;
mod settings;
mod uploads;
mod versions;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, patch, post, put};
use http::{HeaderMap, Request, StatusCode};
use serde::de::DeserializeOwned;

use super::engine::Engine;
use super::error::{ApiError, invalid, refuse};
use super::journal::Journal;
use super::stamp::Stamp;
use super::value::SecretValue;

pub(super) use self::front::answer;

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
    /// The token that opens the API.
    pub token: SecretValue,
    /// The account of calls that name none.
    pub account: String,
    /// Where the Workers answer.
    pub ingress: SocketAddr,
}

/// How handlers get the context.
pub(super) type Shared = axum::extract::State<Arc<Context>>;

/// All routes.
pub(super) fn router(context: Arc<Context>) -> Router {
    let scripts = Router::new()
        .route("/", get(scripts::list))
        .route(
            "/{script}",
            get(scripts::content)
                .put(uploads::put)
                .delete(scripts::delete),
        )
        .route("/{script}/content/v2", get(scripts::content))
        .route(
            "/{script}/settings",
            get(settings::get).patch(settings::patch),
        )
        .route(
            "/{script}/script-settings",
            get(settings::get_script).patch(settings::patch_script),
        )
        .route(
            "/{script}/versions",
            get(versions::list).post(uploads::version),
        )
        .route("/{script}/versions/{version}", get(versions::get))
        .route(
            "/{script}/deployments",
            get(deployments::list).post(deployments::create),
        )
        .route("/{script}/deployments/{deployment}", get(deployments::get))
        .route("/{script}/secrets", get(secrets::list).put(secrets::put))
        .route(
            "/{script}/secrets/{name}",
            get(secrets::get).delete(secrets::delete),
        )
        .route("/{script}/secrets-bulk", patch(secrets::bulk))
        .route(
            "/{script}/subdomain",
            get(settings::subdomain).post(settings::set_subdomain),
        )
        .route(
            "/{script}/routes",
            get(routes::of_script).put(routes::replace),
        )
        .route("/{script}/domains/changeset", post(domains::changeset))
        .route("/{script}/domains/records", put(domains::replace))
        .route("/{script}/schedules", get(scripts::schedules))
        .route("/{script}/references", get(scripts::references));
    let workers = Router::new()
        .nest("/scripts", scripts)
        .route(
            "/services/{script}",
            get(services::get).delete(services::delete),
        )
        .route("/workers/{script}", get(services::worker))
        .route("/workers/{script}/versions/latest", patch(secrets::stage))
        .route(
            "/subdomain",
            get(settings::account_subdomain).put(settings::set_account_subdomain),
        )
        .route("/domains", get(domains::list).put(domains::attach))
        .route(
            "/domains/{domain}",
            get(domains::get).delete(domains::detach),
        )
        .route("/domains/records", get(domains::list))
        .route("/domains/records/{domain}", get(domains::get))
        .route("/tails/by-consumer/{script}", get(scripts::nothing))
        .route("/durable_objects/namespaces", get(objects::namespaces))
        .route(
            "/durable_objects/namespaces/{namespace}/objects",
            get(objects::objects),
        );
    let api = Router::new()
        .nest("/accounts/{account}/workers", workers)
        .route(
            "/accounts/{account}/storage/kv/namespaces",
            get(scripts::nothing),
        )
        .route(
            "/accounts/{account}/containers/applications",
            get(scripts::nothing),
        )
        .route(
            "/accounts/{account}/containers/dash/applications",
            get(scripts::nothing),
        )
        .route("/zones", get(routes::zones))
        .route("/zones/{zone}", get(routes::zone))
        .route(
            "/zones/{zone}/workers/routes",
            get(routes::list).post(routes::create),
        )
        .route(
            "/zones/{zone}/workers/routes/{route}",
            get(routes::get).put(routes::update).delete(routes::delete),
        )
        .route("/user", get(control::user))
        .route("/user/tokens/verify", get(control::verify))
        .route("/accounts", get(control::accounts))
        .route("/memberships", get(control::memberships))
        .route("/sandbox", get(control::about))
        .route(
            "/sandbox/faults",
            get(control::faults)
                .post(control::add_fault)
                .delete(control::clear),
        )
        .route(
            "/sandbox/requests",
            get(control::requests).delete(control::clear),
        )
        .route(
            "/sandbox/records",
            get(control::records).post(control::add_record),
        )
        .route("/sandbox/analytics", get(control::analytics))
        .route(
            "/sandbox/logs",
            get(control::logs).delete(control::clear_logs),
        );
    Router::new()
        .nest(BASE, api)
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(context)
}

async fn unknown(request: Request<Body>) -> ApiError {
    let message = format!(
        "could not route to `{}`: the sandbox does not have this call",
        request.uri().path()
    );
    refuse(StatusCode::NOT_FOUND, 7003, message)
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
