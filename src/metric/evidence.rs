//! Whether a release is worse than the one before it, by what both counted in the same time.
//!
//! A release is called worse only where chance is no explanation: bounds are Chernoff's, which hold for every number of samples, and
//! each is wrong at most once in [`ONCE_IN`]. Whatever is not surely worse passes: what small numbers cannot tell, the next share can.
//!
//! Requests are given a version one by one, rooms as they are made: what a busy room counts is one sample however often it counted it.
//! So of rooms the bounds take the number of rooms, and of requests the number of requests.
//!
//! Source of the bounds: Hoeffding, "Probability inequalities for sums of bounded random variables" (1963), theorem 1, and of the
//! number of samples that weighted ones stand for: Kish, "Survey Sampling" (1965), 11.7.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::figures::{Row, number, text};

/// How seldom one bound may be wrong.
const ONCE_IN: f64 = 10_000.0;
/// Milliseconds that nobody notices: a time that is longer by less is not longer.
const UNNOTICED_MS: f64 = 10.0;

/// What a release must keep to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// Events of each version without which nothing is said.
    pub(crate) min_samples: u32,
    /// How much greater the share of refused events may be, 0 to 1.
    pub(crate) max_refusal_delta: f64,
    /// How many times as long the slowest hundredth may take.
    pub(crate) max_p99_ratio: f64,
}

/// What is said of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Surely beyond a limit.
    Worse,
    /// Nothing shows that it is.
    NoWorse,
    /// One of the two versions was hardly used.
    TooFewSamples,
}

/// The kinds of what is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// The share of events that were refused, or failed.
    Refused,
    /// The share of frames that not every object took.
    Partial,
    /// The milliseconds that all but a hundredth are within: of handshakes, of publishes and of frames.
    HandshakeP99,
    PublishP99,
    BroadcastP99,
}

/// One comparison.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Compared {
    pub(crate) measure: Measure,
    /// Shares from 0 to 1, or milliseconds.
    pub(crate) new: f64,
    pub(crate) old: f64,
    /// Whether it is surely beyond its limit.
    pub(crate) worse: bool,
}

/// What two versions of a script counted, and what follows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Evidence {
    pub(crate) verdict: Verdict,
    /// Events, fewer where Cloudflare kept only a sample of them.
    pub(crate) new_samples: u64,
    pub(crate) old_samples: u64,
    pub(crate) compared: Vec<Compared>,
}

/// Weighted events: Cloudflare keeps some for many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Weight {
    sum: f64,
    /// Of the squares.
    squares: f64,
}

impl Weight {
    fn add(&mut self, other: Self) {
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// The number of events without weights that would say as much.
    fn samples(self) -> f64 {
        match self.squares > 0.0 {
            true => self.sum * self.sum / self.squares,
            false => 0.0,
        }
    }
}

/// A share of events.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    hits: f64,
    of: Weight,
}

impl Share {
    fn value(self) -> f64 {
        match self.of.sum > 0.0 {
            true => self.hits / self.of.sum,
            false => 0.0,
        }
    }

    /// What the share that lies behind the samples, of which `most` are independent, is surely not below.
    fn lower(self, most: f64) -> f64 {
        bound(self.value(), self.of.samples().min(most), 0.0)
    }

    /// And not above.
    fn upper(self, most: f64) -> f64 {
        bound(self.value(), self.of.samples().min(most), 1.0)
    }
}

/// The share between `value` and `end` from which so many samples would show `value` but once in [`ONCE_IN`].
fn bound(value: f64, samples: f64, end: f64) -> f64 {
    let most = ONCE_IN.ln();
    let (mut near, mut far) = (value, end);
    if samples * divergence(value, far) <= most {
        return end;
    }
    // Divergence grows with the distance
    for _ in 0..60 {
        let middle = f64::midpoint(near, far);
        match samples * divergence(value, middle) <= most {
            true => near = middle,
            false => far = middle,
        }
    }
    far
}

/// Kullback and Leibler's divergence of a coin with the share `seen` from one with the share `real`.
fn divergence(seen: f64, real: f64) -> f64 {
    let part = |seen: f64, real: f64| match seen > 0.0 {
        true => seen * (seen / real).ln(),
        false => 0.0,
    };
    part(seen, real) + part(1.0 - seen, 1.0 - real)
}

/// Milliseconds by how often, in their order.
#[derive(Clone, Debug, Default)]
struct Times(Vec<(f64, Weight)>);

impl Times {
    fn all(&self) -> Weight {
        self.above(f64::NEG_INFINITY).of
    }

    /// The share that took longer than `limit`.
    fn above(&self, limit: f64) -> Share {
        let mut share = Share::default();
        for (ms, weight) in &self.0 {
            share.of.add(*weight);
            if *ms > limit {
                share.hits += weight.sum;
            }
        }
        share
    }

    /// The milliseconds that all but a hundredth are within.
    fn p99(&self) -> f64 {
        let wanted = self.all().sum * 0.99;
        let mut sum = 0.0;
        let reached = self.0.iter().find(|(_, weight)| {
            sum += weight.sum;
            sum >= wanted
        });
        reached.or(self.0.last()).map_or(0.0, |(ms, _)| *ms)
    }
}

/// What one version counted.
#[derive(Clone, Debug, Default)]
struct Counted {
    /// The rooms that it counted for, each as far as it has its part of all events.
    rooms: Weight,
    /// Events that were refused, of all.
    refused: Share,
    /// Frames that not every object took, of all frames.
    partial: Share,
    handshakes: Times,
    publishes: Times,
    broadcasts: Times,
}

impl Counted {
    /// Adds one row of an answer to [`super::question::evidence`].
    fn add(&mut self, row: &Row) {
        let weight = Weight {
            sum: number(row, "events"),
            squares: number(row, "squares"),
        };
        self.refused.of.add(weight);
        let time = (number(row, "ms"), weight);
        match text(row, "event").as_str() {
            "refusal" => self.refused.hits += weight.sum,
            "handshake" => self.handshakes.0.push(time),
            "publish" => self.publishes.0.push(time),
            "broadcast" => {
                self.broadcasts.0.push(time);
                self.partial.of.add(weight);
                if text(row, "outcome") == "partial" {
                    self.partial.hits += weight.sum;
                }
            }
            _ => {}
        }
    }

    /// In the order of the milliseconds.
    fn sorted(mut self) -> Self {
        for times in [
            &mut self.handshakes,
            &mut self.publishes,
            &mut self.broadcasts,
        ] {
            times.0.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        }
        self
    }
}

/// Compares the versions `new` and `old` by the answer to [`super::question::evidence`], and, where they are versions of the room, to
/// [`super::question::rooms`].
pub(crate) fn evidence(
    events: &[Row],
    rooms: Option<&[Row]>,
    [new, old]: [&str; 2],
    limits: Limits,
) -> Evidence {
    let mut counted: BTreeMap<String, Counted> = BTreeMap::new();
    for row in events {
        counted.entry(text(row, "version")).or_default().add(row);
    }
    for row in rooms.unwrap_or_default() {
        let events = number(row, "events");
        let room = Weight {
            sum: events,
            squares: events * events,
        };
        let version = counted.entry(text(row, "version")).or_default();
        version.rooms.add(room);
    }
    let mut of = |version| counted.remove(version).unwrap_or_default().sorted();
    let both = [of(new), of(old)];
    let most = match rooms {
        Some(_) => both.each_ref().map(|it| it.rooms.samples()),
        None => [f64::INFINITY; 2],
    };
    judged(&both, most, limits)
}

/// The verdict, where of each version's samples at most so many are independent of each other.
fn judged([new, old]: &[Counted; 2], most: [f64; 2], limits: Limits) -> Evidence {
    let shares = [
        (Measure::Refused, new.refused, old.refused),
        (Measure::Partial, new.partial, old.partial),
    ];
    let shares = shares.map(|(measure, new, old)| share(measure, [new, old], most, limits));
    let times = [
        (Measure::HandshakeP99, &new.handshakes, &old.handshakes),
        (Measure::PublishP99, &new.publishes, &old.publishes),
        (Measure::BroadcastP99, &new.broadcasts, &old.broadcasts),
    ];
    let times = times.map(|(measure, new, old)| time(measure, [new, old], most, limits));
    let compared: Vec<Compared> = shares.into_iter().chain(times).flatten().collect();
    let samples = [new, old].map(|it| it.refused.of.samples());
    let verdict = if compared.iter().any(|it| it.worse) {
        Verdict::Worse
    } else if samples
        .iter()
        .any(|samples| *samples < f64::from(limits.min_samples))
    {
        Verdict::TooFewSamples
    } else {
        Verdict::NoWorse
    };
    let [new_samples, old_samples] = samples.map(|samples| samples.floor() as u64);
    Evidence {
        verdict,
        new_samples,
        old_samples,
        compared,
    }
}

/// None where a version has nothing of the kind.
fn share(
    measure: Measure,
    [new, old]: [Share; 2],
    [news, olds]: [f64; 2],
    limits: Limits,
) -> Option<Compared> {
    (new.of.sum > 0.0 && old.of.sum > 0.0).then(|| Compared {
        measure,
        new: new.value(),
        old: old.value(),
        worse: new.lower(news) - old.upper(olds) > limits.max_refusal_delta,
    })
}

/// The same of times. A new version that is nowhere more than `max_p99_ratio` times as slow as the old one has a share above the limit
/// that is no greater than the old one's share above its own p99.
fn time(
    measure: Measure,
    [new, old]: [&Times; 2],
    [news, olds]: [f64; 2],
    limits: Limits,
) -> Option<Compared> {
    let before = old.p99();
    let limit = (before * limits.max_p99_ratio).max(before + UNNOTICED_MS);
    (!new.0.is_empty() && !old.0.is_empty()).then(|| Compared {
        measure,
        new: new.p99(),
        old: before,
        worse: new.above(limit).lower(news) > old.above(before).upper(olds),
    })
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::Partial => "frames that missed objects",
            Self::HandshakeP99 => "p99 of handshakes",
            Self::PublishP99 => "p99 of publishes",
            Self::BroadcastP99 => "p99 of frames",
        })
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self {
            measure, new, old, ..
        } = self;
        match measure {
            Measure::Refused | Measure::Partial => write!(
                f,
                "{measure} {:.1} % (before: {:.1} %)",
                new * 100.0,
                old * 100.0
            ),
            _ => write!(f, "{measure} {new:.0} ms (before: {old:.0} ms)"),
        }
    }
}

/// The samples, and of a worse version what it is worse in, else all that was compared.
impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self {
            verdict,
            new_samples,
            old_samples,
            compared,
        } = self;
        write!(f, "{new_samples} events (before: {old_samples})")?;
        let told = compared
            .iter()
            .filter(|it| it.worse || *verdict != Verdict::Worse);
        for compared in told {
            write!(f, ", {compared}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::SmallRng;
    use serde_json::{Value, json};

    use super::*;

    const LIMITS: Limits = Limits {
        min_samples: 100,
        max_refusal_delta: 0.01,
        max_p99_ratio: 1.5,
    };

    fn row(version: &str, event: &str, outcome: &str, ms: u64, events: u64) -> Row {
        let row = json!({"version": version, "event": event, "outcome": outcome, "ms": ms, "events": events.to_string(), "squares": events});
        let Value::Object(row) = row else {
            unreachable!()
        };
        row
    }

    fn requests(rows: &[Row]) -> Evidence {
        evidence(rows, None, ["new", "old"], LIMITS)
    }

    #[test]
    fn a_release_that_refuses_more_is_worse_and_what_it_is_worse_in_is_told() {
        let told = requests(&[
            row("old", "publish", "ok", 4, 1900),
            row("old", "refusal", "refused", 0, 10),
            row("new", "publish", "ok", 4, 70),
            row("new", "refusal", "failed", 0, 30),
        ]);
        assert_eq!(told.verdict, Verdict::Worse);
        assert_eq!(
            told.to_string(),
            "100 events (before: 1910), refused 30.0 % (before: 0.5 %)"
        );
    }

    #[test]
    fn a_release_that_takes_longer_is_worse_unless_nobody_notices() {
        let slow = |ms| {
            requests(&[
                row("old", "publish", "ok", 4, 990),
                row("old", "publish", "ok", 40, 10),
                row("new", "publish", "ok", ms, 100),
            ])
        };
        assert_eq!(
            slow(61).to_string(),
            "100 events (before: 1000), p99 of publishes 61 ms (before: 4 ms)"
        );
        assert_eq!(slow(61).verdict, Verdict::Worse);
        // Within ten milliseconds
        assert_eq!(slow(14).verdict, Verdict::NoWorse);
        assert_eq!(slow(15).verdict, Verdict::Worse);
    }

    #[test]
    fn a_version_that_was_hardly_used_is_not_judged() {
        let few = requests(&[
            row("old", "publish", "ok", 4, 1900),
            row("new", "publish", "ok", 4, 99),
        ]);
        assert_eq!(few.verdict, Verdict::TooFewSamples);
        assert_eq!(requests(&[]).verdict, Verdict::TooFewSamples);
        // Of one event that stands for a hundred nothing follows
        let mut sampled = row("new", "refusal", "failed", 0, 100);
        sampled.insert("squares".to_owned(), json!(10_000));
        let sampled = requests(&[row("old", "publish", "ok", 4, 1900), sampled]);
        assert_eq!(
            (sampled.verdict, sampled.new_samples),
            (Verdict::TooFewSamples, 1)
        );
    }

    #[test]
    fn one_busy_room_proves_nothing_of_a_release() {
        let events = [
            row("old", "broadcast", "ok", 4, 10_000),
            row("new", "broadcast", "ok", 900, 10_000),
        ];
        let room = |version: &str, token: &str| {
            let row = json!({"version": version, "token": token, "events": 10_000});
            row.as_object().unwrap().clone()
        };
        let rooms = |count| {
            let names = (0..count).map(|name: usize| format!("T{name}"));
            let rooms = names.flat_map(|name| [room("old", &name), room("new", &name)]);
            let rooms: Vec<Row> = rooms.collect();
            evidence(&events, Some(&rooms), ["new", "old"], LIMITS).verdict
        };
        assert_eq!(rooms(1), Verdict::NoWorse);
        assert_eq!(rooms(40), Verdict::Worse);
    }

    /// So many requests as a version serves them: some refused, the others in times with a long tail.
    fn served(
        version: &str,
        random: &mut SmallRng,
        count: usize,
        [refused, slower]: [f64; 2],
    ) -> Vec<Row> {
        let mut counts: BTreeMap<(&str, u64), u64> = BTreeMap::new();
        for _ in 0..count {
            let event = match random.random_bool(refused) {
                true => ("refusal", 0),
                false => {
                    let tail = -random.random::<f64>().max(1e-9).ln();
                    let ms = (5.0 + 8.0 * tail * tail) * slower;
                    ("publish", ms as u64)
                }
            };
            *counts.entry(event).or_default() += 1;
        }
        let rows = counts.into_iter();
        rows.map(|((event, ms), count)| row(version, event, "ok", ms, count))
            .collect()
    }

    /// The verdicts of so many simulated releases.
    fn simulated(seeds: u64, new: [f64; 2]) -> Vec<Verdict> {
        let verdicts = (0..seeds).map(|seed| {
            let mut random = SmallRng::seed_from_u64(seed);
            let share = random.random_range(120..1000);
            let mut rows = served("old", &mut random, 2000, [0.02, 1.0]);
            rows.extend(served("new", &mut random, share, new));
            requests(&rows).verdict
        });
        verdicts.collect()
    }

    #[test]
    fn of_a_thousand_good_releases_none_is_called_worse() {
        let verdicts = simulated(1000, [0.02, 1.0]);
        assert_eq!(verdicts, [Verdict::NoWorse; 1000]);
        // At its limits, too
        let verdicts = simulated(500, [0.03, 1.5]);
        assert_eq!(verdicts, [Verdict::NoWorse; 500]);
    }

    #[test]
    fn nearly_all_bad_releases_are_found_with_hundreds_of_requests() {
        for new in [[0.35, 1.0], [0.02, 8.0]] {
            let verdicts = simulated(300, new);
            let found = verdicts.iter().filter(|it| **it == Verdict::Worse);
            assert!(found.count() >= 297, "{new:?}");
        }
    }

    proptest! {
        #[test]
        fn a_bound_lies_beyond_what_was_seen_and_comes_nearer_with_each_sample(
            hits in 0..500_u32, misses in 1..500_u32, more in 1.0..20.0_f64,
        ) {
            let (hits, samples) = (f64::from(hits), f64::from(hits + misses));
            let value = hits / samples;
            for end in [0.0, 1.0] {
                let few = (bound(value, samples, end) - value).abs();
                let many = (bound(value, samples * more, end) - value).abs();
                prop_assert!(many <= few + 1e-12);
                prop_assert!((0.0..=1.0).contains(&bound(value, samples, end)));
            }
        }

        #[test]
        fn a_refusal_more_never_makes_a_release_better(
            ok in 1..400_u64, refused in 0..400_u64, more in 1..100_u64, before in 0..50_u64,
        ) {
            let verdict = |refused| {
                let told = requests(&[
                    row("old", "publish", "ok", 4, 1000),
                    row("old", "refusal", "refused", 0, before),
                    row("new", "publish", "ok", 4, ok),
                    row("new", "refusal", "refused", 0, refused),
                ]);
                told.verdict == Verdict::Worse
            };
            prop_assert!(!verdict(refused) || verdict(refused + more));
        }

        #[test]
        fn a_slower_release_is_never_better(
            ms in prop::collection::vec(0..200_u64, 20..200), more in 0..300_u64,
        ) {
            let verdict = |more: u64| {
                let mut rows = vec![row("old", "publish", "ok", 20, 1000)];
                rows.extend(ms.iter().map(|ms| row("new", "publish", "ok", ms + more, 1)));
                requests(&rows).verdict == Verdict::Worse
            };
            prop_assert!(!verdict(0) || verdict(more));
        }
    }
}
