//! When a slot counts as unused, so that its value may be revoked, and what its use tells. Pure.

use std::time::Duration;

/// Gateways hand their counts over about once a second: what they counted last is seen a little later.
pub(crate) const LAG: Duration = Duration::from_secs(2);
/// After so many retry horizons with uses, the sender has not switched: waiting longer would not help.
const GIVE_UP_AFTER: u32 = 3;

/// What the wait before a revocation rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// The gateway's counters: unused for the retry horizon.
    Counters,
    /// The retry horizon has passed, and nobody can tell whether the value is still used.
    TimeAlone,
    /// None: somebody said that the rotation is to go on without.
    Waived,
}

/// Which senders have used the new value of a handover that was cut off, as the counters show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nobody looked, or the counters cannot be read.
    Unknown,
    /// None, for as long as one looked.
    Nobody,
    /// Some, but not while one looked.
    Earlier,
    /// Some while one looked, when none used the old value.
    NewOnly,
    /// Some while one looked, and some the old value too.
    Both,
}

/// What the wait has seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched {
    /// Since the handover, or since this run began to watch.
    pub waited: Duration,
    /// Since the counter moved last; as long as `waited` when it never did.
    pub idle: Duration,
    /// How long a sender may go on retrying with the old value.
    pub horizon: Duration,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Unused,
    /// Look again after this time.
    Wait(Duration),
    StillUsed,
}

impl Verdict {
    pub(crate) fn of(watched: Watched) -> Self {
        let needed = watched.horizon + LAG;
        if watched.idle >= needed {
            Self::Unused
        } else if watched.waited >= needed * GIVE_UP_AFTER {
            Self::StillUsed
        } else {
            let poll =
                (watched.horizon / 20).clamp(Duration::from_millis(200), Duration::from_secs(10));
            Self::Wait(poll.min(needed.saturating_sub(watched.idle)))
        }
    }
}

/// How long an interrupted handover is watched for a first use of the new value before it counts as taken by nobody: as long as it
/// takes for a slot to count as unused, and not so short that a sender that publishes now and then is missed.
pub(crate) fn patience(horizon: Duration) -> Duration {
    (horizon + LAG).max(Duration::from_secs(15))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_unused_after_a_whole_horizon_without_a_use_and_in_use_after_three_with_one() {
        let seconds = Duration::from_secs;
        let after = |waited, idle| {
            Verdict::of(Watched {
                waited: seconds(waited),
                idle: seconds(idle),
                horizon: seconds(600),
            })
        };
        assert_eq!(after(0, 0), Verdict::Wait(seconds(10)));
        assert_eq!(after(600, 600), Verdict::Wait(seconds(2)));
        assert_eq!(after(602, 602), Verdict::Unused);
        assert_eq!(after(602, 500), Verdict::Wait(seconds(10)));
        assert_eq!(after(1805, 601), Verdict::Wait(seconds(1)));
        assert_eq!(after(1806, 601), Verdict::StillUsed);
        assert_eq!(after(1900, 602), Verdict::Unused);
    }
}
