//! `docs/asyncapi.json`: the frames and close codes of a room's sockets (`AsyncAPI` 3.0,
//! <https://www.asyncapi.com/docs/reference/specification/v3.0.0>).

use edge_broadcast_protocol::contract::close::{self, Described};
use edge_broadcast_protocol::describe::frame::{self, From};
use edge_broadcast_protocol::describe::parameter::PARAMETERS;
use edge_broadcast_protocol::describe::schema;
use serde_json::{Map, Value, json};

use super::openapi::TOKEN;
use super::shape::{plain, plain_all};

const ABOUT: &str = "What goes over the WebSocket of a room. Its handshake and everything else that is asked of a gateway are in \
    `openapi.json`, and all of it in words in `protocol.md`. Frames are added and never changed: a client ignores types that it does \
    not know and members that are not here.";
/// The path of the sockets, as `describe::route` has it.
const PATH: &str = "/ws/:token";

/// The whole document.
pub(super) fn document() -> Value {
    let messages = messages();
    let of_channel = messages.keys().map(|name| {
        let message = json!({ "$ref": format!("#/components/messages/{name}") });
        (name.clone(), message)
    });
    let of_channel: Map<String, Value> = of_channel.collect();
    plain_all(json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "edge-broadcast",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT" },
        },
        "defaultContentType": "application/json",
        "servers": {
            "gateway": {
                "host": "{host}",
                "protocol": "wss",
                "variables": { "host": { "default": "broadcast.example.com" } },
            },
        },
        "channels": {
            "room": {
                "address": PATH.replace(":token", "{token}"),
                "description": "Every update of a token, as it is published.",
                "parameters": { "token": { "description": format!("The room: `{TOKEN}`.") } },
                "messages": of_channel,
                "bindings": { "ws": { "method": "GET", "query": query(), "bindingVersion": "0.1.0" } },
                "x-close-codes": close::CLOSES.iter().map(close).collect::<Vec<_>>(),
                "x-refused-handshakes": close::REFUSED_DESCRIBED.iter().map(close).collect::<Vec<_>>(),
            },
        },
        "operations": {
            "sent": operation("send", "What the room sends.", From::Room),
            "received": operation("receive", "What a client may send.", From::Client),
        },
        "components": { "schemas": schemas(), "messages": messages },
    }))
}

/// Every message by its name: the frames by their types, and the update.
fn messages() -> Map<String, Value> {
    let message = |schema: &str, title: &str, summary: &str| {
        json!({
            "title": title,
            "summary": summary,
            "contentType": "application/json",
            "payload": { "$ref": format!("#/components/schemas/{schema}") },
        })
    };
    let frames = frame::all().into_iter().map(|frame| {
        let described = message(&frame.schema, &frame.kind, &plain(&frame.meaning));
        (frame.kind, described)
    });
    let mut messages: Map<String, Value> = frames.collect();
    let summary = schema::all()["Update"]["description"].clone();
    let update = message("Update", "update", summary.as_str().unwrap_or_default());
    messages.insert("update".to_owned(), update);
    messages
}

fn operation(action: &str, summary: &str, from: From) -> Value {
    let frames = frame::all().into_iter().filter(|frame| frame.from == from);
    let mut names: Vec<String> = frames.map(|frame| frame.kind).collect();
    if from == From::Room {
        names.push("update".to_owned());
    }
    let messages = names.iter();
    let messages =
        messages.map(|name| json!({ "$ref": format!("#/channels/room/messages/{name}") }));
    json!({
        "action": action,
        "summary": summary,
        "channel": { "$ref": "#/channels/room" },
        "messages": messages.collect::<Vec<_>>(),
    })
}

/// Those of the frames alone.
fn schemas() -> Map<String, Value> {
    let all = schema::all();
    let mut names: Vec<String> = frame::all().into_iter().map(|frame| frame.schema).collect();
    names.push("Update".to_owned());
    names
        .into_iter()
        .map(|name| {
            let schema = all[&name].clone();
            (name, schema)
        })
        .collect()
}

fn query() -> Value {
    let parameters = PARAMETERS.iter();
    let parameters = parameters.filter(|parameter| parameter.of.contains(&PATH));
    let parameters: Map<String, Value> = parameters
        .map(|parameter| {
            let described = json!({ "type": "string", "description": parameter.meaning });
            (parameter.name.to_owned(), described)
        })
        .collect();
    json!({ "type": "object", "properties": parameters })
}

fn close(close: &Described) -> Value {
    json!({
        "code": close.code,
        "reason": close.reason,
        "description": close.meaning,
        "comeBack": close.come_back.name(),
        "advice": close.advice,
    })
}
