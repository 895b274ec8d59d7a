//! How a Worker is compiled: `worker-build`, such that the result does not depend on where and by whom.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::worker::Worker;
use crate::build::toolchain::{BuildTools, wasm_target};
use crate::process::invocation::Invocation;
use crate::process::surroundings::Purpose;
use crate::terminal::advice::Advice;

/// The cargo profile of the workers, in the workspace's Cargo.toml.
pub(super) const PROFILE: &str = "worker";

/// Variables that change what cargo makes, among those that [`Purpose::Build`] lets through: all that begin with `CARGO_`.
const UNWANTED: [&str; 2] = ["CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS"];

/// The rounds of SHA-256 as a loop (documented in the crate `sha2`): unrolled they are 3 % of a bundle, and a Worker hashes
/// no more than one message at a time.
const SMALL_SHA2: &str = "--cfg=sha2_backend_soft=\"compact\"";

/// Directories whose names must not get into a bundle, as panic messages would carry them: from, to.
pub(super) type Remap = (PathBuf, String);

/// Where cargo compiles the project: `$CARGO_TARGET_DIR` or `target`.
pub(super) fn target_directory(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty()) {
        Some(named) => root.join(named),
        None => root.join("target"),
    }
}

/// The command line that compiles `worker` into `output`.
pub(super) fn invocation(
    root: &Path,
    worker: Worker,
    tools: &BuildTools,
    remaps: &[Remap],
    target: &Path,
    output: &Path,
) -> Invocation {
    Invocation::new(Purpose::Build, &tools.worker_build, worker.directory(root))
        .args(["--profile", PROFILE])
        .arg("--out-dir")
        .arg(output)
        .args(["--", "--locked", "--config"])
        .arg(rustflags(remaps))
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_TERM_COLOR", "never")
        // A compiler's message is the end of the output only without worker-build's own backtrace below it.
        .env("RUST_BACKTRACE", "0")
        .env("WASM_BINDGEN_BIN", &tools.wasm_bindgen)
        .env("WASM_OPT_BIN", &tools.wasm_opt)
        .env("ESBUILD_BIN", &tools.esbuild)
        .without(&UNWANTED)
}

/// The directories of this machine that must not show: cargo's sources, the standard library's where they are installed, and a
/// project's own copies of its dependencies. Its own sources are none of them: cargo names those from the project's root. A flag that
/// names the root makes all dependencies other ones, so that two checkouts with one target directory would compile them twice.
pub(super) fn remaps(root: &Path, compiler: &str) -> Result<Vec<Remap>> {
    let cargo = match std::env::var_os("CARGO_HOME").filter(|value| !value.is_empty()) {
        Some(named) => PathBuf::from(named),
        None => std::env::home_dir()
            .context(Advice::new("no home directory", "set `CARGO_HOME`"))?
            .join(".cargo"),
    };
    let commit = compiler
        .lines()
        .find_map(|line| line.strip_prefix("commit-hash: "))
        .unwrap_or("unknown");
    let library = wasm_target::sysroot(root)?.join("lib/rustlib/src/rust");
    let mut remaps = vec![
        (cargo.join("registry/src"), "/registry".to_owned()),
        (cargo.join("git/checkouts"), "/git".to_owned()),
        // As rustc names them where the sources are not installed.
        (library, format!("/rustc/{commit}")),
    ];
    // Where `cargo vendor` puts them
    let vendored = root.join("vendor");
    if vendored.is_dir() {
        remaps.push((vendored, "/registry".to_owned()));
    }
    Ok(remaps)
}

/// A cargo setting rather than `RUSTFLAGS`: it adds to the project's own settings, and paths may contain spaces.
fn rustflags(remaps: &[Remap]) -> String {
    let flags: Vec<_> = remaps
        .iter()
        .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
        .chain([SMALL_SHA2.to_owned()])
        .map(|flag| toml_edit::Value::from(flag).to_string())
        .collect();
    format!(
        "target.{}.rustflags=[{}]",
        wasm_target::TARGET,
        flags.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools() -> BuildTools {
        BuildTools {
            worker_build: "/tools/worker-build".into(),
            wasm_bindgen: "/tools/wasm-bindgen".into(),
            wasm_opt: "/tools/wasm-opt".into(),
            esbuild: "/tools/esbuild".into(),
        }
    }

    #[test]
    fn a_worker_is_compiled_in_its_directory_with_the_found_tools() {
        let line = invocation(
            Path::new("/project"),
            Worker::Gateway,
            &tools(),
            &[(
                "/home/me/.cargo/registry/src".into(),
                "/registry".to_owned(),
            )],
            Path::new("/project/target"),
            Path::new("/project/target/edge-broadcast/gateway"),
        )
        .to_string();
        assert_eq!(
            line,
            "cd /project/worker/gateway && env -u CARGO_BUILD_TARGET -u CARGO_ENCODED_RUSTFLAGS \
             CARGO_TARGET_DIR=/project/target CARGO_TERM_COLOR=never ESBUILD_BIN=/tools/esbuild RUST_BACKTRACE=0 \
             WASM_BINDGEN_BIN=/tools/wasm-bindgen WASM_OPT_BIN=/tools/wasm-opt \
             /tools/worker-build --profile worker --out-dir /project/target/edge-broadcast/gateway \
             -- --locked --config \
             'target.wasm32-unknown-unknown.rustflags=[\"--remap-path-prefix=/home/me/.cargo/registry/src=/registry\", '\\''--cfg=sha2_backend_soft=\"compact\"'\\'']'"
        );
    }

    #[test]
    fn the_flags_are_the_same_for_every_checkout_without_dependencies_of_its_own() {
        let checkouts = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let of = |checkout: &tempfile::TempDir| {
            rustflags(&remaps(checkout.path(), "commit-hash: 1234\n").unwrap())
        };
        assert_eq!(of(&checkouts[0]), of(&checkouts[1]));
        std::fs::create_dir(checkouts[0].path().join("vendor")).unwrap();
        let vendored = checkouts[0].path().join("vendor");
        let remap = format!("--remap-path-prefix={}=/registry", vendored.display());
        assert!(of(&checkouts[0]).contains(&remap));
    }

    #[test]
    fn a_directory_with_quotes_and_spaces_survives_in_the_setting() {
        let setting = rustflags(&[("/a \"b\"/c".into(), "/x".to_owned())]);
        let parsed: toml_edit::DocumentMut = setting.parse().unwrap();
        let flags = &parsed["target"]["wasm32-unknown-unknown"]["rustflags"];
        assert_eq!(flags[0].as_str(), Some("--remap-path-prefix=/a \"b\"/c=/x"));
    }
}
