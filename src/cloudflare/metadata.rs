//! The upload of a version: the `metadata` part and the modules, as wrangler sends them (recorded from 4.164).

use serde_json::{Value as Json, json};

use crate::environment::script::{Binding, Script};
use crate::plan::{Lane, Upload};
use crate::secret::Value;

/// The `metadata` of an upload. Holds secret values: never print it.
pub fn metadata(
    script: &Script,
    main_module: &str,
    upload: &Upload,
    secrets: &[(&str, &Value)],
) -> Json {
    let mut bindings: Vec<Json> = script
        .bindings
        .iter()
        .map(|(name, binding)| named(name, binding))
        .collect();
    for (name, value) in secrets {
        bindings.push(json!({ "name": name, "type": "secret_text", "text": value.expose() }));
    }
    let mut metadata = json!({
        "main_module": main_module,
        "bindings": bindings,
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
        old_tag,
        migrations,
        ..
    } = &upload.lane
    {
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
    metadata
}

fn named(name: &str, binding: &Binding) -> Json {
    let mut json = binding.to_json();
    json["name"] = json!(name);
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;
    use crate::plan::{Desired, Kept, Observed, Plan, Rollout, Step};

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
        let plan = Plan::between(&desired, &Observed::default(), &Rollout::at_once()).unwrap();
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
        let secret = Value::new("value".to_owned());
        let metadata = metadata(&script, "index.js", &upload, &[("SECRET", &secret)]);
        let bindings = metadata["bindings"].as_array().unwrap();
        assert_eq!(
            bindings.last().unwrap(),
            &json!({ "name": "SECRET", "type": "secret_text", "text": "value" })
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
                "logpush": true,
                "tail_consumers": [{ "service": "tail" }],
                "annotations": { "workers/message": upload.message, "workers/tag": upload.tag },
                "limits": { "cpu_ms": 50 },
                "code_update_strategy": { "mode": "immediate" },
                "migrations": { "new_tag": "v1", "steps": [{ "new_sqlite_classes": ["BroadcastRoom"] }] },
            })
        );
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
        let metadata = metadata(&script, "index.js", &upload, &[]);
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
