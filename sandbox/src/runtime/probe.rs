//! Asks the runtime itself what a bundle exports, and whether it starts at all, before anything that runs is touched.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use http::Method;

use crate::account::bundle::Described;
use crate::account::error::{ApiError, invalid, not_started};
use crate::account::metadata::Metadata;
use crate::account::module::Module;
use crate::runtime::ask::ask;
use crate::runtime::config::render_probe;
use crate::runtime::log::Log;
use crate::runtime::process;
use crate::runtime::worker::{compatibility, known_date};

/// Starts the bundle alone, reads its exports, and stops it. Gives them with the milliseconds that the start took; 10021 with
/// the runtime's own words when it does not start.
pub(crate) async fn probe(
    workerd: &Path,
    directory: &Path,
    newest: Option<&str>,
    metadata: &Metadata,
    modules: &[Module],
) -> Result<(Described, u32), ApiError> {
    let main = metadata.main_module.as_deref().unwrap_or_default();
    let module = include_str!("probe.js").replace(
        "MAIN_MODULE",
        &format!("./{}", main.trim_start_matches("./")),
    );
    let runtime = compatibility(
        known_date(metadata.compatibility_date.as_deref(), newest),
        &metadata.compatibility_flags,
    );
    let config = render_probe(modules, &runtime, &module);
    let file = format!("probe-{:016x}.capnp", rand::random::<u64>());
    let started = Instant::now();
    let process = process::start(workerd, directory, &file, &config, &Log::default()).await;
    let took = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
    let _ = tokio::fs::remove_file(directory.join(&file)).await;
    let process = process.map_err(|error| not_started(&error))?;
    let described = exports(process.ports["probe"]).await;
    process.end().await;
    let described = described.map_err(|error| not_started(&error))?;
    if described == Described::default() {
        return Err(invalid(
            10068,
            "no event handlers were registered; this script does nothing",
        ));
    }
    Ok((described, took))
}

async fn exports(port: u16) -> anyhow::Result<Described> {
    let body = ask(Method::GET, port, "/").await;
    let body = body.context("asking the bundle for its exports")?;
    serde_json::from_slice(&body).context("reading the bundle's exports")
}
