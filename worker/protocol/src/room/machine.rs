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

#[cfg(test)]
mod tests {
    use super::super::event::{Outcome, Rows};
    use super::super::object::Identity;
    use super::super::peer::{Peer, Seen};
    use super::super::shard::Joined;
    use super::super::stream::{Push, Stream};
    use super::*;
    use crate::contract::call::{Connect, Publish};
    use crate::contract::place::{Home, Place};
    use crate::contract::report::Report;
    use crate::contract::settings::{Conflate, RoomSettings, conflate_key};
    use crate::contract::slot::Slot;
    use std::cell::Cell;

    const MINUTE_MS: u64 = 60_000;

    /// Sockets, the oldest first.
    struct Open(Vec<Peer>);

    impl Sockets for Open {
        fn count(&self, _tag: Option<&str>) -> u32 {
            u32::try_from(self.0.len()).unwrap()
        }

        fn seen(&self, _tag: Option<&str>) -> Vec<Seen> {
            let seen = |peer: &Peer| Seen {
                opened_ms: peer.opened_ms,
                pinged_ms: peer.pinged_ms,
            };
            self.0.iter().map(seen).collect()
        }

        fn oldest(&self) -> Option<u64> {
            self.0.first().map(|peer| peer.life)
        }

        fn newest(&self) -> Option<Peer> {
            self.0.last().cloned()
        }

        fn names(&self) -> Vec<(String, u64)> {
            let name = |peer: &Peer| (peer.id.clone(), peer.opened_ms);
            self.0.iter().map(name).collect()
        }
    }

    /// Sockets that cost something to count.
    struct Many {
        open: Open,
        counts: Cell<u32>,
    }

    impl Sockets for Many {
        fn count(&self, tag: Option<&str>) -> u32 {
            self.counts.set(self.counts.get() + 1);
            self.open.count(tag)
        }

        fn seen(&self, tag: Option<&str>) -> Vec<Seen> {
            self.counts.set(self.counts.get() + 1);
            self.open.seen(tag)
        }

        fn oldest(&self) -> Option<u64> {
            self.open.oldest()
        }

        fn newest(&self) -> Option<Peer> {
            self.open.newest()
        }

        fn names(&self) -> Vec<(String, u64)> {
            self.open.names()
        }
    }

    fn object(now_ms: u64) -> Object {
        let settings = RoomSettings {
            max_connections: 10,
            max_shards: 4,
            batch_window_ms: 0,
            conflate: Conflate::Latest,
            conflate_key: conflate_key(),
            history: 8,
            idle_timeout_ms: 90_000,
            publish_rate: 0,
        };
        let identity = Identity {
            epoch: "e1".to_owned(),
            ..Identity::default()
        };
        Object::new(settings, identity, now_ms)
    }

    fn socket(name: &str, token: &str) -> Peer {
        Peer {
            id: "a".to_owned(),
            token: token.to_owned(),
            name: name.to_owned(),
            region: String::new(),
            max_message_bytes: 1024,
            opened_ms: 1_000,
            pinged_ms: None,
            epoch: "e1".to_owned(),
            sent: 7,
            clock_ms: 0,
            life: 0,
        }
    }

    fn called(request: Request, call: Call, body: &str) -> Event {
        Event::Call(Incoming {
            request,
            call,
            body: body.to_owned(),
            random: format!("socket {request}"),
        })
    }

    /// A client that comes to shard 1.
    fn connecting(request: Request) -> Event {
        let connect = Connect {
            place: Place {
                token: "SOL".to_owned(),
                region: String::new(),
                index: 1,
                home: Home::Root,
            },
            address: None,
            per_address: 0,
            max_message_bytes: 1024,
            since: None,
            epoch: None,
            root_hint: None,
        };
        called(request, Call::Connect(connect), "")
    }

    fn published(request: Request, body: &str) -> Event {
        let call = Call::Publish(Publish {
            token: "SOL".to_owned(),
            slot: Slot::Primary,
            id: Some(request.to_string()),
            force: false,
            signed_ms: None,
        });
        called(request, call, body)
    }

    fn inspected(token: &str, name: &str) -> Event {
        let call = Call::Inspect {
            token: token.to_owned(),
            name: name.to_owned(),
            region: String::new(),
        };
        called(99, call, "")
    }

    /// The effects of `event`, and of what its sends and loads cause at once.
    fn effects(
        object: &mut Object,
        event: Event,
        now_ms: u64,
        open: &Open,
        rows: &Rows,
    ) -> Vec<Effect> {
        let mut all = Vec::new();
        for effect in object.on(event, now_ms, open) {
            let answer = match &effect {
                Effect::Load => Some(Event::Loaded(Some(rows.clone()))),
                Effect::Send { delivery, .. } => Some(Event::Sent {
                    delivery: *delivery,
                    sockets: open.count(None),
                    failed: 0,
                }),
                _ => None,
            };
            all.push(effect);
            if let Some(event) = answer {
                all.extend(effects(object, event, now_ms, open, rows));
            }
        }
        all
    }

    /// The room's record that is written last.
    fn record(effects: &[Effect]) -> Option<String> {
        let mut written = effects.iter().rev();
        written.find_map(|effect| match effect {
            Effect::Store { text, .. } => Some(text.clone()),
            _ => None,
        })
    }

    fn replies(effects: &[Effect]) -> Vec<&Reply> {
        let replies = effects.iter().filter_map(|effect| match effect {
            Effect::Reply { reply, .. } => Some(reply),
            _ => None,
        });
        replies.collect()
    }

    fn report(object: &mut Object, now_ms: u64, open: &Open, rows: &Rows) -> Report {
        let effects = effects(object, inspected("SOL", "SOL"), now_ms, open, rows);
        let [Reply::Json(text)] = replies(&effects)[..] else {
            panic!("{effects:?}")
        };
        serde_json::from_str(text).unwrap()
    }

    /// What a root stores that has published one update at `now_ms`, and hibernates then.
    fn stored(now_ms: u64) -> Rows {
        let mut root = object(now_ms);
        let open = Open(Vec::new());
        let done = effects(
            &mut root,
            published(1, "{}"),
            now_ms,
            &open,
            &Rows::default(),
        );
        Rows {
            room: record(&done),
            ..Rows::default()
        }
    }

    #[test]
    fn a_root_that_only_frames_wake_keeps_its_counts_and_vouches_for_no_more_than_before() {
        let open = Open(vec![socket("SOL", "SOL")]);
        let rows = stored(1_000);
        let now_ms = 2 * MINUTE_MS;
        let mut root = object(now_ms);
        let ping = |socket: &Peer| Event::Message {
            peer: Some(socket.clone()),
            text: Some("ping".to_owned()),
            bytes: 4,
        };
        let done = effects(&mut root, ping(&open.0[0]), now_ms, &open, &rows);
        let rows = Rows {
            room: record(&done),
            ..rows
        };
        assert!(rows.room.is_some(), "{done:?}");
        // The next is not due
        let done = effects(&mut root, ping(&open.0[0]), now_ms + 1, &open, &rows);
        assert_eq!(record(&done), None);
        let mut root = object(2 * now_ms);
        let counters = report(&mut root, 2 * now_ms, &open, &rows).root.counters;
        assert_eq!((counters.publishes, counters.month.messages), (1, 1));
        // The socket is of the life that has published: the numbering goes on
        let done = effects(&mut root, published(2, "{}"), 2 * now_ms, &open, &rows);
        let [Reply::Json(receipt)] = replies(&done)[..] else {
            panic!("{done:?}")
        };
        assert!(receipt.contains(r#""seq":2,"#), "{receipt}");
        // One of the life in between does not know whether it died before: numbers are skipped, and that is stored first
        let mut root = object(2 * now_ms);
        let later = Peer {
            life: 1,
            ..socket("SOL", "SOL")
        };
        let later = Open(vec![later]);
        let done = effects(&mut root, published(2, "{}"), 2 * now_ms, &later, &rows);
        assert!(replies(&done).is_empty(), "{done:?}");
    }

    #[test]
    fn a_failed_write_counts_nothing_twice() {
        let (open, rows) = (Open(Vec::new()), stored(1_000));
        let mut root = object(2_000);
        let skipped = |effects: &[Effect]| {
            let mut stores = effects.iter();
            stores.find_map(|effect| match effect {
                Effect::Store { store, .. } => *store,
                _ => None,
            })
        };
        let mut outcome = |outcome, request| {
            let done = effects(&mut root, published(request, "{}"), 2_000, &open, &rows);
            let store = skipped(&done).unwrap();
            let event = Event::Stored { store, outcome };
            let done = effects(&mut root, event, 2_000, &open, &rows);
            format!("{:?}", replies(&done))
        };
        let refused = outcome(Outcome::Failed, 2);
        assert!(refused.contains("room_unavailable"), "{refused}");
        let taken = outcome(Outcome::Done, 3);
        assert!(taken.contains(r#"\"seq\":20002,"#), "{taken}");
        let counters = report(&mut root, 2_000, &open, &rows).root.counters;
        assert_eq!(counters.publishes, 2);
    }

    /// A root with one shard, of which a push has failed: the numbers of the push and of its repetition.
    fn failed_push(root: &mut Object, open: &Open, request: Request) -> Vec<Effect> {
        let rows = Rows::default();
        let done = effects(root, published(request, "{}"), 2_000, open, &rows);
        let asked = done.iter().find_map(|effect| match effect {
            Effect::Ask { ask, .. } => Some(*ask),
            _ => None,
        });
        effects(root, Event::Timer(Timer::Turn), 2_000, open, &rows);
        let failed = Event::Answered {
            ask: asked.unwrap(),
            answers: vec![None],
        };
        effects(root, failed, 2_000, open, &rows)
    }

    #[test]
    fn what_fails_while_an_earlier_push_is_repeated_is_repeated_too() {
        let (open, rows) = (Open(Vec::new()), Rows::default());
        let mut root = object(1_000);
        let join = Call::Join {
            name: "SOL//1".to_owned(),
            region: String::new(),
            clock_ms: 1,
        };
        effects(&mut root, published(1, "{}"), 1_000, &open, &rows);
        effects(&mut root, called(2, join, ""), 1_000, &open, &rows);
        let again = |effects: &[Effect]| {
            let mut timers = effects.iter();
            timers.find_map(|effect| match effect {
                Effect::Timer {
                    timer: timer @ Timer::Again(_),
                    ..
                } => Some(*timer),
                _ => None,
            })
        };
        let first = again(&failed_push(&mut root, &open, 3)).unwrap();
        // What fails before the repetition leaves is in it
        assert_eq!(again(&failed_push(&mut root, &open, 4)), None);
        effects(&mut root, Event::Timer(first), 3_000, &open, &rows);
        assert!(again(&failed_push(&mut root, &open, 5)).is_some());
    }

    #[test]
    fn every_client_for_whom_the_runtime_has_no_place_is_sent_to_the_next_object() {
        let open = Open(Vec::new());
        let mut shard = object(1_000);
        shard.on(connecting(1), 1_000, &open);
        shard.on(connecting(2), 1_000, &open);
        let joined = Joined {
            stream: Some(Stream::new("e1")),
        };
        let answers = vec![serde_json::to_string(&joined).ok()];
        let effects = shard.on(Event::Answered { ask: 1, answers }, 1_000, &open);
        let accepted: Vec<(Request, u32)> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Accept(socket) => Some((socket.request, socket.index)),
                _ => None,
            })
            .collect();
        assert_eq!(accepted, [(1, 1), (2, 1)]);
        // What counts an opened socket is done where one is
        assert!(
            !effects
                .iter()
                .any(|effect| matches!(effect, Effect::Measure { .. }))
        );
        for (request, index) in accepted {
            let effects = shard.on(Event::NotAccepted { request, index }, 1_000, &open);
            assert!(matches!(replies(&effects)[..], [Reply::Full { next: 2 }]));
        }
    }

    #[test]
    fn a_full_object_touches_its_sockets_when_one_may_have_gone_and_not_for_each_client_that_it_refuses()
     {
        let mut full = Many {
            open: Open(vec![socket("SOL//1", "SOL"); 10]),
            counts: Cell::default(),
        };
        let mut shard = object(1_000);
        let refused = |shard: &mut Object, full: &Many| {
            let effects = shard.on(connecting(1), 2_000, full);
            assert!(matches!(replies(&effects)[..], [Reply::Full { next: 2 }]));
        };
        for _ in 0..1_000 {
            refused(&mut shard, &full);
        }
        assert_eq!(full.counts.get(), 2, "how many they are, and who is silent");
        // It closes one, and the runtime has not told of its end yet
        let loud = Event::Message {
            peer: full.open.0.first().cloned(),
            text: Some("not a ping".to_owned()),
            bytes: 10,
        };
        shard.on(loud, 2_000, &full);
        full.counts.set(0);
        for _ in 0..1_000 {
            refused(&mut shard, &full);
        }
        assert_eq!(full.counts.get(), 1);
        let ended = Event::Closed {
            peer: full.open.0.pop(),
            code: 1008,
        };
        shard.on(ended, 2_000, &full);
        let effects = shard.on(connecting(1), 2_000, &full);
        assert!(replies(&effects).is_empty(), "it joins its room first");
    }

    #[test]
    fn each_client_that_one_answer_admits_takes_the_place_of_another_silent_socket() {
        let mut shard = object(1_000);
        let silent = (0..9)
            .map(|opened_ms| Peer {
                opened_ms,
                ..socket("SOL//1", "SOL")
            })
            .collect();
        let open = Open(silent);
        for request in [1, 2, 3] {
            shard.on(connecting(request), 1_000, &open);
        }
        let joined = Joined {
            stream: Some(Stream::new("e1")),
        };
        let answers = vec![serde_json::to_string(&joined).ok()];
        let now_ms = 10 * MINUTE_MS;
        let answered = Event::Answered { ask: 1, answers };
        let effects = shard.on(answered, now_ms, &open);
        let closed: Vec<&[u32]> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Close { indexes, .. } => Some(indexes.as_slice()),
                _ => None,
            })
            .collect();
        assert_eq!(closed, [[0], [1]]);
        let opened = |effect: &&Effect| matches!(effect, Effect::Accept(_));
        assert_eq!(effects.iter().filter(opened).count(), 3);
        assert_eq!(shard.room.counters.swept, 2);
    }

    #[test]
    fn what_a_shard_tells_its_root_is_newer_than_what_it_told_in_an_earlier_life_whatever_its_clock_says()
     {
        let told = |event, open| {
            let (mut shard, rows) = (object(5_000), Rows::default());
            let done = effects(&mut shard, event, 5_000, &Open(open), &rows);
            done.into_iter().find_map(|effect| match effect {
                Effect::Ask { mut calls, .. } => calls.pop(),
                _ => None,
            })
        };
        let joined = Peer {
            clock_ms: 9_000,
            ..socket("SOL//1", "SOL")
        };
        let (name, clock_ms) = ("SOL//1".to_owned(), 9_001);
        let closed = Event::Closed {
            peer: Some(joined.clone()),
            code: 1000,
        };
        let leave = Call::Leave { name, clock_ms };
        assert_eq!(told(closed, Vec::new()), Some(("SOL".to_owned(), leave)));
        let join = told(connecting(1), vec![joined]).map(|(_, call)| call);
        assert!(
            matches!(
                join,
                Some(Call::Join {
                    clock_ms: 9_001,
                    ..
                })
            ),
            "{join:?}"
        );
    }

    #[test]
    fn a_shard_of_the_tools_own_room_stores_nothing_whatever_wakes_it() {
        let token = "edge-broadcast-verify-1";
        let name = "edge-broadcast-verify-1//1";
        let push = Push {
            epoch: "e1".to_owned(),
            previous: 7,
            updates: vec![super::super::update::Update {
                seq: 8,
                key: "P".to_owned(),
                text: "{}".to_owned(),
            }],
            again: false,
        };
        let push = serde_json::to_string(&push).unwrap();
        let open = Open(vec![socket(name, token)]);
        let ended = || Event::Closed {
            peer: Some(socket(name, token)),
            code: 1006,
        };
        let said = Event::Message {
            peer: Some(socket(name, token)),
            text: Some("ping".to_owned()),
            bytes: 4,
        };
        for (woken, then) in [
            (called(1, Call::Push, &push), ended()),
            (ended(), called(1, Call::Push, &push)),
            (said, ended()),
        ] {
            let mut shard = object(10 * MINUTE_MS);
            for event in [woken, then] {
                let done = effects(&mut shard, event, 10 * MINUTE_MS, &open, &Rows::default());
                assert_eq!(record(&done), None, "{done:?}");
            }
        }
    }
}
