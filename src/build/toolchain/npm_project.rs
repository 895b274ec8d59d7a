//! Packages from the npm registry, installed together by `npm ci` from a lock file that is part of this repository: npm refuses
//! a package whose hash is not the one in the lock file. No package's own code runs during the installation.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::cache::Cache;
use crate::process::invocation::Invocation;
use crate::process::run::Runner;
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

/// Where the packages are once installed: the `node_modules` in the cache.
pub fn modules(project: &NpmProject, cache: &Cache) -> PathBuf {
    cache
        .tool(project.name, project.version)
        .join("node_modules")
}

/// Installs the packages unless they are there, and says where: the path of `node_modules`.
pub fn ensure(project: &NpmProject, cache: &Cache, runner: &Runner) -> Result<PathBuf> {
    let modules = modules(project, cache);
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
    for (file, text) in [
        ("package.json", project.manifest),
        ("package-lock.json", project.lock),
    ] {
        let path = staging.path().join(file);
        std::fs::write(&path, text)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    let invocation = installation(staging.path());
    runner.run(&invocation, &step).map_err(|error| {
        let what =
            format!("cannot install `{name}` {version} with npm: {error:#}\ntried: {invocation}");
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
    Invocation::new("npm", directory)
        .arg("ci")
        .args(["--ignore-scripts", "--no-audit", "--no-fund"])
        .args(["--include=optional", "--loglevel=error"])
}

#[cfg(test)]
mod tests {
    use super::*;

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
