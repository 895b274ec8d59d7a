//! The writes, one function each. Each looks first that the world still is as the plan saw it.

mod domains;
mod routes;
mod scripts;
mod settings;
mod traffic;
mod upload;

use anyhow::bail;

pub(crate) use self::traffic::{Change, OldSecrets, is_secret_change, shift};
pub(super) use self::upload::STRICT;
pub(crate) use self::upload::upload;
use super::client::Cloudflare;
use super::observe;
use crate::plan::Step;
use crate::plan::destroy::Removal;

/// Performs a step that is no upload and no shift. What belongs to somebody else by now is left alone.
pub(crate) async fn execute(
    cloudflare: &Cloudflare,
    zone: &str,
    step: &Step,
) -> anyhow::Result<()> {
    match step {
        Step::Upload(_) | Step::Shift(_) => bail!("`{}` is not a step of its own", step.title()),
        Step::Settings {
            script,
            tags,
            observability,
            ..
        } => settings::set(cloudflare, script, tags, *observability).await,
        Step::WorkersDev {
            script, enabled, ..
        } => settings::workers_dev(cloudflare, script, *enabled).await,
        Step::AddRoute { pattern, script } => routes::add(cloudflare, zone, pattern, script).await,
        Step::MoveRoute {
            id,
            pattern,
            from,
            script,
        } => routes::hand_over(cloudflare, zone, (id, pattern), from, script).await,
        Step::MoveDomain {
            hostname,
            from,
            script,
        } => domains::hand_over(cloudflare, zone, hostname, from, script).await,
        Step::RemoveRoute {
            id,
            pattern,
            script,
        } => {
            let zone = observe::zone_id(cloudflare, zone).await?;
            routes::remove(cloudflare, &zone, (id, pattern), script).await
        }
        Step::AddDomain {
            hostname,
            script,
            override_dns,
            ..
        } => domains::add(cloudflare, zone, hostname, script, *override_dns).await,
        Step::RemoveDomain { id, script, .. } => domains::remove(cloudflare, id, script).await,
    }
}

/// Performs a step of a destruction. What belongs to somebody else by now is left alone.
pub(crate) async fn remove(cloudflare: &Cloudflare, removal: &Removal) -> anyhow::Result<()> {
    match removal {
        Removal::RemoveRoute {
            zone_id,
            pattern,
            id,
            script,
            ..
        } => routes::remove(cloudflare, zone_id, (id, pattern), script).await,
        Removal::RemoveDomain { id, script, .. } => domains::remove(cloudflare, id, script).await,
        Removal::DeleteScript {
            script, role, was, ..
        } => scripts::delete(cloudflare, script, *role, was).await,
    }
}
