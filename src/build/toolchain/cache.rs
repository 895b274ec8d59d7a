//! Where installed tools live: outside the source tree, shared by every project of this user.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use etcetera::BaseStrategy;
use tempfile::TempDir;

use crate::process::file_lock;
use crate::terminal::advice::Advice;
use crate::terminal::progress::Progress;

/// Names another place for the cache.
pub const VARIABLE: &str = "EDGE_BROADCAST_CACHE";

/// The tools that this user's projects share. Layout: `tools/<name>-<version>/…`.
#[derive(Clone, Debug)]
pub struct Cache(PathBuf);

impl Cache {
    /// `$EDGE_BROADCAST_CACHE`, or `edge-broadcast` in the user's cache directory.
    pub fn locate() -> Result<Self> {
        if let Some(named) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
            let named = std::path::absolute(&named)
                .with_context(|| format!("`{VARIABLE}` is not a usable path"))?;
            return Ok(Self(named));
        }
        let user = etcetera::choose_base_strategy().with_context(|| {
            Advice::new(
                "no home directory",
                format!("set `{VARIABLE}` to a directory for the tools"),
            )
        })?;
        Ok(Self(user.cache_dir().join("edge-broadcast")))
    }

    /// A cache at a given place.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// Where this version of a tool is, once installed.
    pub fn tool(&self, name: &str, version: &str) -> PathBuf {
        self.0.join("tools").join(format!("{name}-{version}"))
    }

    /// Waits until no other process installs `what`, and keeps others waiting while the file is held.
    pub fn lock(&self, what: &str, progress: &Progress) -> Result<File> {
        file_lock::acquire(&self.0.join("locks").join(what), progress)
    }

    /// An empty directory on the cache's own file system, removed when dropped: what is complete is moved out of it.
    pub fn staging(&self) -> Result<TempDir> {
        let parent = self.0.join("staging");
        std::fs::create_dir_all(&parent)
            .with_context(|| format!("cannot create `{}`", parent.display()))?;
        tempfile::tempdir_in(&parent)
            .with_context(|| format!("cannot create a directory in `{}`", parent.display()))
    }

    /// Moves a complete tool to its place, all at once.
    pub fn keep(&self, complete: &Path, name: &str, version: &str) -> Result<PathBuf> {
        let place = self.tool(name, version);
        let parent = self.0.join("tools");
        std::fs::create_dir_all(&parent)
            .with_context(|| format!("cannot create `{}`", parent.display()))?;
        if place.exists() {
            // Without the program that was looked for, or it would have been used.
            std::fs::remove_dir_all(&place)
                .with_context(|| format!("cannot remove the broken `{}`", place.display()))?;
        }
        std::fs::rename(complete, &place)
            .with_context(|| format!("cannot move a tool to `{}`", place.display()))?;
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_kept_under_its_name_and_version_and_replaces_a_broken_one() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path());
        for content in ["broken", "whole"] {
            let staging = cache.staging().unwrap();
            let complete = staging.path().join("complete");
            std::fs::create_dir(&complete).unwrap();
            std::fs::write(complete.join("program"), content).unwrap();
            let place = cache.keep(&complete, "tool", "1.2.3").unwrap();
            assert_eq!(place, root.path().join("tools/tool-1.2.3"));
        }
        let kept = root.path().join("tools/tool-1.2.3/program");
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "whole");
    }
}
