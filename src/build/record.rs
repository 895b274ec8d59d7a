//! What a finished bundle was made of and what it weighs, kept beside it so that nothing is built or measured twice.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::size::Size;
use crate::process::file::{self, Readers};

/// Beside the modules; never deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Fingerprint of the sources and tools.
    pub inputs: String,
    /// The compiler, as `rustc -vV` tells it.
    pub compiler: String,
    /// Hash of the modules.
    pub hash: String,
    /// Size of the modules.
    pub size: Size,
}

impl Record {
    /// The record beside a bundle; none when there is none that can be read, for then the bundle is built anew.
    pub(super) fn read(directory: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path(directory)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes the record: from now on the modules beside it count as complete.
    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        let path = path(directory);
        let text = serde_json::to_string_pretty(self).context("cannot write a build record")?;
        file::replace(&path, (text + "\n").as_bytes(), Readers::AsBefore)
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join("bundle.json")
}
