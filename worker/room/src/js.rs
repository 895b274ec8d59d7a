//! The runtime's own functions. Whatever touches every socket is one JavaScript loop, since every crossing of the boundary
//! costs; and what can throw is caught here, since an exception in `worker`'s own wrappers would end the instance.

use worker::js_sys::{Array, Promise};
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::worker_sys::web_sys::{Request, Response, WebSocket};

#[wasm_bindgen(wasm_bindgen = worker::wasm_bindgen, inline_js = r#"
const OPEN = 1;
const NEVER = "18446744073709551615";

export function id(state) {
  return state.id.toString();
}

export function serve(request, header, answer) {
  return new Promise((resolve) => {
    const call = request.headers.get(header) ?? "";
    if (!request.body) return answer(call, "", resolve);
    const body = request.text();
    body.then((text) => answer(call, text, resolve), () => answer(call, undefined, resolve));
  });
}

export function random() {
  return crypto.randomUUID();
}

let dropped = 0;

export function drop_frame(state) {
  if (++dropped % 32 === 0) {
    state.blockConcurrencyWhile(() => new Promise((resolve) => setTimeout(resolve, 2))).catch(() => {});
  }
}

export function answer_pings(state, ping, pong) {
  state.setWebSocketAutoResponse(new WebSocketRequestResponsePair(ping, pong));
}

export function load(state, keys, then) {
  Promise.all(keys.map((key) => state.storage.get(key))).then(then, () => then());
}

export function save(state, key, text) {
  try {
    state.storage.put(key, text, { allowUnconfirmed: true }).catch(() => {});
  } catch {}
}

export function store(state, key, text, then) {
  const stored = async () => await state.storage.put(key, text);
  stored().then(() => then(true), () => then(false));
}

export function forget(state) {
  try {
    state.storage.deleteAll().catch(() => {});
  } catch {}
}

export function after(milliseconds, then) {
  setTimeout(then, milliseconds);
}

export function count(state, tag, except) {
  let open = 0;
  for (const socket of listed(state, tag)) if (socket.readyState === OPEN && socket !== except) open++;
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

export function broadcast(sockets, frames, start) {
  const length = sockets.length;
  let sent = 0;
  let failed = 0;
  for (let i = 0; i < length; i++) {
    const socket = sockets[start + i < length ? start + i : start + i - length];
    if (socket.readyState !== OPEN) continue;
    try {
      for (const frame of frames) socket.send(frame);
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

export function listed(state, tag) {
  return tag === undefined ? state.getWebSockets() : state.getWebSockets(tag);
}

function remembered(socket) {
  try {
    return JSON.parse(socket.deserializeAttachment()) ?? {};
  } catch {
    return {};
  }
}

export function oldest(state) {
  const socket = listed(state).at(-1);
  if (socket) return remembered(socket).life ?? 0;
}

export function newest(state) {
  for (const socket of listed(state)) {
    if (socket.readyState === OPEN) return socket.deserializeAttachment() ?? undefined;
  }
}

export function mark(sockets, epoch, sent) {
  const socket = sockets.find((socket) => socket.readyState === OPEN);
  if (socket) socket.serializeAttachment(JSON.stringify({ ...remembered(socket), epoch, sent }));
}

export function seen(state, tag) {
  const sockets = listed(state, tag);
  const times = new Float64Array(2 * sockets.length);
  const recent = Date.now() - 10_000;
  for (let i = 0; i < sockets.length; i++) {
    const socket = sockets[i];
    if (socket.readyState !== OPEN) {
      times[2 * i] = Infinity;
      continue;
    }
    const answered = state.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
    // Reading what a socket remembers is dear, and whoever has just pinged is alive: no `room.idle_timeout` is below these
    // ten seconds.
    const { opened_ms, pinged_ms } = answered > recent ? {} : remembered(socket);
    times[2 * i] = opened_ms ?? 0;
    times[2 * i + 1] = Math.max(answered, pinged_ms ?? 0);
  }
  return times;
}

export function names(state) {
  return listed(state).flatMap((socket) => {
    const { id, opened_ms } = remembered(socket);
    return [id ?? "", String(socket.readyState === OPEN ? (opened_ms ?? 0) : NEVER)];
  });
}

export function close_each(state, tag, indexes, code, reason) {
  const sockets = listed(state, tag);
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

export function ask(stubs, header, calls, body, limit, then) {
  Promise.all(stubs.map((stub, i) => ask_one(stub, header, calls[i], body, limit))).then(then);
}
"#)]
extern "C" {
    /// The id of the object.
    pub(crate) fn id(state: &JsValue) -> String;

    /// Promises the answer to a request: reads its body, if it has one, and calls `answer` with the header, the body
    /// (`undefined` if it ends too soon) and the function that takes the answer.
    pub(crate) fn serve(request: &Request, header: &str, answer: &JsValue) -> Promise;

    /// A random UUID.
    pub(crate) fn random() -> String;

    /// Drops a frame of a socket that was told to go. A client that sends without pause keeps the runtime so busy that it
    /// looks for nothing else for half a second at a time; so at every 32nd such frame the object holds still for two
    /// milliseconds.
    pub(crate) fn drop_frame(state: &JsValue);

    /// From now on the runtime itself answers `ping` with `pong`.
    #[wasm_bindgen(catch)]
    pub(crate) fn answer_pings(state: &JsValue, ping: &str, pong: &str) -> Result<(), JsValue>;

    /// Calls `then` with the stored texts, or `undefined`, in the order of `keys`; without them when they cannot be read.
    pub(crate) fn load(state: &JsValue, keys: Vec<String>, then: &JsValue);

    /// Stores a text. Frames and answers do not wait for it.
    pub(crate) fn save(state: &JsValue, key: &str, text: &str);

    /// Stores a text and calls `then` with whether it could be stored. Answers wait until it is durable.
    pub(crate) fn store(state: &JsValue, key: &str, text: &str, then: &JsValue);

    /// Deletes all that is stored.
    pub(crate) fn forget(state: &JsValue);

    /// Calls `then` after so many milliseconds, during which the object does not hibernate.
    pub(crate) fn after(milliseconds: f64, then: &JsValue);

    /// Open sockets: all, or those with a tag; `except` is not counted.
    pub(crate) fn count(state: &JsValue, tag: Option<&str>, except: &JsValue) -> u32;

    /// Opens a socket and sends its first frames; `None` when the runtime takes no more.
    pub(crate) fn accept(
        state: &JsValue,
        tags: Vec<String>,
        attachment: &str,
        frames: Vec<String>,
    ) -> Option<Response>;

    /// Sends frames to those of the sockets that are open, beginning with number `start`: how many got them, how many
    /// failed.
    pub(crate) fn broadcast(sockets: &Array, frames: Vec<String>, start: u32) -> Vec<u32>;

    /// All sockets, for [`broadcast`].
    #[wasm_bindgen(js_name = listed)]
    pub(crate) fn sockets(state: &JsValue) -> Array;

    /// The life of the root in which the oldest socket was opened: the runtime lists the newest first.
    pub(crate) fn oldest(state: &JsValue) -> Option<f64>;

    /// What the newest open socket remembers.
    pub(crate) fn newest(state: &JsValue) -> Option<String>;

    /// Attaches a place in the stream to the newest open of the sockets.
    pub(crate) fn mark(sockets: &Array, epoch: &str, sent: f64);

    /// When each socket, of all or of those with a tag, was opened and has last sent a ping (0 for never), in unix
    /// milliseconds, in turn. One that is closing was opened never.
    pub(crate) fn seen(state: &JsValue, tag: Option<&str>) -> Vec<f64>;

    /// The id of each socket, and when it was opened, in turn. One that is closing was opened never.
    pub(crate) fn names(state: &JsValue) -> Vec<String>;

    /// Closes the sockets with these indexes, of all or of those with a tag.
    pub(crate) fn close_each(
        state: &JsValue,
        tag: Option<&str>,
        indexes: Vec<u32>,
        code: u16,
        reason: &str,
    );

    /// What [`attach`] or [`accept`] attached.
    pub(crate) fn attachment(socket: &WebSocket) -> Option<String>;

    pub(crate) fn attach(socket: &WebSocket, attachment: &str);

    /// Sends to one socket, if it still takes it.
    pub(crate) fn send(socket: &WebSocket, text: &str);

    /// Closes a socket, or answers its close; codes that may not be sent are left out.
    pub(crate) fn close(socket: &WebSocket, code: u16, reason: &str);

    /// Asks several objects at once, each its own call with the same body. Calls `then` with the text of each answer, or
    /// `null` for one that failed or took longer than `limit` milliseconds. Such a call is given up: one in flight keeps the
    /// asking object from hibernating.
    pub(crate) fn ask(
        stubs: Vec<JsValue>,
        header: &str,
        calls: Vec<String>,
        body: Option<&str>,
        limit: f64,
        then: &JsValue,
    );
}
