//! Generates files: from environments to the text of every artefact, and from the text to the disk.
//!
//! Rendering is pure. Nothing here reads what is live.
//!
//! Imports: `build`, `environment`, `process`, `secret`

pub(crate) mod artifact;
mod data;
pub(crate) mod render;
