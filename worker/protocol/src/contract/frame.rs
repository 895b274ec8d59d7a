//! The frames of a socket, as types. What a room sends by the thousand it writes by hand; tests and the simulation read every
//! text of it as one of these, and a text that they do not have is a mistake.

use super::head::{BATCH, RESERVED_TYPES};
#[cfg(feature = "describe")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A frame of the system's own. One of any other type, or of none, is an update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(JsonSchema))]
#[serde(untagged)]
pub enum SystemFrame {
    /// The first frame of every socket.
    Connected(Box<Connected>),
    /// Several updates at once, in order: what a batch window has collected, or what a resuming client has missed.
    BatchUpdate(BatchUpdate),
    /// The answer to a ping.
    Pong(Pong),
}

/// Every frame that a client gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(JsonSchema))]
#[serde(untagged)]
pub enum RoomFrame {
    System(SystemFrame),
    Update(Update),
}

/// Every frame that a client may send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(JsonSchema))]
#[serde(untagged)]
pub enum ClientFrame {
    /// Keeps the socket alive.
    Ping(Ping),
    /// Says how far the client has come, where much is sent; see [Keeping a socket](#keeping-a-socket).
    Ack(Ack),
}

/// Types that have one value each: the `type` of a frame.
macro_rules! types {
    ($($name:ident = $text:literal,)*) => {$(
        #[doc = concat!("`", $text, "`")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "describe", derive(JsonSchema), schemars(inline, description = ""))]
        pub enum $name {
            #[serde(rename = $text)]
            Only,
        }
    )*};
}

types! {
    ConnectedType = "connected",
    BatchUpdateType = "BATCH_UPDATE",
    PongType = "pong",
    PingType = "ping",
    AckType = "ack",
}

/// The first frame of every socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(JsonSchema))]
pub struct Connected {
    #[serde(rename = "type")]
    pub kind: ConnectedType,
    /// Names this socket in the room's debug logs.
    #[serde(rename = "connectionId")]
    pub connection_id: String,
    /// The room.
    pub token: String,
    /// Names one unbroken numbering.
    pub epoch: String,
    /// Where the client is now: the number of the last update that was sent; with `recovered: false` and updates that
    /// follow, the number before them.
    pub seq: u64,
    /// Whether this frame is followed by all that the client has missed.
    pub recovered: bool,
    /// The client is ahead of what the room has after a crash; absent otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    #[cfg_attr(feature = "describe", schemars(extend("const" = true)))]
    pub behind: bool,
    /// Bytes after which a client [acknowledges](#keeping-a-socket).
    pub ack: u64,
    /// An update, whole: the newest of those that this frame has; absent when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "describe", schemars(with = "Update"))]
    pub snapshot: Option<Update>,
    /// The others, one of each key, older first; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<Update>,
}

/// Several updates at once, in order: what a batch window has collected, or what a resuming client has missed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(JsonSchema))]
pub struct BatchUpdate {
    #[serde(rename = "type")]
    pub kind: BatchUpdateType,
    /// Updates, each as it would be in a frame of its own.
    pub updates: Vec<Update>,
}

/// The answer to a ping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(JsonSchema))]
pub struct Pong {
    #[serde(rename = "type")]
    pub kind: PongType,
}

/// Keeps the socket alive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(JsonSchema))]
pub struct Ping {
    #[serde(rename = "type")]
    pub kind: PingType,
}

/// Says how far the client has come, where much is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(JsonSchema))]
pub struct Ack {
    #[serde(rename = "type")]
    pub kind: AckType,
    /// The number of the last update that the client has got.
    pub seq: u64,
}

/// An update: the publisher's own object as it came, with `seq` and `epoch` added at its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(JsonSchema))]
pub struct Update {
    /// What kind of update it is; none of the system's own types.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<OwnType>,
    /// Its number.
    pub seq: u64,
    /// The epoch of that number.
    pub epoch: String,
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

/// A type that is none of the system's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct OwnType(String);

impl TryFrom<String> for OwnType {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match text == BATCH || RESERVED_TYPES.contains(&text.as_str()) {
            true => Err("a type of the system's own"),
            false => Ok(Self(text)),
        }
    }
}

#[cfg(feature = "describe")]
impl JsonSchema for OwnType {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OwnType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let [one, two, three, four] = RESERVED_TYPES;
        schemars::json_schema!({ "type": "string", "not": { "enum": [one, BATCH, two, three, four] } })
    }
}

/// The newest update of each key, for clients that poll.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(JsonSchema))]
pub struct Snapshot {
    /// The room.
    pub token: String,
    /// The epoch of `seq`.
    pub epoch: String,
    /// The number of the last update that was sent; 0 where there was none.
    pub seq: u64,
    /// The newest update, or null.
    pub snapshot: Option<Update>,
    /// The newest of each other [key](#keys), older first; absent when there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<Update>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<RoomFrame> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn every_type_of_the_systems_own_is_reserved_and_no_other() {
        let named = |value: Value| value.as_str().map(str::to_owned);
        let types = [
            serde_json::to_value(ConnectedType::Only),
            serde_json::to_value(PingType::Only),
            serde_json::to_value(PongType::Only),
            serde_json::to_value(AckType::Only),
            serde_json::to_value(BatchUpdateType::Only),
        ];
        let types: Vec<_> = types.into_iter().flatten().filter_map(named).collect();
        assert_eq!(types, [RESERVED_TYPES.as_slice(), &[BATCH]].concat());
    }

    #[test]
    fn a_frame_of_the_systems_own_is_never_taken_for_an_update() {
        for text in [
            r#"{"type":"connected","seq":1,"epoch":"e1"}"#,
            r#"{"type":"BATCH_UPDATE","seq":1,"epoch":"e1"}"#,
            r#"{"type":"ack","seq":1,"epoch":"e1"}"#,
            r#"{"type":"PRICE","seq":1}"#,
            r#"{"type":7,"seq":1,"epoch":"e1"}"#,
            "[]",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let update = r#"{"type":"PRICE","seq":1,"epoch":"e1","price":2}"#;
        assert!(matches!(read(update), Some(RoomFrame::Update(_))));
        let pong = Some(RoomFrame::System(SystemFrame::Pong(Pong {
            kind: PongType::Only,
        })));
        assert_eq!(read(r#"{"type":"pong"}"#), pong);
    }
}
