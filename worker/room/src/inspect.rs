//! What an object says of itself.

use crate::object::{self, Object};
use edge_broadcast_protocol::contract::call::{Call, Part};
use edge_broadcast_protocol::contract::health::Room;
use edge_broadcast_protocol::contract::refusal::Refusal;
use edge_broadcast_protocol::contract::report::{self, Awake};
use edge_broadcast_protocol::room::report::report;
use edge_broadcast_shell::{env, reply};
use std::rc::Rc;
use worker::wasm_bindgen::JsValue;
use worker::worker_sys::web_sys::Response;

/// A root answers for its whole room, a shard for itself.
pub(crate) async fn inspect(
    object: &Rc<Object>,
    token: &str,
    name: &str,
    region: String,
) -> Result<Response, Refusal> {
    let part = Part::of(name, token);
    object.load(part).await?;
    if part == Part::Shard {
        return Ok(reply::json(&describe(object, region)));
    }
    let registry = object.memory().registry.clone();
    let calls = registry
        .shards()
        .iter()
        .map(|(name, shard)| {
            let call = Call::Inspect {
                token: token.to_owned(),
                name: name.clone(),
                region: shard.region.clone(),
            };
            (name.clone(), call)
        })
        .collect();
    let answers = object.ask(calls, None).await.into_iter();
    let shards = answers.map(|(name, answer)| (name, object::read(answer)));
    let root = describe(object, region);
    let report = report(
        token,
        &object.memory().room,
        root,
        &registry,
        shards.collect(),
    );
    Ok(reply::json(&report))
}

pub(crate) fn health(object: &Object) -> Response {
    reply::json(&Room {
        status: "ok".to_owned(),
        version: env::version(&object.env),
        took_ms: None,
        probe: None,
    })
}

/// This object as it sees itself.
fn describe(object: &Object, region: String) -> report::Object {
    let sockets = object.count(&JsValue::UNDEFINED);
    let memory = object.memory();
    let mut held_by = Vec::new();
    if memory.room.window.is_waiting() {
        held_by.push("batch_window".to_owned());
    }
    if memory.saver.pending {
        held_by.push("save".to_owned());
    }
    report::Object {
        region,
        sockets,
        awake: Awake {
            held_by,
            ..memory.awake.clone()
        },
        counters: memory.room.counters.clone(),
    }
}
