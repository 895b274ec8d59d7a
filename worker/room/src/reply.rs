//! Answers of an object.

use crate::js;
use edge_broadcast_protocol::contract::{call, refusal::Refusal};
use serde::Serialize;
use worker::worker_sys::web_sys::Response;

/// A JSON answer that no cache may keep.
pub(crate) fn json(body: &impl Serialize) -> Response {
    let body = serde_json::to_string(body).unwrap_or_default();
    js::respond(200, Some(&body), flat(JSON))
}

/// The answer to a request that is not served.
pub(crate) fn refusal(refusal: &Refusal) -> Response {
    let mut headers = flat(JSON);
    for (name, value) in refusal.headers() {
        headers.extend([name.to_owned(), value]);
    }
    js::respond(refusal.status, Some(&refusal.body()), headers)
}

/// This object is full, but there may be a place in shard number `next`.
pub(crate) fn full(refusal: &Refusal, next: u32) -> Response {
    let mut headers = flat(JSON);
    headers.extend([call::NEXT.to_owned(), next.to_string()]);
    js::respond(refusal.status, Some(&refusal.body()), headers)
}

/// Header names and values in turn, as the runtime takes them.
pub(crate) fn flat<const N: usize>(headers: [(&str, &str); N]) -> Vec<String> {
    headers
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value.to_owned()])
        .collect()
}

const JSON: [(&str, &str); 2] = [
    ("content-type", "application/json"),
    ("cache-control", "no-store"),
];
