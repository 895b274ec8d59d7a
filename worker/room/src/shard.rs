//! Root and shards: how a shard comes, what it is pushed, and how it goes.

use crate::object::{self, Object};
use crate::{deliver, save};
use edge_broadcast_protocol::contract::call::{Call, Connect, Part};
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use edge_broadcast_protocol::room::shard::{Joined, Pushed};
use edge_broadcast_protocol::room::stream::Push;
use edge_broadcast_protocol::room::update;
use edge_broadcast_shell::{reply, unix_ms};
use std::rc::Rc;
use worker::wasm_bindgen::JsValue;
use worker::worker_sys::web_sys::Response;

/// In a shard: makes sure that the root knows it before it gets a socket.
///
/// # Errors
/// 503 when the root does not answer, or has as many shards as it may.
pub(crate) async fn ensure_joined(object: &Rc<Object>, connect: &Connect) -> Result<(), Refusal> {
    if object.memory().joined {
        return Ok(());
    }
    let place = &connect.place;
    // Whoever is first to speak to an object decides where it lives.
    object.stub(&place.token, connect.root_hint.as_deref());
    let call = Call::Join {
        name: place.name(),
        region: place.region.clone(),
        clock_ms: clock_ms(object),
    };
    let calls = vec![(place.token.clone(), call)];
    let answer = object.ask(calls, None).await.pop();
    let joined: Joined = answer
        .and_then(|(_, answer)| object::read(answer))
        .ok_or(refusal::ROOM_UNAVAILABLE)?;
    let stream = joined.stream.ok_or(refusal::ROOM_FULL)?;
    let mut memory = object.memory();
    memory.joined = true;
    memory.room.stream.adopt(stream);
    Ok(())
}

/// In a shard: tells the root that the last socket is gone.
pub(crate) async fn announce_leave(object: &Rc<Object>, token: &str, name: &str) {
    object.memory().joined = false;
    let call = Call::Leave {
        name: name.to_owned(),
        clock_ms: clock_ms(object),
    };
    // If it is lost, the root learns at its next push.
    object.ask(vec![(token.to_owned(), call)], None).await;
}

/// In the root: a shard is about to get its first socket.
pub(crate) async fn join(
    object: &Rc<Object>,
    name: &str,
    region: &str,
    clock_ms: u64,
) -> Result<Response, Refusal> {
    object.load(Part::Root).await?;
    let max_shards = object.settings.max_shards;
    let placed = object
        .memory()
        .registry
        .join(name, region, clock_ms, max_shards);
    let Ok(news) = placed else {
        return Ok(reply::json(&Joined { stream: None }));
    };
    if news && let Err(refusal) = save::registry_durably(object).await {
        object.memory().registry.leave(name, clock_ms);
        return Err(refusal);
    }
    object.debug(|| format!("shard `{name}` joined"));
    let mut stream = object.memory().room.stream.clone();
    // Numbers that wait for their window are the root's business.
    stream.assigned = stream.sent;
    Ok(reply::json(&Joined {
        stream: Some(stream),
    }))
}

/// In the root: a shard has lost its last socket.
pub(crate) async fn leave(
    object: &Rc<Object>,
    name: &str,
    clock_ms: u64,
) -> Result<Response, Refusal> {
    object.load(Part::Root).await?;
    let known = object.memory().registry.leave(name, clock_ms);
    if known {
        save::registry(object);
        object.debug(|| format!("shard `{name}` left"));
    }
    Ok(reply::json(&()))
}

/// In a shard: the root has updates.
pub(crate) fn push(object: &Rc<Object>, body: &str) -> Result<Response, Refusal> {
    let push: Push = serde_json::from_str(body).map_err(|_| refusal::INVALID_PUSH)?;
    let history = object.settings.history;
    let audience = deliver::audience(object);
    let news = object.memory().room.stream.receive(push, history);
    let mut pushed = match update::frame(&news) {
        Some(frame) => deliver::send(object, &audience, &frame, &news),
        None => Pushed {
            sockets: object.count(&JsValue::UNDEFINED),
            ..Pushed::default()
        },
    };
    if pushed.sockets == 0 && object.memory().connecting == 0 {
        // The root forgets this shard, so its next socket has to make it known again.
        object.memory().joined = false;
        pushed.left_ms = Some(clock_ms(object));
    }
    Ok(reply::json(&pushed))
}

/// This shard's clock, which never says the same twice: the root tells by it what came first.
fn clock_ms(object: &Object) -> u64 {
    let mut memory = object.memory();
    memory.clock_ms = unix_ms().max(memory.clock_ms + 1);
    memory.clock_ms
}
