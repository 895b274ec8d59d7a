//! How often the objects behind `GET /health?deep=1` are asked: anybody may ask, and each answer costs a request and keeps an
//! object awake.

use crate::contract::health::Room;

/// Times that one gateway instance asks one object within a second. More than one, so that whoever proves a rollout is told what
/// an object runs now, beside those who watch it.
const ASKS: u32 = 4;
const SECOND_MS: u64 = 1000;

/// What is to be done about one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Ask the object.
    Now,
    /// It was asked often enough: this is what it answered, less than a second ago.
    Before(Room),
    /// It was asked often enough and has not answered.
    TooOften,
}

/// What one gateway instance remembers of the objects.
#[derive(Clone, Debug, Default)]
pub struct Probes(Vec<Probe>);

#[derive(Clone, Debug, Default)]
struct Probe {
    since_ms: u64,
    asks: u32,
    answered_ms: u64,
    room: Option<Room>,
}

impl Probes {
    /// Somebody asks for the object of this number, or for the one without.
    pub fn ask(&mut self, probe: Option<u8>, now_ms: u64) -> Asked {
        let known = self.at(probe);
        // A clock that was set back begins anew too
        if now_ms.wrapping_sub(known.since_ms) >= SECOND_MS {
            known.since_ms = now_ms;
            known.asks = 0;
        }
        if known.asks < ASKS {
            known.asks += 1;
            return Asked::Now;
        }
        let is_new = now_ms.wrapping_sub(known.answered_ms) < SECOND_MS;
        match known.room.clone().filter(|_| is_new) {
            Some(room) => Asked::Before(room),
            None => Asked::TooOften,
        }
    }

    /// The object has answered; `None` where it failed, which is no answer to repeat.
    pub fn answered(&mut self, probe: Option<u8>, room: Option<Room>, now_ms: u64) {
        let known = self.at(probe);
        known.answered_ms = now_ms;
        known.room = room;
    }

    fn at(&mut self, probe: Option<u8>) -> &mut Probe {
        let index = probe.map_or(0, |probe| usize::from(probe) + 1);
        if self.0.len() <= index {
            self.0.resize_with(index + 1, Probe::default);
        }
        &mut self.0[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn room(took_ms: u64) -> Room {
        Room {
            status: "ok".to_owned(),
            version: None,
            took_ms: Some(took_ms),
            probe: None,
        }
    }

    #[test]
    fn an_object_is_asked_four_times_a_second_and_then_its_last_answer_is_given() {
        let mut probes = Probes::default();
        for took_ms in 1..=4 {
            assert_eq!(probes.ask(None, 5_000), Asked::Now);
            probes.answered(None, Some(room(took_ms)), 5_000);
        }
        assert_eq!(probes.ask(None, 5_999), Asked::Before(room(4)));
        assert_eq!(probes.ask(Some(0), 5_999), Asked::Now, "another object");
        assert_eq!(probes.ask(None, 6_000), Asked::Now);
    }

    #[test]
    fn an_object_that_does_not_answer_or_fails_is_not_asked_more_often() {
        let mut probes = Probes::default();
        for _ in 0..4 {
            assert_eq!(probes.ask(Some(255), 5_000), Asked::Now);
        }
        assert_eq!(probes.ask(Some(255), 5_000), Asked::TooOften);
        probes.answered(Some(255), Some(room(1)), 5_100);
        assert_eq!(probes.ask(Some(255), 5_100), Asked::Before(room(1)));
        probes.answered(Some(255), None, 5_200);
        assert_eq!(probes.ask(Some(255), 5_200), Asked::TooOften);
        assert_eq!(probes.ask(Some(255), 6_000), Asked::Now);
    }

    proptest! {
        #[test]
        fn no_second_has_more_than_eight_asks_of_an_object_and_no_answer_is_older_than_a_second(
            steps in proptest::collection::vec((0u64..300, 0u8..3, 0u8..4), 0..200),
        ) {
            let (mut probes, mut now_ms, mut asked) = (Probes::default(), 1_000, Vec::new());
            for (later_ms, probe, answers) in steps {
                now_ms += later_ms;
                match probes.ask(Some(probe), now_ms) {
                    Asked::Now => {
                        asked.push((probe, now_ms));
                        if answers > 0 {
                            probes.answered(Some(probe), Some(room(now_ms)), now_ms);
                        }
                    }
                    Asked::Before(room) => prop_assert!(now_ms - room.took_ms.unwrap() < 1_000),
                    Asked::TooOften => {}
                }
                let recent = asked.iter().filter(|(other, at_ms)| *other == probe && now_ms - at_ms < 1_000);
                prop_assert!(recent.count() <= 8);
            }
        }
    }
}
