//! The one object that adds up the uses of secret slots of all gateways.

use super::effect::Row;
use super::event::{Incoming, Outcome, Request};
use super::object::{Record, Step, Storing};
use super::store;
use crate::contract::call::Part;
use crate::contract::refusal;
use crate::contract::slot::Uses;

/// Adds the body's counts, if there are any, and answers the sum once it is durable: a rotation revokes a secret on this
/// evidence. Until then the next counts wait.
pub(crate) fn count(step: &mut Step<'_>, request: Request, body: &str) {
    // What is stored is read again for every count: nothing is answered from a memory that a failed write left behind.
    step.object.record = Record::Unread;
    let Ok(more) = serde_json::from_str::<Uses>(body) else {
        return answer(step, request);
    };
    let object = &mut *step.object;
    object.uses.add(&more);
    object.record = Record::Reading(Part::Root, Vec::new());
    let text = serde_json::to_string(&object.uses).unwrap_or_default();
    store::durably(step, Row::Uses, text, Storing::Uses(request));
}

/// The counts are durable, or they are not. The calls that have waited for it.
pub(crate) fn stored(step: &mut Step<'_>, request: Request, outcome: Outcome) -> Vec<Incoming> {
    match outcome {
        Outcome::Done => answer(step, request),
        Outcome::Failed => step.refuse(request, refusal::ROOM_UNAVAILABLE),
    }
    match std::mem::take(&mut step.object.record) {
        Record::Reading(_, waiting) => waiting,
        _ => Vec::new(),
    }
}

fn answer(step: &mut Step<'_>, request: Request) {
    let uses = serde_json::to_string(&step.object.uses).unwrap_or_default();
    step.reply(request, uses);
}
