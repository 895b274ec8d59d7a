//! The runtime's own functions. Each does all that it can in JavaScript, since every crossing of the boundary costs.

use worker::js_sys::Promise;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::worker_sys::web_sys::{Request, Response};

#[wasm_bindgen(wasm_bindgen = worker::wasm_bindgen, inline_js = r#"
export function forward(stub, request, header, call) {
  const copy = new Request(request);
  copy.headers.set(header, call);
  return stub.fetch(copy);
}

export function ask(stub, header, call, body) {
  return stub.fetch("https://room/", { method: "POST", headers: { [header]: call }, body });
}

export async function limited(env, name, key) {
  const limiter = env[name];
  if (!limiter) return false;
  try {
    return !(await limiter.limit({ key })).success;
  } catch {
    return false;
  }
}

export async function read(request, max) {
  if (!request.body) return new Uint8Array();
  if (request.headers.has("content-length")) {
    const bytes = new Uint8Array(await request.arrayBuffer());
    return bytes.length > max ? undefined : bytes;
  }
  const reader = request.body.getReader();
  const chunks = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > max) {
      reader.cancel().catch(() => {});
      return undefined;
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

export function with_headers(response, headers) {
  const copy = new Response(response.body, response);
  for (let i = 0; i < headers.length; i += 2) copy.headers.set(headers[i], headers[i + 1]);
  return copy;
}

export function closed_socket(code, reason) {
  const pair = new WebSocketPair();
  pair[1].accept();
  pair[1].close(code, reason);
  return new Response(null, { status: 101, webSocket: pair[0] });
}

export function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export async function page(name) {
  const { default: text } = await import(name);
  const nonce = crypto.randomUUID();
  return new Response(text.replaceAll("NONCE", nonce), {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  });
}

export function continent(request) {
  return request.cf?.continent;
}
"#)]
extern "C" {
    /// The client's request itself, with one header replaced, to an object.
    #[wasm_bindgen(catch)]
    pub(crate) fn forward(
        stub: &JsValue,
        request: &Request,
        header: &str,
        call: &str,
    ) -> Result<Promise, JsValue>;

    /// A request of our own to an object.
    #[wasm_bindgen(catch)]
    pub(crate) fn ask(
        stub: &JsValue,
        header: &str,
        call: &str,
        body: &JsValue,
    ) -> Result<Promise, JsValue>;

    /// Whether a rate-limit binding refuses `key`. One that is missing or fails refuses nobody.
    pub(crate) fn limited(env: &JsValue, name: &str, key: &str) -> Promise;

    /// The body, or `undefined` when it has more than `max` bytes.
    pub(crate) fn read(request: &Request, max: u32) -> Promise;

    /// The same response, or the same socket, with more headers. Of an object's own 101 none but these reach the client.
    pub(crate) fn with_headers(response: &Response, headers: Vec<String>) -> Response;

    /// The answer to an upgrade with a socket that is closed at once, so that a browser sees code and reason.
    pub(crate) fn closed_socket(code: u16, reason: &str) -> Response;

    /// Resolves after so many milliseconds.
    pub(crate) fn wait(ms: u32) -> Promise;

    /// The page that the module `name` is the text of, under a policy of its own; rejected where there is no such module.
    pub(crate) fn page(name: &str) -> Promise;

    /// Cloudflare's guess of the client's continent, such as `EU`.
    pub(crate) fn continent(request: &Request) -> Option<String>;
}
