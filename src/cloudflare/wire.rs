//! What the API's answers hold, as far as this tool reads it (SDK 5.9.0, `cloudflare.types.workers` and `zones`; bodies recorded
//! from the live API).
//!
//! Null is absent by now ([`super::envelope`]). What may be absent has a default; what may not has none, and an answer without it is
//! an error: an identifier, a name that something is looked for by, and what a default would misrepresent, like a share of traffic.
//! Keys that are not named here are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json, json};

use super::path::id;
use crate::plan::history::{Deployed, Listed};
use crate::plan::{LiveDomain, LiveRecord, LiveRoute, LiveZone, Share, Split};
use crate::secret::Value;

/// What a plan knows in words of its own is read as the API writes it.
macro_rules! read_as {
    ($($plain:ty: $wire:ident,)*) => {$(
        impl<'de> Deserialize<'de> for $plain {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $wire::deserialize(deserializer)
            }
        }
    )*};
}

read_as! {
    Deployed: Deployment,
    LiveRoute: Route,
    LiveDomain: Domain,
}

/// An item of `GET scripts/S/deployments`.
#[derive(Deserialize)]
#[serde(remote = "Deployed")]
struct Deployment {
    #[serde(default)]
    created_on: String,
    #[serde(rename = "versions", deserialize_with = "split")]
    split: Split,
}

/// A version's share of a deployment.
#[derive(Deserialize)]
struct Part {
    #[serde(deserialize_with = "id")]
    version_id: String,
    percentage: f64,
}

fn split<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Split, D::Error> {
    let parts = Vec::<Part>::deserialize(deserializer)?.into_iter();
    Ok(parts
        .map(|part| Share::new(&part.version_id, part.percentage))
        .collect())
}

/// An item of `GET scripts/S/versions`, what `GET scripts/S/versions/V` says in front of the resources, and the answer to `POST scripts/S/versions`.
#[derive(Deserialize)]
struct VersionItem {
    #[serde(deserialize_with = "id")]
    id: String,
    #[serde(default)]
    metadata: VersionMetadata,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct VersionMetadata {
    created_on: String,
}

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        VersionItem::deserialize(deserializer).map(|item| Self {
            id: item.id,
            tag: item.annotations.tag,
            message: item.annotations.message,
            created_on: item.metadata.created_on,
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Annotations {
    #[serde(rename = "workers/tag")]
    pub(super) tag: Option<String>,
    #[serde(rename = "workers/message")]
    pub(super) message: Option<String>,
}

/// `GET scripts/S/versions/V`
#[derive(Debug, Deserialize)]
pub(super) struct Version {
    #[serde(default)]
    pub(super) annotations: Annotations,
    pub(super) resources: Resources,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Resources {
    #[serde(skip_serializing)]
    pub(super) bindings: Vec<Binding>,
    pub(super) script: Code,
    pub(super) script_runtime: Runtime,
    #[serde(flatten)]
    rest: Map<String, Json>,
}

impl Resources {
    /// The names of the secrets.
    pub(super) fn secrets(&self) -> BTreeSet<String> {
        let secrets = self.bindings.iter().filter(|binding| binding.is_secret());
        secrets
            .filter_map(|secret| secret.name().map(ToOwned::to_owned))
            .collect()
    }

    /// All but the secrets, to be compared with another version's.
    pub(super) fn without_secrets(&self) -> Json {
        let others = self.bindings.iter().filter(|binding| !binding.is_secret());
        let others: BTreeMap<_, _> = others
            .map(|other| (other.name().unwrap_or_default(), &other.0))
            .collect();
        let mut resources = json!(self);
        // Says who deployed last, not what
        if let Some(code) = resources["script"].as_object_mut() {
            code.remove("last_deployed_from");
        }
        json!({ "bindings": others, "resources": resources })
    }
}

/// A binding of a version, of any kind.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Binding(pub(super) Json);

impl Binding {
    pub(super) fn name(&self) -> Option<&str> {
        self.0["name"].as_str()
    }

    /// Whether its value cannot be read.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.0["type"].as_str(), Some("secret_text" | "secret_key"))
    }
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Code {
    pub(super) placement_mode: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Json>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Runtime {
    pub(super) compatibility_date: String,
    pub(super) compatibility_flags: Vec<String>,
    pub(super) migration_tag: Option<String>,
    pub(super) limits: Limits,
    #[serde(flatten)]
    rest: Map<String, Json>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Limits {
    pub(super) cpu_ms: Option<u32>,
    #[serde(flatten)]
    rest: Map<String, Json>,
}

/// `GET scripts/S/script-settings`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ScriptSettings {
    pub(super) tags: BTreeSet<String>,
    pub(super) observability: Observability,
    pub(super) logpush: bool,
    pub(super) tail_consumers: Vec<Json>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Observability {
    pub(super) enabled: bool,
    #[serde(flatten)]
    pub(super) rest: Map<String, Json>,
}

/// `GET scripts/S/subdomain`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Subdomain {
    pub(super) enabled: bool,
    pub(super) previews_enabled: bool,
}

/// An item of `GET /zones`
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Zone {
    #[serde(deserialize_with = "id")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) account: Owner,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    paused: bool,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

impl Zone {
    /// Its state.
    pub(super) fn live(&self) -> LiveZone {
        LiveZone {
            status: self.status.clone(),
            is_paused: self.paused,
            kind: self.kind.clone(),
        }
    }
}

/// Whose a zone is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Owner {
    pub(super) id: Option<String>,
}

/// An item of `GET /zones/Z/dns_records`
#[derive(Deserialize)]
struct RecordItem {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    proxied: bool,
    #[serde(default)]
    meta: RecordMeta,
}

/// Of the record of a custom domain it names the Worker.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RecordMeta {
    origin_worker_id: Option<String>,
}

impl<'de> Deserialize<'de> for LiveRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RecordItem::deserialize(deserializer).map(|item| Self {
            name: item.name.to_ascii_lowercase(),
            kind: item.kind,
            content: item.content,
            is_proxied: item.proxied,
            is_of_worker: item.meta.origin_worker_id.is_some(),
        })
    }
}

/// An item of `GET /zones/Z/ssl/certificate_packs`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pack {
    pub(super) hosts: Vec<String>,
}

/// An item of `GET /zones/Z/workers/routes`
#[derive(Deserialize)]
#[serde(remote = "LiveRoute")]
struct Route {
    #[serde(deserialize_with = "id")]
    id: String,
    pattern: String,
    #[serde(default)]
    script: Option<String>,
}

/// `GET /accounts/A/workers/domains/D`, and an item of `GET /accounts/A/workers/domains`
#[derive(Deserialize)]
#[serde(remote = "LiveDomain")]
struct Domain {
    #[serde(deserialize_with = "id")]
    id: String,
    hostname: String,
    #[serde(rename = "service")]
    script: String,
}

/// An item of `GET /accounts/A/workers/durable_objects/namespaces`
#[derive(Debug, Deserialize)]
pub(super) struct Namespace {
    #[serde(deserialize_with = "id")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) script: Option<String>,
    #[serde(default)]
    pub(super) class: Option<String>,
}

/// An item of `GET /accounts/A/workers/durable_objects/namespaces/N/objects`
#[derive(Debug, Deserialize)]
pub(super) struct Object {
    #[serde(deserialize_with = "id")]
    pub(super) id: String,
    #[serde(default, rename = "hasStoredData")]
    pub(super) has_stored_data: bool,
}

/// `GET /sandbox`, which only a sandbox has.
#[derive(Deserialize)]
pub(super) struct Sandbox {
    pub(super) ingress: SocketAddr,
}

/// The value of a secret as requests have it.
#[derive(Serialize)]
pub(super) struct SecretText<'a> {
    name: &'a str,
    text: &'a str,
    /// `secret_text`
    #[serde(rename = "type")]
    kind: &'static str,
}

impl<'a> SecretText<'a> {
    pub(super) fn of(name: &'a str, value: &'a Value) -> Self {
        Self {
            name,
            text: value.expose(),
            kind: "secret_text",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;
    use proptest::sample::{Index, subsequence};
    use reqwest::Method;
    use serde::de::{DeserializeOwned, IgnoredAny};
    use serde_json::json;

    use super::super::envelope::{Call, Envelope, decode, decode_list};
    use super::super::observe;
    use super::*;

    /// An answer and how the tool reads it.
    struct Answer {
        method: Method,
        path: String,
        body: Json,
        read: fn(Call<'_>, &Json) -> anyhow::Result<String>,
        /// What belongs to others and is kept as it is, its unknown keys too.
        kept: &'static [&'static str],
    }

    impl Answer {
        fn read(&self, body: &Json) -> anyhow::Result<String> {
            let call = Call {
                method: &self.method,
                path: &self.path,
            };
            (self.read)(call, body)
        }

        fn is_kept(&self, place: &str) -> bool {
            self.kept.iter().any(|kept| place.starts_with(kept))
        }
    }

    fn opened(body: &Json) -> Envelope {
        Envelope::open(body.to_string().as_bytes()).unwrap()
    }

    fn one<T: DeserializeOwned + Debug>(call: Call<'_>, body: &Json) -> anyhow::Result<String> {
        let result: T = decode(call, "result", opened(body).result)?;
        Ok(format!("{result:?}"))
    }

    fn many<T: DeserializeOwned + Debug>(call: Call<'_>, body: &Json) -> anyhow::Result<String> {
        let envelope = opened(body);
        let items: Vec<T> = decode_list(call, envelope.result)?;
        Ok(format!("{items:?} {:?}", envelope.info.unwrap_or_default()))
    }

    fn version(call: Call<'_>, body: &Json) -> anyhow::Result<String> {
        let version: Version = decode(call, "result", opened(body).result)?;
        let tag = version.annotations.tag;
        let live = observe::uploaded("S", version.resources);
        Ok(format!("{tag:?} {live:?}"))
    }

    fn whole(call: Call<'_>, body: &Json) -> anyhow::Result<String> {
        let version: Version = decode(call, "result", opened(body).result)?;
        let resources = version.resources;
        Ok(format!(
            "{:?} {}",
            resources.secrets(),
            resources.without_secrets()
        ))
    }

    /// Recorded from the live API: what was called, and the answer.
    fn recorded() -> Vec<(Method, String, Json)> {
        include_str!("../../tests/fixtures/live/shapes.jsonl")
            .lines()
            .map(|line| {
                let call: Json = serde_json::from_str(line).unwrap();
                let text = |name: &str| call[name].as_str().unwrap();
                let path = text("p").to_owned();
                (text("m").parse().unwrap(), path, call["body"].clone())
            })
            .collect()
    }

    #[expect(clippy::too_many_lines, reason = "a table: one row an answer")]
    fn answers() -> Vec<Answer> {
        let mut answers: Vec<Answer> = recorded()
            .into_iter()
            .map(|(method, path, body)| {
                let (read, kept): (fn(Call<'_>, &Json) -> _, &'static [&'static str]) =
                    match path.rsplit('/').next().unwrap() {
                        "versions" => (many::<Listed>, &[]),
                        "deployments" => (many::<Deployed>, &[]),
                        "settings" => (one::<ScriptSettings>, &["/result/tail_consumers"]),
                        _ => (one::<IgnoredAny>, &[]),
                    };
                Answer {
                    method,
                    path,
                    body,
                    read,
                    kept,
                }
            })
            .collect();
        let mut get = |path: &str, result: Json, info: Json, read, kept| {
            let body = json!({ "success": true, "errors": [], "messages": [], "result": result, "result_info": info });
            let path = format!("/accounts/A/{path}");
            let method = Method::GET;
            answers.push(Answer {
                method,
                path,
                body,
                read,
                kept,
            });
        };
        let info =
            json!({ "page": 1, "per_page": 20, "count": 1, "total_count": 1, "total_pages": 1 });
        let annotations = json!({ "workers/tag": "t", "workers/message": "m" });
        let metadata = json!({ "created_on": "2026-10-01T00:00:00Z", "source": "api" });
        let item =
            json!({ "id": "v1", "number": 1, "annotations": annotations, "metadata": metadata });
        get(
            "workers/scripts/S/versions",
            json!({ "items": [item, item] }),
            info.clone(),
            many::<Listed>,
            &[],
        );
        let share = |id: &str| json!({ "version_id": id, "percentage": 50 });
        let deployment = json!({ "id": "d", "created_on": "2026-10-01T00:00:00Z", "versions": [share("v1"), share("v2")], "code_update_strategy": { "mode": "immediate" } });
        get(
            "workers/scripts/S/deployments",
            json!({ "deployments": [deployment, deployment] }),
            Json::Null,
            many::<Deployed>,
            &[],
        );
        let mut detail = item.clone();
        detail["startup_time_ms"] = json!(3);
        detail["resources"] = json!({
            "bindings": [
                { "type": "json", "name": "SETTINGS", "json": { "a": 1 } },
                { "type": "plain_text", "name": "ENVIRONMENT", "text": "e" },
                { "type": "durable_object_namespace", "name": "ROOM", "class_name": "R", "script_name": "other", "namespace_id": "n" },
                { "type": "ratelimit", "name": "RATE", "namespace_id": "7", "simple": { "limit": 1, "period": 60 } },
                { "type": "secret_text", "name": "WEBHOOK_SECRET" },
                { "type": "version_metadata", "name": "VERSION" },
            ],
            "script": { "etag": "e", "handlers": ["fetch"], "named_handlers": [{ "name": "R", "handlers": ["fetch"] }], "last_deployed_from": "api", "placement_mode": "smart" },
            "script_runtime": { "usage_model": "standard", "compatibility_date": "2026-10-01", "compatibility_flags": ["f"], "migration_tag": "v1", "limits": { "cpu_ms": 50 } },
        });
        let path = "workers/scripts/S/versions/v1";
        get(
            path,
            detail.clone(),
            Json::Null,
            version,
            &["/result/resources/bindings/0/json"],
        );
        get(
            path,
            detail.clone(),
            Json::Null,
            whole,
            &["/result/resources"],
        );
        get(path, detail.clone(), Json::Null, one::<Listed>, &[]);
        // The answer to an upload
        get("uploaded", detail, Json::Null, one::<Listed>, &[]);
        let settings = json!({
            "tags": ["t"], "logpush": true,
            "observability": { "enabled": true, "head_sampling_rate": 0.5, "logs": { "enabled": true, "persist": true } },
            "tail_consumers": [{ "service": "tail", "environment": "e" }],
        });
        get(
            "workers/scripts/S/script-settings",
            settings,
            Json::Null,
            one::<ScriptSettings>,
            &["/result/observability", "/result/tail_consumers"],
        );
        get(
            "workers/scripts/S/subdomain",
            json!({ "enabled": true, "previews_enabled": true }),
            Json::Null,
            one::<Subdomain>,
            &[],
        );
        get(
            "zones",
            json!([{ "id": "z", "name": "glow.trade", "account": { "id": "A" }, "status": "active", "paused": true, "type": "full" }]),
            info.clone(),
            many::<Zone>,
            &[],
        );
        let made = json!({ "id": "1", "name": "a.glow.trade", "type": "A", "content": "192.0.2.1", "proxied": true });
        let managed = json!({ "id": "2", "name": "b.glow.trade", "type": "AAAA", "content": "100::", "proxied": true, "meta": { "origin_worker_id": "S", "read_only": true } });
        get(
            "dns_records",
            json!([made, managed]),
            info.clone(),
            many::<LiveRecord>,
            &[],
        );
        let pack = json!({ "id": "p", "type": "advanced", "hosts": ["a.b.glow.trade"], "status": "active" });
        get(
            "ssl/certificate_packs",
            json!([pack]),
            info.clone(),
            many::<Pack>,
            &[],
        );
        let routes = json!([{ "id": "r1", "pattern": "a/*", "script": "S" }, { "id": "r2", "pattern": "b/*" }]);
        get("routes", routes, Json::Null, many::<LiveRoute>, &[]);
        let domain = json!({ "id": "d", "hostname": "a", "service": "S", "environment": "production", "zone_id": "z" });
        get(
            "workers/domains",
            json!([domain]),
            Json::Null,
            many::<LiveDomain>,
            &[],
        );
        get(
            "workers/domains/d",
            domain,
            Json::Null,
            one::<LiveDomain>,
            &[],
        );
        let namespace =
            json!({ "id": "n", "name": "S_R", "script": "S", "class": "R", "use_sqlite": true });
        get(
            "workers/durable_objects/namespaces",
            json!([namespace]),
            info,
            many::<Namespace>,
            &[],
        );
        get(
            "workers/durable_objects/namespaces/n/objects",
            json!([{ "id": "o", "hasStoredData": true }]),
            json!({ "count": 1, "cursor": "c", "cursors": { "after": "c" } }),
            many::<Object>,
            &[],
        );
        answers
    }

    /// Every place in an answer but `success`, as JSON pointers, what is in a place after it. Data of a `json` binding has none.
    fn places(answer: &Answer) -> Vec<String> {
        fn add(json: &Json, place: &str, places: &mut Vec<String>) {
            let inside: Vec<(String, &Json)> = match json {
                Json::Object(fields) => fields
                    .iter()
                    .map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value))
                    .collect(),
                Json::Array(items) => {
                    let numbered = items.iter().enumerate();
                    numbered.map(|(at, item)| (at.to_string(), item)).collect()
                }
                _ => Vec::new(),
            };
            for (name, value) in inside {
                let place = format!("{place}/{name}");
                if place == "/success" {
                    continue;
                }
                let is_data = place.ends_with("/json");
                places.push(place.clone());
                if !is_data {
                    add(value, &place, places);
                }
            }
        }
        let mut places = Vec::new();
        add(&answer.body, "", &mut places);
        places
    }

    fn name_of(place: &str) -> String {
        let (_, name) = place.rsplit_once('/').unwrap();
        name.replace("~1", "/").replace("~0", "~")
    }

    fn without(body: &Json, places: &[String]) -> Json {
        let mut body = body.clone();
        // From the back, so that what is taken from a list moves nothing that is still to be taken
        for place in places.iter().rev() {
            let (parent, _) = place.rsplit_once('/').unwrap();
            match body.pointer_mut(parent) {
                Some(Json::Object(fields)) => {
                    fields.remove(&name_of(place));
                }
                Some(Json::Array(items)) => {
                    items.remove(name_of(place).parse().unwrap());
                }
                _ => unreachable!("`{place}` is in an object or a list"),
            }
        }
        body
    }

    fn with(body: &Json, places: &[String], value: &Json) -> Json {
        let mut body = body.clone();
        for place in places.iter().rev() {
            *body.pointer_mut(place).unwrap() = value.clone();
        }
        body
    }

    fn with_unknown_keys(answer: &Answer) -> Json {
        fn add(answer: &Answer, json: &mut Json, place: &str) {
            if answer.is_kept(place) {
                return;
            }
            match json {
                Json::Object(fields) => {
                    for (name, value) in fields.iter_mut() {
                        add(answer, value, &format!("{place}/{name}"));
                    }
                    fields.insert("unknown".to_owned(), json!({ "id": [1], "x": "y" }));
                }
                Json::Array(items) => {
                    for (at, item) in items.iter_mut().enumerate() {
                        add(answer, item, &format!("{place}/{at}"));
                    }
                }
                _ => {}
            }
        }
        let mut body = answer.body.clone();
        add(answer, &mut body, "");
        body
    }

    /// An answer and some of its places.
    fn some_places() -> impl Strategy<Value = (Answer, Vec<String>)> {
        any::<Index>().prop_flat_map(|which| {
            let count = answers().len();
            let which = which.index(count);
            let places = places(&answers()[which]);
            let most = places.len().min(4);
            subsequence(places, 1..=most)
                .prop_map(move |places| (answers().swap_remove(which), places))
        })
    }

    impl Debug for Answer {
        fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            write!(f, "{} {}: {}", self.method, self.path, self.body)
        }
    }

    proptest! {
        #[test]
        fn what_is_null_is_read_as_what_is_left_out((answer, places) in some_places()) {
            let shown = |read: anyhow::Result<String>| read.map_err(|error| error.to_string());
            let absent = shown(answer.read(&without(&answer.body, &places)));
            let null = shown(answer.read(&with(&answer.body, &places, &Json::Null)));
            prop_assert_eq!(null, absent);
        }

        #[test]
        fn what_is_left_out_has_a_default_or_the_call_and_the_field_are_named((answer, places) in some_places()) {
            if let Err(error) = answer.read(&without(&answer.body, &places)) {
                let error = error.to_string();
                let call = format!("`{} {}`", answer.method, answer.path);
                prop_assert!(error.contains(&call), "{}", error);
                let named = |place: &String| {
                    let name = name_of(place);
                    error.ends_with(&format!("missing field `{name}`"))
                        || error.ends_with(&format!("`{name}`: it is missing"))
                };
                prop_assert!(places.iter().any(named), "{}", error);
            }
        }

        #[test]
        fn what_is_of_another_kind_is_no_matter_or_is_named_with_its_call(
            (answer, places) in some_places(),
            other in prop_oneof![Just(json!("x")), Just(json!(-1.5)), Just(json!(true)), Just(json!([[]])), Just(json!({}))],
        ) {
            if let Err(error) = answer.read(&with(&answer.body, &places, &other)) {
                let error = error.to_string();
                let call = format!("`{} {}`", answer.method, answer.path);
                prop_assert!(error.contains(&call), "{}", error);
                // In a list of another kind than expected it is its element that is wrong
                let named = |place: &String| {
                    let name = name_of(place);
                    let is_element = name.parse::<usize>().is_ok();
                    error.contains(&if is_element { format!("[{name}]") } else { name })
                };
                prop_assert!(places.iter().any(named), "{}", error);
            }
        }
    }

    #[test]
    fn unknown_keys_change_nothing() {
        for answer in answers() {
            let known = answer.read(&answer.body).unwrap();
            assert_eq!(answer.read(&with_unknown_keys(&answer)).unwrap(), known);
        }
    }

    #[test]
    fn what_must_be_there_is_what_a_default_would_misrepresent() {
        let mut needed = BTreeSet::new();
        for answer in answers() {
            let (_, call) = answer.path.rsplit_once("/S/").unwrap_or_else(|| {
                let path = answer.path.strip_prefix("/accounts/A/");
                ("", path.unwrap_or(&answer.path))
            });
            for place in places(&answer) {
                let place = std::slice::from_ref(&place);
                if answer.read(&without(&answer.body, place)).is_err() {
                    needed.insert(format!("{call}: {}", name_of(&place[0])));
                }
            }
        }
        let needed: Vec<&str> = needed.iter().map(String::as_str).collect();
        assert_eq!(
            needed,
            [
                "deployments: percentage",
                "deployments: version_id",
                "deployments: versions",
                "dns_records: name",
                "dns_records: type",
                "routes: id",
                "routes: pattern",
                "script-settings: result",
                "settings: result",
                "subdomain: result",
                "uploaded: id",
                "uploaded: result",
                "versions/v1: id",
                "versions/v1: resources",
                "versions/v1: result",
                "versions: id",
                "workers/domains/d: hostname",
                "workers/domains/d: id",
                "workers/domains/d: result",
                "workers/domains/d: service",
                "workers/domains: hostname",
                "workers/domains: id",
                "workers/domains: service",
                "workers/durable_objects/namespaces/n/objects: id",
                "workers/durable_objects/namespaces: id",
                "zones: id",
            ]
        );
    }

    #[test]
    fn no_null_that_was_read_is_kept_to_be_sent_back() {
        let body = json!({ "success": true, "result": {
            "tags": null, "logpush": null,
            "observability": { "enabled": true, "head_sampling_rate": 1, "logs": { "enabled": true, "head_sampling_rate": null, "persist": null, "invocation_logs": true } },
            "tail_consumers": [null, { "service": "tail", "environment": null, "namespace": null }],
        }});
        let call = Call {
            method: &Method::GET,
            path: "/script-settings",
        };
        let settings: ScriptSettings = decode(call, "result", opened(&body).result).unwrap();
        assert_eq!(
            Json::Object(settings.observability.rest),
            json!({ "head_sampling_rate": 1, "logs": { "enabled": true, "invocation_logs": true } })
        );
        assert_eq!(settings.tail_consumers, [json!({ "service": "tail" })]);
        assert!(settings.tags.is_empty() && !settings.logpush);
    }
}
