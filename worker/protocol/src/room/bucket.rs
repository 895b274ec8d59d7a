//! A token bucket: updates per second that one room accepts.

/// A bucket that holds as many updates as it gets per second.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    rate: u32,
    /// Thousandths of an update.
    level: u64,
    filled_ms: Option<u64>,
}

impl Bucket {
    /// A full bucket of `rate` updates per second; of 0, it has no limit.
    pub(crate) fn new(rate: u32) -> Self {
        Self {
            rate,
            level: u64::from(rate) * 1000,
            filled_ms: None,
        }
    }

    /// Takes one update out at `now_ms`.
    ///
    /// # Errors
    /// The seconds, at least one, until there is one.
    pub(crate) fn take(&mut self, now_ms: u64) -> Result<(), u32> {
        if self.rate == 0 {
            return Ok(());
        }
        let rate = u64::from(self.rate);
        let passed_ms = now_ms
            .saturating_sub(self.filled_ms.unwrap_or(now_ms))
            .min(1000);
        self.filled_ms = Some(now_ms);
        self.level = (self.level + passed_ms * rate).min(rate * 1000);
        if self.level < 1000 {
            return Err(1);
        }
        self.level -= 1000;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_burst_of_one_second_passes_and_then_the_rate_holds() {
        let mut bucket = Bucket::new(2);
        assert_eq!(bucket.take(0), Ok(()));
        assert_eq!(bucket.take(0), Ok(()));
        assert_eq!(bucket.take(499), Err(1));
        assert_eq!(bucket.take(500), Ok(()));
        assert_eq!(bucket.take(501), Err(1));
    }

    #[test]
    fn zero_is_no_limit() {
        let mut bucket = Bucket::new(0);
        assert!((0..1000).all(|_| bucket.take(0).is_ok()));
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate_pass(rate in 1u32..50, pauses in proptest::collection::vec(0u64..200, 1..300)) {
            let mut bucket = Bucket::new(rate);
            let (mut now_ms, mut passed) = (0, 0u64);
            for pause_ms in pauses {
                now_ms += pause_ms;
                passed += u64::from(bucket.take(now_ms).is_ok());
            }
            prop_assert!(passed * 1000 <= u64::from(rate) * (1000 + now_ms));
        }
    }
}
