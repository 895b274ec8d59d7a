//! The object's sockets, as its state machine asks about them.

use crate::js;
use edge_broadcast_protocol::room::event::Sockets;
use edge_broadcast_protocol::room::peer::{Peer, Seen};
use worker::wasm_bindgen::JsValue;
use worker::worker_sys::web_sys::WebSocket;

/// The sockets at the moment of one event.
pub(crate) struct View<'event> {
    pub(crate) state: &'event JsValue,
    /// The socket whose end is told.
    pub(crate) gone: Option<&'event WebSocket>,
}

impl Sockets for View<'_> {
    fn count(&self, tag: Option<&str>) -> u32 {
        let nobody = JsValue::UNDEFINED;
        let gone = self.gone.map_or(&nobody, AsRef::as_ref);
        js::count(self.state, tag, gone)
    }

    fn seen(&self, tag: Option<&str>) -> Vec<Seen> {
        js::seen(self.state, tag)
            .chunks_exact(2)
            .map(|times| Seen {
                opened_ms: times[0] as u64,
                pinged_ms: (times[1] > 0.0).then_some(times[1] as u64),
            })
            .collect()
    }

    fn oldest(&self) -> Option<u64> {
        js::oldest(self.state).map(|life| life as u64)
    }

    fn newest(&self) -> Option<Peer> {
        read(js::newest(self.state))
    }

    fn names(&self) -> Vec<(String, u64)> {
        let names = js::names(self.state);
        let pairs = names.chunks_exact(2);
        pairs
            .map(|pair| (pair[0].clone(), pair[1].parse().unwrap_or_default()))
            .collect()
    }
}

/// What a socket remembers.
pub(crate) fn peer(socket: &WebSocket) -> Option<Peer> {
    read(js::attachment(socket))
}

fn read(attachment: Option<String>) -> Option<Peer> {
    serde_json::from_str(&attachment?).ok()
}
