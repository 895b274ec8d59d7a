//! Sends updates to the room: to the shards that hold sockets, and to this object's own.

use crate::object::{self, Object};
use crate::{js, save};
use edge_broadcast_protocol::contract::call::Call;
use edge_broadcast_protocol::contract::close;
use edge_broadcast_protocol::contract::counters::Billed;
use edge_broadcast_protocol::contract::metric::Event;
use edge_broadcast_protocol::room::headcount::Moment;
use edge_broadcast_protocol::room::peer::Seen;
use edge_broadcast_protocol::room::shard::{PUSH_AGAIN_MS, Pushed};
use edge_broadcast_protocol::room::stream::Push;
use edge_broadcast_protocol::room::update::{self, Update};
use edge_broadcast_protocol::room::{peer, turn};
use edge_broadcast_shell::{env, unix_ms};
use std::rc::Rc;
use std::time::Duration;
use worker::Delay;
use worker::js_sys::Array;
use worker::wasm_bindgen_futures::spawn_local;

/// The reach of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) sockets: u32,
    /// Objects that hold those sockets.
    pub(crate) shards: u32,
    pub(crate) failed_shards: u32,
}

/// The sockets of one moment. Whoever connects later is greeted with what is being sent.
pub(crate) struct Audience {
    sockets: Array,
    at: Moment,
}

/// Sends `updates` as one frame, in the root. `remember` is told what a repeat is to be answered: once the own sockets are
/// served, and again if the shards' answers are not what is known of them.
pub(crate) async fn deliver(
    object: &Rc<Object>,
    token: &str,
    updates: Vec<Update>,
    remember: Option<&dyn Fn(Delivery)>,
) -> Delivery {
    let started_ms = unix_ms();
    let audience = audience(object);
    let (push, calls, skipped) = record(object, updates);
    let frame = update::frame(&push.updates).unwrap_or_default();
    let has_shards = !calls.is_empty() || !skipped.is_empty();
    let body = if has_shards {
        serde_json::to_string(&push).unwrap_or_default()
    } else {
        String::new()
    };
    let answers = has_shards.then(|| object.ask(calls, Some(&body)));
    if answers.is_some() || object.memory().queued > 0 {
        // The calls leave when this turn of the event loop ends, and a full object's own sockets take it a second. What
        // comes after keeps its place behind this one.
        object.memory().queued += 1;
        Delay::from(Duration::ZERO).await;
        object.memory().queued -= 1;
    }
    let sockets = send(object, &audience, &frame, &push.updates).sockets;
    let mut delivery = Delivery {
        sockets,
        shards: u32::from(sockets > 0),
        failed_shards: 0,
    };
    let expected = with_shards(object, delivery);
    if let Some(remember) = remember {
        remember(expected);
    }
    save::changed(object);
    if let Some(answers) = answers {
        let failed = read(object, answers.await, skipped, &mut delivery);
        push_again(object, failed, push.previous);
        if let Some(remember) = remember
            && delivery != expected
        {
            remember(delivery);
            save::changed(object);
        }
    }
    account(object, token, delivery, &frame, started_ms);
    delivery
}

/// Takes `updates` into the stream: what the shards are pushed, the calls that do it, and the shards that are left out
/// because they have too many pushes unanswered.
fn record(object: &Object, updates: Vec<Update>) -> (Push, Vec<(String, Call)>, Vec<String>) {
    let mut memory = object.memory();
    let stream = &mut memory.room.stream;
    let push = Push {
        epoch: stream.epoch.clone(),
        previous: stream.sent,
        updates,
        again: false,
    };
    stream.record(&push.updates, object.settings.history);
    let (called, skipped) = memory.registry.push();
    (push, pushes(called), skipped)
}

/// Counts a delivery that took until now.
fn account(object: &Object, token: &str, delivery: Delivery, frame: &str, started_ms: u64) {
    let took_ms = unix_ms().saturating_sub(started_ms);
    let active = Billed::Active(took_ms);
    object
        .memory()
        .room
        .counters
        .month
        .count(active, started_ms);
    object.debug(|| {
        format!(
            "broadcast to {} sockets in {} objects, with {} active connections: {frame}",
            delivery.sockets,
            delivery.shards,
            estimate(object).sockets,
        )
    });
    let event = Event::Broadcast {
        sockets: delivery.sockets,
        bytes: frame.len(),
        took_ms,
    };
    env::measure(&object.env, token, event);
}

/// The reach that a delivery would have now, as far as the root knows without asking.
pub(crate) fn estimate(object: &Object) -> Delivery {
    let (sockets, failed_shards) = (object.sockets(), object.memory().failed_shards);
    let own = Delivery {
        sockets,
        shards: u32::from(sockets > 0),
        failed_shards,
    };
    with_shards(object, own)
}

/// The sockets that are there now.
pub(crate) fn audience(object: &Object) -> Audience {
    Audience {
        sockets: js::sockets(object.state.as_raw()),
        at: object.memory().sockets.now(),
    }
}

/// Sends `updates`, which make `frame`, to this object's own sockets.
pub(crate) fn send(
    object: &Object,
    audience: &Audience,
    frame: &str,
    updates: &[Update],
) -> Pushed {
    let seq = updates.last().map_or(0, |update| update.seq);
    let start = turn::start(seq, audience.sockets.length());
    let counts = js::broadcast(&audience.sockets, frame, start);
    let count = |index: usize| counts.get(index).copied().unwrap_or_default();
    let (sockets, failed) = (count(0), count(1));
    let mut memory = object.memory();
    memory.sockets.count(sockets, audience.at);
    memory.room.counters.deliveries += u64::from(sockets);
    memory.room.counters.failed_sends += u64::from(failed);
    drop(memory);
    sweep(object, &audience.sockets);
    Pushed {
        sockets,
        failed,
        left_ms: None,
    }
}

/// Sends what waits once the batch window ends.
pub(crate) fn send_after(object: &Rc<Object>, token: &str, wait_ms: u64) {
    let (object, token) = (object.clone(), token.to_owned());
    spawn_local(async move {
        // While this runs the object cannot hibernate; it runs only when something waits.
        Delay::from(Duration::from_millis(wait_ms)).await;
        let now_ms = unix_ms();
        let updates = {
            let mut memory = object.memory();
            let month = &mut memory.room.counters.month;
            month.count(Billed::Active(wait_ms), now_ms);
            memory.room.window.close(now_ms)
        };
        if !updates.is_empty() {
            deliver(&object, &token, updates, None).await;
        }
    });
}

/// Adds what shards answered to a push to `delivery`; returns the shards that failed or were `skipped`.
fn read(
    object: &Rc<Object>,
    answers: Vec<(String, Option<String>)>,
    skipped: Vec<String>,
    delivery: &mut Delivery,
) -> Vec<String> {
    let mut memory = object.memory();
    let (mut forgotten, mut failed) = (false, skipped);
    for (name, answer) in answers {
        memory.registry.answered(&name);
        let Some(pushed) = object::read::<Pushed>(answer) else {
            failed.push(name);
            continue;
        };
        delivery.sockets += pushed.sockets;
        delivery.shards += u32::from(pushed.sockets > 0);
        memory.registry.count(&name, pushed.sockets);
        if let Some(left_ms) = pushed.left_ms {
            forgotten |= memory.registry.leave(&name, left_ms);
        }
    }
    delivery.failed_shards = failed.len() as u32;
    memory.failed_shards = delivery.failed_shards;
    memory.room.counters.failed_shards += u64::from(delivery.failed_shards);
    drop(memory);
    if forgotten {
        save::registry(object);
    }
    failed
}

/// Pushes once more what shards may have missed after number `previous`: without it their clients, and those they greet,
/// would stay behind until the next update. Whoever has had it takes nothing twice.
fn push_again(object: &Rc<Object>, mut names: Vec<String>, previous: u64) {
    {
        let memory = &mut *object.memory();
        names.retain(|name| !memory.to_push_again.contains(name));
        memory.to_push_again.extend_from_slice(&names);
    }
    if names.is_empty() {
        return;
    }
    let object = object.clone();
    spawn_local(async move {
        Delay::from(Duration::from_millis(PUSH_AGAIN_MS)).await;
        let (push, calls) = {
            let mut memory = object.memory();
            memory.to_push_again.retain(|name| !names.contains(name));
            (memory.room.stream.since(previous), pushes(names))
        };
        let body = serde_json::to_string(&push).unwrap_or_default();
        for (name, answer) in object.ask(calls, Some(&body)).await {
            if let Some(pushed) = object::read::<Pushed>(answer) {
                object.memory().registry.count(&name, pushed.sockets);
            }
        }
    });
}

fn pushes(names: Vec<String>) -> Vec<(String, Call)> {
    names.into_iter().map(|name| (name, Call::Push)).collect()
}

/// `own` and what the shards hold, as of their last answers.
fn with_shards(object: &Object, own: Delivery) -> Delivery {
    let memory = object.memory();
    Delivery {
        sockets: own.sockets + memory.registry.sockets(),
        shards: own.shards + memory.registry.shards().len() as u32,
        ..own
    }
}

/// Closes sockets whose clients are gone without a word. Part of a broadcast, which touches every socket anyway.
fn sweep(object: &Object, sockets: &Array) {
    let (now_ms, timeout_ms) = (unix_ms(), object.settings.idle_timeout_ms);
    if !peer::sweep_due(object.memory().swept_ms, now_ms, timeout_ms) {
        return;
    }
    object.memory().swept_ms = Some(now_ms);
    let since = now_ms.saturating_sub(u64::from(timeout_ms)) as f64;
    let seen = js::seen(object.state.as_raw(), sockets, since);
    let seen: Vec<Seen> = seen
        .chunks_exact(2)
        .map(|times| Seen {
            opened_ms: times[0] as u64,
            pinged_ms: times[1].is_finite().then_some(times[1] as u64),
        })
        .collect();
    let dead = peer::swept(&seen, now_ms, timeout_ms);
    if dead.is_empty() {
        return;
    }
    object.memory().room.counters.swept += dead.len() as u64;
    js::close_each(sockets, dead, close::IDLE.code, close::IDLE.reason);
}
