//! In front of the routes: the journal, the faults, the quota and the credential; and the envelope for whatever comes out.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use futures_util::FutureExt;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::context::{BASE, Context};
use super::credential::{self, Credential};
use super::tails::SOCKETS;
use crate::account::error::{ApiError, internal, no_route_to, refuse};
use crate::account::module::hash;
use crate::api::envelope::enveloped;
use crate::api::fault::Kind;
use crate::api::journal::Call;
use crate::api::quota::{Bucket, Standing};
use crate::server::Reply;
use crate::server::arriving::Arriving;

/// Answers one request: notes it, lets a fault have it, counts it, checks the credential, and hands it to the routes.
pub(crate) async fn answer(
    context: Arc<Context>,
    router: Router,
    request: Request<Arriving>,
) -> Reply {
    let path = below_base(&request).to_owned();
    if path.starts_with("/sandbox") || path.starts_with(SOCKETS) {
        return Reply::Answer(handled(&context, router, request, Handler::Router).await);
    }
    let fault = context.journal.note(Call {
        method: request.method().as_str().to_owned(),
        path: path.clone(),
        query: request.uri().query().unwrap_or_default().to_owned(),
    });
    let standing = count(&context, &request);
    if let Some(wait) = standing.wait {
        return Reply::Answer(told(throttled(&path, wait), &standing));
    }
    let response = match fault {
        None => handled(&context, router, request, Handler::Router).await,
        Some(Kind::Status { status }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let words = "an unknown error has occurred (asked for by a test)";
            refuse(status, 10013, words).into_response()
        }
        Some(Kind::RateLimit { retry_after }) => throttled(&path, retry_after.into()),
        Some(Kind::Html) => html(),
        Some(Kind::Reset) => return Reply::Reset,
        Some(Kind::Hang) => std::future::pending().await,
        Some(Kind::Panic) => handled(&context, router, request, Handler::Broken).await,
        Some(Kind::Lost) => {
            handled(&context, router, request, Handler::Router).await;
            return Reply::Reset;
        }
    };
    Reply::Answer(told(response, &standing))
}

/// Who handles a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handler {
    Router,
    /// Breaks, as a test asked for.
    Broken,
}

fn below_base(request: &Request<Arriving>) -> &str {
    let path = request.uri().path();
    path.strip_prefix(BASE).unwrap_or(path)
}

/// The answer of the routes, or of what stands before them, in the envelope whatever happens.
async fn handled(
    context: &Context,
    router: Router,
    request: Request<Arriving>,
    handler: Handler,
) -> Response<Body> {
    if let Err(error) = admit(context, &request) {
        return error.into_response();
    }
    let handling = async {
        assert!(handler == Handler::Router, "asked for by a test");
        TowerToHyperService::new(router).call(request).await
    };
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
        Credential::Malformed(_) | Credential::Missing => String::new(),
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

/// 429. The Workers API numbers it otherwise than the API in general.
fn throttled(path: &str, wait: u64) -> Response<Body> {
    let words = "Please wait and consider throttling your request speed";
    let error = if path.contains("/workers/") {
        refuse(
            StatusCode::TOO_MANY_REQUESTS,
            10429,
            format!("Rate limited. {words}"),
        )
    } else {
        refuse(StatusCode::TOO_MANY_REQUESTS, 971, words)
    };
    ([(RETRY_AFTER, wait.to_string())], error).into_response()
}

fn html() -> Response<Body> {
    let headers = [
        (HeaderName::from_static("cf-mitigated"), "challenge"),
        (CONTENT_TYPE, "text/html; charset=UTF-8"),
    ];
    let page = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>blocked</body></html>";
    (StatusCode::FORBIDDEN, headers, page).into_response()
}
