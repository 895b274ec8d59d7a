//! The versions of the Cloudflare crates that the project's `Cargo.lock` pins; the tools must match them.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// What `Cargo.lock` says about the crates that need a tool of the same version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LockedVersions {
    /// `worker`; worker-build is released together with it.
    pub worker: String,
    /// `wasm-bindgen`; its command line reads only what the very same version wrote.
    pub wasm_bindgen: String,
}

impl LockedVersions {
    /// Reads `Cargo.lock` at the project's root.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let path = root.join("Cargo.lock");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        Self::parse(&text).with_context(|| format!("cannot use `{}`", path.display()))
    }

    /// Takes the versions out of a lock file's text.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let lock: Lock = toml_edit::de::from_str(text)?;
        Ok(Self {
            worker: lock.the_one("worker")?,
            wasm_bindgen: lock.the_one("wasm-bindgen")?,
        })
    }
}

/// The one version of the crate `name` in a lock file's text.
pub(super) fn version_in(text: &str, name: &str) -> Result<String> {
    let lock: Lock = toml_edit::de::from_str(text)?;
    lock.the_one(name)
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

impl Lock {
    fn the_one(&self, name: &str) -> Result<String> {
        let versions: Vec<_> = self
            .package
            .iter()
            .filter(|package| package.name == name)
            .map(|package| package.version.as_str())
            .collect();
        match versions[..] {
            [version] => Ok(version.to_owned()),
            [] => bail!("the crate `{name}` is not in it"),
            _ => bail!(
                "the crate `{name}` is in it more than once ({}); the workers can be built with one version only",
                versions.join(", ")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_follow_the_lock_file_of_this_repository() {
        let versions = LockedVersions::parse(include_str!("../../../Cargo.lock")).unwrap();
        assert!(versions.worker.starts_with("0."), "{versions:?}");
        assert!(versions.wasm_bindgen.starts_with("0.2."), "{versions:?}");
    }

    #[test]
    fn a_lock_file_without_the_crate_or_with_two_of_it_is_refused() {
        let package = |name: &str, version: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n")
        };
        let none = package("wasm-bindgen", "0.2.1");
        let two = package("worker", "0.8.7") + &package("worker", "0.7.0") + &none;
        let refusals =
            [none, two].map(|text| LockedVersions::parse(&text).unwrap_err().to_string());
        assert_eq!(
            refusals,
            [
                "the crate `worker` is not in it",
                "the crate `worker` is in it more than once (0.8.7, 0.7.0); the workers can be built with one version only"
            ]
        );
    }
}
