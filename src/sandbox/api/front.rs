//! In front of the routes: the journal, the faults, and the token.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::{BASE, Context};
use crate::sandbox::error::{ApiError, refuse};
use crate::sandbox::fault::Kind;
use crate::sandbox::journal::Call;
use crate::sandbox::server::Reply;

/// Answers one request: notes it, lets a fault have it, checks the token, and hands it to the routes.
pub(in crate::sandbox) async fn answer(
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
