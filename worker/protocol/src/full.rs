//! That an object is full, remembered for a moment.
//!
//! To be sure, an object asks the runtime for every one of its sockets. A crowd at the door of a full object must not make
//! it do that for each of its members: with 32,000 sockets it would do nothing else.

/// For how long it counts. Sockets may go without a word, so it is not forever.
const MEMORY_MS: u64 = 1000;

/// Whether an object was full a moment ago.
#[derive(Clone, Copy, Debug, Default)]
pub struct Full {
    until_ms: Option<u64>,
}

impl Full {
    /// There was no place at `now_ms`.
    pub fn found(&mut self, now_ms: u64) {
        self.until_ms = Some(now_ms + MEMORY_MS);
    }

    /// A socket has closed.
    pub fn forget(&mut self) {
        self.until_ms = None;
    }

    /// Whether there is surely no place at `now_ms`.
    pub fn holds(&self, now_ms: u64) -> bool {
        // A clock that was set back must not keep a door shut
        self.until_ms
            .is_some_and(|until_ms| now_ms < until_ms && until_ms <= now_ms + MEMORY_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_object_is_full_for_a_second_or_until_a_socket_closes() {
        let mut full = Full::default();
        assert!(!full.holds(5_000));
        full.found(5_000);
        assert!(full.holds(5_999));
        assert!(!full.holds(6_000));
        full.found(7_000);
        assert!(!full.holds(100), "the clock was set back");
        full.forget();
        assert!(!full.holds(7_001));
    }
}
