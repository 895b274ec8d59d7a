//! Dependencies are what `deny.toml` allows, and stand in the manifests in order.
//!
//! `cargo deny` reads the same file and sees advisories too. It is a program of its own, which `./test` runs.

use std::collections::{BTreeMap, BTreeSet};
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

/// Every package that any target, feature and test of the workspace needs.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--locked",
            "--all-features",
            "--format-version=1",
        ])
        .current_dir(repository())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {told}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn text<'a>(package: &'a Value, key: &str) -> &'a str {
    package[key].as_str().unwrap_or_default()
}

fn strings(item: &Item) -> BTreeSet<&str> {
    let items = item.as_array().unwrap().iter();
    items.map(|item| item.as_str().unwrap()).collect()
}

/// `crate` and `reason` of each entry of a list of `[bans]`.
fn entries(deny: &DocumentMut, list: &str) -> BTreeMap<String, String> {
    let entries = deny["bans"][list].as_array().unwrap().iter();
    entries
        .map(|entry| {
            let entry = entry.as_inline_table().unwrap();
            let text = |key: &str| entry[key].as_str().unwrap().to_owned();
            (text("crate"), text("reason"))
        })
        .collect()
}

/// The versions that `version` of a skip stands for: `0.22.1` is one of `0.22`, and `0.2.17` is none.
fn is_of(version: &str, skipped: &str) -> bool {
    version == skipped || version.starts_with(&format!("{skipped}."))
}

#[test]
fn dependencies_have_a_licence_a_source_and_a_single_version_as_deny_toml_says() {
    let deny = toml("deny.toml");
    let packages = packages();
    let allowed: Vec<spdx::Licensee> = strings(&deny["licenses"]["allow"])
        .into_iter()
        .map(|name| spdx::Licensee::parse(name).unwrap())
        .collect();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in &packages {
        let name = text(package, "name");
        let licence = text(package, "license");
        let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX)
            .unwrap_or_else(|error| panic!("`{name}` has the licence `{licence}`: {error}"));
        let is_allowed =
            |wanted: &spdx::LicenseReq| allowed.iter().any(|each| each.satisfies(wanted));
        assert!(
            expression.evaluate(is_allowed),
            "the licence of `{name}` is not allowed: {licence}"
        );
        if let Some(source) = package["source"].as_str() {
            let registries = strings(&deny["sources"]["allow-registry"]);
            let registry = source.trim_start_matches("registry+");
            assert!(
                registries.contains(registry),
                "`{name}` comes from {source}"
            );
        }
        // An old version that is the new one under its old name is none of its own
        let dependencies = package["dependencies"].as_array().unwrap();
        if !dependencies.iter().any(|other| other["name"] == name) {
            versions
                .entry(name)
                .or_default()
                .insert(text(package, "version"));
        }
    }
    for (name, why) in entries(&deny, "deny") {
        assert!(
            !versions.contains_key(name.as_str()),
            "`{name}` is banned: {why}"
        );
    }
    let mut skips: BTreeMap<String, String> = BTreeMap::new();
    for skip in entries(&deny, "skip").into_keys() {
        let (name, version) = skip.split_once('@').unwrap();
        skips.insert(name.to_owned(), version.to_owned());
    }
    for (name, found) in versions.iter().filter(|(_, found)| found.len() > 1) {
        let skipped = skips.remove(*name).unwrap_or_default();
        let left = found.iter().filter(|version| !is_of(version, &skipped));
        assert_eq!(left.count(), 1, "`{name}` is there as {found:?}");
    }
    assert!(
        skips.is_empty(),
        "`deny.toml` skips what is there once: {skips:?}"
    );
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

/// Every `package.json` of the repository.
fn npm_manifests() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--", "package.json", "*/package.json"])
        .current_dir(repository())
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    listed.lines().map(PathBuf::from).collect()
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
