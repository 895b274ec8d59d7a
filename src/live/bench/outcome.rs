//! The result of a load, as it is told and kept. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::latency::Latency;
use super::load::Load;
use super::tally::{Kinds, Sum, Tally};

/// Columns of the longest bar.
const WIDTH: usize = 48;

/// What was measured, with what. An earlier one is read back as far as it is compared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) target: String,
    /// When it began.
    pub(crate) time: String,
    /// The versions that answered.
    pub(crate) versions: Versions,
    pub(crate) settings: Settings,
    /// Whether Ctrl-C ended it.
    pub(crate) interrupted: bool,
    pub(crate) sockets: Sockets,
    pub(crate) updates: Updates,
    /// Delivered of all that were to be delivered, 0 to 1.
    pub(crate) reach: Option<f64>,
    pub(crate) deliveries_per_second: Option<f64>,
    pub(crate) latency_ms: Option<Latency>,
    /// By how much this machine sent later than it meant to, at most, in milliseconds.
    pub(crate) late_ms: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Versions {
    pub(crate) gateway: Option<String>,
    pub(crate) room: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) sockets: u32,
    pub(crate) tokens: usize,
    pub(crate) rate: f64,
    pub(crate) connect_rate: f64,
    pub(crate) seconds: f64,
    pub(crate) warm_up_seconds: f64,
    pub(crate) bytes: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sockets {
    pub(crate) connected: u64,
    pub(crate) refused: Kinds,
    pub(crate) closed: Kinds,
    pub(crate) connect_ms: Option<Latency>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Updates {
    pub(crate) published: u64,
    pub(crate) failed: Kinds,
    pub(crate) expected: u64,
    pub(crate) delivered: u64,
    pub(crate) conflated: u64,
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
}

impl Settings {
    /// What a load is.
    pub(crate) fn of(load: &Load) -> Self {
        Self {
            sockets: load.sockets,
            tokens: load.tokens.len(),
            rate: load.rate,
            connect_rate: load.connect_rate,
            seconds: load.duration.as_secs_f64(),
            warm_up_seconds: load.warm_up.as_secs_f64(),
            bytes: load.bytes,
        }
    }
}

/// What is known before the load begins.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) target: String,
    pub(crate) time: String,
    pub(crate) versions: Versions,
    pub(crate) settings: Settings,
}

impl Measured {
    /// The result so far.
    pub(crate) fn outcome(&self, tally: &Tally) -> Outcome {
        let sum = tally.sum();
        let Sum {
            published,
            expected,
            delivered,
            conflated,
            lost,
        } = sum;
        let wanted = expected - conflated;
        let seconds = tally.measured().as_secs_f64();
        Outcome {
            target: self.target.clone(),
            time: self.time.clone(),
            versions: self.versions.clone(),
            settings: self.settings.clone(),
            interrupted: false,
            sockets: Sockets {
                connected: tally.connected,
                refused: tally.refused.clone(),
                closed: tally.closed.clone(),
                connect_ms: tally.connects.told(),
            },
            updates: Updates {
                published,
                failed: tally.failed.clone(),
                expected,
                delivered,
                conflated,
                lost,
                repeated: tally.repeated,
            },
            reach: (wanted > 0).then(|| delivered as f64 / wanted as f64),
            deliveries_per_second: (seconds > 0.0).then(|| delivered as f64 / seconds),
            latency_ms: tally.latencies.told(),
            late_ms: tally.late.as_secs_f64() * 1000.0,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Updates {
            published,
            failed,
            expected,
            delivered,
            conflated,
            lost,
            repeated,
        } = &self.updates;
        write!(f, "{}", self.target)?;
        if self.interrupted {
            write!(f, " (interrupted: the result so far)")?;
        }
        write!(
            f,
            "\n  sockets     {} of {}",
            self.sockets.connected, self.settings.sockets
        )?;
        if let Some(connects) = &self.sockets.connect_ms {
            write!(f, ", {}", Quantiles(connects))?;
        }
        kinds(f, "refused", &self.sockets.refused)?;
        kinds(f, "closed", &self.sockets.closed)?;
        write!(f, "\n  updates     {published} published")?;
        kinds(f, "failed", failed)?;
        write!(f, "\n  reach       ")?;
        match self.reach {
            Some(reach) => write!(f, "{}", percent(reach))?,
            None => write!(f, "nothing was to be delivered")?,
        }
        write!(
            f,
            "\n  frames      {delivered} of {expected} delivered, {conflated} conflated, {lost} lost, {repeated} repeated"
        )?;
        if let Some(rate) = self.deliveries_per_second {
            write!(f, "\n  deliveries  {rate:.1}/s")?;
        }
        if let Some(latency) = &self.latency_ms {
            write!(f, "\n  latency     {}", Quantiles(latency))?;
            bars(f, latency)?;
        }
        if self.late_ms > LATE_MS {
            write!(
                f,
                "\n  this machine sent up to {:.0} ms later than it meant to: that is in the latency",
                self.late_ms
            )?;
        }
        Ok(())
    }
}

/// Less is the clock's own.
const LATE_MS: f64 = 50.0;

struct Quantiles<'a>(&'a Latency);

impl fmt::Display for Quantiles<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Latency {
            p50, p90, p99, max, ..
        } = self.0;
        write!(
            f,
            "p50 {p50:.1} ms, p90 {p90:.1} ms, p99 {p99:.1} ms, max {max:.1} ms"
        )
    }
}

/// Never 100 % of what is not whole.
fn percent(share: f64) -> String {
    match share {
        1.0 => "100 %".to_owned(),
        _ => format!("{:.2} %", (share * 10_000.0).floor() / 100.0),
    }
}

fn kinds(f: &mut fmt::Formatter, what: &str, kinds: &Kinds) -> fmt::Result {
    for (kind, count) in kinds {
        write!(f, "\n    {count} {what}: {kind}")?;
    }
    Ok(())
}

/// At most 80 columns.
fn bars(f: &mut fmt::Formatter, latency: &Latency) -> fmt::Result {
    let greatest = latency.histogram.iter().map(|bar| bar.count).max();
    let greatest = greatest.unwrap_or(1).max(1) as f64;
    for bar in &latency.histogram {
        let long = (bar.count as f64 / greatest * WIDTH as f64).ceil() as usize;
        write!(
            f,
            "\n  {:>10} ms {:>9}",
            format!("< {}", bar.below_ms),
            bar.count
        )?;
        if long > 0 {
            write!(f, " {}", "█".repeat(long))?;
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::super::load::{Load, made_up};
    use super::super::tally::Conflation;
    use super::*;

    pub(in super::super) fn outcome(ms: u64) -> Outcome {
        let load = Load {
            sockets: 3,
            tokens: made_up(1),
            rate: 10.0,
            connect_rate: 100.0,
            duration: Duration::from_secs(1),
            warm_up: Duration::ZERO,
            bytes: 200,
        };
        let mut tally = Tally::new(&load, Conflation::Possible);
        tally.opened(0, Duration::from_millis(4));
        tally.opened(0, Duration::from_millis(4));
        tally.refused("4029 connect_rate".to_owned());
        for n in 0..10 {
            let due = load.due(n);
            tally.sent(n, due, due);
            tally.taken(n, n as u64 + 1, n == 3);
            for socket in 0..2 {
                let slow = u64::from(n == 9) * 10 + socket;
                if n != 3 && (n, socket) != (5, 1) {
                    tally.heard(n, n as u64 + 1, due + Duration::from_millis(ms + slow));
                }
            }
        }
        let measured = Measured {
            target: "staging".to_owned(),
            time: "2026-11-27T12:00:00Z".to_owned(),
            versions: Versions::default(),
            settings: Settings::of(&load),
        };
        measured.outcome(&tally)
    }

    #[test]
    fn a_result_says_what_was_lost_apart_from_what_was_replaced_in_eighty_columns() {
        let told = outcome(3).to_string();
        insta::assert_snapshot!(told, @"
        staging
          sockets     2 of 3, p50 4.0 ms, p90 4.0 ms, p99 4.0 ms, max 4.0 ms
            1 refused: 4029 connect_rate
          updates     10 published
          reach       94.44 %
          frames      17 of 20 delivered, 2 conflated, 1 lost, 0 repeated
          deliveries  18.6/s
          latency     p50 4.0 ms, p90 13.0 ms, p99 14.0 ms, max 14.0 ms
                 < 4 ms         8 ████████████████████████████████████████████████
                 < 8 ms         7 ██████████████████████████████████████████
                < 16 ms         2 ████████████
        ");
        assert!(told.lines().all(|line| line.chars().count() <= 80));
        assert_eq!(percent(0.999_999), "99.99 %");
    }
}
