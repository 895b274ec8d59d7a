//! What each template is fed: one type a template, so that a template has the names that are here and no others.

use std::collections::{BTreeMap, BTreeSet};

use edge_broadcast_protocol::contract::head::MAX_ITEMS;
use edge_broadcast_protocol::gateway::batch::MAX_BATCH_BYTES;
use serde::Serialize;
use serde_json::Value;

use crate::build::Worker;
use crate::build::module::CONSOLE;
use crate::environment::manifest::MigrationMode;
use crate::environment::name::Whole;
use crate::environment::script::{Binding, Script};
use crate::environment::{CodeUpdateStrategy, Environment, Rate, Served, ServedBy, Sst};
use crate::secret::Source;

/// `wrangler.toml`: one script in all environments.
#[derive(Serialize)]
pub(super) struct Wrangler<'a> {
    /// wrangler has one top-level name for all environments: it only tags the scripts with it
    service: &'a str,
    main: String,
    base_dir: String,
    environments: Vec<Section<'a>>,
}

/// One environment's part of it. What is optional there is a list of none or one.
#[derive(Serialize)]
struct Section<'a> {
    environment: &'a str,
    script: &'a Script,
    routes: Vec<Route<'a>>,
    /// Files that are modules here and nowhere else.
    texts: Vec<&'a str>,
    limits: &'a [u32],
    code_update_strategy: Vec<CodeUpdateStrategy>,
    bindings: Bindings<'a>,
}

/// A route as wrangler writes it: of a zone, or a custom domain.
#[derive(Serialize)]
struct Route<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_domain: Option<bool>,
    pattern: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone_name: Option<&'a str>,
}

/// A script's bindings, as wrangler wants them: by type, and by name.
#[derive(Default, Serialize)]
struct Bindings<'a> {
    texts: BTreeMap<&'a str, &'a str>,
    jsons: BTreeMap<&'a str, &'a Value>,
    durable_objects: BTreeMap<&'a str, Objects<'a>>,
    rate_limits: BTreeMap<&'a str, RateLimit<'a>>,
    data_sets: BTreeMap<&'a str, &'a str>,
    version_metadata: Vec<&'a str>,
}

#[derive(Serialize)]
struct Objects<'a> {
    class_name: &'a str,
    script_name: &'a [String],
}

#[derive(Serialize)]
struct RateLimit<'a> {
    namespace_id: &'a str,
    simple: Rate,
}

/// `routes.toml`
#[derive(Serialize)]
pub(super) struct Routes<'a> {
    environment: &'a str,
    routes: Vec<Route<'a>>,
}

/// `secrets.env`
#[derive(Serialize)]
pub(super) struct Sources<'a> {
    environment: &'a str,
    /// Where each value comes from, by the secret's name.
    sources: BTreeMap<&'a str, String>,
}

/// `deploy.yml`
#[derive(Serialize)]
pub(super) struct Workflow<'a> {
    environment: &'a str,
    /// The command that deploys.
    deploy: String,
    /// The environment variables that it reads.
    variables: BTreeSet<&'a str>,
}

/// `client/`: how the app's side reaches this environment.
#[derive(Serialize)]
pub(super) struct Client<'a> {
    environment: &'a str,
    /// The gateway's script, which names the package too.
    worker: String,
    /// Of this tool, and so of the package.
    version: &'static str,
    /// `https://HOST`
    url: String,
    /// The members that make an update's key.
    conflate_key: &'a [String],
}

/// `publisher/`: how the backend's side reaches it.
#[derive(Serialize)]
pub(super) struct Publisher<'a> {
    environment: &'a str,
    worker: String,
    version: &'static str,
    url: String,
    /// Where it publishes while clients move over; the edge alone where the manifest says nothing of a migration.
    mode: MigrationMode,
    /// The share in hundredths of the mode `percent`.
    percent: u32,
    /// How it shows who it is: `bearer` or `signature`.
    credentials: &'static str,
    /// The largest body of an update, in bytes.
    max_message_bytes: u32,
    /// How many updates one request has room for, were each of them as large.
    batch: u32,
}

/// `sst/`
#[derive(Serialize)]
pub(super) struct SstApp<'a> {
    environment: &'a str,
    app: &'a str,
    stage: &'a str,
    url: String,
    /// Whether anything goes to the edge: the text of an environment variable.
    uses_edge: &'static str,
}

impl<'a> Wrangler<'a> {
    /// The scripts of one role, each of its environment; nothing where there is no environment.
    pub(super) fn of(environments: &'a [Environment], scripts: &'a [Script]) -> Option<Self> {
        let first = scripts.first()?;
        let folder = first.role.name();
        let sections = environments.iter().zip(scripts);
        Some(Self {
            service: &first.service,
            main: format!("../../worker/{folder}/build/index.js"),
            base_dir: format!("../../worker/{folder}/build"),
            environments: sections.map(|(of, script)| section(of, script)).collect(),
        })
    }
}

fn section<'a>(environment: &'a Environment, script: &'a Script) -> Section<'a> {
    Section {
        environment: &script.environment,
        script,
        routes: match script.role {
            Worker::Gateway => routes(environment),
            Worker::Room => Vec::new(),
        },
        texts: match script.role {
            Worker::Gateway if environment.is_for_development() => vec![CONSOLE.0],
            Worker::Gateway | Worker::Room => Vec::new(),
        },
        limits: script.cpu_ms.as_slice(),
        // Older wranglers warn of it, so it is there only where it says something
        code_update_strategy: match script.code_update {
            CodeUpdateStrategy::DEFAULT => Vec::new(),
            strategy => vec![strategy],
        },
        bindings: bindings(script),
    }
}

fn bindings(script: &Script) -> Bindings<'_> {
    let mut by_type = Bindings::default();
    for (name, binding) in &script.bindings {
        let name = name.as_str();
        match binding {
            Binding::PlainText { text } => {
                by_type.texts.insert(name, text);
            }
            Binding::Json { json } => {
                by_type.jsons.insert(name, json);
            }
            Binding::DurableObjectNamespace {
                class_name,
                script_name,
            } => {
                let script_name = script_name.as_slice();
                let objects = Objects {
                    class_name,
                    script_name,
                };
                by_type.durable_objects.insert(name, objects);
            }
            Binding::AnalyticsEngine { dataset } => {
                by_type.data_sets.insert(name, dataset);
            }
            Binding::Ratelimit {
                namespace_id,
                simple,
            } => {
                let limit = RateLimit {
                    namespace_id,
                    simple: *simple,
                };
                by_type.rate_limits.insert(name, limit);
            }
            Binding::VersionMetadata {} => by_type.version_metadata.push(name),
        }
    }
    by_type
}

fn routes(environment: &Environment) -> Vec<Route<'_>> {
    let route = |served: &Served| {
        let is_own = matches!(served.by, ServedBy::CustomDomain(_));
        Route {
            custom_domain: is_own.then_some(true),
            pattern: served.pattern(),
            zone_name: (!is_own).then_some(environment.zone.as_str()),
        }
    };
    environment.hosts.iter().map(route).collect()
}

fn url(environment: &Environment) -> String {
    format!("https://{}", environment.main_host())
}

impl<'a> Routes<'a> {
    pub(super) fn of(environment: &'a Environment) -> Self {
        Self {
            environment: environment.name.as_str(),
            routes: routes(environment),
        }
    }
}

impl<'a> Sources<'a> {
    pub(super) fn of(environment: &'a Environment) -> Self {
        let sources = environment.sources();
        Self {
            environment: environment.name.as_str(),
            sources: sources.map(|(name, it)| (name, it.to_string())).collect(),
        }
    }
}

impl<'a> Workflow<'a> {
    pub(super) fn of(environment: &'a Environment) -> Self {
        let sources = environment.sources().chain(environment.header_sources());
        let variables = sources.filter_map(|(_, source)| match source {
            Source::Env(variable) => Some(variable.as_str()),
            // The workflow's checkout and tools give the others
            Source::File { .. } | Source::Command { .. } | Source::Prompt => None,
        });
        Self {
            environment: environment.name.as_str(),
            deploy: format!("cargo run --quiet -- deploy {} --yes", environment.name),
            variables: variables.collect(),
        }
    }
}

impl<'a> Client<'a> {
    pub(super) fn of(environment: &'a Environment) -> Self {
        Self {
            environment: environment.name.as_str(),
            worker: environment.gateway_script(),
            version: env!("CARGO_PKG_VERSION"),
            url: url(environment),
            conflate_key: &environment.room.conflate_key,
        }
    }
}

impl<'a> Publisher<'a> {
    pub(super) fn of(environment: &'a Environment) -> Self {
        let migration = environment.sst.as_ref().map(|sst| &sst.migration);
        let percent = migration.and_then(|migration| migration.percent);
        Self {
            environment: environment.name.as_str(),
            worker: environment.gateway_script(),
            version: env!("CARGO_PKG_VERSION"),
            url: url(environment),
            mode: migration.map_or(MigrationMode::Edge, |migration| migration.mode),
            percent: percent.map_or(0, Whole::get),
            credentials: match environment.gateway.require_signature {
                true => "signature",
                false => "bearer",
            },
            max_message_bytes: environment.gateway.max_message_bytes,
            batch: batch(environment.gateway.max_message_bytes),
        }
    }
}

/// Updates of the largest size, each with a comma or a bracket after it, and the bracket before them.
fn batch(max_message_bytes: u32) -> u32 {
    let room = (MAX_BATCH_BYTES - 1) / (max_message_bytes + 1);
    room.clamp(1, MAX_ITEMS as u32)
}

impl<'a> SstApp<'a> {
    pub(super) fn of(environment: &'a Environment, sst: &'a Sst) -> Self {
        Self {
            environment: environment.name.as_str(),
            app: sst.app.as_str(),
            stage: sst.stage.as_str(),
            url: url(environment),
            uses_edge: match sst.migration.mode {
                MigrationMode::Sqs => "false",
                MigrationMode::Percent | MigrationMode::Dual | MigrationMode::Edge => "true",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_of_the_largest_updates_is_as_large_as_a_request_may_be() {
        let most = [64, 16_384, 16_383, 524_288, 1_048_576].map(batch);
        assert_eq!(most, [100, 63, 63, 1, 1]);
        for size in 64..=1_048_576_u32 {
            let count = batch(size);
            assert!(count == 1 || count * (size + 1) < MAX_BATCH_BYTES, "{size}");
        }
    }
}
