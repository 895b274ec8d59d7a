//! What has happened to each update and each socket so far. Pure: whoever tells it says when.

use std::collections::BTreeMap;
use std::time::Duration;

use super::latency::Times;
use super::load::Load;

/// How often each kind of failure happened.
pub(crate) type Kinds = BTreeMap<String, u64>;

/// Whether a room leaves out an update that a newer one replaces within a batch window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflation {
    Possible,
    Never,
}

/// One update.
#[derive(Clone, Debug, Default)]
struct Update {
    state: State,
    due: Duration,
    /// Sockets that were open on its token when it was sent.
    expected: u64,
    heard: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unsent,
    Sent,
    Failed,
    /// It went out at once.
    Written,
    /// Under this number, to leave with the next frame of the window.
    Waiting(u64),
}

/// What a load has done so far.
#[derive(Debug)]
pub(crate) struct Tally {
    conflation: Conflation,
    warm_ups: usize,
    tokens: usize,
    /// Sockets that are open, by token.
    open: Vec<u64>,
    /// The highest number that anybody heard, by token.
    newest: Vec<u64>,
    updates: Vec<Update>,
    pub(crate) connected: u64,
    pub(crate) refused: Kinds,
    pub(crate) closed: Kinds,
    pub(crate) failed: Kinds,
    /// Updates that a socket was sent once more.
    pub(crate) repeated: u64,
    /// From when a socket was due to its first frame.
    pub(crate) connects: Times,
    /// From when an update was due to its frame, at each socket.
    pub(crate) latencies: Times,
    /// By how much an update was sent later than it was due, at most.
    pub(crate) late: Duration,
    /// The end of what happened.
    last: Duration,
}

/// What became of the counted updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) published: u64,
    pub(crate) expected: u64,
    pub(crate) delivered: u64,
    pub(crate) conflated: u64,
    pub(crate) lost: u64,
}

impl Tally {
    /// Nothing has happened yet.
    pub(crate) fn new(load: &Load, conflation: Conflation) -> Self {
        Self {
            conflation,
            warm_ups: load.warm_ups(),
            tokens: load.tokens.len(),
            open: vec![0; load.tokens.len()],
            newest: vec![0; load.tokens.len()],
            updates: vec![Update::default(); load.updates()],
            connected: 0,
            refused: Kinds::new(),
            closed: Kinds::new(),
            failed: Kinds::new(),
            repeated: 0,
            connects: Times::default(),
            latencies: Times::default(),
            late: Duration::ZERO,
            last: Duration::ZERO,
        }
    }

    /// A socket got its first frame, so long after it was due.
    pub(crate) fn opened(&mut self, token: usize, took: Duration) {
        self.connected += 1;
        self.open[token] += 1;
        self.connects.add(took);
    }

    pub(crate) fn refused(&mut self, kind: String) {
        *self.refused.entry(kind).or_default() += 1;
    }

    pub(crate) fn closed(&mut self, token: usize, kind: String) {
        self.open[token] -= 1;
        *self.closed.entry(kind).or_default() += 1;
    }

    /// Sockets that are open or never will be.
    pub(crate) fn settled(&self) -> u64 {
        self.connected + self.refused.values().sum::<u64>()
    }

    /// An update is sent at `now`, which was due at `due`.
    pub(crate) fn sent(&mut self, n: usize, due: Duration, now: Duration) {
        let expected = self.open[n % self.tokens];
        let update = &mut self.updates[n];
        (update.state, update.due, update.expected) = (State::Sent, due, expected);
        self.late = self.late.max(now.saturating_sub(due));
    }

    /// The room has taken it.
    pub(crate) fn taken(&mut self, n: usize, seq: u64, waits: bool) {
        self.updates[n].state = match waits {
            true => State::Waiting(seq),
            false => State::Written,
        };
    }

    pub(crate) fn failed(&mut self, n: usize, kind: String) {
        self.updates[n].state = State::Failed;
        if n >= self.warm_ups {
            *self.failed.entry(kind).or_default() += 1;
        }
    }

    /// A socket heard an update, for the first time.
    pub(crate) fn heard(&mut self, n: usize, seq: u64, now: Duration) {
        let newest = &mut self.newest[n % self.tokens];
        *newest = seq.max(*newest);
        let Some(update) = self.updates.get_mut(n) else {
            return;
        };
        update.heard += 1;
        if n >= self.warm_ups {
            self.latencies.add(now.saturating_sub(update.due));
            self.last = now;
        }
    }

    /// Time from when the first counted update was due to the last frame of one.
    pub(crate) fn measured(&self) -> Duration {
        let first = self.updates.get(self.warm_ups);
        let due = first.map_or(Duration::ZERO, |update| update.due);
        self.last.saturating_sub(due)
    }

    /// The last frame.
    pub(crate) fn last(&self) -> Duration {
        self.last
    }

    /// Whether nothing is expected any more.
    pub(crate) fn is_complete(&self) -> bool {
        let Sum {
            expected,
            delivered,
            conflated,
            ..
        } = self.sum();
        delivered + conflated >= expected
    }

    /// What became of the updates that are counted.
    pub(crate) fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        for (n, update) in self.updates.iter().enumerate().skip(self.warm_ups) {
            if !matches!(update.state, State::Written | State::Waiting(_)) {
                continue;
            }
            sum.published += 1;
            sum.expected += update.expected;
            sum.delivered += update.heard.min(update.expected);
            let missing = update.expected.saturating_sub(update.heard);
            match self.is_replaced(n, update) {
                true => sum.conflated += missing,
                false => sum.lost += missing,
            }
        }
        sum
    }

    /// Whether a newer update took its place before it was sent. All frames of a room are the same ones, so nobody has heard it, and
    /// something later was heard.
    fn is_replaced(&self, n: usize, update: &Update) -> bool {
        let State::Waiting(seq) = update.state else {
            return false;
        };
        self.conflation == Conflation::Possible
            && update.heard == 0
            && self.newest[n % self.tokens] > seq
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::made_up;
    use super::*;

    fn load(rate: f64) -> Load {
        Load {
            sockets: 2,
            tokens: made_up(1),
            rate,
            connect_rate: 10.0,
            duration: Duration::from_secs(10),
            warm_up: Duration::ZERO,
            bytes: 0,
        }
    }

    fn open(load: &Load, conflation: Conflation) -> Tally {
        let mut tally = Tally::new(load, conflation);
        for _ in 0..load.sockets {
            tally.opened(0, Duration::from_millis(3));
        }
        tally
    }

    /// One call at a time: a server that stalls for two seconds makes one call slow, and two seconds of others late.
    #[test]
    fn a_server_that_stalls_is_seen_by_every_update_that_was_due_meanwhile() {
        let load = Load {
            sockets: 1,
            ..load(100.0)
        };
        let mut tally = open(&load, Conflation::Never);
        let mut naive = Times::default();
        let stall = Duration::from_secs(3)..Duration::from_secs(5);
        let mut clock = Duration::ZERO;
        for n in 0..load.updates() {
            let due = load.due(n);
            clock = clock.max(due);
            let sent = clock;
            tally.sent(n, due, sent);
            clock += Duration::from_millis(1);
            if stall.contains(&clock) {
                clock = stall.end;
            }
            tally.taken(n, n as u64 + 1, false);
            tally.heard(n, n as u64 + 1, clock);
            naive.add(clock.saturating_sub(sent));
        }
        let (told, naive) = (tally.latencies.told().unwrap(), naive.told().unwrap());
        assert!(naive.p99 < 2.0, "{naive:?}");
        assert!(told.p50 < 2.0 && told.p90 > 900.0, "{told:?}");
        assert!(told.p99 > 1800.0 && told.max > 1990.0, "{told:?}");
        assert!(tally.late > Duration::from_millis(1900));
        assert_eq!(tally.sum().delivered, 1000);
    }

    #[test]
    fn what_a_newer_update_replaced_is_not_lost_and_all_else_that_is_missing_is() {
        let told = |conflation| {
            let mut tally = open(&load(1.0), conflation);
            let second = Duration::from_secs(1);
            for n in 0..5 {
                tally.sent(n, second, second);
            }
            tally.taken(0, 1, false);
            // It waits, and the next one takes its place
            tally.taken(1, 2, true);
            tally.taken(2, 3, true);
            // Sent at once, and nobody heard it
            tally.taken(3, 4, false);
            tally.failed(4, "429 broadcast_rate".to_owned());
            for (n, seq) in [(0, 1), (0, 1), (2, 3)] {
                tally.heard(n, seq, second);
            }
            tally.sum()
        };
        let sum = Sum {
            published: 4,
            expected: 8,
            delivered: 3,
            conflated: 2,
            lost: 3,
        };
        assert_eq!(told(Conflation::Possible), sum);
        let never = Sum {
            conflated: 0,
            lost: 5,
            ..sum
        };
        assert_eq!(told(Conflation::Never), never);
    }

    #[test]
    fn what_warms_up_is_not_counted_and_who_went_away_is_not_expected() {
        let load = Load {
            warm_up: Duration::from_secs(1),
            ..load(1.0)
        };
        let mut tally = open(&load, Conflation::Never);
        let at = Duration::from_secs;
        tally.sent(0, at(0), at(0));
        tally.failed(0, "429 broadcast_rate".to_owned());
        tally.closed(0, "4008 no ping within the idle time".to_owned());
        tally.sent(1, at(1), at(1));
        tally.taken(1, 2, false);
        tally.heard(1, 2, at(3));
        assert_eq!(
            tally.sum(),
            Sum {
                published: 1,
                expected: 1,
                delivered: 1,
                ..Sum::default()
            }
        );
        assert!(tally.failed.is_empty() && tally.is_complete());
        assert_eq!(tally.measured(), at(2));
    }
}
