//! Which of the two Workers.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// One of the project's Workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Worker {
    /// Routes, authentication, limits; owns the secrets.
    Gateway,
    /// Defines the Durable Object.
    Room,
}

impl Worker {
    /// As in `worker/gateway`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Room => "room",
        }
    }

    /// The crate's directory.
    pub fn directory(self, root: &Path) -> PathBuf {
        root.join("worker").join(self.name())
    }

    /// Where the finished modules are: what the generated `wrangler.toml` names, and what is deployed.
    pub fn output(self, root: &Path) -> PathBuf {
        self.directory(root).join("build")
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name())
    }
}
