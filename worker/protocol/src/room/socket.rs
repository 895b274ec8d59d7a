//! How a socket comes, what it may send, and how it goes.

use super::delivery::hang_up;
use super::effect::{Effect, Opening, Reply};
use super::event::Request;
use super::greeting::greeting;
use super::object::Step;
use super::peer::{self, Peer, Seen};
use super::shard::Client;
use super::{membership, store};
use crate::contract::call::{Connect, Part};
use crate::contract::close;
use crate::contract::metric;
use crate::contract::refusal;

/// Opens a socket, or says why not.
pub(crate) fn connect(step: &mut Step<'_>, client: Client) {
    let call = &client.call;
    // Before it joins: the root would register a shard that has no socket for this client, and push to it for nothing.
    if is_full(step) {
        return full(step, client.request, call.place.index);
    }
    if !call.place.is_root() && (!step.object.membership.joined || is_ahead(step, call)) {
        return membership::ask_to_join(step, client);
    }
    admit(step, client);
}

/// Whether a client has more than this shard, which a push may not have reached yet.
fn is_ahead(step: &Step<'_>, call: &Connect) -> bool {
    let stream = &step.object.room.stream;
    call.epoch.as_ref() == Some(&stream.epoch) && call.since > Some(stream.sent)
}

/// Opens a socket where the room is known, or says why not.
pub(crate) fn admit(step: &mut Step<'_>, client: Client) {
    let call = &client.call;
    if is_full(step) {
        return full(step, client.request, call.place.index);
    }
    // From here to the end nothing waits: the limits are exact, and the socket misses no update and gets none twice.
    let salt = &step.object.identity.salt;
    let tag = call.address.as_deref().map(|group| peer::tag(salt, group));
    if let Some(tag) = &tag
        && call.per_address > 0
        && has_too_many(step, tag, call.per_address)
    {
        step.object.room.counters.refused_connects += 1;
        return step.refuse(client.request, refusal::TOO_MANY_CONNECTIONS);
    }
    open(step, client, tag);
}

/// Whether no socket can be added. The upper bound is known without counting and is never too low; where it says full, the
/// sockets are counted, unless none can have gone since the last time, and those silent for too long give way, before a client is
/// turned away. To count them touches every one: a crowd before a full room must not ask for that with each client.
fn is_full(step: &mut Step<'_>) -> bool {
    let max = step.object.settings.max_connections;
    let most = step.object.sockets.upper_bound();
    if most.is_some_and(|most| most < max) {
        return false;
    }
    let open = match step.object.sockets.exact() {
        Some(open) => open,
        None => step.count(),
    };
    if open < max {
        return false;
    }
    // It touches every socket: a crowd before a full room must not be able to ask for it at will.
    let idle_ms = step.object.settings.idle_timeout_ms;
    if peer::is_before(step.object.full_until_ms, step.now_ms, idle_ms) {
        return true;
    }
    let left = open.saturating_sub(give_way(step, None));
    step.counted(left);
    left >= max
}

/// Whether an address has as many sockets as it may, without those that are silent.
fn has_too_many(step: &mut Step<'_>, tag: &str, most: u32) -> bool {
    let open = step.open(Some(tag));
    open >= most && open.saturating_sub(give_way(step, Some(tag))) >= most
}

/// Closes the sockets, of those with `tag`, that were silent for too long: how many close with this step.
fn give_way(step: &mut Step<'_>, tag: Option<&str>) -> u32 {
    let idle_ms = step.object.settings.idle_timeout_ms;
    let mut seen = step.sockets.seen(tag);
    // One step may admit several clients: what was closed for one gives no place to the next.
    let closing = step.closing(tag);
    for index in &closing {
        seen[*index as usize] = Seen::CLOSING;
    }
    let silent = peer::giving_way(&seen, step.now_ms, idle_ms);
    if silent.is_empty() && tag.is_none() {
        let until_ms = peer::giving_way_ms(&seen, step.now_ms, idle_ms);
        step.object.full_until_ms = until_ms;
    }
    let count = closing.len() + silent.len();
    hang_up(step, silent, tag);
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// This object has no place left; the next one may.
pub(crate) fn full(step: &mut Step<'_>, request: Request, index: u32) {
    step.object.room.counters.refused_connects += 1;
    let next = index + 1;
    if next >= step.object.settings.max_shards {
        return step.refuse(request, refusal::ROOM_FULL);
    }
    let reply = Reply::Full { next };
    step.add(Effect::Reply { request, reply });
}

fn open(step: &mut Step<'_>, client: Client, tag: Option<String>) {
    let Client {
        request,
        random,
        call,
    } = client;
    let object = &mut *step.object;
    let stream = &object.room.stream;
    let welcome = stream.welcome(call.since, call.epoch.as_deref());
    let peer = Peer {
        id: random,
        token: call.place.token.clone(),
        name: call.place.name(),
        region: call.place.region.clone(),
        max_message_bytes: call.max_message_bytes,
        opened_ms: step.now_ms,
        pinged_ms: None,
        epoch: stream.epoch.clone(),
        sent: stream.sent,
        clock_ms: object.membership.clock_ms,
        life: object.room.life,
    };
    let frames = greeting(&peer.id, &peer.token, stream, &welcome);
    object.sockets.open();
    object.room.counters.connects += 1;
    let sockets = object.sockets.estimate().unwrap_or_default();
    let region = &peer.region;
    let measured = Effect::measure(
        object.version(),
        &peer.token,
        metric::Event::Connect { region, sockets },
    );
    let mut opened = vec![measured];
    if object.identity.verbose {
        let name = &peer.name;
        let said = format!("`{name}` opened a socket, now {sockets}");
        opened.push(Effect::Log(said));
    }
    step.add(Effect::Accept(Opening {
        request,
        index: call.place.index,
        tag,
        peer,
        frames,
        opened,
    }));
}

/// The runtime takes no more sockets.
pub(crate) fn not_accepted(step: &mut Step<'_>, request: Request, index: u32) {
    step.object.room.counters.connects -= 1;
    step.object.sockets.doubt();
    full(step, request, index);
}

/// A frame that the runtime did not answer itself.
pub(crate) fn message(step: &mut Step<'_>, peer: Option<Peer>, text: Option<&str>, bytes: usize) {
    let max_bytes = peer
        .as_ref()
        .map_or(u32::MAX, |peer| peer.max_message_bytes);
    if let Some(peer) = &peer {
        step.object.membership.place(peer);
    }
    let mut reply = peer::reply(text, bytes, max_bytes);
    if let Some(peer) = &peer {
        reply = step.object.flow.hear(&peer.id, reply, step.now_ms);
    }
    match reply {
        peer::Reply::Ack(_) => {}
        peer::Reply::Pong(text) => {
            step.add(Effect::Frame(text));
            if let Some(peer) = peer {
                step.add(Effect::Attach(Peer {
                    pinged_ms: Some(step.now_ms),
                    ..peer
                }));
            }
        }
        peer::Reply::Close(close) => {
            step.object.room.counters.loud += u64::from(close == close::TOO_LOUD);
            step.log(|| format!("closed a socket: {}", close.reason));
            step.object.sockets.doubt();
            step.add(Effect::Hang(close));
            membership::mark(step);
        }
    }
    if let Some(part) = step.object.membership.part {
        store::counters(step, part);
    }
}

/// A socket is gone.
pub(crate) fn closed(step: &mut Step<'_>, peer: Option<Peer>, code: u16) {
    let object = &mut *step.object;
    object.sockets.close();
    object.room.counters.disconnects += 1;
    let estimate = object.sockets.estimate();
    let Some(peer) = peer else {
        return;
    };
    object.flow.forget(&peer.id);
    object.membership.place(&peer);
    let part = peer.part();
    if part == Part::Shard {
        membership::lost(step, &peer);
    }
    // Where few are left, counting is cheap. With many, the last one is not gone yet.
    let sockets = estimate
        .filter(|estimate| *estimate > 8)
        .unwrap_or_else(|| step.count());
    step.log(|| format!("`{}` lost a socket, now {sockets}", peer.name));
    let event = metric::Event::Disconnect {
        code: &code.to_string(),
        region: &peer.region,
        sockets,
    };
    let measured = Effect::measure(step.object.version(), &peer.token, event);
    step.add(measured);
    store::counters(step, part);
    if part == Part::Shard && sockets == 0 && step.object.membership.connecting.is_empty() {
        membership::announce_leave(step, &peer.token, peer.name);
    }
}
