//! What a socket does after it was opened.

use crate::object::Object;
use crate::{js, save, shard};
use edge_broadcast_protocol::contract::call::Part;
use edge_broadcast_protocol::contract::metric::Event;
use edge_broadcast_protocol::room::peer::{self, Peer, Reply};
use edge_broadcast_shell::{env, unix_ms};
use std::rc::Rc;
use worker::WebSocketIncomingMessage;
use worker::worker_sys::web_sys::WebSocket;

/// A frame that the runtime did not answer itself.
pub(crate) fn message(object: &Rc<Object>, socket: &WebSocket, message: &WebSocketIncomingMessage) {
    let peer = peer(socket);
    let max_bytes = peer
        .as_ref()
        .map_or(u32::MAX, |peer| peer.max_message_bytes);
    let part = peer.as_ref().map(Peer::part);
    let reply = match message {
        WebSocketIncomingMessage::String(text) => peer::reply(Some(text), text.len(), max_bytes),
        WebSocketIncomingMessage::Binary(bytes) => peer::reply(None, bytes.len(), max_bytes),
    };
    match reply {
        Reply::Ack(_) => {}
        Reply::Pong(pong) => {
            js::send(socket, pong);
            if let Some(peer) = peer {
                let peer = Peer {
                    pinged_ms: Some(unix_ms()),
                    ..peer
                };
                js::attach(socket, &serde_json::to_string(&peer).unwrap_or_default());
            }
        }
        Reply::Close(close) => {
            object.debug(|| format!("closed a socket: {}", close.reason));
            js::close(socket, close.code, close.reason);
        }
    }
    if let Some(part) = part {
        save::counters(object, part);
    }
}

/// A socket is gone.
pub(crate) async fn closed(object: &Rc<Object>, socket: &WebSocket, code: u16) {
    let estimate = {
        let mut memory = object.memory();
        memory.sockets.close();
        memory.room.counters.disconnects += 1;
        memory.sockets.estimate()
    };
    let Some(peer) = peer(socket) else {
        return;
    };
    // Where few are left, counting is cheap. With many, the last one is not gone yet.
    let sockets = estimate
        .filter(|estimate| *estimate > 8)
        .unwrap_or_else(|| object.count(socket));
    object.debug(|| format!("`{}` lost a socket, now {sockets}", peer.name));
    let event = Event::Disconnect {
        code: &code.to_string(),
        region: &peer.region,
        sockets,
    };
    env::measure(&object.env, &peer.token, event);
    let part = peer.part();
    save::counters(object, part);
    if part == Part::Shard && sockets == 0 && object.memory().connecting == 0 {
        shard::announce_leave(object, &peer.token, &peer.name).await;
    }
}

fn peer(socket: &WebSocket) -> Option<Peer> {
    serde_json::from_str(&js::attachment(socket)?).ok()
}
