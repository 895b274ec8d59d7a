//! The answer of `GET /health`.

use serde::{Deserialize, Serialize};

/// The id in the binding [`super::binding::VERSION`], read from its JSON.
pub fn version(metadata: &str) -> Option<String> {
    let metadata: Metadata = serde_json::from_str(metadata).ok()?;
    Some(metadata.id)
}

/// The answer of a room object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema))]
pub struct Room {
    #[cfg_attr(feature = "describe", schemars(description = "", extend("const" = "ok")))]
    pub status: String,
    /// The version id that this object runs.
    pub version: Option<String>,
    // The gateway adds it
    /// From the gateway to the room and back, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "describe", schemars(required, with = "u64"))]
    pub took_ms: Option<u64>,
    // The gateway adds it
    /// The number that was asked for, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "describe", schemars(with = "u8"))]
    pub probe: Option<u8>,
}

/// The answer of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema))]
pub struct Health<'gateway> {
    #[cfg_attr(feature = "describe", schemars(description = "", extend("const" = "ok")))]
    pub status: &'static str,
    /// `development` with `worker.debug`, else the environment's name.
    pub environment: &'gateway str,
    /// The gateway's version id.
    pub version: Option<&'gateway str>,
    /// The answer of a room object; with `?deep=1` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "describe", schemars(with = "Room"))]
    pub room: Option<Room>,
}

#[derive(Deserialize)]
struct Metadata {
    id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_metadatas_id() {
        let metadata = r#"{"id":"v-1","tag":"","timestamp":"2026-11-25T00:00:00Z"}"#;
        assert_eq!(version(metadata).as_deref(), Some("v-1"));
        assert_eq!(version("{}"), None);
        assert_eq!(version("x"), None);
    }

    #[test]
    fn only_the_deep_answer_has_a_room() {
        let mut health = Health {
            status: "ok",
            environment: "staging",
            version: None,
            room: None,
        };
        let text = |health: &Health| serde_json::to_string(health).unwrap();
        assert_eq!(
            text(&health),
            r#"{"status":"ok","environment":"staging","version":null}"#
        );
        let room = r#"{"status":"ok","version":"v-1"}"#;
        health.room = serde_json::from_str(room).ok();
        assert_eq!(serde_json::to_string(&health.room).unwrap(), room);
        health.room.as_mut().unwrap().took_ms = Some(7);
        assert_eq!(
            text(&health),
            r#"{"status":"ok","environment":"staging","version":null,"room":{"status":"ok","version":"v-1","took_ms":7}}"#
        );
    }
}
