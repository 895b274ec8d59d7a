//! `schema`: the JSON schema of manifests.

use crate::environment::schema::schema;
use crate::terminal::output;

/// It is JSON in any case, and needs no project.
pub(super) fn run() -> anyhow::Result<()> {
    output::line(&format!("{:#}", schema()))
}
