//! What must change so that Cloudflare matches the manifest, and what stands in the way.
//!
//! Pure: knows nothing of HTTP. `apply` performs what [`Plan::between`] decided and decides nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use edge_broadcast_protocol::binding;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::bundle::Worker;
use crate::environment::{Environment, ServedBy};
use crate::script::{self, Script};

/// What the manifest and the bundles ask for.
#[derive(Clone, Debug)]
pub struct Desired {
    pub environment: String,
    pub zone: String,
    /// Room first: the gateway's binding needs the class to exist.
    pub scripts: [Wanted; 2],
    pub hosts: Vec<(String, ServedBy)>,
}

/// A script with its code.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub script: Script,
    /// The bundle's content hash, 16 hexadecimal digits.
    pub code: String,
}

impl Wanted {
    /// The version's `workers/tag` (at most 25 characters): code, then settings. Equal tags are equal versions, secrets aside.
    pub fn tag(&self) -> String {
        let script = &self.script;
        let settings = json!([
            script.bindings,
            script.compatibility_date,
            script.cpu_ms,
            script.migrations,
        ]);
        let digest = Sha256::digest(settings.to_string());
        let short: String = digest[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{}-{short}", self.code)
    }
}

/// What is live, as far as the manifest governs it. Made by GETs only.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Observed {
    pub scripts: BTreeMap<String, Live>,
    /// Every zone route of the zone, whosever it is.
    pub routes: Vec<LiveRoute>,
    /// Every custom domain of the zone, whosever it is.
    pub domains: Vec<LiveDomain>,
    /// Durable Object classes by script.
    pub classes: BTreeMap<String, BTreeSet<String>>,
}

/// A script that exists.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Live {
    /// The versions that get traffic, the largest share first.
    pub split: Vec<Share>,
    /// The version with the largest share.
    pub active: LiveVersion,
    /// The newest version, which need not be deployed, and its tag.
    pub latest: Option<(String, Option<String>)>,
    pub tags: BTreeSet<String>,
    pub observability: bool,
    pub workers_dev: bool,
    pub previews: bool,
}

/// A version's share of the traffic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    pub version_id: String,
    pub percentage: f64,
}

/// A version as it was uploaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LiveVersion {
    pub id: String,
    pub tag: Option<String>,
    /// The content hash of the modules, from our tag or by reading them back.
    pub code: Option<String>,
    /// Bindings without the secrets, as the API writes them.
    pub bindings: BTreeMap<String, Value>,
    pub secrets: BTreeSet<String>,
    pub compatibility_date: String,
    pub cpu_ms: Option<u32>,
    pub migration_tag: Option<String>,
}

/// A zone route.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveRoute {
    pub id: String,
    pub pattern: String,
    /// None switches Workers off for the pattern.
    pub script: Option<String>,
}

/// A custom domain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveDomain {
    pub id: String,
    pub hostname: String,
    pub script: String,
}

/// The steps from what is observed to what is desired, in the order in which they must happen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    pub environment: String,
    pub socket_impact: SocketImpact,
    pub steps: Vec<Step>,
}

/// What a plan does to open WebSockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SocketImpact {
    None,
    /// A new version of the room restarts its objects: every client reconnects.
    Reconnect,
}

/// One write, or one write and the deployment that makes it live.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Code, bindings and settings of a script.
    Upload(Upload),
    /// `cf:service` and `cf:environment`, and what else is not part of a version.
    Settings {
        script: String,
        tags: BTreeSet<String>,
        observability: bool,
        changes: Vec<Change>,
    },
    /// Whether `workers.dev` serves the script.
    WorkersDev {
        script: String,
        enabled: bool,
        changes: Vec<Change>,
    },
    AddRoute {
        pattern: String,
        script: String,
    },
    RemoveRoute {
        pattern: String,
        id: String,
        script: String,
    },
    AddDomain {
        hostname: String,
        script: String,
        override_dns: OverrideDns,
    },
    RemoveDomain {
        hostname: String,
        id: String,
        script: String,
    },
}

/// Whether a custom domain may replace a DNS record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OverrideDns {
    Never,
    Allowed,
}

/// A new version of a script.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Upload {
    pub role: Worker,
    pub script: String,
    pub tag: String,
    pub lane: Lane,
    /// Names of secrets that this version brings; all others are kept.
    pub secrets: BTreeSet<String>,
    pub changes: Vec<Change>,
}

/// How a version becomes live.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "lane", rename_all = "snake_case")]
pub enum Lane {
    /// A new Worker or a pending migration: one `PUT` at 100 %. `versions` refuses migrations with 10211.
    Lifecycle {
        why: String,
        old_tag: Option<String>,
        migrations: Vec<String>,
    },
    /// A version, then a deployment of it that replaces the version `replaces`.
    Code {
        replaces: Vec<String>,
        /// The newest version already is what is wanted, left over from an interrupted run.
        adopt: Option<String>,
    },
}

/// A difference in one resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    pub what: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// Something live that a deployment would have to destroy or take over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    pub problem: String,
    pub way_out: String,
}

/// Conflicts as an error: nothing was written.
#[derive(Debug)]
pub struct Conflicts(pub Vec<Conflict>);

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("nothing was changed, because of what is live:")?;
        for conflict in &self.0 {
            write!(f, "\n  - {}\n    {}", conflict.problem, conflict.way_out)?;
        }
        Ok(())
    }
}

impl std::error::Error for Conflicts {}

impl Desired {
    /// What `environment` asks for, with the content hashes of the two bundles.
    pub fn new(environment: &Environment, gateway_code: String, room_code: String) -> Self {
        Self {
            environment: environment.name.to_string(),
            zone: environment.zone.to_string(),
            scripts: [
                Wanted {
                    script: script::room(environment),
                    code: room_code,
                },
                Wanted {
                    script: script::gateway(environment),
                    code: gateway_code,
                },
            ],
            hosts: environment
                .all_hosts()
                .map(|served| (served.host.to_string(), served.by))
                .collect(),
        }
    }

    fn gateway(&self) -> &str {
        &self.scripts[1].script.name
    }
}

impl Plan {
    /// Decides every write, or says why there can be none.
    pub fn between(desired: &Desired, observed: &Observed) -> Result<Self, Conflicts> {
        let mut conflicts = Vec::new();
        let mut steps = Vec::new();
        let mut socket_impact = SocketImpact::None;
        for wanted in &desired.scripts {
            let live = observed.scripts.get(&wanted.script.name);
            conflicts.extend(script_conflicts(wanted, live, observed));
            let upload = upload(wanted, live);
            if wanted.script.role == Worker::Room && live.is_some() && upload.is_some() {
                socket_impact = SocketImpact::Reconnect;
            }
            steps.extend(upload.map(Step::Upload));
            steps.extend(settings(&wanted.script, live));
        }
        steps.extend(host_steps(desired, observed, &mut conflicts));
        if conflicts.is_empty() {
            Ok(Self {
                environment: desired.environment.clone(),
                socket_impact,
                steps,
            })
        } else {
            Err(Conflicts(conflicts))
        }
    }

    /// Whether nothing has to change.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The secrets whose values the plan sends.
    pub fn secrets(&self) -> BTreeSet<&str> {
        self.steps
            .iter()
            .filter_map(|step| match step {
                Step::Upload(upload) => Some(&upload.secrets),
                _ => None,
            })
            .flatten()
            .map(String::as_str)
            .collect()
    }
}

fn script_conflicts(wanted: &Wanted, live: Option<&Live>, observed: &Observed) -> Vec<Conflict> {
    let script = &wanted.script;
    let name = &script.name;
    let mut conflicts = Vec::new();
    let Some(live) = live else { return conflicts };
    if live.split.len() > 1 {
        let parts: Vec<String> = live
            .split
            .iter()
            .map(|share| format!("`{}` at {} %", share.version_id, share.percentage))
            .collect();
        conflicts.push(Conflict {
            problem: format!("`{name}` has a gradual deployment running: {}", parts.join(", ")),
            way_out: format!("finish or undo it first: `edge-broadcast rollback {} --to VERSION` puts one version at 100 %", script.environment),
        });
    }
    if let Some(tag) = &live.active.migration_tag
        && !script
            .migrations
            .iter()
            .any(|migration| migration.tag == *tag)
    {
        conflicts.push(Conflict {
            problem: format!("`{name}` is at the Durable Object migration `{tag}`, which this project does not know"),
            way_out: "replaying migrations over it could delete rooms: use another `worker.name`, or the version of this project that made it".to_owned(),
        });
    }
    let wanted_classes: BTreeSet<&String> = script
        .migrations
        .iter()
        .flat_map(|migration| &migration.new_sqlite_classes)
        .collect();
    for class in observed.classes.get(name).into_iter().flatten() {
        if !wanted_classes.contains(class) {
            conflicts.push(Conflict {
                problem: format!("`{name}` has a Durable Object class `{class}`, which this project would delete with all its data"),
                way_out: "use another `worker.name`, or delete the class with a migration of its own project".to_owned(),
            });
        }
    }
    conflicts
}

fn upload(wanted: &Wanted, live: Option<&Live>) -> Option<Upload> {
    let script = &wanted.script;
    let nothing = LiveVersion::default();
    let version = live.map_or(&nothing, |live| &live.active);
    let secrets: BTreeSet<String> = script
        .secrets
        .iter()
        .filter(|name| !filled(name, &version.secrets))
        .cloned()
        .collect();
    let pending = pending(script, version.migration_tag.as_deref());
    let mut changes = Vec::new();
    let mut note = |what: String, before: Option<Value>, after: Option<Value>| {
        if before != after {
            changes.push(Change {
                what,
                before,
                after,
            });
        }
    };
    note(
        "code".to_owned(),
        version.code.as_ref().map(|code| json!(code)),
        Some(json!(wanted.code)),
    );
    if let Some(pending) = pending.last() {
        note(
            "migration".to_owned(),
            version.migration_tag.as_ref().map(|tag| json!(tag)),
            Some(json!(pending)),
        );
    }
    let live_date =
        (!version.compatibility_date.is_empty()).then(|| json!(version.compatibility_date));
    note(
        "compatibility date".to_owned(),
        live_date,
        Some(json!(script.compatibility_date)),
    );
    note(
        "cpu limit (ms)".to_owned(),
        version.cpu_ms.map(|ms| json!(ms)),
        script.cpu_ms.map(|ms| json!(ms)),
    );
    let wanted_bindings: BTreeMap<String, Value> = script
        .bindings
        .iter()
        .map(|(name, binding)| {
            (
                name.clone(),
                serde_json::to_value(binding).expect("bindings are plain data"),
            )
        })
        .collect();
    let names: BTreeSet<&String> = wanted_bindings
        .keys()
        .chain(version.bindings.keys())
        .collect();
    for name in names {
        binding_changes(
            name,
            version.bindings.get(name),
            wanted_bindings.get(name),
            &mut note,
        );
    }
    for name in &secrets {
        note(format!("secret {name}"), None, Some(json!("set")));
    }
    if changes.is_empty() {
        return None;
    }
    let lane = match live {
        None => Lane::Lifecycle {
            why: "the Worker is new".to_owned(),
            old_tag: None,
            migrations: pending,
        },
        Some(_) if !pending.is_empty() => Lane::Lifecycle {
            why: format!("the migration `{}` is pending", pending.join("`, `")),
            old_tag: version.migration_tag.clone(),
            migrations: pending,
        },
        Some(live) => Lane::Code {
            replaces: live
                .split
                .iter()
                .map(|share| share.version_id.clone())
                .collect(),
            adopt: live
                .latest
                .as_ref()
                .filter(|(id, tag)| {
                    tag.as_deref() == Some(&wanted.tag()) && *id != version.id && secrets.is_empty()
                })
                .map(|(id, _)| id.clone()),
        },
    };
    Some(Upload {
        role: script.role,
        script: script.name.clone(),
        tag: wanted.tag(),
        lane,
        secrets,
        changes,
    })
}

/// Whether a secret has a value. The webhook secret has two slots of equal rank: after a rotation the other one is filled.
fn filled(name: &str, live: &BTreeSet<String>) -> bool {
    live.contains(name)
        || (name == binding::WEBHOOK_SECRET && live.contains(binding::WEBHOOK_SECRET_ALTERNATE))
}

/// The tags of the migrations after `tag`. An unknown tag is a conflict, found elsewhere.
fn pending(script: &Script, tag: Option<&str>) -> Vec<String> {
    let tags = script
        .migrations
        .iter()
        .map(|migration| migration.tag.clone());
    match tag {
        None => tags.collect(),
        Some(tag) => tags.skip_while(|known| known != tag).skip(1).collect(),
    }
}

/// A JSON binding is compared key by key, so that a plan names the setting that changes.
fn binding_changes(
    name: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    note: &mut impl FnMut(String, Option<Value>, Option<Value>),
) {
    let object = |value: Option<&Value>| value.and_then(|value| value["json"].as_object().cloned());
    match (object(before), object(after)) {
        (Some(before), Some(after)) => {
            let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for key in keys {
                note(
                    format!("binding {name}.{key}"),
                    before.get(key).cloned(),
                    after.get(key).cloned(),
                );
            }
        }
        _ => note(format!("binding {name}"), before.cloned(), after.cloned()),
    }
}

fn settings(script: &Script, live: Option<&Live>) -> Vec<Step> {
    let wanted: BTreeSet<String> = [
        format!("cf:service={}", script.service),
        format!("cf:environment={}", script.environment),
    ]
    .into();
    let mut steps = Vec::new();
    let tags: BTreeSet<String> = live.map(|live| live.tags.clone()).unwrap_or_default();
    let observability = live.is_some_and(|live| live.observability);
    let mut changes = Vec::new();
    if !tags.is_superset(&wanted) {
        let merged: BTreeSet<&String> = tags.union(&wanted).collect();
        changes.push(Change {
            what: "tags".to_owned(),
            before: live.map(|_| json!(tags)),
            after: Some(json!(merged)),
        });
    }
    if observability != script.observability && live.is_some() {
        changes.push(Change {
            what: "observability".to_owned(),
            before: Some(json!(observability)),
            after: Some(json!(script.observability)),
        });
    }
    if !changes.is_empty() {
        steps.push(Step::Settings {
            script: script.name.clone(),
            tags: tags.union(&wanted).cloned().collect(),
            observability: script.observability,
            changes,
        });
    }
    // A new Worker is served on workers.dev unless that is switched off.
    if live.is_none_or(|live| live.workers_dev != script.workers_dev || live.previews) {
        steps.push(Step::WorkersDev {
            script: script.name.clone(),
            enabled: script.workers_dev,
            changes: vec![Change {
                what: "workers.dev".to_owned(),
                before: live.map(|live| json!(live.workers_dev)),
                after: Some(json!(script.workers_dev)),
            }],
        });
    }
    steps
}

fn host_steps(desired: &Desired, observed: &Observed, conflicts: &mut Vec<Conflict>) -> Vec<Step> {
    let gateway = desired.gateway();
    let mut steps = Vec::new();
    let mut patterns = BTreeSet::new();
    let mut hostnames = BTreeSet::new();
    for (host, by) in &desired.hosts {
        if *by == ServedBy::ZoneRoute {
            let pattern = format!("{host}/*");
            match observed
                .routes
                .iter()
                .find(|route| route.pattern == pattern)
            {
                None => steps.push(Step::AddRoute {
                    pattern: pattern.clone(),
                    script: gateway.to_owned(),
                }),
                Some(route) if route.script.as_deref() == Some(gateway) => {}
                Some(route) => conflicts.push(Conflict {
                    problem: match &route.script {
                        Some(owner) => {
                            format!("the route `{pattern}` belongs to the script `{owner}`")
                        }
                        None => format!("the route `{pattern}` is set to run no Worker"),
                    },
                    way_out:
                        "remove that route in the dashboard, or use another host in the manifest"
                            .to_owned(),
                }),
            }
            patterns.insert(pattern);
        } else {
            match observed
                .domains
                .iter()
                .find(|domain| domain.hostname == *host)
            {
                None => steps.push(Step::AddDomain {
                    hostname: host.clone(),
                    script: gateway.to_owned(),
                    override_dns: match by {
                        ServedBy::CustomDomainOverridingDns => OverrideDns::Allowed,
                        _ => OverrideDns::Never,
                    },
                }),
                Some(domain) if domain.script == gateway => {}
                Some(domain) => conflicts.push(Conflict {
                    problem: format!(
                        "the custom domain `{host}` belongs to the script `{}`",
                        domain.script
                    ),
                    way_out:
                        "remove it from that script first, or use another host in the manifest"
                            .to_owned(),
                }),
            }
            hostnames.insert(host.clone());
        }
    }
    for route in &observed.routes {
        if route.script.as_deref() == Some(gateway) && !patterns.contains(&route.pattern) {
            steps.push(Step::RemoveRoute {
                pattern: route.pattern.clone(),
                id: route.id.clone(),
                script: gateway.to_owned(),
            });
        }
    }
    for domain in &observed.domains {
        if domain.script == gateway && !hostnames.contains(&domain.hostname) {
            steps.push(Step::RemoveDomain {
                hostname: domain.hostname.clone(),
                id: domain.id.clone(),
                script: gateway.to_owned(),
            });
        }
    }
    steps
}

impl Step {
    /// One line without values: what the step does, for progress and reports.
    pub fn title(&self) -> String {
        match self {
            Self::Upload(Upload {
                script,
                lane: Lane::Lifecycle { .. },
                ..
            }) => format!("upload `{script}` and deploy it"),
            Self::Upload(Upload {
                script,
                lane:
                    Lane::Code {
                        adopt: Some(version),
                        ..
                    },
                ..
            }) => {
                format!(
                    "deploy the version `{version}` of `{script}`, which an earlier run uploaded"
                )
            }
            Self::Upload(Upload { script, .. }) => {
                format!("upload a version of `{script}` and deploy it")
            }
            Self::Settings { script, .. } => format!("set the tags of `{script}`"),
            Self::WorkersDev {
                script,
                enabled: true,
                ..
            } => format!("serve `{script}` on workers.dev"),
            Self::WorkersDev { script, .. } => format!("keep `{script}` off workers.dev"),
            Self::AddRoute { pattern, script } => format!("route `{pattern}` to `{script}`"),
            Self::RemoveRoute {
                pattern, script, ..
            } => format!("remove the route `{pattern}` of `{script}`"),
            Self::AddDomain {
                hostname, script, ..
            } => format!("attach the custom domain `{hostname}` to `{script}`"),
            Self::RemoveDomain {
                hostname, script, ..
            } => format!("detach the custom domain `{hostname}` from `{script}`"),
        }
    }

    fn changes(&self) -> &[Change] {
        match self {
            Self::Upload(upload) => &upload.changes,
            Self::Settings { changes, .. } | Self::WorkersDev { changes, .. } => changes,
            _ => &[],
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.is_empty() {
            return write!(f, "{}: nothing to change", self.environment);
        }
        let steps = match self.steps.len() {
            1 => "1 step".to_owned(),
            count => format!("{count} steps"),
        };
        write!(f, "{}: {steps}", self.environment)?;
        for (number, step) in self.steps.iter().enumerate() {
            write!(f, "\n\n{}. {}", number + 1, step.title())?;
            if let Step::Upload(Upload { lane, .. }) = step {
                match lane {
                    Lane::Lifecycle { why, .. } => {
                        write!(f, "\n   lane: lifecycle, because {why}")?
                    }
                    Lane::Code { .. } => write!(f, "\n   lane: code")?,
                }
            }
            for change in step.changes() {
                write!(f, "\n   {change}")?;
            }
        }
        write!(
            f,
            "\n\nsocket impact: {}",
            match self.socket_impact {
                SocketImpact::None => "none",
                SocketImpact::Reconnect =>
                    "reconnect (a new version of the room restarts its objects)",
            }
        )
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let short = |value: &Value| match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        match (&self.before, &self.after) {
            (None, Some(after)) => write!(f, "+ {}: {}", self.what, short(after)),
            (Some(before), None) => write!(f, "- {}: {}", self.what, short(before)),
            (Some(before), Some(after)) => {
                write!(f, "~ {}: {} -> {}", self.what, short(before), short(after))
            }
            (None, None) => write!(f, "  {}", self.what),
        }
    }
}
