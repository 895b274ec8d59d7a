//! A tool from the npm registry, at the version that the lock file in this program pins.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::cache::Cache;
use super::npm_project::{self, NpmProject};
use super::override_variable;
use super::platform;
use crate::process::run::Runner;
use crate::terminal::advice::Advice;

/// A tool from the npm registry.
#[derive(Clone, Copy, Debug)]
pub struct NpmTool {
    /// The package.
    pub package: &'static str,
    /// A variable with which users name their own.
    pub variable: &'static str,
    /// `package.json` and `package-lock.json`.
    manifest: &'static str,
    lock: &'static str,
    /// Where the program is below `node_modules`, on this platform.
    program: fn() -> Result<String>,
    /// For people: what it is for.
    purpose: &'static str,
}

/// Makes wasm smaller. Runs on node.
pub const WASM_OPT: NpmTool = NpmTool {
    package: "binaryen",
    variable: "WASM_OPT_BIN",
    manifest: include_str!("npm/binaryen/package.json"),
    lock: include_str!("npm/binaryen/package-lock.json"),
    program: || Ok("binaryen/bin/wasm-opt".to_owned()),
    purpose: "makes the workers' wasm smaller",
};

/// Joins a worker's JavaScript into one module.
pub const ESBUILD: NpmTool = NpmTool {
    package: "esbuild",
    variable: "ESBUILD_BIN",
    manifest: include_str!("npm/esbuild/package.json"),
    lock: include_str!("npm/esbuild/package-lock.json"),
    program: || Ok(format!("@esbuild/{}/bin/esbuild", platform::of_esbuild()?)),
    purpose: "joins a worker's JavaScript",
};

/// Cloudflare's runtime.
pub const WORKERD: NpmTool = NpmTool {
    package: "workerd",
    variable: "WORKERD_BIN",
    manifest: include_str!("npm/workerd/package.json"),
    lock: include_str!("npm/workerd/package-lock.json"),
    program: || {
        let platform = platform::of_workerd()?;
        Ok(format!("@cloudflare/workerd-{platform}/bin/workerd"))
    },
    purpose: "is Cloudflare's runtime for the sandbox",
};

/// The user's own program; else the installed one, downloaded into the cache if it is not there.
pub fn ensure(tool: &NpmTool, cache: &Cache, runner: &Runner) -> Result<PathBuf> {
    if let Some(own) = override_variable::program(tool.variable)? {
        return Ok(own);
    }
    let relative = (tool.program)()?;
    let version = version(tool)?;
    let project = NpmProject {
        name: tool.package,
        version: &version,
        manifest: tool.manifest,
        lock: tool.lock,
        purpose: tool.purpose,
    };
    let own = format!("or name a program of your own in `{}`", tool.variable);
    let modules = npm_project::ensure(&project, cache, runner).map_err(|error| {
        let Advice { what, fix } = Advice::of(&error);
        Advice::new(what, format!("{}, {own}", fix.unwrap_or_default()))
    })?;
    let program = modules.join(relative);
    if !program.is_file() {
        let place = cache.tool(tool.package, &version);
        bail!(Advice::new(
            format!("npm left no `{}`", program.display()),
            format!("remove `{}` and try again, {own}", place.display())
        ));
    }
    Ok(program)
}

/// The version that this program is pinned to.
pub fn version(tool: &NpmTool) -> Result<String> {
    #[derive(Deserialize)]
    struct Manifest {
        dependencies: BTreeMap<String, String>,
    }
    let manifest: Manifest = serde_json::from_str(tool.manifest)
        .with_context(|| format!("the built-in package.json of `{}` is broken", tool.package))?;
    manifest
        .dependencies
        .get(tool.package)
        .cloned()
        .with_context(|| format!("the built-in package.json has no `{}`", tool.package))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [NpmTool; 3] = [WASM_OPT, ESBUILD, WORKERD];

    #[test]
    fn every_locked_package_has_an_integrity_hash_and_no_address() {
        for tool in ALL {
            let lock: serde_json::Value = serde_json::from_str(tool.lock).unwrap();
            for (path, package) in lock["packages"].as_object().unwrap() {
                if !path.is_empty() {
                    let hash = package["integrity"].as_str().unwrap_or_default();
                    assert!(hash.starts_with("sha512-"), "{path}");
                    assert!(package["resolved"].is_null(), "{path}");
                }
            }
            assert!(!tool.lock.contains("://"), "{}", tool.package);
        }
    }

    #[test]
    fn every_program_of_every_platform_is_locked() {
        for tool in ALL {
            let lock: serde_json::Value = serde_json::from_str(tool.lock).unwrap();
            let locked = lock["packages"].as_object().unwrap();
            let optional =
                locked[&format!("node_modules/{}", tool.package)]["optionalDependencies"]
                    .as_object()
                    .cloned()
                    .unwrap_or_default();
            for name in optional.keys() {
                assert!(
                    locked.contains_key(&format!("node_modules/{name}")),
                    "{name}"
                );
            }
        }
    }
}
