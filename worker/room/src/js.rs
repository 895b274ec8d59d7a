//! The runtime's own functions. Whatever touches every socket is one JavaScript loop, since every crossing of the boundary
//! costs; and what can throw is caught here, since an exception in `worker`'s own wrappers would end the instance.

use worker::js_sys::{Array, Promise};
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::worker_sys::web_sys::{Response, WebSocket};

#[wasm_bindgen(wasm_bindgen = worker::wasm_bindgen, inline_js = r#"
const OPEN = 1;

export function random() {
  return crypto.randomUUID();
}

export function answer_pings(state, ping, pong) {
  state.setWebSocketAutoResponse(new WebSocketRequestResponsePair(ping, pong));
}

export function load(state, keys) {
  return Promise.all(keys.map((key) => state.storage.get(key)));
}

export function save(state, key, text) {
  try {
    state.storage.put(key, text, { allowUnconfirmed: true }).catch(() => {});
  } catch {}
}

export async function store(state, key, text) {
  await state.storage.put(key, text);
}

export function count(state, tag, except) {
  const sockets = tag === undefined ? state.getWebSockets() : state.getWebSockets(tag);
  let open = 0;
  for (const socket of sockets) if (socket.readyState === OPEN && socket !== except) open++;
  return open;
}

export function accept(state, tags, attachment, frames) {
  const pair = new WebSocketPair();
  try {
    state.acceptWebSocket(pair[1], tags);
  } catch {
    return undefined;
  }
  pair[1].serializeAttachment(attachment);
  for (const frame of frames) pair[1].send(frame);
  return new Response(null, { status: 101, webSocket: pair[0] });
}

export function broadcast(sockets, text, start) {
  const length = sockets.length;
  let sent = 0;
  let failed = 0;
  for (let i = 0; i < length; i++) {
    const socket = sockets[start + i < length ? start + i : start + i - length];
    if (socket.readyState !== OPEN) continue;
    try {
      socket.send(text);
      sent++;
    } catch {
      failed++;
      try {
        socket.close(1011, "send failed");
      } catch {}
    }
  }
  return Uint32Array.of(sent, failed);
}

export function sockets(state) {
  return state.getWebSockets();
}

export function oldest(state) {
  try {
    const peer = JSON.parse(state.getWebSockets().at(-1).deserializeAttachment());
    return peer.opened_ms ?? peer.seen_ms;
  } catch {}
}

export function seen(state, sockets, since) {
  const seen = new Float64Array(2 * sockets.length).fill(Infinity);
  for (let i = 0; i < sockets.length; i++) {
    const socket = sockets[i];
    if (socket.readyState !== OPEN) continue;
    let pinged = state.getWebSocketAutoResponseTimestamp(socket)?.getTime();
    let opened = 0;
    if (!(pinged >= since)) {
      try {
        const peer = JSON.parse(socket.deserializeAttachment());
        opened = peer.opened_ms ?? peer.seen_ms;
        pinged = Math.max(pinged ?? 0, peer.pinged_ms ?? 0) || undefined;
      } catch {}
    }
    seen[2 * i] = opened;
    if (pinged !== undefined) seen[2 * i + 1] = pinged;
  }
  return seen;
}

export function close_each(sockets, indexes, code, reason) {
  for (const index of indexes) {
    try {
      sockets[index].close(code, reason);
    } catch {}
  }
}

export function attachment(socket) {
  return socket.deserializeAttachment() ?? undefined;
}

export function attach(socket, attachment) {
  try {
    socket.serializeAttachment(attachment);
  } catch {}
}

export function send(socket, text) {
  try {
    socket.send(text);
  } catch {}
}

export function close(socket, code, reason) {
  try {
    socket.close(code, reason);
  } catch {
    try {
      socket.close();
    } catch {}
  }
}

async function ask_one(stub, header, call, body, limit) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), limit);
  try {
    const response = await stub.fetch("https://room/", { method: "POST", headers: { [header]: call }, body, signal: late.signal });
    const text = await response.text();
    return response.ok ? text : null;
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}

export function ask(stubs, header, calls, body, limit) {
  return Promise.all(stubs.map((stub, i) => ask_one(stub, header, calls[i], body, limit)));
}
"#)]
extern "C" {
    /// A random UUID.
    pub(crate) fn random() -> String;

    /// From now on the runtime itself answers `ping` with `pong`.
    #[wasm_bindgen(catch)]
    pub(crate) fn answer_pings(state: &JsValue, ping: &str, pong: &str) -> Result<(), JsValue>;

    /// The stored texts, or `undefined`, in the order of `keys`.
    pub(crate) fn load(state: &JsValue, keys: Vec<String>) -> Promise;

    /// Stores a text. Frames and answers do not wait for it.
    pub(crate) fn save(state: &JsValue, key: &str, text: &str);

    /// Stores a text. Answers wait until it is durable; fails when it cannot be stored.
    pub(crate) fn store(state: &JsValue, key: &str, text: &str) -> Promise;

    /// Open sockets: all, or those with a tag; `except` is not counted.
    pub(crate) fn count(state: &JsValue, tag: Option<&str>, except: &JsValue) -> u32;

    /// Opens a socket and sends its first frames; `None` when the runtime takes no more.
    pub(crate) fn accept(
        state: &JsValue,
        tags: Vec<String>,
        attachment: &str,
        frames: Vec<String>,
    ) -> Option<Response>;

    /// Sends one frame to those of the sockets that are open, beginning with number `start`: how many got it, how many
    /// failed.
    pub(crate) fn broadcast(sockets: &Array, text: &str, start: u32) -> Vec<u32>;

    /// All sockets, for [`broadcast`], [`seen`] and [`close_each`].
    pub(crate) fn sockets(state: &JsValue) -> Array;

    /// When the oldest socket was opened, in unix milliseconds: the runtime lists the newest first.
    pub(crate) fn oldest(state: &JsValue) -> Option<f64>;

    /// Two times of each socket, in unix milliseconds: when it was opened, and when it last pinged. A closing socket has
    /// neither, which is infinite, and one that never pinged has no second. Where it has pinged after `since`, when it was
    /// opened does not matter and is 0: its attachment is not read.
    pub(crate) fn seen(state: &JsValue, sockets: &Array, since: f64) -> Vec<f64>;

    /// Closes the sockets with these indexes.
    pub(crate) fn close_each(sockets: &Array, indexes: Vec<u32>, code: u16, reason: &str);

    /// What [`attach`] or [`accept`] attached.
    pub(crate) fn attachment(socket: &WebSocket) -> Option<String>;

    pub(crate) fn attach(socket: &WebSocket, attachment: &str);

    /// Sends to one socket, if it still takes it.
    pub(crate) fn send(socket: &WebSocket, text: &str);

    /// Closes a socket, or answers its close; codes that may not be sent are left out.
    pub(crate) fn close(socket: &WebSocket, code: u16, reason: &str);

    /// Asks several objects at once, each its own call with the same body: the text of each answer, or `null` for one that
    /// failed or took longer than `limit` milliseconds. Such a call is given up: one in flight keeps the asking object
    /// from hibernating.
    pub(crate) fn ask(
        stubs: Vec<JsValue>,
        header: &str,
        calls: Vec<String>,
        body: Option<&str>,
        limit: f64,
    ) -> Promise;
}
