//! The upload of a version: the `metadata` part and the modules, as wrangler sends them (recorded from 4.164).

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::wire::{SecretText, Version};
use crate::environment::script::{Binding, Script};
use crate::plan::{Lane, Upload, script_tags};
use crate::secret::{self, Value};

/// A part of the `metadata`.
#[derive(Serialize)]
#[serde(untagged)]
enum Field<'a> {
    Plain(Json),
    Secret(SecretText<'a>),
    Bindings(Vec<Field<'a>>),
}

/// The text of the `metadata` of an upload, with those of `secrets` that the upload sets. It holds their values and is never printed:
/// every clone is the same buffer, which is zeroed when the last one is dropped. Of what is made of it on the way (frames of HTTP, TLS
/// records) reqwest and what it stands on keep buffers of their own, which are out of our hands.
pub fn metadata(
    script: &Script,
    main_module: &str,
    upload: &Upload,
    secrets: &BTreeMap<String, Value>,
) -> anyhow::Result<Bytes> {
    let mut fields: BTreeMap<String, Field> = plain(script, main_module, upload)
        .into_iter()
        .map(|(key, value)| (key, Field::Plain(value)))
        .collect();
    let own = script
        .bindings
        .iter()
        .map(|(name, binding)| Field::Plain(named(name, binding)));
    let set = upload
        .secrets
        .iter()
        .map(|name| Field::Secret(SecretText::of(name, &secrets[name])));
    let mut bindings: Vec<Field> = own.chain(set).collect();
    if let Some(live) = &upload.inherit_from {
        // `keep_bindings` takes the secrets over from the newest version, which need not be the live one: then each is named with
        // the version that it comes from, and nothing else is kept
        fields.insert("keep_bindings".to_owned(), Field::Plain(json!([])));
        bindings.extend(upload.inherited_secrets.iter().map(|name| {
            Field::Plain(json!({ "type": "inherit", "name": name, "version_id": live }))
        }));
    }
    fields.insert("bindings".to_owned(), Field::Bindings(bindings));
    Ok(Bytes::from_owner(secret::json(&fields)?))
}

/// A version that is uploaded again with other secrets.
pub(super) struct Copied<'a> {
    /// Its id.
    pub(super) from: &'a str,
    pub(super) version: &'a Version,
    pub(super) main_module: &'a str,
    /// That of the copy.
    pub(super) message: &'a str,
}

/// The text of the `metadata` of a copy: its secrets are changed by `changes`, and every other binding is inherited. As with
/// [`metadata`], it holds values and is never printed.
pub(super) fn copy(
    copied: &Copied<'_>,
    changes: &BTreeMap<&str, Option<&Value>>,
) -> anyhow::Result<Bytes> {
    let resources = &copied.version.resources;
    let names = resources
        .bindings
        .iter()
        .filter_map(|binding| binding.name());
    let kept = names.filter(|name| !changes.contains_key(name));
    let kept = kept.map(|name| {
        Field::Plain(json!({ "type": "inherit", "name": name, "version_id": copied.from }))
    });
    let set = changes
        .iter()
        .filter_map(|(name, value)| Some(Field::Secret(SecretText::of(name, (*value)?))));
    let mut annotations = json!({ "workers/message": copied.message });
    if let Some(tag) = &copied.version.annotations.tag {
        annotations["workers/tag"] = json!(tag);
    }
    let runtime = &resources.script_runtime;
    let mut fields = BTreeMap::from([
        ("main_module", Field::Plain(json!(copied.main_module))),
        ("bindings", Field::Bindings(kept.chain(set).collect())),
        // It would take over from the newest version, which is another one
        ("keep_bindings", Field::Plain(json!([]))),
        (
            "compatibility_flags",
            Field::Plain(json!(runtime.compatibility_flags)),
        ),
        ("annotations", Field::Plain(annotations)),
    ]);
    let mut add = |name, value| fields.insert(name, Field::Plain(value));
    if !runtime.compatibility_date.is_empty() {
        add("compatibility_date", json!(runtime.compatibility_date));
    }
    let mut limits = json!(runtime.limits);
    if let Some(limits) = limits.as_object_mut() {
        limits.retain(|_, limit| !limit.is_null());
    }
    if limits != json!({}) {
        add("limits", limits);
    }
    if let Some(mode) = &resources.script.placement_mode {
        add("placement", json!({ "mode": mode }));
    }
    Ok(Bytes::from_owner(secret::json(&fields)?))
}

/// Everything but the bindings.
fn plain(script: &Script, main_module: &str, upload: &Upload) -> serde_json::Map<String, Json> {
    let mut metadata = json!({
        "main_module": main_module,
        "compatibility_date": script.compatibility_date,
        "compatibility_flags": [],
        // Without it an upload drops the secrets that it does not list
        "keep_bindings": ["secret_text", "secret_key"],
        "observability": upload.unmanaged.observability(script.observability),
        "annotations": {
            "workers/message": upload.message,
            "workers/tag": upload.tag,
        },
    });
    if let Some(cpu_ms) = script.cpu_ms {
        metadata["limits"] = json!({ "cpu_ms": cpu_ms });
    }
    if let Lane::Lifecycle {
        replaces,
        old_tag,
        migrations,
        ..
    } = &upload.lane
    {
        // A new script is known as ours from its first moment, wherever the run ends
        if replaces.is_empty() {
            metadata["tags"] = json!(script_tags::of(script));
        }
        // A `PUT` replaces what belongs to the script; a version does not touch it
        if upload.unmanaged.logpush {
            metadata["logpush"] = json!(true);
        }
        if !upload.unmanaged.tail_consumers.is_empty() {
            metadata["tail_consumers"] = json!(upload.unmanaged.tail_consumers);
        }
        // In the code lane it belongs to the deployment
        metadata["code_update_strategy"] = json!(script.code_update);
        if let Some(new_tag) = migrations.last() {
            let steps: Vec<Json> = script
                .migrations
                .iter()
                .filter(|migration| migrations.contains(&migration.tag))
                .map(|migration| json!({ "new_sqlite_classes": migration.new_sqlite_classes }))
                .collect();
            metadata["migrations"] = match old_tag {
                Some(old_tag) => json!({ "old_tag": old_tag, "new_tag": new_tag, "steps": steps }),
                None => json!({ "new_tag": new_tag, "steps": steps }),
            };
        }
    }
    match metadata {
        Json::Object(fields) => fields,
        _ => unreachable!("an object was written above"),
    }
}

fn named(name: &str, binding: &Binding) -> Json {
    let mut json = binding.to_json();
    json["name"] = json!(name);
    json
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::http;
    use axum::response::IntoResponse;
    use reqwest::Method;
    use reqwest::multipart::{Form, Part};
    use serde::de::IgnoredAny;

    use super::super::client::Repeat;
    use super::super::paged::answering;
    use super::*;
    use crate::environment::Environment;
    use crate::environment::name::Stages;
    use crate::plan::{Desired, Kept, Observed, Plan, Step};

    const MANIFEST: &str = r#"
[worker]
name = "w"
compatibility_date = "2026-10-01"
cpu_ms = 50
observability = false
code_update = { mode = "immediate" }
[cloudflare]
zone = "glow.trade"
[[routes]]
host = "w.glow.trade"
[secrets.WEBHOOK_SECRET]
source = "env:X"
"#;

    /// The room of [`MANIFEST`] and the upload of its first deployment.
    fn room() -> (Script, Upload) {
        let name = "e".parse().unwrap();
        let environment = Environment::resolve(&name, "e.toml", MANIFEST).unwrap();
        let desired = Desired::new(&environment, "1".repeat(16), "2".repeat(16));
        let plan = Plan::between(&desired, &Observed::default(), &Stages::at_once()).unwrap();
        let upload = plan.steps.into_iter().find_map(|step| match step {
            Step::Upload(upload) => Some(upload),
            _ => None,
        });
        (desired.scripts[0].script.clone(), upload.unwrap())
    }

    #[test]
    fn an_upload_of_the_lifecycle_lane_has_migrations_strategy_and_what_belongs_to_the_script() {
        let (script, mut upload) = room();
        upload.unmanaged = Kept {
            observability: serde_json::from_str(r#"{"head_sampling_rate":0.1}"#).unwrap(),
            logpush: true,
            tail_consumers: vec![json!({ "service": "tail" })],
        };
        upload.secrets = ["SECRET".to_owned()].into();
        let secrets = [("SECRET".to_owned(), Value::new("va\"lue".to_owned()))].into();
        let text = metadata(&script, "index.js", &upload, &secrets).unwrap();
        let metadata: Json = serde_json::from_slice(&text).unwrap();
        // As recorded requests have it: every key in its order
        assert_eq!(text, metadata.to_string());
        let bindings = metadata["bindings"].as_array().unwrap();
        assert_eq!(
            bindings.last().unwrap(),
            &json!({ "name": "SECRET", "type": "secret_text", "text": "va\"lue" })
        );
        assert_eq!(
            metadata,
            json!({
                "main_module": "index.js",
                "bindings": bindings,
                "compatibility_date": "2026-10-01",
                "compatibility_flags": [],
                "keep_bindings": ["secret_text", "secret_key"],
                "observability": { "enabled": false, "head_sampling_rate": 0.1 },
                "tags": ["cf:environment=e", "cf:service=w-room"],
                "logpush": true,
                "tail_consumers": [{ "service": "tail" }],
                "annotations": { "workers/message": upload.message, "workers/tag": upload.tag },
                "limits": { "cpu_ms": 50 },
                "code_update_strategy": { "mode": "immediate" },
                "migrations": { "new_tag": "v1", "steps": [{ "new_sqlite_classes": ["BroadcastRoom"] }] },
            })
        );
    }

    /// The body of a request with `form`, with a boundary that does not change.
    async fn sent(form: impl Fn() -> Form) -> String {
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let got = Arc::clone(&bodies);
        let cloudflare = answering(move |_: &Method, _: &http::Uri, body: &[u8]| {
            got.lock().unwrap().push(body.to_vec());
            axum::Json(json!({ "success": true, "errors": [], "result": null })).into_response()
        });
        let cloudflare = cloudflare.await;
        let path = cloudflare.of_account("x");
        let done = cloudflare
            .call_filled::<IgnoredAny>(Method::POST, &path, Repeat::Never, |request| {
                request.multipart(form())
            })
            .await;
        done.unwrap();
        let body = String::from_utf8(bodies.lock().unwrap().remove(0)).unwrap();
        let boundary = body
            .lines()
            .next()
            .unwrap()
            .trim_start_matches('-')
            .to_owned();
        body.replace(&boundary, "boundary")
    }

    #[tokio::test]
    async fn a_part_of_zeroed_bytes_is_sent_as_a_part_of_text_is_and_every_try_has_the_same_bytes()
    {
        let (script, upload) = room();
        let text = metadata(&script, "index.js", &upload, &BTreeMap::new()).unwrap();
        assert_eq!(text.as_ptr(), text.clone().as_ptr());
        let plain = String::from_utf8(text.to_vec()).unwrap();
        let part = sent(|| Form::new().part("metadata", Part::stream(text.clone()))).await;
        assert_eq!(
            part,
            format!(
                "--boundary\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{plain}\r\n--boundary--\r\n"
            )
        );
        assert_eq!(
            part,
            sent(|| Form::new().text("metadata", plain.clone())).await
        );
    }

    #[test]
    fn a_copy_of_a_version_is_that_version_but_for_the_secrets_that_change() {
        let mut version = json!({
            "id": "v1",
            "annotations": { "workers/tag": "t", "workers/message": "m" },
            "resources": {
                "bindings": [
                    { "type": "durable_object_namespace", "name": "ROOM", "class_name": "R", "script_name": "other", "namespace_id": "n" },
                    { "type": "secret_text", "name": "A" },
                    { "type": "secret_text", "name": "B" },
                    { "type": "secret_text", "name": "C" },
                ],
                "script": { "etag": "e", "handlers": ["fetch"], "placement_mode": "smart" },
                "script_runtime": { "compatibility_date": "2026-10-01", "compatibility_flags": ["f"], "limits": { "cpu_ms": 50 } },
            },
        });
        let value = Value::new("va\"lue".to_owned());
        let changes = BTreeMap::from([("A", Some(&value)), ("B", None), ("D", Some(&value))]);
        let copy = |version: &Json| -> Json {
            let copied = Copied {
                from: "v1",
                version: &serde_json::from_value(version.clone()).unwrap(),
                main_module: "index.js",
                message: "m [secrets 1]",
            };
            serde_json::from_slice(&copy(&copied, &changes).unwrap()).unwrap()
        };
        let mut wanted = json!({
            "main_module": "index.js",
            "bindings": [
                { "type": "inherit", "name": "ROOM", "version_id": "v1" },
                { "type": "inherit", "name": "C", "version_id": "v1" },
                { "type": "secret_text", "name": "A", "text": "va\"lue" },
                { "type": "secret_text", "name": "D", "text": "va\"lue" },
            ],
            "keep_bindings": [],
            "compatibility_date": "2026-10-01",
            "compatibility_flags": ["f"],
            "limits": { "cpu_ms": 50 },
            "placement": { "mode": "smart" },
            "annotations": { "workers/tag": "t", "workers/message": "m [secrets 1]" },
        });
        assert_eq!(copy(&version), wanted);
        // What a version does not have, its copy does not get
        for part in ["script", "script_runtime"] {
            version["resources"][part] = json!({});
        }
        version["annotations"] = json!({});
        let fields = wanted.as_object_mut().unwrap();
        for gone in ["compatibility_date", "limits", "placement"] {
            fields.remove(gone);
        }
        fields["compatibility_flags"] = json!([]);
        fields["annotations"] = json!({ "workers/message": "m [secrets 1]" });
        assert_eq!(copy(&version), wanted);
    }

    #[test]
    fn an_upload_of_the_code_lane_has_only_what_belongs_to_the_version() {
        let (script, upload) = room();
        let upload = Upload {
            lane: Lane::Code {
                latest: None,
                adopt: None,
            },
            unmanaged: Kept {
                logpush: true,
                ..Kept::default()
            },
            ..upload
        };
        let text = metadata(&script, "index.js", &upload, &BTreeMap::new()).unwrap();
        let metadata: Json = serde_json::from_slice(&text).unwrap();
        assert_eq!(
            metadata,
            json!({
                "main_module": "index.js",
                "bindings": metadata["bindings"],
                "compatibility_date": "2026-10-01",
                "compatibility_flags": [],
                "keep_bindings": ["secret_text", "secret_key"],
                "observability": { "enabled": false },
                "annotations": { "workers/message": upload.message, "workers/tag": upload.tag },
                "limits": { "cpu_ms": 50 },
            })
        );
    }
}
