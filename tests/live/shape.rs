//! The shape of a call: two calls of one shape tell the same. Pure.

use serde_json::Value as Json;

use super::harmless;

/// A path with a star for everything that is not the API's own.
pub(super) fn of_path(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        part if part.is_empty() || harmless::is_path_word(part) => part,
        _ => "*",
    });
    parts.collect::<Vec<_>>().join("/")
}

/// The keys and types of a body, and its error codes; a list is the set of its items' shapes.
pub(super) fn of_body(body: &Json) -> String {
    of("", body)
}

fn of(key: &str, value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(_) => "bool".to_owned(),
        // What a refusal is about is told by its code
        Json::Number(_) | Json::String(_) if key == "code" => value.to_string(),
        Json::Number(_) => "number".to_owned(),
        Json::String(_) => "string".to_owned(),
        Json::Array(items) => {
            let mut shapes: Vec<String> = items.iter().map(|item| of(key, item)).collect();
            shapes.sort();
            shapes.dedup();
            format!("[{}]", shapes.join(","))
        }
        Json::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let shown = match harmless::is_field(name) {
                    true => name,
                    false => "*",
                };
                format!("{shown}:{}", of(name, value))
            });
            let mut fields: Vec<String> = fields.collect();
            fields.sort();
            fields.dedup();
            format!("{{{}}}", fields.join(","))
        }
    }
}
