//! A trace event as this tool tells it: what happened in which script, of which room, and how it ended. Pure.
//!
//! The shape of a message is what wrangler calls `TailEventMessage`; which event it is, is told by the members of its `event`
//! (`src/tail/printing.ts`), that of a socket that hibernates by `getWebSocketEvent` (`TraceItemHibernatableWebSocketEventInfo`).

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use edge_broadcast_protocol::contract::call;
use edge_broadcast_protocol::gateway::route::{self, Route};
use reqwest::Url;
use serde::Serialize;
use serde_json::Value as Json;

use super::secrecy;

/// One event.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Trace {
    /// When it began.
    pub(super) time: String,
    pub(super) script: String,
    pub(super) version: Option<String>,
    /// The id of the object in which it happened.
    pub(super) object: Option<String>,
    /// The room that it is of, where that is known.
    pub(super) token: Option<String>,
    pub(super) kind: Kind,
    /// In words: `POST /broadcast/SOL`, `publish SOL`.
    pub(super) what: String,
    /// The status of the answer to a request or a call.
    pub(super) status: Option<u64>,
    /// `ok`, `exception`, `canceled`, …
    pub(super) outcome: String,
    pub(super) wall_ms: Option<u64>,
    pub(super) cpu_ms: Option<u64>,
    pub(super) logs: Vec<Log>,
    pub(super) exceptions: Vec<Exception>,
    /// As Cloudflare writes it, without what may be a secret.
    pub(super) event: Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Request,
    /// A request from one object to another, or from the gateway.
    Call,
    Alarm,
    /// Of a socket: a frame, its end, or a failure.
    Message,
    Close,
    SocketError,
    Scheduled,
    Rpc,
    /// Cloudflare leaves events out, or does so no longer.
    Overload,
    Unknown,
}

/// A line that was logged.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Log {
    pub(super) level: String,
    pub(super) message: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Exception {
    pub(super) name: String,
    pub(super) message: String,
    pub(super) stack: Option<String>,
}

/// Which rooms objects are of, as their calls have told it: neither an alarm nor a frame names the room.
#[derive(Debug, Default)]
pub(super) struct Objects(BTreeMap<String, String>);

/// As many as one tail meets at most, in some megabytes.
const MOST_OBJECTS: usize = 100_000;

impl Objects {
    /// Reads a message, and keeps what it tells of its object.
    pub(super) fn read(&mut self, message: &Json) -> Trace {
        let mut trace = read(message);
        if let Some(object) = &trace.object {
            match &trace.token {
                Some(token) if self.0.len() < MOST_OBJECTS => {
                    self.0.insert(object.clone(), token.clone());
                }
                Some(_) => {}
                None => trace.token = self.0.get(object).cloned(),
            }
        }
        trace
    }
}

impl Trace {
    /// Whether it is of the room, or has logged its token as a word.
    pub(super) fn is_of(&self, token: &str) -> bool {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        self.token.as_deref() == Some(token)
            || self.logs.iter().any(|log| {
                let mut words = log.message.split(|c| !is_part(c));
                words.any(|word| word.trim_end_matches(['.', ':']) == token || word == token)
            })
    }
}

fn read(message: &Json) -> Trace {
    let text = |name: &str| message[name].as_str().map(str::to_owned);
    let event = &message["event"];
    let (kind, what, token) = told(event, message);
    let list = |name: &str| message[name].as_array().into_iter().flatten();
    Trace {
        time: time(message["eventTimestamp"].as_u64().unwrap_or_default()),
        script: text("scriptName").unwrap_or_default(),
        version: message["scriptVersion"]["id"].as_str().map(str::to_owned),
        object: text("durableObjectId"),
        token,
        kind,
        what,
        status: event["response"]["status"].as_u64(),
        outcome: text("outcome").unwrap_or_else(|| "unknown".to_owned()),
        wall_ms: message["wallTime"].as_u64(),
        cpu_ms: message["cpuTime"].as_u64(),
        logs: list("logs").map(log).collect(),
        exceptions: list("exceptions").map(exception).collect(),
        event: secrecy::event(event.clone()),
    }
}

/// What happened, in words, and of which room.
fn told(event: &Json, message: &Json) -> (Kind, String, Option<String>) {
    let is_there = |name: &str| !event[name].is_null();
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    if is_there("request") {
        return request(&event["request"]);
    }
    let socket = &event["getWebSocketEvent"];
    let (kind, what) = match socket["webSocketEventType"].as_str() {
        Some("message") => (Kind::Message, "frame of a socket".to_owned()),
        Some("close") => {
            let code = socket["code"].as_u64().unwrap_or_default();
            (Kind::Close, format!("end of a socket with {code}"))
        }
        Some(_) => (Kind::SocketError, "failure of a socket".to_owned()),
        None if is_there("cron") => (Kind::Scheduled, text("cron")),
        None if is_there("scheduledTime") => (Kind::Alarm, "alarm".to_owned()),
        None if is_there("rpcMethod") => {
            let entrypoint = message["entrypoint"].as_str().unwrap_or("default");
            (Kind::Rpc, format!("{entrypoint}.{}", text("rpcMethod")))
        }
        None if is_there("type") && is_there("message") => (Kind::Overload, text("message")),
        None => (Kind::Unknown, "unknown event".to_owned()),
    };
    (kind, what, None)
}

fn request(request: &Json) -> (Kind, String, Option<String>) {
    let headers = request["headers"].as_object();
    let call = headers.and_then(|headers| headers.get(call::HEADER)?.as_str());
    if let Some(call) = call.and_then(|call| serde_json::from_str::<Json>(call).ok()) {
        let (name, token) = called(&call);
        let of = token
            .as_ref()
            .map_or(String::new(), |token| format!(" {token}"));
        return (Kind::Call, format!("{name}{of}"), token);
    }
    let method = request["method"].as_str().unwrap_or("-");
    let address = secrecy::url(request["url"].as_str().unwrap_or_default());
    let Ok(url) = Url::parse(&address) else {
        return (Kind::Request, format!("{method} {address}"), None);
    };
    let query = url
        .query()
        .map_or(String::new(), |query| format!("?{query}"));
    let what = format!("{method} {}{query}", url.path());
    (Kind::Request, what, token_of(url.path()))
}

/// The room that a path of the gateway names, whatever the method; a token is percent-decoded as the gateway does it.
fn token_of(path: &str) -> Option<String> {
    let method = match route::resource(path) {
        "broadcast" => "POST",
        _ => "GET",
    };
    match Route::of(method, path) {
        Ok(
            Route::Connect(token)
            | Route::Publish(token)
            | Route::Snapshot(token)
            | Route::Room(token),
        ) => Some(token.as_str().to_owned()),
        _ => None,
    }
}

/// What an object was asked for, and the room that it is of: a shard's name begins with the token, which has no `/`.
fn called(call: &Json) -> (String, Option<String>) {
    let Some((name, arguments)) = call.as_object().and_then(|call| call.iter().next()) else {
        return (call.as_str().unwrap_or("call").to_owned(), None);
    };
    let places = [
        &arguments["token"],
        &arguments["place"]["token"],
        &arguments["name"],
    ];
    let token = places.into_iter().find_map(Json::as_str);
    let token = token.and_then(|token| token.split('/').next());
    let token = token.filter(|token| !token.is_empty());
    (name.clone(), token.map(str::to_owned))
}

fn log(log: &Json) -> Log {
    let parts = match &log["message"] {
        Json::Array(parts) => parts.iter().map(word).collect::<Vec<_>>().join(" "),
        other => word(other),
    };
    Log {
        level: log["level"].as_str().unwrap_or("log").to_owned(),
        message: parts,
    }
}

fn exception(exception: &Json) -> Exception {
    Exception {
        name: word(&exception["name"]),
        message: word(&exception["message"]),
        stack: exception["stack"].as_str().map(str::to_owned),
    }
}

/// A text as it is, and everything else as JSON.
fn word(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

fn time(unix_ms: u64) -> String {
    // A year that has five digits is no time of an event
    let unix_ms = unix_ms.min(253_402_300_799_999);
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(unix_ms)).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn requested(path: &str) -> Trace {
        let url = format!("https://w.glow.trade{path}");
        read(&json!({ "event": { "request": { "url": url, "method": "PUT", "headers": {} } } }))
    }

    #[test]
    fn the_room_of_a_request_is_the_one_that_the_gateway_would_serve() {
        for (path, token) in [
            ("/ws/SOL", Some("SOL")),
            ("/broadcast/S%4FL/?force=1", Some("SOL")),
            ("/snapshot/a.b:c", Some("a.b:c")),
            ("/rooms/SOL", Some("SOL")),
            ("/broadcast", None),
            ("/health", None),
            ("/secrets/uses", None),
            ("/ws/S%25OL", None),
            ("/other/SOL", None),
        ] {
            assert_eq!(requested(path).token.as_deref(), token, "{path}");
        }
    }

    #[test]
    fn an_event_is_of_a_room_by_its_path_its_call_its_object_or_a_word_that_it_logged() {
        assert!(requested("/ws/SOL").is_of("SOL"));
        assert!(!requested("/ws/SOL2").is_of("SOL"));
        let mut objects = Objects::default();
        let call = |call: &str| json!({ "durableObjectId": "o", "event": { "request": { "headers": { call::HEADER: call } } } });
        let publish = objects.read(&call(r#"{"publish":{"token":"SOL","slot":"primary"}}"#));
        assert_eq!((publish.kind, publish.is_of("SOL")), (Kind::Call, true));
        let push = objects.read(&call("\"push\""));
        assert_eq!((push.what.as_str(), push.is_of("SOL")), ("push", true));
        let logged = |text: &str| {
            let logs = json!([{ "level": "log", "message": [text] }]);
            read(&json!({ "logs": logs, "event": {} })).is_of("SOL")
        };
        assert!(logged("opened SOL: 3 sockets") && logged("SOL.") && logged("room `SOL`"));
        assert!(!logged("SOLANA") && !logged("SOL-USD") && !logged("sol"));
    }

    fn anything() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            "[a-z:/?=%]{0,9}".prop_map(Json::from),
        ];
        let name = prop::sample::select(vec![
            "event",
            "request",
            "url",
            "headers",
            "x-edge-call",
            "logs",
            "message",
            "exceptions",
            "getWebSocketEvent",
            "scriptVersion",
            "webSocketEventType",
            "eventTimestamp",
            "type",
        ]);
        leaf.prop_recursive(4, 32, 4, move |inner| {
            let members = prop::collection::btree_map(name.clone(), inner.clone(), 0..5);
            prop_oneof![
                prop::collection::vec(inner, 0..3).prop_map(Json::from),
                members.prop_map(|members| members
                    .into_iter()
                    .map(|(name, it)| (name.to_owned(), it))
                    .collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_comes_is_told(message in anything()) {
            let trace = Objects::default().read(&message);
            prop_assert!(!super::super::line::line(&trace, "room").is_empty());
        }
    }
}
