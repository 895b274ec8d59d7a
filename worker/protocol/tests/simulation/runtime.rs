//! The runtime of the objects: it delivers events, carries out effects, and lets objects sleep, wake and crash.

use crate::client::Message;
use crate::host::{Arrival, Output, Question, Socket, Waiting, listed};
use crate::law::{Held, Reader, Violation, check};
use crate::network::{Caller, Flight};
use crate::object::Seam;
use crate::update::{self, Item};
use crate::world::{Answer, Happening, World, is_root};
use edge_broadcast_protocol::contract::call::Call;
use edge_broadcast_protocol::contract::close::Close;
use edge_broadcast_protocol::room::effect::{Effect, Opening, Reply, Row};
use edge_broadcast_protocol::room::event::{Event, Outcome, Request, Rows, Timer};
use edge_broadcast_protocol::room::object::Identity;
use edge_broadcast_protocol::room::turn;
use std::rc::Rc;

/// The runtime lets an object sleep that was idle for so long (docs: Durable Objects, hibernation), or somewhat longer.
const IDLE_MS: u64 = 10_000;
const MOST_LONGER_MS: u64 = 5_000;

/// What one turn of an object has to go on.
struct Turn {
    name: String,
    /// The socket that the event is about.
    socket: Option<u64>,
    /// Calls, which leave when it ends.
    calls: Vec<Output>,
}

/// Whether an object is still there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lives,
    Crashed,
}

/// What an effect answers at once.
type Answered = Result<Option<Event>, Violation>;

/// What a root's stored record says of its stream: the epoch, the last number that was sent, and whether that is exact. A
/// record that does not say it must not excuse a root from everything that it has sent.
fn survivor(record: &serde_json::Value) -> (&str, u64, bool) {
    let stream = &record["stream"];
    let is_exact = match record["standing"].as_str() {
        Some("exact") => true,
        Some("behind") => false,
        _ => panic!("a record without a standing: {record}"),
    };
    let epoch = stream["epoch"].as_str().expect("a record has an epoch");
    let sent = stream["sent"].as_u64();
    (epoch, sent.expect("a record says what was sent"), is_exact)
}

impl World {
    /// An event reaches an object, unless rows are being read: then it waits.
    pub(crate) fn deliver(&mut self, name: &str, arrival: Arrival) -> Held {
        self.host(name).inbox.push_back(arrival);
        self.catch_up(name)
    }

    /// Delivers what waits for an object, in order.
    fn catch_up(&mut self, name: &str) -> Held {
        loop {
            let host = self.host(name);
            let waits = if host.is_reading {
                None
            } else {
                host.inbox.pop_front()
            };
            let Some(arrival) = waits else {
                break;
            };
            self.turn(name, arrival)?;
        }
        self.rest(name);
        Ok(())
    }

    /// Everything that one event causes, before the next.
    fn turn(&mut self, name: &str, arrival: Arrival) -> Held {
        let gone = match arrival.event {
            Event::Closed { .. } => arrival.socket,
            _ => None,
        };
        let mut turn = Turn {
            name: name.to_owned(),
            socket: arrival.socket,
            calls: Vec::new(),
        };
        if self.answer_event(&mut turn, arrival.event)? == Fate::Crashed {
            return Ok(());
        }
        self.host(name)
            .sockets
            .retain(|socket| Some(socket.id) != gone);
        for call in turn.calls {
            if let Output::Call { body, .. } = &call {
                let items = update::pushed(body);
                self.numbered(name, &items)?;
            }
            self.leave(name, call);
        }
        Ok(())
    }

    /// Carries out all that an event calls for. What an effect answers at once comes before the next effect.
    fn answer_event(&mut self, turn: &mut Turn, event: Event) -> Result<Fate, Violation> {
        for effect in self.decide(&turn.name, event) {
            let answer = self.perform(turn, effect)?;
            if self.fails(|faults| faults.crash) {
                self.crash(&turn.name);
                return Ok(Fate::Crashed);
            }
            if let Some(event) = answer
                && self.answer_event(turn, event)? == Fate::Crashed
            {
                return Ok(Fate::Crashed);
            }
        }
        Ok(Fate::Lives)
    }

    /// Asks the machine, which is started where there is none.
    fn decide(&mut self, name: &str, event: Event) -> Vec<Effect> {
        let now_ms = self.now_ms;
        self.host(name).active_ms = now_ms;
        let now_ms = self.host(name).clock(now_ms);
        if matches!(&event, Event::Call(incoming) if matches!(incoming.call, Call::Publish(_))) {
            let per_second = self.plan.settings.publish_rate;
            self.host(name).rate.refill(per_second, now_ms);
        }
        let mut machine = match self.host(name).machine.take() {
            Some(machine) => machine,
            None => self.start(name, now_ms),
        };
        self.tell(|_| format!("{name} at {now_ms} <- {}", crate::object::brief(&event)));
        let host = self.host(name);
        let effects = machine.on(
            event,
            now_ms,
            &crate::host::View {
                sockets: &host.sockets,
            },
        );
        host.machine = Some(machine);
        effects
    }

    fn start(&mut self, name: &str, now_ms: u64) -> Seam {
        self.count("started");
        let epoch = self.random.hex(8);
        if is_root(name) {
            self.ledger.begins(&epoch);
        }
        let identity = Identity {
            salt: name.to_owned(),
            epoch,
            ..Identity::default()
        };
        Seam::new(self.plan.settings.clone(), identity, now_ms, self.sabotage)
    }

    #[expect(clippy::too_many_lines, reason = "a table: one effect below the other")]
    fn perform(&mut self, turn: &mut Turn, effect: Effect) -> Answered {
        let name = turn.name.clone();
        self.tell(|_| format!("{name} -> {}", crate::object::brief(&effect)));
        match effect {
            Effect::Load => self.read_rows(&name),
            Effect::Store { row, text, store } => {
                self.host(&name).storage.put(row, text, store);
                self.write(&name);
            }
            Effect::Forget => {
                self.host(&name).storage.clear();
                self.write(&name);
            }
            Effect::Timer { timer, after_ms } => {
                self.is_short(&name, timer, after_ms)?;
                let host = self.host(&name);
                host.timers.push(timer);
                let (object, life) = (name, host.life);
                self.after(
                    after_ms,
                    Happening::Timer {
                        object,
                        life,
                        timer,
                    },
                );
            }
            Effect::Ask {
                ask, calls, body, ..
            } => self.ask(turn, ask, calls, body),
            Effect::Hold { delivery } => {
                let host = self.host(&name);
                let sockets = host.sockets.iter().rev().map(|socket| socket.id).collect();
                host.audiences.insert(delivery, sockets);
            }
            Effect::Send {
                delivery,
                frames,
                seq,
                epoch,
            } => {
                let sent = self.broadcast(turn, delivery, &frames, seq)?;
                if let Some(epoch) = epoch {
                    self.mark(&name, &epoch, seq);
                }
                return Ok(Some(sent));
            }
            Effect::Mark { epoch, sent } => self.mark(&name, &epoch, sent),
            Effect::Close {
                indexes,
                tag,
                close,
            } => {
                let host = self.host(&name);
                let sockets: Vec<u64> = listed(&host.sockets, tag.as_deref())
                    .map(|socket| socket.id)
                    .collect();
                for index in indexes {
                    self.hang_up(&name, sockets.get(index as usize).copied(), close);
                }
            }
            Effect::Accept(opening) => {
                return self.accept(turn, opening);
            }
            Effect::Reply { request, reply } => self.reply(&name, request, reply)?,
            Effect::Attach(peer) => {
                let host = self.host(&name);
                if let Some(socket) = turn.socket.and_then(|socket| host.socket(socket)) {
                    socket.peer = peer;
                }
            }
            Effect::Hang(close) => {
                self.judge_loud(&name, turn.socket, close)?;
                self.hang_up(&name, turn.socket, close);
            }
            Effect::Frame(_) | Effect::Measure { .. } | Effect::Log(_) => {}
        }
        Ok(None)
    }

    /// A shard's place in the stream is attached to its newest open socket.
    fn mark(&mut self, name: &str, epoch: &str, sent: u64) {
        let sockets = &mut self.host(name).sockets;
        if let Some(newest) = sockets.iter_mut().rev().find(|socket| socket.is_open) {
            epoch.clone_into(&mut newest.peer.epoch);
            newest.peer.sent = sent;
        }
    }

    fn read_rows(&mut self, name: &str) {
        let after_ms = self.random.between(0, 5);
        let host = self.host(name);
        host.is_reading = true;
        let (object, life) = (name.to_owned(), host.life);
        self.after(after_ms, Happening::Loaded { object, life });
    }

    pub(crate) fn loaded(&mut self, name: &str, life: u32) -> Held {
        let fails = self.fails(|faults| faults.failed_read);
        let host = self.host(name);
        if host.life != life {
            return Ok(());
        }
        host.is_reading = false;
        let rows = host.storage.rows();
        let rows = (!fails).then(|| Rows {
            room: rows.get(&Row::Room).cloned(),
            shards: rows.get(&Row::Shards).cloned(),
            ..Rows::default()
        });
        let event = Event::Loaded(rows);
        host.inbox.push_front(Arrival {
            event,
            socket: None,
        });
        self.catch_up(name)
    }

    /// A write begins; it ends when those before it have ended.
    fn write(&mut self, name: &str) {
        let most_ms = self.plan.faults.write_ms;
        let after_ms = self.random.between(0, most_ms);
        let host = self.host(name);
        let (object, life) = (name.to_owned(), host.life);
        self.after(after_ms, Happening::Written { object, life });
    }

    pub(crate) fn written(&mut self, name: &str, life: u32) -> Held {
        let fails = self.fails(|faults| faults.failed_write);
        let host = self.host(name);
        if host.life != life {
            return Ok(());
        }
        let write = if fails {
            host.storage.fail()
        } else {
            host.storage.confirm()
        };
        let store = write.and_then(|write| write.store);
        self.is_unsaid |= fails;
        // A write that nobody waits for and that fails takes its object along.
        if fails && (store.is_none() || self.random.happens(500)) {
            self.crash(name);
            return Ok(());
        }
        if let Some(store) = store {
            let outcome = if fails {
                Outcome::Failed
            } else {
                Outcome::Done
            };
            let event = Event::Stored { store, outcome };
            self.deliver(
                name,
                Arrival {
                    event,
                    socket: None,
                },
            )?;
        }
        self.release(name);
        self.rest(name);
        Ok(())
    }

    /// What a durable write has held back leaves.
    fn release(&mut self, name: &str) {
        let host = self.host(name);
        if host.storage.is_gated() {
            return;
        }
        for output in std::mem::take(&mut host.held) {
            self.let_out(name, output);
        }
    }

    /// Something leaves an object, now or when a durable write is done.
    fn leave(&mut self, name: &str, output: Output) {
        let host = self.host(name);
        if host.storage.is_gated() {
            host.held.push_back(output);
        } else {
            self.let_out(name, output);
        }
    }

    fn let_out(&mut self, name: &str, output: Output) {
        match output {
            Output::Answer { flight, answer } => self.answer(flight, answer),
            Output::Call {
                ask,
                index,
                to,
                call,
                body,
            } => {
                let life = self.host(name).life;
                let name = name.to_owned();
                let from = Caller::Object {
                    name,
                    life,
                    ask,
                    index,
                };
                self.call(Flight {
                    from,
                    to,
                    call,
                    body,
                });
            }
            Output::Frames { socket, frames } => self.send(socket, Message::Frames(frames)),
            Output::Close { socket, code } => self.send(socket, Message::Closed(code)),
        }
    }

    fn ask(&mut self, turn: &mut Turn, ask: u32, calls: Vec<(String, Call)>, body: Option<String>) {
        let question = Question {
            answers: vec![None; calls.len()],
            missing: calls.len(),
        };
        self.host(&turn.name).asks.insert(ask, question);
        let body = body.unwrap_or_default();
        for (index, (to, call)) in calls.into_iter().enumerate() {
            let body = body.clone();
            turn.calls.push(Output::Call {
                ask,
                index,
                to,
                call,
                body,
            });
        }
    }

    /// Writes frames to sockets.
    fn broadcast(
        &mut self,
        turn: &mut Turn,
        delivery: u32,
        frames: &[String],
        seq: u64,
    ) -> Result<Event, Violation> {
        let name = turn.name.clone();
        let items: Vec<Item> = frames
            .iter()
            .flat_map(|frame| update::items(frame))
            .collect();
        self.numbered(&name, &items)?;
        if let Some(last) = items.last().filter(|_| is_root(&name)) {
            self.outstanding.leave(&self.ledger, last)?;
        }
        let host = self.host(&name);
        let all = || host.sockets.iter().rev().map(|socket| socket.id).collect();
        let mut sockets: Vec<u64> = host.audiences.remove(&delivery).unwrap_or_else(all);
        let start = turn::start(seq, u32::try_from(sockets.len()).unwrap_or_default());
        sockets.rotate_left(start as usize);
        let frames = Rc::new((None, items));
        let (mut sent, mut failed) = (0, 0);
        for id in sockets {
            let fails = self.fails(|faults| faults.failed_send);
            let Self { hosts, ledger, .. } = self;
            let host = hosts.get_mut(&name).expect("it is there");
            let Some(socket) = host.socket(id).filter(|socket| socket.is_open) else {
                continue;
            };
            if fails {
                failed += 1;
                let close = Close {
                    code: 1011,
                    reason: "send failed",
                };
                self.hang_up(&name, Some(id), close);
                continue;
            }
            for item in &frames.1 {
                socket.reader.sent(ledger, item)?;
                ledger.wrote(item, id);
            }
            sent += 1;
            let frames = Rc::clone(&frames);
            self.leave(&name, Output::Frames { socket: id, frames });
        }
        Ok(Event::Sent {
            delivery,
            sockets: sent,
            failed,
        })
    }

    /// Updates leave an object: each number is one update, and a root gives out none above the rate.
    fn numbered(&mut self, name: &str, items: &[Item]) -> Held {
        for item in items {
            self.ledger.saw(item)?;
            if is_root(name) {
                self.spend(name, &item.epoch, item.seq)?;
            }
        }
        Ok(())
    }

    fn hang_up(&mut self, name: &str, socket: Option<u64>, close: Close) {
        let host = self.host(name);
        let Some(socket) = socket.and_then(|socket| host.socket(socket)) else {
            return;
        };
        if !socket.is_open {
            return;
        }
        socket.is_open = false;
        let (socket, code) = (socket.id, close.code);
        self.leave(name, Output::Close { socket, code });
        self.shut(socket, code);
    }

    fn accept(&mut self, turn: &mut Turn, opening: Opening) -> Answered {
        let name = turn.name.clone();
        let Opening {
            request,
            index,
            tag,
            peer,
            frames,
            ..
        } = opening;
        if self.fails(|faults| faults.not_accepted) {
            self.is_unsaid |= !is_root(&name);
            return Ok(Some(Event::NotAccepted { request, index }));
        }
        let now_ms = self.now_ms;
        let Some(waiting) = self.host(&name).requests.remove(&request) else {
            return Ok(None);
        };
        let (Some(flight), Call::Connect(connect)) = (waiting.flight, &waiting.call) else {
            return Ok(None);
        };
        let keeps = is_root(&name).then_some(self.plan.settings.history);
        let (greeting, retained) = update::first(&frames);
        let reader = Reader::greeted(
            &mut self.ledger,
            connect,
            &waiting.known,
            &greeting,
            &retained,
            keeps,
        )?;
        self.count(match connect.since {
            _ if greeting.behind => "behind",
            _ if greeting.recovered => "recovered",
            None => "fresh",
            Some(_) => "unrecovered",
        });
        let socket = self.number();
        self.ledger.told(&reader, socket);
        let host = self.host(&name);
        let opened_ms = host.clock(now_ms);
        host.sockets.push(Socket {
            id: socket,
            tag,
            peer,
            is_open: true,
            opened_ms,
            answered_ms: None,
            alive_ms: now_ms,
            heard: Vec::new(),
            reader,
        });
        self.within_caps(&name, connect)?;
        let client = self.connecting(flight);
        self.wire(&name, socket, client.unwrap_or_default());
        let answer = Answer::Socket(socket);
        self.leave(&name, Output::Answer { flight, answer });
        let frames = Rc::new((Some(greeting), retained));
        self.leave(&name, Output::Frames { socket, frames });
        Ok(None)
    }

    /// The client that waits for an answer.
    fn connecting(&self, flight: u64) -> Option<usize> {
        match &self.flights.get(&flight)?.from {
            Caller::Client(attempt) => Some(attempt.client),
            _ => None,
        }
    }

    fn reply(&mut self, name: &str, request: Request, reply: Reply) -> Held {
        let Some(waiting) = self.host(name).requests.remove(&request) else {
            return check(0, false, || format!("{name} answers {request} twice"));
        };
        let answer = match reply {
            Reply::Json(text) => {
                self.judge_receipt(name, &waiting, &text)?;
                Answer::Json(text)
            }
            Reply::Refused(refusal) => {
                self.judge_refusal(name, &waiting, refusal.code)?;
                let (status, code) = (refusal.status, refusal.code);
                Answer::Refused { status, code }
            }
            Reply::Full { next } => {
                self.judge_refusal(name, &waiting, "full")?;
                Answer::Full { next }
            }
            Reply::Snapshot { body, .. } => Answer::Snapshot { body },
        };
        if let Some(flight) = waiting.flight {
            self.leave(name, Output::Answer { flight, answer });
        }
        Ok(())
    }

    pub(crate) fn rang(&mut self, name: &str, life: u32, timer: Timer) -> Held {
        let host = self.host(name);
        if host.life != life {
            return Ok(());
        }
        if let Some(index) = host.timers.iter().position(|set| *set == timer) {
            host.timers.remove(index);
        }
        let event = Event::Timer(timer);
        self.deliver(
            name,
            Arrival {
                event,
                socket: None,
            },
        )
    }

    /// An object that nothing keeps awake may sleep later.
    fn rest(&mut self, name: &str) {
        if self.host(name).is_idle() && self.fails(|faults| faults.doze) {
            let after_ms = IDLE_MS + self.random.between(0, MOST_LONGER_MS);
            let (object, life) = (name.to_owned(), self.host(name).life);
            self.after(after_ms, Happening::Doze { object, life });
        }
    }

    pub(crate) fn doze(&mut self, name: &str, life: u32) -> Held {
        let now_ms = self.now_ms;
        let host = self.host(name);
        if host.life != life || !host.is_idle() || host.machine.is_none() {
            return Ok(());
        }
        let sleeps_ms = host.active_ms + IDLE_MS;
        if sleeps_ms > now_ms {
            let object = name.to_owned();
            self.at(sleeps_ms, Happening::Doze { object, life });
            return Ok(());
        }
        self.is_at_rest(name)?;
        self.tell(|_| format!("{name} hibernates"));
        self.count("hibernated");
        self.host(name).forget();
        Ok(())
    }

    /// An object dies: its sockets, its calls, and what it has not stored yet.
    pub(crate) fn crash(&mut self, name: &str) {
        let pending = self.host(name).storage.pending();
        let kept = self.random.between(0, pending);
        self.count("crashed");
        let host = self.host(name);
        host.storage.crash(kept);
        let waiting: Vec<Waiting> = std::mem::take(&mut host.requests).into_values().collect();
        let sockets = std::mem::take(&mut host.sockets);
        host.forget();
        self.tell(|_| format!("{name} crashes, {kept} of {pending} writes survive"));
        for flight in waiting.into_iter().filter_map(|waiting| waiting.flight) {
            self.fail(flight);
        }
        for socket in sockets {
            self.send(socket.id, Message::Closed(1006));
        }
        // What a root was told and has not stored it has not been told.
        self.is_unsaid |= !is_root(name) || kept < pending;
        if is_root(name) {
            self.outstanding.crash();
            self.slots.crash();
            let rows = self.host(name).storage.rows();
            let record = rows.get(&Row::Room).map(|text| update::json(text));
            self.ledger.crashed(record.as_ref().map(survivor));
        }
    }

    /// What goes wrong from second to second.
    pub(crate) fn second(&mut self) {
        if self.is_healed {
            return;
        }
        self.after(1000, Happening::Second);
        self.unsettle();
        let names: Vec<String> = self.hosts.keys().cloned().collect();
        for name in names {
            if self.fails(|faults| faults.clock_step) {
                let most_ms = self.plan.faults.clock_step_ms;
                let step_ms = self.random.between(0, 2 * most_ms).cast_signed();
                self.host(&name).clock_ms = step_ms - most_ms.cast_signed();
            }
        }
    }
}
