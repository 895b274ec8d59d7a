//! What is opened and sent, and when: an open loop, in which nothing waits for what came before it. Pure.

use std::time::Duration;

use serde_json::json;

/// What the tokens of a load test begin with, where none are named.
pub(crate) const PREFIX: &str = "edge-broadcast-bench";
/// Time between two pings of a client (`docs/protocol.md`, Keeping a socket).
pub(crate) const PING: Duration = Duration::from_secs(25);
/// The type of a load's updates.
const TYPE: &str = "BENCH";

/// A load.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) sockets: u32,
    pub(crate) tokens: Vec<String>,
    /// Updates a second, over all tokens.
    pub(crate) rate: f64,
    /// Sockets a second.
    pub(crate) connect_rate: f64,
    /// What is measured.
    pub(crate) duration: Duration,
    /// What is sent before, and not counted.
    pub(crate) warm_up: Duration,
    /// Of an update.
    pub(crate) bytes: usize,
}

impl Load {
    /// When the socket `n` is due, from the beginning.
    pub(crate) fn connect_due(&self, n: u32) -> Duration {
        Duration::from_secs_f64(f64::from(n) / self.connect_rate)
    }

    /// How long after its first frame the socket `n` pings first, where it pings every `period`: so many sockets ping evenly.
    pub(crate) fn first_ping(&self, n: u32, period: Duration) -> Duration {
        period.mul_f64(f64::from(n + 1) / f64::from(self.sockets))
    }

    /// When the update `n` is due, from the first one.
    pub(crate) fn due(&self, n: usize) -> Duration {
        Duration::from_secs_f64(n as f64 / self.rate)
    }

    /// Updates that are not counted.
    pub(crate) fn warm_ups(&self) -> usize {
        (self.warm_up.as_secs_f64() * self.rate).ceil() as usize
    }

    /// All updates.
    pub(crate) fn updates(&self) -> usize {
        self.warm_ups() + (self.duration.as_secs_f64() * self.rate).ceil() as usize
    }

    /// The place of the token of the update or socket `n`.
    pub(crate) fn token(&self, n: usize) -> usize {
        n % self.tokens.len()
    }

    /// The update `n`, as large as it shall be where that is large enough.
    pub(crate) fn update(&self, run: &str, n: usize) -> String {
        let token = &self.tokens[self.token(n)];
        let bare = |pad: &str| {
            json!({ "type": TYPE, "token": token, "run": run, "n": n, "pad": pad }).to_string()
        };
        let pad = self.bytes.saturating_sub(bare("").len());
        bare(&"x".repeat(pad))
    }
}

/// Time between two pings of a socket, where a silence of `idle_timeout` ends it: two may be late.
pub(crate) fn ping_period(idle_timeout: Duration) -> Duration {
    PING.min(idle_timeout / 3)
}

/// Made-up tokens, the same ones each time: rooms stay where they were made.
pub(crate) fn made_up(count: u32) -> Vec<String> {
    (0..count).map(|n| format!("{PREFIX}-{n}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn load() -> Load {
        Load {
            sockets: 4,
            tokens: made_up(2),
            rate: 10.0,
            connect_rate: 2.0,
            duration: Duration::from_secs(3),
            warm_up: Duration::from_secs(1),
            bytes: 200,
        }
    }

    #[test]
    fn everything_is_due_at_a_time_that_no_answer_moves() {
        let load = load();
        assert_eq!(load.connect_due(3), Duration::from_millis(1500));
        assert_eq!(load.due(15), Duration::from_millis(1500));
        assert_eq!((load.warm_ups(), load.updates()), (10, 40));
    }

    #[test]
    fn sockets_ping_in_turn_and_each_within_a_period() {
        let period = Duration::from_secs(20);
        let pings = (0..4).map(|n| load().first_ping(n, period).as_secs());
        assert_eq!(pings.collect::<Vec<_>>(), [5, 10, 15, 20]);
    }

    #[test]
    fn a_socket_pings_as_the_protocol_says_and_more_often_where_silence_ends_it_sooner() {
        let pings = [10, 60, 90, 3600].map(|idle| ping_period(Duration::from_secs(idle)).as_secs());
        assert_eq!(pings, [3, 20, 25, 25]);
    }

    #[test]
    fn an_update_has_its_size_and_says_that_it_is_a_load() {
        let load = load();
        for n in [0, 39, 1_000_000] {
            assert_eq!(load.update("7f", n).len(), 200);
        }
        let small = Load { bytes: 1, ..load };
        assert_eq!(
            small.update("7f", 3),
            r#"{"n":3,"pad":"","run":"7f","token":"edge-broadcast-bench-1","type":"BENCH"}"#
        );
    }
}
