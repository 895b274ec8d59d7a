//! Bindings: what a version's code finds in its environment, with secret values kept apart.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::account::error::{ApiError, invalid};
use crate::account::value::SecretValue;

/// A binding as it may be shown: a secret's value is not in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Binding {
    /// The name in the environment.
    pub name: String,
    /// Cloudflare's name of the type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The members that the type has.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// A binding as an upload gives it.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    /// Everything but the next two.
    Plain(Binding),
    /// `secret_text` with its value.
    Secret(String, SecretValue),
    /// `inherit`: the binding `from` of an earlier version, under `name`.
    Inherit {
        /// The name in the new version.
        name: String,
        /// The name in the earlier one.
        from: String,
        /// The earlier version; the latest when absent.
        version: Option<String>,
    },
}

/// The types that the sandbox can give a Worker, each with the members it needs.
const KNOWN: [(&str, &[&str]); 7] = [
    ("plain_text", &["text"]),
    ("json", &["json"]),
    ("durable_object_namespace", &["class_name"]),
    ("analytics_engine", &["dataset"]),
    ("ratelimit", &["namespace_id", "simple"]),
    ("version_metadata", &[]),
    ("service", &["service"]),
];

impl Binding {
    /// A text member.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    /// A `secret_text` binding without its value.
    pub(crate) fn secret(name: &str) -> Binding {
        Binding {
            name: name.to_owned(),
            kind: "secret_text".into(),
            fields: Map::new(),
        }
    }

    /// Whether it is a `secret_text` binding.
    pub(crate) fn is_secret(&self) -> bool {
        self.kind == "secret_text"
    }

    /// For `durable_object_namespace`: the class, and the script that defines it when that is another one than `script`.
    pub(crate) fn class(&self, script: &str) -> Option<(&str, Option<&str>)> {
        (self.kind == "durable_object_namespace").then(|| {
            let other = self.text("script_name").filter(|other| *other != script);
            (self.text("class_name").unwrap_or_default(), other)
        })
    }
}

/// Reads one element of the metadata's `bindings`.
pub(crate) fn parse(value: &Value) -> Result<Given, ApiError> {
    let object = value
        .as_object()
        .ok_or_else(|| invalid(10021, "a binding must be a JSON object"))?;
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    let name = text("name").ok_or_else(|| invalid(10021, "a binding without a `name`"))?;
    let kind = text("type")
        .ok_or_else(|| invalid(10021, format!("the binding `{name}` has no `type`")))?;
    match kind {
        "secret_text" => {
            let value = text("text").ok_or_else(|| {
                invalid(10021, format!("the secret binding `{name}` has no `text`"))
            })?;
            Ok(Given::Secret(name.to_owned(), SecretValue::new(value)))
        }
        "inherit" => Ok(Given::Inherit {
            name: name.to_owned(),
            from: text("old_name").unwrap_or(name).to_owned(),
            version: text("version_id")
                .filter(|id| *id != "latest")
                .map(str::to_owned),
        }),
        _ => plain(name, kind, object).map(Given::Plain),
    }
}

fn plain(name: &str, kind: &str, object: &Map<String, Value>) -> Result<Binding, ApiError> {
    let Some((_, needed)) = KNOWN.iter().find(|(known, _)| *known == kind) else {
        let message =
            format!("the sandbox has no bindings of type `{kind}`, which `{name}` asks for");
        return Err(invalid(10021, message));
    };
    if let Some(missing) = needed.iter().find(|field| !object.contains_key(**field)) {
        let message = format!("the {kind} binding `{name}` must have a `{missing}`");
        return Err(invalid(10021, message));
    }
    if kind == "ratelimit" {
        check_rate(name, &object["simple"])?;
    }
    let mut fields = object.clone();
    fields.retain(|key, _| key != "name" && key != "type");
    Ok(Binding {
        name: name.to_owned(),
        kind: kind.to_owned(),
        fields,
    })
}

/// Cloudflare takes periods of 10 and 60 seconds only.
fn check_rate(name: &str, simple: &Value) -> Result<(), ApiError> {
    if let (Some(1..), Some(10 | 60)) = (simple["limit"].as_u64(), simple["period"].as_u64()) {
        return Ok(());
    }
    let message = format!(
        "the rate limit `{name}` needs a positive `limit` and a `period` of 10 or 60 seconds"
    );
    Err(invalid(10021, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_binding_gives_its_value_to_nobody_who_prints_it() {
        let given = parse(&json!({"name": "A", "type": "secret_text", "text": "marker"})).unwrap();
        assert!(!format!("{given:?}").contains("marker"));
    }

    #[test]
    fn a_binding_that_the_sandbox_cannot_give_is_refused_by_name() {
        let error = parse(&json!({"name": "STORE", "type": "kv_namespace", "namespace_id": "x"}))
            .unwrap_err();
        assert_eq!(error.problems[0].0, 10021);
        assert!(error.problems[0].1.contains("kv_namespace"), "{error:?}");
    }

    #[test]
    fn a_rate_limit_has_a_period_of_ten_or_sixty_seconds() {
        let rate = |period| json!({"name": "R", "type": "ratelimit", "namespace_id": "1", "simple": {"limit": 1, "period": period}});
        assert!(parse(&rate(60)).is_ok());
        assert!(parse(&rate(30)).is_err());
    }
}
