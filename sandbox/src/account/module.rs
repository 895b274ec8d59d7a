//! A module of an uploaded bundle. Its bytes lie in the module folder under their own hash.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::account::error::{ApiError, invalid};

/// What the runtime takes a module for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// `application/javascript+module`
    EsModule,
    /// `application/javascript`
    CommonJs,
    /// `application/wasm`
    Wasm,
    /// `text/plain`
    Text,
    /// `application/octet-stream`
    Data,
    /// `application/json`
    Json,
}

/// One module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Module {
    /// As other modules import it: `index.js`, `./index_bg.wasm`.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// SHA-256 of the bytes, in hex.
    pub hash: String,
    /// Its size in bytes.
    pub size: usize,
}

/// Kind and content type, both ways.
const TYPES: [(Kind, &str); 6] = [
    (Kind::EsModule, "application/javascript+module"),
    (Kind::CommonJs, "application/javascript"),
    (Kind::Wasm, "application/wasm"),
    (Kind::Text, "text/plain"),
    (Kind::Data, "application/octet-stream"),
    (Kind::Json, "application/json"),
];

impl Kind {
    /// The kind that a part's content type means.
    pub(crate) fn from_content_type(content_type: &str) -> Result<Kind, ApiError> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        TYPES.iter().find(|(_, known)| *known == essence).map(|(kind, _)| *kind).ok_or_else(|| {
            invalid(10021, format!("a module of type `{essence}` is unknown; upload `application/javascript+module`"))
        })
    }

    /// The content type under which the module goes out again.
    pub(crate) fn content_type(self) -> &'static str {
        TYPES
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("application/octet-stream", |(_, known)| known)
    }

    /// The member of workerd's `Worker.Module` union.
    pub(crate) fn config_key(self) -> &'static str {
        match self {
            Kind::EsModule => "esModule",
            Kind::CommonJs => "commonJsModule",
            Kind::Wasm => "wasm",
            Kind::Text => "text",
            Kind::Data => "data",
            Kind::Json => "json",
        }
    }
}

/// SHA-256 in hex.
pub(crate) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// An identifier of 32 hex digits for what a text describes.
pub(crate) fn id(text: &str) -> String {
    hash(text.as_bytes())[..32].to_owned()
}

/// The same 32 hex digits in the form of a UUID.
pub(crate) fn uuid(id: &str) -> String {
    uuid::Uuid::parse_str(id).map_or_else(|_| id.to_owned(), |id| id.to_string())
}

/// What names the content of a bundle, whatever its bindings: equal code has an equal etag.
pub(crate) fn etag(modules: &[Module]) -> String {
    let mut lines: Vec<String> = modules
        .iter()
        .map(|module| format!("{} {:?} {}\n", module.name, module.kind, module.hash))
        .collect();
    lines.sort();
    hash(lines.concat().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_etag_ignores_the_order_of_the_modules() {
        let module = |name: &str| Module {
            name: name.into(),
            kind: Kind::EsModule,
            hash: hash(name.as_bytes()),
            size: 1,
        };
        assert_eq!(
            etag(&[module("a"), module("b")]),
            etag(&[module("b"), module("a")])
        );
        assert_ne!(etag(&[module("a")]), etag(&[module("b")]));
    }
}
