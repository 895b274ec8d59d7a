//! One file of a Worker, as it is uploaded.

use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// The module that a Worker starts with.
pub const MAIN: &str = "index.js";

/// What a finished Worker consists of: name and content type, in the order in which they are hashed and uploaded.
pub const MODULES: [(&str, &str); 2] = [
    (MAIN, "application/javascript+module"),
    ("index_bg.wasm", "application/wasm"),
];

/// The page at `/console`, after those, where it is one of them. wrangler takes no file of such a name unless it is told to, so that
/// what it deploys elsewhere is without it.
pub const CONSOLE: (&str, &str) = ("console.page", "text/plain");

/// A file of a Worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// As other modules import it.
    pub name: &'static str,
    /// As the upload declares it.
    pub content_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Reads a Worker's modules from a directory.
pub fn read_all(directory: &Path) -> Result<Vec<Module>> {
    MODULES
        .iter()
        .map(|&(name, content_type)| {
            let path = directory.join(name);
            let bytes = std::fs::read(&path)
                .with_context(|| format!("cannot read `{}`", path.display()))?;
            Ok(Module {
                name,
                content_type,
                bytes,
            })
        })
        .collect()
}

/// A name for exactly this content.
pub fn hash(modules: &[Module]) -> String {
    let mut hasher = Sha256::new();
    for module in modules {
        hasher.update(format!("{}\0{}\0", module.name, module.bytes.len()));
        hasher.update(&module.bytes);
    }
    hex(&hasher.finalize())
}

/// A Worker's modules, each of which holds its own name.
#[cfg(test)]
pub(super) fn named() -> Vec<Module> {
    let modules = MODULES.iter();
    modules
        .map(|&(name, content_type)| Module {
            name,
            content_type,
            bytes: name.into(),
        })
        .collect()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &'static str, bytes: &[u8]) -> Module {
        Module {
            name,
            content_type: "text/plain",
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn the_hash_tells_where_one_module_ends_and_the_next_begins() {
        let hashes = [
            hash(&[module("a", b"xy"), module("b", b"")]),
            hash(&[module("a", b"x"), module("b", b"y")]),
            hash(&[module("a", b""), module("b", b"xy")]),
        ];
        assert_ne!(hashes[0], hashes[1]);
        assert_ne!(hashes[1], hashes[2]);
    }

    #[test]
    fn the_hash_of_given_modules_never_changes() {
        assert_eq!(
            hash(&[module("index.js", b"export {}")]),
            "7a6ceb0a1ab1e0376f225b5181ceaee62287c3780634f7d56b863ddf23eefbe2"
        );
    }
}
