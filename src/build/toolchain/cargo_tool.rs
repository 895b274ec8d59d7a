//! A tool that cargo compiles and installs: cargo checks what it downloads against the registry's checksums.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::cache::Cache;
use super::override_variable;
use crate::process::invocation::Invocation;
use crate::process::run::{self, Runner};
use crate::process::surroundings::Purpose;
use crate::terminal::advice::Advice;

/// A tool from the Rust registry.
#[derive(Clone, Copy, Debug)]
pub(super) struct CargoTool {
    /// The crate.
    pub package: &'static str,
    /// The one program of it that is needed.
    pub program: &'static str,
    /// A variable with which users name their own.
    pub variable: Option<&'static str>,
    /// What `cargo install` needs to know about this crate.
    arguments: &'static [&'static str],
    /// For people: what it is for, and how long an installation takes.
    purpose: &'static str,
    usually: &'static str,
}

/// Turns a Rust crate into a Worker; released together with the crate `worker`.
pub(super) const WORKER_BUILD: CargoTool = CargoTool {
    package: "worker-build",
    program: "worker-build",
    variable: None,
    arguments: &["--locked"],
    purpose: "packs a Rust crate as a Worker",
    usually: "about 2 minutes",
};

/// Writes the JavaScript side of a wasm module.
pub(super) const WASM_BINDGEN: CargoTool = CargoTool {
    package: "wasm-bindgen-cli",
    program: "wasm-bindgen",
    variable: Some("WASM_BINDGEN_BIN"),
    // Its own lock file does not resolve any more. The default features are TLS for its test runner, which is not installed.
    arguments: &["--no-default-features"],
    purpose: "writes the JavaScript side of the workers",
    usually: "about 1 minute",
};

/// A tool that is already here: the user's own, one in the cache, or one of exactly that version on `$PATH`.
pub(super) fn find(tool: &CargoTool, version: &str, cache: &Cache) -> Result<Option<PathBuf>> {
    if let Some(variable) = tool.variable
        && let Some(own) = override_variable::program(variable)?
    {
        return Ok(Some(own));
    }
    let installed = program_in(&cache.tool(tool.package, version), tool);
    if installed.is_file() {
        return Ok(Some(installed));
    }
    let on_path = which::which(tool.program).ok();
    Ok(on_path.filter(|program| version_of(program).as_deref() == Some(version)))
}

/// Compiles the tool and moves it into the cache. `target` holds the crates that several tools share.
pub(super) fn install(
    tool: &CargoTool,
    version: &str,
    cache: &Cache,
    root: &Path,
    target: &Path,
    runner: &Runner,
) -> Result<PathBuf> {
    let step = runner.progress.start(format!(
        "installing {} {version}, which {}: once, {}",
        tool.package, tool.purpose, tool.usually
    ));
    let staging = cache.staging()?;
    let invocation = installation(tool, version, root, target, staging.path());
    runner.run(&invocation, &step).map_err(|error| {
        let (package, why) = (tool.package, Advice::of(&error).line());
        let what =
            format!("cannot install `{package}` {version} with cargo: {why}\ntried: {invocation}");
        Advice::new(what, advice(tool, version))
    })?;
    let place = cache.keep(staging.path(), tool.package, version)?;
    step.finish(&format!("installed {} {version}", tool.package));
    let program = program_in(&place, tool);
    program.is_file().then_some(program).with_context(|| {
        format!(
            "`cargo install` left no `{}` in `{}`",
            tool.program,
            place.display()
        )
    })
}

/// The command line that installs a tool below `destination`.
fn installation(
    tool: &CargoTool,
    version: &str,
    root: &Path,
    target: &Path,
    destination: &Path,
) -> Invocation {
    // In the project's directory, so that its `rust-toolchain.toml` chooses the compiler.
    Invocation::new(Purpose::Build, "cargo", root)
        .arg("install")
        .arg(format!("{}@{version}", tool.package))
        .args(["--bin", tool.program])
        .args(tool.arguments)
        // Compiles in a third of the time; the tool's own speed does not matter here.
        .arg("--debug")
        .arg("--no-track")
        .arg("--root")
        .arg(destination)
        .arg("--target-dir")
        .arg(target)
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_TERM_COLOR", "never")
        .without(&[
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTFLAGS",
        ])
}

fn advice(tool: &CargoTool, version: &str) -> String {
    let own = tool.variable.map_or_else(String::new, |variable| {
        format!(", or name your own in `{variable}`")
    });
    format!(
        "check that cargo reaches its registry, or install it yourself: `cargo install {}@{version}`, with `{}` on the PATH{own}",
        tool.package, tool.program
    )
}

fn program_in(place: &Path, tool: &CargoTool) -> PathBuf {
    place.join("bin").join(tool.program)
}

/// The last word of `--version`.
fn version_of(program: &Path) -> Option<String> {
    let output =
        run::answer(&Invocation::new(Purpose::Build, program, ".").arg("--version")).ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    said.split_whitespace().next_back().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_compiled_at_the_pinned_version_into_a_directory_of_its_own() {
        let line = installation(
            &WASM_BINDGEN,
            "0.2.130",
            Path::new("/project"),
            Path::new("/cache/staging/target"),
            Path::new("/cache/staging/tool"),
        )
        .to_string();
        assert_eq!(
            line,
            "cd /project && env -u CARGO_TARGET_DIR -u CARGO_BUILD_TARGET -u CARGO_ENCODED_RUSTFLAGS -u RUSTFLAGS \
             CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=false CARGO_TERM_COLOR=never \
             cargo install wasm-bindgen-cli@0.2.130 --bin wasm-bindgen --no-default-features --debug --no-track \
             --root /cache/staging/tool --target-dir /cache/staging/target"
        );
    }

    #[test]
    fn an_installed_tool_is_found_without_running_it() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path());
        let program = root
            .path()
            .join("tools/worker-build-0.8.7/bin/worker-build");
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::write(&program, "").unwrap();
        let found = ["0.8.7", "0.0.1"].map(|version| find(&WORKER_BUILD, version, &cache).unwrap());
        assert_eq!(found, [Some(program), None]);
    }
}
