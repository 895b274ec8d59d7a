//! Environments to text: every generated file, by one pure function that `generate` and `generate --check` share.
//!
//! Templates have loops but no conditions: handlebars' strict mode does not see a misspelt name in `{{#if}}`, so
//! something optional is a list of none or one. Values are quoted by a helper, so none can leave its string.

use anyhow::{Context, anyhow};
use handlebars::{Handlebars, handlebars_helper};
use serde_json::{Value, json};

use crate::build::Worker;
use crate::environment::manifest::MigrationMode;
use crate::environment::script::{self, Binding, CodeUpdateStrategy, Script};
use crate::environment::{Environment, ServedBy};
use crate::generate::artifact::Artifact;
use crate::secret::Source;

/// Every template: its name in errors, and its text.
const TEMPLATES: [(&str, &str); 7] = [
    (
        "wrangler.toml",
        include_str!("../../templates/wrangler.toml.hbs"),
    ),
    (
        "env/routes.toml",
        include_str!("../../templates/env/routes.toml.hbs"),
    ),
    (
        "env/secrets.env",
        include_str!("../../templates/env/secrets.env.hbs"),
    ),
    (
        "env/deploy.yml",
        include_str!("../../templates/env/deploy.yml.hbs"),
    ),
    (
        "env/sst/secrets.ts",
        include_str!("../../templates/env/sst/secrets.ts.hbs"),
    ),
    (
        "env/sst/heliusPrice.ts",
        include_str!("../../templates/env/sst/heliusPrice.ts.hbs"),
    ),
    (
        "env/sst/client.ts",
        include_str!("../../templates/env/sst/client.ts.hbs"),
    ),
];

/// Renders everything that the environments describe, in the order of its paths.
pub fn render(environments: &[Environment]) -> anyhow::Result<Vec<Artifact>> {
    let templates = registry()?;
    let render = |template: &str, path: String, data: &Value| -> anyhow::Result<Artifact> {
        let text = templates
            .render(template, data)
            .map_err(|error| anyhow!("rendering `{path}`: {error}"))?;
        if path.ends_with(".toml") {
            text.parse::<toml_edit::DocumentMut>().with_context(|| {
                format!("the template `{template}` made invalid TOML for `{path}`")
            })?;
        }
        Ok(Artifact { path, text })
    };
    let gateways: Vec<Script> = environments.iter().map(script::gateway).collect();
    let rooms: Vec<Script> = environments.iter().map(script::room).collect();
    let mut artifacts = Vec::new();
    for scripts in [&gateways, &rooms] {
        if let Some(first) = scripts.first() {
            let folder = first.role.name();
            let data = wrangler(environments, scripts)?;
            artifacts.push(render(
                "wrangler.toml",
                format!("generated/{folder}/wrangler.toml"),
                &data,
            )?);
        }
    }
    for environment in environments {
        let data = one(environment);
        for (template, _) in TEMPLATES {
            let Some(file) = template.strip_prefix("env/") else {
                continue;
            };
            if !is_wanted(file, environment) {
                continue;
            }
            artifacts.push(render(
                template,
                format!("generated/{}/{file}", environment.name),
                &data,
            )?);
        }
    }
    artifacts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(artifacts)
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

fn wrangler(environments: &[Environment], scripts: &[Script]) -> anyhow::Result<Value> {
    let first = scripts.first().context("there is no environment")?;
    // wrangler has one top-level name for all environments: it only tags the scripts with it
    let folder = first.role.name();
    let sections: Vec<Value> = environments
        .iter()
        .zip(scripts)
        .map(|(environment, script)| section(environment, script))
        .collect();
    Ok(json!({
        "service": first.service,
        "main": format!("../../worker/{folder}/build/index.js"),
        "base_dir": format!("../../worker/{folder}/build"),
        "environments": sections,
    }))
}

fn section(environment: &Environment, script: &Script) -> Value {
    let routes = match script.role {
        Worker::Gateway => routes(environment),
        Worker::Room => Vec::new(),
    };
    let mut texts = serde_json::Map::new();
    let mut jsons = serde_json::Map::new();
    let (mut objects, mut limits, mut analytics, mut versions) = (vec![], vec![], vec![], vec![]);
    for (name, binding) in &script.bindings {
        match binding {
            Binding::PlainText { text } => {
                texts.insert(name.clone(), json!(text));
            }
            Binding::Json { json } => {
                jsons.insert(name.clone(), json.clone());
            }
            Binding::DurableObjectNamespace {
                class_name,
                script_name,
            } => {
                let mut object = json!({ "name": name, "class_name": class_name });
                if let Some(script_name) = script_name {
                    object["script_name"] = json!(script_name);
                }
                objects.push(object);
            }
            Binding::AnalyticsEngine { dataset } => {
                analytics.push(json!({ "binding": name, "dataset": dataset }));
            }
            Binding::Ratelimit {
                namespace_id,
                simple,
            } => {
                limits
                    .push(json!({ "name": name, "namespace_id": namespace_id, "simple": simple }));
            }
            Binding::VersionMetadata {} => versions.push(json!(name)),
        }
    }
    json!({
        "environment": script.environment,
        "name": script.name,
        "compatibility_date": script.compatibility_date,
        "workers_dev": script.workers_dev,
        "routes": routes,
        "migrations": script.migrations,
        "observability": script.observability,
        "limits": script.cpu_ms.map(|cpu_ms| json!({ "cpu_ms": cpu_ms })).into_iter().collect::<Vec<_>>(),
        // Older wranglers warn of it, so it is there only where it says something
        "code_update": (script.code_update != CodeUpdateStrategy::DEFAULT).then_some(script.code_update).into_iter().collect::<Vec<_>>(),
        "texts": texts,
        "jsons": jsons,
        "durable_objects": objects,
        "rate_limits": limits,
        "analytics": analytics,
        "version_metadata": versions,
    })
}

fn routes(environment: &Environment) -> Vec<Value> {
    environment
        .all_hosts()
        .map(|served| match served.by {
            ServedBy::ZoneRoute => json!({
                "pattern": format!("{}/*", served.host),
                "zone_name": environment.zone,
            }),
            ServedBy::CustomDomain | ServedBy::CustomDomainOverridingDns => json!({
                "pattern": served.host,
                "custom_domain": true,
            }),
        })
        .collect()
}

fn one(environment: &Environment) -> Value {
    let secrets: Vec<Value> = environment
        .secrets
        .iter()
        .map(|(name, secret)| json!({ "name": name, "source": secret.source.to_string() }))
        .collect();
    let variables: Vec<&String> = environment
        .secrets
        .values()
        .filter_map(|secret| match &secret.source {
            Source::Env(variable) => Some(variable),
            // The workflow's checkout and tools give the others
            Source::File { .. } | Source::Command { .. } | Source::Prompt => None,
        })
        .collect();
    let host = environment.main_host();
    let mut data = json!({
        "environment": environment.name,
        "routes": routes(environment),
        "secrets": secrets,
        "variables": variables,
        "deploy": format!("cargo run --quiet -- deploy {} --yes", environment.name),
        "url": format!("https://{host}"),
        "socket_url": format!("wss://{host}"),
    });
    if let Some(sst) = &environment.sst {
        data["app"] = json!(sst.app);
        data["stage"] = json!(sst.stage);
        data["percent"] = json!(sst.percent);
        // One of the two: how the gateway wants publishers to show who they are
        let signs = environment.gateway.require_signature;
        data["signed"] = json!(vec![(); usize::from(signs)]);
        data["bearer"] = json!(vec![(); usize::from(!signs)]);
        data["uses_edge"] = json!(if sst.migration == MigrationMode::Sqs {
            "false"
        } else {
            "true"
        });
        data["mode"] = json!(match sst.migration {
            MigrationMode::Sqs => "sqs",
            MigrationMode::Percent => "percent",
            MigrationMode::Dual => "dual",
            MigrationMode::Edge => "edge",
        });
    }
    data
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
            assert_eq!(json, serde_json::json!({ "a": text, "b": 1 }));
        }
    }
}
