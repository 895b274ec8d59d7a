//! What reaches an object, and what it can ask about its own sockets at that moment.

use super::peer::{Peer, Seen};
use crate::contract::call::Call;

/// Names a request until it is answered.
pub type Request = u32;

/// Something that reaches an object from outside. What it takes to decide comes with it: no clock is read, nothing is
/// drawn at random and nothing is waited for inside.
#[derive(Clone, Debug)]
pub enum Event {
    /// A call of the gateway or of another object.
    Call(Incoming),
    /// A client's frame of `bytes` bytes that the runtime did not answer itself; `text` where it is text.
    Message {
        peer: Option<Peer>,
        text: Option<String>,
        bytes: usize,
    },
    /// A socket is gone.
    Closed { peer: Option<Peer>, code: u16 },
    /// A timer of [`super::effect::Effect::Timer`] has run out.
    Timer(Timer),
    /// The rows that [`super::effect::Effect::Load`] asked for; `None` when they cannot be read.
    Loaded(Option<Rows>),
    /// A durable [`super::effect::Effect::Store`] is written, or cannot be.
    Stored { store: u32, outcome: Outcome },
    /// The answers to [`super::effect::Effect::Ask`] in the order of its calls; `None` for an object that failed or is
    /// late.
    Answered {
        ask: u32,
        answers: Vec<Option<String>>,
    },
    /// The result of [`super::effect::Effect::Send`], at once, before what follows it: sockets that took every frame, and sockets whose
    /// write failed.
    Sent {
        delivery: u32,
        sockets: u32,
        failed: u32,
    },
    /// The result, at once, of an [`super::effect::Effect::Accept`] for which the runtime has no place.
    NotAccepted { request: Request, index: u32 },
}

/// A call that waits for its answer.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub request: Request,
    pub call: Call,
    pub body: String,
    /// A random UUID: the name of the socket, if one is opened.
    pub random: String,
}

/// Whether something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Failed,
}

/// The timers of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The calls to the shards have left: the own sockets are next.
    Turn,
    /// The batch window ends.
    Window,
    /// The record is to be written exactly.
    Save,
    /// The newest socket of a shard is to remember where the stream stands.
    Mark,
    /// Shards are to be pushed again what they may have missed.
    Again(u32),
}

/// What an object stores.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Of a root a [`super::root::Record`]; a shard's is good for its counters.
    pub room: Option<String>,
    /// Of a root its [`super::registry::Registry`].
    pub shards: Option<String>,
    /// Of the object that counts uses of secrets, a [`crate::contract::slot::Uses`].
    pub uses: Option<String>,
}

/// The sockets of an object, as the runtime has them.
pub trait Sockets {
    /// Open sockets: all, or those with a tag. While a socket's end is told, it is not one of them.
    fn count(&self, tag: Option<&str>) -> u32;
    /// All sockets, or those with a tag, in the order in which [`super::effect::Effect::Close`] numbers them.
    fn seen(&self, tag: Option<&str>) -> Vec<Seen>;
    /// The life of the root in which the oldest socket was opened.
    fn oldest(&self) -> Option<u64>;
    /// What the newest open one remembers.
    fn newest(&self) -> Option<Peer>;
    /// The ids of the sockets, and when they were opened, in the order of [`Self::seen`]; one that is closing was never
    /// opened (`u64::MAX`), as in [`Seen::CLOSING`].
    fn names(&self) -> Vec<(String, u64)>;
}
