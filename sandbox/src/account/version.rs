//! A version: code, bindings and runtime settings, never changed after its upload.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::account::binding::Binding;
use crate::account::bundle::Described;
use crate::account::module::Module;
use crate::account::namespace::Namespace;
use crate::account::value::SecretValue;

/// The user who does everything in the sandbox.
const AUTHOR: &str = "5a2db0c5a2db0c5a2db0c5a2db0c5a2f";

/// A version. `Debug` and `Serialize` leave the secrets' values out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    /// UUID.
    pub id: String,
    /// Counts up from 1 within the script.
    pub number: u32,
    /// RFC 3339.
    pub created_on: String,
    /// `wrangler` or `api`.
    pub source: String,
    /// `workers/message`, `workers/tag`, `workers/triggered_by`.
    pub annotations: Map<String, Value>,
    /// Content hash of the modules.
    pub etag: String,
    /// The entry point.
    pub main_module: String,
    /// Every module.
    pub modules: Vec<Module>,
    /// Sorted as given; secrets without values.
    pub bindings: Vec<Binding>,
    /// Values of the `secret_text` bindings; kept in a file of their own.
    #[serde(skip)]
    pub secrets: BTreeMap<String, SecretValue>,
    /// `YYYY-MM-DD`.
    pub compatibility_date: Option<String>,
    /// Flags.
    pub compatibility_flags: Vec<String>,
    /// `{"cpu_ms": …}`
    pub limits: Option<Value>,
    /// `{"mode": "smart"}`
    pub placement: Option<Value>,
    /// The script's migration tag when this version was made.
    pub migration_tag: Option<String>,
    /// What the code exports.
    pub described: Described,
    /// How long its start took.
    pub startup_time_ms: u32,
}

impl Version {
    /// A binding by name.
    pub(crate) fn binding(&self, name: &str) -> Option<&Binding> {
        self.bindings.iter().find(|binding| binding.name == name)
    }
}

/// As an item of `GET …/versions`, of which bodies were recorded.
pub(crate) fn summary(version: &Version) -> Value {
    json!({
        "id": version.id,
        "number": version.number,
        "annotations": version.annotations,
        "metadata": {
            "created_on": version.created_on, "source": version.source,
            "author_id": AUTHOR, "author_email": "sandbox@localhost", "has_preview": has_preview(version),
        },
    })
}

/// A version that has objects of its own has no preview address
/// (<https://developers.cloudflare.com/workers/configuration/previews/#limitations>).
fn has_preview(version: &Version) -> bool {
    version.migration_tag.is_none()
}

/// As `GET …/versions/{id}` gives it.
pub(crate) fn detail(version: &Version, script: &str, namespaces: &[Namespace]) -> Value {
    let mut value = summary(version);
    // The list has one spelling (recorded), the SDK's type of a single version the other
    value["metadata"]["modified_on"] = version.created_on.clone().into();
    value["metadata"]["hasPreview"] = has_preview(version).into();
    let mut code = json!({
        "etag": version.etag, "handlers": version.described.handlers,
        "named_handlers": version.described.named_handlers, "last_deployed_from": version.source,
    });
    let placement = version.placement.as_ref();
    let mode = placement.and_then(|placement| placement.get("mode"));
    set(&mut code, "placement_mode", mode.cloned());
    let mut runtime =
        json!({"usage_model": "standard", "compatibility_flags": version.compatibility_flags});
    let date = version.compatibility_date.as_deref();
    set(&mut runtime, "compatibility_date", date);
    let tag = version.migration_tag.as_deref();
    set(&mut runtime, "migration_tag", tag);
    set(&mut runtime, "limits", version.limits.clone());
    value["startup_time_ms"] = version.startup_time_ms.into();
    value["resources"] = json!({"bindings": bindings(version, script, namespaces), "script": code, "script_runtime": runtime});
    value
}

/// As `GET workers/S/versions/{id}` gives it (SDK, `workers.beta.workers.Version`), without the modules.
pub(crate) fn view(version: &Version, script: &str, namespaces: &[Namespace]) -> Value {
    let mut value = json!({
        "id": version.id, "number": version.number, "created_on": version.created_on, "urls": [],
        "annotations": version.annotations, "source": version.source,
        "author_id": AUTHOR, "author_email": "sandbox@localhost",
        "bindings": bindings(version, script, namespaces), "main_module": version.main_module,
        "compatibility_flags": version.compatibility_flags, "startup_time_ms": version.startup_time_ms,
        "usage_model": "standard",
    });
    set(
        &mut value,
        "compatibility_date",
        version.compatibility_date.as_deref(),
    );
    set(&mut value, "limits", version.limits.clone());
    set(&mut value, "placement", version.placement.clone());
    set(
        &mut value,
        "migration_tag",
        version.migration_tag.as_deref(),
    );
    value
}

/// The bindings as they are shown: a Durable Object binding with its namespace's identifier.
pub(crate) fn bindings(version: &Version, script: &str, namespaces: &[Namespace]) -> Vec<Value> {
    let shown = version.bindings.iter().map(|binding| {
        let mut value = json!(binding);
        if let Some((class, other)) = binding.class(script) {
            let owner = other.unwrap_or(script);
            let found = namespaces
                .iter()
                .find(|namespace| namespace.class == class && namespace.script == owner);
            let id = found.map(|namespace| namespace.id.as_str());
            set(&mut value, "namespace_id", id);
        }
        value
    });
    shown.collect()
}

/// Sets a member, unless there is no value for it.
pub(crate) fn set(object: &mut Value, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object[key] = value.into();
    }
}
