//! What an object writes: after sending, and seldom.

use super::effect::{Effect, Row};
use super::event::{Incoming, Outcome, Timer};
use super::object::{Record, Step, Storing, Waiting};
use super::root::Standing;
use crate::contract::call::Part;
use crate::contract::counters::{self, Billed};
use crate::contract::refusal;
use crate::contract::save::Save;
use crate::contract::token;

/// The room has changed.
pub(crate) fn changed(step: &mut Step<'_>) {
    match step.object.saver.changed(step.now_ms) {
        Save::Exact => write(step, Standing::Exact),
        Save::Nothing => {}
        Save::Behind { timer_ms } => {
            write(step, Standing::Behind);
            step.timer(Timer::Save, timer_ms);
        }
    }
}

/// The timer of [`changed`] has run out.
pub(crate) fn save(step: &mut Step<'_>) {
    step.object.saver.saved(step.now_ms);
    write(step, Standing::Exact);
}

/// An event has done what it does: its counts are written when the last write was a minute ago. Where nothing was read yet, only the
/// rows say when that was.
pub(crate) fn counters(step: &mut Step<'_>, part: Part) {
    let object = &*step.object;
    let due_ms = object.room.saved_ms + counters::INTERVAL_MS;
    // Frames come first: what is being delivered is written when it has left.
    let delivers = !object.sendings.is_empty();
    if delivers || object.saver.pending || step.now_ms < due_ms {
        return;
    }
    if is_read(step, part) {
        write(step, Standing::Exact);
    }
}

/// Whether the root may give out a number. Where it has skipped some since it died, only once that is stored for certain:
/// should it die again before, it would skip the same ones and give out the next a second time. `incoming` waits for that.
pub(crate) fn may_number(step: &mut Step<'_>, incoming: &Incoming) -> bool {
    if !step.object.room.unconfirmed || confirm_record(step) {
        return true;
    }
    step.object.record = Record::Reading(Part::Root, vec![incoming.clone()]);
    step.bill(Billed::Row);
    let text = step.object.room.record(Standing::Exact, step.now_ms);
    durably(step, Row::Room, text, Storing::Skip);
    false
}

/// The numbers that were skipped are stored, or they are not: then the next publish skips more. The calls that waited.
pub(crate) fn skipped(step: &mut Step<'_>, outcome: Outcome) -> Vec<Incoming> {
    let Record::Reading(_, waiting) = std::mem::take(&mut step.object.record) else {
        return Vec::new();
    };
    step.object.record = Record::Read;
    if outcome == Outcome::Done {
        return waiting;
    }
    step.object.room.unconfirmed = true;
    for incoming in waiting {
        step.refuse(incoming.request, refusal::ROOM_UNAVAILABLE);
    }
    Vec::new()
}

/// Whether the object's rows are in memory; if not, they are read. While storage is read the runtime delivers no other
/// event.
pub(crate) fn is_read(step: &mut Step<'_>, part: Part) -> bool {
    match &step.object.record {
        Record::Read => return true,
        Record::Reading(..) => {}
        Record::Unread => {
            step.object.record = Record::Reading(part, Vec::new());
            step.add(Effect::Load);
        }
    }
    false
}

/// The registry has changed. Should this be lost, the shard says so again at the next push.
pub(crate) fn registry(step: &mut Step<'_>) {
    if step.object.registry.shards().is_empty() && !stores(step) {
        // So that the object ceases to exist.
        step.add(Effect::Forget);
        return;
    }
    let text = shards(step);
    step.add(Effect::Store {
        row: Row::Shards,
        text,
        store: None,
    });
}

/// A shard is new. It may get a socket only when this is certain to survive the root: without it, no push would ever reach
/// it. `waiting` is answered when it is durable.
pub(crate) fn registry_durably(step: &mut Step<'_>, waiting: Waiting) {
    let text = shards(step);
    durably(step, Row::Shards, text, Storing::Registry(vec![waiting]));
}

/// Writes a row, and keeps what goes on once it is durable.
pub(crate) fn durably(step: &mut Step<'_>, row: Row, text: String, storing: Storing) {
    let store = step.object.number();
    step.object.stores.insert(store, storing);
    let store = Some(store);
    step.add(Effect::Store { row, text, store });
}

fn shards(step: &mut Step<'_>) -> String {
    step.bill(Billed::Row);
    serde_json::to_string(&step.object.registry).unwrap_or_default()
}

/// Whether the room leaves anything behind: one in which nothing was published does not, nor does one of the tool's own.
fn stores(step: &Step<'_>) -> bool {
    step.object.room.stream.assigned > 0 && !token::is_probe(&step.object.membership.token)
}

fn write(step: &mut Step<'_>, standing: Standing) {
    if !stores(step) {
        return;
    }
    step.bill(Billed::Row);
    let text = step.object.room.record(standing, step.now_ms);
    step.add(Effect::Store {
        row: Row::Room,
        text,
        store: None,
    });
}

/// Decides, once, whether the record that the root came back from is to be trusted: whether it is.
fn confirm_record(step: &mut Step<'_>) -> bool {
    let oldest = step.sockets.oldest();
    step.object.room.confirm_record(oldest)
}
