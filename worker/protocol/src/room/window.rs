//! Leading-edge batching: a quiet room delivers at once, a hot one sends one frame per window.

use super::update::Update;
use crate::contract::settings::Conflate;

/// Most bytes that wait for a window to end: an update beyond takes everything with it at once. So one frame has at most
/// this and one update more.
pub const MAX_WAITING_BYTES: usize = 1 << 20;

/// The batch window of one room.
///
/// A window opens when something is sent. No timer runs for it: one is needed only when an update arrives while the
/// window is open, so a room that gets an update now and then has none, and hibernates.
#[derive(Clone, Debug, Default)]
pub struct Window {
    length_ms: u64,
    conflate: Conflate,
    /// When something was last sent, while that still matters.
    opened_ms: Option<u64>,
    waiting: Vec<Update>,
}

/// The fate of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Send these now, as one frame; the one that was offered is the last.
    Send(Vec<Update>),
    /// It waits. `dropped` is how many earlier ones it replaces; a timer is to be set when `timer_ms` says so.
    Wait { dropped: u32, timer_ms: Option<u64> },
}

impl Window {
    /// A closed window of `length_ms` milliseconds; of 0, it never opens.
    pub(crate) fn new(length_ms: u32, conflate: Conflate) -> Self {
        Self {
            length_ms: u64::from(length_ms),
            conflate,
            ..Self::default()
        }
    }

    /// Offers an update at `now_ms`.
    pub(crate) fn offer(&mut self, update: Update, now_ms: u64) -> Offer {
        let left_ms = self
            .opened_ms
            .map(|opened_ms| (opened_ms + self.length_ms).saturating_sub(now_ms))
            // A clock that was set back must not hold updates for longer than one window.
            .map(|left_ms| left_ms.min(self.length_ms));
        match left_ms {
            // While a timer is pending everything waits for it, or order would be lost.
            Some(left_ms) if left_ms > 0 || !self.waiting.is_empty() => {
                let timer_ms = self.waiting.is_empty().then_some(left_ms);
                let before = self.waiting.len();
                if self.conflate == Conflate::Latest {
                    self.waiting.retain(|waiting| waiting.key != update.key);
                }
                let dropped = before - self.waiting.len();
                self.waiting.push(update);
                let texts = self.waiting.iter().map(|update| update.text.len());
                if texts.sum::<usize>() > MAX_WAITING_BYTES {
                    // The timer finds nothing, or closes the next window early.
                    return Offer::Send(self.close(now_ms));
                }
                Offer::Wait {
                    dropped: u32::try_from(dropped).unwrap_or(u32::MAX),
                    timer_ms,
                }
            }
            _ => {
                self.opened_ms = (self.length_ms > 0).then_some(now_ms);
                Offer::Send(vec![update])
            }
        }
    }

    /// The timer has run out: what waited is to be sent, and the next window opens.
    pub fn close(&mut self, now_ms: u64) -> Vec<Update> {
        let updates = std::mem::take(&mut self.waiting);
        self.opened_ms = (!updates.is_empty()).then_some(now_ms);
        updates
    }

    /// Whether something waits for the window to end.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn update(seq: u64, kind: &str) -> Update {
        Update::new(seq, "e", Some(kind.to_owned()), "{}")
    }

    fn seqs(updates: &[Update]) -> Vec<u64> {
        updates.iter().map(|update| update.seq).collect()
    }

    #[test]
    fn a_quiet_room_sends_at_once_and_needs_no_timer() {
        let mut window = Window::new(10, Conflate::Latest);
        for (seq, now_ms) in [(1, 100), (2, 110), (3, 5_000)] {
            assert_eq!(
                window.offer(update(seq, "a"), now_ms),
                Offer::Send(vec![update(seq, "a")])
            );
        }
        assert!(!window.is_waiting());
    }

    #[test]
    fn a_hot_room_keeps_the_latest_of_each_type_and_sets_one_timer() {
        let mut window = Window::new(10, Conflate::Latest);
        window.offer(update(1, "a"), 100);
        let wait = |dropped, timer_ms| Offer::Wait { dropped, timer_ms };
        assert_eq!(window.offer(update(2, "a"), 103), wait(0, Some(7)));
        assert_eq!(window.offer(update(3, "b"), 104), wait(0, None));
        assert_eq!(window.offer(update(4, "a"), 105), wait(1, None));
        assert_eq!(
            window.offer(update(5, "a"), 112),
            wait(1, None),
            "the timer is late; order holds"
        );
        assert_eq!(seqs(&window.close(113)), [3, 5]);
        assert_eq!(
            window.offer(update(6, "a"), 120),
            wait(0, Some(3)),
            "the next window is open"
        );
        assert_eq!(seqs(&window.close(123)), [6]);
        assert_eq!(seqs(&window.close(133)), [0u64; 0]);
        assert_eq!(
            window.offer(update(7, "a"), 134),
            Offer::Send(vec![update(7, "a")])
        );
    }

    #[test]
    fn every_update_can_be_kept_in_order() {
        let mut window = Window::new(10, Conflate::All);
        for seq in 1..=4 {
            window.offer(update(seq, "a"), 100);
        }
        assert_eq!(seqs(&window.close(110)), [2, 3, 4]);
    }

    #[test]
    fn what_waits_is_bounded_in_bytes_and_nothing_of_it_is_lost() {
        let mut window = Window::new(10_000, Conflate::All);
        let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(300_000));
        let offer =
            |window: &mut Window, seq| window.offer(Update::new(seq, "e", None, &body), 100);
        assert!(matches!(offer(&mut window, 1), Offer::Send(_)));
        for seq in 2..=4 {
            assert!(
                matches!(offer(&mut window, seq), Offer::Wait { .. }),
                "{seq}"
            );
        }
        let Offer::Send(all) = offer(&mut window, 5) else {
            panic!("a fourth is too much")
        };
        assert_eq!(seqs(&all), [2, 3, 4, 5]);
        assert!(!window.is_waiting());
        assert!(matches!(
            offer(&mut window, 6),
            Offer::Wait {
                timer_ms: Some(10_000),
                ..
            }
        ));
    }

    #[test]
    fn a_window_of_nothing_never_holds_anything() {
        let mut window = Window::new(0, Conflate::Latest);
        for seq in 1..=3 {
            assert_eq!(
                window.offer(update(seq, "a"), 100),
                Offer::Send(vec![update(seq, "a")])
            );
        }
    }

    proptest! {
        #[test]
        fn updates_leave_in_order_and_none_waits_without_a_timer(
            steps in proptest::collection::vec((0u64..30, any::<bool>()), 1..60), conflate in 0..2,
        ) {
            let conflate = if conflate == 0 { Conflate::Latest } else { Conflate::All };
            let mut window = Window::new(10, conflate);
            let (mut now_ms, mut timer_ms, mut seen, mut dropped_all) = (1_000, None::<u64>, Vec::new(), 0);
            for (seq, (pause_ms, other)) in (1u64..).zip(steps.iter().copied()) {
                now_ms += pause_ms;
                if let Some(due_ms) = timer_ms.filter(|due_ms| *due_ms <= now_ms) {
                    seen.extend(seqs(&window.close(due_ms)));
                    timer_ms = None;
                }
                match window.offer(update(seq, if other { "a" } else { "b" }), now_ms) {
                    Offer::Send(updates) => seen.extend(seqs(&updates)),
                    Offer::Wait { dropped, timer_ms: set } => {
                        dropped_all += dropped as usize;
                        if let Some(left_ms) = set {
                            prop_assert!(left_ms <= 10 && timer_ms.is_none());
                            timer_ms = Some(now_ms + left_ms);
                        }
                    }
                }
                prop_assert_eq!(window.is_waiting(), timer_ms.is_some());
            }
            seen.extend(seqs(&window.close(now_ms + 10)));
            prop_assert!(seen.is_sorted());
            prop_assert_eq!(seen.len() + dropped_all, steps.len());
        }
    }
}
