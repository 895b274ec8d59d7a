//! The documents of the wire: made where the project has them, which is this tool's own repository and what was made from it.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::tables::Tables;
use super::{asyncapi, openapi, tables};
use crate::environment::schema;
use crate::generate::artifact::Artifact;

/// The page for people, whose tables are generated and whose words are not.
const PAGE: &str = "docs/protocol.md";
/// That of data points, where there is one.
const METRICS: &str = "docs/metrics.md";

/// The documents as they should be; none in a project without [`PAGE`].
pub(crate) fn documents(root: &Path) -> anyhow::Result<Vec<Artifact>> {
    let Some(page) = page(root, PAGE, tables::protocol())? else {
        return Ok(Vec::new());
    };
    let artifact = |path: &str, text| Artifact {
        path: path.to_owned(),
        text,
    };
    let mut documents = vec![
        artifact("docs/asyncapi.json", json(&asyncapi::document())),
        artifact("docs/openapi.json", json(&openapi::document())),
        page,
    ];
    documents.extend(self::page(root, METRICS, tables::metrics())?);
    documents.push(artifact(schema::PATH, json(&schema::schema())));
    Ok(documents)
}

/// A page with its tables as they should be.
fn page(root: &Path, name: &str, tables: Tables) -> anyhow::Result<Option<Artifact>> {
    let path = root.join(name);
    let reading = || format!("reading `{}`", path.display());
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.with_context(reading)?.replace("\r\n", "\n"),
    };
    Ok(Some(Artifact {
        path: name.to_owned(),
        text: tables::fill(&text, tables).with_context(|| format!("`{name}`"))?,
    }))
}

fn json(document: &Value) -> String {
    format!("{document:#}\n")
}
