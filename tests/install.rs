//! What the tool installs by itself, into an empty cache.

use std::path::Path;
use std::process::Command;

use edge_broadcast::build::toolchain::cache::Cache;
use edge_broadcast::build::toolchain::npm::{self, NpmProject, WORKERD};
use edge_broadcast::process::run::Runner;

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

#[test]
fn the_runtime_is_installed_into_an_empty_cache_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let workerd = npm::tool(&WORKERD, &cache, &Runner::hidden()).unwrap();
    assert!(workerd.starts_with(folder.path()), "{workerd:?}");
    let version = Command::new(workerd).arg("--version").output().unwrap();
    assert!(version.status.success());
    assert!(is_empty(&folder.path().join("staging")));
}

#[test]
fn a_package_whose_hash_is_not_the_locked_one_is_not_installed() {
    let folder = tempfile::tempdir().unwrap();
    let other = "A".repeat(86) + "==";
    let lock = format!(
        r#"{{ "name": "x", "lockfileVersion": 3, "packages": {{
            "": {{ "name": "x", "dependencies": {{ "is-number": "7.0.0" }} }},
            "node_modules/is-number": {{ "version": "7.0.0", "integrity": "sha512-{other}" }}
        }} }}"#
    );
    let project = NpmProject {
        name: "x",
        version: "1",
        manifest: r#"{ "name": "x", "dependencies": { "is-number": "7.0.0" } }"#,
        lock: &lock,
        purpose: "is not what it says",
    };
    let error = npm::ensure(&project, &Cache::at(folder.path()), &Runner::hidden());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("EINTEGRITY"), "{error}");
    assert!(is_empty(&folder.path().join("tools")));
    assert!(is_empty(&folder.path().join("staging")));
}
