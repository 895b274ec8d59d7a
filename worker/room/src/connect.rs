//! Opens a socket, or says why not.

use crate::object::Object;
use crate::{js, shard};
use edge_broadcast_protocol::contract::call::{Connect, NEXT, Part};
use edge_broadcast_protocol::contract::metric::Event;
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use edge_broadcast_protocol::room::greeting::greeting;
use edge_broadcast_protocol::room::peer::{self, Peer};
use edge_broadcast_shell::{env, reply, unix_ms};
use std::rc::Rc;
use worker::wasm_bindgen::JsValue;
use worker::worker_sys::web_sys::Response;

pub(crate) async fn connect(object: &Rc<Object>, call: Connect) -> Result<Response, Refusal> {
    // Before it joins: the root would register a shard that has no socket for this client, and push to it for nothing.
    if is_full(object) {
        return full(object, &call);
    }
    if call.place.is_root() {
        object.load(Part::Root).await?;
    } else {
        object.memory().connecting += 1;
        let joined = shard::ensure_joined(object, &call).await;
        object.memory().connecting -= 1;
        match joined {
            // The room takes no further object, but one that it has may have a place.
            Err(refusal) if refusal == refusal::ROOM_FULL => return full(object, &call),
            joined => joined?,
        }
    }
    // From here to the end nothing waits: the limits are exact, and the socket misses no update and gets none twice.
    if is_full(object) {
        return full(object, &call);
    }
    // The tag tells nothing about the address: nobody outside knows an object's id.
    let salt = object.state.id().to_string();
    let tag = call.address.as_deref().map(|group| peer::tag(&salt, group));
    if let Some(tag) = &tag
        && call.per_address > 0
        && js::count(object.state.as_raw(), Some(tag), &JsValue::UNDEFINED) >= call.per_address
    {
        object.memory().room.counters.refused_connects += 1;
        return Err(refusal::TOO_MANY_CONNECTIONS);
    }
    match open(object, &call, tag) {
        Some(response) => Ok(response),
        None => full(object, &call),
    }
}

/// This object has no place left; the next one may.
fn full(object: &Object, call: &Connect) -> Result<Response, Refusal> {
    object.memory().room.counters.refused_connects += 1;
    let next = call.place.index + 1;
    if next >= object.settings.max_shards {
        return Err(refusal::ROOM_FULL);
    }
    let [kind, cache] = reply::JSON;
    Ok(reply::response(
        refusal::ROOM_FULL.status,
        Some(&refusal::ROOM_FULL.body()),
        &[kind, cache, (NEXT, &next.to_string())],
    ))
}

/// `None` when the runtime takes no more sockets.
fn open(object: &Rc<Object>, call: &Connect, tag: Option<String>) -> Option<Response> {
    let peer = Peer {
        id: js::random(),
        token: call.place.token.clone(),
        name: call.place.name(),
        region: call.place.region.clone(),
        max_message_bytes: call.max_message_bytes,
        opened_ms: unix_ms(),
        pinged_ms: None,
    };
    let (frames, sockets) = {
        let mut memory = object.memory();
        let stream = &memory.room.stream;
        let welcome = stream.welcome(call.since, call.epoch.as_deref());
        let frames = greeting(&peer.id, &peer.token, stream, &welcome);
        memory.sockets.open();
        memory.room.counters.connects += 1;
        (frames, memory.sockets.estimate().unwrap_or_default())
    };
    let attachment = serde_json::to_string(&peer).unwrap_or_default();
    let tags = tag.into_iter().collect();
    let response = js::accept(object.state.as_raw(), tags, &attachment, frames);
    if response.is_none() {
        object.count(&JsValue::UNDEFINED);
        return None;
    }
    object.debug(|| format!("`{}` opened a socket, now {sockets}", peer.name));
    let region = &peer.region;
    env::measure(&object.env, &peer.token, Event::Connect { region, sockets });
    response
}

/// Whether no socket can be added. The upper bound is known without counting and is never too low; where it says full, the
/// sockets are counted before a client is turned away.
fn is_full(object: &Object) -> bool {
    let max = object.settings.max_connections;
    let most = object.memory().sockets.upper_bound();
    most.is_none_or(|most| most >= max) && object.count(&JsValue::UNDEFINED) >= max
}
