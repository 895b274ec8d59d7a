//! The Worker that defines the Durable Object [`BroadcastRoom`]. A new version restarts every room, so whatever can change
//! without one is in the gateway.
//!
//! Absent on purpose: decisions. They are the state machine `edge_broadcast_protocol::room::object::Object`; this crate tells
//! it what happens and carries out what it answers. The one exception is what a client sends that was told to go: `drop_frame`
//! of `js` drops it and decides when the object holds still, since to ask the machine about each would cost what this saves.

mod js;
mod object;
mod sockets;

use edge_broadcast_protocol::contract::{call, refusal};
use edge_broadcast_protocol::room::event::Event;
use edge_broadcast_shell::reply;
use object::Shell;
use std::rc::Rc;
use worker::js_sys::{Function, Promise, Uint8Array};
use worker::wasm_bindgen;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::closure::Closure;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::worker_sys::web_sys::{Request, Response, WebSocket};

/// One object: the root of a room, a shard of one, or the counter of secret uses. Which it is, each call says.
///
/// The methods are those that the runtime calls
/// (<https://developers.cloudflare.com/durable-objects/api/base/>). What `#[durable_object]` makes of a trait is the same
/// with a future for each event, which the room has no use for: it waits for nothing.
#[wasm_bindgen(wasm_bindgen = worker::wasm_bindgen)]
pub struct BroadcastRoom {
    shell: Rc<Shell>,
    /// Answers a call by its header and its body.
    answer: Closure<dyn Fn(String, Option<String>, Function)>,
}

#[wasm_bindgen(wasm_bindgen = worker::wasm_bindgen)]
impl BroadcastRoom {
    /// The object wakes up.
    #[wasm_bindgen(constructor)]
    pub fn new(state: JsValue, env: JsValue) -> Self {
        let shell = Rc::new(Shell::new(state, env));
        let object = Rc::clone(&shell);
        let answer = Closure::new(move |call: String, body, resolve| {
            object.answer(&call, body, resolve);
        });
        Self { shell, answer }
    }

    /// A call of the gateway or of another object.
    pub fn fetch(&self, request: &Request) -> Promise {
        js::serve(request, call::HEADER, self.answer.as_ref())
    }

    /// A client's frame.
    #[wasm_bindgen(js_name = webSocketMessage)]
    pub fn message(&self, socket: &WebSocket, message: &JsValue) {
        // The runtime goes on reading what a client sends that was told to go. This is the cheapest place to drop it.
        if socket.ready_state() != WebSocket::OPEN {
            return self.shell.drop_frame();
        }
        let text = message.as_string();
        let bytes = match &text {
            Some(text) => text.len(),
            None => Uint8Array::new(message).length() as usize,
        };
        let peer = sockets::peer(socket);
        let event = Event::Message { peer, text, bytes };
        self.shell.on(event, Some(socket));
    }

    /// The end of a socket.
    #[wasm_bindgen(js_name = webSocketClose)]
    pub fn closed(&self, socket: &WebSocket, code: u16, reason: &str) {
        js::close(socket, code, reason);
        self.lost(socket, code);
    }

    /// The end of a socket without a word.
    #[wasm_bindgen(js_name = webSocketError)]
    pub fn failed(&self, socket: &WebSocket) {
        self.lost(socket, 1006);
    }
}

impl BroadcastRoom {
    fn lost(&self, socket: &WebSocket, code: u16) {
        let peer = sockets::peer(socket);
        self.shell.on(Event::Closed { peer, code }, Some(socket));
    }
}

/// Rooms are reached through the gateway's binding only. What `#[event(fetch)]` would make of it is the same as a future.
#[wasm_bindgen(wasm_bindgen = worker::wasm_bindgen)]
pub fn fetch(_request: &Request) -> Response {
    reply::refusal(&refusal::NOT_FOUND)
}
