//! What others wrote into a live Worker: its names are shown, its values never. A plain variable can hold somebody's password, and a
//! plan is read by all who read the log of a pipeline.
//!
//! A value is shown only where this tool governs the setting **and** the value is one that the setting can have. Of any other there is a
//! short hash, by which people and saved plans see that it changed: the first 8 hexadecimal digits of the SHA-256 of `NAME=VALUE`. The
//! name keeps equal values of two settings apart. 32 bits tell nothing of a random value, of which 2^32 share them with any other; one
//! that can be guessed can be confirmed by them, which no hash that two machines agree on without a common key prevents.

use std::collections::BTreeSet;

use edge_broadcast_protocol::contract::binding;
use edge_broadcast_protocol::contract::settings::{GatewaySettings, RoomSettings};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{script_tags, version_tag};
use crate::build::module::hex;
use crate::environment::name::{
    Continent, Dataset, Host, Jurisdiction, MemberNames, Origin, RegionName,
};
use crate::environment::script::Binding;
use crate::environment::script_name;

/// In front of the tags of a script that this tool, or wrangler with the generated file, writes.
const TAGS: [&str; 3] = [
    script_tags::SERVICE,
    script_tags::ENVIRONMENT,
    "edge-broadcast:",
];

/// What is shown instead of the value of `name`: `hidden:` and 8 hexadecimal digits.
pub(crate) fn hidden(name: &str, value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    let digest = Sha256::digest(format!("{name}={text}"));
    format!("hidden:{}", hex(&digest[..4]))
}

/// The binding `name` of `script`, with its values hidden where they are not this tool's. Its own bindings stay as they are.
pub(crate) fn binding(script: &str, name: &str, mut live: Value) -> Value {
    match Binding::deserialize(&live) {
        Ok(Binding::Json {
            json: Value::Object(settings),
        }) if name == binding::SETTINGS => {
            let json = shown(settings).into();
            Binding::Json { json }.to_json()
        }
        Ok(known) if is_ours(script, name, &known) => known.to_json(),
        _ => {
            let fields = live.as_object_mut().into_iter().flatten();
            for (_, value) in fields.filter(|(field, _)| *field != "type") {
                *value = hidden(name, value).into();
            }
            live
        }
    }
}

fn is_ours(script: &str, name: &str, binding: &Binding) -> bool {
    match (name, binding) {
        (binding::ENVIRONMENT, Binding::PlainText { text }) => is_label(script, text),
        (binding::JURISDICTION, Binding::PlainText { text }) => is::<Jurisdiction>(text),
        (binding::VERSION, Binding::VersionMetadata {})
        // Names of a class and of a script
        | (binding::ROOM, Binding::DurableObjectNamespace { .. }) => true,
        (binding::ANALYTICS, Binding::AnalyticsEngine { dataset }) => is::<Dataset>(dataset),
        (binding::CONNECT_RATE | binding::BROADCAST_RATE, Binding::Ratelimit { namespace_id, .. }) => {
            namespace_id.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}

/// Whether `text` is what the variable `ENVIRONMENT` can be in `script`, whose name has the environment's.
fn is_label(script: &str, text: &str) -> bool {
    // The name of an environment can end as a room's script does
    let mut names = [Some(script), script.strip_suffix(script_name::ROOM)]
        .into_iter()
        .flatten();
    let is_of = |name: &str| {
        let worker = name.strip_suffix(text);
        worker.is_some_and(|rest| rest.ends_with('-'))
    };
    text == binding::DEVELOPMENT || names.any(is_of)
}

/// The settings of a Worker, of which those that it can have are shown.
fn shown(settings: Map<String, Value>) -> Map<String, Value> {
    let one = |(key, value): (String, Value)| {
        let value = match is_setting(&key, &value) {
            true => value,
            false => hidden(&format!("{}.{key}", binding::SETTINGS), &value).into(),
        };
        (key, value)
    };
    settings.into_iter().map(one).collect()
}

fn is_setting(key: &str, value: &Value) -> bool {
    let words = texts(value);
    let is_worded = match key {
        "allowed_origins" => words.iter().all(|it| *it == "*" || is::<Origin>(it)),
        "conflate_key" => {
            MemberNames::try_from(words.iter().map(ToString::to_string).collect::<Vec<_>>()).is_ok()
        }
        "conflate" => true,
        "regions" => words
            .iter()
            .all(|it| is::<RegionName>(it) || is::<Host>(it) || is::<Continent>(it)),
        _ => words.is_empty(),
    };
    is_worded && (fits::<GatewaySettings>(key, value) || fits::<RoomSettings>(key, value))
}

/// Whether `value` can be the member `key` of `T`, and is that alone.
fn fits<T: Default + Serialize + DeserializeOwned>(key: &str, value: &Value) -> bool {
    let mut whole = json!(T::default());
    let Some(member) = whole.get_mut(key) else {
        return false;
    };
    *member = value.clone();
    T::deserialize(&whole).is_ok_and(|read| json!(read) == whole)
}

/// Every text in `value`.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn is<T: std::str::FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

/// The tags of a script, with those of others hidden.
pub(super) fn tags(tags: &BTreeSet<String>) -> BTreeSet<String> {
    let one = |tag: &String| match TAGS.iter().any(|ours| tag.starts_with(ours)) {
        true => tag.clone(),
        false => hidden("tag", &json!(tag)),
    };
    tags.iter().map(one).collect()
}

/// [`tags`] in place of the tags, for `serialize_with`.
pub(super) fn as_tags<S: Serializer>(
    all: &BTreeSet<String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    tags(all).serialize(serializer)
}

/// A version's `workers/tag`, hidden when it has not this tool's form.
#[expect(clippy::ref_option, reason = "the form that serde calls")]
pub(super) fn as_version_tag<S: Serializer>(
    tag: &Option<String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let shown = tag.as_ref().map(|tag| match version_tag::code(tag) {
        Some(_) => tag.clone(),
        None => hidden("tag", &json!(tag)),
    });
    shown.serialize(serializer)
}

/// The values of settings that no manifest governs, each hidden under its name.
pub(super) fn as_hidden<S: Serializer>(
    settings: &Map<String, Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let hidden = settings
        .iter()
        .map(|(name, value)| (name.clone(), hidden(name, value).into()));
    hidden.collect::<Map<_, _>>().serialize(serializer)
}

/// The same of a list.
pub(super) fn as_hidden_items<S: Serializer>(
    items: &[Value],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let hidden = items.iter().map(|item| hidden("tail_consumers", item));
    hidden.collect::<Vec<_>>().serialize(serializer)
}
