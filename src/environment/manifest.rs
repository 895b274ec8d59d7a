//! A manifest as it is written: `environments/<name>.toml`, every key, no defaults but serde's.
//!
//! Manifests never inherit from each other. Defaults and rules across fields are applied in `resolve` and `rules`.

use std::collections::BTreeMap;
use std::ops::Range;

use edge_broadcast_protocol::contract::settings::MAX_SHARDS;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_spanned::Spanned;

use crate::environment::name::{
    AccountId, CompatibilityDate, Continent, Dataset, Decimal, HeaderName, Host, Jurisdiction,
    LocationHint, MemberNames, Origin, Owner, RegionName, SecretName, Span, SstName, Stages, Whole,
    WorkerName,
};
use crate::environment::problem::{self, Problem};
use crate::secret::{Source, sender};
use crate::terminal::decoding;

/// One environment as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub worker: Worker,
    pub cloudflare: Cloudflare,
    #[serde(default)]
    pub routes: Vec<Route>,
    #[serde(default)]
    pub regions: Vec<Region>,
    #[serde(default)]
    pub room: Room,
    #[serde(default)]
    pub access: Access,
    #[serde(default)]
    #[schemars(with = "BTreeMap<SecretName, Secret>")]
    pub secrets: BTreeMap<Spanned<SecretName>, Secret>,
    #[serde(default)]
    pub verify: Verify,
    pub analytics: Option<Analytics>,
    pub sst: Option<Sst>,
    pub traffic: Option<Traffic>,
    #[schemars(with = "Option<Rollout>")]
    pub rollout: Option<Spanned<Rollout>>,
}

/// `[worker]`: what both scripts share.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Worker {
    /// Script names begin with it.
    #[schemars(with = "WorkerName")]
    pub name: Spanned<WorkerName>,
    /// Whose the scripts are; without it, the repository's.
    pub owner: Option<Owner>,
    pub compatibility_date: CompatibilityDate,
    /// Sets `ENVIRONMENT = "development"`, which turns debug logging on, and deploys the page at `/console`.
    #[serde(default)]
    pub debug: bool,
    /// Workers logs in the dashboard.
    pub observability: Option<bool>,
    /// Milliseconds of CPU that one request may use.
    pub cpu_ms: Option<Whole<10, 300_000>>,
    #[serde(default)]
    pub code_update: CodeUpdate,
    /// Where the objects run and store, and nowhere else.
    pub jurisdiction: Option<Jurisdiction>,
}

/// `worker.code_update`: when running Durable Objects are restarted on a new version of the room.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeUpdate {
    pub mode: CodeUpdateMode,
    pub max_delay: Option<Span<0, 86_400_000>>,
}

/// `code_update_strategy.mode` of Cloudflare's deployments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CodeUpdateMode {
    Immediate,
    #[default]
    Deferred,
}

/// `[cloudflare]`: where it runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cloudflare {
    pub account_id: Option<AccountId>,
    pub zone: Host,
    /// A deployment asks first, or needs `--yes`.
    #[serde(default)]
    pub protected: bool,
    /// Whether the gateway is also reachable under `workers.dev`.
    #[serde(default)]
    pub workers_dev: bool,
}

/// `[[routes]]`: a host that the gateway serves for clients of every region.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    #[schemars(with = "Host")]
    pub host: Spanned<Host>,
    /// A custom domain (Cloudflare makes the DNS record and certificate) instead of a zone route `host/*`.
    #[serde(default)]
    pub custom_domain: bool,
    /// Whether a custom domain may take over a DNS record: Cloudflare does that for the record of another Worker only.
    #[serde(default)]
    #[schemars(with = "Option<bool>")]
    pub override_dns: Option<Spanned<bool>>,
}

/// `[[regions]]`: a host that chooses a region, and where the region's shards live.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Region {
    #[schemars(with = "RegionName")]
    pub name: Spanned<RegionName>,
    #[schemars(with = "Host")]
    pub host: Spanned<Host>,
    #[schemars(with = "LocationHint")]
    pub location_hint: Spanned<LocationHint>,
    /// Clients of these continents get this region on the main hosts.
    #[serde(default)]
    #[schemars(with = "Vec<Continent>")]
    pub continents: Vec<Spanned<Continent>>,
}

/// `[room]`: the Durable Object. Changing it makes every socket reconnect.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Room {
    pub max_connections: Option<Whole<1, 32_768>>,
    pub max_shards: Option<Whole<1, MAX_SHARDS>>,
    pub batch_window: Option<Span<0, 10_000>>,
    #[schemars(schema_with = "super::schema::conflate")]
    pub conflate: Option<edge_broadcast_protocol::contract::settings::Conflate>,
    pub conflate_key: Option<MemberNames>,
    pub history: Option<Whole<0, 10_000>>,
    /// No less than the ten seconds within which the room looks no closer at whoever has pinged (`js::seen`).
    pub idle_timeout: Option<Span<10_000, 3_600_000>>,
    pub publish_rate: Option<Whole<0, 100_000>>,
}

/// `[access]`: who may connect and publish, and how much.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Access {
    /// Without it every page may connect; an empty list refuses every browser.
    pub allowed_origins: Option<Vec<Origin>>,
    #[serde(default)]
    pub require_origin: bool,
    #[serde(default)]
    pub require_signature: bool,
    #[serde(default)]
    pub compression: bool,
    pub connections_per_ip: Option<Whole<0, 32_768>>,
    pub connect_rate: Option<Rate>,
    pub broadcast_rate: Option<Rate>,
    pub max_message_bytes: Option<Whole<64, 1_048_576>>,
}

/// A limit of Cloudflare's rate-limit binding.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rate {
    pub limit: Whole<1, 1_000_000>,
    /// Seconds over which it counts.
    #[serde(deserialize_with = "period")]
    #[schemars(schema_with = "super::schema::period")]
    pub period: u32,
}

fn period<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match i64::deserialize(deserializer)? {
        10 => Ok(10),
        60 => Ok(60),
        seconds => Err(D::Error::custom(format!(
            "{seconds} is not a rate limit's period\nCloudflare counts over 10 or 60 seconds: use 10 or 60"
        ))),
    }
}

/// `[secrets.NAME]`: where a value comes from. Never the value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secret {
    pub source: Source,
    pub rotate_every: Option<Span<3_600_000, 315_360_000_000>>,
    /// How long a sender may go on retrying with the old value after it got the new one.
    pub retry_horizon: Option<Span<0, 604_800_000>>,
    /// Programs and files that must learn a new value.
    #[serde(default)]
    #[schemars(with = "Vec<sender::Entry>")]
    pub senders: Vec<Spanned<sender::Entry>>,
}

/// `[verify]`: what requests to the hosts need beside the gateway's own credentials.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verify {
    /// Headers that open what stands before the hosts, like those of a service token of Cloudflare Access.
    #[serde(default)]
    #[schemars(with = "BTreeMap<HeaderName, Header>")]
    pub headers: BTreeMap<Spanned<HeaderName>, Header>,
}

/// `[verify.headers.NAME]`: where the header's value comes from. Never the value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub source: Source,
}

/// `[analytics]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Analytics {
    pub dataset: Dataset,
}

/// `[sst]`: the publisher's side, for what is generated for it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sst {
    pub app: SstName,
    pub stage: SstName,
    #[schemars(with = "Migration")]
    pub migration: Spanned<Migration>,
}

/// How a publisher moves from SQS to the edge.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Migration {
    pub mode: MigrationMode,
    /// The share of updates that go to the edge; only of the mode `percent`.
    pub percent: Option<Whole<0, 100>>,
}

/// `sst.migration.mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MigrationMode {
    Sqs,
    Percent,
    Dual,
    Edge,
}

/// `[traffic]`: what to expect, for `cost` and `plan`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Traffic {
    pub users: Whole<0, 1_000_000_000>,
    pub tokens: Whole<0, 100_000_000>,
    /// Of each token.
    pub updates_per_minute: Whole<0, 1_000_000>,
    /// How often a user opens the app on a day.
    pub connects_per_day: Option<Whole<0, 10_000>>,
    /// Rooms that a user is in at once.
    pub tokens_per_user: Option<Whole<0, 10_000>>,
    /// Updates that a publisher sends in one request.
    pub batch: Option<Whole<1, 1000>>,
    /// Hours of a day in which updates come.
    pub active_hours_per_day: Option<Whole<1, 24>>,
}

/// `[rollout]`: how a new version gets the traffic, and what sends it back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollout {
    /// Shares of the traffic in percent.
    pub steps: Option<Stages>,
    /// Events that each version must have counted.
    pub min_samples: Option<Whole<1, 1_000_000>>,
    /// How much greater the new version's share of refused events may be.
    pub max_refusal_delta: Option<Decimal<0, 1>>,
    /// How many times as long the new version's slowest hundredth may take.
    pub max_p99_ratio: Option<Decimal<1, 100>>,
    pub on_inconclusive: Option<OnInconclusive>,
}

/// What follows where too little was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnInconclusive {
    /// The rollout stays where it is.
    Hold,
    Continue,
}

/// Reads a manifest's text. `path` is only for the problem.
pub(crate) fn parse(path: &str, source: &str) -> Result<Manifest, Problem> {
    toml_edit::de::from_str(source).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let mut message = plain(error.message().trim_end());
        let is_key = message.starts_with("unknown field ") && begins_line(source, span.start);
        let is_hidden = problem::may_hold_value(source, span.start) && !is_key;
        if is_hidden {
            message = decoding::without_value(&message);
        }
        let better = match is_hidden {
            // Nothing of the text is repeated
            true => None,
            false => better(&message, source, &span),
        };
        let message = match (better, help(&message)) {
            (Some(better), _) => better,
            (None, Some(help)) => format!("{message}\n{help}"),
            (None, None) => message,
        };
        Problem::at(path, source, span, &message)
    })
}

/// What to say of the mistakes that serde has no words for.
fn better(message: &str, source: &str, span: &Range<usize>) -> Option<String> {
    let text = source.get(span.clone())?;
    if message.ends_with("expected a string") && text.parse::<toml_edit::Datetime>().is_ok() {
        return Some(format!(
            "`{text}` is not in quotes, and a date is a text here\nwrite `\"{text}\"`"
        ));
    }
    // A header, and no list in a list: that is never the first of its line but in another list, where it has no bare name in it
    let header = text.lines().next();
    let header = header.filter(|_| begins_line(source, span.start));
    let name = header.and_then(|line| line.strip_prefix("[[")?.split_once("]]"));
    if message.starts_with("invalid type")
        && let Some((name, _)) = name.filter(|(name, _)| is_bare(name))
    {
        return Some(format!(
            "`[[{name}]]` begins one of several tables, and there is one only\nwrite `[{name}]`"
        ));
    }
    if message.ends_with("expected a sequence") {
        let line = source.get(span.start..)?.lines().next()?.trim();
        let name = line.strip_prefix('[')?.split(']').next()?;
        return is_bare(name).then(|| {
            format!("`[{name}]` is one table, and there can be several of them\nwrite `[[{name}]]`")
        });
    }
    None
}

/// Whether nothing but space stands before the byte `at` on its line.
fn begins_line(source: &str, at: usize) -> bool {
    let before = source[..at].rsplit('\n').next();
    before.is_none_or(|before| before.trim().is_empty())
}

/// Whether it is the name of a table as manifests have them, and no value.
fn is_bare(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_letter)
}

/// Serde's names of types in words of TOML.
fn plain(message: &str) -> String {
    let message = message.replace("expected i64", "expected a whole number");
    let message = message.replace("expected f64", "expected a number");
    match message.split_once(", expected struct ") {
        Some((found, _)) => format!("{found}, expected a table"),
        None => message,
    }
}

/// Way out, unless the message's own second line says it.
fn help(message: &str) -> Option<String> {
    if message.contains('\n') {
        return None;
    }
    let unknown = message
        .strip_prefix("unknown field ")
        .or_else(|| message.strip_prefix("unknown variant "));
    if let Some(names) = unknown {
        return Some(nearest(names));
    }
    if let Some(field) = message.strip_prefix("missing field ") {
        return Some(format!("add {field}: `docs/manifest.md` lists every key"));
    }
    let expected = message.rsplit_once("expected ").map(|(_, what)| what);
    Some(
        match expected {
            Some("a whole number") => "write a whole number, without quotes",
            Some("a number") => "write a number, without quotes",
            Some("a boolean") => "write `true` or `false`, without quotes",
            Some("a string") => "write a text, in quotes",
            Some("a span of time") => {
                "write a number and a unit in quotes, like `\"10ms\"`, `\"90s\"` or `\"90d\"`"
            }
            Some("a sequence") => "write a list, in brackets",
            Some("a table") => {
                "write a table: `{ key = value }`, or its name in brackets and its keys below"
            }
            _ => {
                "a manifest is TOML: tables like `[room]`, and under each its keys, each once, like `name = \"text\"`"
            }
        }
        .to_owned(),
    )
}

/// For serde's `` `nmae`, expected one of `name`, … ``: the nearest of the expected names.
fn nearest(names: &str) -> String {
    let mut quoted = names.split('`').skip(1).step_by(2);
    let wrong = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.collect();
    match crate::terminal::suggestion::nearest(wrong, &known) {
        Some(known) => format!("did you mean `{known}`?"),
        None => "write one of those, or remove it".to_owned(),
    }
}
