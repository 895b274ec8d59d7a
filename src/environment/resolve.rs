//! Resolves a manifest's text to an environment: one function per table, each with its defaults.

use std::collections::BTreeMap;
use std::time::Duration;

use edge_broadcast_protocol::contract::binding;
use edge_broadcast_protocol::contract::settings::{
    self, Conflate, GatewaySettings, Region, RoomSettings,
};

use super::rules::{self, Broken};
use super::{
    CodeUpdateStrategy, Environment, OverrideDns, Rate, Rollout, Secret, Served, ServedBy, Sst,
};
use crate::environment::cost::{Said, Traffic};
use crate::environment::manifest::{self, CodeUpdateMode, Manifest, OnInconclusive};
use crate::environment::name::{Decimal, EnvironmentName, Span, Stages, Whole};
use crate::environment::problem::Problem;
use crate::secret::Source;
use crate::secret::sender::{Names, Sender};

impl Environment {
    /// The environment `name`, whose manifest has the text `source`; `path` is only for problems.
    ///
    /// # Errors
    /// Every problem, not only the first.
    pub fn resolve(name: &EnvironmentName, path: &str, source: &str) -> Result<Self, Vec<Problem>> {
        let manifest = manifest::parse(path, source).map_err(|problem| vec![problem])?;
        let mut broken = rules::broken(name, &manifest);
        let secrets = secrets(name, &manifest, &mut broken);
        if broken.is_empty() {
            return Ok(environment(name, manifest, secrets));
        }
        broken.sort_by_key(|(span, _)| span.start);
        let problem = |(span, message): Broken| Problem::at(path, source, span, &message);
        Err(broken.into_iter().map(problem).collect())
    }
}

fn environment(
    name: &EnvironmentName,
    manifest: Manifest,
    secrets: BTreeMap<String, Secret>,
) -> Environment {
    let worker = manifest.worker;
    let connect_rate = rate(manifest.access.connect_rate, 1000);
    let broadcast_rate = rate(manifest.access.broadcast_rate, 1000);
    Environment {
        name: name.clone(),
        worker: worker.name.as_ref().to_string(),
        owner: worker.owner,
        account_id: manifest.cloudflare.account_id,
        zone: manifest.cloudflare.zone,
        protected: manifest.cloudflare.protected,
        workers_dev: manifest.cloudflare.workers_dev,
        compatibility_date: worker.compatibility_date.to_string(),
        label: match worker.debug {
            true => binding::DEVELOPMENT.to_owned(),
            false => name.to_string(),
        },
        observability: worker.observability.unwrap_or(true),
        cpu_ms: worker.cpu_ms.map(Whole::get),
        code_update: code_update(&worker.code_update),
        jurisdiction: worker.jurisdiction,
        hosts: hosts(&manifest.routes, &manifest.regions),
        gateway: gateway(
            &manifest.access,
            &manifest.regions,
            connect_rate,
            broadcast_rate,
        ),
        room: room(&manifest.room),
        connect_rate,
        broadcast_rate,
        dataset: manifest.analytics.map(|table| table.dataset),
        secrets,
        headers: headers(manifest.verify),
        sst: manifest.sst.map(|table| Sst {
            app: table.app,
            stage: table.stage,
            migration: table.migration.into_inner(),
        }),
        traffic: manifest.traffic.as_ref().and_then(traffic),
        rollout: manifest.rollout.map(|table| rollout(table.into_inner())),
    }
}

fn rollout(table: manifest::Rollout) -> Rollout {
    Rollout {
        steps: table.steps.unwrap_or_else(Stages::usual),
        min_samples: table.min_samples.map_or(200, Whole::get),
        max_refusal_delta: table.max_refusal_delta.map_or(0.01, Decimal::get),
        max_p99_ratio: table.max_p99_ratio.map_or(1.5, Decimal::get),
        on_inconclusive: table.on_inconclusive.unwrap_or(OnInconclusive::Hold),
    }
}

fn traffic(table: &manifest::Traffic) -> Option<Traffic> {
    let said = Said {
        users: Some(table.users.get()),
        tokens: Some(table.tokens.get()),
        updates_per_minute: Some(table.updates_per_minute.get()),
        connects_per_day: table.connects_per_day.map(Whole::get),
        tokens_per_user: table.tokens_per_user.map(Whole::get),
        batch: table.batch.map(Whole::get),
        active_hours_per_day: table.active_hours_per_day.map(Whole::get),
    };
    said.or(None)
}

fn code_update(table: &manifest::CodeUpdate) -> CodeUpdateStrategy {
    let five_minutes = Duration::from_secs(300);
    let delay = table.max_delay.map_or(five_minutes, Span::get).as_secs();
    CodeUpdateStrategy {
        mode: table.mode,
        max_delay: (table.mode == CodeUpdateMode::Deferred).then_some(delay),
    }
}

fn hosts(routes: &[manifest::Route], regions: &[manifest::Region]) -> Vec<Served> {
    let main = routes.iter().map(|route| Served {
        host: route.host.as_ref().clone(),
        by: match (route.custom_domain, &route.override_dns) {
            (false, _) => ServedBy::ZoneRoute,
            (true, Some(yes)) if *yes.as_ref() => ServedBy::CustomDomain(OverrideDns::Allowed),
            (true, _) => ServedBy::CustomDomain(OverrideDns::Never),
        },
    });
    let regional = regions.iter().map(|region| Served {
        host: region.host.as_ref().clone(),
        by: ServedBy::ZoneRoute,
    });
    main.chain(regional).collect()
}

fn region(table: &manifest::Region) -> Region {
    let continents = table.continents.iter();
    Region {
        name: table.name.as_ref().to_string(),
        host: table.host.as_ref().to_string(),
        location_hint: table.location_hint.as_ref().to_string(),
        continents: continents.map(|code| code.as_ref().to_string()).collect(),
    }
}

fn gateway(
    table: &manifest::Access,
    regions: &[manifest::Region],
    connect: Rate,
    broadcast: Rate,
) -> GatewaySettings {
    GatewaySettings {
        allowed_origins: match &table.allowed_origins {
            Some(origins) => origins.iter().map(ToString::to_string).collect(),
            None => vec!["*".to_owned()],
        },
        require_origin: table.require_origin,
        require_signature: table.require_signature,
        compression: table.compression,
        connections_per_ip: table.connections_per_ip.map_or(500, Whole::get),
        max_message_bytes: table.max_message_bytes.map_or(16_384, Whole::get),
        connect_period: connect.period,
        broadcast_period: broadcast.period,
        regions: regions.iter().map(region).collect(),
    }
}

fn rate(table: Option<manifest::Rate>, limit: u32) -> Rate {
    table.map_or(Rate { limit, period: 60 }, |table| Rate {
        limit: table.limit.get(),
        period: table.period,
    })
}

fn room(table: &manifest::Room) -> RoomSettings {
    RoomSettings {
        max_connections: table.max_connections.map_or(32_000, Whole::get),
        max_shards: table.max_shards.map_or(8, Whole::get),
        batch_window_ms: table.batch_window.map_or(10, milliseconds),
        conflate: table.conflate.unwrap_or(Conflate::Latest),
        conflate_key: table
            .conflate_key
            .as_ref()
            .map_or_else(settings::conflate_key, |names| names.get().to_vec()),
        history: table.history.map_or(64, Whole::get),
        idle_timeout_ms: table.idle_timeout.map_or(90_000, milliseconds),
        publish_rate: table.publish_rate.map_or(1000, Whole::get),
    }
}

fn milliseconds<const MIN: u64, const MAX: u64>(span: Span<MIN, MAX>) -> u32 {
    u32::try_from(span.get().as_millis()).expect("a manifest's spans have an upper bound")
}

fn headers(table: manifest::Verify) -> BTreeMap<String, Source> {
    let headers = table.headers.into_iter();
    headers
        .map(|(name, header)| (name.as_ref().to_string(), header.source))
        .collect()
}

fn secrets(
    name: &EnvironmentName,
    manifest: &Manifest,
    broken: &mut Vec<Broken>,
) -> BTreeMap<String, Secret> {
    let mut secrets = BTreeMap::new();
    for (secret_name, table) in &manifest.secrets {
        let secret_name = secret_name.as_ref().as_str();
        let names = Names {
            environment: name.as_str(),
            worker: manifest.worker.name.as_ref().as_str(),
            stage: manifest.sst.as_ref().map(|sst| sst.stage.as_str()),
            secret: secret_name,
            variable: match &table.source {
                Source::Env(variable) => variable,
                _ => secret_name,
            },
        };
        let mut senders = Vec::new();
        for sender in &table.senders {
            match Sender::new(sender.as_ref(), names) {
                Ok(sender) => senders.push(sender),
                Err(message) => broken.push((sender.span(), message)),
            }
        }
        let ten_minutes = Duration::from_secs(600);
        let secret = Secret {
            source: table.source.clone(),
            rotate_every: table.rotate_every.map(Span::get),
            retry_horizon: table.retry_horizon.map_or(ten_minutes, Span::get),
            senders,
        };
        secrets.insert(secret_name.to_owned(), secret);
    }
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same stand in `docs/manifest.md`, which a test tries one by one.
    #[test]
    #[expect(clippy::too_many_lines, reason = "one expected value, whole")]
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
        let environment = Environment::resolve(&"e".parse().unwrap(), "e.toml", source).unwrap();
        insta::assert_debug_snapshot!(environment, @r#"
Environment {
    name: EnvironmentName(
        "e",
    ),
    worker: "w",
    owner: None,
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
    code_update: CodeUpdateStrategy {
        mode: Deferred,
        max_delay: Some(
            300,
        ),
    },
    jurisdiction: None,
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
        connections_per_ip: 500,
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
        conflate_key: [
            "type",
        ],
        history: 64,
        idle_timeout_ms: 90000,
        publish_rate: 1000,
    },
    connect_rate: Rate {
        limit: 1000,
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
    headers: {},
    sst: None,
    traffic: None,
    rollout: None,
}
"#);
    }
}
