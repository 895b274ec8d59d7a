//! A token bucket: the updates per second that one room accepts, or the frames that it takes from one socket.

/// A bucket that holds as many updates as it gets per second.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    rate: u32,
    /// Thousandths of an update; less than nothing after a batch that was larger than the bucket.
    level: i64,
    filled_ms: Option<u64>,
}

impl Bucket {
    /// A full bucket of `rate` updates per second; of 0, it has no limit.
    pub(crate) fn new(rate: u32) -> Self {
        Self {
            rate,
            level: i64::from(rate) * 1000,
            filled_ms: None,
        }
    }

    /// Takes `count` updates out at `now_ms`. More than it holds are lent by a full one: what follows waits for longer.
    ///
    /// # Errors
    /// The seconds, at least one, until there are so many, or it is full.
    pub(crate) fn take(&mut self, count: u32, now_ms: u64) -> Result<(), u32> {
        if self.rate == 0 {
            return Ok(());
        }
        let full = i64::from(self.rate) * 1000;
        let passed_ms = now_ms.saturating_sub(self.filled_ms.unwrap_or(now_ms));
        self.filled_ms = Some(now_ms);
        let passed_ms = i64::try_from(passed_ms).unwrap_or(i64::MAX);
        let filled = passed_ms.saturating_mul(i64::from(self.rate));
        self.level = self.level.saturating_add(filled).min(full);
        let taken = i64::from(count) * 1000;
        let missing = taken.min(full) - self.level;
        if missing > 0 {
            return Err(u32::try_from((missing - 1) / full + 1).unwrap_or(u32::MAX));
        }
        self.level -= taken;
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
        assert_eq!(bucket.take(1, 0), Ok(()));
        assert_eq!(bucket.take(1, 0), Ok(()));
        assert_eq!(bucket.take(1, 499), Err(1));
        assert_eq!(bucket.take(1, 500), Ok(()));
        assert_eq!(bucket.take(1, 501), Err(1));
    }

    #[test]
    fn zero_is_no_limit() {
        let mut bucket = Bucket::new(0);
        assert!((0..1000).all(|_| bucket.take(1, 0).is_ok()));
    }

    #[test]
    fn a_batch_larger_than_the_bucket_passes_when_it_is_full_and_is_paid_for_afterwards() {
        let mut bucket = Bucket::new(10);
        assert_eq!(bucket.take(25, 0), Ok(()));
        assert_eq!(bucket.take(1, 0), Err(2), "15 and one are owed");
        assert_eq!(bucket.take(1, 1_599), Err(1));
        assert_eq!(bucket.take(1, 1_600), Ok(()));
        assert_eq!(bucket.take(25, 1_600), Err(1));
        assert_eq!(bucket.take(25, 2_599), Err(1));
        assert_eq!(bucket.take(25, 2_600), Ok(()));
        assert_eq!(bucket.take(1, 60_000), Ok(()), "what was owed is paid");
    }

    #[test]
    fn a_clock_that_steps_neither_blocks_nor_opens_it() {
        let mut bucket = Bucket::new(1);
        assert_eq!(bucket.take(1, 1_000_000), Ok(()));
        assert_eq!(bucket.take(1, 500_000), Err(1));
        assert_eq!(bucket.take(1, 501_000), Ok(()));
        assert_eq!(bucket.take(1, u64::MAX), Ok(()));
        assert_eq!(bucket.take(1, u64::MAX), Err(1));
    }

    proptest! {
        #[test]
        fn batches_get_no_more_than_burst_rate_and_one_loan(
            rate in 1u32..50, steps in proptest::collection::vec((1u32..101, 0u64..5_000), 1..100),
        ) {
            let mut bucket = Bucket::new(rate);
            let (mut now_ms, mut passed) = (0, 0u64);
            for (count, pause_ms) in steps {
                now_ms += pause_ms;
                if let Err(seconds) = bucket.clone().take(count, now_ms) {
                    // Whoever comes back when told is let in, if nobody came before
                    prop_assert!(seconds >= 1);
                    prop_assert_eq!(bucket.clone().take(count, now_ms + u64::from(seconds) * 1000), Ok(()));
                }
                if bucket.take(count, now_ms).is_ok() {
                    passed += u64::from(count);
                }
            }
            prop_assert!(passed * 1000 <= u64::from(rate) * (1000 + now_ms) + 100_000);
        }

        #[test]
        fn never_more_than_burst_and_rate_pass(rate in 1u32..50, pauses in proptest::collection::vec(0u64..200, 1..300)) {
            let mut bucket = Bucket::new(rate);
            let (mut now_ms, mut passed) = (0, 0u64);
            for pause_ms in pauses {
                now_ms += pause_ms;
                passed += u64::from(bucket.take(1, now_ms).is_ok());
            }
            prop_assert!(passed * 1000 <= u64::from(rate) * (1000 + now_ms));
        }
    }
}
