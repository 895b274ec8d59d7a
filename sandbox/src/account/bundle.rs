//! What the code of a bundle exports, as the runtime itself says.

use serde::{Deserialize, Serialize};

/// Handlers and classes of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Described {
    /// Of the default export: `fetch`, `scheduled`, …
    pub handlers: Vec<String>,
    /// Of each other export.
    pub named_handlers: Vec<Export>,
}

/// A named export that is a class or an object with handlers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Export {
    /// Its name.
    pub name: String,
    /// Its handlers: `fetch`, `alarm`, `webSocketMessage`, …
    pub handlers: Vec<String>,
    /// Whether it can be a Durable Object.
    #[serde(default, rename = "type")]
    pub kind: ExportKind,
}

/// What a named export is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExportKind {
    /// A class: perhaps a Durable Object.
    Class,
    /// Anything else.
    #[default]
    Object,
}

impl Described {
    /// Whether the code exports a class of this name.
    pub(crate) fn exports_class(&self, class: &str) -> bool {
        self.named_handlers
            .iter()
            .any(|export| export.name == class && export.kind == ExportKind::Class)
    }
}
