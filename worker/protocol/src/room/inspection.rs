//! What an object says of itself.

use super::event::Request;
use super::object::{Ask, Step};
use super::report::report;
use crate::contract::call::{Call, Part};
use crate::contract::health::Room;
use crate::contract::report::{self, Awake};
use std::collections::BTreeMap;

/// A root answers for its whole room, a shard for itself.
pub(crate) fn inspect(
    step: &mut Step<'_>,
    request: Request,
    token: String,
    name: &str,
    region: String,
) {
    if Part::of(name, &token) == Part::Shard {
        let object = describe(step, region);
        return step.reply(request, serde_json::to_string(&object).unwrap_or_default());
    }
    let shards = step.object.registry.shards().iter();
    let calls: Vec<(String, Call)> = shards
        .map(|(name, shard)| {
            let call = Call::Inspect {
                token: token.clone(),
                name: name.clone(),
                region: shard.region.clone(),
            };
            (name.clone(), call)
        })
        .collect();
    let names: Vec<String> = calls.iter().map(|(name, _)| name.clone()).collect();
    if names.is_empty() {
        return inspected(step, request, &token, region, names, Vec::new());
    }
    let ask = Ask::Inspect {
        request,
        token,
        region,
        names,
    };
    step.ask(ask, calls, None);
}

/// The shards have described themselves.
pub(crate) fn inspected(
    step: &mut Step<'_>,
    request: Request,
    token: &str,
    region: String,
    names: Vec<String>,
    answers: Vec<Option<String>>,
) {
    let mut shards = BTreeMap::new();
    for (name, answer) in names.into_iter().zip(answers) {
        shards.insert(
            name,
            answer.and_then(|text| serde_json::from_str(&text).ok()),
        );
    }
    let root = describe(step, region);
    let (room, registry) = (&step.object.room, &step.object.registry);
    let report = report(token, room, root, registry, shards);
    step.reply(request, serde_json::to_string(&report).unwrap_or_default());
}

/// The object runs.
pub(crate) fn health(step: &mut Step<'_>, request: Request) {
    let health = Room {
        status: "ok".to_owned(),
        version: step.object.identity.version.clone(),
        took_ms: None,
        probe: None,
    };
    step.reply(request, serde_json::to_string(&health).unwrap_or_default());
}

/// This object as it sees itself.
fn describe(step: &mut Step<'_>, region: String) -> report::Object {
    let sockets = step.count();
    let object = &*step.object;
    report::Object {
        region,
        sockets,
        awake: Awake {
            held_by: object.held_by(),
            ..object.awake.clone()
        },
        counters: object.room.counters.clone(),
    }
}
