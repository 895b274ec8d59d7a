//! A tool from the npm registry, installed by `npm ci` from a lock file that is part of this program: npm refuses a package whose
//! hash is not the one in the lock file. No package's own code runs during the installation.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use super::cache::Cache;
use super::override_variable;
use super::platform;
use crate::child;
use crate::invocation::Invocation;
use crate::progress::Progress;

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

/// A tool that is already here: the user's own, or one in the cache.
pub fn find(tool: &NpmTool, cache: &Cache) -> Result<Option<PathBuf>> {
    if let Some(own) = override_variable::program(tool.variable)? {
        return Ok(Some(own));
    }
    let program = program_in(&cache.tool(tool.package, &version(tool)?), tool)?;
    Ok(Some(program).filter(|program| program.is_file()))
}

/// Finds the tool, or downloads it into the cache.
pub fn ensure(tool: &NpmTool, cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    if let Some(found) = find(tool, cache)? {
        return Ok(found);
    }
    let _alone = cache.lock(tool.package, progress)?;
    // Another process may have installed it in the meantime.
    match find(tool, cache)? {
        Some(found) => Ok(found),
        None => install(tool, cache, progress),
    }
}

/// The version that this program is pinned to.
pub fn version(tool: &NpmTool) -> Result<String> {
    #[derive(Deserialize)]
    struct Manifest {
        dependencies: std::collections::BTreeMap<String, String>,
    }
    let manifest: Manifest = serde_json::from_str(tool.manifest)
        .with_context(|| format!("the built-in package.json of `{}` is broken", tool.package))?;
    manifest
        .dependencies
        .get(tool.package)
        .cloned()
        .with_context(|| format!("the built-in package.json has no `{}`", tool.package))
}

fn install(tool: &NpmTool, cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    let version = version(tool)?;
    let step = progress.start(format!(
        "installing {} {version}, which {}: once, a few seconds",
        tool.package, tool.purpose
    ));
    let staging = cache.staging()?;
    for (name, text) in [
        ("package.json", tool.manifest),
        ("package-lock.json", tool.lock),
    ] {
        let path = staging.path().join(name);
        std::fs::write(&path, text)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    child::run(&installation(staging.path()), &step).map_err(|error| {
        anyhow!(
            "cannot install `{}` {version}: {error:#}\n\
             check that `npm` is installed and reaches its registry, or name your own program in `{}`",
            tool.package,
            tool.variable
        )
    })?;
    if !program_in(staging.path(), tool)?.is_file() {
        bail!(
            "npm installed `{}` {version} without a program for this platform\n\
             name your own program in `{}`",
            tool.package,
            tool.variable
        );
    }
    let place = cache.keep(staging.path(), tool.package, &version)?;
    step.finish(&format!("installed {} {version}", tool.package));
    program_in(&place, tool)
}

fn installation(directory: &Path) -> Invocation {
    Invocation::new("npm", directory)
        .arg("ci")
        .args(["--ignore-scripts", "--no-audit", "--no-fund"])
        .args(["--include=optional", "--loglevel=error"])
}

fn program_in(place: &Path, tool: &NpmTool) -> Result<PathBuf> {
    Ok(place.join("node_modules").join((tool.program)()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [NpmTool; 3] = [WASM_OPT, ESBUILD, WORKERD];

    #[test]
    fn a_tool_is_installed_from_its_lock_file_without_running_the_packages_scripts() {
        assert_eq!(
            installation(Path::new("/staging")).to_string(),
            "cd /staging && npm ci --ignore-scripts --no-audit --no-fund --include=optional --loglevel=error"
        );
    }

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
