//! One Durable Object as its runtime runs it: what is in memory, its rows, its sockets, and what is on its way.

use crate::law::Reader;
use crate::ledger::Place;
use crate::object::Seam;
use crate::storage::Storage;
use crate::world::Answer;
use edge_broadcast_protocol::contract::call::Call;
use edge_broadcast_protocol::room::event::{Event, Request, Sockets, Timer};
use edge_broadcast_protocol::room::peer::{Peer, Seen};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Debug, Default)]
pub(crate) struct Host {
    /// Rises whenever what was in memory is gone: what was meant for an earlier life reaches nobody.
    pub(crate) life: u32,
    pub(crate) machine: Option<Seam>,
    pub(crate) storage: Storage,
    /// Older first.
    pub(crate) sockets: Vec<Socket>,
    /// The difference between its clock and the true time.
    pub(crate) clock_ms: i64,
    /// While rows are read no event is delivered.
    pub(crate) is_reading: bool,
    pub(crate) inbox: VecDeque<Arrival>,
    pub(crate) timers: Vec<Timer>,
    pub(crate) asks: BTreeMap<u32, Question>,
    /// Calls that wait for an answer; nobody waits for that of a repeated call.
    pub(crate) requests: BTreeMap<Request, Waiting>,
    /// What may leave once a durable write is done.
    pub(crate) held: VecDeque<Output>,
    /// The sockets of the moment when a delivery began.
    pub(crate) audiences: BTreeMap<u32, Vec<u64>>,
    pub(crate) rate: Rate,
    /// When it last did something.
    pub(crate) active_ms: u64,
}

/// An event, and the socket that it is about.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) event: Event,
    pub(crate) socket: Option<u64>,
}

/// A call that an object has not answered.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) flight: Option<u64>,
    pub(crate) call: Call,
    pub(crate) body: String,
    /// What the client that connects has, by key.
    pub(crate) known: BTreeMap<String, Place>,
}

/// Calls of an object to others, of which some are not answered.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) answers: Vec<Option<String>>,
    pub(crate) missing: usize,
}

/// What leaves an object.
#[derive(Debug)]
pub(crate) enum Output {
    Answer {
        flight: u64,
        answer: Answer,
    },
    Call {
        ask: u32,
        index: usize,
        to: String,
        call: Call,
        body: String,
    },
    Frames {
        socket: u64,
        frames: crate::client::Frames,
    },
    Close {
        socket: u64,
        code: u16,
    },
}

/// A socket as its object has it.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) id: u64,
    pub(crate) tag: Option<String>,
    pub(crate) peer: Peer,
    pub(crate) is_open: bool,
    pub(crate) opened_ms: u64,
    /// When the runtime last answered a ping.
    pub(crate) answered_ms: Option<u64>,
    /// When something was last heard of it, in true time: a clock that steps makes nobody silent.
    pub(crate) alive_ms: u64,
    /// The lives and times of its object, by its clock, in which it has sent frames.
    pub(crate) heard: Vec<(u32, u64)>,
    pub(crate) reader: Reader,
}

/// The updates that a root has accepted since it was started, beside what its settings allow.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    pub(crate) last_ms: Option<u64>,
    /// Less than nothing after a batch that was larger than the bucket.
    pub(crate) thousandths: i64,
    pub(crate) numbers: BTreeSet<(String, u64)>,
}

impl Rate {
    /// What time brings, by the object's own clock.
    pub(crate) fn refill(&mut self, per_second: u32, now_ms: u64) {
        let passed_ms = self
            .last_ms
            .map_or(1000, |last_ms| now_ms.saturating_sub(last_ms));
        self.last_ms = Some(now_ms);
        let filled = i64::try_from(passed_ms)
            .unwrap_or(i64::MAX)
            .saturating_mul(per_second.into());
        let full = 1000 * i64::from(per_second);
        self.thousandths = self.thousandths.saturating_add(filled).min(full);
    }

    /// Takes one update out: whether there was one, or a full bucket has lent it to a batch of at most `batch`.
    pub(crate) fn take(&mut self, per_second: u32, batch: u32) -> bool {
        self.thousandths -= 1000;
        self.thousandths >= -1000 * i64::from(batch.saturating_sub(per_second))
    }
}

impl Host {
    /// What its clock says at the true time `now_ms`.
    pub(crate) fn clock(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add_signed(self.clock_ms)
    }

    /// Whether the runtime sees nothing that keeps it in memory.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_reading
            && self.inbox.is_empty()
            && self.timers.is_empty()
            && self.asks.is_empty()
            && self.requests.is_empty()
            && self.held.is_empty()
            && self.storage.pending() == 0
    }

    /// Everything in memory is gone.
    pub(crate) fn forget(&mut self) {
        self.life += 1;
        self.machine = None;
        self.is_reading = false;
        self.inbox.clear();
        self.timers.clear();
        self.asks.clear();
        self.requests.clear();
        self.held.clear();
        self.audiences.clear();
        self.rate = Rate::default();
    }

    pub(crate) fn socket(&mut self, id: u64) -> Option<&mut Socket> {
        self.sockets.iter_mut().find(|socket| socket.id == id)
    }

    pub(crate) fn open(&self) -> impl Iterator<Item = &Socket> {
        self.sockets.iter().filter(|socket| socket.is_open)
    }
}

impl Socket {
    /// When something was last heard of it, by its object's clock.
    pub(crate) fn heard_ms(&self) -> u64 {
        self.answered_ms
            .max(self.peer.pinged_ms)
            .unwrap_or(self.opened_ms)
    }
}

/// The sockets of one object, while it is asked about an event.
#[derive(Debug)]
pub(crate) struct View<'host> {
    pub(crate) sockets: &'host [Socket],
}

/// All sockets, or those with a tag, in the runtime's order: newest first.
pub(crate) fn listed<'host>(
    sockets: &'host [Socket],
    tag: Option<&'host str>,
) -> impl Iterator<Item = &'host Socket> {
    let tagged = move |socket: &&Socket| tag.is_none() || socket.tag.as_deref() == tag;
    sockets.iter().rev().filter(tagged)
}

impl Sockets for View<'_> {
    fn count(&self, tag: Option<&str>) -> u32 {
        let open = listed(self.sockets, tag).filter(|socket| socket.is_open);
        u32::try_from(open.count()).unwrap_or(u32::MAX)
    }

    fn seen(&self, tag: Option<&str>) -> Vec<Seen> {
        listed(self.sockets, tag).map(crate::object::seen).collect()
    }

    fn oldest(&self) -> Option<u64> {
        Some(self.sockets.first()?.peer.life)
    }

    fn newest(&self) -> Option<Peer> {
        let newest = self.sockets.iter().rev().find(|socket| socket.is_open);
        newest.map(|socket| socket.peer.clone())
    }

    fn names(&self) -> Vec<(String, u64)> {
        let named = listed(self.sockets, None);
        named
            .map(|socket| {
                (
                    socket.peer.id.clone(),
                    crate::object::seen(socket).opened_ms,
                )
            })
            .collect()
    }
}
