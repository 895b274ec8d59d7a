//! `GET /snapshot/:token`: the latest value for clients that poll.

use crate::request::Request;
use crate::{connect, js};
use edge_broadcast_protocol::contract::call::{Call, header_safe};
use edge_broadcast_protocol::contract::refusal::Refusal;
use edge_broadcast_protocol::contract::token::Token;
use edge_broadcast_protocol::gateway::{origin, route};
use edge_broadcast_shell::reply;
use worker::wasm_bindgen::JsValue;
use worker::worker_sys::web_sys::Response;

pub(crate) async fn snapshot(request: &Request, token: &Token) -> Result<Response, Refusal> {
    let origin = request.header("origin");
    check(request, origin.as_deref())?;
    connect::limit(request, request.client().as_deref(), token).await?;
    let call = Call::Snapshot {
        token: token.as_str().to_owned(),
        if_none_match: request
            .header("if-none-match")
            .as_deref()
            .and_then(header_safe),
    };
    request
        .root(token.as_str())
        .ask(&call, &JsValue::UNDEFINED)
        .await
}

fn check(request: &Request, origin: Option<&str>) -> Result<(), Refusal> {
    origin::check(origin, request.host(), &request.config.settings)
}

/// A browser's question whether a page may send headers of its own, such as `If-None-Match`. What a page's tools add to every
/// request (tracing, say) is let through: nothing of it is read.
pub(crate) fn preflight(request: &Request) -> Result<Response, Refusal> {
    let origin = request.header("origin");
    check(request, origin.as_deref())?;
    let headers = [
        ("access-control-allow-methods", "GET, HEAD"),
        ("access-control-allow-headers", "if-none-match, *"),
        ("access-control-max-age", "86400"),
    ];
    Ok(reply::response(204, None, &headers))
}

/// Every answer to a poll, a refusal too, with what lets a page of an allowed origin read it.
pub(crate) fn share(request: &Request, response: Response) -> Response {
    if route::resource(route::path(&request.url)) != "snapshot" {
        return response;
    }
    let mut headers = reply::flat(&[("vary", "origin")]);
    let origin = request.header("origin");
    if let Some(origin) = origin.filter(|origin| check(request, Some(origin)).is_ok()) {
        headers.extend(reply::flat(&[
            ("access-control-allow-origin", &origin),
            ("access-control-expose-headers", "etag, retry-after"),
        ]));
    }
    js::with_headers(&response, headers)
}
