//! Generates files: from environments to the text of every artefact, and from the text to the disk.
//!
//! Rendering is pure. Nothing here reads what is live. What says how the wire is (`docs/`, the clients' types) is made from
//! `worker/protocol`, which describes itself.
//!
//! Imports: `build`, `environment`, `metric`, `process`, `secret`

pub(crate) mod artifact;
mod asyncapi;
mod data;
pub(crate) mod documents;
mod grafana;
mod openapi;
pub(crate) mod render;
mod shape;
mod tables;
mod typescript;
