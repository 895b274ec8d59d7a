//! In front of the routes: the quota and the credential (and what tests ask for); and the envelope for whatever comes out.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use futures_util::FutureExt;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, Response};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::context::{BASE, Context};
use super::credential::{self, Credential};
#[cfg(feature = "faults")]
use super::faults::{self, journal::Call};
use super::tails::SOCKETS;
use crate::account::error::{ApiError, internal, no_route_to};
use crate::account::module::hash;
use crate::api::envelope::enveloped;
use crate::api::quota::{Bucket, Standing, throttled};
use crate::server::arriving::Arriving;

/// Answers one request: counts it, checks the credential, and hands it to the routes. `None`: the connection is to be cut.
pub(crate) async fn answer(
    context: Arc<Context>,
    router: Router,
    request: Request<Arriving>,
) -> Option<Response<Body>> {
    let path = below_base(&request).to_owned();
    if path.starts_with("/sandbox") || path.starts_with(SOCKETS) {
        return Some(handled(&context, router, request).await);
    }
    #[cfg(feature = "faults")]
    let fault = context.journal.lock().note(Call {
        method: request.method().as_str().to_owned(),
        path: path.clone(),
        query: request.uri().query().unwrap_or_default().to_owned(),
    });
    let standing = count(&context, &request);
    if let Some(wait) = standing.wait {
        return Some(told(throttled(&path, wait), &standing));
    }
    #[cfg(feature = "faults")]
    if let Some(fault) = fault {
        let handle = |router| handled(&context, router, request);
        let response = faults::happen(fault, &path, router, handle).await?;
        return Some(told(response, &standing));
    }
    Some(told(handled(&context, router, request).await, &standing))
}

fn below_base(request: &Request<Arriving>) -> &str {
    let path = request.uri().path();
    path.strip_prefix(BASE).unwrap_or(path)
}

/// The answer of the routes, or of what stands before them, in the envelope whatever happens.
async fn handled(context: &Context, router: Router, request: Request<Arriving>) -> Response<Body> {
    if let Err(error) = admit(context, &request) {
        return error.into_response();
    }
    let handling = TowerToHyperService::new(router).call(request);
    match AssertUnwindSafe(handling).catch_unwind().await {
        Ok(Ok(response)) => enveloped(response).await,
        Ok(Err(never)) => match never {},
        Err(_) => internal(&"a handler broke; see what it printed").into_response(),
    }
}

/// Before anything is looked up: the credential, and whether the account's identifier can be one.
fn admit(context: &Context, request: &Request<Arriving>) -> Result<(), ApiError> {
    let path = below_base(request);
    if path.starts_with(SOCKETS) {
        return Ok(());
    }
    let credential = credential::of(request.headers());
    credential::check(&credential, context.token.expose(), path)?;
    let mut parts = path.trim_start_matches('/').split('/');
    match (parts.next(), parts.next()) {
        (Some("accounts" | "zones"), Some(id)) if !is_identifier(id) => Err(no_route_to(path)),
        _ => Ok(()),
    }
}

/// 32 hex digits.
fn is_identifier(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn count(context: &Context, request: &Request<Arriving>) -> Standing {
    // Never the credential itself
    let token = match credential::of(request.headers()) {
        Credential::Token(text) | Credential::Key(text) => hash(text.as_bytes()),
        Credential::Malformed(..) | Credential::Missing => String::new(),
    };
    let parts: Vec<&str> = below_base(request).split('/').collect();
    let bucket = match (request.method(), parts.as_slice()) {
        (&Method::PUT, [_, "accounts", _, "workers", "scripts", _])
        | (&Method::POST, [_, "accounts", _, "workers", "scripts", _, "versions"]) => {
            Bucket::Upload
        }
        _ => Bucket::Default,
    };
    context.quotas.count(token, bucket)
}

/// The two headers on an answer.
fn told(mut response: Response<Body>, standing: &Standing) -> Response<Body> {
    let headers = [
        ("ratelimit", &standing.left),
        ("ratelimit-policy", &standing.policy),
    ];
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}
