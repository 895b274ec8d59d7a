//! Writes a root's record: after sending, and seldom.

use crate::{
    js,
    object::{Object, ROOM_KEY, SHARDS_KEY, now_ms},
};
use edge_broadcast_protocol::{counters::Billed, room::Standing, save::Save};
use std::{rc::Rc, time::Duration};
use worker::{Delay, wasm_bindgen_futures::spawn_local};

/// The room has changed.
pub(crate) fn changed(object: &Rc<Object>) {
    let now_ms_ = now_ms();
    let save = object.memory().saver.changed(now_ms_);
    match save {
        Save::Exact => write(object, Standing::Exact),
        Save::Nothing => {}
        Save::Behind { timer_ms } => {
            write(object, Standing::Behind);
            let object = object.clone();
            spawn_local(async move {
                Delay::from(Duration::from_millis(timer_ms)).await;
                let now_ms = now_ms();
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

/// The set of shards has changed.
pub(crate) fn registry(object: &Object) {
    let mut memory = object.memory();
    memory.room.counters.month.count(Billed::Row, now_ms());
    let text = serde_json::to_string(&memory.registry).unwrap_or_default();
    js::save(object.state.as_raw(), SHARDS_KEY, &text);
}

fn write(object: &Object, standing: Standing) {
    let mut memory = object.memory();
    memory.room.counters.month.count(Billed::Row, now_ms());
    let record = memory.room.record(standing);
    js::save(object.state.as_raw(), ROOM_KEY, &record);
}
