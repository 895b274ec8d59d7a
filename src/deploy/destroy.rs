//! Performs a destruction, step by step. Decides nothing.

use anyhow::Context;

use crate::cloudflare::Cloudflare;
use crate::cloudflare::execute;
use crate::deploy::apply::Report;
use crate::plan::destroy::{Destruction, Removal};

/// Performs the steps in order and stops at the first that fails: the next run goes on from there. `tell` hears of each step before
/// it begins.
pub(crate) async fn destroy(
    cloudflare: &Cloudflare,
    destruction: &Destruction,
    report: &mut Report,
    tell: impl Fn(&str),
) -> anyhow::Result<()> {
    report.not_attempted = destruction.steps.iter().map(Removal::title).collect();
    for step in &destruction.steps {
        let title = report.begin(&tell);
        execute::remove(cloudflare, step)
            .await
            .with_context(|| format!("failed to {title}"))?;
        report.end();
    }
    Ok(())
}
