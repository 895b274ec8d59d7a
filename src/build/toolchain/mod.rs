//! The programs that builds and the sandbox need: found, or installed into a cache outside the source tree.
//!
//! One function per need, so that a command installs no more than it uses. Packages come through their ordinary clients (cargo,
//! npm, rustup) by name and version, so that a user's mirrors and proxies count; no address is known here.

pub mod cache;
mod cargo_tool;
mod locked_versions;
pub mod npm;
mod override_variable;
pub(crate) mod present;
pub(super) mod wasm_target;

use std::path::{Path, PathBuf};

use anyhow::Result;

use self::cache::Cache;
use self::cargo_tool::{WASM_BINDGEN, WORKER_BUILD};
use self::locked_versions::LockedVersions;
use self::npm::{ESBUILD, WASM_OPT, WORKERD};
use crate::process::run::Runner;

/// Variables with which users name their own programs for a build.
pub const BUILD_VARIABLES: [&str; 3] = ["WASM_BINDGEN_BIN", "WASM_OPT_BIN", "ESBUILD_BIN"];

/// The programs that turn a worker crate into a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildTools {
    /// Drives the others.
    pub worker_build: PathBuf,
    /// Writes the JavaScript side of the wasm.
    pub wasm_bindgen: PathBuf,
    /// Makes the wasm smaller.
    pub wasm_opt: PathBuf,
    /// Joins the JavaScript.
    pub esbuild: PathBuf,
}

/// Cloudflare's runtime, for the sandbox.
pub fn workerd(runner: &Runner) -> Result<PathBuf> {
    npm::tool(&WORKERD, &Cache::locate(&runner.progress)?, runner)
}

/// Everything that building the project at `root` needs.
pub fn build_tools(root: &Path, runner: &Runner) -> Result<BuildTools> {
    let cache = Cache::locate(&runner.progress)?;
    let versions = LockedVersions::read(root)?;
    // The quick ones first: what is wrong with this machine shows before minutes of compiling.
    wasm_target::ensure(root, runner)?;
    let wasm_opt = npm::tool(&WASM_OPT, &cache, runner)?;
    let esbuild = npm::tool(&ESBUILD, &cache, runner)?;
    let (worker_build, wasm_bindgen) = cargo_tools(&versions, &cache, root, runner)?;
    Ok(BuildTools {
        worker_build,
        wasm_bindgen,
        wasm_opt,
        esbuild,
    })
}

/// Tells the lock file from others with which `wasm-bindgen` is compiled: its dependencies write a part of every bundle.
pub(super) fn wasm_bindgen_lock() -> String {
    WASM_BINDGEN.key("")
}

fn cargo_tools(
    versions: &LockedVersions,
    cache: &Cache,
    root: &Path,
    runner: &Runner,
) -> Result<(PathBuf, PathBuf)> {
    let find = |tool, version: &str| cargo_tool::find(tool, version, cache);
    let worker_build = find(&WORKER_BUILD, &versions.worker)?;
    let wasm_bindgen = find(&WASM_BINDGEN, &versions.wasm_bindgen)?;
    if let (Some(worker_build), Some(wasm_bindgen)) = (worker_build, wasm_bindgen) {
        return Ok((worker_build, wasm_bindgen));
    }
    let _alone = cache.lock("cargo-install", &runner.progress)?;
    // One target directory: the tools have many crates in common.
    let target = cache.staging()?;
    // Found again: another process may have installed them in the meantime.
    let ensure = |tool, version: &str| -> Result<_> {
        match find(tool, version)? {
            Some(program) => Ok(program),
            None => cargo_tool::install(tool, version, cache, root, target.path(), runner),
        }
    };
    Ok((
        ensure(&WORKER_BUILD, &versions.worker)?,
        ensure(&WASM_BINDGEN, &versions.wasm_bindgen)?,
    ))
}
