//! `tails`: opened and closed by calls, read through a socket of the protocol `trace-v1`.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::{SinkExt, StreamExt};
use http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::call::Call;
use super::context::{Context, Shared};
use crate::account::error::{ApiError, invalid, missing};
use crate::api::envelope::{Answer, result};
use crate::runtime::tail::{Tails, Wanted, shown};
use crate::runtime::trace::Batch;
use crate::runtime::trace_filter::Filter;

/// Where the sockets are: outside the API, since their readers send no token. The id in the path is what opens one.
pub(super) const SOCKETS: &str = "/tails";
/// The subprotocol.
const PROTOCOL: &str = "trace-v1";

/// Where the runtime posts its trace events: `enough` tells it that nobody tails.
pub(crate) fn sink(tails: Tails) -> Router {
    let receive = |State(tails): State<Tails>, body: Bytes| async move {
        let Ok(batch) = serde_json::from_slice::<Batch>(&body) else {
            return "";
        };
        match tails.deliver(&batch, SystemTime::now()) {
            true => "more",
            false => "enough",
        }
    };
    Router::new()
        .route("/traces", post(receive))
        .with_state(tails)
}

/// The sockets' route, which needs no token.
pub(super) fn sockets() -> Router<Arc<Context>> {
    Router::new().route(&format!("{SOCKETS}/{{tail}}"), get(connect))
}

#[derive(Default, Deserialize)]
struct Given {
    #[serde(default)]
    filters: Vec<Filter>,
}

/// `POST …/tails`. When it answers, the runtime hands over what happens from now on.
pub(super) async fn create(call: Call, body: Bytes) -> Answer {
    call.script(&call.state())?;
    let given: Given = match body.is_empty() {
        true => Given::default(),
        false => serde_json::from_slice(&body)
            .map_err(|error| invalid(10026, format!("no such tail: {error}")))?,
    };
    let wanted = Wanted {
        account: call.account,
        script: call.script,
        filters: given.filters,
        own: call.context.address.ip(),
    };
    let opened = call.context.tails.open(wanted, SystemTime::now());
    call.context.engine.wake_tails().await;
    result(shown(&opened, &address(&call.context)))
}

/// `GET …/tails`: Cloudflare's SDKs read one tail, not a list; it is the newest.
pub(super) async fn newest(call: Call) -> Answer {
    call.script(&call.state())?;
    let (tails, now) = (&call.context.tails, SystemTime::now());
    let newest = tails.newest(&call.account, &call.script, now);
    let newest = newest.map(|tail| shown(&tail, &address(&call.context)));
    result(newest.unwrap_or_default())
}

pub(super) async fn delete(call: Call) -> Answer {
    let tails = &call.context.tails;
    match tails.close(&call.account, &call.script, &call.item) {
        true => result(Value::Null),
        false => Err(no_tail(&call.item)),
    }
}

/// The code is the generic "not found" of these endpoints.
fn no_tail(id: &str) -> ApiError {
    let message = format!("there is no tail `{id}`; it was closed, or never opened");
    missing(10092, message)
}

fn address(context: &Context) -> String {
    format!("ws://{}{SOCKETS}", context.address)
}

async fn connect(
    State(context): Shared,
    Path(id): Path<String>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let response = handshake(&request)?;
    let messages = context.tails.attach(&id).ok_or_else(|| no_tail(&id))?;
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            // wrangler sends frames without a mask
            let config = WebSocketConfig::default().accept_unmasked_frames(true);
            let io = TokioIo::new(upgraded);
            let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
            write(socket, messages).await;
        }
    });
    Ok(response)
}

/// The answer that opens the socket, when it is a WebSocket of the right protocol that is asked for.
fn handshake(request: &Request) -> Result<Response, ApiError> {
    let protocols = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
    let known = protocols
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|protocol| protocol.trim() == PROTOCOL);
    match create_response_with_body(request, Body::empty) {
        Ok(mut response) if known => {
            let protocol = HeaderValue::from_static(PROTOCOL);
            response
                .headers_mut()
                .insert(SEC_WEBSOCKET_PROTOCOL, protocol);
            Ok(response)
        }
        _ => Err(invalid(
            10026,
            format!("a tail is read through a WebSocket with the subprotocol `{PROTOCOL}`"),
        )),
    }
}

/// Messages out; what comes in (`{"debug":false}`, pings) is read so that it is answered. Ends with the reader or the tail.
async fn write<S>(mut socket: WebSocketStream<S>, mut messages: mpsc::Receiver<String>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        tokio::select! {
            message = messages.recv() => {
                let Some(message) = message else {
                    let frame = CloseFrame { code: CloseCode::Normal, reason: "the tail was closed".into() };
                    let _ = socket.close(Some(frame)).await;
                    return;
                };
                if socket.send(Message::text(message)).await.is_err() {
                    return;
                }
            }
            // Reading is what answers a ping
            received = socket.next() => {
                let Some(Ok(_)) = received else { return };
            }
        }
    }
}
