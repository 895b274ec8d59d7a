//! The Worker that defines the Durable Object [`BroadcastRoom`]. A new version restarts every room, so whatever can change
//! without one is in the gateway.
//!
//! Absent on purpose: decisions. They are pure functions in `edge_broadcast_protocol`; this crate carries them out.

mod connect;
mod deliver;
mod inspect;
mod js;
mod memory;
mod object;
mod publish;
mod save;
mod shard;
mod snapshot;
mod socket;
mod uses;

use edge_broadcast_protocol::contract::call::{self, Call};
use edge_broadcast_protocol::contract::counters::Billed;
use edge_broadcast_protocol::contract::metric::Event;
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use edge_broadcast_shell::{self as shell, env, reply};
use object::Object;
use std::rc::Rc;
use worker::worker_sys::web_sys;
use worker::{
    Context, DurableObject, Env, Error, Request, Response, Result, State, WebSocket,
    WebSocketIncomingMessage, durable_object, event, wasm_bindgen,
};

/// One object: the root of a room, a shard of one, or the counter of secret uses. Which it is, each call says.
#[durable_object(websocket)]
pub struct BroadcastRoom {
    object: Rc<Object>,
}

impl DurableObject for BroadcastRoom {
    fn new(state: State, env: Env) -> Self {
        Self {
            object: Rc::new(Object::new(state, env)),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let answer = serve(&self.object, &request).await;
        Ok(answer
            .unwrap_or_else(|refusal| {
                let code = refusal.code;
                env::measure(&self.object.env, "", Event::Refusal { code });
                reply::refusal(&refusal)
            })
            .into())
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> Result<()> {
        self.object.begin("message", Billed::Message);
        socket::message(&self.object, socket.as_ref(), &message);
        Ok(())
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        code: usize,
        reason: String,
        _clean: bool,
    ) -> Result<()> {
        self.object.begin("close", Billed::Message);
        let code = u16::try_from(code).unwrap_or_default();
        js::close(socket.as_ref(), code, &reason);
        socket::closed(&self.object, socket.as_ref(), code).await;
        Ok(())
    }

    async fn websocket_error(&self, socket: WebSocket, _error: Error) -> Result<()> {
        self.object.begin("error", Billed::Message);
        socket::closed(&self.object, socket.as_ref(), 1006).await;
        Ok(())
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

async fn serve(
    object: &Rc<Object>,
    request: &Request,
) -> std::result::Result<web_sys::Response, Refusal> {
    let header = request.headers().get(call::HEADER).ok().flatten();
    let call = header
        .as_deref()
        .and_then(Call::decode)
        .ok_or(refusal::UNKNOWN_CALL)?;
    object.begin(call.name(), Billed::Request);
    if !object.has_settings {
        return Err(refusal::ROOM_MISCONFIGURED);
    }
    let part = call.part();
    let answer = answer(object, request, call).await;
    if let Some(part) = part {
        save::counters(object, part);
    }
    answer
}

async fn answer(
    object: &Rc<Object>,
    request: &Request,
    call: Call,
) -> std::result::Result<web_sys::Response, Refusal> {
    match call {
        Call::Connect(call) => connect::connect(object, call).await,
        Call::Publish(call) => publish::publish(object, &call, &body(request).await?).await,
        Call::Snapshot {
            token,
            if_none_match,
        } => snapshot::snapshot(object, &token, if_none_match.as_deref()).await,
        Call::Inspect {
            token,
            name,
            region,
        } => inspect::inspect(object, &token, &name, region).await,
        Call::Health => Ok(inspect::health(object)),
        Call::Uses => uses::uses(object, &body(request).await?).await,
        Call::Join {
            name,
            region,
            clock_ms,
        } => shard::join(object, &name, &region, clock_ms).await,
        Call::Leave { name, clock_ms } => shard::leave(object, &name, clock_ms).await,
        Call::Push => shard::push(object, &body(request).await?),
    }
}

async fn body(request: &Request) -> std::result::Result<String, Refusal> {
    let text = shell::text(request.inner().text()).await;
    text.ok_or(refusal::INCOMPLETE_BODY)
}
