//! What a rotation does next, decided from what is live alone. Pure.

use edge_broadcast_protocol::contract::slot::Slot;

use super::note::{Handed, Note, State, other};

/// Which slots have a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    Neither,
    One(Slot),
    Both,
}

/// Who has used the new value of a handover that was cut off, as the counters show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nobody looked, or the counters cannot be read.
    Unknown,
    /// Nobody, for as long as one looked.
    Nobody,
    /// Somebody, but not while one looked.
    Earlier,
    /// Somebody while one looked, when nobody used the old value.
    Only,
    /// Somebody while one looked, and somebody the old value too.
    Both,
}

/// Whether somebody said that the rotation is to go on without evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Told,
    None,
}

/// Everything that a decision rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub filled: Filled,
    pub note: Option<Note>,
    /// Slots whose value this run holds: it wrote it, or the source gives it and the gateway accepts it.
    pub known: Vec<Slot>,
    /// Looked at only after an interrupted handover.
    pub seen: Seen,
    /// How many senders the manifest names.
    pub senders: usize,
    pub word: Word,
}

/// The next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing can be rotated: no slot is filled.
    Empty,
    /// Write a fresh value to `new`, which nobody depends on, and prove it.
    Write { new: Slot },
    /// Hand the value of `new`, which this run knows, to every sender.
    Give { new: Slot },
    /// Wait until nobody uses the other slot, then revoke it.
    Wait { new: Slot },
    /// The other slot is revoked: prove it, and remove the note.
    Close { kept: Slot },
    /// The rotation is being undone; only `--abort` goes on with that.
    Undoing,
    /// A replacement of every value at once was cut off before its write; only `--compromised` goes on with that.
    Replacing,
    /// A handover was cut off and its value is lost; perhaps a sender lives on it and another one on the old value: neither slot can
    /// be written or emptied without refusing somebody.
    Torn { new: Slot },
    /// Both slots are filled, and not by a rotation of this tool.
    Unclear,
}

impl Phase {
    /// What `rotate` does next.
    pub fn of(facts: &Facts) -> Self {
        let note = facts.note.as_ref().map(|note| (note.state, note.new));
        match (facts.filled, note) {
            (Filled::Neither, _) => Self::Empty,
            (Filled::One(slot), Some((State::Given, new))) if new == slot => {
                Self::Close { kept: slot }
            }
            (Filled::One(slot), Some((State::Returned, new))) if new != slot => {
                Self::Close { kept: slot }
            }
            (Filled::One(slot), _) => Self::Write { new: other(slot) },
            (Filled::Both, None) => Self::Unclear,
            (Filled::Both, Some((State::Writing, new))) => Self::Write { new },
            (Filled::Both, Some((State::Giving, new))) => interrupted(facts, new),
            (Filled::Both, Some((State::Given, new))) => Self::Wait { new },
            (Filled::Both, Some((State::Replacing, _))) => Self::Replacing,
            (Filled::Both, Some((State::Returning | State::Returned, _))) => Self::Undoing,
        }
    }
}

/// A handover that was begun. A value that is lost may be written anew only while nobody lives on it, and the old one may be revoked
/// only when everybody lives on the new one.
fn interrupted(facts: &Facts, new: Slot) -> Phase {
    let handed = facts
        .note
        .as_ref()
        .map_or(Handed::default(), |note| note.handed);
    if facts.known.contains(&new) {
        return Phase::Give { new };
    }
    if handed.begun == 0 {
        return Phase::Write { new };
    }
    match (facts.seen, facts.word) {
        // The only sender there is has it. Of several, the others may be silent, and never told
        (Seen::Only, _) if handed.of == 1 && facts.senders == 1 => Phase::Wait { new },
        (Seen::Nobody, _) | (Seen::Unknown, Word::Told) => Phase::Write { new },
        _ => Phase::Torn { new },
    }
}

/// The next thing to do to undo a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// No rotation is open.
    NotOpen,
    /// Nobody has the new value: revoke it.
    Revoke { new: Slot },
    /// Hand the old value, which this run knows, back to every sender.
    Return { new: Slot },
    /// Wait until nobody uses the new slot, then revoke it.
    Wait { new: Slot },
    /// The new slot is revoked: prove the old one, and remove the note.
    Close { kept: Slot },
    /// Senders may have the new value, and this run does not know the old one.
    Unknown { new: Slot },
    /// A replacement of every value at once was cut off before its write; only `--compromised` goes on with that.
    Replacing,
    /// Both slots are filled, and not by a rotation of this tool.
    Unclear,
}

impl Undo {
    /// What `rotate --abort` does next.
    pub fn of(facts: &Facts) -> Self {
        let note = facts.note.as_ref().map(|note| (note.state, note.new));
        match (facts.filled, note) {
            (Filled::One(slot), Some((State::Returned, new))) if new != slot => {
                Self::Close { kept: slot }
            }
            // Begun and nothing written
            (Filled::One(slot), Some((State::Writing, new))) if new != slot => {
                Self::Close { kept: slot }
            }
            (Filled::Neither | Filled::One(_), _) => Self::NotOpen,
            (Filled::Both, None) => Self::Unclear,
            (Filled::Both, Some((State::Replacing, _))) => Self::Replacing,
            (Filled::Both, Some((State::Writing, new))) => Self::Revoke { new },
            (Filled::Both, Some((State::Giving, new))) if nobody_has_it(facts) => {
                Self::Revoke { new }
            }
            (Filled::Both, Some((State::Returned, new))) => Self::Wait { new },
            (Filled::Both, Some((_, new))) if facts.known.contains(&other(new)) => {
                Self::Return { new }
            }
            (Filled::Both, Some((_, new))) => Self::Unknown { new },
        }
    }
}

fn nobody_has_it(facts: &Facts) -> bool {
    facts
        .note
        .as_ref()
        .is_some_and(|note| note.handed.begun == 0)
}

/// What `rotate --compromised` writes: in one version, so that the old value ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compromise {
    Empty,
    /// A fresh value in `new`, nothing in the other slot. Senders are refused until they have it.
    Replace {
        new: Slot,
    },
    /// Every sender already has the value of `new`: nothing in the other slot.
    Drop {
        new: Slot,
    },
    /// The value of `kept` is the only one already, and every sender has it: remove the note.
    Done {
        kept: Slot,
    },
}

impl Compromise {
    pub fn of(filled: Filled, note: Option<&Note>) -> Self {
        match (filled, note.map(|note| (note.state, note.new))) {
            (Filled::Neither, _) => Self::Empty,
            (Filled::One(slot), Some((State::Given, new))) if new == slot => {
                Self::Done { kept: slot }
            }
            (Filled::One(slot), _) => Self::Replace { new: other(slot) },
            (Filled::Both, Some((State::Given, new))) => Self::Drop { new },
            (Filled::Both, Some((_, new))) => Self::Replace { new },
            // Which of the two leaked is not known: neither survives
            (Filled::Both, None) => Self::Replace { new: Slot::Primary },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::note::Print;
    use super::super::run_id::RunId;
    use super::*;
    use crate::secret::Value;
    use Slot::{Alternate as A, Primary as P};

    fn facts(filled: Filled, note: Option<(State, Slot)>, known: &[Slot], seen: Seen) -> Facts {
        Facts {
            filled,
            note: note.map(|(state, new)| Note {
                state,
                new,
                print: Print::of(&Value::new("x".to_owned())),
                run_id: RunId::this(),
                handed: Handed { begun: 1, of: 1 },
                uses: None,
            }),
            known: known.to_vec(),
            seen,
            senders: 1,
            word: Word::None,
        }
    }

    /// Every place at which a run can be killed, in order, and what the next run does there.
    #[test]
    fn a_rotation_goes_on_wherever_it_was_killed() {
        use Filled::{Both, One};
        let on = |filled, note, known: &[Slot], seen| Phase::of(&facts(filled, note, known, seen));
        let table = [
            // Before anything; after the note, before the write
            (
                on(One(P), None, &[], Seen::Unknown),
                Phase::Write { new: A },
            ),
            (
                on(One(P), Some((State::Writing, A)), &[P], Seen::Unknown),
                Phase::Write { new: A },
            ),
            // After the write, before the handover: nobody has the value, so a fresh one replaces it
            (
                on(Both, Some((State::Writing, A)), &[P], Seen::Unknown),
                Phase::Write { new: A },
            ),
            // In the handover: the source has it already, or the only sender uses it, or nobody does
            (
                on(Both, Some((State::Giving, A)), &[A], Seen::Unknown),
                Phase::Give { new: A },
            ),
            (
                on(Both, Some((State::Giving, A)), &[P], Seen::Only),
                Phase::Wait { new: A },
            ),
            (
                on(Both, Some((State::Giving, A)), &[], Seen::Nobody),
                Phase::Write { new: A },
            ),
            // Somebody may live on either value
            (
                on(Both, Some((State::Giving, A)), &[], Seen::Unknown),
                Phase::Torn { new: A },
            ),
            (
                on(Both, Some((State::Giving, A)), &[P], Seen::Earlier),
                Phase::Torn { new: A },
            ),
            (
                on(Both, Some((State::Giving, A)), &[P], Seen::Both),
                Phase::Torn { new: A },
            ),
            // In the wait; after the revocation, before its proof
            (
                on(Both, Some((State::Given, A)), &[P], Seen::Unknown),
                Phase::Wait { new: A },
            ),
            (
                on(One(A), Some((State::Given, A)), &[], Seen::Unknown),
                Phase::Close { kept: A },
            ),
            // The next rotation goes the other way
            (
                on(One(A), None, &[], Seen::Unknown),
                Phase::Write { new: P },
            ),
        ];
        for (number, (got, wanted)) in table.into_iter().enumerate() {
            assert_eq!(got, wanted, "row {number}");
        }
    }

    #[test]
    fn a_handover_that_was_cut_off_is_judged_by_how_far_it_came() {
        let on = |handed, senders, seen, word| {
            let mut facts = facts(Filled::Both, Some((State::Giving, A)), &[P], seen);
            facts.note.as_mut().unwrap().handed = handed;
            Phase::of(&Facts {
                senders,
                word,
                ..facts
            })
        };
        let handed = |begun, of| Handed { begun, of };
        // Nobody was handed it
        for seen in [Seen::Unknown, Seen::Both] {
            let phase = on(handed(0, 2), 2, seen, Word::None);
            assert_eq!(phase, Phase::Write { new: A });
        }
        // One of two uses it: the other one may be silent, and not have it, whether it was begun or not
        for handed in [handed(1, 2), handed(2, 2)] {
            for senders in [1, 2] {
                for word in [Word::Told, Word::None] {
                    let phase = on(handed, senders, Seen::Only, word);
                    assert_eq!(phase, Phase::Torn { new: A });
                }
            }
        }
        // The manifest has one more than the run that was cut off
        assert_eq!(
            on(handed(1, 1), 2, Seen::Only, Word::None),
            Phase::Torn { new: A }
        );
        // Somebody's word stands for evidence that there is none of, not against what is seen
        assert_eq!(
            on(handed(1, 1), 1, Seen::Unknown, Word::Told),
            Phase::Write { new: A }
        );
        for seen in [Seen::Earlier, Seen::Both] {
            let phase = on(handed(1, 1), 1, seen, Word::Told);
            assert_eq!(phase, Phase::Torn { new: A });
        }
    }

    #[test]
    fn what_no_rotation_of_this_tool_made_is_not_touched() {
        use Filled::{Both, Neither, One};
        let on = |filled, note| Phase::of(&facts(filled, note, &[P], Seen::Unknown));
        assert_eq!(on(Neither, None), Phase::Empty);
        assert_eq!(on(Both, None), Phase::Unclear);
        assert_eq!(on(Both, Some((State::Returning, A))), Phase::Undoing);
        assert_eq!(on(Both, Some((State::Returned, A))), Phase::Undoing);
        assert_eq!(on(Both, Some((State::Replacing, A))), Phase::Replacing);
        // Somebody deleted the new slot by hand: the note is stale
        assert_eq!(on(One(P), Some((State::Given, A))), Phase::Write { new: A });
        // `--compromised` was killed after its write: its value is lost, and the next rotation replaces it
        assert_eq!(
            on(One(A), Some((State::Replacing, A))),
            Phase::Write { new: P }
        );
    }

    #[test]
    fn an_abort_goes_on_wherever_it_was_killed() {
        use Filled::{Both, One};
        let on =
            |filled, note, known: &[Slot]| Undo::of(&facts(filled, note, known, Seen::Unknown));
        for (got, wanted) in [
            (on(One(P), None, &[P]), Undo::NotOpen),
            (
                on(One(P), Some((State::Writing, A)), &[P]),
                Undo::Close { kept: P },
            ),
            (
                on(Both, Some((State::Writing, A)), &[]),
                Undo::Revoke { new: A },
            ),
            (
                on(Both, Some((State::Giving, A)), &[P]),
                Undo::Return { new: A },
            ),
            (
                on(Both, Some((State::Given, A)), &[P]),
                Undo::Return { new: A },
            ),
            (
                on(Both, Some((State::Given, A)), &[A]),
                Undo::Unknown { new: A },
            ),
            (
                on(Both, Some((State::Returning, A)), &[P]),
                Undo::Return { new: A },
            ),
            (
                on(Both, Some((State::Returned, A)), &[]),
                Undo::Wait { new: A },
            ),
            (
                on(One(P), Some((State::Returned, A)), &[]),
                Undo::Close { kept: P },
            ),
            (on(One(A), Some((State::Given, A)), &[]), Undo::NotOpen),
            (on(Both, None, &[P]), Undo::Unclear),
            (on(Both, Some((State::Replacing, A)), &[P]), Undo::Replacing),
            (on(One(A), Some((State::Replacing, A)), &[P]), Undo::NotOpen),
        ] {
            assert_eq!(got, wanted);
        }
        // Proved and handed to nobody
        let mut facts = facts(Both, Some((State::Giving, A)), &[], Seen::Unknown);
        facts.note.as_mut().unwrap().handed.begun = 0;
        assert_eq!(Undo::of(&facts), Undo::Revoke { new: A });
    }

    #[test]
    fn a_compromised_value_ends_with_one_version_whatever_is_open() {
        use Filled::{Both, Neither, One};
        let on = |filled, note| {
            Compromise::of(
                filled,
                facts(filled, note, &[], Seen::Unknown).note.as_ref(),
            )
        };
        for (got, wanted) in [
            (on(Neither, None), Compromise::Empty),
            (on(One(P), None), Compromise::Replace { new: A }),
            // The write that this would make was made already, by a run that was killed then
            (
                on(One(A), Some((State::Given, A))),
                Compromise::Done { kept: A },
            ),
            (
                on(One(A), Some((State::Replacing, A))),
                Compromise::Replace { new: P },
            ),
            (
                on(Both, Some((State::Replacing, A))),
                Compromise::Replace { new: A },
            ),
            (
                on(Both, Some((State::Writing, A))),
                Compromise::Replace { new: A },
            ),
            (
                on(Both, Some((State::Giving, A))),
                Compromise::Replace { new: A },
            ),
            (
                on(Both, Some((State::Given, A))),
                Compromise::Drop { new: A },
            ),
            (
                on(Both, Some((State::Returned, A))),
                Compromise::Replace { new: A },
            ),
            (on(Both, None), Compromise::Replace { new: P }),
        ] {
            assert_eq!(got, wanted);
        }
    }
}
