//! Responses that the gateway makes itself.

use crate::js;
use edge_broadcast_protocol::contract::refusal::Refusal;
use worker::worker_sys::web_sys::Response;

/// A JSON answer that no cache may keep.
pub(crate) fn json(status: u16, body: &str) -> Response {
    js::respond(status, Some(body), flat(JSON))
}

/// The answer to a request that is not served.
pub(crate) fn refusal(refusal: &Refusal) -> Response {
    let mut headers = flat(JSON);
    for (name, value) in refusal.headers() {
        headers.extend([name.to_owned(), value]);
    }
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
