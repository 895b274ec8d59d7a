//! When a tail is renewed, and when it is tried again. Pure.

use std::time::{Duration, SystemTime};

/// A tail lasts for six hours (recorded from the live API): renewed after this where its end cannot be true.
const USUAL: Duration = Duration::from_secs(60 * 60);
/// So long before its end the next one is opened, or a quarter of its life where that is less.
const AHEAD: Duration = Duration::from_secs(5 * 60);
/// A clock that is nearly six hours wrong must not make a call of every moment.
const LEAST: Duration = Duration::from_secs(1);
/// The pause after the second failure; each one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long after `now`, when it was opened, a tail is replaced by the next one: it is silent from its end on, and nothing says so.
pub(super) fn renewal(now: SystemTime, expires_at: Option<SystemTime>) -> Duration {
    let life = expires_at.and_then(|end| end.duration_since(now).ok());
    match life {
        Some(life) if life > LEAST => life.saturating_sub(AHEAD.min(life / 4)).max(LEAST),
        // Of the past, or none: one of the clocks is wrong
        _ => USUAL,
    }
}

/// What is left of a tail when its renewal is due, after so long.
pub(super) fn left(due: Duration) -> Duration {
    AHEAD.min(due / 3)
}

/// The pause after so many failures in a row, counted from 1. Cloudflare ends sockets about once an hour (workers-sdk issue 14427), and
/// what happens while none is open is lost: so the first time there is none.
pub(super) fn pause(failures: u32) -> Duration {
    let Some(again) = failures.checked_sub(2) else {
        return Duration::ZERO;
    };
    let doubled = 2_u32.saturating_pow(again);
    PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: SystemTime = SystemTime::UNIX_EPOCH;

    fn after(seconds: u64) -> Duration {
        renewal(NOON, Some(NOON + Duration::from_secs(seconds)))
    }

    #[test]
    fn the_next_tail_is_opened_five_minutes_before_the_end_or_after_three_quarters_of_a_short_life()
    {
        assert_eq!(after(6 * 3600), Duration::from_secs(6 * 3600 - 300));
        assert_eq!(after(1200), Duration::from_secs(900));
        assert_eq!(after(4), Duration::from_secs(3));
        assert_eq!(after(1), USUAL);
        assert_eq!(renewal(NOON, None), USUAL);
        let noon = NOON + Duration::from_secs(9);
        assert_eq!(renewal(noon, Some(NOON)), USUAL);
    }

    #[test]
    fn the_first_failure_is_mended_at_once_and_each_other_one_doubles_the_pause_up_to_half_a_minute()
     {
        let pauses = [1, 2, 3, 4, 7, 8, 99].map(|failures| pause(failures).as_millis());
        assert_eq!(pauses, [0, 500, 1000, 2000, 16_000, 30_000, 30_000]);
    }

    proptest! {
        #[test]
        fn a_tail_is_renewed_while_it_lasts_and_not_all_the_time(life in 1_001_u64..100_000_000) {
            let life = Duration::from_millis(life);
            let due = renewal(NOON, Some(NOON + life));
            prop_assert!(due >= LEAST && due < life, "{due:?} of {life:?}");
            prop_assert!(due == LEAST || due + left(due) <= life + Duration::from_nanos(3));
        }
    }
}
