//! A generated file: its path and text, how it is written, and how it differs from what is on disk.

use std::fmt;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::process::file;

/// A file that `generate` owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// Relative to the project's root, with `/`.
    pub path: String,
    pub text: String,
}

/// A generated file that is not as the manifests want it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Stale {
    pub path: String,
    /// A unified diff from what is on disk to what the manifests want.
    pub diff: String,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.diff)
    }
}

/// Compares artifacts with the files under `root`; nothing is written.
pub(crate) fn stale(root: &Path, artifacts: &[Artifact]) -> anyhow::Result<Vec<Stale>> {
    let mut found = Vec::new();
    for artifact in artifacts {
        let live = read(root, artifact)?;
        if live.as_deref() == Some(&artifact.text) {
            continue;
        }
        let old = live.unwrap_or_default();
        let diff = similar::TextDiff::from_lines(old.as_str(), artifact.text.as_str())
            .unified_diff()
            .header(
                &format!("a/{}", artifact.path),
                &format!("b/{}", artifact.path),
            )
            .to_string();
        found.push(Stale {
            path: artifact.path.clone(),
            diff,
        });
    }
    Ok(found)
}

/// Writes the artifacts whose text differs; returns the paths written.
pub(crate) fn write(root: &Path, artifacts: &[Artifact]) -> anyhow::Result<Vec<String>> {
    let mut written = Vec::new();
    for artifact in artifacts {
        if read(root, artifact)?.as_deref() == Some(&artifact.text) {
            continue;
        }
        file::replace_below(root, Path::new(&artifact.path), artifact.text.as_bytes())?;
        written.push(artifact.path.clone());
    }
    Ok(written)
}

/// Folders that other people's tools make anywhere: wrangler's temporary files, what npm and pip install, what Python compiles.
const TOOLS_OWN: [&str; 4] = [".wrangler", "node_modules", ".venv", "__pycache__"];

/// The generated packages, by their path in an environment's folder, and what their users' tools leave at the top of one: npm and
/// its like, cargo, and pip and uv.
const PACKAGES: [&str; 4] = ["client", "publisher/python", "publisher/rust", "publisher"];
const LEFT_IN_PACKAGES: [&str; 12] = [
    "Cargo.lock",
    "build",
    "bun.lock",
    "deno.lock",
    "dist",
    "node_modules",
    "package-lock.json",
    "pnpm-lock.yaml",
    "poetry.lock",
    "target",
    "uv.lock",
    "yarn.lock",
];
const ENDINGS_LEFT: [&str; 2] = [".tgz", ".egg-info"];

/// The files under `generated/` that no artifact explains, links among them, as paths relative to `root`.
pub(crate) fn orphans(root: &Path, artifacts: &[Artifact]) -> anyhow::Result<Vec<String>> {
    let files = file::below(&root.join("generated"), |folder| {
        TOOLS_OWN.iter().any(|own| folder == *own)
    })?;
    let shown = files.iter().map(|path| {
        let path = path.strip_prefix(root).unwrap_or(path);
        path.to_string_lossy().replace('\\', "/")
    });
    let is_ours = |shown: &str| artifacts.iter().any(|artifact| artifact.path == shown);
    Ok(shown
        .filter(|shown| !is_ours(shown) && !is_left_by_tools(shown))
        .collect())
}

/// Whether a path is of a tool that somebody used in a package: an environment may have the name of such a folder.
fn is_left_by_tools(shown: &str) -> bool {
    let in_environment = shown.splitn(3, '/').nth(2).unwrap_or_default();
    let name_in = |package: &&str| {
        let inside = in_environment.strip_prefix(package)?.strip_prefix('/')?;
        inside.split('/').next()
    };
    PACKAGES.iter().filter_map(name_in).any(|name| {
        LEFT_IN_PACKAGES.contains(&name) || ENDINGS_LEFT.iter().any(|end| name.ends_with(end))
    })
}

fn read(root: &Path, artifact: &Artifact) -> anyhow::Result<Option<String>> {
    let path = root.join(&artifact.path);
    match std::fs::read_to_string(&path) {
        // Git with `core.autocrlf` checks them out with line ends of its own, which mean nothing in these files
        Ok(text) => Ok(Some(text.replace("\r\n", "\n"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading `{}`", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_is_shown_as_a_unified_diff_and_written_only_once() {
        let root = tempfile::tempdir().unwrap();
        let artifact = |text: &str| Artifact {
            path: "generated/x.toml".into(),
            text: text.into(),
        };
        write(root.path(), &[artifact("a = 1\nb = 2\n")]).unwrap();
        let changed = [artifact("a = 1\nb = 3\n")];
        assert_eq!(
            stale(root.path(), &changed).unwrap()[0].diff,
            "--- a/generated/x.toml\n+++ b/generated/x.toml\n@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n+b = 3\n"
        );
        assert_eq!(write(root.path(), &changed).unwrap(), ["generated/x.toml"]);
        assert!(write(root.path(), &changed).unwrap().is_empty());
        assert!(stale(root.path(), &changed).unwrap().is_empty());
        assert_eq!(orphans(root.path(), &[]).unwrap(), ["generated/x.toml"]);
    }
}
