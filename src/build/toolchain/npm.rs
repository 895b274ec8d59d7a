//! Packages from the npm registry, installed together by `npm ci` from a lock file that is part of this repository: npm refuses
//! a package whose hash is not the one in the lock file. No package's own code runs during the installation.

use std::collections::BTreeMap;
use std::env::consts::{ARCH, OS};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::cache::Cache;
use super::override_variable;
use crate::process::file;
use crate::process::invocation::Invocation;
use crate::process::run::Runner;
use crate::process::surroundings::Purpose;
use crate::terminal::advice::Advice;

/// What to install, and what to call it in the cache.
#[derive(Clone, Copy, Debug)]
pub struct NpmProject<'a> {
    /// The cache's name for it.
    pub name: &'a str,
    /// Changes when the lock file changes.
    pub version: &'a str,
    /// `package.json`.
    pub manifest: &'a str,
    /// `package-lock.json`.
    pub lock: &'a str,
    /// For people: completes "which …".
    pub purpose: &'a str,
}

/// Installs the packages unless they are there, and says where: the path of `node_modules`.
pub fn ensure(project: &NpmProject, cache: &Cache, runner: &Runner) -> Result<PathBuf> {
    let modules = cache
        .tool(project.name, project.version)
        .join("node_modules");
    if modules.is_dir() {
        return Ok(modules);
    }
    let _alone = cache.lock(project.name, &runner.progress)?;
    // Another process may have installed them in the meantime.
    if !modules.is_dir() {
        install(project, cache, runner)?;
    }
    Ok(modules)
}

fn install(project: &NpmProject, cache: &Cache, runner: &Runner) -> Result<()> {
    let NpmProject { name, version, .. } = project;
    let step = runner.progress.start(format!(
        "installing {name} {version}, which {}: once, usually a few seconds",
        project.purpose
    ));
    let staging = cache.staging()?;
    for (name, text) in [
        ("package.json", project.manifest),
        ("package-lock.json", project.lock),
    ] {
        file::replace_below(staging.path(), Path::new(name), text.as_bytes())?;
    }
    let invocation = installation(staging.path());
    runner.run(&invocation, &step).map_err(|error| {
        let why = Advice::of(&error).line();
        let what =
            format!("cannot install `{name}` {version} with npm: {why}\ntried: {invocation}");
        Advice::new(
            what,
            "check that `npm` is installed and reaches its registry",
        )
    })?;
    cache.keep(staging.path(), name, version)?;
    step.finish(&format!("installed {name} {version}"));
    Ok(())
}

fn installation(directory: &Path) -> Invocation {
    Invocation::new(Purpose::Install, "npm", directory)
        .arg("ci")
        .args(["--ignore-scripts", "--no-audit", "--no-fund"])
        .args(["--include=optional", "--loglevel=error"])
}

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
    /// Where the program is below `node_modules`.
    program: &'static str,
    /// For people: what it is for.
    purpose: &'static str,
}

/// Makes wasm smaller. Runs on node.
pub const WASM_OPT: NpmTool = NpmTool {
    package: "binaryen",
    variable: "WASM_OPT_BIN",
    manifest: include_str!("npm/binaryen/package.json"),
    lock: include_str!("npm/binaryen/package-lock.json"),
    program: "binaryen/bin/wasm-opt",
    purpose: "makes the workers' wasm smaller",
};

/// Joins a worker's JavaScript into one module.
pub const ESBUILD: NpmTool = NpmTool {
    package: "esbuild",
    variable: "ESBUILD_BIN",
    manifest: include_str!("npm/esbuild/package.json"),
    lock: include_str!("npm/esbuild/package-lock.json"),
    program: "@esbuild/{os}-{cpu}/bin/esbuild",
    purpose: "joins a worker's JavaScript",
};

/// Cloudflare's runtime.
pub const WORKERD: NpmTool = NpmTool {
    package: "workerd",
    variable: "WORKERD_BIN",
    manifest: include_str!("npm/workerd/package.json"),
    lock: include_str!("npm/workerd/package-lock.json"),
    program: "@cloudflare/workerd-{os}-{cpu}/bin/workerd",
    purpose: "is Cloudflare's runtime for the sandbox",
};

/// The user's own program; else the installed one, downloaded into the cache if it is not there.
pub fn tool(tool: &NpmTool, cache: &Cache, runner: &Runner) -> Result<PathBuf> {
    if let Some(own) = override_variable::program(tool.variable)? {
        return Ok(own);
    }
    let relative = program(tool)?;
    let version = version(tool)?;
    let project = NpmProject {
        name: tool.package,
        version: &version,
        manifest: tool.manifest,
        lock: tool.lock,
        purpose: tool.purpose,
    };
    let own = format!("or name a program of your own in `{}`", tool.variable);
    let modules = ensure(&project, cache, runner).map_err(|error| {
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

/// Whether it is installed already.
pub(super) fn is_installed(tool: &NpmTool, cache: &Cache) -> Result<bool> {
    let modules = cache
        .tool(tool.package, &version(tool)?)
        .join("node_modules");
    Ok(modules.join(program(tool)?).is_file())
}

/// Where the program is below `node_modules`, on this platform.
fn program(tool: &NpmTool) -> Result<String> {
    if !tool.program.contains("{os}") {
        return Ok(tool.program.to_owned());
    }
    // As npm's packages call them; those of workerd have a name of their own for one
    let x64 = if tool.package == "workerd" {
        "64"
    } else {
        "x64"
    };
    let (os, cpu) = match (OS, ARCH) {
        ("linux", "x86_64") => ("linux", x64),
        ("linux", "aarch64") => ("linux", "arm64"),
        ("macos", "x86_64") => ("darwin", x64),
        ("macos", "aarch64") => ("darwin", "arm64"),
        _ => bail!(Advice::new(
            format!("{} is not known for {OS} on {ARCH}", tool.package),
            format!("name your own in `{}`", tool.variable),
        )),
    };
    Ok(tool.program.replace("{os}", os).replace("{cpu}", cpu))
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

    #[test]
    fn packages_are_installed_from_the_lock_file_without_running_their_scripts() {
        assert_eq!(
            installation(Path::new("/staging")).to_string(),
            "cd /staging && npm ci --ignore-scripts --no-audit --no-fund --include=optional --loglevel=error"
        );
    }

    #[test]
    fn what_is_installed_is_not_installed_again() {
        let root = tempfile::tempdir().unwrap();
        let installed = root.path().join("tools/left-pad-1/node_modules");
        std::fs::create_dir_all(&installed).unwrap();
        let project = NpmProject {
            name: "left-pad",
            version: "1",
            manifest: "not JSON: npm would fail",
            lock: "",
            purpose: "pads",
        };
        let found = ensure(&project, &Cache::at(root.path()), &Runner::hidden());
        assert_eq!(found.unwrap(), installed);
    }
}
