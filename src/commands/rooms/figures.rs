//! What a room has said, for people, with what follows from two looks at it. Pure.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use edge_broadcast_protocol::contract::counters::Counters;
use edge_broadcast_protocol::contract::report::{Object, Report};
use edge_broadcast_protocol::contract::slot::{Slot, Use};
use serde::Serialize;

use crate::terminal::sparkline::sparkline;

/// Looks that a sparkline has.
const WIDTH: usize = 60;

/// A look at a room.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Look {
    pub(super) environment: String,
    /// When it was asked.
    pub(super) time: String,
    pub(super) room: Report,
    /// What happened since the look before, a second; absent in the first one of a watch.
    pub(super) rates: Option<Rates>,
}

/// Counts a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Rates {
    pub(super) publishes: f64,
    pub(super) deliveries: f64,
    pub(super) connects: f64,
}

/// The looks so far, as far as lines are drawn of them.
#[derive(Debug, Default)]
pub(super) struct Past {
    sockets: Vec<f64>,
    publishes: Vec<f64>,
    last: Option<(Counters, Duration)>,
}

/// A look as it is shown, the newest of several.
pub(super) struct Shown<'a> {
    pub(super) look: &'a Look,
    pub(super) past: &'a Past,
}

impl Past {
    /// What follows from a further look, at `now` by a clock that only goes forward.
    pub(super) fn rates(&mut self, room: &Report, now: Duration) -> Option<Rates> {
        let counted = counted(room);
        let rates = self.last.as_ref().map(|(before, then)| {
            let span = now.saturating_sub(*then).as_secs_f64();
            // A shard that did not answer this time is missing in the sum
            let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / span;
            Rates {
                publishes: rate(counted.publishes, before.publishes),
                deliveries: rate(counted.deliveries, before.deliveries),
                connects: rate(counted.connects, before.connects),
            }
        });
        keep(&mut self.sockets, room.sockets.into());
        keep(
            &mut self.publishes,
            rates.map_or(f64::NAN, |rates| rates.publishes),
        );
        self.last = Some((counted, now));
        rates
    }
}

fn keep(figures: &mut Vec<f64>, figure: f64) {
    figures.push(figure);
    if figures.len() > WIDTH {
        figures.remove(0);
    }
}

/// The objects of a room by name, those that answered.
fn objects(room: &Report) -> impl Iterator<Item = (&str, &Object)> {
    let shards = room.shards.iter();
    let shards = shards.filter_map(|(name, object)| Some((name.as_str(), object.as_ref()?)));
    std::iter::once((room.token.as_str(), &room.root)).chain(shards)
}

/// All that its objects have counted.
fn counted(room: &Report) -> Counters {
    let mut sum = Counters::default();
    for (_, object) in objects(room) {
        sum.add(&object.counters);
    }
    sum
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let past = Past::default();
        let shown = Shown {
            look: self,
            past: &past,
        };
        shown.fmt(f)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Look {
            environment,
            time,
            room,
            rates,
        } = self.look;
        let sum = counted(room);
        write!(f, "{} in {environment} at {time}", room.token)?;
        write!(f, "\n  sockets    {}{}", room.sockets, Regions(room))?;
        line(f, &self.past.sockets)?;
        write!(f, "\n  updates    {} published", sum.publishes)?;
        if let Some(rates) = rates {
            write!(f, ", {:.1}/s", rates.publishes)?;
        }
        line(f, &self.past.publishes)?;
        write!(
            f,
            "\n  dropped    {} stale ({} of another clock), {} conflated, {} above the rate; {} repeats",
            sum.stale, sum.implausible_slots, sum.conflated, sum.limited, sum.duplicates
        )?;
        write!(f, "\n  frames     {} written", sum.deliveries)?;
        if let Some(rates) = rates {
            write!(f, ", {:.1}/s", rates.deliveries)?;
        }
        write!(
            f,
            "; {} failed, {} times a shard was late",
            sum.failed_sends, sum.failed_shards
        )?;
        write!(f, "\n  clients    {} connected", sum.connects)?;
        if let Some(rates) = rates {
            write!(f, ", {:.1}/s", rates.connects)?;
        }
        write!(
            f,
            ", {} refused; closed: {} silent, {} slow, {} loud",
            sum.refused_connects, sum.swept, sum.slow, sum.loud
        )?;
        write!(f, "\n  numbering  {} in the epoch {}", room.seq, room.epoch)?;
        secrets(f, room)?;
        write!(f, "\n  wake-ups   {}", room.wake_ups)?;
        for (name, object) in objects(room) {
            awake(f, name, object)?;
        }
        for name in room.shards.iter().filter(|(_, it)| it.is_none()) {
            write!(f, "\n    {} did not answer", name.0)?;
        }
        let cost = &room.cost;
        write!(
            f,
            "\n  {}    {} requests, {} frames of clients, {} rows, {} s awake: ${:.4} at list price",
            cost.month,
            cost.requests,
            cost.messages,
            cost.rows_written,
            cost.active_ms / 1000,
            cost.estimated_usd
        )
    }
}

/// The figures of several looks.
fn line(f: &mut fmt::Formatter, figures: &[f64]) -> fmt::Result {
    match figures.len() {
        0 | 1 => Ok(()),
        _ => write!(f, "  {}", sparkline(figures)),
    }
}

/// The regions that have sockets, where there are regions.
struct Regions<'a>(&'a Report);

impl fmt::Display for Regions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let regions = self.0.regions.iter().filter(|(name, _)| !name.is_empty());
        let regions: Vec<String> = regions
            .map(|(name, sockets)| format!("{name} {sockets}"))
            .collect();
        match regions.is_empty() {
            true => Ok(()),
            false => write!(f, " ({})", regions.join(", ")),
        }
    }
}

/// The accepted publishes of each slot that was used.
fn secrets(f: &mut fmt::Formatter, room: &Report) -> fmt::Result {
    for slot in Slot::ALL {
        let Use { uses, last_used } = room.secret_uses.of(slot);
        if let Some(last_used) = last_used {
            let (name, last) = (slot.binding(), time(last_used));
            write!(f, "\n  secret     {name} {uses} times, last at {last}")?;
        }
    }
    Ok(())
}

/// One object: where it is, what it holds, and why it is in memory. That somebody looks at it holds it too.
fn awake(f: &mut fmt::Formatter, name: &str, object: &Object) -> fmt::Result {
    let region = match object.region.as_str() {
        "" => String::new(),
        region => format!(" in {region}"),
    };
    let awake = &object.awake;
    write!(
        f,
        "\n    {name}{region}: {} sockets, awake since {}, woken by {}",
        object.sockets,
        time(awake.since_ms),
        awake.woken_by
    )?;
    match awake.held_by.as_slice() {
        [] => Ok(()),
        held => write!(f, ", held by {}", held.join(", ")),
    }
}

pub(super) fn time(unix_ms: u64) -> String {
    let time: SystemTime = UNIX_EPOCH + Duration::from_millis(unix_ms.min(253_402_300_799_999));
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(sockets: u32, publishes: u64, deliveries: u64) -> serde_json::Value {
        json!({
            "region": "eu", "sockets": sockets,
            "awake": { "since_ms": 1_795_785_182_395_u64, "woken_by": "connect", "held_by": ["batch_window", "save"] },
            "counters": { "publishes": publishes, "deliveries": deliveries, "connects": 5, "stale": 2, "refused_connects": 1 },
        })
    }

    fn room(sockets: u32, publishes: u64) -> Report {
        let report = json!({
            "token": "SOL", "epoch": "34650940", "seq": 42, "sockets": sockets, "regions": { "eu": 3, "us": 4 },
            "publishes": publishes, "drops": 2, "wake_ups": 6,
            "secret_uses": { "WEBHOOK_SECRET": { "uses": 9, "last_used": 1_795_785_182_407_u64 } },
            "cost": { "month": "2026-11", "requests": 100, "messages": 20, "rows_written": 7, "active_ms": 61_000, "estimated_usd": 0.123_456 },
            "root": object(3, publishes, 30),
            "shards": { "SOL/us/0": object(4, 0, 40), "SOL/us/1": null },
        });
        serde_json::from_value(report).unwrap()
    }

    fn look(room: Report, rates: Option<Rates>) -> Look {
        Look {
            environment: "staging".to_owned(),
            time: "2026-11-27T12:33:02Z".to_owned(),
            room,
            rates,
        }
    }

    #[test]
    fn one_look_has_every_figure_of_the_room_and_its_objects() {
        assert_eq!(
            look(room(7, 10), None).to_string(),
            "SOL in staging at 2026-11-27T12:33:02Z
  sockets    7 (eu 3, us 4)
  updates    10 published
  dropped    4 stale (0 of another clock), 0 conflated, 0 above the rate; 0 repeats
  frames     70 written; 0 failed, 0 times a shard was late
  clients    10 connected, 2 refused; closed: 0 silent, 0 slow, 0 loud
  numbering  42 in the epoch 34650940
  secret     WEBHOOK_SECRET 9 times, last at 2026-11-27T13:13:02Z
  wake-ups   6
    SOL in eu: 3 sockets, awake since 2026-11-27T13:13:02Z, woken by connect, held by batch_window, save
    SOL/us/0 in eu: 4 sockets, awake since 2026-11-27T13:13:02Z, woken by connect, held by batch_window, save
    SOL/us/1 did not answer
  2026-11    100 requests, 20 frames of clients, 7 rows, 61 s awake: $0.1235 at list price"
        );
    }

    #[test]
    fn rates_follow_from_two_looks_and_a_line_from_several() {
        let mut past = Past::default();
        let seconds = Duration::from_secs;
        assert_eq!(past.rates(&room(0, 10), seconds(1)), None);
        let rates = past.rates(&room(7, 30), seconds(5)).unwrap();
        assert_eq!((rates.publishes, rates.connects), (5.0, 0.0));
        // A shard that answered before and does not now
        let rates = past.rates(&room(7, 10), seconds(6)).unwrap();
        assert_eq!(rates.publishes, 0.0);
        let look = look(room(7, 10), Some(rates));
        let shown = Shown {
            look: &look,
            past: &past,
        };
        let shown = shown.to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1], "  sockets    7 (eu 3, us 4)  ▁██");
        assert_eq!(lines[2], "  updates    10 published, 0.0/s   █▁");
        for second in 7..100 {
            past.rates(&room(1, 1), seconds(second));
        }
        assert_eq!((past.sockets.len(), past.publishes.len()), (WIDTH, WIDTH));
    }
}
