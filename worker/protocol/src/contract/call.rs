//! What gateway, root and shards ask of each other.
//!
//! A call travels as JSON in one header, [`HEADER`]. Whoever calls sets it, so what a client sent under that name never
//! arrives; a room reads it and, of everything else, only the body. All of it is visible ASCII and spaces.

use super::place::Place;
use super::slot::Slot;
use serde::{Deserialize, Serialize};

/// The request header that holds a [`Call`].
pub const HEADER: &str = "x-edge-call";
/// The response header of an object that is full: the index of the shard to try next.
pub const NEXT: &str = "x-edge-next";
/// A request to an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Gateway to root or shard: open a socket.
    Connect(Connect),
    /// Gateway to root; the body is the update.
    Publish(Publish),
    /// Gateway to root.
    Snapshot {
        token: String,
        if_none_match: Option<String>,
    },
    /// Gateway to root, root to shard: asks for a [`super::report::Object`], in a root for a whole [`super::report::Report`].
    Inspect {
        token: String,
        /// The object's own name, and its region.
        name: String,
        region: String,
    },
    /// Gateway to [`super::place::health_object`].
    Health,
    /// Gateway to [`super::place::USES_OBJECT`]; the body is [`super::slot::Uses`] to add, or empty.
    Uses,
    /// Shard to root, before its first socket; answered with a [`crate::room::shard::Joined`].
    Join {
        name: String,
        region: String,
        /// The shard's own clock, in milliseconds: later than with anything it has said before.
        clock_ms: u64,
    },
    /// Shard to root, after its last socket.
    Leave { name: String, clock_ms: u64 },
    /// Root to shard; the body is a [`crate::room::stream::Push`], the answer a [`crate::room::shard::Pushed`].
    Push,
}

/// A client that wants a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connect {
    pub place: Place,
    /// The client's [`crate::gateway::address::group`], where its address is known.
    pub address: Option<String>,
    /// Sockets that one address may hold in one object; 0 is no limit.
    pub per_address: u32,
    /// The largest frame that the client may send, in bytes.
    pub max_message_bytes: u32,
    /// The last number that the client has seen.
    pub since: Option<u64>,
    /// The epoch of that number.
    pub epoch: Option<String>,
    /// The location hint of the root, which counts if this client's shard is the first to speak to it.
    pub root_hint: Option<String>,
}

/// An update whose publisher has been authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Publish {
    pub token: String,
    /// The slot of the secret that authenticated it.
    pub slot: Slot,
    /// The idempotency key: two publishes with the same one are one.
    pub id: Option<String>,
    /// Delivers even a stale update.
    pub force: bool,
    /// The timestamp of the signature that authenticated it, in unix milliseconds (of whole seconds); none for a bearer.
    pub signed_ms: Option<u64>,
}

/// The part that an object has in its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Root,
    Shard,
}

impl Part {
    /// Of the object called `name` in the room of `token`.
    pub fn of(name: &str, token: &str) -> Self {
        if name == token {
            Self::Root
        } else {
            Self::Shard
        }
    }
}

impl Call {
    /// The word that reports show for the call.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Publish(_) => "publish",
            Self::Snapshot { .. } => "snapshot",
            Self::Inspect { .. } => "inspect",
            Self::Health => "health",
            Self::Uses => "uses",
            Self::Join { .. } => "join",
            Self::Leave { .. } => "leave",
            Self::Push => "push",
        }
    }

    /// The part of the object that this call reaches; `None` where it belongs to no room.
    pub fn part(&self) -> Option<Part> {
        match self {
            Self::Connect(call) => Some(Part::of(&call.place.name(), &call.place.token)),
            Self::Inspect { token, name, .. } => Some(Part::of(name, token)),
            Self::Push => Some(Part::Shard),
            Self::Publish(_) | Self::Snapshot { .. } | Self::Join { .. } | Self::Leave { .. } => {
                Some(Part::Root)
            }
            Self::Health | Self::Uses => None,
        }
    }

    /// The token of the room that this call is for, where it says so.
    pub(crate) fn token(&self) -> Option<&str> {
        match self {
            Self::Connect(call) => Some(&call.place.token),
            Self::Publish(call) => Some(&call.token),
            Self::Snapshot { token, .. } | Self::Inspect { token, .. } => Some(token),
            _ => None,
        }
    }

    /// The header's value.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the header's value. What an older version leaves out is empty.
    pub fn decode(header: &str) -> Option<Self> {
        let inside = header
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        let (name, fields) = match inside {
            Some(inside) => inside.split_once(':')?,
            None => (header, "{}"),
        };
        let fields: Fields = serde_json::from_str(fields).ok()?;
        fields.call(name.strip_prefix('"')?.strip_suffix('"')?)
    }
}

/// The members of all calls. One flat shape is read: a reader for each call and for what they share was a tenth of the room's
/// bundle.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    token: Option<String>,
    name: Option<String>,
    region: String,
    clock_ms: u64,
    if_none_match: Option<String>,
    place: Option<Place>,
    address: Option<String>,
    per_address: u32,
    max_message_bytes: u32,
    since: Option<u64>,
    epoch: Option<String>,
    root_hint: Option<String>,
    slot: Option<Slot>,
    id: Option<String>,
    force: bool,
    signed_ms: Option<u64>,
}

impl Fields {
    fn call(self, name: &str) -> Option<Call> {
        Some(match name {
            "connect" => Call::Connect(Connect {
                place: self.place?,
                address: self.address,
                per_address: self.per_address,
                max_message_bytes: self.max_message_bytes,
                since: self.since,
                epoch: self.epoch,
                root_hint: self.root_hint,
            }),
            "publish" => Call::Publish(Publish {
                token: self.token?,
                slot: self.slot?,
                id: self.id,
                force: self.force,
                signed_ms: self.signed_ms,
            }),
            "snapshot" => Call::Snapshot {
                token: self.token?,
                if_none_match: self.if_none_match,
            },
            "inspect" => Call::Inspect {
                token: self.token?,
                name: self.name?,
                region: self.region,
            },
            "join" => Call::Join {
                name: self.name?,
                region: self.region,
                clock_ms: self.clock_ms,
            },
            "leave" => Call::Leave {
                name: self.name?,
                clock_ms: self.clock_ms,
            },
            "push" => Call::Push,
            "uses" => Call::Uses,
            "health" => Call::Health,
            _ => return None,
        })
    }
}

/// Passes on `text` that can be part of a header: visible ASCII and spaces, of at most 256 bytes.
pub fn header_safe(text: &str) -> Option<String> {
    (text.len() <= 256
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' '))
    .then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_call_is_one_line_of_json() {
        let call = Call::Publish(Publish {
            token: "SOL".to_owned(),
            slot: Slot::Alternate,
            id: Some("msg_1".to_owned()),
            force: false,
            signed_ms: Some(1_614_265_330_000),
        });
        assert_eq!(
            call.encode(),
            r#"{"publish":{"token":"SOL","slot":"alternate","id":"msg_1","force":false,"signed_ms":1614265330000}}"#
        );
        assert_eq!(Call::decode(&call.encode()), Some(call));
    }

    #[test]
    fn a_gateway_and_shards_of_the_version_before_are_understood() {
        let old = r#"{"connect":{"place":{"token":"SOL","region":"eu","index":0,"home":"away"},"address":null,"per_address":0,"max_message_bytes":1,"since":null,"epoch":null}}"#;
        let Some(Call::Connect(connect)) = Call::decode(old) else {
            panic!("`{old}`")
        };
        assert_eq!(connect.root_hint, None);
        assert_eq!(Call::Connect(connect).part(), Some(Part::Shard));
        let old = r#"{"publish":{"token":"SOL","slot":"primary","id":null,"force":true}}"#;
        assert!(matches!(
            Call::decode(old),
            Some(Call::Publish(Publish {
                force: true,
                signed_ms: None,
                ..
            }))
        ));
        assert!(Call::decode(r#"{"leave":{"name":"SOL/eu/0"}}"#).is_some());
    }

    #[test]
    fn what_cannot_be_in_a_header_is_left_out() {
        assert_eq!(header_safe("\"e1-7\"").as_deref(), Some("\"e1-7\""));
        for text in ["é", "a\r\nb", &"a".repeat(257)] {
            assert_eq!(header_safe(text), None);
        }
    }

    proptest! {
        #[test]
        fn every_call_is_read_as_it_was_written(
            texts in proptest::collection::vec("[ -~]{0,12}", 4), number in any::<u64>(), since in any::<Option<u64>>(), bytes in any::<u32>(), force in any::<bool>(),
        ) {
            let [token, name, region, other] = <[String; 4]>::try_from(texts).unwrap();
            let place = Place { token: token.clone(), region: region.clone(), index: bytes, home: crate::contract::place::Home::Away };
            for call in [
                Call::Connect(Connect {
                    place, address: Some(other.clone()), per_address: bytes, max_message_bytes: bytes, since,
                    epoch: Some(name.clone()), root_hint: None,
                }),
                Call::Publish(Publish { token: token.clone(), slot: Slot::Primary, id: Some(other.clone()), force, signed_ms: since }),
                Call::Snapshot { token: token.clone(), if_none_match: Some(other) },
                Call::Inspect { token, name: name.clone(), region: region.clone() },
                Call::Join { name: name.clone(), region, clock_ms: number },
                Call::Leave { name, clock_ms: number },
                Call::Push, Call::Uses, Call::Health,
            ] {
                prop_assert_eq!(Call::decode(&call.encode()), Some(call));
            }
        }

        #[test]
        fn no_header_panics(header in ".*") {
            let _ = Call::decode(&header);
        }
    }
}
