//! What no seed shows: a receipt and a frame, whole, where batches and conflation meet, and bounds that are never reached
//! since the updates of a run are small and few. Fixed scenarios with one root, whose runtime loses and delays nothing.

use crate::update;
use edge_broadcast_protocol::contract::call::{Call, Connect, Publish};
use edge_broadcast_protocol::contract::place::{Home, Place};
use edge_broadcast_protocol::contract::receipt::Receipt;
use edge_broadcast_protocol::contract::report::Report;
use edge_broadcast_protocol::contract::settings::{Conflate, RoomSettings, conflate_key};
use edge_broadcast_protocol::contract::slot::Slot;
use edge_broadcast_protocol::room::effect::{Effect, Opening, Reply};
use edge_broadcast_protocol::room::event::{Event, Incoming, Rows, Sockets, Timer};
use edge_broadcast_protocol::room::flow::{ACK_BYTES, ACK_WINDOW_MS};
use edge_broadcast_protocol::room::object::{Identity, Object};
use edge_broadcast_protocol::room::peer::{Peer, Seen};
use edge_broadcast_protocol::room::update::MAX_FRAME_BYTES;

/// Of an update as sockets get it, in bytes.
const LARGE: usize = 16 << 10;
const LARGER: usize = 300 << 10;

/// A root, its runtime, and those who are connected.
struct Room {
    object: Object,
    now_ms: u64,
    timers: Vec<(u64, Timer)>,
    sockets: Vec<Socket>,
    /// Those whom the room has closed, with the number of the last update that they got, and the code.
    closed: Vec<(String, u64, u16)>,
    /// Sockets of which the room has not heard yet that they are gone.
    leaving: Vec<(Peer, u16)>,
    /// How often somebody has acknowledged.
    acks: usize,
    /// The last answer.
    answer: String,
    requests: u32,
}

struct Socket {
    peer: Peer,
    habit: Habit,
    frames: Vec<String>,
    /// The last update that it got.
    seq: u64,
    /// What it got since its count began, and when that was.
    counted: u64,
    counts_since_ms: u64,
}

/// What a client says of what it gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    Acknowledges,
    SaysNothing,
}

struct View<'room>(&'room [Socket]);

impl Sockets for View<'_> {
    fn count(&self, _tag: Option<&str>) -> u32 {
        u32::try_from(self.0.len()).unwrap()
    }

    fn seen(&self, _tag: Option<&str>) -> Vec<Seen> {
        let seen = |socket: &Socket| Seen {
            opened_ms: socket.peer.opened_ms,
            pinged_ms: socket.peer.pinged_ms,
        };
        self.0.iter().map(seen).collect()
    }

    fn oldest(&self) -> Option<u64> {
        self.0.first().map(|socket| socket.peer.life)
    }

    fn newest(&self) -> Option<Peer> {
        self.0.last().map(|socket| socket.peer.clone())
    }

    fn names(&self) -> Vec<(String, u64)> {
        let name = |socket: &Socket| (socket.peer.id.clone(), socket.peer.opened_ms);
        self.0.iter().map(name).collect()
    }
}

impl Room {
    fn new(batch_window_ms: u32, conflate: Conflate) -> Self {
        let settings = RoomSettings {
            max_connections: 100,
            max_shards: 1,
            batch_window_ms,
            conflate,
            conflate_key: conflate_key(),
            history: 1000,
            idle_timeout_ms: 90_000,
            publish_rate: 0,
        };
        let identity = Identity {
            epoch: "e1".to_owned(),
            ..Identity::default()
        };
        let now_ms = 1_000_000;
        Self {
            object: Object::new(settings, identity, now_ms),
            now_ms,
            timers: Vec::new(),
            sockets: Vec::new(),
            closed: Vec::new(),
            leaving: Vec::new(),
            acks: 0,
            answer: String::new(),
            requests: 0,
        }
    }

    /// An event, and everything that it causes.
    fn on(&mut self, event: Event) {
        self.answer_event(event);
        for (peer, code) in std::mem::take(&mut self.leaving) {
            let peer = Some(peer);
            self.answer_event(Event::Closed { peer, code });
        }
    }

    fn answer_event(&mut self, event: Event) {
        let effects = self.object.on(event, self.now_ms, &View(&self.sockets));
        for effect in effects {
            if let Some(event) = self.perform(effect) {
                self.answer_event(event);
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Load => return Some(Event::Loaded(Some(Rows::default()))),
            Effect::Timer { timer, after_ms } => {
                self.timers.push((self.now_ms + after_ms, timer));
            }
            Effect::Send {
                delivery,
                frames,
                seq,
                ..
            } => return Some(self.write(delivery, &frames, seq)),
            Effect::Close { indexes, close, .. } => {
                for index in indexes.into_iter().rev() {
                    let Socket { peer, seq, .. } = self.sockets.remove(index as usize);
                    self.closed.push((peer.id.clone(), seq, close.code));
                    self.leaving.push((peer, close.code));
                }
            }
            Effect::Accept(Opening { peer, frames, .. }) => self.sockets.push(Socket {
                peer,
                habit: Habit::SaysNothing,
                frames,
                seq: 0,
                counted: 0,
                counts_since_ms: self.now_ms,
            }),
            Effect::Reply { reply, .. } => {
                let Reply::Json(text) = reply else {
                    panic!("{reply:?}")
                };
                self.answer = text;
            }
            Effect::Store { store: None, .. } | Effect::Measure { .. } => {}
            effect => panic!("a root without shards wants {effect:?}"),
        }
        None
    }

    fn write(&mut self, delivery: u32, frames: &[String], seq: u64) -> Event {
        let bytes: usize = frames.iter().map(String::len).sum();
        for socket in &mut self.sockets {
            socket.frames.extend_from_slice(frames);
            socket.seq = seq;
            if self.now_ms - socket.counts_since_ms > ACK_WINDOW_MS {
                socket.counted = 0;
                socket.counts_since_ms = self.now_ms;
            }
            socket.counted += bytes as u64;
        }
        Event::Sent {
            delivery,
            sockets: View(&self.sockets).count(None),
            failed: 0,
        }
    }

    fn call(&mut self, call: Call, body: &str, random: &str) {
        self.requests += 1;
        self.on(Event::Call(Incoming {
            request: self.requests,
            call,
            body: body.to_owned(),
            random: random.to_owned(),
        }));
    }

    /// A client called `name` connects, which has everything up to a number of an epoch: what it gets at once.
    fn connect(&mut self, name: &str, habit: Habit, since: Option<(u64, &str)>) -> Vec<String> {
        let call = Call::Connect(Connect {
            place: Place {
                token: "SOL".to_owned(),
                region: String::new(),
                index: 0,
                home: Home::Root,
            },
            address: None,
            per_address: 0,
            max_message_bytes: 1024,
            since: since.map(|(seq, _)| seq),
            epoch: since.map(|(_, epoch)| epoch.to_owned()),
            root_hint: None,
        });
        self.call(call, "", name);
        let socket = self.sockets.last_mut().unwrap();
        assert_eq!(socket.peer.id, name);
        socket.habit = habit;
        std::mem::take(&mut socket.frames)
    }

    fn publish(&mut self, body: &str) -> Receipt {
        let call = Call::Publish(Publish {
            token: "SOL".to_owned(),
            slot: Slot::Primary,
            id: None,
            force: false,
            signed_ms: None,
        });
        self.call(call, body, "");
        serde_json::from_str(&self.answer).unwrap()
    }

    /// Time passes: clients say what they got, and timers run out.
    fn wait(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        self.acknowledge();
        while let Some(at) = (0..self.timers.len()).min_by_key(|at| self.timers[*at].0)
            && self.timers[at].0 <= until_ms
        {
            let (due_ms, timer) = self.timers.remove(at);
            self.now_ms = due_ms;
            self.on(Event::Timer(timer));
            self.acknowledge();
        }
        self.now_ms = until_ms;
    }

    /// Who got so much within so long as the greeting and the protocol say tells the room.
    fn acknowledge(&mut self) {
        let mut frames = Vec::new();
        for socket in &mut self.sockets {
            if socket.counted < ACK_BYTES || socket.habit != Habit::Acknowledges {
                continue;
            }
            socket.counted = 0;
            socket.counts_since_ms = self.now_ms;
            let text = format!(r#"{{"type":"ack","seq":{}}}"#, socket.seq);
            frames.push((socket.peer.clone(), text));
        }
        self.acks += frames.len();
        for (peer, text) in frames {
            self.on(Event::Message {
                peer: Some(peer),
                bytes: text.len(),
                text: Some(text),
            });
        }
    }

    /// What a socket got since it was last asked.
    fn frames(&mut self, name: &str) -> Vec<String> {
        let mut sockets = self.sockets.iter_mut();
        let socket = sockets.find(|socket| socket.peer.id == name).unwrap();
        std::mem::take(&mut socket.frames)
    }

    fn report(&mut self) -> Report {
        let call = Call::Inspect {
            token: "SOL".to_owned(),
            name: "SOL".to_owned(),
            region: String::new(),
        };
        self.call(call, "", "");
        serde_json::from_str(&self.answer).unwrap()
    }
}

/// A body that as the update `seq` has `bytes` bytes.
fn sized(seq: u64, bytes: usize) -> String {
    let around = format!(r#"{{"type":"P","text":"","seq":{seq},"epoch":"e1"}}"#);
    format!(
        r#"{{"type":"P","text":"{}"}}"#,
        "x".repeat(bytes - around.len())
    )
}

/// The bytes of frames, and the first and the last number in each; they follow each other.
fn shapes(frames: &[String]) -> Vec<(usize, u64, u64)> {
    let shape = |frame: &String| {
        let items = update::items(frame);
        let (first, last) = (items[0].seq, items[items.len() - 1].seq);
        assert!(items.iter().map(|item| item.seq).eq(first..=last));
        (frame.len(), first, last)
    };
    frames.iter().map(shape).collect()
}

/// The bytes of a frame of `count` large updates.
fn several(count: usize) -> usize {
    r#"{"type":"BATCH_UPDATE","updates":[]}"#.len() + count * LARGE + (count - 1)
}

#[test]
fn a_batch_between_updates_of_its_key_is_kept_whole_and_in_order_and_they_are_conflated() {
    let mut room = Room::new(50, Conflate::Latest);
    room.connect("a", Habit::SaysNothing, None);
    let receipt = |seq, dropped| Receipt {
        seq,
        epoch: "e1".to_owned(),
        sockets: 1,
        shards: 1,
        dropped,
        batched: true,
        ..Receipt::default()
    };
    let at_once = Receipt {
        batched: false,
        ..receipt(1, 0)
    };
    assert_eq!(room.publish(r#"{"type":"P","n":1}"#), at_once);
    assert_eq!(
        room.frames("a"),
        [r#"{"type":"P","n":1,"seq":1,"epoch":"e1"}"#]
    );
    room.wait(10);
    assert_eq!(room.publish(r#"{"type":"P","n":2}"#), receipt(2, 0));
    assert_eq!(room.publish(r#"{"type":"V","n":3}"#), receipt(3, 0));
    assert_eq!(room.publish(r#"{"type":"P","n":4}"#), receipt(4, 1));
    let batch = r#"{"type":"BATCH_UPDATE","updates":[{"type":"P","n":5},{"type":"P","n":6},{"type":"P","n":7}]}"#;
    let of_three = Receipt {
        first_seq: Some(5),
        ..receipt(7, 0)
    };
    assert_eq!(room.publish(batch), of_three);
    assert_eq!(room.publish(r#"{"type":"P","n":8}"#), receipt(8, 1));
    assert_eq!(room.publish(r#"{"type":"P","n":9}"#), receipt(9, 1));
    room.wait(39);
    assert_eq!(room.frames("a"), [""; 0]);
    room.wait(1);
    let frame = [
        r#"{"type":"BATCH_UPDATE","updates":[{"type":"V","n":3,"seq":3,"epoch":"e1"}"#,
        r#"{"type":"P","n":5,"seq":5,"epoch":"e1"}"#,
        r#"{"type":"P","n":6,"seq":6,"epoch":"e1"}"#,
        r#"{"type":"P","n":7,"seq":7,"epoch":"e1"}"#,
        r#"{"type":"P","n":9,"seq":9,"epoch":"e1"}]}"#,
    ];
    assert_eq!(room.frames("a"), [frame.join(",")]);
    room.wait(1000);
    assert_eq!(room.frames("a"), [""; 0]);
    assert_eq!(room.report().root.counters.conflated, 3);
}

#[test]
fn a_frame_has_at_most_256_kib_in_a_window_and_in_a_resume_and_a_larger_update_one_of_its_own() {
    assert_eq!(MAX_FRAME_BYTES, 256 << 10);
    let mut room = Room::new(1000, Conflate::All);
    room.connect("a", Habit::SaysNothing, None);
    room.publish(&sized(1, LARGE));
    assert_eq!(shapes(&room.frames("a")), [(LARGE, 1, 1)]);
    for seq in 2..=44 {
        let bytes = if seq == 42 { LARGER } else { LARGE };
        room.publish(&sized(seq, bytes));
    }
    assert_eq!(room.frames("a"), [""; 0]);
    room.wait(1000);
    let missed = [
        (several(15), 2, 16),
        (several(15), 17, 31),
        (several(10), 32, 41),
        (LARGER, 42, 42),
        (several(2), 43, 44),
    ];
    let frames = room.frames("a");
    assert_eq!(shapes(&frames), missed);
    // With a sixteenth update it would have too many.
    assert!(several(15) <= MAX_FRAME_BYTES && several(16) > MAX_FRAME_BYTES);

    let connected = |name: &str, seq: u64, recovered: bool| {
        format!(
            r#"{{"type":"connected","connectionId":"{name}","token":"SOL","epoch":"e1","seq":{seq},"recovered":{recovered},"ack":262144}}"#
        )
    };
    let resumed = room.connect("b", Habit::SaysNothing, Some((1, "e1")));
    assert_eq!(resumed[0], connected("b", 44, true));
    assert!(resumed[1..] == frames, "{:?}", shapes(&resumed[1..]));
    let unknown = room.connect("c", Habit::SaysNothing, Some((7, "e0")));
    assert_eq!(unknown[0], connected("c", 0, false));
    let all = [
        (several(15), 1, 15),
        (several(15), 16, 30),
        (several(11), 31, 41),
        (LARGER, 42, 42),
        (several(2), 43, 44),
    ];
    assert_eq!(shapes(&unknown[1..]), all);
}

#[test]
fn of_seventy_keys_a_new_client_gets_the_newest_of_the_64_that_were_updated_last() {
    let mut room = Room::new(0, Conflate::Latest);
    for key in 1..=70 {
        room.publish(&format!(r#"{{"type":"K{key}","n":1}}"#));
    }
    // The first is updated again, and so are two that have not gone yet.
    for key in [1, 69, 30] {
        room.publish(&format!(r#"{{"type":"K{key}","n":2}}"#));
    }
    let value = |key: u64, n: u64, seq: u64| {
        format!(r#"{{"type":"K{key}","n":{n},"seq":{seq},"epoch":"e1"}}"#)
    };
    let once = (8..=70).filter(|key| ![30, 69].contains(key));
    let mut others: Vec<String> = once.map(|key| value(key, 1, key)).collect();
    others.extend([value(1, 2, 71), value(69, 2, 72)]);
    assert_eq!(others.len() + 1, 64);
    let greeting = format!(
        r#"{{"type":"connected","connectionId":"a","token":"SOL","epoch":"e1","seq":73,"recovered":false,"ack":262144,"snapshot":{},"snapshots":[{}]}}"#,
        value(30, 2, 73),
        others.join(",")
    );
    assert_eq!(room.connect("a", Habit::SaysNothing, None), [greeting]);
    room.wait(10_000);
    assert_eq!(room.frames("a"), [""; 0]);
}

#[test]
fn who_confirms_nothing_of_a_hot_room_is_closed_and_who_does_stays_and_a_quiet_room_closes_nobody()
{
    let mut room = Room::new(0, Conflate::Latest);
    room.connect("acknowledges", Habit::Acknowledges, None);
    room.connect("says nothing", Habit::SaysNothing, None);
    let mut seq = 0;
    let mut publish = |room: &mut Room, count: u64, every_ms: u64| {
        for _ in 0..count {
            room.wait(every_ms);
            seq += 1;
            room.publish(&sized(seq, LARGE));
            room.sockets
                .iter_mut()
                .for_each(|socket| socket.frames.clear());
        }
        let report = room.report();
        let counters = report.root.counters;
        (counters.slow, counters.disconnects, report.sockets)
    };
    // 8 MiB are 512 of these, and sockets are looked at after each 1 MiB, of 64.
    assert_eq!(publish(&mut room, 575, 20), (0, 0, 2));
    assert_eq!(publish(&mut room, 1, 20), (1, 1, 1));
    let closed = [("says nothing".to_owned(), 576, 4010)];
    assert_eq!(room.closed, closed);
    assert_eq!(publish(&mut room, 640, 20), (1, 1, 1));
    room.wait(60_000);
    // One for 16 updates
    assert_eq!(std::mem::take(&mut room.acks), (576 + 640) / 16);

    // 15 updates in 30 s are less than what is to be acknowledged: nobody says anything of more than 8 MiB.
    room.connect("came in the quiet", Habit::SaysNothing, None);
    assert_eq!(publish(&mut room, 640, 2100), (1, 1, 2));
    assert_eq!((room.closed, room.acks), (closed.to_vec(), 0));
}
