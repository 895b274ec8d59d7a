//! When a runtime that ended by itself is started again, and when that is given up. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Ends that are further apart than this have nothing to do with each other.
const WINDOW: Duration = Duration::from_secs(60);
/// So many ends within the window, and it is not started again.
const LIMIT: usize = 6;
/// The pause before the second start within the window; each further one doubles it.
const PAUSE: Duration = Duration::from_millis(100);

/// The recent ends of the runtime.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ends(VecDeque<Instant>);

/// What to do about an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Start it again after this pause.
    Again(Duration),
    /// It would only end again: it has ended so many times within so long.
    GiveUp(usize, Duration),
}

impl Ends {
    /// It ended at `now`.
    pub(crate) fn another(&mut self, now: Instant) -> Answer {
        while self
            .0
            .front()
            .is_some_and(|end| now.saturating_duration_since(*end) >= WINDOW)
        {
            self.0.pop_front();
        }
        self.0.push_back(now);
        match self.0.len() {
            1 => Answer::Again(Duration::ZERO),
            LIMIT.. => Answer::GiveUp(self.0.len(), WINDOW),
            ends => Answer::Again(PAUSE * (1 << (ends - 2))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_answered_at_once_and_ends_in_a_row_ever_later_until_it_is_given_up() {
        let (start, mut ends) = (Instant::now(), Ends::default());
        let answers: Vec<Answer> = (0..6)
            .map(|second| ends.another(start + Duration::from_secs(second)))
            .collect();
        let again = |ms| Answer::Again(Duration::from_millis(ms));
        assert_eq!(
            answers,
            [
                again(0),
                again(100),
                again(200),
                again(400),
                again(800),
                Answer::GiveUp(6, WINDOW)
            ]
        );
    }

    #[test]
    fn ends_that_lie_far_apart_are_never_given_up() {
        let (start, mut ends) = (Instant::now(), Ends::default());
        for minute in 0..100 {
            let now = start + Duration::from_secs(60 * minute);
            assert_eq!(ends.another(now), Answer::Again(Duration::ZERO));
        }
    }
}
