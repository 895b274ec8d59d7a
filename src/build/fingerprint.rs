//! Everything in the project that a bundle is made of, as one hash: the same hash, the same bundle.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::compile::PROFILE;
use super::module::hex;
use super::worker::Worker;
use crate::build::toolchain::npm::{self, ESBUILD, WASM_OPT};
use crate::build::toolchain::{self, BUILD_VARIABLES};
use crate::process::file;
use crate::terminal::advice::Advice;

/// Raise this when the way of building changes, so that older bundles are built anew.
const FORMAT: u32 = 1;

/// Files at the root that change what is compiled. Cargo.lock also pins the tools.
const ROOT_FILES: [&str; 5] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "rust-toolchain",
    ".cargo/config.toml",
];

/// Directories inside a crate that builds write to.
const OUTPUTS: [&str; 3] = ["build", "target", "node_modules"];

/// The fingerprint of what `worker` is made of.
pub(super) fn of(root: &Path, worker: Worker) -> Result<String> {
    let tools = [
        npm::version(&WASM_OPT)?,
        npm::version(&ESBUILD)?,
        toolchain::wasm_bindgen_lock(),
    ];
    let own = BUILD_VARIABLES.map(|name| std::env::var_os(name).unwrap_or_default());
    of_inputs(root, worker, &tools, &own)
}

fn of_inputs(root: &Path, worker: Worker, tools: &[String], own: &[OsString]) -> Result<String> {
    let mut hasher = Sha256::new();
    hasher.update(format!("{FORMAT}\0{PROFILE}\0{tools:?}\0{own:?}\0"));
    for path in files(root, worker)? {
        let content = std::fs::read(root.join(&path))
            .with_context(|| format!("cannot read `{}`", root.join(&path).display()))?;
        hasher.update(format!("{}\0{}\0", path.display(), content.len()));
        hasher.update(content);
    }
    Ok(hex(&hasher.finalize()))
}

/// The input files, relative to the root, in an order that does not depend on the file system.
pub(super) fn files(root: &Path, worker: Worker) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = ROOT_FILES
        .iter()
        .map(PathBuf::from)
        .filter(|path| root.join(path).is_file())
        .collect();
    for crate_name in [worker.name(), "protocol", "shell"] {
        let directory = Path::new("worker").join(crate_name);
        collect(root, &directory, &mut found)?;
    }
    found.sort();
    Ok(found)
}

/// The files of a crate. What a link to a folder leads to would be compiled and not be seen here.
fn collect(root: &Path, directory: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let is_output = |name: &OsStr| OUTPUTS.iter().any(|output| name == *output);
    for path in file::below(&root.join(directory), is_output)? {
        if path.is_symlink() && path.is_dir() {
            // A build may write to another disk
            if path.file_name().is_some_and(is_output) {
                continue;
            }
            bail!(Advice::new(
                format!("`{}` is a symbolic link to a folder", path.display()),
                "put the folder itself there: a change behind a link would not be noticed"
            ));
        }
        // A link that leads nowhere is nothing that could be compiled: editors keep such ones
        if path.exists() {
            found.push(path.strip_prefix(root).unwrap_or(&path).to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "Cargo.toml",
            "Cargo.lock",
            "src/main.rs",
            "worker/gateway/src/lib.rs",
            "worker/gateway/build/index.js",
            "worker/room/src/lib.rs",
            "worker/protocol/src/lib.rs",
            "worker/shell/src/lib.rs",
        ] {
            write(root.path(), path, path);
        }
        root
    }

    fn write(root: &Path, path: &str, content: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn fingerprint(root: &Path) -> String {
        of_inputs(root, Worker::Gateway, &["1".to_owned()], &[]).unwrap()
    }

    #[test]
    fn a_worker_is_made_of_its_own_crate_the_shared_ones_and_the_workspace_files() {
        let root = project();
        let files = files(root.path(), Worker::Gateway).unwrap();
        assert_eq!(
            files,
            [
                "Cargo.lock",
                "Cargo.toml",
                "worker/gateway/src/lib.rs",
                "worker/protocol/src/lib.rs",
                "worker/shell/src/lib.rs"
            ]
            .map(PathBuf::from)
        );
    }

    #[test]
    fn every_input_changes_the_fingerprint_and_nothing_else_does() {
        let root = project();
        let before = fingerprint(root.path());
        for path in [
            "src/main.rs",
            "worker/room/src/lib.rs",
            "worker/gateway/build/index.js",
        ] {
            write(root.path(), path, "changed");
            assert_eq!(fingerprint(root.path()), before, "{path}");
        }
        for path in [
            "Cargo.lock",
            "worker/protocol/src/lib.rs",
            "worker/shell/src/lib.rs",
            "worker/gateway/src/new.rs",
        ] {
            let before = fingerprint(root.path());
            write(root.path(), path, "changed");
            assert_ne!(fingerprint(root.path()), before, "{path}");
        }
    }

    #[test]
    fn another_version_of_a_tool_or_a_users_own_tool_changes_the_fingerprint() {
        let root = project();
        let of = |tool: &str, own: &str| {
            of_inputs(
                root.path(),
                Worker::Gateway,
                &[tool.to_owned()],
                &[own.into()],
            )
            .unwrap()
        };
        assert_eq!(of("1", ""), of("1", ""));
        assert_ne!(of("1", ""), of("2", ""));
        assert_ne!(of("1", ""), of("1", "/own/wasm-opt"));
    }

    #[test]
    fn a_link_to_a_folder_is_refused_and_one_that_leads_nowhere_or_to_what_builds_write_is_nothing()
    {
        let root = project();
        let before = fingerprint(root.path());
        let link = |to: &str, name: &str| {
            std::os::unix::fs::symlink(to, root.path().join("worker/gateway/src").join(name))
        };
        link("somebody@somewhere.1:2", ".#lib.rs").unwrap();
        assert_eq!(fingerprint(root.path()), before);
        for output in OUTPUTS {
            link("/", output).unwrap();
            assert_eq!(fingerprint(root.path()), before, "{output}");
        }
        link("/", "loop").unwrap();
        let refused = of_inputs(root.path(), Worker::Gateway, &[], &[]).unwrap_err();
        let named = root.path().join("worker/gateway/src/loop");
        assert_eq!(
            refused.to_string(),
            format!("`{}` is a symbolic link to a folder", named.display())
        );
    }
}
