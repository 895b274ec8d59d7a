//! Writes an object's record: after sending, and seldom.

use crate::js;
use crate::object::{Object, ROOM_KEY, SHARDS_KEY};
use edge_broadcast_protocol::contract::call::Part;
use edge_broadcast_protocol::contract::counters::{self, Billed};
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use edge_broadcast_protocol::contract::save::Save;
use edge_broadcast_protocol::room::root::Standing;
use edge_broadcast_shell::unix_ms;
use std::rc::Rc;
use std::time::Duration;
use worker::Delay;
use worker::wasm_bindgen_futures::{JsFuture, spawn_local};

/// The room has changed.
pub(crate) fn changed(object: &Rc<Object>) {
    let save = object.memory().saver.changed(unix_ms());
    match save {
        Save::Exact => write(object, Standing::Exact),
        Save::Nothing => {}
        Save::Behind { timer_ms } => {
            write(object, Standing::Behind);
            let object = object.clone();
            spawn_local(async move {
                Delay::from(Duration::from_millis(timer_ms)).await;
                let now_ms = unix_ms();
                {
                    let mut memory = object.memory();
                    memory.saver.saved(now_ms);
                    memory
                        .room
                        .counters
                        .month
                        .count(Billed::Active(timer_ms), now_ms);
                }
                write(&object, Standing::Exact);
            });
        }
    }
}

/// An event has done what it does: its counts are written when the last write was a minute ago.
pub(crate) fn counters(object: &Rc<Object>, part: Part) {
    let is_due = |object: &Object| {
        let memory = object.memory();
        !memory.saver.pending && unix_ms() >= memory.room.saved_ms + counters::INTERVAL_MS
    };
    if !is_due(object) {
        return;
    }
    let object = object.clone();
    spawn_local(async move {
        // What is read may say that it is not due after all.
        if object.load(part).await.is_ok() && is_due(&object) {
            write(&object, Standing::Exact);
        }
    });
}

/// A shard is gone. Should this be lost, the shard says so again at the next push.
pub(crate) fn registry(object: &Object) {
    js::save(object.state.as_raw(), SHARDS_KEY, &shards(object));
}

/// A shard is new. It may get a socket only when this is certain to survive the root: without it, no push would ever
/// reach it. The runtime holds the answer back until the write is durable.
///
/// # Errors
/// 503 when it cannot be written.
pub(crate) async fn registry_durably(object: &Object) -> Result<(), Refusal> {
    let stored = js::store(object.state.as_raw(), SHARDS_KEY, &shards(object));
    let stored = JsFuture::from(stored).await;
    stored.map(|_| ()).map_err(|_| refusal::ROOM_UNAVAILABLE)
}

fn shards(object: &Object) -> String {
    let mut memory = object.memory();
    memory.room.counters.month.count(Billed::Row, unix_ms());
    serde_json::to_string(&memory.registry).unwrap_or_default()
}

fn write(object: &Object, standing: Standing) {
    object.confirm_record();
    let (mut memory, now_ms) = (object.memory(), unix_ms());
    memory.room.counters.month.count(Billed::Row, now_ms);
    let record = memory.room.record(standing, now_ms);
    js::save(object.state.as_raw(), ROOM_KEY, &record);
}
