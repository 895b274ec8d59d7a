//! The npm packages that only tests need: the real wrangler, and what a sender and a client in JavaScript use.

use std::path::PathBuf;
use std::process::Command;

use edge_broadcast::bundle::module::hex;
use edge_broadcast::progress::Progress;
use edge_broadcast::toolchain::cache::Cache;
use edge_broadcast::toolchain::npm_project::{self, NpmProject};
use sha2::{Digest, Sha256};

const MANIFEST: &str = include_str!("npm/package.json");
const LOCK: &str = include_str!("npm/package-lock.json");

/// The `node_modules` of `tests/npm`, installed into the user's cache the first time; any number of tests may ask at once.
pub(crate) fn modules() -> PathBuf {
    let version = &hex(&Sha256::digest(LOCK))[..16];
    let project = NpmProject {
        name: "tests",
        version,
        manifest: MANIFEST,
        lock: LOCK,
        purpose: "has wrangler and other packages that tests run",
    };
    npm_project::ensure(&project, &Cache::locate().unwrap(), &Progress::stderr()).unwrap()
}

/// The real wrangler, told to ask nobody and to report nothing.
pub(crate) fn wrangler() -> Command {
    let mut command = Command::new("node");
    command
        .arg(modules().join("wrangler/bin/wrangler.js"))
        .env("WRANGLER_SEND_METRICS", "false")
        .env("CI", "true")
        .env("NO_COLOR", "1");
    command
}

#[test]
fn the_real_wrangler_is_installed_at_the_version_that_runs_on_node_20() {
    let output = wrangler().arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "4.86.0");
}
