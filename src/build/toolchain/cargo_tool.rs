//! A tool that cargo compiles and installs: cargo checks what it downloads against the checksums of a lock file, the tool's own or one
//! that is part of this repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::cache::Cache;
use super::{locked_versions, override_variable};
use crate::build::module::hex;
use crate::process::file;
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
    origin: Origin,
    /// For people: what it is for, and how long an installation takes.
    purpose: &'static str,
    usually: &'static str,
}

/// Where a tool's source and the lock file of its dependencies are.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// The registry, its own lock file included.
    Registry,
    /// A package of this repository, whose program is the tool's library.
    Repository(Package),
}

/// A package as it is in this repository: the texts of its files.
#[derive(Clone, Copy, Debug)]
struct Package {
    manifest: &'static str,
    lock: &'static str,
    program: &'static str,
}

/// Turns a Rust crate into a Worker; released together with the crate `worker`.
pub(super) const WORKER_BUILD: CargoTool = CargoTool {
    package: "worker-build",
    program: "worker-build",
    variable: None,
    origin: Origin::Registry,
    purpose: "packs a Rust crate as a Worker",
    usually: "about 2 minutes",
};

/// Writes the JavaScript side of a wasm module.
pub(super) const WASM_BINDGEN: CargoTool = CargoTool {
    package: "wasm-bindgen-cli",
    program: "wasm-bindgen",
    variable: Some("WASM_BINDGEN_BIN"),
    origin: Origin::Repository(Package {
        manifest: include_str!("cargo/wasm-bindgen/Cargo.toml"),
        lock: include_str!("cargo/wasm-bindgen/Cargo.lock"),
        program: include_str!("cargo/wasm-bindgen/main.rs"),
    }),
    purpose: "writes the JavaScript side of the workers",
    usually: "about 1 minute",
};

impl CargoTool {
    /// What tells its installations apart in the cache: another lock file makes another program.
    pub(super) fn key(&self, version: &str) -> String {
        match self.origin {
            Origin::Registry => version.to_owned(),
            Origin::Repository(package) => format!("{version}-{}", package.hash()),
        }
    }
}

impl Package {
    fn hash(&self) -> String {
        let texts = [self.manifest, self.lock, self.program].join("\0");
        hex(&Sha256::digest(texts))[..8].to_owned()
    }

    /// Writes its files into `folder`. Refused where it is not of `version`.
    fn write(&self, tool: &CargoTool, version: &str, folder: &Path) -> Result<()> {
        let (package, own) = (
            tool.package,
            locked_versions::version_in(self.lock, tool.package)?,
        );
        if own != version {
            bail!(Advice::new(
                format!(
                    "the project needs `{package}` {version}, and this edge-broadcast has the lock file of {own}"
                ),
                by_hand(tool, version)
            ));
        }
        for (name, text) in [
            ("Cargo.toml", self.manifest),
            ("Cargo.lock", self.lock),
            ("main.rs", self.program),
        ] {
            file::replace_below(folder, Path::new(name), text.as_bytes())?;
        }
        Ok(())
    }
}

/// A tool that is already here: the user's own, one in the cache, or one of exactly that version on `$PATH`.
pub(super) fn find(tool: &CargoTool, version: &str, cache: &Cache) -> Result<Option<PathBuf>> {
    if let Some(variable) = tool.variable
        && let Some(own) = override_variable::program(variable)?
    {
        return Ok(Some(own));
    }
    let installed = program_in(&cache.tool(tool.package, &tool.key(version)), tool);
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
    let (staging, source) = (cache.staging()?, cache.staging()?);
    if let Origin::Repository(package) = tool.origin {
        package.write(tool, version, source.path())?;
    }
    let invocation = installation(tool, version, root, target, source.path(), staging.path());
    runner
        .run(&invocation, &step)
        .map_err(|error| failed(tool, version, &invocation, &error))?;
    let place = cache.keep(staging.path(), tool.package, &tool.key(version))?;
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

/// The command line that installs a tool below `destination`; a package of this repository is in `source`.
fn installation(
    tool: &CargoTool,
    version: &str,
    root: &Path,
    target: &Path,
    source: &Path,
    destination: &Path,
) -> Invocation {
    // In the project's directory, so that its `rust-toolchain.toml` chooses the compiler.
    let invocation = Invocation::new(Purpose::Build, "cargo", root).arg("install");
    let invocation = match tool.origin {
        Origin::Registry => invocation.arg(format!("{}@{version}", tool.package)),
        Origin::Repository(_) => invocation.arg("--path").arg(source),
    };
    invocation
        .args(["--locked", "--bin", tool.program])
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
        ])
}

/// Why an installation failed. What was tried with a package of this repository cannot be tried again: its folder is gone.
fn failed(
    tool: &CargoTool,
    version: &str,
    invocation: &Invocation,
    error: &anyhow::Error,
) -> Advice {
    let (package, why) = (tool.package, Advice::of(error).line());
    let tried = match tool.origin {
        Origin::Registry => format!("\ntried: {invocation}"),
        Origin::Repository(_) => String::new(),
    };
    Advice::new(
        format!("cannot install `{package}` {version} with cargo: {why}{tried}"),
        format!(
            "check that cargo reaches its registry, or {}",
            by_hand(tool, version)
        ),
    )
}

fn by_hand(tool: &CargoTool, version: &str) -> String {
    let own = tool.variable.map_or_else(String::new, |variable| {
        format!(", or name your own in `{variable}`")
    });
    format!(
        "install it yourself: `cargo install {}@{version}`, with `{}` on the PATH{own}",
        tool.package, tool.program
    )
}

fn program_in(place: &Path, tool: &CargoTool) -> PathBuf {
    place.join("bin").join(tool.program)
}

/// The last word of `--version`.
pub(super) fn version_of(program: &Path) -> Option<String> {
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
        for (tool, version, what) in [
            (
                WORKER_BUILD,
                "0.8.7",
                "worker-build@0.8.7 --locked --bin worker-build",
            ),
            (
                WASM_BINDGEN,
                "0.2.130",
                "--path /cache/staging/source --locked --bin wasm-bindgen",
            ),
        ] {
            let line = installation(
                &tool,
                version,
                Path::new("/project"),
                Path::new("/cache/staging/target"),
                Path::new("/cache/staging/source"),
                Path::new("/cache/staging/tool"),
            );
            assert_eq!(
                line.to_string(),
                format!(
                    "cd /project && env -u CARGO_TARGET_DIR -u CARGO_BUILD_TARGET -u CARGO_ENCODED_RUSTFLAGS \
                     CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=false CARGO_TERM_COLOR=never \
                     cargo install {what} --debug --no-track \
                     --root /cache/staging/tool --target-dir /cache/staging/target"
                )
            );
        }
    }

    #[test]
    fn the_lock_file_of_this_repository_is_of_the_version_that_the_workers_need_and_pins_all_by_checksum()
     {
        let Origin::Repository(package) = WASM_BINDGEN.origin else {
            panic!("{WASM_BINDGEN:?}");
        };
        let workers = include_str!("../../../Cargo.lock");
        assert_eq!(
            locked_versions::version_in(package.lock, "wasm-bindgen-cli").unwrap(),
            locked_versions::version_in(workers, "wasm-bindgen").unwrap()
        );
        let lock: toml_edit::DocumentMut = package.lock.parse().unwrap();
        for locked in lock["package"].as_array_of_tables().unwrap() {
            let text = |key: &str| locked.get(key).and_then(toml_edit::Item::as_str);
            if text("name") != Some("edge-broadcast-wasm-bindgen") {
                assert_eq!(text("checksum").map(str::len), Some(64), "{locked}");
                let source = text("source").unwrap();
                assert!(source.ends_with("github.com/rust-lang/crates.io-index"));
            }
        }
    }

    #[test]
    fn another_lock_file_is_another_installation_and_another_version_is_refused() {
        let Origin::Repository(package) = WASM_BINDGEN.origin else {
            panic!("{WASM_BINDGEN:?}");
        };
        let other = Package {
            lock: "other",
            ..package
        };
        assert_ne!(package.hash(), other.hash());
        assert_eq!(WORKER_BUILD.key("0.8.7"), "0.8.7");
        let key = WASM_BINDGEN.key("0.2.130");
        assert_eq!(key, format!("0.2.130-{}", package.hash()));
        let root = tempfile::tempdir().unwrap();
        let refused = package.write(&WASM_BINDGEN, "0.0.1", root.path());
        let own = locked_versions::version_in(package.lock, "wasm-bindgen-cli").unwrap();
        assert_eq!(
            Advice::of(&refused.unwrap_err()).line(),
            format!(
                "the project needs `wasm-bindgen-cli` 0.0.1, and this edge-broadcast has the lock file of {own}; \
                 install it yourself: `cargo install wasm-bindgen-cli@0.0.1`, with `wasm-bindgen` on the PATH, or name your own in `WASM_BINDGEN_BIN`"
            )
        );
    }

    #[test]
    fn what_was_tried_is_told_where_it_can_be_tried_again() {
        let told = |tool: &CargoTool| {
            let folder = Path::new("/folder");
            let invocation = installation(tool, "1.2.3", folder, folder, folder, folder);
            let error = anyhow::anyhow!("no network");
            failed(tool, "1.2.3", &invocation, &error).what
        };
        let tried = told(&WORKER_BUILD);
        let why = "cannot install `worker-build` 1.2.3 with cargo: no network\ntried: cd /folder";
        assert!(tried.starts_with(why), "{tried}");
        assert_eq!(
            told(&WASM_BINDGEN),
            "cannot install `wasm-bindgen-cli` 1.2.3 with cargo: no network"
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
