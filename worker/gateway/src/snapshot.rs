//! `GET /snapshot/:token`: the latest value for clients that poll.

use crate::request::Request;
use crate::{connect, js};
use edge_broadcast_protocol::contract::call::{Call, header_safe};
use edge_broadcast_protocol::contract::refusal::Refusal;
use edge_broadcast_protocol::contract::token::Token;
use edge_broadcast_protocol::gateway::origin;
use edge_broadcast_shell::reply;
use worker::wasm_bindgen::JsValue;
use worker::worker_sys::web_sys::Response;

pub(crate) async fn snapshot(request: &Request, token: &Token) -> Result<Response, Refusal> {
    let origin = request.header("origin");
    origin::check(origin.as_deref(), &request.config.settings)?;
    connect::limit(request, request.client().as_deref(), token).await?;
    let call = Call::Snapshot {
        token: token.as_str().to_owned(),
        if_none_match: request
            .header("if-none-match")
            .as_deref()
            .and_then(header_safe),
    };
    let response = request
        .root(token.as_str())
        .ask(&call, &JsValue::UNDEFINED)
        .await?;
    let Some(origin) = origin else {
        return Ok(response);
    };
    Ok(js::with_headers(
        &response,
        reply::flat(&[
            ("access-control-allow-origin", &origin),
            ("access-control-expose-headers", "etag"),
            ("vary", "origin"),
        ]),
    ))
}

/// A browser's question whether a page may send `If-None-Match` itself.
pub(crate) fn preflight(request: &Request) -> Result<Response, Refusal> {
    let origin = request.header("origin");
    origin::check(origin.as_deref(), &request.config.settings)?;
    let origin = origin.as_deref().unwrap_or("*");
    let headers = [
        ("access-control-allow-origin", origin),
        ("access-control-allow-methods", "GET, HEAD"),
        ("access-control-allow-headers", "if-none-match"),
        ("access-control-max-age", "86400"),
        ("vary", "origin"),
    ];
    Ok(reply::response(204, None, &headers))
}
