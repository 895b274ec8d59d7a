//! What bodies and frames look like, as JSON Schema (2020-12), by name.

use crate::contract::frame::{ClientFrame, RoomFrame, Snapshot};
use crate::contract::health::Health;
use crate::contract::publish::{Publish, PublishedItems};
use crate::contract::receipt::Receipt;
use crate::contract::refusal;
use crate::contract::report::Report;
use crate::contract::results::Results;
use crate::contract::slot::Uses;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// Where the documents have them, and references lead.
const PLACE: &str = "/components/schemas";

/// Every schema that a document needs. Members that are not described may be added to any object.
pub fn all() -> &'static Map<String, Value> {
    static ALL: LazyLock<Map<String, Value>> = LazyLock::new(made);
    &ALL
}

fn made() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = PLACE.into();
    });
    let mut sent = settings.clone().for_serialize().into_generator();
    sent.subschema_for::<RoomFrame>();
    sent.subschema_for::<Snapshot>();
    sent.subschema_for::<Receipt>();
    sent.subschema_for::<Results>();
    sent.subschema_for::<Health<'static>>();
    sent.subschema_for::<Report>();
    sent.subschema_for::<Uses>();
    sent.subschema_for::<refusal::Body>();
    let mut read = settings.for_deserialize().into_generator();
    read.subschema_for::<ClientFrame>();
    read.subschema_for::<Publish>();
    read.subschema_for::<PublishedItems>();
    let mut all = sent.take_definitions(true);
    all.extend(read.take_definitions(true));
    all.values_mut().for_each(tidy);
    all
}

/// The name of the schema that `schema` refers to.
pub fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// Takes out what says nothing of JSON: the sizes of Rust's numbers, and what Rust takes for a member that is absent. A text is
/// on one line.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            for name in ["default", "format"] {
                members.remove(name);
            }
            if let Some([only]) = members
                .get("enum")
                .and_then(Value::as_array)
                .map(Vec::as_slice)
            {
                let only = only.clone();
                members.remove("enum");
                members.insert("const".to_owned(), only);
            }
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                if text.is_empty() {
                    members.remove("description");
                }
            }
            members.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The names in all references below `value`.
    fn referred<'value>(value: &'value Value, names: &mut BTreeSet<&'value str>) {
        names.extend(name_of(value));
        match value {
            Value::Object(members) => members.values().for_each(|it| referred(it, names)),
            Value::Array(items) => items.iter().for_each(|it| referred(it, names)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_to_a_schema() {
        let all = all();
        let mut names = BTreeSet::new();
        all.values().for_each(|it| referred(it, &mut names));
        assert!(names.len() > 10, "{names:?}");
        for name in names {
            assert!(all.contains_key(name), "{name}");
        }
    }

    #[test]
    fn a_shape_says_what_is_there_and_what_may_be() {
        let all = all();
        assert_eq!(
            all["BatchUpdate"],
            serde_json::json!({
                "description": "Several updates at once, in order: what a batch window has collected, or what a resuming client has missed.",
                "type": "object",
                "properties": {
                    "type": { "type": "string", "const": "BATCH_UPDATE" },
                    "updates": {
                        "description": "Updates, each as it would be in a frame of its own.",
                        "type": "array",
                        "items": { "$ref": "#/components/schemas/Update" },
                    },
                },
                "required": ["type", "updates"],
            })
        );
        let required = |name: &str| all[name]["required"].to_string();
        assert_eq!(
            required("Connected"),
            r#"["type","connectionId","token","epoch","seq","recovered","ack"]"#
        );
        assert_eq!(required("Update"), r#"["seq","epoch"]"#);
        assert_eq!(required("PublishedUpdate"), "null");
    }
}
