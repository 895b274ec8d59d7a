//! States for the unit tests of accounts.

use serde_json::{Value, json};

use crate::account::bundle::{Described, Export, ExportKind};
use crate::account::inheritance::Missing;
use crate::account::metadata::Upload;
use crate::account::module::{Kind, Module, hash};
use crate::account::stamp::Stamp;
use crate::account::state::State;
use crate::account::upload::{add_version, put};

/// A stamp whose identifiers end in `number`.
pub(crate) fn fixed(number: u32) -> Stamp {
    Stamp {
        now: "2026-11-01T00:00:00.000000Z".into(),
        version: format!("00000000-0000-4000-8000-{number:012}"),
        id: format!("{number:032}"),
        source: "api",
    }
}

/// An upload of a script that exports the class `Room`.
pub(crate) fn upload(metadata: Value) -> Upload {
    let mut metadata = metadata;
    metadata["main_module"] = "index.js".into();
    Upload {
        metadata: serde_json::from_value(metadata).unwrap(),
        modules: vec![Module {
            name: "index.js".into(),
            kind: Kind::EsModule,
            hash: hash(b"code"),
            size: 4,
        }],
        described: Described {
            handlers: vec!["fetch".into()],
            named_handlers: vec![Export {
                name: "Room".into(),
                handlers: vec![],
                kind: ExportKind::Class,
            }],
        },
        startup_time_ms: 1,
    }
}

/// The account `a` with the script `room`: its class, a secret `SECRET`, one version.
pub(crate) fn room() -> State {
    let mut state = State {
        zones: ["glow.trade".to_owned()].into(),
        ..State::default()
    };
    let metadata = json!({
        "bindings": [
            {"name": "ROOM", "type": "durable_object_namespace", "class_name": "Room"},
            {"name": "SECRET", "type": "secret_text", "text": "marker"},
        ],
        "migrations": {"new_tag": "v1", "new_sqlite_classes": ["Room"]},
    });
    put(
        &mut state,
        "a",
        "room",
        upload(metadata),
        Missing::Refused,
        &fixed(1),
    )
    .unwrap();
    state
}

/// The same with a second version that is not deployed. Gives both ids, older first.
pub(crate) fn room_with_two_versions() -> (State, String, String) {
    let mut state = room();
    let first = state
        .script("a", "room")
        .unwrap()
        .latest()
        .unwrap()
        .id
        .clone();
    let second = json!({"bindings": [{"name": "ROOM", "type": "durable_object_namespace", "class_name": "Room"}]});
    let second = add_version(
        &mut state,
        "a",
        "room",
        upload(second),
        Missing::Refused,
        &fixed(2),
    )
    .unwrap();
    (state, first, second)
}
