//! Dependencies stand in the manifests in order, and npm's are locked. What they may be is in `deny.toml`: `./test` runs `cargo deny`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use toml_edit::{DocumentMut, Item, Table};

use crate::support::repository;

fn toml(path: &str) -> DocumentMut {
    let text = std::fs::read_to_string(repository().join(path)).unwrap();
    text.parse()
        .unwrap_or_else(|error| panic!("`{path}`: {error}"))
}

fn strings(item: &Item) -> BTreeSet<&str> {
    let items = item.as_array().unwrap().iter();
    items.map(|item| item.as_str().unwrap()).collect()
}

#[test]
fn dependencies_stand_in_order_in_every_manifest() {
    let root = toml("Cargo.toml");
    let members = strings(&root["workspace"]["members"]);
    let mut looked_at = 0;
    let mut look = |path: &PathBuf, name: &str, table: &Table| {
        let names: Vec<&str> = table.iter().map(|(name, _)| name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(names, sorted, "`[{name}]` of `{}`", path.display());
        looked_at += names.len();
    };
    for member in members {
        let path = PathBuf::from(member).join("Cargo.toml");
        let manifest = toml(path.to_str().unwrap());
        if let Some(table) = manifest
            .get("workspace")
            .and_then(|workspace| workspace["dependencies"].as_table())
        {
            look(&path, "workspace.dependencies", table);
        }
        for name in ["dependencies", "dev-dependencies", "build-dependencies"] {
            if let Some(table) = manifest.get(name).and_then(Item::as_table) {
                look(&path, name, table);
            }
        }
    }
    assert!(
        looked_at > 40,
        "only {looked_at} dependencies were looked at"
    );
}

/// Every `package.json` of the repository from which something is installed here: what is generated, and what it is copied from, is
/// installed by whoever uses it.
fn npm_manifests() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--", "package.json", "*/package.json"])
        .current_dir(repository())
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let listed = listed.lines().map(PathBuf::from);
    listed
        .filter(|path| !path.starts_with("generated") && !path.starts_with("templates"))
        .collect()
}

fn json(path: &PathBuf) -> Value {
    let text = std::fs::read_to_string(repository().join(path));
    let text = text.unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Where node finds `name` from the package at `from`: beside it, or beside one that it lies in.
fn is_locked(locked: &serde_json::Map<String, Value>, from: &str, name: &str) -> bool {
    let mut from = from;
    loop {
        let place = if from.is_empty() {
            format!("node_modules/{name}")
        } else {
            format!("{from}/node_modules/{name}")
        };
        if locked.contains_key(&place) {
            return true;
        }
        match from.rfind("/node_modules/") {
            Some(end) => from = &from[..end],
            None if from.is_empty() => return false,
            None => from = "",
        }
    }
}

#[test]
fn every_npm_manifest_has_a_lock_file_with_all_that_it_needs_each_pinned_by_a_hash() {
    let manifests = npm_manifests();
    assert!(manifests.len() >= 5, "{manifests:?}");
    for path in manifests {
        let shown = path.display();
        let (manifest, lock) = (json(&path), json(&path.with_file_name("package-lock.json")));
        let locked = lock["packages"].as_object().unwrap();
        for kind in [
            "dependencies",
            "devDependencies",
            "optionalDependencies",
            "peerDependencies",
        ] {
            assert_eq!(locked[""][kind], manifest[kind], "`{shown}`: {kind}");
        }
        for (at, package) in locked {
            let hash = package["integrity"].as_str().unwrap_or_default();
            assert!(
                at.is_empty() || hash.starts_with("sha512-"),
                "`{shown}`: {at}"
            );
            for kind in ["dependencies", "optionalDependencies", "peerDependencies"] {
                let needs = package[kind].as_object();
                for name in needs.into_iter().flat_map(serde_json::Map::keys) {
                    let meta = &package["peerDependenciesMeta"][name];
                    assert!(
                        meta["optional"] == true || is_locked(locked, at, name),
                        "`{shown}`: {at} needs `{name}`"
                    );
                }
            }
        }
    }
}

/// A library has no lock file of its own, so what its users get is what it names: one version, and the one that is tried here.
#[test]
fn a_generated_package_needs_the_very_versions_that_it_is_tested_with() {
    let tested = json(&PathBuf::from("tests/npm/package.json"));
    let mut looked_at = 0;
    for kind in ["client", "publisher"] {
        let path = PathBuf::from(format!("generated/staging/{kind}/package.json"));
        let manifest = json(&path);
        for kind in ["dependencies", "devDependencies"] {
            let needed = manifest[kind].as_object();
            for (name, version) in needed.into_iter().flatten() {
                let shown = path.display();
                assert_eq!(
                    *version, tested["dependencies"][name],
                    "`{shown}`: `{name}`"
                );
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 2, "{looked_at}");
}
