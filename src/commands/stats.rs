//! `stats`: what an environment has counted.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use edge_broadcast_protocol::contract::token::PROBE_PREFIX;
use indicatif::HumanCount;
use serde::Serialize;

use super::Context;
use super::cli::{By, Stats as Args};
use crate::cloudflare::Cloudflare;
use crate::cloudflare::analytics::ask;
use crate::environment::Environment;
use crate::metric::figures::{Figures, Quantiles, Row, by_key, count, number, text};
use crate::metric::question::{self, Key, Scope};
use crate::terminal::advice::Advice;
use crate::terminal::escape;
use crate::terminal::output;
use crate::terminal::sparkline::sparkline;

/// Tokens that are shown.
const TOKENS: usize = 10;
/// Bars of a line of figures over time.
const BARS: u64 = 30;

#[derive(Serialize)]
struct Answer {
    environment: String,
    dataset: String,
    since_seconds: u64,
    /// Other environments of this project that write to the same data set: their figures are among these.
    shared_with: Vec<String>,
    all: Figures,
    /// By the key that was asked for; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Vec<Keyed>>,
    refusals: Vec<Refusals>,
    tokens: Vec<Token>,
    timeline: Timeline,
}

/// The figures of one key.
#[derive(Serialize)]
struct Keyed {
    key: String,
    figures: Figures,
}

/// How often something was refused, and why.
#[derive(Serialize)]
struct Refusals {
    code: String,
    /// `refused`, or `failed` where something was wrong with the system.
    outcome: String,
    count: u64,
}

/// A room that was much heard.
#[derive(Serialize)]
struct Token {
    token: String,
    broadcasts: u64,
    deliveries: u64,
}

/// Figures over time, the oldest first.
#[derive(Default, Serialize)]
struct Timeline {
    step_seconds: u64,
    connects: Vec<f64>,
    publishes: Vec<f64>,
    broadcasts: Vec<f64>,
    deliveries: Vec<f64>,
    refusals: Vec<f64>,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let environment = context.project.environment(&args.environment.environment)?;
    let Some(dataset) = &environment.dataset else {
        return Err(Advice::new(
            format!(
                "`{}` counts nothing: its manifest has no `[analytics]`",
                environment.name
            ),
            "add `[analytics]` with a `dataset`, then deploy".to_owned(),
        )
        .into());
    };
    let scope = Scope {
        dataset: dataset.as_str(),
        seconds: args.since.as_secs().max(1),
    };
    let cloudflare = Cloudflare::from_env(&environment)?.telling(&context.progress);
    let all = figures(&cloudflare, scope, Key::All).await?;
    let by = match args.by {
        Some(by) => {
            let found = figures(&cloudflare, scope, key(by)).await?.into_iter();
            Some(found.map(|(key, figures)| Keyed { key, figures }).collect())
        }
        None => None,
    };
    let answer = Answer {
        environment: environment.name.to_string(),
        dataset: dataset.to_string(),
        since_seconds: scope.seconds,
        shared_with: sharing(context, &environment),
        all: all.into_values().next().unwrap_or_default(),
        by,
        refusals: refusals(&ask(&cloudflare, &question::refusals(scope)).await?),
        tokens: tokens(&ask(&cloudflare, &question::tokens(scope)).await?),
        timeline: timeline(&cloudflare, scope).await?,
    };
    match args.csv {
        true => output::line(csv(&answer)?.trim_end()),
        false => context.format.answer(&answer),
    }
}

fn key(by: By) -> Key {
    match by {
        By::Version => Key::Version,
        By::Region => Key::Region,
        By::Token => Key::Token,
    }
}

/// The environments of the project, without this one, that write to its data set.
fn sharing(context: &Context, environment: &Environment) -> Vec<String> {
    let others = context.project.good();
    let others =
        others.filter(|it| it.name != environment.name && it.dataset == environment.dataset);
    others.map(|it| it.name.to_string()).collect()
}

async fn figures(
    cloudflare: &Cloudflare,
    scope: Scope<'_>,
    key: Key,
) -> anyhow::Result<BTreeMap<String, Figures>> {
    let events = ask(cloudflare, &question::events(scope, key)).await?;
    let broadcasts = ask(cloudflare, &question::milliseconds(scope, key, "broadcast")).await?;
    let publishes = ask(cloudflare, &question::milliseconds(scope, key, "publish")).await?;
    Ok(by_key(&events, &broadcasts, &publishes))
}

fn refusals(rows: &[Row]) -> Vec<Refusals> {
    let refusal = |row| Refusals {
        code: text(row, "code"),
        outcome: text(row, "outcome"),
        count: count(row, "events"),
    };
    rows.iter().map(refusal).collect()
}

fn tokens(rows: &[Row]) -> Vec<Token> {
    let token = |row| Token {
        token: text(row, "token"),
        broadcasts: count(row, "broadcasts"),
        deliveries: count(row, "deliveries"),
    };
    let tokens = rows.iter().map(token);
    // Rooms of verifications are nobody's
    let heard = tokens.filter(|it: &Token| !it.token.starts_with(PROBE_PREFIX));
    heard.take(TOKENS).collect()
}

async fn timeline(cloudflare: &Cloudflare, scope: Scope<'_>) -> anyhow::Result<Timeline> {
    let step_seconds = (scope.seconds / BARS).max(1);
    let rows = ask(cloudflare, &question::timeline(scope, step_seconds)).await?;
    let mut times: Vec<u64> = rows.iter().map(|row| count(row, "t")).collect();
    times.dedup();
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return Ok(Timeline::default());
    };
    let steps = ((last - first) / step_seconds + 1) as usize;
    let of = |event: &str, column: &str| {
        let mut line = vec![0.0; steps];
        for row in rows.iter().filter(|row| text(row, "event") == event) {
            let at = (count(row, "t") - first) / step_seconds;
            line[at as usize] += number(row, column);
        }
        line
    };
    Ok(Timeline {
        step_seconds,
        connects: of("connect", "events"),
        publishes: of("publish", "events"),
        broadcasts: of("broadcast", "events"),
        deliveries: of("broadcast", "count"),
        refusals: of("refusal", "events"),
    })
}

/// The figures as comma-separated values (RFC 4180): a row for each key, or one for all.
fn csv(answer: &Answer) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "key",
        "connects",
        "disconnects",
        "handshakes",
        "publishes",
        "broadcasts",
        "deliveries",
        "partial",
        "missed",
        "refused",
        "failed",
        "broadcast_p50_ms",
        "broadcast_p99_ms",
        "publish_p50_ms",
        "publish_p99_ms",
    ])?;
    let all = vec![Keyed {
        key: String::new(),
        figures: answer.all.clone(),
    }];
    for Keyed { key, figures } in answer.by.as_ref().unwrap_or(&all) {
        let counts = counts(figures).map(|(_, count)| count.to_string());
        let times = [&figures.broadcast_ms, &figures.publish_ms];
        let times = times.into_iter().flat_map(|it| [it.p50, it.p99]);
        let times = times.map(|time| time.map_or(String::new(), |time| time.to_string()));
        writer.write_record([key.clone()].into_iter().chain(counts).chain(times))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// The counts with their names, in the order in which they are shown.
fn counts(figures: &Figures) -> [(&'static str, u64); 10] {
    [
        ("connects", figures.connects),
        ("disconnects", figures.disconnects),
        ("handshakes", figures.handshakes),
        ("publishes", figures.publishes),
        ("broadcasts", figures.broadcasts),
        ("deliveries", figures.deliveries),
        ("partial", figures.partial),
        ("missed", figures.missed),
        ("refused", figures.refused),
        ("failed", figures.failed),
    ]
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let since = humantime::format_duration(Duration::from_secs(self.since_seconds));
        write!(f, "{}, the last {since}", self.environment)?;
        for other in &self.shared_with {
            write!(f, "\n  with `{other}`, which writes to the same data set")?;
        }
        totals(f, &self.all, &self.timeline)?;
        for Keyed { key, figures } in self.by.iter().flatten() {
            of_key(f, key, figures)?;
        }
        if !self.refusals.is_empty() {
            f.write_str("\n\nrefusals")?;
        }
        for refusal in &self.refusals {
            write!(f, "\n{refusal}")?;
        }
        if !self.tokens.is_empty() {
            f.write_str("\n\ntokens, by deliveries")?;
        }
        self.tokens
            .iter()
            .try_for_each(|token| write!(f, "\n{token}"))
    }
}

/// Every figure, with its course where there is one.
fn totals(f: &mut fmt::Formatter, all: &Figures, timeline: &Timeline) -> fmt::Result {
    for (name, count) in counts(all) {
        let course = match name {
            "connects" => sparkline(&timeline.connects),
            "publishes" => sparkline(&timeline.publishes),
            "broadcasts" => sparkline(&timeline.broadcasts),
            "deliveries" => sparkline(&timeline.deliveries),
            "refused" => sparkline(&timeline.refusals),
            _ => String::new(),
        };
        let line = format!(
            "\n  {name:<12} {:>16}  {course}",
            HumanCount(count).to_string()
        );
        f.write_str(line.trim_end_matches(' '))?;
    }
    time(f, "broadcast", all.broadcast_ms)?;
    time(f, "publish", all.publish_ms)
}

/// The figures of one key that are not nothing.
fn of_key(f: &mut fmt::Formatter, key: &str, figures: &Figures) -> fmt::Result {
    let key = if key.is_empty() { "(none)" } else { key };
    write!(f, "\n\n{}", escape::line(key))?;
    for (name, count) in counts(figures).into_iter().filter(|(_, count)| *count > 0) {
        write!(f, "\n  {name:<12} {:>16}", HumanCount(count).to_string())?;
    }
    time(f, "broadcast", figures.broadcast_ms)?;
    time(f, "publish", figures.publish_ms)
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let count = HumanCount(self.count).to_string();
        write!(
            f,
            "  {count:>12}  {} ({})",
            escape::line(&self.code),
            self.outcome
        )
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (deliveries, frames) = (
            HumanCount(self.deliveries).to_string(),
            HumanCount(self.broadcasts),
        );
        write!(
            f,
            "  {deliveries:>12}  {} in {frames} frames",
            escape::line(&self.token)
        )
    }
}

fn time(f: &mut fmt::Formatter, what: &str, Quantiles { p50, p99 }: Quantiles) -> fmt::Result {
    match (p50, p99) {
        (Some(p50), Some(p99)) => write!(f, "\n  {what:<12} p50 {p50:.0} ms, p99 {p99:.0} ms"),
        _ => Ok(()),
    }
}
