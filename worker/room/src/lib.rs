//! The Worker that defines the Durable Object [`BroadcastRoom`]. A new version restarts every room, so whatever can change
//! without one is in the gateway.
//!
//! Absent on purpose: decisions. They are the state machine `edge_broadcast_protocol::room::object::Object`; this crate tells
//! it what happens and carries out what it answers.

mod js;
mod object;
mod sockets;

use edge_broadcast_protocol::contract::call::{self, Call};
use edge_broadcast_protocol::contract::refusal;
use edge_broadcast_protocol::room::event::Event;
use edge_broadcast_shell::{self as shell, reply};
use object::Shell;
use std::rc::Rc;
use worker::worker_sys::web_sys;
use worker::{
    Context, DurableObject, Env, Error, Request, Response, Result, State, WebSocket,
    WebSocketIncomingMessage, durable_object, event, wasm_bindgen,
};

/// One object: the root of a room, a shard of one, or the counter of secret uses. Which it is, each call says.
#[durable_object(websocket)]
pub struct BroadcastRoom {
    shell: Rc<Shell>,
}

impl DurableObject for BroadcastRoom {
    fn new(state: State, env: Env) -> Self {
        Self {
            shell: Rc::new(Shell::new(state, env)),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let header = request.headers().get(call::HEADER).ok().flatten();
        let Some(call) = header.as_deref().and_then(Call::decode) else {
            return Ok(reply::refusal(&refusal::UNKNOWN_CALL).into());
        };
        if !self.shell.has_settings {
            return Ok(reply::refusal(&refusal::ROOM_MISCONFIGURED).into());
        }
        let body = if call.has_body() {
            match shell::text(request.inner().text()).await {
                Some(body) => body,
                None => return Ok(reply::refusal(&refusal::INCOMPLETE_BODY).into()),
            }
        } else {
            String::new()
        };
        Ok(self.shell.serve(call, body).await.into())
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> Result<()> {
        // The runtime goes on reading what a client sends that was told to go. That is the cheapest place to drop it.
        if socket.as_ref().ready_state() != web_sys::WebSocket::OPEN {
            return Ok(());
        }
        let peer = sockets::peer(socket.as_ref());
        let (text, bytes) = match message {
            WebSocketIncomingMessage::String(text) => {
                let bytes = text.len();
                (Some(text), bytes)
            }
            WebSocketIncomingMessage::Binary(bytes) => (None, bytes.len()),
        };
        let event = Event::Message { peer, text, bytes };
        self.shell.on(event, Some(socket.as_ref()));
        Ok(())
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        code: usize,
        reason: String,
        _clean: bool,
    ) -> Result<()> {
        let code = u16::try_from(code).unwrap_or_default();
        js::close(socket.as_ref(), code, &reason);
        self.closed(&socket, code);
        Ok(())
    }

    async fn websocket_error(&self, socket: WebSocket, _error: Error) -> Result<()> {
        self.closed(&socket, 1006);
        Ok(())
    }
}

impl BroadcastRoom {
    fn closed(&self, socket: &WebSocket, code: u16) {
        let peer = sockets::peer(socket.as_ref());
        self.shell
            .on(Event::Closed { peer, code }, Some(socket.as_ref()));
    }
}

/// Rooms are reached through the gateway's binding only.
#[event(fetch)]
async fn fetch(
    _request: web_sys::Request,
    _env: Env,
    _context: Context,
) -> Result<web_sys::Response> {
    Ok(reply::refusal(&refusal::NOT_FOUND))
}
