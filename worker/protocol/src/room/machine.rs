//! The room as one state machine: every event, at a given time, is answered with a list of effects.
//!
//! No clock, no randomness and no I/O is in here, so that objects, their network and their storage can be simulated. All
//! effects of an event are carried out before the next one comes; what an effect answers at once comes back first.

use super::effect::{Effect, Reply};
use super::event::{Event, Incoming, Outcome, Request, Rows, Sockets, Timer};
use super::greeting;
use super::membership::Admission;
use super::object::{Ask, Object, Record, Sending, Step, Storing};
use super::registry::Registry;
use super::root::Root;
use super::shard::{Client, Pushed};
use super::stream::none_match;
use super::{delivery, inspection, membership, socket, store, uses};
use crate::contract::call::{Call, Part};
use crate::contract::counters::Billed;
use crate::contract::refusal;

impl Object {
    /// What `event` calls for at `now_ms`, in unix milliseconds.
    pub fn on(&mut self, event: Event, now_ms: u64, sockets: &dyn Sockets) -> Vec<Effect> {
        let mut step = Step {
            object: self,
            sockets,
            now_ms,
            effects: Vec::new(),
        };
        happen(&mut step, event);
        step.effects
    }
}

fn happen(step: &mut Step<'_>, event: Event) {
    match event {
        Event::Call(incoming) => {
            begin(step, incoming.call.name(), Billed::Request);
            call(step, incoming);
        }
        Event::Message { peer, text, bytes } => {
            begin(step, "message", Billed::Message);
            socket::message(step, peer, text.as_deref(), bytes);
        }
        Event::Closed { peer, code } => {
            begin(step, "close", Billed::Message);
            socket::closed(step, peer, code);
        }
        Event::Timer(Timer::Turn) => delivery::turn(step),
        Event::Timer(Timer::Window) => delivery::window(step),
        Event::Timer(Timer::Save) => store::save(step),
        Event::Timer(Timer::Mark) => membership::marked(step),
        Event::Timer(Timer::Again(repeat)) => delivery::again(step, repeat),
        Event::Loaded(rows) => loaded(step, rows),
        Event::Stored { store, outcome } => stored(step, store, outcome),
        Event::Answered { ask, answers } => answered(step, ask, answers),
        Event::Sent {
            delivery,
            sockets,
            failed,
        } => sent(step, delivery, sockets, failed),
        Event::NotAccepted { request, index } => socket::not_accepted(step, request, index),
    }
}

/// Notes that something has reached the object.
fn begin(step: &mut Step<'_>, event: &str, billed: Billed) {
    let object = &mut *step.object;
    if object.awake.woken_by.is_empty() {
        event.clone_into(&mut object.awake.woken_by);
        object.room.counters.wake_ups += 1;
    }
    step.bill(billed);
}

/// A call, once the rows that it needs are in memory.
fn call(step: &mut Step<'_>, incoming: Incoming) {
    let part = incoming.call.part();
    let needed = match (&incoming.call, part) {
        (Call::Uses, _) => Some(Part::Root),
        (Call::Inspect { .. }, part) => part,
        (_, Some(Part::Root)) => part,
        _ => None,
    };
    if let Some(needed) = needed
        && !store::is_read(step, needed)
    {
        if let Record::Reading(_, waiting) = &mut step.object.record {
            waiting.push(incoming);
        }
        return;
    }
    if step.object.membership.token.is_empty() {
        step.object.membership.token = incoming.call.token().unwrap_or_default().to_owned();
    }
    step.object.membership.part = part.or(step.object.membership.part);
    answer(step, incoming);
    if let Some(part) = part {
        store::counters(step, part);
    }
}

fn answer(step: &mut Step<'_>, incoming: Incoming) {
    if matches!(incoming.call, Call::Publish(_)) && !store::may_number(step, &incoming) {
        return;
    }
    let Incoming {
        request,
        call,
        body,
        random,
    } = incoming;
    let refused = match call {
        Call::Publish(call) => delivery::publish(step, request, call, &body).err(),
        Call::Push => membership::push(step, request, &body).err(),
        Call::Connect(call) => {
            let client = Client {
                request,
                random,
                call,
            };
            socket::connect(step, client);
            None
        }
        call => {
            ask(step, request, call, &body);
            None
        }
    };
    if let Some(refusal) = refused {
        step.refuse(request, refusal);
    }
}

/// The calls that cannot be refused.
fn ask(step: &mut Step<'_>, request: Request, call: Call, body: &str) {
    match call {
        Call::Snapshot {
            token,
            if_none_match,
        } => {
            let stream = &step.object.room.stream;
            let etag = stream.etag();
            let is_known = none_match(if_none_match.as_deref(), &etag);
            let body = (!is_known).then(|| greeting::snapshot(&token, stream));
            let reply = Reply::Snapshot { etag, body };
            step.add(Effect::Reply { request, reply });
        }
        Call::Inspect {
            token,
            name,
            region,
        } => inspection::inspect(step, request, token, &name, region),
        Call::Join {
            name,
            region,
            clock_ms,
        } => membership::join(step, request, name, &region, clock_ms),
        Call::Leave { name, clock_ms } => membership::leave(step, request, &name, clock_ms),
        Call::Uses => uses::count(step, request, body),
        _ => inspection::health(step, request),
    }
}

/// The object's rows have been read, or cannot be: to go on without them would mean to write over them.
fn loaded(step: &mut Step<'_>, rows: Option<Rows>) {
    let Record::Reading(part, waiting) = std::mem::take(&mut step.object.record) else {
        return;
    };
    let Some(rows) = rows else {
        for incoming in waiting {
            step.refuse(incoming.request, refusal::ROOM_UNAVAILABLE);
        }
        return;
    };
    let object = &mut *step.object;
    object.record = Record::Read;
    let epoch = &object.identity.epoch;
    let mut room = Root::restored(&object.settings, rows.room.as_deref(), epoch);
    room.counters.add(&object.room.counters);
    let read = |text: Option<String>| text.unwrap_or_default();
    object.uses = serde_json::from_str(&read(rows.uses)).unwrap_or_default();
    match part {
        Part::Root => {
            object.room = room;
            let registry = serde_json::from_str::<Registry>(&read(rows.shards));
            object.registry = registry.unwrap_or_default();
        }
        // Its stream is what the root says.
        Part::Shard => {
            object.room.counters = room.counters;
            object.room.saved_ms = room.saved_ms;
        }
    }
    for incoming in waiting {
        call(step, incoming);
    }
    store::counters(step, part);
}

/// A row is durable, or cannot be.
fn stored(step: &mut Step<'_>, store: u32, outcome: Outcome) {
    let waiting = match step.object.stores.remove(store) {
        Some(Storing::Registry(shards)) => return membership::stored(step, shards, outcome),
        Some(Storing::Skip) => store::skipped(step, outcome),
        Some(Storing::Uses(request)) => uses::stored(step, request, outcome),
        None => return,
    };
    for incoming in waiting {
        call(step, incoming);
    }
}

fn answered(step: &mut Step<'_>, ask: u32, mut answers: Vec<Option<String>>) {
    match step.object.asks.remove(ask) {
        Some(Ask::Push { delivery, names }) => delivery::answered(step, delivery, names, answers),
        Some(Ask::Again(repeat)) => delivery::answered_again(step, repeat, answers),
        Some(Ask::Join) => {
            let answer = answers.pop().flatten();
            let (connecting, admission) = membership::joined(step, answer.as_deref());
            for client in connecting {
                admit(step, client, admission);
            }
        }
        Some(Ask::Inspect {
            request,
            token,
            region,
            names,
        }) => inspection::inspected(step, request, &token, region, names, answers),
        Some(Ask::Leave) | None => {}
    }
}

/// Goes on with a client that has waited for this shard to join.
fn admit(step: &mut Step<'_>, client: Client, admission: Admission) {
    match admission {
        Admission::Joined => socket::admit(step, client),
        // The room takes no further object, but one that it has may have a place.
        Admission::Full => socket::full(step, client.request, client.call.place.index),
        Admission::Unknown => step.refuse(client.request, refusal::ROOM_UNAVAILABLE),
    }
}

fn sent(step: &mut Step<'_>, id: u32, sockets: u32, failed: u32) {
    delivery::wrote(step, id, sockets, failed);
    match step.object.sendings.remove(id) {
        Some(Sending::Delivery(delivery)) => delivery::served(step, id, delivery, sockets),
        Some(Sending::Push { requests, .. }) => {
            let pushed = Pushed {
                sockets,
                failed,
                left_ms: None,
            };
            membership::pushed(step, &requests, pushed);
            store::counters(step, Part::Shard);
        }
        None => {}
    }
}
