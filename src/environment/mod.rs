//! An environment as it is meant: a manifest with its defaults and its rules across fields applied, once.
//!
//! Holds no secret value. Everything after this point reads [`Environment`], never a manifest.
//!
//! Imports: `build`, `secret`, `terminal`

pub mod manifest;
pub mod name;
pub mod problem;
pub mod project;
pub mod script;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use edge_broadcast_protocol::contract::binding;
use edge_broadcast_protocol::contract::settings::{
    Conflate, GatewaySettings, Region, RoomSettings,
};
use serde::Serialize;
use serde_spanned::Spanned;

use crate::environment::manifest::{CodeUpdateMode, Manifest, MigrationMode};
use crate::environment::name::{AccountId, Dataset, EnvironmentName, Host, Span, Whole};
use crate::environment::problem::Problem;
use crate::secret::Source;
use crate::secret::sender::{Sender, Surroundings};

/// The longest script name that Cloudflare takes (docs: Workers, Limits).
const SCRIPT_NAME_MAX: usize = 63;
/// Secrets that the gateway reads and a manifest may name.
const SECRETS: [&str; 2] = [binding::WEBHOOK_SECRET, binding::ADMIN_SECRET];

/// Everything that one environment governs.
#[derive(Clone, Debug)]
pub struct Environment {
    pub name: EnvironmentName,
    /// The gateway's script name without the environment: `glow-broadcast`.
    pub worker: String,
    pub account_id: Option<AccountId>,
    pub zone: Host,
    pub protected: bool,
    pub workers_dev: bool,
    pub compatibility_date: String,
    /// The value of the variable `ENVIRONMENT`.
    pub label: String,
    pub observability: bool,
    pub cpu_ms: Option<u32>,
    pub code_update: CodeUpdate,
    /// The main hosts, in the manifest's order; the first is where the environment is verified.
    pub hosts: Vec<Served>,
    pub gateway: GatewaySettings,
    pub room: RoomSettings,
    pub connect_rate: Rate,
    pub broadcast_rate: Rate,
    pub dataset: Option<Dataset>,
    pub secrets: BTreeMap<String, Secret>,
    pub sst: Option<Sst>,
    pub traffic: Option<Traffic>,
}

/// When Durable Objects restart on new code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeUpdate {
    pub mode: CodeUpdateMode,
    pub max_delay: Duration,
}

/// A host, and how Cloudflare is told that it is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    pub host: Host,
    pub by: ServedBy,
}

/// How a host reaches the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServedBy {
    /// The zone route `host/*`; the DNS record exists already.
    ZoneRoute,
    /// A custom domain; an existing DNS record is a conflict.
    CustomDomain,
    /// A custom domain that may take over the DNS record of another Worker; one that somebody made is a conflict all the same.
    CustomDomainOverridingDns,
}

/// Requests per period of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rate {
    pub limit: u32,
    pub period: u32,
}

/// Where a secret's value comes from, and who must learn a new one.
#[derive(Clone, Debug)]
pub struct Secret {
    pub source: Source,
    pub rotate_every: Option<Duration>,
    pub retry_horizon: Duration,
    pub senders: Vec<Sender>,
}

/// The publisher's side.
#[derive(Clone, Debug)]
pub struct Sst {
    pub app: String,
    pub stage: String,
    pub migration: MigrationMode,
    /// The share of updates that go to the edge while `migration` is `Percent`.
    pub percent: u32,
}

/// Expected traffic.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    pub users: u32,
    pub tokens: u32,
    pub updates_per_minute: u32,
}

impl Environment {
    /// Where each secret's value comes from, by its name.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        let secrets = self.secrets.iter();
        secrets.map(|(name, secret)| (name.as_str(), &secret.source))
    }

    /// The script that has the routes and the secrets.
    pub fn gateway_script(&self) -> String {
        format!("{}-{}", self.worker, self.name)
    }

    /// The script that defines the Durable Object.
    pub fn room_script(&self) -> String {
        format!("{}-{}-room", self.worker, self.name)
    }

    /// Every host of the environment: the main ones, then the regions' own.
    pub fn all_hosts(&self) -> impl Iterator<Item = Served> {
        let regional = self.gateway.regions.iter().map(|region| Served {
            host: region
                .host
                .parse()
                .expect("region hosts were read as hosts"),
            by: ServedBy::ZoneRoute,
        });
        self.hosts.iter().cloned().chain(regional)
    }

    /// The hosts of zone routes: each needs a proxied DNS record, which the tool does not make.
    pub fn routed_hosts(&self) -> Vec<String> {
        self.all_hosts()
            .filter(|served| served.by == ServedBy::ZoneRoute)
            .map(|served| served.host.to_string())
            .collect()
    }

    /// The host at which the environment is verified and published to.
    pub fn main_host(&self) -> &Host {
        &self.hosts[0].host
    }
}

/// A manifest and where it came from.
pub struct Written<'a> {
    pub name: &'a EnvironmentName,
    pub path: &'a str,
    pub source: &'a str,
    pub manifest: Manifest,
}

/// Applies defaults and the rules across fields; returns every problem, not only the first.
pub fn understand(written: Written) -> Result<Environment, Vec<Problem>> {
    let problems: Vec<Problem> = problems(written.name, &written.manifest)
        .into_iter()
        .map(|(span, message)| Problem::at(written.path, written.source, span, &message))
        .collect();
    if problems.is_empty() {
        Ok(meant(written.name, written.manifest))
    } else {
        Err(problems)
    }
}

fn problems(name: &EnvironmentName, manifest: &Manifest) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let room_script = format!("{}-{name}-room", manifest.worker.name.as_ref());
    if room_script.len() > SCRIPT_NAME_MAX {
        found.push((
            manifest.worker.name.span(),
            format!(
                "the script name `{room_script}` has {} characters, but Cloudflare takes at most {SCRIPT_NAME_MAX}\nshorten `worker.name` or the environment's name",
                room_script.len()
            ),
        ));
    }
    if manifest.routes.is_empty() {
        found.push((
            0..0,
            "no host is served\nadd a `[[routes]]` table with a `host`".to_owned(),
        ));
    }
    hosts(manifest, &mut found);
    regions(manifest, &mut found);
    for route in &manifest.routes {
        if let Some(override_dns) = route.override_dns.as_ref().filter(|_| !route.custom_domain) {
            found.push((
                override_dns.span(),
                "`override_dns` has no effect on a zone route\nset `custom_domain = true` or remove it".to_owned(),
            ));
        }
    }
    secrets(name, manifest, &mut found);
    if let Some(sst) = &manifest.sst {
        let migration = sst.migration.as_ref();
        if (migration.mode == MigrationMode::Percent) != migration.percent.is_some() {
            found.push((
                sst.migration.span(),
                "`percent` belongs to the mode `percent`, and only to it\nwrite `{ mode = \"percent\", percent = 10 }` or leave `percent` out".to_owned(),
            ));
        }
    }
    found.sort_by_key(|(span, _)| span.start);
    found
}

fn hosts(manifest: &Manifest, found: &mut Vec<(Range<usize>, String)>) {
    let zone = &manifest.cloudflare.zone;
    let routes = manifest.routes.iter().map(|route| &route.host);
    let regions = manifest.regions.iter().map(|region| &region.host);
    let mut seen: Vec<&Host> = Vec::new();
    for host in routes.chain(regions) {
        let text = host.as_ref().as_str();
        if text != zone.as_str() && !text.ends_with(&format!(".{zone}")) {
            found.push((
                host.span(),
                format!("`{text}` is not in the zone `{zone}`\nuse a host that ends with `.{zone}`, or change `cloudflare.zone`"),
            ));
        }
        if seen.contains(&host.as_ref()) {
            found.push((
                host.span(),
                format!("`{text}` is routed twice\nremove one of the two: a host belongs to one route or one region"),
            ));
        }
        seen.push(host.as_ref());
    }
}

fn regions(manifest: &Manifest, found: &mut Vec<(Range<usize>, String)>) {
    let mut names = Vec::new();
    let mut continents = Vec::new();
    for region in &manifest.regions {
        let name = region.name.as_ref();
        if names.contains(&name) {
            found.push((
                region.name.span(),
                format!("the region `{name}` is defined twice\nrename or remove one of the two"),
            ));
        }
        names.push(name);
        for continent in &region.continents {
            if continents.contains(&continent.as_ref()) {
                found.push((
                    continent.span(),
                    format!(
                        "the continent `{}` belongs to two regions\nremove it from one of them",
                        continent.as_ref()
                    ),
                ));
            }
            continents.push(continent.as_ref());
        }
    }
}

fn secrets(name: &EnvironmentName, manifest: &Manifest, found: &mut Vec<(Range<usize>, String)>) {
    for name in manifest.secrets.keys() {
        let text = name.as_ref().as_str();
        if text == binding::WEBHOOK_SECRET_ALTERNATE {
            found.push((
                name.span(),
                format!("`{text}` is the second slot of `{}`\nremove it: a rotation fills and empties it", binding::WEBHOOK_SECRET),
            ));
        } else if !SECRETS.contains(&text) {
            found.push((
                name.span(),
                format!(
                    "no worker reads a secret `{text}`\nuse one of `{}`",
                    SECRETS.join("`, `")
                ),
            ));
        }
    }
    for (secret_name, secret) in &manifest.secrets {
        let around = surroundings(name, manifest, secret_name.as_ref().as_str(), secret);
        for written in &secret.senders {
            if let Err(message) = Sender::new(written.as_ref(), around) {
                found.push((written.span(), message));
            }
        }
    }
    let named = |wanted: &str| {
        manifest
            .secrets
            .keys()
            .any(|name| name.as_ref().as_str() == wanted)
    };
    if !named(binding::WEBHOOK_SECRET) {
        found.push((
            0..0,
            format!("the secret `{0}` is missing: without it nobody can publish\nadd `[secrets.{0}]` with `source = \"env:{0}\"`", binding::WEBHOOK_SECRET),
        ));
    }
}

/// What the command lines of a secret's senders can name.
fn surroundings<'a>(
    name: &'a EnvironmentName,
    manifest: &'a Manifest,
    secret_name: &'a str,
    secret: &'a manifest::Secret,
) -> Surroundings<'a> {
    Surroundings {
        environment: name.as_str(),
        worker: manifest.worker.name.as_ref().as_str(),
        stage: manifest.sst.as_ref().map(|sst| sst.stage.as_str()),
        secret: secret_name,
        variable: match &secret.source {
            Source::Env(variable) => variable,
            _ => secret_name,
        },
    }
}

fn meant(name: &EnvironmentName, manifest: Manifest) -> Environment {
    let secrets = manifest
        .secrets
        .iter()
        .map(|(secret_name, secret)| {
            let secret_name = secret_name.as_ref().as_str();
            let around = surroundings(name, &manifest, secret_name, secret);
            let senders = secret.senders.iter();
            let meant = Secret {
                source: secret.source.clone(),
                rotate_every: secret.rotate_every.map(Span::get),
                retry_horizon: secret
                    .retry_horizon
                    .map_or(Duration::from_secs(600), Span::get),
                senders: senders
                    .filter_map(|written| Sender::new(written.as_ref(), around).ok())
                    .collect(),
            };
            (secret_name.to_owned(), meant)
        })
        .collect();
    let Manifest {
        worker,
        cloudflare,
        routes,
        regions,
        room,
        access,
        secrets: _,
        analytics,
        sst,
        traffic,
    } = manifest;
    let rate = |rate: Option<manifest::Rate>, limit, period| match rate {
        Some(rate) => Rate {
            limit: rate.limit.get(),
            period: rate.period.get(),
        },
        None => Rate { limit, period },
    };
    let connect_rate = rate(access.connect_rate, 100, 60);
    let broadcast_rate = rate(access.broadcast_rate, 1000, 60);
    Environment {
        name: name.clone(),
        worker: worker.name.into_inner().as_str().to_owned(),
        account_id: cloudflare.account_id,
        zone: cloudflare.zone,
        protected: cloudflare.protected,
        workers_dev: cloudflare.workers_dev,
        compatibility_date: worker.compatibility_date.as_str().to_owned(),
        label: if worker.debug {
            "development".to_owned()
        } else {
            name.to_string()
        },
        observability: worker.observability.unwrap_or(true),
        cpu_ms: worker.cpu_ms.map(Whole::get),
        code_update: CodeUpdate {
            mode: worker.code_update.mode,
            max_delay: worker
                .code_update
                .max_delay
                .map_or(Duration::from_secs(300), Span::get),
        },
        hosts: routes
            .into_iter()
            .map(|route| Served {
                host: route.host.into_inner(),
                by: match (
                    route.custom_domain,
                    route.override_dns.is_some_and(Spanned::into_inner),
                ) {
                    (false, _) => ServedBy::ZoneRoute,
                    (true, false) => ServedBy::CustomDomain,
                    (true, true) => ServedBy::CustomDomainOverridingDns,
                },
            })
            .collect(),
        gateway: GatewaySettings {
            allowed_origins: match &access.allowed_origins {
                Some(origins) => origins.iter().map(ToString::to_string).collect(),
                None => vec!["*".to_owned()],
            },
            require_origin: access.require_origin,
            require_signature: access.require_signature,
            compression: access.compression,
            connect_period: connect_rate.period,
            broadcast_period: broadcast_rate.period,
            connections_per_ip: access.connections_per_ip.map_or(20, Whole::get),
            max_message_bytes: access.max_message_bytes.map_or(16_384, Whole::get),
            regions: regions
                .into_iter()
                .map(|region| Region {
                    name: region.name.into_inner().to_string(),
                    host: region.host.into_inner().to_string(),
                    location_hint: region.location_hint.to_string(),
                    continents: region
                        .continents
                        .into_iter()
                        .map(|code| code.into_inner().to_string())
                        .collect(),
                })
                .collect(),
        },
        room: RoomSettings {
            max_connections: room.max_connections.map_or(32_000, Whole::get),
            max_shards: room.max_shards.map_or(8, Whole::get),
            batch_window_ms: room.batch_window.map_or(10, |span| millis(span.get())),
            conflate: room.conflate.unwrap_or(Conflate::Latest),
            history: room.history.map_or(64, Whole::get),
            idle_timeout_ms: room.idle_timeout.map_or(90_000, |span| millis(span.get())),
            publish_rate: room.publish_rate.map_or(1000, Whole::get),
        },
        connect_rate,
        broadcast_rate,
        dataset: analytics.map(|analytics| analytics.dataset),
        secrets,
        sst: sst.map(|sst| {
            let migration = sst.migration.into_inner();
            Sst {
                app: sst.app.to_string(),
                stage: sst.stage.to_string(),
                migration: migration.mode,
                percent: migration.percent.map_or(0, Whole::get),
            }
        }),
        traffic: traffic.map(|traffic| Traffic {
            users: traffic.users.get(),
            tokens: traffic.tokens.get(),
            updates_per_minute: traffic.updates_per_minute.get(),
        }),
    }
}

fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).expect("a manifest's spans have an upper bound")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same numbers stand in the README's table.
    #[test]
    fn what_a_manifest_leaves_out_has_the_documented_defaults() {
        let source = r#"
            [worker]
            name = "w"
            compatibility_date = "2026-10-01"
            [cloudflare]
            zone = "glow.trade"
            [[routes]]
            host = "a.glow.trade"
            [secrets.WEBHOOK_SECRET]
            source = "prompt"
        "#;
        let environment = understand(Written {
            name: &"e".parse().unwrap(),
            path: "e.toml",
            source,
            manifest: manifest::parse("e.toml", source).unwrap(),
        })
        .unwrap();
        insta::assert_debug_snapshot!(environment, @r#"
Environment {
    name: EnvironmentName(
        "e",
    ),
    worker: "w",
    account_id: None,
    zone: Host(
        "glow.trade",
    ),
    protected: false,
    workers_dev: false,
    compatibility_date: "2026-10-01",
    label: "e",
    observability: true,
    cpu_ms: None,
    code_update: CodeUpdate {
        mode: Deferred,
        max_delay: 300s,
    },
    hosts: [
        Served {
            host: Host(
                "a.glow.trade",
            ),
            by: ZoneRoute,
        },
    ],
    gateway: GatewaySettings {
        allowed_origins: [
            "*",
        ],
        require_origin: false,
        require_signature: false,
        connections_per_ip: 20,
        max_message_bytes: 16384,
        compression: false,
        connect_period: 60,
        broadcast_period: 60,
        regions: [],
    },
    room: RoomSettings {
        max_connections: 32000,
        max_shards: 8,
        batch_window_ms: 10,
        conflate: Latest,
        history: 64,
        idle_timeout_ms: 90000,
        publish_rate: 1000,
    },
    connect_rate: Rate {
        limit: 100,
        period: 60,
    },
    broadcast_rate: Rate {
        limit: 1000,
        period: 60,
    },
    dataset: None,
    secrets: {
        "WEBHOOK_SECRET": Secret {
            source: Prompt,
            rotate_every: None,
            retry_horizon: 600s,
            senders: [],
        },
    },
    sst: None,
    traffic: None,
}
"#);
    }
}
