//! The seam to the machine that is tried, where a saboteur may sit.

use crate::host::Socket;
use edge_broadcast_protocol::contract::call::Call;
use edge_broadcast_protocol::contract::refusal;
use edge_broadcast_protocol::contract::settings::{RoomSettings, conflate_key};
use edge_broadcast_protocol::room::effect::{Effect, Reply};
use edge_broadcast_protocol::room::event::{Event, Sockets, Timer};
use edge_broadcast_protocol::room::object::{Identity, Object};
use edge_broadcast_protocol::room::peer::{Peer, Seen};

/// An object, and what is made of its effects.
#[derive(Debug)]
pub(crate) struct Seam {
    object: Object,
    sabotage: Sabotage,
    /// How often it was asked.
    events: u64,
}

/// What is done to break a law on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sabotage {
    #[default]
    Nothing,
    /// Now and then an event panics.
    Panic,
    /// Every epoch has the same name, and what was stored cannot be read.
    SameEpoch,
    /// Now and then a frame is not written.
    LoseFrame,
    /// Whoever comes back is told that nothing is missing.
    AlwaysRecovered,
    /// No values are in the greeting.
    NoValues,
    /// What was missed is left out.
    NoHistory,
    /// Frames are written twice.
    SendTwice,
    /// Frames are written in the wrong order.
    Reverse,
    /// What has waited for its window is not written.
    DropWaiting,
    /// Updates are conflated by their type, whatever makes their key.
    OneKey,
    /// Nothing is known of the publishers' clocks.
    NoSlots,
    /// A receipt counts one socket more.
    CountMore,
    /// One socket less is counted than there is.
    CountLess,
    /// No socket is ever closed for its silence.
    SpareTheDead,
    /// Sockets may send as much as they like.
    SpareTheLoud,
    /// Publishes are not limited.
    NoRate,
    /// What is published is refused, again and again.
    RefuseAll,
    /// Shards do not say that they have no socket.
    NoFarewell,
    /// A timer is set again and again.
    KeepTimer,
    /// Each publish sets a timer of ten minutes.
    LongTimer,
    /// Something is stored though nothing was published.
    StoreNothing,
    /// Ids are forgotten.
    NoIds,
    /// An id says nothing about its body.
    ReuseIds,
    /// Nobody is told that the room is behind.
    NotBehind,
}

/// Sockets, about which somebody lies.
struct Lies<'sockets> {
    sockets: &'sockets dyn Sockets,
    sabotage: Sabotage,
}

impl Seam {
    pub(crate) fn new(
        settings: RoomSettings,
        identity: Identity,
        now_ms: u64,
        sabotage: Sabotage,
    ) -> Self {
        let settings = match sabotage {
            Sabotage::NoRate => RoomSettings {
                publish_rate: 0,
                ..settings
            },
            Sabotage::OneKey => RoomSettings {
                conflate_key: conflate_key(),
                ..settings
            },
            _ => settings,
        };
        let identity = match sabotage {
            Sabotage::SameEpoch => Identity {
                epoch: "0123abcd".to_owned(),
                ..identity
            },
            _ => identity,
        };
        Self {
            object: Object::new(settings, identity, now_ms),
            sabotage,
            events: 0,
        }
    }

    pub(crate) fn on(&mut self, event: Event, now_ms: u64, sockets: &dyn Sockets) -> Vec<Effect> {
        self.events += 1;
        let event = self.spoil_event(event);
        let lies = Lies {
            sockets,
            sabotage: self.sabotage,
        };
        let rang = matches!(event, Event::Timer(Timer::Save) | Event::Call(_));
        let publishes =
            matches!(&event, Event::Call(incoming) if matches!(incoming.call, Call::Publish(_)));
        assert!(
            self.sabotage != Sabotage::Panic || !self.events.is_multiple_of(50),
            "{event:?} is one too many"
        );
        let closes = matches!(event, Event::Timer(Timer::Window));
        let effects = self.object.on(event, now_ms, &lies);
        let mut effects: Vec<Effect> = effects
            .into_iter()
            .flat_map(|effect| self.spoil(effect))
            .collect();
        if self.sabotage == Sabotage::KeepTimer && rang {
            effects.push(Effect::Timer {
                timer: Timer::Save,
                after_ms: 1000,
            });
        }
        if self.sabotage == Sabotage::DropWaiting && closes {
            effects.retain(|effect| !matches!(effect, Effect::Send { .. }));
        }
        if self.sabotage == Sabotage::LongTimer && publishes {
            effects.push(Effect::Timer {
                timer: Timer::Save,
                after_ms: 600_000,
            });
        }
        if self.sabotage == Sabotage::StoreNothing && rang {
            effects.push(Effect::Store {
                row: edge_broadcast_protocol::room::effect::Row::Uses,
                text: String::new(),
                store: None,
            });
        }
        effects
    }

    /// What keeps it from sleeping, as far as it knows.
    pub(crate) fn held_by(&self) -> Vec<String> {
        self.object.held_by()
    }

    fn spoil_event(&self, mut event: Event) -> Event {
        match (self.sabotage, &mut event) {
            (Sabotage::ReuseIds, Event::Call(incoming)) => {
                if let Call::Publish(call) = &mut incoming.call
                    && let Some(id) = &mut call.id
                {
                    id.push_str(&incoming.body);
                }
            }
            (Sabotage::NoSlots, Event::Call(incoming)) => {
                incoming.body = incoming.body.replace(r#""slot":"#, r#""place":"#);
            }
            (Sabotage::SameEpoch, Event::Loaded(Some(rows))) => rows.room = None,
            (Sabotage::NoIds, Event::Call(incoming)) => {
                if let Call::Publish(call) = &mut incoming.call {
                    call.id = None;
                }
            }
            _ => {}
        }
        event
    }

    fn spoil(&self, mut effect: Effect) -> Vec<Effect> {
        let now_and_then = self.events.is_multiple_of(5);
        match (self.sabotage, &mut effect) {
            (Sabotage::LoseFrame, Effect::Send { frames, .. }) if now_and_then => frames.clear(),
            (Sabotage::Reverse, Effect::Send { frames, .. }) => {
                for frame in frames {
                    *frame = reversed(frame);
                }
            }
            (Sabotage::SendTwice, Effect::Send { frames, .. }) if now_and_then => {
                frames.extend(frames.clone());
            }
            (
                Sabotage::CountMore,
                Effect::Reply {
                    reply: Reply::Json(text),
                    ..
                },
            ) => {
                count_more(text);
            }
            (
                Sabotage::NoFarewell,
                Effect::Reply {
                    reply: Reply::Json(text),
                    ..
                },
            ) => {
                stay(text);
            }
            (Sabotage::NoFarewell, Effect::Ask { calls, .. }) => {
                for (_, call) in calls.iter_mut() {
                    if matches!(call, Call::Leave { .. }) {
                        *call = Call::Health;
                    }
                }
            }
            (Sabotage::RefuseAll, Effect::Reply { reply, .. }) => {
                if matches!(&*reply, Reply::Json(text) if text.contains("took_ms")) {
                    *reply = Reply::Refused(refusal::PUBLISH_RATE);
                }
            }
            (Sabotage::SpareTheLoud, Effect::Hang(close)) if close.code == 4029 => {
                return Vec::new();
            }
            (_, Effect::Accept(opening)) => self.spoil_greeting(&mut opening.frames),
            _ => {}
        }
        vec![effect]
    }

    fn spoil_greeting(&self, frames: &mut Vec<String>) {
        let cut = |frame: &mut String, from: &str| {
            if let Some(at) = frame.find(from) {
                frame.truncate(at);
                frame.push('}');
            }
        };
        match self.sabotage {
            Sabotage::AlwaysRecovered => {
                frames[0] = frames[0].replace(r#""recovered":false"#, r#""recovered":true"#);
                cut(&mut frames[0], r#","snapshot""#);
            }
            Sabotage::NoValues => cut(&mut frames[0], r#","snapshot""#),
            Sabotage::NoHistory => frames.truncate(1),
            Sabotage::NotBehind => frames[0] = frames[0].replace(r#","behind":true"#, ""),
            _ => {}
        }
    }
}

fn count_more(text: &mut String) {
    if let Some((before, after)) = text.clone().split_once(r#""sockets":"#)
        && text.contains("took_ms")
    {
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        let more = digits.parse::<u32>().unwrap_or_default() + 1;
        *text = format!(r#"{before}"sockets":{more}{}"#, &after[digits.len()..]);
    }
}

/// The answer of a shard to a push, without what says that it has no socket.
fn stay(text: &mut String) {
    let mut value = crate::update::json(text);
    if value["left_ms"].is_u64() {
        value["left_ms"] = serde_json::Value::Null;
        *text = value.to_string();
    }
}

/// A frame of several updates with the last one first.
fn reversed(frame: &str) -> String {
    let mut value = crate::update::json(frame);
    match value["updates"].as_array_mut() {
        Some(updates) => updates.reverse(),
        None => return frame.to_owned(),
    }
    value.to_string()
}

impl Sockets for Lies<'_> {
    fn count(&self, tag: Option<&str>) -> u32 {
        let count = self.sockets.count(tag);
        match self.sabotage {
            Sabotage::CountLess => count.saturating_sub(1),
            _ => count,
        }
    }

    fn seen(&self, tag: Option<&str>) -> Vec<Seen> {
        let seen = self.sockets.seen(tag);
        match self.sabotage {
            Sabotage::SpareTheDead => vec![Seen::CLOSING; seen.len()],
            _ => seen,
        }
    }

    fn oldest(&self) -> Option<u64> {
        self.sockets.oldest()
    }

    fn newest(&self) -> Option<Peer> {
        self.sockets.newest()
    }

    fn names(&self) -> Vec<(String, u64)> {
        self.sockets.names()
    }
}

/// What is known of a socket's life.
pub(crate) fn seen(socket: &Socket) -> Seen {
    if !socket.is_open {
        return Seen::CLOSING;
    }
    Seen {
        opened_ms: socket.peer.opened_ms,
        pinged_ms: socket.answered_ms.max(socket.peer.pinged_ms),
    }
}

/// An event or an effect in one short line.
pub(crate) fn brief(it: &impl std::fmt::Debug) -> String {
    let text = format!("{it:?}");
    match text.char_indices().nth(300) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text,
    }
}
