//! Times, of which only the distribution is kept. Pure.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Longer ones count as this one, ten minutes.
const LONGEST_US: u64 = 600_000_000;

/// Times to a thousandth of their length.
#[derive(Debug)]
pub(crate) struct Times(Histogram<u64>);

/// What is told of times, in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    pub(crate) histogram: Vec<Bar>,
}

/// How many were shorter than a time, and not than the bar before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bar {
    pub(crate) below_ms: f64,
    pub(crate) count: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are good"))
    }
}

impl Times {
    /// Adds one.
    pub(crate) fn add(&mut self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(LONGEST_US);
        self.0.saturating_record(us.max(1));
    }

    /// What is told of them; `None` where there are none.
    pub(crate) fn told(&self) -> Option<Latency> {
        let ms = |us: u64| us as f64 / 1000.0;
        let at = |quantile| ms(self.0.value_at_quantile(quantile));
        (!self.0.is_empty()).then(|| Latency {
            count: self.0.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: ms(self.0.max()),
            histogram: self.bars(),
        })
    }

    /// Each bar is as wide as all before it together.
    fn bars(&self) -> Vec<Bar> {
        let mut bars = Vec::new();
        let (mut from, mut below) = (0, 250);
        while from <= self.0.max() {
            bars.push(Bar {
                below_ms: below as f64 / 1000.0,
                count: self.0.count_between(from, below - 1),
            });
            (from, below) = (below, below * 2);
        }
        let first = bars.iter().position(|bar| bar.count > 0).unwrap_or(0);
        bars.split_off(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_bars_are_of_the_same_times() {
        let mut times = Times::default();
        assert_eq!(times.told(), None);
        for ms in 1..=100 {
            times.add(Duration::from_millis(ms));
        }
        let told = times.told().unwrap();
        let about = |found: f64, wanted: f64| (found / wanted - 1.0).abs() < 0.002;
        assert!(about(told.p50, 50.0) && about(told.p90, 90.0), "{told:?}");
        assert!(about(told.p99, 99.0) && about(told.max, 100.0), "{told:?}");
        let bars = told.histogram.iter().map(|bar| (bar.below_ms, bar.count));
        let bars: Vec<(f64, u64)> = bars.collect();
        assert_eq!(bars.iter().map(|(_, count)| count).sum::<u64>(), 100);
        assert_eq!(bars[0].0, 2.0);
        assert_eq!(bars[bars.len() - 1].0, 128.0);
    }
}
