//! The rule by which a room writes its record. A gateway delivers its counts of secret uses by the same rule.
//!
//! A write holds back frames and costs money, so it comes after sending, and a hot room writes twice a second at most,
//! whatever its rate. In between, the stored record says that it is behind: a room that finds such a record after a
//! crash starts a new epoch instead of numbering two updates alike.

/// A timer that has not come back after so long was lost with the request that it belonged to. So a crash costs nothing that
/// came later than this after the last record that says it is behind.
pub(crate) const LOST_MS: u64 = 5 * INTERVAL_MS;

/// A hot room's writes are at least this far apart, but for the one that says that the record is behind.
pub const INTERVAL_MS: u64 = 1000;

/// The write that a change calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Save {
    /// All of it: the record is exact.
    Exact,
    /// All of it, marked as behind from here on, and all of it again after so many milliseconds.
    Behind { timer_ms: u64 },
    /// Nothing: the record is marked, and a timer is pending.
    Nothing,
}

/// The memory of the last write.
#[derive(Clone, Debug, Default)]
pub struct Saver {
    last_ms: Option<u64>,
    /// Whether a timer is to write the exact record.
    pub pending: bool,
}

impl Saver {
    /// Something has changed at `now_ms`.
    pub fn changed(&mut self, now_ms: u64) -> Save {
        // A clock that was set back must not make a timer wait for a time that it was given by the old one.
        self.last_ms = self.last_ms.map(|last_ms| last_ms.min(now_ms));
        let lost = self
            .last_ms
            .is_some_and(|last_ms| now_ms >= last_ms + LOST_MS);
        if self.pending && !lost {
            return Save::Nothing;
        }
        let left_ms = self
            .last_ms
            .map_or(0, |last_ms| (last_ms + INTERVAL_MS).saturating_sub(now_ms));
        if left_ms == 0 {
            self.saved(now_ms);
            return Save::Exact;
        }
        self.pending = true;
        Save::Behind { timer_ms: left_ms }
    }

    /// The timer has run out, and the exact record is being written.
    pub fn saved(&mut self, now_ms: u64) {
        self.last_ms = Some(now_ms);
        self.pending = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_room_writes_once_per_update_and_a_hot_one_twice_a_second() {
        let mut saver = Saver::default();
        assert_eq!(saver.changed(5_000), Save::Exact);
        assert_eq!(saver.changed(6_000), Save::Exact);
        assert_eq!(saver.changed(6_300), Save::Behind { timer_ms: 700 });
        assert_eq!(saver.changed(6_400), Save::Nothing);
        assert!(saver.pending);
        saver.saved(7_000);
        assert!(!saver.pending);
        assert_eq!(saver.changed(7_001), Save::Behind { timer_ms: 999 });
        assert_eq!(saver.changed(11_999), Save::Nothing);
        assert_eq!(saver.changed(12_000), Save::Exact, "the timer was lost");
    }

    #[test]
    fn a_clock_that_steps_loses_no_write() {
        let mut saver = Saver::default();
        saver.saved(1_000_000);
        assert_eq!(saver.changed(500_000), Save::Behind { timer_ms: 1000 });
        assert_eq!(saver.changed(504_999), Save::Nothing);
        assert_eq!(saver.changed(505_000), Save::Exact, "the timer was lost");
        assert_eq!(saver.changed(9_000_000), Save::Exact);
    }
}
