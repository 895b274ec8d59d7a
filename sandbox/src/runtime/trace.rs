//! A trace event: what the runtime says about one invocation of a Worker, as a message of a `trace-v1` socket. Pure.
//!
//! The runtime writes an event as Cloudflare does (`outcome`, `exceptions`, `logs`, `eventTimestamp`, `event`; headers that hold a
//! secret are `REDACTED` already), only without the script's name and version, which it does not know. The message is what
//! wrangler calls `TailEventMessage`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::runtime::host;

/// What the runtime posts: the events of a moment, of any script.
#[derive(Debug, Deserialize)]
pub(crate) struct Batch {
    /// How many events it left out before these, because there were too many.
    pub(crate) dropped: u64,
    /// Oldest first.
    pub(crate) events: Vec<Trace>,
}

/// One event with whose it is.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Trace {
    /// The account's id.
    pub(crate) account: String,
    /// The script's name.
    pub(crate) script: String,
    /// The version's id.
    pub(crate) version: String,
    /// As the runtime wrote it.
    pub(crate) item: Value,
}

impl Trace {
    /// As it goes over the socket.
    pub(crate) fn message(&self) -> Value {
        let mut message = self.item.clone();
        message["scriptName"] = self.script.as_str().into();
        message["scriptVersion"] = json!({"id": self.version});
        message
    }

    /// A header of the request that caused the event; none for an alarm, a call or a message of a socket.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.request()?.get("headers")?.as_object()?;
        let (_, value) = headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        value.as_str()
    }

    /// The method of the request that caused the event.
    pub(crate) fn method(&self) -> Option<&str> {
        self.request()?.get("method")?.as_str()
    }

    /// Whether it is a call by which the sandbox itself asks after objects, which a script on Cloudflare never has.
    pub(crate) fn is_own(&self) -> bool {
        self.item["entrypoint"] == host::ENTRYPOINT
    }

    /// `ok`, `exception`, `canceled`, …
    pub(crate) fn outcome(&self) -> &str {
        self.item["outcome"].as_str().unwrap_or("unknown")
    }

    /// Whether a log line has this text in it.
    pub(crate) fn logs(&self, text: &str) -> bool {
        let logs = self.item["logs"].as_array().into_iter().flatten();
        logs.flat_map(|log| log["message"].as_array().into_iter().flatten())
            .any(|part| match part {
                Value::String(part) => part.contains(text),
                other => other.to_string().contains(text),
            })
    }

    fn request(&self) -> Option<&Value> {
        self.item.get("event")?.get("request")
    }
}

/// What a tail is told when events were left out: wrangler calls it `TailInfo` and prints the text.
pub(crate) fn overload(dropped: u64, milliseconds: u64) -> Value {
    let message =
        format!("more events than the sandbox passes on: {dropped} were left out of this tail");
    json!({
        "outcome": "unknown", "scriptName": null, "exceptions": [], "logs": [], "eventTimestamp": milliseconds,
        "event": {"type": "overload", "message": message},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fixture::{alarm, request};

    #[test]
    fn a_message_is_the_runtimes_event_with_the_scripts_name_and_version() {
        let message = request().message();
        assert_eq!(message["scriptName"], "room");
        assert_eq!(message["scriptVersion"], json!({"id": "v1"}));
        assert_eq!(message["event"], request().item["event"]);
        assert_eq!(message["logs"], request().item["logs"]);
    }

    #[test]
    fn a_header_is_found_whatever_its_case_and_an_alarm_has_none() {
        assert_eq!(request().header("CF-Connecting-IP"), Some("192.0.2.1"));
        assert_eq!(request().header("x-other"), None);
        assert_eq!((alarm().header("host"), alarm().method()), (None, None));
    }

    #[test]
    fn what_the_sandbox_asks_its_own_entry_point_is_nobody_elses_event() {
        let mut own = request();
        own.item["entrypoint"] = host::ENTRYPOINT.into();
        assert_eq!(
            [own.is_own(), request().is_own(), alarm().is_own()],
            [true, false, false]
        );
    }

    #[test]
    fn a_tail_that_lost_events_is_told_in_a_form_that_wrangler_prints() {
        let message = overload(3, 7);
        assert_eq!(message["event"]["type"], "overload");
        assert_eq!(
            message["event"]["message"],
            "more events than the sandbox passes on: 3 were left out of this tail"
        );
        assert_eq!(
            (&message["logs"], &message["exceptions"]),
            (&json!([]), &json!([]))
        );
    }
}
