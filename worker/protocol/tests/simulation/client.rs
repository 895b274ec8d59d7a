//! Those who subscribe, and the wires between them and the objects.

use crate::host::Arrival;
use crate::law::Held;
use crate::ledger::Place as Spot;
use crate::plan::{Plan, TOKEN};
use crate::random::Random;
use crate::update::{Greeting, Item};
use crate::world::{Happening, World};
use edge_broadcast_protocol::contract::place::Place;
use edge_broadcast_protocol::contract::token::Token;
use edge_broadcast_protocol::gateway::search::Search;
use edge_broadcast_protocol::room::event::Event;
use edge_broadcast_protocol::room::flow::FRAMES_PER_SECOND;
use std::collections::BTreeMap;
use std::rc::Rc;

const PING_MS: u64 = 5_000;

/// A client, as long as it wants updates.
#[derive(Debug)]
pub(crate) struct Client {
    /// The first place of its region.
    place: Place,
    address: String,
    manners: Manners,
    /// The socket that it has.
    wire: Option<u64>,
    /// How often it has tried to connect.
    pub(crate) attempt: u32,
    /// The last number that it has seen, and its epoch.
    last: Option<(u64, String)>,
    /// The newest update of each key that it has, by its place in the ledger.
    pub(crate) known: BTreeMap<String, Spot>,
    pub(crate) search: Option<Search>,
}

/// What a client does with its socket.
#[derive(Clone, Copy, Debug)]
struct Manners {
    pings: Pings,
    /// Whether it comes back with the last number that it has seen.
    resumes: Choice,
    reads: Choice,
    acknowledges: Choice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pings {
    /// As the runtime answers them.
    Exact,
    /// In another spelling, which wakes the object.
    Spaced,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Yes,
    No,
}

/// A try to connect, and what the client had then.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) client: usize,
    pub(crate) attempt: u32,
    pub(crate) known: BTreeMap<String, Spot>,
    pub(crate) since: Option<u64>,
    pub(crate) epoch: Option<String>,
}

/// The line between a client and an object.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) object: String,
    client: usize,
    /// When what was last said arrives: nothing overtakes.
    to_client_ms: u64,
    to_object_ms: u64,
    end: End,
    /// What has come before the client knew that it is connected.
    early: Vec<Message>,
}

/// The client's end of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The answer to the handshake is on its way.
    Opening,
    Open,
    /// Nobody is there any more.
    Gone,
}

/// Frames that have been read: the same for all sockets of an object.
pub(crate) type Frames = Rc<(Option<Greeting>, Vec<Item>)>;

#[derive(Clone, Debug)]
pub(crate) enum Message {
    Frames(Frames),
    Closed(u16),
}

/// What an object hears of a client.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    /// A frame that the runtime does not answer itself.
    Text(String),
    Ping,
    Closed(u16),
}

impl Client {
    pub(crate) fn several(plan: &Plan, random: &mut Random) -> Vec<Self> {
        let token = Token::try_from(TOKEN).expect("it is one");
        let several = (0..plan.clients).map(|_| {
            let region = match plan.regions.len() {
                0 => None,
                regions => plan
                    .regions
                    .get(random.between(0, regions as u64 - 1) as usize),
            };
            Self {
                place: Place::first(&token, &plan.regions, region),
                address: format!("198.51.100.{}", random.between(1, plan.addresses)),
                manners: Manners {
                    pings: random.pick(&[Pings::Exact, Pings::Exact, Pings::Spaced, Pings::Never]),
                    resumes: random.pick(&[Choice::Yes, Choice::Yes, Choice::Yes, Choice::No]),
                    reads: random.pick(&[Choice::Yes, Choice::Yes, Choice::Yes, Choice::No]),
                    acknowledges: random.pick(&[Choice::Yes, Choice::No]),
                },
                wire: None,
                attempt: 0,
                last: None,
                known: BTreeMap::new(),
                search: None,
            }
        });
        several.collect()
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn has_wire(&self) -> bool {
        self.wire.is_some()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The socket of a client that reads what it gets.
    pub(crate) fn reads(&self) -> Option<u64> {
        self.wire.filter(|_| self.manners.reads == Choice::Yes)
    }
}

impl World {
    /// What goes wrong with clients from second to second.
    pub(crate) fn unsettle(&mut self) {
        for client in 0..self.clients.len() {
            let Some(socket) = self.clients[client].wire else {
                continue;
            };
            if self.fails(|faults| faults.farewell) {
                self.part(client, Some(1000));
            } else if self.fails(|faults| faults.broken) {
                self.part(client, Some(1006));
            } else if self.fails(|faults| faults.silence) {
                self.tell(|_| {
                    format!("client {client} vanishes without a word from socket {socket}")
                });
                self.part(client, None);
            } else {
                continue;
            }
            let after_ms = self.random.between(0, 10_000);
            self.after(after_ms, Happening::Connect { client });
        }
    }

    /// A client leaves its socket: with a code, or without a word.
    fn part(&mut self, client: usize, code: Option<u16>) {
        let Some(socket) = self.clients[client].wire.take() else {
            return;
        };
        self.abandon(socket);
        match code {
            Some(code) => self.say(socket, Word::Closed(code)),
            None => self.vanish(socket),
        }
    }

    /// Nobody is at the end of a socket any more; sometimes the network notices.
    fn vanish(&mut self, socket: u64) {
        self.abandon(socket);
        if self.random.happens(300) {
            let after_ms = self.random.between(1_000, 120_000);
            let message = Word::Closed(1006);
            self.after(after_ms, Happening::ToObject { socket, message });
        }
    }

    /// A socket whose client has not waited for it.
    pub(crate) fn orphan(&mut self, socket: u64) {
        if self.random.happens(500) {
            self.vanish(socket);
            return;
        }
        self.abandon(socket);
        self.say(socket, Word::Closed(1006));
    }

    /// Nobody is at the client's end any more.
    fn abandon(&mut self, socket: u64) {
        if let Some(wire) = self.wires.get_mut(&socket) {
            wire.end = End::Gone;
        }
    }

    /// An object has closed a socket: its end is told once the client has answered, or the network has given up.
    pub(crate) fn shut(&mut self, socket: u64, code: u16) {
        let is_alive = self
            .wires
            .get(&socket)
            .is_some_and(|wire| wire.end != End::Gone);
        let (after_ms, code) = match is_alive {
            true => (self.delay() + self.delay(), code),
            false => (self.random.between(1_000, 30_000), 1006),
        };
        let message = Word::Closed(code);
        self.after(after_ms, Happening::ToObject { socket, message });
    }

    /// All clients leave.
    pub(crate) fn farewell(&mut self) {
        for client in 0..self.clients.len() {
            self.part(client, Some(1000));
        }
        let sockets: Vec<u64> = self.wires.keys().copied().collect();
        for socket in sockets {
            self.say(socket, Word::Closed(1006));
        }
    }

    pub(crate) fn ping(&mut self, client: usize) {
        if self.is_over() {
            return;
        }
        self.after(PING_MS, Happening::Ping { client });
        let Client {
            wire,
            manners,
            last,
            ..
        } = &self.clients[client];
        let (Some(socket), manners) = (*wire, *manners) else {
            return;
        };
        let seq = last.as_ref().map_or(0, |(seq, _)| *seq);
        if self.floods && self.random.happens(100) {
            for _ in 0..3 * FRAMES_PER_SECOND {
                self.say(socket, Word::Text("ping".to_owned()));
            }
        }
        match manners.pings {
            Pings::Exact => self.say(socket, Word::Ping),
            Pings::Spaced => self.say(socket, Word::Text(r#"{ "type": "ping" }"#.to_owned())),
            Pings::Never => {}
        }
        if manners.acknowledges == Choice::Yes && self.random.happens(100) {
            self.say(
                socket,
                Word::Text(format!(r#"{{"type":"ack","seq":{seq}}}"#)),
            );
        } else if self.random.happens(2) {
            self.say(socket, Word::Text("hello".to_owned()));
        }
    }

    /// A socket is there for `attempt`.
    pub(crate) fn wire(&mut self, object: &str, socket: u64, client: usize) {
        let wire = Wire {
            object: object.to_owned(),
            client,
            to_client_ms: 0,
            to_object_ms: 0,
            end: End::Opening,
            early: Vec::new(),
        };
        self.wires.insert(socket, wire);
    }

    /// A client gets the socket that it has asked for.
    pub(crate) fn opened(&mut self, client: usize, socket: u64) {
        self.count("connected");
        let Some(wire) = self.wires.get_mut(&socket) else {
            return;
        };
        wire.end = End::Open;
        let early = std::mem::take(&mut wire.early);
        self.clients[client].wire = Some(socket);
        for message in early {
            self.hear(socket, message);
        }
    }

    /// Something leaves an object for a client.
    pub(crate) fn send(&mut self, socket: u64, message: Message) {
        let at_ms = self.now_ms + self.delay();
        let Some(wire) = self.wires.get_mut(&socket) else {
            return;
        };
        wire.to_client_ms = wire.to_client_ms.max(at_ms);
        let at_ms = wire.to_client_ms;
        self.at(at_ms, Happening::ToClient { socket, message });
    }

    /// Something leaves a client for its object.
    pub(crate) fn say(&mut self, socket: u64, message: Word) {
        let at_ms = self.now_ms + self.delay();
        let Some(wire) = self.wires.get_mut(&socket) else {
            return;
        };
        wire.to_object_ms = wire.to_object_ms.max(at_ms);
        let at_ms = wire.to_object_ms;
        self.at(at_ms, Happening::ToObject { socket, message });
    }

    /// Something reaches a client.
    pub(crate) fn hear(&mut self, socket: u64, message: Message) {
        let Some(wire) = self.wires.get_mut(&socket) else {
            return;
        };
        match wire.end {
            End::Opening => return wire.early.push(message),
            End::Open => {}
            End::Gone => return,
        }
        let client = wire.client;
        match message {
            Message::Closed(code) => {
                self.tell(|_| format!("client {client} loses socket {socket}: {code}"));
                self.clients[client].wire = None;
                self.abandon(socket);
                if !self.is_over() {
                    let after_ms = self.random.between(0, 5_000);
                    self.after(after_ms, Happening::Connect { client });
                }
            }
            Message::Frames(frames) => self.read(client, &frames),
        }
    }

    fn read(&mut self, client: usize, frames: &Frames) {
        let Self {
            clients, ledger, ..
        } = self;
        let client = &mut clients[client];
        if client.manners.reads == Choice::No {
            return;
        }
        let (greeting, items) = &**frames;
        let mut seen = Vec::new();
        if let Some(greeting) = greeting {
            if !greeting.recovered && !greeting.behind {
                client.known.clear();
            }
            if !greeting.recovered {
                client.last = Some((greeting.seq, greeting.epoch.clone()));
            }
            seen.extend(&greeting.values);
        }
        seen.extend(items);
        for item in seen {
            if let Some(place) = ledger.place(item) {
                let known = client.known.entry(item.key.clone()).or_default();
                *known = place.max(*known);
            }
        }
        if let Some(item) = items.last() {
            client.last = Some((item.seq, item.epoch.clone()));
        }
    }

    /// A try of `client` to connect, with what it has.
    pub(crate) fn attempt(&mut self, client: usize) -> Attempt {
        let resumes = self.clients[client].manners.resumes == Choice::Yes;
        let it = &mut self.clients[client];
        it.attempt += 1;
        let last = it.last.clone().filter(|_| resumes);
        Attempt {
            client,
            attempt: it.attempt,
            known: if last.is_some() {
                it.known.clone()
            } else {
                BTreeMap::new()
            },
            since: last.as_ref().map(|(since, _)| *since),
            epoch: last.map(|(_, epoch)| epoch),
        }
    }

    /// Something reaches an object from one of its sockets.
    pub(crate) fn word(&mut self, socket: u64, message: Word) -> Held {
        let Some(name) = self.wires.get(&socket).map(|wire| wire.object.clone()) else {
            return Ok(());
        };
        let now_ms = self.now_ms;
        let host = self.host(&name);
        let (clock_ms, life) = (host.clock(now_ms), host.life);
        let Some(it) = host.socket(socket) else {
            return Ok(());
        };
        let peer = Some(it.peer.clone());
        it.alive_ms = now_ms;
        if matches!(message, Word::Text(_)) {
            it.heard.push((life, clock_ms));
        }
        let event = match message {
            Word::Ping => {
                it.answered_ms = Some(clock_ms);
                return Ok(());
            }
            Word::Text(text) if it.is_open => {
                let bytes = text.len();
                Event::Message {
                    peer,
                    text: Some(text),
                    bytes,
                }
            }
            Word::Text(_) => return Ok(()),
            Word::Closed(code) => {
                it.is_open = false;
                Event::Closed { peer, code }
            }
        };
        self.deliver(
            &name,
            Arrival {
                event,
                socket: Some(socket),
            },
        )?;
        self.is_not_too_loud(&name, socket)
    }
}
