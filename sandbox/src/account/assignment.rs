//! Which version of its script a Durable Object runs: the split gives each object one by its id, and a deployment may leave busy
//! objects on the version they run for a while. Pure.
//!
//! - <https://developers.cloudflare.com/workers/versions-and-deployments/gradual-deployments/with-durable-objects/>: by the
//!   percentages, the same until the next deployment; where the versions keep their order and one's percentage grows, no object
//!   leaves it.
//! - <https://developers.cloudflare.com/durable-objects/deployments/durable-objects-code-updates/>: `deferred` (300 seconds where
//!   nothing is said) lets a running object keep its code until it hibernates or `max_delay` is over.

use serde::Deserialize;
use serde_json::Value;

use crate::account::script::{Hold, Share};

/// Ids are hashes: their first 32 bits are as good as a lot.
const LOTS: u64 = 1 << 32;
/// Seconds; the documented default.
const MAX_DELAY: u64 = 300;

/// The versions in their deployment's order, each with the lot at which its share ends.
pub(crate) type Bounds = Vec<(String, u64)>;

/// What the runtime says of an object that it has run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Report {
    /// Its class.
    pub class: String,
    /// Its id.
    pub object: String,
    /// What it runs.
    pub version: String,
    /// How many WebSockets it holds.
    pub sockets: u32,
}

/// When running objects change to a deployment's versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    /// At once.
    Immediate,
    /// Busy ones when they are quiet, or after so many milliseconds.
    Deferred(u64),
}

impl Report {
    fn is_of(&self, hold: &Hold) -> bool {
        self.class == hold.class && self.object == hold.object
    }
}

impl Update {
    /// Reads a `code_update_strategy`.
    pub(crate) fn of(strategy: Option<&Value>) -> Update {
        let field = |name: &str| strategy.and_then(|strategy| strategy.get(name));
        if field("mode").is_some_and(|mode| mode == "immediate") {
            return Update::Immediate;
        }
        let seconds = field("max_delay").and_then(Value::as_u64);
        Update::Deferred(seconds.unwrap_or(MAX_DELAY) * 1000)
    }
}

/// Where each version's share of the lots ends.
pub(crate) fn bounds(shares: &[Share]) -> Bounds {
    let last = shares.iter().rposition(|share| share.percentage > 0.0);
    let mut sum = 0.0;
    let bounds = shares.iter().enumerate().map(|(index, share)| {
        sum += share.percentage;
        let end = if Some(index) >= last { LOTS } else { part(sum) };
        (share.version_id.clone(), end)
    });
    bounds.collect()
}

fn part(percent: f64) -> u64 {
    (percent.clamp(0.0, 100.0) / 100.0 * LOTS as f64).round() as u64
}

/// The version that the split gives an object.
pub(crate) fn assigned<'a>(bounds: &'a Bounds, object: &str) -> Option<&'a str> {
    let lot = u64::from_str_radix(object.get(..8)?, 16).ok()?;
    let (version, _) = bounds.iter().find(|(_, end)| lot < *end)?;
    Some(version)
}

/// Who is held after a deployment: every object that has sockets and is to change. One that was held already gains no time.
pub(crate) fn held(
    before: &[Hold],
    reports: &[Report],
    bounds: &Bounds,
    update: Update,
    now_ms: u64,
) -> Vec<Hold> {
    let Update::Deferred(delay_ms) = update else {
        return Vec::new();
    };
    let changing = reports.iter().filter(|report| {
        report.sockets > 0 && assigned(bounds, &report.object) != Some(&report.version)
    });
    let holds = changing.map(|report| {
        let is_it = |hold: &&Hold| report.is_of(hold) && hold.version == report.version;
        let earlier = before.iter().find(is_it).map(|hold| hold.until_ms);
        Hold {
            class: report.class.clone(),
            object: report.object.clone(),
            version: report.version.clone(),
            until_ms: earlier.unwrap_or(now_ms.saturating_add(delay_ms)),
        }
    });
    unexpired(&holds.collect::<Vec<_>>(), now_ms)
}

/// Who is still held when the runtime restarts for another reason: an object that has changed meanwhile never goes back.
pub(crate) fn still_held(before: &[Hold], reports: &[Report], now_ms: u64) -> Vec<Hold> {
    let has_changed = |hold: &Hold| {
        let mut reports = reports.iter().filter(|report| report.is_of(hold));
        reports.any(|report| report.version != hold.version)
    };
    let mut holds = unexpired(before, now_ms);
    holds.retain(|hold| !has_changed(hold));
    holds
}

/// Those whose time is not over.
pub(crate) fn unexpired(holds: &[Hold], now_ms: u64) -> Vec<Hold> {
    let left = holds.iter().filter(|hold| hold.until_ms > now_ms);
    left.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn split(new: f64) -> Bounds {
        let share = |version: &str, percentage| Share {
            version_id: version.into(),
            percentage,
        };
        bounds(&[share("new", new), share("old", 100.0 - new)])
    }

    fn id() -> impl Strategy<Value = String> {
        any::<[u8; 32]>().prop_map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn report(object: &str, version: &str, sockets: u32) -> Report {
        Report {
            class: "Room".into(),
            object: object.into(),
            version: version.into(),
            sockets,
        }
    }

    #[test]
    fn the_default_is_deferred_by_five_minutes() {
        assert_eq!(Update::of(None), Update::Deferred(300_000));
        let read = |value: Value| Update::of(Some(&value));
        assert_eq!(read(json!({"mode": "deferred"})), Update::Deferred(300_000));
        assert_eq!(
            read(json!({"mode": "deferred", "max_delay": 7})),
            Update::Deferred(7000)
        );
        assert_eq!(read(json!({"mode": "immediate"})), Update::Immediate);
    }

    #[test]
    fn a_version_at_zero_has_no_object_and_one_at_a_hundred_has_every_one() {
        for id in ["00000000", "7fffffff", "ffffffff"] {
            assert_eq!(assigned(&split(0.0), id), Some("old"));
            assert_eq!(assigned(&split(100.0), id), Some("new"));
        }
    }

    proptest! {
        #[test]
        fn raising_a_share_never_moves_an_object_back(id in id(), low in 0.0f64..=100.0, high in 0.0f64..=100.0) {
            let (low, high) = if low < high { (low, high) } else { (high, low) };
            let is_new = |split: &Bounds| assigned(split, &id) == Some("new");
            prop_assert!(!is_new(&split(low)) || is_new(&split(high)));
        }

        #[test]
        fn the_objects_of_a_version_come_near_its_share(seed in any::<u64>(), percent in 0u32..=100) {
            let ids = (0..2000u64).map(|n| crate::account::module::hash(format!("{seed} {n}").as_bytes()));
            let split = split(f64::from(percent));
            let new = ids.filter(|id| assigned(&split, id) == Some("new")).count();
            // Five standard deviations of a fair draw
            let expected = 20.0 * f64::from(percent);
            let deviation = (expected * (1.0 - f64::from(percent) / 100.0)).sqrt();
            prop_assert!((new as f64 - expected).abs() <= 5.0 * deviation, "{} of 2000 at {} %", new, percent);
        }

        #[test]
        fn a_busy_object_is_held_until_the_delay_is_over_and_a_quiet_one_never(
            id in id(), percent in 0.0f64..=100.0, sockets in 0u32..3, delay_ms in 1u64..100_000, now_ms in 0u64..1 << 40,
        ) {
            let split = split(percent);
            let reports = [report(&id, "old", sockets)];
            let holds = held(&[], &reports, &split, Update::Deferred(delay_ms), now_ms);
            let moves = assigned(&split, &id) == Some("new");
            prop_assert_eq!(holds.len(), usize::from(moves && sockets > 0));
            prop_assert_eq!(&unexpired(&holds, now_ms + delay_ms - 1), &holds);
            prop_assert_eq!(unexpired(&holds, now_ms + delay_ms), []);
            prop_assert_eq!(held(&[], &reports, &split, Update::Immediate, now_ms), []);
        }
    }

    #[test]
    fn a_second_deployment_gives_a_held_object_no_more_time() {
        let busy = [report("00", "old", 1), report("ff", "new", 1)];
        let first = held(&[], &busy[..1], &split(100.0), Update::Deferred(5000), 1000);
        assert_eq!(first[0].until_ms, 6000);
        let third = bounds(&[Share {
            version_id: "third".into(),
            percentage: 100.0,
        }]);
        let second = held(&first, &busy, &third, Update::Deferred(5000), 3000);
        let until: Vec<_> = second
            .iter()
            .map(|hold| (hold.version.as_str(), hold.until_ms))
            .collect();
        assert_eq!(until, [("old", 6000), ("new", 8000)]);
        assert_eq!(
            held(&first, &busy, &third, Update::Deferred(5000), 6000).len(),
            1
        );
    }

    #[test]
    fn an_object_that_has_changed_does_not_go_back_with_a_restart() {
        let busy = [report("00", "old", 1), report("01", "old", 1)];
        let holds = held(&[], &busy, &split(100.0), Update::Deferred(5000), 0);
        let reports = [report("00", "new", 0), report("01", "old", 0)];
        let left = still_held(&holds, &reports, 1000);
        assert_eq!(
            left.iter()
                .map(|hold| hold.object.as_str())
                .collect::<Vec<_>>(),
            ["01"]
        );
        assert_eq!(still_held(&holds, &[], 5000), []);
    }
}
