//! Root and shards: how a shard comes, what it is pushed, and how it goes.

use super::effect::Effect;
use super::event::{Outcome, Request, Timer};
use super::object::{Ask, Sending, Sent, Step, Storing, Waiting};
use super::peer::Peer;
use super::shard::{Client, Joined, Pushed};
use super::store;
use super::stream::{Push, Stream};
use super::update::{self, Update};
use crate::contract::call::{Call, Part};
use crate::contract::refusal::{self, Refusal};

/// The time for which sockets that close together are waited for.
const MARK_MS: u64 = 100;
/// How often a root is asked in a row for what is missing before a push.
const MAX_ASKED: u32 = 2;

/// What the root said to a shard that wanted to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Joined,
    /// The room takes no further object.
    Full,
    /// It said nothing, or nothing that can be read.
    Unknown,
}

/// In a shard: makes sure that the root knows it before it gets its first socket. `client` goes on once it does.
pub(crate) fn ask_to_join(step: &mut Step<'_>, client: Client) {
    let (place, hint) = (client.call.place.clone(), client.call.root_hint.clone());
    step.object.membership.connecting.push(client);
    ask_root(step, &place.token, place.name(), place.region, hint);
}

/// Asks the root for its stream, unless it is being asked. Whoever is first to speak to an object decides where it lives.
fn ask_root(step: &mut Step<'_>, token: &str, name: String, region: String, hint: Option<String>) {
    let newest = step.sockets.newest();
    let membership = &mut step.object.membership;
    if std::mem::replace(&mut membership.asking, true) {
        return;
    }
    if let Some(newest) = newest {
        membership.place(&newest);
    }
    let clock_ms = membership.clock(step.now_ms);
    let ask = step.object.number();
    step.object.asks.insert(ask, Ask::Join);
    let call = Call::Join {
        name,
        region,
        clock_ms,
    };
    step.add(Effect::Ask {
        ask,
        calls: vec![(token.to_owned(), call)],
        body: None,
        hint,
    });
}

/// In a shard: the root has answered. The clients that waited for it, and what is to become of them.
pub(crate) fn joined(step: &mut Step<'_>, answer: Option<&str>) -> (Vec<Client>, Admission) {
    let joined = answer.and_then(|text| serde_json::from_str::<Joined>(text).ok());
    let (stream, admission) = match joined {
        Some(Joined { stream: Some(root) }) => (Some(root), Admission::Joined),
        Some(Joined { stream: None }) => (None, Admission::Full),
        None => (None, Admission::Unknown),
    };
    let membership = &mut step.object.membership;
    membership.asking = false;
    let mut news = Vec::new();
    if let Some(root) = stream {
        recall(step);
        step.object.membership.joined = true;
        news = step.object.room.stream.catch_up(root);
    }
    // Those who wait are about to have sockets: nobody is to be told that there are none.
    release(step, news, admission);
    let membership = &mut step.object.membership;
    if std::mem::take(&mut membership.left) && admission == Admission::Joined {
        membership.joined = false;
        if !membership.connecting.is_empty() {
            ask_again(step);
        }
    }
    let membership = &mut step.object.membership;
    if membership.asking {
        return (Vec::new(), admission);
    }
    (std::mem::take(&mut membership.connecting), admission)
}

/// Sends the sockets what they have missed, and the pushes that were held for it.
fn release(step: &mut Step<'_>, mut news: Vec<Update>, admission: Admission) {
    let held = std::mem::take(&mut step.object.membership.held);
    let (mut requests, mut left) = (Vec::new(), Vec::new());
    for (request, push) in held {
        if !left.is_empty() || step.object.room.stream.misses(&push) {
            match admission {
                // The root may have answered before it sent this one, or have died since it was last spoken to.
                Admission::Joined | Admission::Unknown
                    if step.object.membership.asked < MAX_ASKED =>
                {
                    left.push((request, push));
                    continue;
                }
                // It is of a life of the root that has left nothing behind.
                Admission::Joined if push.epoch != step.object.room.stream.epoch => {
                    requests.push(request);
                    continue;
                }
                // What is missing the root does not know either.
                Admission::Joined => {}
                // Sent now, it would hide what is missing. The root repeats it.
                Admission::Full | Admission::Unknown => {
                    step.refuse(request, refusal::ROOM_UNAVAILABLE);
                    continue;
                }
            }
        }
        requests.push(request);
        let history = step.object.settings.history;
        news.extend(step.object.room.stream.receive(push, history));
    }
    send(step, requests, &news);
    if left.is_empty() {
        step.object.membership.asked = 0;
        return;
    }
    step.object.membership.held = left;
    ask_again(step);
}

/// In the root: a shard is about to get its first socket, or wants to know what it has missed.
pub(crate) fn join(
    step: &mut Step<'_>,
    request: Request,
    name: String,
    region: &str,
    clock_ms: u64,
) {
    let object = &mut *step.object;
    let max_shards = object.settings.max_shards;
    let placed = object.registry.join(&name, region, clock_ms, max_shards);
    let waiting = Waiting {
        request,
        name,
        clock_ms,
    };
    match placed {
        Err(_) => step.reply(request, json(&Joined { stream: None })),
        Ok(true) => store::registry_durably(step, waiting),
        // Another answer may be waiting for the same row.
        Ok(false) => match object.stores.last_mut() {
            Some(Storing::Registry(others)) => others.push(waiting),
            _ => welcome(step, request),
        },
    }
}

/// In the root: the registry is durable, or it is not.
pub(crate) fn stored(step: &mut Step<'_>, shards: Vec<Waiting>, outcome: Outcome) {
    for waiting in shards {
        let Waiting {
            request,
            name,
            clock_ms,
        } = waiting;
        if outcome == Outcome::Done {
            step.log(|| format!("shard `{name}` joined"));
            welcome(step, request);
        } else {
            step.object.registry.leave(&name, clock_ms);
            step.refuse(request, refusal::ROOM_UNAVAILABLE);
        }
    }
}

/// Tells a shard the root's stream.
fn welcome(step: &mut Step<'_>, request: Request) {
    let mut stream = step.object.room.stream.clone();
    // Numbers that wait for their window are the root's business.
    stream.assigned = stream.sent;
    let joined = Joined {
        stream: Some(stream),
    };
    step.reply(request, json(&joined));
}

/// In the root: a shard has lost its last socket.
pub(crate) fn leave(step: &mut Step<'_>, request: Request, name: &str, clock_ms: u64) {
    if step.object.registry.leave(name, clock_ms) {
        store::registry(step);
        step.log(|| format!("shard `{name}` left"));
    }
    step.reply(request, json(&()));
}

/// In a shard: tells the root that the last socket is gone. If it is lost, the root learns at its next push.
pub(crate) fn announce_leave(step: &mut Step<'_>, token: &str, name: String) {
    let membership = &mut step.object.membership;
    membership.joined = false;
    membership.left = membership.asking;
    let clock_ms = membership.clock(step.now_ms);
    let call = Call::Leave { name, clock_ms };
    step.ask(Ask::Leave, vec![(token.to_owned(), call)], None);
}

/// In a shard: the root has updates.
///
/// # Errors
/// 400 for what is no push.
pub(crate) fn push(step: &mut Step<'_>, request: Request, body: &str) -> Result<(), Refusal> {
    let push: Push = serde_json::from_str(body).map_err(|_| refusal::INVALID_PUSH)?;
    let membership = &mut step.object.membership;
    // What the root is about to say may be older than this push, or of an epoch before it.
    if membership.asking || !membership.held.is_empty() {
        membership.held.push((request, push));
        return Ok(());
    }
    recall(step);
    if step.object.room.stream.misses(&push) && step.sockets.newest().is_some() {
        step.object.membership.held.push((request, push));
        ask_again(step);
        return Ok(());
    }
    let history = step.object.settings.history;
    let news = step.object.room.stream.receive(push, history);
    send(step, vec![request], &news);
    Ok(())
}

/// A shard that has hibernated knows from its newest socket what its sockets were sent.
fn recall(step: &mut Step<'_>) {
    if step.object.room.stream.epoch.is_empty()
        && let Some(newest) = step.sockets.newest()
    {
        step.object.membership.place(&newest);
        step.object.room.stream = Stream::at(newest.epoch, newest.sent);
    }
}

/// In a shard: a socket is gone. If it was the one that remembers where the stream stands, another has to.
pub(crate) fn lost(step: &mut Step<'_>, peer: &Peer) {
    if step.object.room.stream.epoch.is_empty() {
        // It, or the newest that is left, was marked last.
        let newest = step.sockets.newest();
        let later = newest.filter(|newest| match newest.epoch == peer.epoch {
            true => newest.sent > peer.sent,
            // Which of them was opened later no clock says, since clocks step.
            false => {
                let names = step.sockets.names();
                let first = names
                    .iter()
                    .find(|(id, _)| *id == newest.id || *id == peer.id);
                first.is_none_or(|(id, _)| *id == newest.id)
            }
        });
        let later = later.as_ref().unwrap_or(peer);
        step.object.room.stream = Stream::at(later.epoch.clone(), later.sent);
    }
    mark(step);
}

/// In a shard: sockets close. The newest that is left is to remember where the stream stands. To look for it touches every
/// socket, and where one closes many do: it is looked for once, a moment later. Until then the object does not hibernate.
pub(crate) fn mark(step: &mut Step<'_>) {
    if step.object.membership.part != Some(Part::Shard) {
        return;
    }
    recall(step);
    if !std::mem::replace(&mut step.object.membership.marking, true) {
        step.timer(Timer::Mark, MARK_MS);
    }
}

/// The moment is over.
pub(crate) fn marked(step: &mut Step<'_>) {
    step.object.membership.marking = false;
    let stream = &step.object.room.stream;
    let (epoch, sent) = (stream.epoch.clone(), stream.sent);
    step.add(Effect::Mark { epoch, sent });
}

/// Asks the root for what is missing.
fn ask_again(step: &mut Step<'_>) {
    step.object.membership.asked += 1;
    let newest = step.sockets.newest();
    let place = newest.map(|peer| (peer.token, peer.name, peer.region));
    let waiting = step.object.membership.connecting.first();
    let place = place.or_else(|| {
        let place = &waiting?.call.place;
        Some((place.token.clone(), place.name(), place.region.clone()))
    });
    match place {
        Some((token, name, region)) => ask_root(step, &token, name, region, None),
        None => release(step, Vec::new(), Admission::Unknown),
    }
}

/// Sends the sockets of a shard what is news to them; then the pushes that brought it are answered.
fn send(step: &mut Step<'_>, requests: Vec<Request>, news: &[Update]) {
    let frames = update::frames(news);
    let Some(last) = news.last() else {
        if !requests.is_empty() {
            let sockets = step.count();
            pushed(
                step,
                &requests,
                Pushed {
                    sockets,
                    ..Pushed::default()
                },
            );
        }
        return;
    };
    let (id, seq) = (step.object.number(), last.seq);
    let sent = Sent::of(&frames, seq, step.object.sockets.now());
    let sending = Sending::Push { requests, sent };
    step.object.sendings.insert(id, sending);
    let epoch = Some(step.object.room.stream.epoch.clone());
    step.add(Effect::Send {
        delivery: id,
        frames,
        seq,
        epoch,
    });
}

/// The frames of these pushes have been written.
pub(crate) fn pushed(step: &mut Step<'_>, requests: &[Request], mut pushed: Pushed) {
    // Not even one that this shard is about to open.
    let is_empty = pushed.sockets == 0 && step.object.sockets.upper_bound() == Some(0);
    let membership = &mut step.object.membership;
    if is_empty && membership.connecting.is_empty() {
        // The root forgets this shard, so its next socket has to make it known again.
        membership.joined = false;
        membership.left = membership.asking;
        pushed.left_ms = Some(membership.clock(step.now_ms));
    }
    for request in requests {
        step.reply(*request, json(&pushed));
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
