//! The two scripts of an environment as Cloudflare should have them, apart from their code.
//!
//! The same values become `wrangler.toml`, the plan and the uploaded metadata, so the three cannot disagree.

use std::collections::{BTreeMap, BTreeSet};

use edge_broadcast_protocol::contract::binding;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::build::Worker;
use crate::environment::name::Owner;
use crate::environment::{CodeUpdateStrategy, Environment, Rate, script_name};

/// A script's settings. Equal settings and equal modules make equal versions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Script {
    pub role: Worker,
    /// `glow-broadcast-staging`
    pub name: String,
    /// Wrangler's name of the script without its environment, in the tag `cf:service=…`.
    pub service: String,
    pub environment: String,
    /// Whose it is, in the tag `edge-broadcast:owner=…`.
    pub owner: Option<Owner>,
    pub compatibility_date: String,
    /// By binding name, secrets not among them.
    pub bindings: BTreeMap<String, Binding>,
    /// Names of secrets that must be there.
    pub secrets: BTreeSet<String>,
    /// In order, oldest first.
    pub migrations: Vec<Migration>,
    pub observability: bool,
    pub cpu_ms: Option<u32>,
    pub workers_dev: bool,
    pub code_update: CodeUpdateStrategy,
}

/// A binding as Cloudflare's API writes it in metadata, settings and versions (docs: Workers, Multipart upload metadata).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Binding {
    PlainText {
        text: String,
    },
    Json {
        json: serde_json::Value,
    },
    DurableObjectNamespace {
        class_name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        script_name: Option<String>,
    },
    AnalyticsEngine {
        dataset: String,
    },
    Ratelimit {
        /// A positive whole number, unique in the account.
        namespace_id: String,
        simple: Rate,
    },
    VersionMetadata {},
}

impl Binding {
    /// The binding as the API writes it, without its name.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("bindings are plain data")
    }
}

/// A Durable Object migration in wrangler's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Migration {
    pub tag: String,
    pub new_sqlite_classes: Vec<String>,
}

/// The script that has routes, limits and secrets.
pub fn gateway(environment: &Environment) -> Script {
    let name = environment.gateway_script();
    let objects_of = Some(environment.room_script());
    let mut bindings = shared(environment, &environment.gateway, objects_of);
    for (limit, rate) in [
        (binding::CONNECT_RATE, environment.connect_rate),
        (binding::BROADCAST_RATE, environment.broadcast_rate),
    ] {
        bindings.insert(limit.to_owned(), rate_limit(&name, limit, rate));
    }
    Script {
        role: Worker::Gateway,
        service: environment.worker.clone(),
        bindings,
        secrets: environment.secrets.keys().cloned().collect(),
        migrations: Vec::new(),
        workers_dev: environment.workers_dev,
        ..either(environment, name)
    }
}

/// The script that defines the Durable Object.
pub fn room(environment: &Environment) -> Script {
    Script {
        role: Worker::Room,
        service: script_name::room_service(&environment.worker),
        bindings: shared(environment, &environment.room, None),
        migrations: vec![Migration {
            tag: binding::ROOM_MIGRATION.to_owned(),
            new_sqlite_classes: vec![binding::ROOM_CLASS.to_owned()],
        }],
        ..either(environment, environment.room_script())
    }
}

fn either(environment: &Environment, name: String) -> Script {
    Script {
        role: Worker::Room,
        name,
        service: String::new(),
        environment: environment.name.to_string(),
        owner: environment.owner.clone(),
        compatibility_date: environment.compatibility_date.clone(),
        bindings: BTreeMap::new(),
        secrets: BTreeSet::new(),
        migrations: Vec::new(),
        observability: environment.observability,
        cpu_ms: environment.cpu_ms,
        workers_dev: false,
        code_update: environment.code_update,
    }
}

/// The bindings of both. The room's objects belong to the script `objects_of`, or to the script itself.
fn shared(
    environment: &Environment,
    settings: &impl Serialize,
    objects_of: Option<String>,
) -> BTreeMap<String, Binding> {
    let json = serde_json::to_value(settings).expect("settings are plain data");
    let mut bindings = BTreeMap::from([
        (
            binding::ENVIRONMENT.to_owned(),
            Binding::PlainText {
                text: environment.label.clone(),
            },
        ),
        (binding::SETTINGS.to_owned(), Binding::Json { json }),
        (binding::VERSION.to_owned(), Binding::VersionMetadata {}),
        (
            binding::ROOM.to_owned(),
            Binding::DurableObjectNamespace {
                class_name: binding::ROOM_CLASS.to_owned(),
                script_name: objects_of,
            },
        ),
    ]);
    if let Some(jurisdiction) = &environment.jurisdiction {
        let text = jurisdiction.to_string();
        bindings.insert(
            binding::JURISDICTION.to_owned(),
            Binding::PlainText { text },
        );
    }
    if let Some(dataset) = &environment.dataset {
        bindings.insert(
            binding::ANALYTICS.to_owned(),
            Binding::AnalyticsEngine {
                dataset: dataset.to_string(),
            },
        );
    }
    bindings
}

/// A rate limit counts per namespace id, account-wide: the id is derived from what it limits so that no two share one.
fn rate_limit(script: &str, limit: &str, rate: Rate) -> Binding {
    let digest = Sha256::digest(format!("{script}/{limit}"));
    let id = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) >> 1;
    Binding::Ratelimit {
        namespace_id: (id + 1).to_string(),
        simple: rate,
    }
}
