//! An update reaches the room, and leaves it: to the shards that hold sockets, and to this object's own.

use super::effect::Effect;
use super::event::{Request, Timer};
use super::object::{Ask, Delivery, Progress, Publisher, Reach, Repeat, Sending, Sent, Step};
use super::root::Outcome;
use super::shard::{PUSH_AGAIN_MS, PUSH_AGAIN_TRIES, Pushed};
use super::stream::Push;
use super::update::{self, Update};
use super::window::Offer;
use super::{membership, peer, store};
use crate::contract::call::{Call, Publish};
use crate::contract::close::{self, Close};
use crate::contract::counters::Billed;
use crate::contract::metric;
use crate::contract::receipt::Receipt;
use crate::contract::refusal::Refusal;

/// # Errors
/// Those of [`super::root::Root::publish`].
pub(crate) fn publish(
    step: &mut Step<'_>,
    request: Request,
    call: Publish,
    body: &str,
) -> Result<(), Refusal> {
    let outcome = step.object.room.publish(&call, body, step.now_ms)?;
    let (Outcome::Answer(receipt) | Outcome::Numbered { receipt, .. }) = &outcome;
    let publisher = Publisher {
        request,
        receipt: receipt.clone(),
        call,
    };
    let Outcome::Numbered { offer, .. } = outcome else {
        answer(step, request, &publisher.receipt);
        return Ok(());
    };
    match offer {
        Offer::Send(updates) => deliver(step, updates, Some(publisher)),
        Offer::Wait { timer_ms } => {
            if let Some(wait_ms) = timer_ms {
                step.timer(Timer::Window, wait_ms);
            }
            let reach = estimate(step);
            remember(step, &publisher, reach);
            store::changed(step);
            answer(step, request, &publisher.receipt(reach));
        }
    }
    Ok(())
}

/// The batch window ends: what waits is sent.
pub(crate) fn window(step: &mut Step<'_>) {
    let updates = step.object.room.window.close(step.now_ms);
    if !updates.is_empty() {
        deliver(step, updates, None);
    }
}

fn answer(step: &mut Step<'_>, request: Request, receipt: &Receipt) {
    let receipt = serde_json::to_string(receipt).unwrap_or_default();
    step.reply(request, receipt);
}

/// A repeat, if there can be one, is to be answered with this reach.
fn remember(step: &mut Step<'_>, publisher: &Publisher, reach: Reach) {
    if publisher.call.id.is_some() {
        let receipt = publisher.receipt(reach);
        step.object.room.remember(&publisher.call, &receipt);
    }
}

impl Publisher {
    fn receipt(&self, reach: Reach) -> Receipt {
        Receipt {
            sockets: reach.sockets,
            shards: reach.shards,
            failed_shards: reach.failed_shards,
            ..self.receipt.clone()
        }
    }
}

/// Sends `updates`, in the root.
fn deliver(step: &mut Step<'_>, updates: Vec<Update>, publisher: Option<Publisher>) {
    let object = &mut *step.object;
    let stream = &mut object.room.stream;
    let push = Push {
        epoch: stream.epoch.clone(),
        previous: stream.sent,
        updates,
        again: false,
    };
    stream.record(&push.updates, object.settings.history);
    let (called, skipped) = object.registry.push();
    let asks = !called.is_empty();
    let waits = asks || !skipped.is_empty() || !object.queue.is_empty();
    if waits
        && let Some(publisher) = &publisher
        && publisher.call.id.is_some()
    {
        // For a repeat that comes before this is delivered.
        let expected = estimate(step);
        remember(step, publisher, expected);
    }
    let object = &mut *step.object;
    let frames = update::frames(&push.updates);
    let seq = push.updates.last().map_or(0, |update| update.seq);
    let spoken = frames.first().filter(|_| object.identity.verbose).cloned();
    let delivery = Delivery {
        publisher,
        sent: Sent::of(&frames, seq, object.sockets.now()),
        spoken: spoken.unwrap_or_default(),
        frames,
        previous: push.previous,
        started_ms: step.now_ms,
        reach: Reach::default(),
        expected: Reach::default(),
        own: Progress::Pending,
        shards: if asks {
            Progress::Pending
        } else {
            Progress::Done
        },
        failed: skipped,
    };
    let id = object.number();
    object
        .sendings
        .insert(id, Sending::Delivery(Box::new(delivery)));
    if asks {
        call_shards(step, id, called, &push);
    }
    if waits {
        // The calls leave when this turn of the event loop ends, and a full object's own sockets take it a second. What
        // comes after keeps its place behind this one.
        step.object.queue.push_back(id);
        step.add(Effect::Hold { delivery: id });
        step.add(Effect::Timer {
            timer: Timer::Turn,
            after_ms: 0,
        });
    } else {
        send(step, id);
    }
}

fn call_shards(step: &mut Step<'_>, delivery: u32, names: Vec<String>, push: &Push) {
    let body = serde_json::to_string(push).unwrap_or_default();
    let calls = pushes(&names);
    step.ask(Ask::Push { delivery, names }, calls, Some(body));
}

/// The calls to the shards have left.
pub(crate) fn turn(step: &mut Step<'_>) {
    if let Some(id) = step.object.queue.pop_front() {
        send(step, id);
    }
}

fn send(step: &mut Step<'_>, id: u32) {
    if let Some(Sending::Delivery(delivery)) = step.object.sendings.get_mut(id) {
        let (frames, seq) = (std::mem::take(&mut delivery.frames), delivery.sent.seq);
        step.add(Effect::Send {
            delivery: id,
            frames,
            seq,
            epoch: None,
        });
    }
}

/// Counts frames that were written to this object's own sockets, and looks for dead ones, since a broadcast touches every
/// socket anyway.
pub(crate) fn wrote(step: &mut Step<'_>, id: u32, sockets: u32, failed: u32) {
    let object = &mut *step.object;
    let sent = match object.sendings.get_mut(id) {
        Some(Sending::Delivery(delivery)) => delivery.sent,
        Some(Sending::Push { sent, .. }) => *sent,
        None => return,
    };
    object.sockets.count(sockets, sent.at);
    object.room.counters.deliveries += u64::from(sockets) * u64::from(sent.frames);
    object.room.counters.failed_sends += u64::from(failed);
    object.flow.send(sent.seq, sent.bytes, step.now_ms);
    if object.flow.is_due(step.now_ms) {
        let lagging = object.flow.lagging(&step.sockets.names(), step.now_ms);
        object.room.counters.slow += lagging.len() as u64;
        if !lagging.is_empty() {
            // Until they are closed they are still seen: the silent are looked for at the next broadcast.
            return close(step, lagging, None, close::TOO_SLOW);
        }
    }
    let object = &mut *step.object;
    let idle_ms = object.settings.idle_timeout_ms;
    if !peer::sweep_due(object.swept_ms, step.now_ms, idle_ms) {
        return;
    }
    object.swept_ms = Some(step.now_ms);
    let dead = peer::swept(&step.sockets.seen(None), step.now_ms, idle_ms);
    hang_up(step, dead, None);
}

/// Closes sockets that were silent for too long, with these indexes among those with `tag`.
pub(crate) fn hang_up(step: &mut Step<'_>, indexes: Vec<u32>, tag: Option<&str>) {
    if indexes.is_empty() {
        return;
    }
    step.object.room.counters.swept += indexes.len() as u64;
    close(step, indexes, tag, close::IDLE);
}

fn close(step: &mut Step<'_>, indexes: Vec<u32>, tag: Option<&str>, close: Close) {
    // Before a socket is opened, which would number the others anew.
    let opens = |effect: &Effect| matches!(effect, Effect::Accept(_));
    let first = step.effects.iter().position(opens);
    let effect = Effect::Close {
        indexes,
        tag: tag.map(str::to_owned),
        close,
    };
    let at = first.unwrap_or(step.effects.len());
    step.effects.insert(at, effect);
    step.object.sockets.doubt();
    membership::mark(step);
}

/// The root's own sockets have a delivery.
pub(crate) fn served(step: &mut Step<'_>, id: u32, mut delivery: Box<Delivery>, sockets: u32) {
    delivery.own = Progress::Done;
    delivery.reach.sockets += sockets;
    delivery.reach.shards += u32::from(sockets > 0);
    delivery.expected = match delivery.shards {
        Progress::Pending => with_shards(step, delivery.reach),
        Progress::Done => delivery.reach,
    };
    if let Some(publisher) = &delivery.publisher {
        remember(step, publisher, delivery.expected);
    }
    store::changed(step);
    proceed(step, id, delivery);
}

/// The shards have answered a push, each or not at all.
pub(crate) fn answered(
    step: &mut Step<'_>,
    id: u32,
    names: Vec<String>,
    answers: Vec<Option<String>>,
) {
    let Some(Sending::Delivery(mut delivery)) = step.object.sendings.remove(id) else {
        return;
    };
    for name in &names {
        step.object.registry.answered(name);
    }
    let pushed = read(step, names, answers, &mut delivery.failed);
    for sockets in pushed {
        delivery.reach.sockets += sockets;
        delivery.reach.shards += u32::from(sockets > 0);
    }
    delivery.shards = Progress::Done;
    proceed(step, id, delivery);
}

/// Takes in what shards answered: the sockets of each that did. Those that failed are added to `failed`.
fn read(
    step: &mut Step<'_>,
    names: Vec<String>,
    answers: Vec<Option<String>>,
    failed: &mut Vec<String>,
) -> Vec<u32> {
    let registry = &mut step.object.registry;
    let (mut reached, mut forgotten) = (Vec::new(), false);
    for (name, answer) in names.into_iter().zip(answers) {
        let Some(pushed) = answer.and_then(|text| serde_json::from_str::<Pushed>(&text).ok())
        else {
            failed.push(name);
            continue;
        };
        reached.push(pushed.sockets);
        registry.count(&name, pushed.sockets);
        if let Some(left_ms) = pushed.left_ms {
            forgotten |= registry.leave(&name, left_ms);
        }
    }
    if forgotten {
        store::registry(step);
    }
    reached
}

/// Ends a delivery once its own sockets and its shards are done.
fn proceed(step: &mut Step<'_>, id: u32, mut delivery: Box<Delivery>) {
    if (delivery.own, delivery.shards) != (Progress::Done, Progress::Done) {
        step.object.sendings.insert(id, Sending::Delivery(delivery));
        return;
    }
    let failed = std::mem::take(&mut delivery.failed);
    let failed_shards = u32::try_from(failed.len()).unwrap_or(u32::MAX);
    delivery.reach.failed_shards = failed_shards;
    step.object.failed_shards = failed_shards;
    step.object.room.counters.failed_shards += u64::from(failed_shards);
    push_again(step, failed, delivery.previous);
    if let Some(publisher) = &delivery.publisher
        && publisher.call.id.is_some()
        && delivery.reach != delivery.expected
    {
        remember(step, publisher, delivery.reach);
        store::changed(step);
    }
    account(step, &delivery);
    if let Some(publisher) = &delivery.publisher {
        let mut receipt = publisher.receipt(delivery.reach);
        receipt.took_ms = step.now_ms.saturating_sub(delivery.started_ms);
        answer(step, publisher.request, &receipt);
    }
}

/// Counts a delivery that took until now.
fn account(step: &mut Step<'_>, delivery: &Delivery) {
    let took_ms = step.now_ms.saturating_sub(delivery.started_ms);
    step.bill(Billed::Active(took_ms));
    let reach = delivery.reach;
    if step.object.identity.verbose {
        let active = estimate(step).sockets;
        step.add(Effect::Log(format!(
            "broadcast to {} sockets in {} objects, with {active} active connections: {}",
            reach.sockets, reach.shards, delivery.spoken,
        )));
    }
    let event = metric::Event::Broadcast {
        sockets: reach.sockets,
        bytes: delivery.sent.bytes as usize,
        took_ms,
        missed: reach.failed_shards,
    };
    let object = &*step.object;
    let effect = Effect::measure(object.version(), &object.membership.token, event);
    step.add(effect);
}

/// The reach that a delivery would have now, as far as the root knows without asking.
fn estimate(step: &mut Step<'_>) -> Reach {
    let sockets = step.estimate();
    let own = Reach {
        sockets,
        shards: u32::from(sockets > 0),
        failed_shards: step.object.failed_shards,
    };
    with_shards(step, own)
}

/// `own` and what the shards hold, as of their last answers.
fn with_shards(step: &Step<'_>, own: Reach) -> Reach {
    let registry = &step.object.registry;
    Reach {
        sockets: own.sockets + registry.sockets(),
        shards: own.shards + u32::try_from(registry.shards().len()).unwrap_or(u32::MAX),
        ..own
    }
}

/// Pushes once more what shards may have missed after number `previous`: without it their clients, and those they greet,
/// would stay behind until the next update. Whoever has had it takes nothing twice.
fn push_again(step: &mut Step<'_>, mut names: Vec<String>, previous: u64) {
    // One that has left already does not bring what has failed since.
    let repeats = &step.object.repeats;
    names.retain(|name| !repeats.values().any(|repeat| repeat.names.contains(name)));
    let tries = 0;
    repeat(
        step,
        Repeat {
            names,
            previous,
            tries,
        },
    );
}

fn repeat(step: &mut Step<'_>, repeat: Repeat) {
    if repeat.names.is_empty() || repeat.tries >= PUSH_AGAIN_TRIES {
        return;
    }
    let after_ms = PUSH_AGAIN_MS << (2 * repeat.tries);
    let id = step.object.number();
    step.object.repeats.insert(id, repeat);
    step.timer(Timer::Again(id), after_ms);
}

/// The timer of a repetition has run out.
pub(crate) fn again(step: &mut Step<'_>, id: u32) {
    let Some(repeat) = step.object.repeats.remove(id) else {
        return;
    };
    let push = step.object.room.stream.since(repeat.previous);
    let body = serde_json::to_string(&push).unwrap_or_default();
    let calls = pushes(&repeat.names);
    step.ask(Ask::Again(repeat), calls, Some(body));
}

/// The shards have answered a repetition; it is tried a few times.
pub(crate) fn answered_again(step: &mut Step<'_>, again: Repeat, answers: Vec<Option<String>>) {
    let mut names = Vec::new();
    read(step, again.names, answers, &mut names);
    repeat(
        step,
        Repeat {
            names,
            previous: again.previous,
            tries: again.tries + 1,
        },
    );
}

fn pushes(names: &[String]) -> Vec<(String, Call)> {
    let names = names.iter();
    names.map(|name| (name.clone(), Call::Push)).collect()
}
