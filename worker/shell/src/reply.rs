//! Responses that a Worker makes itself.

use edge_broadcast_protocol::contract::refusal::Refusal;
use serde::Serialize;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::worker_sys::web_sys::Response;

#[wasm_bindgen(wasm_bindgen = worker::wasm_bindgen, inline_js = r#"
export function respond(status, body, headers) {
  const response = new Response(body, { status });
  for (let i = 0; i < headers.length; i += 2) response.headers.set(headers[i], headers[i + 1]);
  return response;
}
"#)]
extern "C" {
    fn respond(status: u16, body: Option<&str>, headers: Vec<String>) -> Response;
}

/// A response with these headers and no others.
pub fn response(status: u16, body: Option<&str>, headers: &[(&str, &str)]) -> Response {
    respond(status, body, flat(headers))
}

/// A JSON answer that no cache may keep.
pub fn json(body: &impl Serialize) -> Response {
    text(&serde_json::to_string(body).unwrap_or_default())
}

/// The same of a body that is JSON already.
pub fn text(body: &str) -> Response {
    response(200, Some(body), &JSON)
}

/// A JSON answer of another status that no cache may keep, with seconds after which a repeat may succeed.
pub fn answer(status: u16, body: &str, retry_after: Option<u32>) -> Response {
    let mut headers = flat(&JSON);
    if let Some(seconds) = retry_after {
        headers.extend(["retry-after".to_owned(), seconds.to_string()]);
    }
    respond(status, Some(body), headers)
}

/// The answer to a request that is not served.
pub fn refusal(refusal: &Refusal) -> Response {
    let mut headers = flat(&JSON);
    for (name, value) in refusal.headers() {
        headers.extend([name.to_owned(), value]);
    }
    respond(refusal.status, Some(&refusal.body()), headers)
}

/// Header names and values in turn, as they cross to JavaScript.
pub fn flat(headers: &[(&str, &str)]) -> Vec<String> {
    let pairs = headers.iter();
    pairs
        .flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()])
        .collect()
}

/// The headers of a JSON answer that no cache may keep.
pub const JSON: [(&str, &str); 2] = [
    ("content-type", "application/json"),
    ("cache-control", "no-store"),
];
