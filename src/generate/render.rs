//! Environments to text: every generated file, by one pure function that `generate` and `generate --check` share.
//!
//! A template (`.hbs`) is fed from a type of [`data`](super::data); other files are copied as they are. Templates have loops
//! but no conditions: handlebars' strict mode does not see a misspelt name in `{{#if}}`, so something optional is a list of
//! none or one. Values are quoted by a helper, so none can leave its string.

use anyhow::{Context, anyhow};
use handlebars::{Handlebars, handlebars_helper};
use serde::Serialize;
use serde_json::Value;

use super::data::{Client, Publisher, Routes, Sources, SstApp, Workflow, Wrangler};
use super::{grafana, typescript};
use crate::environment::Environment;
use crate::environment::script::{self, Script};
use crate::generate::artifact::Artifact;

macro_rules! files {
    ($($name:literal,)*) => {
        &[$(($name, include_str!(concat!("../../templates/", $name)))),*]
    };
}

/// A file below `templates/`: its path there, and its text.
type File = (&'static str, &'static str);

const WRANGLER: &[File] = files! {
    "wrangler.toml.hbs",
};
const ROUTES: &[File] = files! {
    "env/routes.toml.hbs",
};
const SECRETS: &[File] = files! {
    "env/secrets.env.hbs",
};
const WORKFLOW: &[File] = files! {
    "env/deploy.yml.hbs",
};
const CLIENT: &[File] = files! {
    "env/client/.npmrc",
    "env/client/README.md.hbs",
    "env/client/package.json.hbs",
    "env/client/react/package.json",
    "env/client/src/alarm.ts",
    "env/client/src/aws.ts",
    "env/client/src/backoff.ts",
    "env/client/src/calls.ts",
    "env/client/src/config.ts.hbs",
    "env/client/src/connection.ts",
    "env/client/src/host.ts",
    "env/client/src/index.ts",
    "env/client/src/order.ts",
    "env/client/src/poll.ts",
    "env/client/src/react.ts",
    "env/client/src/session.ts",
    "env/client/src/socket.ts",
    "env/client/src/subscribe.ts",
    "env/client/src/types.ts",
    "env/client/src/way.ts",
    "env/client/src/ways.ts",
    "env/client/tsconfig.json",
};
const PUBLISHER: &[File] = files! {
    "env/publisher/README.md.hbs",
    "env/publisher/package.json.hbs",
    "env/publisher/python/publisher.py.hbs",
    "env/publisher/python/pyproject.toml.hbs",
    "env/publisher/python/sqs_queue.py",
    "env/publisher/rust/Cargo.toml.hbs",
    "env/publisher/rust/credentials.rs",
    "env/publisher/rust/edge.rs",
    "env/publisher/rust/publisher.rs.hbs",
    "env/publisher/rust/report.rs",
    "env/publisher/rust/update.rs",
    "env/publisher/src/config.ts.hbs",
    "env/publisher/src/edge.ts",
    "env/publisher/src/handler.ts",
    "env/publisher/src/helius.ts",
    "env/publisher/src/index.ts",
    "env/publisher/src/modes.ts",
    "env/publisher/src/outcome.ts",
    "env/publisher/src/report.ts",
    "env/publisher/src/settings.ts",
    "env/publisher/src/sqs.ts",
    "env/publisher/src/update.ts",
    "env/publisher/tsconfig.json",
};
const SST: &[File] = files! {
    "env/sst/edge-broadcast.ts.hbs",
};

/// Every file.
const ALL: [&[File]; 7] = [WRANGLER, ROUTES, SECRETS, WORKFLOW, CLIENT, PUBLISHER, SST];

/// Renders everything that the environments describe, in the order of its paths.
pub(crate) fn render(environments: &[Environment]) -> anyhow::Result<Vec<Artifact>> {
    let mut rendering = Rendering {
        templates: registry()?,
        artifacts: Vec::new(),
    };
    let gateways: Vec<Script> = environments.iter().map(script::gateway).collect();
    let rooms: Vec<Script> = environments.iter().map(script::room).collect();
    for scripts in [&gateways, &rooms] {
        if let Some(wrangler) = Wrangler::of(environments, scripts) {
            rendering.files(WRANGLER, scripts[0].role.name(), &wrangler)?;
        }
    }
    for environment in environments {
        rendering.environment(environment)?;
    }
    rendering.artifacts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(rendering.artifacts)
}

struct Rendering {
    templates: Handlebars<'static>,
    artifacts: Vec<Artifact>,
}

impl Rendering {
    fn environment(&mut self, environment: &Environment) -> anyhow::Result<()> {
        let folder = environment.name.as_str();
        self.files(ROUTES, folder, &Routes::of(environment))?;
        self.files(SECRETS, folder, &Sources::of(environment))?;
        // No workflow could reach it: `.localhost` is every machine's own (RFC 6761, section 6.3)
        if !environment.zone.as_str().ends_with(".localhost") {
            self.files(WORKFLOW, folder, &Workflow::of(environment))?;
        }
        self.files(CLIENT, folder, &Client::of(environment))?;
        self.artifacts.push(Artifact {
            path: format!("generated/{folder}/client/src/protocol.ts"),
            text: typescript::protocol(),
        });
        self.artifacts.extend(grafana::files(environment)?);
        self.files(PUBLISHER, folder, &Publisher::of(environment))?;
        if let Some(sst) = &environment.sst {
            self.files(SST, folder, &SstApp::of(environment, sst))?;
        }
        Ok(())
    }

    /// The files as they stand in a folder of `generated/`.
    fn files(&mut self, files: &[File], folder: &str, data: &impl Serialize) -> anyhow::Result<()> {
        for (name, text) in files {
            let inside = name.strip_prefix("env/").unwrap_or(name);
            let path = format!("generated/{folder}/{}", inside.trim_end_matches(".hbs"));
            let text = match name.ends_with(".hbs") {
                true => self.templates.render(name, data),
                false => Ok((*text).to_owned()),
            };
            let text = text.map_err(|error| anyhow!("rendering `{path}`: {error}"))?;
            if path.ends_with(".toml") {
                text.parse::<toml_edit::DocumentMut>().with_context(|| {
                    format!("the template `{name}` made invalid TOML for `{path}`")
                })?;
            }
            self.artifacts.push(Artifact { path, text });
        }
        Ok(())
    }
}

handlebars_helper!(quote_json: |value: Json| literal(value));
handlebars_helper!(quote_python: |text: str| python(text));
handlebars_helper!(quote_rust: |text: str| format!("\"{}\"", text.escape_default()));
handlebars_helper!(quote_toml: |value: Json| toml(value).to_string().trim().to_owned());
handlebars_helper!(toml_key: |name: str| toml_edit::Key::new(name).to_string());
handlebars_helper!(concat: |one: str, two: str| format!("{one}{two}"));
handlebars_helper!(github: |name: str| format!("${{{{ secrets.{name} }}}}"));

fn registry() -> anyhow::Result<Handlebars<'static>> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(handlebars::no_escape);
    registry.register_helper("json", Box::new(quote_json));
    registry.register_helper("python", Box::new(quote_python));
    registry.register_helper("rust", Box::new(quote_rust));
    registry.register_helper("toml", Box::new(quote_toml));
    registry.register_helper("key", Box::new(toml_key));
    registry.register_helper("concat", Box::new(concat));
    registry.register_helper("github", Box::new(github));
    let files = ALL.into_iter().flatten();
    for (name, text) in files.filter(|(name, _)| name.ends_with(".hbs")) {
        registry
            .register_template_string(name, text)
            .with_context(|| format!("the template `{name}`"))?;
    }
    Ok(registry)
}

/// JSON that is a literal of JavaScript too, wherever it stands: in a page, `</script>` and `<!--` would end or change it, and older
/// engines take U+2028 and U+2029 for ends of lines (ECMA-262 before 2019, section 7.3).
fn literal(value: &Value) -> String {
    let json = value.to_string();
    let json = json.replace('<', "\\u003c");
    json.replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// A literal of Python: like JSON's, but a character beyond U+FFFF must not become two.
fn python(text: &str) -> String {
    let characters = text.chars().map(|character| match character {
        '"' | '\\' => format!("\\{character}"),
        ' '..='~' => character.to_string(),
        _ => format!("\\U{:08x}", u32::from(character)),
    });
    format!("\"{}\"", characters.collect::<String>())
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
                    let name = path.strip_prefix(&root).unwrap();
                    found.push(name.to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        let files = ALL.into_iter().flatten();
        let mut known: Vec<&str> = files.map(|(name, _)| *name).collect();
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
        for (name, text) in ALL.into_iter().flatten() {
            assert!(
                !text.contains("{{#if") && !text.contains("{{#unless"),
                "{name}"
            );
        }
    }

    #[test]
    fn a_literal_ends_no_script_and_no_line() {
        for (value, expected) in [
            ("</script><!--", r#""\u003c/script>\u003c!--""#),
            ("a\u{2028}b\u{2029}c", r#""a\u2028b\u2029c""#),
            ("'`${x}\"\\", r#""'`${x}\"\\""#),
            ("a\nb\r\u{0}", r#""a\nb\r\u0000""#),
            // What looks like an escape is not one
            ("\\u003c", r#""\\u003c""#),
        ] {
            assert_eq!(literal(&json!(value)), expected);
        }
    }

    /// What Python itself reads in each of these literals.
    fn read_by_python(literals: &[String]) -> Vec<String> {
        let program = "import ast, json, sys; print(json.dumps([ast.literal_eval(line) for line in sys.stdin]))";
        let mut python = std::process::Command::new("python3")
            .args(["-c", program])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = python.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, literals.join("\n").as_bytes()).unwrap();
        drop(stdin);
        let output = python.wait_with_output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[test]
    fn no_text_leaves_its_python_string() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let any = proptest::prelude::any::<String>();
        let mut texts: Vec<String> = (0..500)
            .map(|_| {
                let tree = proptest::strategy::Strategy::new_tree(&any, &mut runner).unwrap();
                proptest::strategy::ValueTree::current(&tree)
            })
            .collect();
        for hostile in [
            "\"\"\"",
            "\\",
            "\\\"",
            "{x}",
            "a\r\nb\0",
            "\u{2028}\u{85}\u{202e}😀'",
        ] {
            texts.push(hostile.to_owned());
        }
        let mut templates = registry().unwrap();
        templates
            .register_template_string("p", "{{python x}}")
            .unwrap();
        let literal = |text: &String| templates.render("p", &json!({ "x": text })).unwrap();
        let literals: Vec<String> = texts.iter().map(literal).collect();
        assert!(
            literals
                .iter()
                .all(|literal| literal.bytes().all(|byte| matches!(byte, b' '..=b'~')))
        );
        assert_eq!(read_by_python(&literals), texts);
    }

    proptest::proptest! {
        /// Nothing that ends a script of a page, a comment in one, or a line of an older engine.
        #[test]
        fn a_literal_is_the_same_value_wherever_it_stands(
            text in "(?s)([<>&/!\u{2028}\u{2029}\\\\\"'`$\\{\\}\r\n*-]|script|u003c|.){0,40}",
        ) {
            let value = json!({ "members": [text, 1, null, true], "<": text });
            let literal = literal(&value);
            assert!(!literal.contains(['<', '\u{2028}', '\u{2029}', '\n', '\r']), "{literal}");
            assert_eq!(serde_json::from_str::<Value>(&literal).unwrap(), value);
        }

        #[test]
        fn no_text_leaves_its_toml_or_json_string(text in "(?s).*") {
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

        #[test]
        fn no_text_leaves_its_rust_string(text in proptest::prelude::any::<String>()) {
            let mut templates = registry().unwrap();
            templates.register_template_string("r", "{{rust x}}").unwrap();
            let literal = templates.render("r", &json!({ "x": text })).unwrap();
            assert!(literal.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            assert_eq!(syn::parse_str::<syn::LitStr>(&literal).unwrap().value(), text);
        }
    }
}
