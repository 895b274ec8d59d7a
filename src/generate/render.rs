//! Environments to text: every generated file, by one pure function that `generate` and `generate --check` share.
//!
//! Templates have loops but no conditions: handlebars' strict mode does not see a misspelt name in `{{#if}}`, so
//! something optional is a list of none or one. Values are quoted by a helper, so none can leave its string.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow};
use handlebars::{Handlebars, handlebars_helper};
use serde::Serialize;
use serde_json::Value;

use crate::build::Worker;
use crate::environment::manifest::MigrationMode;
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
pub fn render(environments: &[Environment]) -> anyhow::Result<Vec<Artifact>> {
    let templates = registry()?;
    let gateways: Vec<Script> = environments.iter().map(script::gateway).collect();
    let rooms: Vec<Script> = environments.iter().map(script::room).collect();
    let mut artifacts = Vec::new();
    for scripts in [&gateways, &rooms] {
        if let Some(first) = scripts.first() {
            let folder = first.role.name();
            let sections = environments.iter().zip(scripts);
            let data = Wrangler {
                // wrangler has one top-level name for all environments: it only tags the scripts with it
                service: &first.service,
                main: format!("../../worker/{folder}/build/index.js"),
                base_dir: format!("../../worker/{folder}/build"),
                environments: sections.map(|(of, script)| section(of, script)).collect(),
            };
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
    data: &impl Serialize,
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

/// The data of `wrangler.toml`: one script of every environment.
#[derive(Serialize)]
struct Wrangler<'a> {
    service: &'a str,
    main: String,
    base_dir: String,
    environments: Vec<Section<'a>>,
}

/// One environment's part of `wrangler.toml`. What is optional there is a list of none or one.
#[derive(Serialize)]
struct Section<'a> {
    #[serde(flatten)]
    script: &'a Script,
    routes: Vec<Route<'a>>,
    limits: Vec<u32>,
    code_update_strategy: Vec<CodeUpdateStrategy>,
    #[serde(flatten)]
    by_type: Bindings<'a>,
}

/// A script's bindings, as wrangler wants them: by type, and by name.
#[derive(Default, Serialize)]
struct Bindings<'a> {
    texts: BTreeMap<&'a str, &'a str>,
    jsons: BTreeMap<&'a str, &'a Value>,
    durable_objects: Vec<DurableObject<'a>>,
    rate_limits: BTreeMap<&'a str, &'a Binding>,
    data_sets: BTreeMap<&'a str, &'a str>,
    version_metadata: Vec<&'a str>,
}

#[derive(Serialize)]
struct DurableObject<'a> {
    name: &'a str,
    class_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_name: Option<&'a str>,
}

/// A route as wrangler writes it: of a zone, or a custom domain.
#[derive(Serialize)]
struct Route<'a> {
    pattern: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_domain: Option<bool>,
}

/// The data of the files of one environment.
#[derive(Serialize)]
struct Data<'a> {
    environment: &'a str,
    routes: Vec<Route<'a>>,
    /// Sources by name.
    secrets: BTreeMap<&'a str, String>,
    variables: Vec<&'a str>,
    deploy: String,
    url: String,
    socket_url: String,
    #[serde(flatten)]
    publisher: Option<Publisher<'a>>,
}

/// The publisher's side. Of `signed` and `bearer`, which say how a publisher shows who it is, one has an element.
#[derive(Serialize)]
struct Publisher<'a> {
    app: &'a str,
    stage: &'a str,
    percent: u32,
    signed: Vec<()>,
    bearer: Vec<()>,
    uses_edge: &'a str,
    mode: MigrationMode,
}

fn section<'a>(environment: &'a Environment, script: &'a Script) -> Section<'a> {
    let strategy = Some(script.code_update);
    Section {
        script,
        routes: match script.role {
            Worker::Gateway => routes(environment),
            Worker::Room => Vec::new(),
        },
        limits: script.cpu_ms.into_iter().collect(),
        // Older wranglers warn of it, so it is there only where it says something
        code_update_strategy: strategy
            .into_iter()
            .filter(|strategy| *strategy != CodeUpdateStrategy::DEFAULT)
            .collect(),
        by_type: bindings(script),
    }
}

fn bindings(script: &Script) -> Bindings<'_> {
    let mut bindings = Bindings::default();
    for (name, binding) in &script.bindings {
        match binding {
            Binding::PlainText { text } => drop(bindings.texts.insert(name, text)),
            Binding::Json { json } => drop(bindings.jsons.insert(name, json)),
            Binding::DurableObjectNamespace {
                class_name,
                script_name,
            } => bindings.durable_objects.push(DurableObject {
                name,
                class_name,
                script_name: script_name.as_deref(),
            }),
            Binding::AnalyticsEngine { dataset } => drop(bindings.data_sets.insert(name, dataset)),
            Binding::Ratelimit { .. } => drop(bindings.rate_limits.insert(name, binding)),
            Binding::VersionMetadata {} => bindings.version_metadata.push(name),
        }
    }
    bindings
}

fn routes(environment: &Environment) -> Vec<Route<'_>> {
    let route = |served: &Served| {
        let is_custom = served.by != ServedBy::ZoneRoute;
        Route {
            pattern: served.pattern(),
            zone_name: (!is_custom).then(|| environment.zone.as_str()),
            custom_domain: is_custom.then_some(true),
        }
    };
    environment.hosts.iter().map(route).collect()
}

fn one_environment(environment: &Environment) -> Data<'_> {
    let host = environment.main_host();
    let secrets = environment.secrets.iter();
    let variables = environment.secrets.values();
    Data {
        environment: environment.name.as_str(),
        routes: routes(environment),
        secrets: secrets
            .map(|(name, secret)| (name.as_str(), secret.source.to_string()))
            .collect(),
        variables: variables
            .filter_map(|secret| match &secret.source {
                Source::Env(variable) => Some(variable.as_str()),
                // The workflow's checkout and tools give the others
                Source::File { .. } | Source::Command { .. } | Source::Prompt => None,
            })
            .collect(),
        deploy: format!("cargo run --quiet -- deploy {} --yes", environment.name),
        url: format!("https://{host}"),
        socket_url: format!("wss://{host}"),
        publisher: environment.sst.as_ref().map(|sst| {
            let signs = environment.gateway.require_signature;
            Publisher {
                app: &sst.app,
                stage: &sst.stage,
                percent: sst.percent,
                signed: vec![(); usize::from(signs)],
                bearer: vec![(); usize::from(!signs)],
                uses_edge: match sst.migration {
                    MigrationMode::Sqs => "false",
                    MigrationMode::Percent | MigrationMode::Dual | MigrationMode::Edge => "true",
                },
                mode: sst.migration,
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
