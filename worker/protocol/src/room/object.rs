//! One Durable Object: the root of a room, a shard of one, or the counter of secret uses. Which it is, each call says.
//!
//! Here is what it remembers, all of which can be lost at any time, and a `Step`: the work on one event.

use super::effect::{Effect, Reply};
use super::event::{Incoming, Request, Sockets, Timer};
use super::flow::Flow;
use super::headcount::{Headcount, Moment};
use super::pending::Pending;
use super::registry::Registry;
use super::root::Root;
use super::shard::Membership;
use crate::contract::call::{Call, Part, Publish};
use crate::contract::counters::Billed;
use crate::contract::metric;
use crate::contract::receipt::Receipt;
use crate::contract::refusal::Refusal;
use crate::contract::report::Awake;
use crate::contract::save::Saver;
use crate::contract::settings::RoomSettings;
use crate::contract::slot::Uses;
use std::collections::VecDeque;

/// What an object is told when it is started, and never changes.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Its id, which nobody outside knows.
    pub salt: String,
    /// A random text: the epoch of a numbering that begins now.
    pub epoch: String,
    /// The version of the room script.
    pub version: Option<String>,
    /// Whether a developer wants to know what happens.
    pub verbose: bool,
}

/// The memory of one object.
#[derive(Debug, Default)]
pub struct Object {
    pub(crate) settings: RoomSettings,
    pub(crate) identity: Identity,
    pub(crate) room: Root,
    /// The root's shards.
    pub(crate) registry: Registry,
    /// A shard's relation to its root.
    pub(crate) membership: Membership,
    pub(crate) record: Record,
    pub(crate) saver: Saver,
    pub(crate) awake: Awake,
    pub(crate) sockets: Headcount,
    /// What its sockets are sent, and send.
    pub(crate) flow: Flow,
    pub(crate) uses: Uses,
    /// Frames on their way, by number.
    pub(crate) sendings: Pending<Sending>,
    /// Those whose calls have left, and whose own sockets come when this turn has ended; in order.
    pub(crate) queue: VecDeque<u32>,
    /// Questions that are not answered yet.
    pub(crate) asks: Pending<Ask>,
    /// Rows that are being written durably, and who waits for them.
    pub(crate) stores: Pending<Storing>,
    /// Pushes that timers repeat.
    pub(crate) repeats: Pending<Repeat>,
    /// Shards that failed at the last delivery.
    pub(crate) failed_shards: u32,
    /// When dead sockets were last looked for.
    pub(crate) swept_ms: Option<u64>,
    /// Until then the object is full whoever is silent in it: nobody is looked for.
    pub(crate) full_until_ms: u64,
    last: u32,
}

/// Whether an object's rows have been read.
#[derive(Debug, Default)]
pub(crate) enum Record {
    #[default]
    Unread,
    /// They are being read, and calls wait for them.
    Reading(Part, Vec<Incoming>),
    Read,
}

/// A frame on its way.
#[derive(Debug)]
pub(crate) enum Sending {
    /// In a root.
    Delivery(Box<Delivery>),
    /// In a shard; these pushes are answered when it has left.
    Push { requests: Vec<Request>, sent: Sent },
}

/// What is written to each socket of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// The number of the last update.
    pub seq: u64,
    pub frames: u32,
    pub bytes: u64,
    /// The moment of the sockets that get it.
    pub at: Moment,
}

impl Sent {
    pub(crate) fn of(frames: &[String], seq: u64, at: Moment) -> Self {
        Self {
            seq,
            frames: u32::try_from(frames.len()).unwrap_or(u32::MAX),
            bytes: frames.iter().map(|frame| frame.len() as u64).sum(),
            at,
        }
    }
}

/// Updates that leave a root as one frame, or a few.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// Whoever waits for a receipt; nobody when a window has ended.
    pub publisher: Option<Publisher>,
    /// Until they are sent.
    pub frames: Vec<String>,
    pub sent: Sent,
    /// What a developer is told of them.
    pub spoken: String,
    /// The last number before these.
    pub previous: u64,
    pub started_ms: u64,
    pub reach: Reach,
    /// The reach that a repeat is answered with while shards have not answered.
    pub expected: Reach,
    /// Whether the own sockets have got it.
    pub own: Progress,
    pub shards: Progress,
    /// Shards that failed or were left out.
    pub failed: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Pending,
    Done,
}

/// A publisher that waits for its receipt.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub request: Request,
    pub call: Publish,
    pub receipt: Receipt,
}

/// The reach of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    pub sockets: u32,
    /// Objects that hold those sockets.
    pub shards: u32,
    pub failed_shards: u32,
}

/// A question to other objects.
#[derive(Debug)]
pub(crate) enum Ask {
    /// The updates of a delivery, to these shards.
    Push {
        delivery: u32,
        names: Vec<String>,
    },
    /// The same once more.
    Again(Repeat),
    /// To the root, of a shard that wants to know its stream.
    Join,
    Leave,
    /// To the shards, for the report of a room.
    Inspect {
        request: Request,
        token: String,
        region: String,
        names: Vec<String>,
    },
}

/// Shards that may have missed everything after number `previous`.
#[derive(Clone, Debug)]
pub(crate) struct Repeat {
    pub names: Vec<String>,
    pub previous: u64,
    /// How often it has been tried.
    pub tries: u32,
}

/// A row that is being written durably.
#[derive(Debug)]
pub(crate) enum Storing {
    /// The registry, for shards that are new in it.
    Registry(Vec<Waiting>),
    /// The record that says which numbers are skipped; calls wait for it as for one that is read.
    Skip,
    /// Uses of secrets, which this request has added.
    Uses(Request),
}

/// A shard that waits until the registry with its name is durable.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub request: Request,
    pub name: String,
    pub clock_ms: u64,
}

/// The work on one event: what it has to go on, and what it wants done.
pub(crate) struct Step<'event> {
    pub object: &'event mut Object,
    pub sockets: &'event dyn Sockets,
    pub now_ms: u64,
    pub effects: Vec<Effect>,
}

impl Object {
    /// The object as it is started at `now_ms`, from nothing or from hibernation. Kept small: this runs before every first
    /// event.
    pub fn new(settings: RoomSettings, identity: Identity, now_ms: u64) -> Self {
        Self {
            // Until its record is read, or its root has said so, it does not know where it stands.
            room: Root::new(&settings, ""),
            awake: Awake {
                since_ms: now_ms,
                ..Awake::default()
            },
            settings,
            identity,
            ..Self::default()
        }
    }

    /// The version of the room script, as its data points have it.
    pub(crate) fn version(&self) -> Option<&str> {
        self.identity.version.as_deref()
    }

    /// A number that nothing else of this object has.
    pub(crate) fn number(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.last
    }

    /// The causes that keep the object from hibernating, besides the request that asks.
    pub fn held_by(&self) -> Vec<String> {
        let causes = [
            (self.room.window.is_waiting(), "batch_window"),
            (self.saver.pending, "save"),
            (!self.repeats.is_empty(), "push_again"),
            (self.membership.marking, "mark"),
        ];
        let held = causes.into_iter().filter(|(held, _)| *held);
        held.map(|(_, cause)| cause.to_owned()).collect()
    }
}

impl Step<'_> {
    pub(crate) fn add(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn reply(&mut self, request: Request, json: String) {
        let reply = Reply::Json(json);
        self.add(Effect::Reply { request, reply });
    }

    pub(crate) fn refuse(&mut self, request: Request, refusal: Refusal) {
        let event = metric::Event::Refusal {
            code: refusal.code,
            region: "",
            status: refusal.status,
        };
        self.add(Effect::measure(self.object.version(), "", event));
        let reply = Reply::Refused(refusal);
        self.add(Effect::Reply { request, reply });
    }

    /// A timer, during which the object does not hibernate.
    pub(crate) fn timer(&mut self, timer: Timer, after_ms: u64) {
        self.bill(Billed::Active(after_ms));
        self.add(Effect::Timer { timer, after_ms });
    }

    pub(crate) fn ask(
        &mut self,
        ask: Ask,
        calls: Vec<(String, Call)>,
        body: Option<String>,
    ) -> u32 {
        let id = self.object.number();
        self.object.asks.insert(id, ask);
        self.add(Effect::Ask {
            ask: id,
            calls,
            body,
            hint: None,
        });
        id
    }

    pub(crate) fn bill(&mut self, billed: Billed) {
        let counters = &mut self.object.room.counters;
        counters.month.count(billed, self.now_ms);
    }

    /// Open sockets, all or those with a tag: those that this step is about to open are some of them.
    pub(crate) fn open(&self, tag: Option<&str>) -> u32 {
        let opens = |effect: &&Effect| match effect {
            Effect::Accept(socket) => tag.is_none() || socket.tag.as_deref() == tag,
            _ => false,
        };
        let opened = self.effects.iter().filter(opens).count();
        self.sockets.count(tag) + u32::try_from(opened).unwrap_or(u32::MAX)
    }

    /// The sockets with `tag`, or of all, that this step is about to close.
    pub(crate) fn closing(&self, tag: Option<&str>) -> Vec<u32> {
        let closing = self.effects.iter().filter_map(|effect| match effect {
            Effect::Close {
                indexes, tag: its, ..
            } if its.as_deref() == tag => Some(indexes),
            _ => None,
        });
        closing.flatten().copied().collect()
    }

    /// Counts the open sockets, exactly.
    pub(crate) fn count(&mut self) -> u32 {
        let open = self.open(None);
        self.counted(open);
        open
    }

    /// Notes that `open` sockets are open now. Those that this step is about to close may be some of them.
    pub(crate) fn counted(&mut self, open: u32) {
        let sockets = &mut self.object.sockets;
        sockets.count(open, sockets.now());
        let closes = |effect: &Effect| matches!(effect, Effect::Close { .. } | Effect::Hang(_));
        if self.effects.iter().any(closes) {
            sockets.doubt();
        }
    }

    /// About how many sockets are open; they are counted where nobody has done so since the object woke up.
    pub(crate) fn estimate(&mut self) -> u32 {
        let estimate = self.object.sockets.estimate();
        estimate.unwrap_or_else(|| self.count())
    }

    pub(crate) fn log(&mut self, text: impl FnOnce() -> String) {
        if self.object.identity.verbose {
            self.add(Effect::Log(text()));
        }
    }
}
