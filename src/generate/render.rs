//! Environments to text: every generated file, by one pure function that `generate` and `generate --check` share.
//!
//! Templates have loops but no conditions: handlebars' strict mode does not see a misspelt name in `{{#if}}`, so
//! something optional is a list of none or one. Values are quoted by a helper, so none can leave its string.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, anyhow};
use handlebars::{Handlebars, handlebars_helper};
use serde_json::{Value, json};

use crate::build::Worker;
use crate::environment::manifest::MigrationMode;
use crate::environment::name::Whole;
use crate::environment::script::{self, Binding, Script};
use crate::environment::{CodeUpdateStrategy, Environment, Served, ServedBy};
use crate::generate::artifact::Artifact;
use crate::secret::Source;

macro_rules! templates {
    ($($name:literal,)*) => {
        [$(($name, include_str!(concat!("../../templates/", $name, ".hbs")))),*]
    };
}

/// Every template: its name in errors, and its text.
const TEMPLATES: [(&str, &str); 7] = templates! {
    "wrangler.toml",
    "env/routes.toml",
    "env/secrets.env",
    "env/deploy.yml",
    "env/sst/secrets.ts",
    "env/sst/heliusPrice.ts",
    "env/sst/client.ts",
};

/// Renders everything that the environments describe, in the order of its paths.
pub(crate) fn render(environments: &[Environment]) -> anyhow::Result<Vec<Artifact>> {
    let templates = registry()?;
    let gateways: Vec<Script> = environments.iter().map(script::gateway).collect();
    let rooms: Vec<Script> = environments.iter().map(script::room).collect();
    let mut artifacts = Vec::new();
    for scripts in [&gateways, &rooms] {
        if let Some(first) = scripts.first() {
            let folder = first.role.name();
            let sections = environments.iter().zip(scripts);
            let sections: Vec<_> = sections.map(|(of, script)| section(of, script)).collect();
            let data = json!({
                // wrangler has one top-level name for all environments: it only tags the scripts with it
                "service": first.service,
                "main": format!("../../worker/{folder}/build/index.js"),
                "base_dir": format!("../../worker/{folder}/build"),
                "environments": sections,
            });
            let path = format!("generated/{folder}/wrangler.toml");
            artifacts.push(artifact(&templates, "wrangler.toml", path, &data)?);
        }
    }
    for environment in environments {
        let data = one_environment(environment);
        for (template, _) in TEMPLATES {
            if let Some(file) = template.strip_prefix("env/")
                && is_wanted(file, environment)
            {
                let path = format!("generated/{}/{file}", environment.name);
                artifacts.push(artifact(&templates, template, path, &data)?);
            }
        }
    }
    artifacts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(artifacts)
}

fn artifact(
    templates: &Handlebars,
    template: &str,
    path: String,
    data: &Value,
) -> anyhow::Result<Artifact> {
    let text = templates
        .render(template, data)
        .map_err(|error| anyhow!("rendering `{path}`: {error}"))?;
    if path.ends_with(".toml") {
        text.parse::<toml_edit::DocumentMut>()
            .with_context(|| format!("the template `{template}` made invalid TOML for `{path}`"))?;
    }
    Ok(Artifact { path, text })
}

fn is_wanted(file: &str, environment: &Environment) -> bool {
    match file {
        // No workflow could reach it: `.localhost` is every machine's own (RFC 6761, section 6.3)
        "deploy.yml" => !environment.zone.as_str().ends_with(".localhost"),
        _ => !file.starts_with("sst/") || environment.sst.is_some(),
    }
}

handlebars_helper!(quote_json: |value: Json| value.to_string());
handlebars_helper!(quote_toml: |value: Json| toml(value).to_string().trim().to_owned());
handlebars_helper!(toml_key: |name: str| toml_edit::Key::new(name).to_string());
handlebars_helper!(concat: |one: str, two: str| format!("{one}{two}"));
handlebars_helper!(github: |name: str| format!("${{{{ secrets.{name} }}}}"));

fn registry() -> anyhow::Result<Handlebars<'static>> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(handlebars::no_escape);
    registry.register_helper("json", Box::new(quote_json));
    registry.register_helper("toml", Box::new(quote_toml));
    registry.register_helper("key", Box::new(toml_key));
    registry.register_helper("concat", Box::new(concat));
    registry.register_helper("github", Box::new(github));
    for (name, text) in TEMPLATES {
        registry
            .register_template_string(name, text)
            .with_context(|| format!("the template `{name}`"))?;
    }
    Ok(registry)
}

/// The TOML form of a JSON value that has no `null`.
fn toml(value: &Value) -> toml_edit::Value {
    match value {
        Value::Null => "".into(),
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => {
            let mut array: toml_edit::Array = items.iter().map(toml).collect();
            if items.iter().any(Value::is_object) {
                // One table a line: a review must see which of them changed
                array
                    .iter_mut()
                    .for_each(|table| table.decor_mut().set_prefix("\n  "));
                array.set_trailing("\n");
                array.set_trailing_comma(true);
            }
            array.into()
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key, toml(value)))
            .collect::<toml_edit::InlineTable>()
            .into(),
    }
}

/// One environment's part of `wrangler.toml`. What is optional there is a list of none or one.
fn section(environment: &Environment, script: &Script) -> Value {
    let strategy = Some(script.code_update);
    json!({
        "environment": script.environment,
        "script": script,
        "routes": match script.role {
            Worker::Gateway => routes(environment),
            Worker::Room => Vec::new(),
        },
        "limits": script.cpu_ms.as_slice(),
        // Older wranglers warn of it, so it is there only where it says something
        "code_update_strategy": strategy
            .filter(|strategy| *strategy != CodeUpdateStrategy::DEFAULT)
            .as_slice(),
        "bindings": bindings(script),
    })
}

/// A script's bindings, as wrangler wants them: by type, and by name.
fn bindings(script: &Script) -> Value {
    let mut by_type = json!({
        "texts": {},
        "jsons": {},
        "durable_objects": {},
        "rate_limits": {},
        "data_sets": {},
        "version_metadata": {},
    });
    for (name, binding) in &script.bindings {
        let (kind, fields) = match binding {
            Binding::PlainText { text } => ("texts", json!(text)),
            Binding::Json { json } => ("jsons", json.clone()),
            Binding::DurableObjectNamespace {
                class_name,
                script_name,
            } => (
                "durable_objects",
                json!({ "class_name": class_name, "script_name": script_name.as_slice() }),
            ),
            Binding::AnalyticsEngine { dataset } => ("data_sets", json!(dataset)),
            Binding::Ratelimit { .. } => ("rate_limits", binding.to_json()),
            Binding::VersionMetadata {} => ("version_metadata", json!({})),
        };
        by_type[kind][name] = fields;
    }
    by_type
}

/// Routes as wrangler writes them: of a zone, or custom domains.
fn routes(environment: &Environment) -> Vec<Value> {
    let route = |served: &Served| match served.by {
        ServedBy::ZoneRoute => {
            json!({ "pattern": served.pattern(), "zone_name": environment.zone })
        }
        ServedBy::CustomDomain(_) => json!({ "pattern": served.pattern(), "custom_domain": true }),
    };
    environment.hosts.iter().map(route).collect()
}

/// The data of the files of one environment.
fn one_environment(environment: &Environment) -> Value {
    let host = environment.main_host();
    let sources: BTreeMap<_, _> = environment
        .sources()
        .map(|(name, source)| (name, source.to_string()))
        .collect();
    let variables: BTreeSet<_> = environment
        .sources()
        .chain(environment.header_sources())
        .filter_map(|(_, source)| match source {
            Source::Env(variable) => Some(variable),
            // The workflow's checkout and tools give the others
            Source::File { .. } | Source::Command { .. } | Source::Prompt => None,
        })
        .collect();
    let signs = environment.gateway.require_signature;
    let migration = environment.sst.as_ref().map(|sst| &sst.migration);
    json!({
        "environment": environment.name,
        "routes": routes(environment),
        "sources": sources,
        "variables": variables,
        "deploy": format!("cargo run --quiet -- deploy {} --yes", environment.name),
        "url": format!("https://{host}"),
        "socket_url": format!("wss://{host}"),
        // How a publisher shows who it is: one of the two has an element
        "signed": vec![(); usize::from(signs)],
        "bearer": vec![(); usize::from(!signs)],
        "sst": environment.sst,
        "percent": migration.map(|migration| migration.percent.map_or(0, Whole::get)),
        "uses_edge": migration.map(|migration| match migration.mode {
            MigrationMode::Sqs => "false",
            MigrationMode::Percent | MigrationMode::Dual | MigrationMode::Edge => "true",
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_under_templates_is_registered() {
        let mut found = Vec::new();
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path
                        .strip_prefix(&root)
                        .unwrap()
                        .to_string_lossy()
                        .into_owned();
                    found.push(name.trim_end_matches(".hbs").to_owned());
                }
            }
        }
        found.sort();
        let mut known: Vec<&str> = TEMPLATES.iter().map(|(name, _)| *name).collect();
        known.sort_unstable();
        assert_eq!(found, known);
    }

    #[test]
    fn a_name_that_the_data_does_not_have_is_an_error() {
        let mut templates = registry().unwrap();
        templates
            .register_template_string("x", "{{toml nmae}}")
            .unwrap();
        assert!(templates.render("x", &json!({ "name": "a" })).is_err());
    }

    #[test]
    fn no_template_has_a_condition_since_strict_mode_does_not_see_into_it() {
        for (name, text) in TEMPLATES {
            assert!(
                !text.contains("{{#if") && !text.contains("{{#unless"),
                "{name}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_leaves_its_toml_or_json_string(text in ".*") {
            let mut templates = registry().unwrap();
            templates.register_template_string("t", "a = {{toml x}}\nb = 1\n").unwrap();
            templates.register_template_string("j", "{\"a\": {{json x}}, \"b\": 1}").unwrap();
            let data = json!({ "x": text });
            let toml: toml_edit::DocumentMut = templates.render("t", &data).unwrap().parse().unwrap();
            assert_eq!(toml["a"].as_str(), Some(text.as_str()));
            assert_eq!(toml.iter().count(), 2);
            let json: Value = serde_json::from_str(&templates.render("j", &data).unwrap()).unwrap();
            assert_eq!(json, json!({ "a": text, "b": 1 }));
        }
    }
}
