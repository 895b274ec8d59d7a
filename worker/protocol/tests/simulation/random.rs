//! A source of randomness.

/// Everything that a run draws comes from one of these, in one order: the same seed is the same run.
#[derive(Debug)]
pub(crate) struct Random(fastrand::Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A number from `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        self.0.u64(least..=most)
    }

    /// Whether something happens that does so in `thousandths` of all cases.
    pub(crate) fn happens(&mut self, thousandths: u32) -> bool {
        thousandths > 0 && self.0.u32(0..1000) < thousandths
    }

    /// One of several.
    pub(crate) fn pick<T: Copy>(&mut self, several: &[T]) -> T {
        several[self.0.usize(0..several.len())]
    }

    /// Lower-case hex digits.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        (0..digits)
            .map(|_| char::from(b"0123456789abcdef"[self.0.usize(0..16)]))
            .collect()
    }
}
