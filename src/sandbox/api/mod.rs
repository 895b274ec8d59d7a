//! The HTTP face: authentication, the journal, faults, and the routes. Handlers read a request, call a pure change, show the result.

mod control;
mod deployments;
mod domains;
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
use axum::response::IntoResponse;
use axum::routing::{get, patch, post, put};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde::de::DeserializeOwned;

use super::engine::Engine;
use super::error::{ApiError, invalid, refuse};
use super::fault::Kind;
use super::journal::{Call, Journal};
use super::server::Reply;
use super::stamp::Stamp;
use super::value::SecretValue;

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

/// Answers one request: notes it, lets a fault have it, checks the token, and hands it to the routes.
pub(super) async fn answer(
    context: Arc<Context>,
    router: Router,
    request: Request<Incoming>,
) -> Reply {
    let path = request
        .uri()
        .path()
        .strip_prefix(BASE)
        .unwrap_or(request.uri().path());
    let fault = if path.starts_with("/sandbox") {
        None
    } else {
        let query = request.uri().query().unwrap_or_default();
        let method = request.method().as_str();
        context.journal.note(Call {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
        })
    };
    match fault {
        None => Reply::Answer(handle(&context, router, request).await),
        Some(Kind::Status { status }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Reply::Answer(
                refuse(
                    status,
                    10013,
                    "an unknown error has occurred (asked for by a test)",
                )
                .into_response(),
            )
        }
        Some(Kind::RateLimit { retry_after }) => {
            let error = refuse(
                StatusCode::TOO_MANY_REQUESTS,
                971,
                "please wait and consider throttling your request speed",
            );
            Reply::Answer(([(RETRY_AFTER, retry_after.to_string())], error).into_response())
        }
        Some(Kind::Html) => Reply::Answer(html()),
        Some(Kind::Reset) => Reply::Reset,
        Some(Kind::Hang) => std::future::pending().await,
        Some(Kind::Lost) => {
            handle(&context, router, request).await;
            Reply::Reset
        }
    }
}

async fn handle(context: &Context, router: Router, request: Request<Incoming>) -> Response<Body> {
    if let Err(error) = authenticate(context, request.headers(), request.uri().path()) {
        return error.into_response();
    }
    match TowerToHyperService::new(router).call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// 10000 for everything but the verification of a token, which has its own words.
fn authenticate(context: &Context, headers: &HeaderMap, path: &str) -> Result<(), ApiError> {
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    match given.and_then(|given| given.strip_prefix("Bearer ")) {
        Some(token) if same(token, context.token.expose()) => Ok(()),
        Some(_) if path.ends_with("/user/tokens/verify") => {
            Err(refuse(StatusCode::UNAUTHORIZED, 1000, "invalid API Token"))
        }
        Some(_) => Err(refuse(
            StatusCode::FORBIDDEN,
            10000,
            "authentication error: the sandbox has another token",
        )),
        None => Err(refuse(
            StatusCode::UNAUTHORIZED,
            10000,
            "authentication error: no `Authorization: Bearer` header",
        )),
    }
}

/// Compares without an early exit.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes()
            .zip(b.bytes())
            .fold(0, |sum, (a, b)| sum | (a ^ b))
            == 0
}

fn html() -> Response<Body> {
    let headers = [
        (HeaderName::from_static("cf-mitigated"), "challenge"),
        (CONTENT_TYPE, "text/html; charset=UTF-8"),
    ];
    let page = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>blocked</body></html>";
    (StatusCode::FORBIDDEN, headers, page).into_response()
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
