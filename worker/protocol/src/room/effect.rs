//! What an object wants done. Effects are carried out in their order, all of them before the next event from outside.

use super::event::{Request, Timer};
use super::peer::Peer;
use crate::contract::call::Call;
use crate::contract::close::Close;
use crate::contract::metric;
use crate::contract::refusal::Refusal;

/// One thing to do. What has a result says which event brings it.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Read all rows: [`super::event::Event::Loaded`].
    Load,
    /// Write a row. With a number the answers that follow wait until it is durable: [`super::event::Event::Stored`].
    /// Without, nothing waits, and a crash may lose it.
    Store {
        row: Row,
        text: String,
        store: Option<u32>,
    },
    /// Delete everything that is stored.
    Forget,
    /// [`super::event::Event::Timer`] after so many milliseconds.
    Timer {
        timer: Timer,
        after_ms: u64,
    },
    /// Ask objects by their names, each its own call with the same body. The calls leave when the turn ends:
    /// [`super::event::Event::Answered`].
    Ask {
        ask: u32,
        calls: Vec<(String, Call)>,
        body: Option<String>,
        /// Where an object is created that nobody has spoken to before.
        hint: Option<String>,
    },
    /// Remember the sockets of now: whoever connects later is greeted with what is being sent.
    Hold {
        delivery: u32,
    },
    /// Write frames to the sockets held, or else to those of now, beginning at [`super::turn::start`] of `seq`:
    /// [`super::event::Event::Sent`].
    Send {
        delivery: u32,
        frames: Vec<String>,
        seq: u64,
        /// Of a shard: [`Effect::Mark`] with this epoch and `seq`.
        epoch: Option<String>,
    },
    /// Attach the shard's place in the stream to its newest open socket.
    Mark {
        epoch: String,
        sent: u64,
    },
    /// Close the sockets with these indexes of [`super::event::Sockets::seen`].
    Close {
        indexes: Vec<u32>,
        tag: Option<String>,
        close: Close,
    },
    /// Open the socket that a request wants, and send its first frames; [`super::event::Event::NotAccepted`] when the
    /// runtime takes no more.
    Accept(Opening),
    Reply {
        request: Request,
        reply: Reply,
    },
    /// Send to the socket that the event is about.
    Frame(&'static str),
    /// Attach to the socket that the event is about.
    Attach(Peer),
    /// Close the socket that the event is about.
    Hang(Close),
    /// Count an event of the room of `token`.
    Measure {
        token: String,
        blobs: [String; 5],
        doubles: [f64; 4],
    },
    /// Say to a developer.
    Log(String),
}

/// A socket that a request wants.
#[derive(Clone, Debug)]
pub struct Opening {
    pub request: Request,
    /// Of this object among those of its region.
    pub index: u32,
    pub tag: Option<String>,
    pub peer: Peer,
    /// The first that it is sent.
    pub frames: Vec<String>,
    /// What follows where the runtime takes it.
    pub opened: Vec<Effect>,
}

impl Effect {
    /// The data point of `event`, written by `version` of the room.
    pub(crate) fn measure(version: Option<&str>, token: &str, event: metric::Event<'_>) -> Self {
        let point = event.point(version.unwrap_or_default());
        Self::Measure {
            token: token.to_owned(),
            blobs: point.blobs.map(str::to_owned),
            doubles: point.doubles,
        }
    }
}

/// A row of an object's storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    Room,
    Shards,
    Uses,
}

impl Row {
    /// All, in the order of [`super::event::Rows`].
    pub const ALL: [Self; 3] = [Self::Room, Self::Shards, Self::Uses];

    /// Its key.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::Shards => "shards",
            Self::Uses => "uses",
        }
    }
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// 200 with JSON that no cache may keep.
    Json(String),
    Refused(Refusal),
    /// No place here; the shard with the index `next` may have one.
    Full {
        next: u32,
    },
    /// The latest values, or 304 without a body.
    Snapshot {
        etag: String,
        body: Option<String>,
    },
}
