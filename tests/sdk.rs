//! The metadata of our uploads against the types of Cloudflare's own Python SDK, which are made from its OpenAPI document.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use edge_broadcast::build::module::hex;
use edge_broadcast::build::toolchain::cache::Cache;
use edge_broadcast::cloudflare::metadata::metadata;
use edge_broadcast::environment::name::Stages;
use edge_broadcast::environment::project::Project;
use edge_broadcast::environment::script::Script;
use edge_broadcast::plan::{Desired, Observed, Plan, Step, Upload};
use edge_broadcast::secret::Value;
use edge_broadcast::terminal::progress::Progress;
use sha2::{Digest, Sha256};

use crate::support::repository;

/// The last version whose types were looked at; `code_update_strategy` is not in them yet.
const SDK: &str = "cloudflare==5.9.0";

/// Python with the SDK.
pub(crate) fn python() -> PathBuf {
    python_with(SDK)
}

/// Python with `package==version`, installed into the cache the first time.
pub(crate) fn python_with(package: &str) -> PathBuf {
    let (name, version) = package.split_once("==").unwrap();
    // Of `name[extra]` both are in the name of a folder
    installed(&name.replace(['[', ']'], "-"), version, &[package])
}

/// Python with several packages, in a folder that is named after what they are for.
pub(crate) fn python_for(purpose: &str, packages: &[&str]) -> PathBuf {
    let version = hex(&Sha256::digest(packages.join(" ")));
    installed(purpose, &version[..16], packages)
}

fn installed(name: &str, version: &str, packages: &[&str]) -> PathBuf {
    let name = format!("tests-{name}-python");
    let cache = Cache::locate(&Progress::hidden()).unwrap();
    let folder = cache.tool(&name, version);
    let python = folder.join("bin/python");
    let _alone = cache.lock(&name, &Progress::stderr()).unwrap();
    if !folder.join("complete").exists() {
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet"])
            .arg("--disable-pip-version-check")
            .args(packages));
        std::fs::write(folder.join("complete"), "").unwrap();
    }
    python
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What the SDK says of `metadata` as `kind`: `ok`, or why not.
fn checked(kind: &str, metadata: &serde_json::Value) -> String {
    let mut child = Command::new(python())
        .arg(repository().join("tests/sdk/check.py"))
        .arg(kind)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(metadata.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The uploads of a first deployment, or of one over what the first left.
fn uploads(environment: &str) -> Vec<(Script, Upload)> {
    let environment = Project::load(repository())
        .unwrap()
        .environment(environment)
        .unwrap();
    let desired = Desired::new(
        &environment,
        "0123456789abcdef".to_owned(),
        "0123456789abcdef".to_owned(),
    );
    let plan = Plan::between(&desired, &Observed::default(), &Stages::at_once()).unwrap();
    let script = |upload: &Upload| {
        desired
            .scripts
            .iter()
            .find(|wanted| wanted.script.name == upload.script)
            .unwrap()
            .script
            .clone()
    };
    plan.steps
        .into_iter()
        .filter_map(|step| match step {
            Step::Upload(upload) => Some((script(&upload), upload)),
            _ => None,
        })
        .collect()
}

/// The metadata that is sent for an upload, which sets each of its secrets to some value.
fn sent(script: &Script, upload: &Upload) -> serde_json::Value {
    let secrets = upload.secrets.iter();
    let secrets = secrets
        .map(|name| (name.clone(), Value::generate()))
        .collect();
    let text = metadata(script, "index.js", upload, &secrets).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn the_metadata_of_every_environment_is_of_the_types_of_cloudflares_own_sdk() {
    for environment in ["local", "staging", "production"] {
        for (script, mut upload) in uploads(environment) {
            assert_eq!(
                checked("script", &sent(&script, &upload)),
                "ok",
                "{environment}: {}",
                script.name
            );
            upload.lane = edge_broadcast::plan::Lane::Code {
                latest: None,
                adopt: None,
            };
            upload.secrets.clear();
            assert_eq!(
                checked("version", &sent(&script, &upload)),
                "ok",
                "{environment}: {}",
                script.name
            );
        }
    }
}

#[test]
fn the_check_finds_an_unknown_key_and_a_wrong_type() {
    let (script, mut upload) = uploads("staging").remove(0);
    upload.secrets.clear();
    let good = sent(&script, &upload);
    let mut unknown = good.clone();
    unknown["observabillity"] = true.into();
    assert_eq!(checked("script", &unknown), "unknown keys: observabillity");
    let mut wrong = good;
    wrong["bindings"][0]["type"] = "no_such_binding".into();
    assert_ne!(checked("script", &wrong), "ok");
}
