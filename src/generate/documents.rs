//! The documents of the wire: made where the project has them, which is this tool's own repository and what was made from it.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::{asyncapi, openapi, tables};
use crate::generate::artifact::Artifact;

/// The page for people, whose tables are generated and whose words are not.
const PAGE: &str = "docs/protocol.md";

/// The documents as they should be; none in a project without [`PAGE`].
pub(crate) fn documents(root: &Path) -> anyhow::Result<Vec<Artifact>> {
    let page = root.join(PAGE);
    let reading = || format!("reading `{}`", page.display());
    let text = match std::fs::read_to_string(&page) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.with_context(reading)?.replace("\r\n", "\n"),
    };
    let artifact = |path: &str, text| Artifact {
        path: path.to_owned(),
        text,
    };
    Ok(vec![
        artifact("docs/asyncapi.json", json(&asyncapi::document())),
        artifact("docs/openapi.json", json(&openapi::document())),
        artifact(
            PAGE,
            tables::fill(&text).with_context(|| format!("`{PAGE}`"))?,
        ),
    ])
}

fn json(document: &Value) -> String {
    format!("{document:#}\n")
}
