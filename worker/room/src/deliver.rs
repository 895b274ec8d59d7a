//! Sends updates to the room: to this object's own sockets, then to the shards that hold others.

use crate::{
    js,
    object::{Object, now_ms},
    save,
};
use edge_broadcast_protocol::{
    call::{Call, Pushed},
    counters::Billed,
    metric::{Event, Point},
    peer,
    stream::Push,
    update::{self, Update},
};
use std::{rc::Rc, time::Duration};
use worker::{Delay, wasm_bindgen_futures::spawn_local};

/// Who got a frame.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) sockets: u32,
    /// Objects that hold those sockets.
    pub(crate) shards: u32,
    pub(crate) failed_shards: u32,
}

/// Sends `updates` as one frame, in the root.
pub(crate) async fn deliver(object: &Rc<Object>, token: &str, updates: Vec<Update>) -> Delivery {
    let started_ms = now_ms();
    let (push, names) = {
        let mut memory = object.memory();
        let stream = &mut memory.room.stream;
        let push = Push {
            epoch: stream.epoch.clone(),
            previous: stream.sent,
            updates,
        };
        stream.record(&push.updates, object.settings().history);
        (push, memory.registry.names())
    };
    let (pushed, bytes) = send(object, &push.updates);
    save::changed(object);
    let mut delivery = Delivery {
        sockets: pushed.sockets,
        shards: u32::from(pushed.sockets > 0),
        failed_shards: 0,
    };
    if !names.is_empty() {
        push_to(object, &names, &push, &mut delivery).await;
    }
    let took_ms = now_ms().saturating_sub(started_ms);
    object
        .memory()
        .room
        .counters
        .month
        .count(Billed::Active(took_ms), started_ms);
    object.debug(|| {
        format!(
            "broadcast to {} sockets in {} objects",
            delivery.sockets, delivery.shards
        )
    });
    object.measure(
        &Point::new(token, Event::Broadcast, "")
            .count(delivery.sockets)
            .bytes(bytes)
            .took(took_ms),
    );
    delivery
}

/// Sends `updates` as one frame to this object's own sockets; also how many bytes the frame has.
pub(crate) fn send(object: &Rc<Object>, updates: &[Update]) -> (Pushed, usize) {
    let Some(frame) = update::frame(updates) else {
        return (Pushed::default(), 0);
    };
    let turn = {
        let mut memory = object.memory();
        // A step that has no common divisor with most numbers of sockets.
        memory.turn = memory.turn.wrapping_add(7919);
        memory.turn
    };
    let counts = js::broadcast(object.state.as_raw(), &frame, turn);
    let count = |index: usize| counts.get(index).copied().unwrap_or_default();
    let (sockets, failed) = (count(0), count(1));
    let mut memory = object.memory();
    memory.sockets = sockets;
    memory.room.counters.deliveries += u64::from(sockets);
    memory.room.counters.failed_sends += u64::from(failed);
    drop(memory);
    sweep(object);
    let stays = sockets > 0 || object.memory().arriving > 0;
    let pushed = Pushed {
        sockets,
        failed,
        stays,
    };
    (pushed, frame.len())
}

/// Sends what waits once the batch window ends.
pub(crate) fn send_after(object: &Rc<Object>, token: &str, wait_ms: u64) {
    let (object, token) = (object.clone(), token.to_owned());
    spawn_local(async move {
        // While this runs the object cannot hibernate; it runs only when something waits.
        Delay::from(Duration::from_millis(wait_ms)).await;
        let now_ms = now_ms();
        let updates = {
            let mut memory = object.memory();
            let month = &mut memory.room.counters.month;
            month.count(Billed::Active(wait_ms), now_ms);
            memory.room.window.close(now_ms)
        };
        if !updates.is_empty() {
            deliver(&object, &token, updates).await;
        }
    });
}

async fn push_to(object: &Rc<Object>, names: &[String], push: &Push, delivery: &mut Delivery) {
    let body = serde_json::to_string(push).unwrap_or_default();
    let calls: Vec<(String, Call)> = names
        .iter()
        .map(|name| (name.clone(), Call::Push))
        .collect();
    let joins = object.memory().registry.joins();
    let answers = object.ask(&calls, Some(&body)).await;
    let mut left = Vec::new();
    for (name, answer) in names.iter().zip(answers) {
        let Some(pushed) = answer.and_then(|text| serde_json::from_str::<Pushed>(&text).ok())
        else {
            delivery.failed_shards += 1;
            continue;
        };
        delivery.sockets += pushed.sockets;
        delivery.shards += u32::from(pushed.sockets > 0);
        object.memory().registry.count(name, pushed.sockets);
        if !pushed.stays {
            left.push(name);
        }
    }
    let mut memory = object.memory();
    memory.room.counters.failed_shards += u64::from(delivery.failed_shards);
    let mut forgotten = false;
    for name in left {
        forgotten |= memory.registry.forget(name, joins);
    }
    drop(memory);
    if forgotten {
        save::registry(object);
    }
}

/// Closes sockets whose clients are gone without a word. Part of a broadcast, which touches every socket anyway.
fn sweep(object: &Object) {
    let (now_ms, timeout_ms) = (now_ms(), object.settings().idle_timeout_ms);
    if !peer::sweep_due(object.memory().swept_ms, now_ms, timeout_ms) {
        return;
    }
    object.memory().swept_ms = Some(now_ms);
    let sockets = js::sockets(object.state.as_raw());
    let since = now_ms.saturating_sub(u64::from(timeout_ms)) as f64;
    let seen = js::seen(object.state.as_raw(), &sockets, since);
    let dead = peer::dead(&seen, now_ms, timeout_ms);
    if dead.is_empty() {
        return;
    }
    object.memory().room.counters.swept += dead.len() as u64;
    js::close_each(&sockets, dead, peer::IDLE.code, peer::IDLE.reason);
}
