//! Two results beside each other. Pure.

use std::fmt;

use serde::Serialize;

use super::outcome::Outcome;

/// A result, and what it is beside an earlier one.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
    pub(crate) against: Option<Comparison>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.outcome)?;
        match &self.against {
            Some(comparison) => write!(f, "\n{comparison}"),
            None => Ok(()),
        }
    }
}

/// What has changed since an earlier result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Comparison {
    /// When the earlier one was measured.
    pub(crate) time: String,
    /// Whether both had the same load; else a figure says little.
    pub(crate) same_settings: bool,
    pub(crate) figures: Vec<Figure>,
}

/// One figure of both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) before: f64,
    pub(crate) now: f64,
    /// Now by before; 1 where both are nothing.
    pub(crate) ratio: f64,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Better,
    Worse,
    WithinNoise,
}

/// Which way a figure is good.
#[derive(Clone, Copy)]
enum Good {
    High,
    Low,
}

/// A figure of a result, which way it is good, and what a repetition of the same load moves it by: a share of itself, or so much.
struct Kind {
    name: &'static str,
    of: fn(&Outcome) -> Option<f64>,
    good: Good,
    share: f64,
    least: f64,
}

const KINDS: [Kind; 6] = [
    Kind {
        name: "reach",
        of: |it| it.reach,
        good: Good::High,
        share: 0.0,
        least: 0.0005,
    },
    Kind {
        name: "deliveries_per_second",
        of: |it| it.deliveries_per_second,
        good: Good::High,
        share: 0.05,
        least: 0.0,
    },
    Kind {
        name: "p50_ms",
        of: |it| it.latency_ms.as_ref().map(|it| it.p50),
        good: Good::Low,
        share: 0.1,
        least: 1.0,
    },
    Kind {
        name: "p90_ms",
        of: |it| it.latency_ms.as_ref().map(|it| it.p90),
        good: Good::Low,
        share: 0.15,
        least: 1.0,
    },
    Kind {
        name: "p99_ms",
        of: |it| it.latency_ms.as_ref().map(|it| it.p99),
        good: Good::Low,
        share: 0.25,
        least: 2.0,
    },
    Kind {
        name: "max_ms",
        of: |it| it.latency_ms.as_ref().map(|it| it.max),
        good: Good::Low,
        share: 0.5,
        least: 5.0,
    },
];

impl Comparison {
    /// `now` beside an earlier result.
    pub(crate) fn between(before: &Outcome, now: &Outcome) -> Self {
        let figure = |kind: &Kind| {
            let (before, now) = ((kind.of)(before)?, (kind.of)(now)?);
            Some(Figure {
                name: kind.name,
                before,
                now,
                ratio: ratio(before, now),
                verdict: verdict(kind, before, now),
            })
        };
        Self {
            time: before.time.clone(),
            same_settings: before.settings == now.settings,
            figures: KINDS.iter().filter_map(figure).collect(),
        }
    }
}

fn ratio(before: f64, now: f64) -> f64 {
    match before == now {
        true => 1.0,
        // JSON knows no infinity
        false => now / before.max(1e-6),
    }
}

fn verdict(kind: &Kind, before: f64, now: f64) -> Verdict {
    let noise = (before * kind.share).max(kind.least);
    let gain = match kind.good {
        Good::High => now - before,
        Good::Low => before - now,
    };
    match gain {
        gain if gain > noise => Verdict::Better,
        gain if gain < -noise => Verdict::Worse,
        _ => Verdict::WithinNoise,
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "against the result of {}", self.time)?;
        if !self.same_settings {
            write!(f, ", which had another load")?;
        }
        for Figure {
            name,
            before,
            now,
            ratio,
            verdict,
        } in &self.figures
        {
            let verdict = match verdict {
                Verdict::Better => "better",
                Verdict::Worse => "worse",
                Verdict::WithinNoise => "within noise",
            };
            write!(
                f,
                "\n  {name:21} {before:>11.3} -> {now:>11.3}  x{ratio:7.2}  {verdict}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::tests::outcome;
    use super::*;

    #[test]
    fn a_result_is_not_better_or_worse_than_itself() {
        let once = outcome(40);
        let comparison = Comparison::between(&once, &once);
        assert!(comparison.same_settings);
        let is_noise = |it: &Figure| it.verdict == Verdict::WithinNoise && it.ratio == 1.0;
        assert!(comparison.figures.iter().all(is_noise), "{comparison}");
    }

    #[test]
    fn figures_are_compared_as_ratios_with_what_is_good_for_each() {
        let mut before = outcome(40);
        let now = outcome(80);
        before.settings.rate = 5.0;
        // What was kept is read back
        let kept = serde_json::to_string(&before).unwrap();
        let before: Outcome = serde_json::from_str(&kept).unwrap();
        insta::assert_snapshot!(Comparison::between(&before, &now), @"
        against the result of 2026-11-27T12:00:00Z, which had another load
          reach                       0.944 ->       0.944  x   1.00  within noise
          deliveries_per_second      17.876 ->      17.154  x   0.96  within noise
          p50_ms                     41.023 ->      81.023  x   1.98  worse
          p90_ms                     50.015 ->      90.047  x   1.80  worse
          p99_ms                     51.007 ->      91.007  x   1.78  worse
          max_ms                     51.007 ->      91.007  x   1.78  worse
        ");
    }
}
