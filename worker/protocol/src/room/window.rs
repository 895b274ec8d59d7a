//! Leading-edge batching: a quiet room delivers at once, a hot one sends one frame per window.

use super::update::Update;
use crate::contract::settings::Conflate;

/// Most bytes that wait for a window to end: an update beyond takes everything with it at once.
pub const MAX_WAITING_BYTES: usize = 1 << 20;
/// A timer that is late by so much has been lost, or the clock has stepped: nobody waits for it any longer.
const LOST_MS: u64 = 1000;

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
    /// In order, each with what a later one may do to it.
    waiting: Vec<(Update, Kept)>,
    waiting_bytes: usize,
}

/// What conflation may do to an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It replaces those of its key that wait, and is replaced by a later one.
    Latest,
    /// It replaces nothing and is never replaced: it came as part of a batch, or has no key.
    Always,
}

/// The fate of updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Send these now, in as few frames as [`super::update::frames`] makes of them; those that were offered are the last.
    Send(Vec<Update>),
    /// They wait; a timer is to be set when `timer_ms` says so.
    Wait { timer_ms: Option<u64> },
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

    /// Offers updates at `now_ms`, which leave together: their fate, and how many earlier ones they replace.
    pub(crate) fn offer(&mut self, updates: Vec<Update>, kept: Kept, now_ms: u64) -> (Offer, u32) {
        let due_ms = self.opened_ms.map(|opened_ms| opened_ms + self.length_ms);
        let is_waiting = self.is_waiting();
        let left_ms = match due_ms {
            // While a timer is pending everything waits for it, or order would be lost.
            Some(due_ms) if now_ms < due_ms || is_waiting => {
                // A clock that was set back must not hold updates for longer than one window.
                due_ms.saturating_sub(now_ms).min(self.length_ms)
            }
            _ => {
                self.opened_ms = (self.length_ms > 0).then_some(now_ms);
                return (Offer::Send(updates), 0);
            }
        };
        let before = self.waiting.len() + updates.len();
        for update in updates {
            self.wait(update, kept);
        }
        let dropped = u32::try_from(before - self.waiting.len()).unwrap_or(u32::MAX);
        let is_lost = due_ms.is_some_and(|due_ms| now_ms >= due_ms + LOST_MS);
        if self.waiting_bytes > MAX_WAITING_BYTES || is_lost {
            // The timer finds nothing, or closes the next window early.
            return (Offer::Send(self.close(now_ms)), dropped);
        }
        let timer_ms = (!is_waiting).then_some(left_ms);
        (Offer::Wait { timer_ms }, dropped)
    }

    fn wait(&mut self, update: Update, kept: Kept) {
        let is_conflated = self.conflate == Conflate::Latest && !update.key.is_empty();
        let kept = if is_conflated { kept } else { Kept::Always };
        if kept == Kept::Latest {
            let bytes = &mut self.waiting_bytes;
            self.waiting.retain(|(waiting, kept)| {
                let is_replaced = *kept == Kept::Latest && waiting.key == update.key;
                *bytes -= if is_replaced { waiting.text.len() } else { 0 };
                !is_replaced
            });
        }
        self.waiting_bytes += update.text.len();
        self.waiting.push((update, kept));
    }

    /// The timer has run out: what waited is to be sent, and the next window opens. Where nothing waits, the timer was one
    /// whose updates left early.
    pub fn close(&mut self, now_ms: u64) -> Vec<Update> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        if !waiting.is_empty() {
            self.opened_ms = Some(now_ms);
        }
        waiting.into_iter().map(|(update, _)| update).collect()
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
        Update::new(seq, "e", kind.to_owned(), "{}")
    }

    /// Offers one update that conflation may replace.
    fn offer(window: &mut Window, update: Update, now_ms: u64) -> (Offer, u32) {
        window.offer(vec![update], Kept::Latest, now_ms)
    }

    fn sent(updates: Vec<Update>) -> (Offer, u32) {
        (Offer::Send(updates), 0)
    }

    fn wait(dropped: u32, timer_ms: Option<u64>) -> (Offer, u32) {
        (Offer::Wait { timer_ms }, dropped)
    }

    fn seqs(updates: &[Update]) -> Vec<u64> {
        updates.iter().map(|update| update.seq).collect()
    }

    #[test]
    fn a_quiet_room_sends_at_once_and_needs_no_timer() {
        let mut window = Window::new(10, Conflate::Latest);
        for (seq, now_ms) in [(1, 100), (2, 110), (3, 5_000)] {
            assert_eq!(
                offer(&mut window, update(seq, "a"), now_ms),
                sent(vec![update(seq, "a")])
            );
        }
        assert!(!window.is_waiting());
    }

    #[test]
    fn a_hot_room_keeps_the_latest_of_each_type_and_sets_one_timer() {
        let mut window = Window::new(10, Conflate::Latest);
        offer(&mut window, update(1, "a"), 100);
        assert_eq!(offer(&mut window, update(2, "a"), 103), wait(0, Some(7)));
        assert_eq!(offer(&mut window, update(3, "b"), 104), wait(0, None));
        assert_eq!(offer(&mut window, update(4, "a"), 105), wait(1, None));
        assert_eq!(
            offer(&mut window, update(5, "a"), 112),
            wait(1, None),
            "the timer is late; order holds"
        );
        assert_eq!(seqs(&window.close(113)), [3, 5]);
        assert_eq!(
            offer(&mut window, update(6, "a"), 120),
            wait(0, Some(3)),
            "the next window is open"
        );
        assert_eq!(seqs(&window.close(123)), [6]);
        assert_eq!(seqs(&window.close(133)), [0u64; 0]);
        assert_eq!(
            offer(&mut window, update(7, "a"), 134),
            sent(vec![update(7, "a")])
        );
    }

    #[test]
    fn every_update_can_be_kept_in_order() {
        let mut window = Window::new(10, Conflate::All);
        for seq in 1..=4 {
            offer(&mut window, update(seq, "a"), 100);
        }
        assert_eq!(seqs(&window.close(110)), [2, 3, 4]);
    }

    #[test]
    fn an_update_without_a_key_is_neither_replaced_nor_does_it_replace() {
        let mut window = Window::new(10, Conflate::Latest);
        for (seq, key) in [(1, ""), (2, ""), (3, "a"), (4, ""), (5, "a"), (6, "")] {
            let (_, dropped) = offer(&mut window, update(seq, key), 100);
            assert_eq!(dropped, u32::from(seq == 5));
        }
        assert_eq!(seqs(&window.close(110)), [2, 4, 5, 6]);
    }

    #[test]
    fn the_updates_of_a_batch_stay_together_and_none_of_them_is_conflated() {
        let mut window = Window::new(10, Conflate::Latest);
        let batch = || vec![update(3, "a"), update(4, "a"), update(5, "b")];
        assert_eq!(window.offer(batch(), Kept::Always, 100), sent(batch()));
        assert_eq!(offer(&mut window, update(6, "a"), 101), wait(0, Some(9)));
        let batch = vec![update(7, "a"), update(8, "a"), update(9, "b")];
        assert_eq!(window.offer(batch, Kept::Always, 102), wait(0, None));
        assert_eq!(offer(&mut window, update(10, "a"), 103), wait(1, None));
        assert_eq!(offer(&mut window, update(11, "b"), 104), wait(0, None));
        assert_eq!(offer(&mut window, update(12, "b"), 105), wait(1, None));
        assert_eq!(seqs(&window.close(110)), [7, 8, 9, 10, 12]);
    }

    #[test]
    fn what_waits_is_bounded_in_bytes_and_nothing_of_it_is_lost() {
        let mut window = Window::new(10_000, Conflate::Latest);
        let offer = |window: &mut Window, seq, key: &str, bytes: usize| {
            let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes));
            offer(window, Update::new(seq, "e", key.to_owned(), &body), 100)
        };
        assert!(matches!(
            offer(&mut window, 1, "", 300_000),
            (Offer::Send(_), 0)
        ));
        assert_eq!(offer(&mut window, 2, "", 300_000), wait(0, Some(10_000)));
        assert_eq!(offer(&mut window, 3, "a", 300_000), wait(0, None));
        // What was replaced takes no room
        assert_eq!(offer(&mut window, 4, "a", 300_000), wait(1, None));
        assert_eq!(offer(&mut window, 5, "a", 300_000), wait(1, None));
        assert_eq!(offer(&mut window, 6, "", 300_000), wait(0, None));
        let (Offer::Send(all), dropped) = offer(&mut window, 7, "a", 500_000) else {
            panic!("that is too much")
        };
        assert_eq!((seqs(&all), dropped), (vec![2, 6, 7], 1));
        assert!(!window.is_waiting());
        assert_eq!(offer(&mut window, 8, "", 300_000), wait(0, Some(10_000)));
        // The timer of what left early
        assert_eq!(seqs(&window.close(105)), [8]);
        assert_eq!(seqs(&window.close(106)), [0u64; 0]);
        assert_eq!(
            offer(&mut window, 9, "", 1),
            wait(0, Some(10_000)),
            "the window is still open"
        );
    }

    #[test]
    fn an_update_does_not_wait_for_a_timer_that_was_lost() {
        let mut window = Window::new(10, Conflate::All);
        offer(&mut window, update(1, "a"), 100);
        assert_eq!(offer(&mut window, update(2, "a"), 105), wait(0, Some(5)));
        assert_eq!(
            offer(&mut window, update(3, "a"), 110 + LOST_MS - 1),
            wait(0, None)
        );
        let late = 110 + LOST_MS;
        let all = vec![update(2, "a"), update(3, "a"), update(4, "a")];
        assert_eq!(offer(&mut window, update(4, "a"), late), sent(all));
        assert_eq!(
            offer(&mut window, update(5, "a"), late + 1),
            wait(0, Some(9))
        );
        assert_eq!(
            seqs(&window.close(late + 2)),
            [5],
            "the timer was not lost after all"
        );
    }

    #[test]
    fn a_clock_that_is_set_back_holds_updates_for_one_window_at_most() {
        let mut window = Window::new(10, Conflate::All);
        offer(&mut window, update(1, "a"), 1_000_000);
        assert_eq!(offer(&mut window, update(2, "a"), 500), wait(0, Some(10)));
        assert_eq!(seqs(&window.close(510)), [2]);
        assert_eq!(offer(&mut window, update(3, "a"), 512), wait(0, Some(8)));
    }

    #[test]
    fn a_window_of_nothing_never_holds_anything() {
        let mut window = Window::new(0, Conflate::Latest);
        for seq in 1..=3 {
            assert_eq!(
                offer(&mut window, update(seq, "a"), 100),
                sent(vec![update(seq, "a")])
            );
        }
    }

    proptest! {
        /// Also when the clock steps, and when timers are late or are lost.
        #[test]
        fn updates_leave_in_order_and_none_waits_without_a_timer(
            steps in proptest::collection::vec((0u64..30, -50i64..50, "[ab]?", 1usize..4, 0u64..20, 0u8..20), 1..60), conflate in 0..2,
        ) {
            let conflate = if conflate == 0 { Conflate::Latest } else { Conflate::All };
            let mut window = Window::new(10, conflate);
            // The time that passes, which timers go by, and what the clock shows
            let (mut real_ms, mut clock_ms, mut seq) = (0, 1_000_000_000u64, 0);
            let (mut timers, mut seen, mut dropped_all, mut kept_always) = (Vec::<u64>::new(), Vec::new(), 0, Vec::new());
            for (pause_ms, step_ms, key, count, late_ms, rare) in steps {
                real_ms += pause_ms;
                clock_ms += pause_ms;
                if rare == 0 {
                    clock_ms = clock_ms.saturating_add_signed(step_ms * 100_000);
                }
                timers.sort_unstable();
                while timers.first().is_some_and(|due_ms| *due_ms <= real_ms) {
                    timers.remove(0);
                    seen.extend(seqs(&window.close(clock_ms)));
                }
                let kept = if count == 1 { Kept::Latest } else { Kept::Always };
                let updates: Vec<Update> = (1..=count as u64).map(|at| update(seq + at, &key)).collect();
                seq += count as u64;
                if kept == Kept::Always || key.is_empty() || conflate == Conflate::All {
                    kept_always.extend(seqs(&updates));
                }
                let was_waiting = window.is_waiting();
                let (offer, dropped) = window.offer(updates, kept, clock_ms);
                dropped_all += dropped as usize;
                match offer {
                    Offer::Send(updates) => {
                        prop_assert_eq!(updates.last().map(|update| update.seq), Some(seq));
                        seen.extend(seqs(&updates));
                    }
                    Offer::Wait { timer_ms } => {
                        prop_assert_eq!(timer_ms.is_none(), was_waiting);
                        prop_assert!(timer_ms.is_none_or(|left_ms| (1..=10).contains(&left_ms)));
                        timers.extend(timer_ms.map(|left_ms| real_ms + left_ms + late_ms));
                    }
                }
                prop_assert!(!window.is_waiting() || !timers.is_empty());
            }
            seen.extend(seqs(&window.close(clock_ms + 10)));
            prop_assert!(seen.is_sorted_by(|one, other| one < other));
            prop_assert_eq!(seen.len() + dropped_all, seq as usize);
            prop_assert!(kept_always.iter().all(|seq| seen.contains(seq)));
        }
    }
}
