//! The upload of a version: the `metadata` part and the modules, as wrangler sends them (recorded from 4.164).

use serde_json::{Value as Json, json};

use crate::plan::{Lane, Upload};
use crate::script::{Binding, Script};
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
        "observability": upload.kept.observability(script.observability),
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
        if upload.kept.logpush {
            metadata["logpush"] = json!(true);
        }
        if !upload.kept.tail_consumers.is_empty() {
            metadata["tail_consumers"] = json!(upload.kept.tail_consumers);
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
    let mut json = serde_json::to_value(binding).expect("bindings are plain data");
    json["name"] = json!(name);
    json
}
