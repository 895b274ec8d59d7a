//! The types of frames, by who sends them: found in the schemas, so that a new one is in every table and document.

use super::schema::{self, name_of};
pub use crate::room::flow::{ACK_BYTES, ACK_WINDOW_MS};
pub use crate::room::peer::PING;
use serde_json::{Map, Value};

/// A type of frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its `type`.
    pub kind: String,
    /// The name of its schema.
    pub schema: String,
    pub from: From,
    pub meaning: String,
}

/// Who sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    Room,
    Client,
}

impl From {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::Client => "client",
        }
    }
}

/// Every frame of the system's own: first what the room sends.
pub fn all() -> Vec<Frame> {
    let schemas = schema::all();
    let of = |union: &str, from| variants(schemas, union, from);
    [
        of("SystemFrame", From::Room),
        of("ClientFrame", From::Client),
    ]
    .concat()
}

fn variants(schemas: &Map<String, Value>, union: &str, from: From) -> Vec<Frame> {
    let variants = schemas[union]["anyOf"].as_array();
    let frame = |variant: &Value| {
        let schema = name_of(variant)?.to_owned();
        let kind = schemas[&schema]["properties"]["type"]["const"].as_str()?;
        let meaning = variant["description"].as_str().unwrap_or_default();
        Some(Frame {
            kind: kind.to_owned(),
            schema,
            from,
            meaning: meaning.to_owned(),
        })
    };
    variants.into_iter().flatten().filter_map(frame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::head::{BATCH, RESERVED_TYPES};
    use crate::room::peer;
    use std::collections::BTreeSet;

    #[test]
    fn the_frames_are_those_of_the_reserved_types() {
        let frames = all();
        let kinds: BTreeSet<&str> = frames.iter().map(|frame| frame.kind.as_str()).collect();
        let reserved = RESERVED_TYPES.into_iter().chain([BATCH]);
        assert_eq!(kinds, reserved.collect());
        let sent = frames.iter().filter(|frame| frame.from == From::Client);
        let sent: Vec<&str> = sent.map(|frame| frame.kind.as_str()).collect();
        assert_eq!(sent, peer::TYPES);
    }

    #[test]
    fn every_frame_says_what_it_is_for() {
        for frame in all() {
            assert!(!frame.meaning.is_empty(), "{frame:?}");
        }
    }
}
