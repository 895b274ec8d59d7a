//! A Durable Object namespace: a class that a script's migrations have configured. Its id is the key of the stored objects.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Where a class keeps its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Storage {
    /// `new_sqlite_classes`
    Sqlite,
    /// `new_classes`
    KeyValue,
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Namespace {
    /// 32 hex digits; stays when the class is renamed.
    pub id: String,
    /// The script that defines the class.
    pub script: String,
    /// The class.
    pub class: String,
    /// Its storage.
    pub storage: Storage,
}

/// As `GET …/durable_objects/namespaces` lists it.
pub(crate) fn shown(namespace: &Namespace) -> Value {
    json!({
        "id": namespace.id,
        "name": format!("{}_{}", namespace.script, namespace.class),
        "script": namespace.script,
        "class": namespace.class,
        "use_sqlite": namespace.storage == Storage::Sqlite,
    })
}
