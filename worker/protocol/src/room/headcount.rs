//! The number of sockets that an object holds. Asking the runtime touches every one of them, so it is asked seldom, and never just
//! because the object wakes up; in between, the number known here is never too low.

/// The last count, and what has happened since.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headcount {
    /// `None` until somebody has counted.
    counted: Option<u32>,
    /// When that count was taken.
    at: Moment,
    now: Moment,
}

/// A moment in the life of an object: how many sockets it had opened and lost by then, and how often it had doubted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    opened: u32,
    closed: u32,
    doubts: u32,
}

impl Headcount {
    /// Notes that a socket was opened.
    pub fn open(&mut self) {
        self.now.opened += 1;
    }

    /// Notes that the runtime has said that a socket is gone. Whether the last count still had it, nobody knows: it may have been
    /// closing already.
    pub fn close(&mut self) {
        self.now.closed += 1;
    }

    /// Notes that a socket may be gone of which the runtime has said nothing: the object closes it, or it was not opened.
    pub fn doubt(&mut self) {
        self.now.doubts += 1;
    }

    /// Now, for a count that is taken now and known later.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Notes that at `at` there were `sockets` open ones.
    pub fn count(&mut self, sockets: u32, at: Moment) {
        self.counted = Some(sockets);
        self.at = at;
    }

    /// How many there are, where none can have gone since the last count. `None` otherwise.
    pub fn exact(&self) -> Option<u32> {
        let gone = |moment: Moment| (moment.closed, moment.doubts);
        let most = self.upper_bound()?;
        (gone(self.at) == gone(self.now)).then_some(most)
    }

    /// The most that there can be. `None` when nobody has counted yet.
    pub fn upper_bound(&self) -> Option<u32> {
        Some(
            self.counted?
                .saturating_add(self.now.opened - self.at.opened),
        )
    }

    /// About the number that there is. `None` when nobody has counted yet.
    pub fn estimate(&self) -> Option<u32> {
        Some(
            self.upper_bound()?
                .saturating_sub(self.now.closed - self.at.closed),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_is_known_until_somebody_counts() {
        let mut headcount = Headcount::default();
        headcount.open();
        assert_eq!(
            (headcount.upper_bound(), headcount.estimate()),
            (None, None)
        );
        headcount.count(7, headcount.now());
        headcount.open();
        headcount.close();
        assert_eq!(
            (headcount.upper_bound(), headcount.estimate()),
            (Some(8), Some(7))
        );
    }

    #[test]
    fn sockets_that_a_count_left_out_are_not_subtracted_again() {
        let mut headcount = Headcount::default();
        // Ten were open, five of them have just been swept: the next broadcast counts five, then their ends are reported.
        headcount.count(5, headcount.now());
        for _ in 0..5 {
            headcount.close();
        }
        assert_eq!(headcount.upper_bound(), Some(5));
    }

    /// What can happen to the sockets of an object.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Open,
        /// The object closes a socket; the runtime reports its end later.
        Shut,
        /// The client closes a socket.
        Lose,
        /// The runtime reports the end of a socket that the object closed.
        Report,
        /// A count begins.
        Begin,
        /// A count that has begun ends: of the sockets that were there, those that are still open.
        End,
    }

    proptest! {
        #[test]
        fn the_most_is_never_too_low(steps in proptest::collection::vec(0..6, 0..200)) {
            let steps = steps.into_iter().map(|step| match step {
                0 => Step::Open, 1 => Step::Shut, 2 => Step::Lose, 3 => Step::Report, 4 => Step::Begin, _ => Step::End,
            });
            let mut headcount = Headcount::default();
            let (mut open, mut next, mut shut) = (Vec::new(), 0, 0);
            let mut begun: std::collections::VecDeque<(Vec<i32>, Moment)> = [(Vec::new(), headcount.now())].into();
            for step in steps {
                match step {
                    Step::Open => { open.push(next); next += 1; headcount.open(); }
                    Step::Shut => if open.pop().is_some() { shut += 1; headcount.doubt(); },
                    Step::Lose => if !open.is_empty() { open.remove(0); headcount.close(); },
                    Step::Report => if shut > 0 { shut -= 1; headcount.close(); },
                    Step::Begin => begun.push_back((open.clone(), headcount.now())),
                    Step::End => if let Some((there, at)) = begun.pop_front() {
                        let still = there.iter().filter(|socket| open.contains(socket)).count();
                        headcount.count(u32::try_from(still).unwrap(), at);
                    },
                }
                if let Some(exact) = headcount.exact() {
                    prop_assert_eq!(exact as usize, open.len());
                }
                if let Some(most) = headcount.upper_bound() {
                    prop_assert!(most as usize >= open.len(), "{} of {}", most, open.len());
                }
            }
            headcount.count(u32::try_from(open.len()).unwrap(), headcount.now());
            prop_assert_eq!(headcount.upper_bound(), Some(u32::try_from(open.len()).unwrap()));
            prop_assert_eq!(headcount.estimate(), headcount.upper_bound());
            prop_assert_eq!(headcount.exact(), headcount.upper_bound());
        }
    }
}
