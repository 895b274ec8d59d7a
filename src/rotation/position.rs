//! Where a rotation is, told from what is live alone, and all that follows from it: what comes next, what undoes it, what replaces
//! it, and what people are told. Pure. Its picture stands in the [room's door](super).

use std::collections::BTreeSet;

use edge_broadcast_protocol::contract::slot::Slot;
use serde::Serialize;

use super::blocked::Blocked;
use super::idle::{Evidence, Seen};
use super::note::{Handed, Note, State};

/// Which slots have a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    Neither,
    One(Slot),
    Both,
}

impl Filled {
    /// Of a gateway whose secrets have these names.
    pub(crate) fn of(secrets: &BTreeSet<String>) -> Self {
        match Slot::ALL.map(|slot| secrets.contains(slot.binding())) {
            [false, false] => Self::Neither,
            [true, false] => Self::One(Slot::Primary),
            [false, true] => Self::One(Slot::Alternate),
            [true, true] => Self::Both,
        }
    }

    /// The slot of the new value: where it is, goes next, or was until it was revoked again. At the end of a rotation the new value is
    /// the old one of the next.
    pub(crate) fn new_slot(self, note: Option<&Note>) -> Slot {
        match (self, note) {
            (Self::One(slot), _) => slot.other(),
            (Self::Both | Self::Neither, Some(note)) => note.new,
            (Self::Both | Self::Neither, None) => Slot::Primary,
        }
    }
}

/// How far a rotation is, and what people are told of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::Display)]
#[cfg_attr(test, derive(strum::EnumIter))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Position {
    /// No slot has a value.
    #[strum(to_string = "has no value")]
    Empty,
    #[strum(to_string = "no rotation is open")]
    AtRest,
    #[strum(to_string = "a rotation is open: nothing is written yet")]
    Begun,
    #[strum(to_string = "a rotation is open: the new value is written, and nobody has it")]
    Written,
    #[strum(to_string = "a rotation is open: the new value is being handed to the senders")]
    HandingOver,
    #[strum(
        to_string = "a rotation is open: the senders have the new value, the old one is not revoked yet"
    )]
    Waiting,
    /// The old value is revoked, and that is not proved yet.
    #[strum(to_string = "a rotation is open: the old value is revoked")]
    Revoked,
    #[strum(to_string = "an abort is open: the old value is being handed back to the senders")]
    HandingBack,
    #[strum(
        to_string = "an abort is open: the senders have the old value again, the new one is not revoked yet"
    )]
    WaitingToAbort,
    #[strum(to_string = "an abort is open: the new value is revoked")]
    Returned,
    #[strum(to_string = "a replacement of every value at once is open: it is not done yet")]
    Replacing,
    /// A replacement was cut off, or a slot was emptied by other means.
    #[strum(
        to_string = "a replacement is open: every earlier value is revoked, and perhaps the senders do not have the new one"
    )]
    Replaced,
    #[strum(to_string = "both slots are filled, and not by a rotation of this tool")]
    Unclear,
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Write a fresh value to this slot, on which no sender depends, and prove it.
    Write(Slot),
    /// Hand the value of this slot, which the run knows, to every sender.
    HandOver(Slot),
    /// Wait until no sender uses this slot, then empty it.
    Retire(Slot),
    /// Empty this slot at once.
    Revoke(Slot),
    /// Prove that the value of this slot alone is accepted, and remove the note.
    Close(Slot),
    /// Write a fresh value to this slot and empty the other one with the same version, then hand it to the senders, who are refused until
    /// they have it.
    Replace(Slot),
}

/// What a decision rests on beside the position.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub note: Option<Note>,
    /// The slot of the new value: see [`Filled::new_slot`].
    pub new: Slot,
    /// Slots whose value this run holds: it wrote it, or the source gives it and the gateway accepts it.
    pub held: Vec<Slot>,
    /// Looked at only after an interrupted handover.
    pub seen: Seen,
    /// How many senders the manifest names.
    pub senders: usize,
    pub evidence: Evidence,
}

impl Facts {
    /// How far the handover came.
    pub(crate) fn handed(&self) -> Handed {
        self.note
            .as_ref()
            .map(|note| note.handed)
            .unwrap_or_default()
    }
}

impl Position {
    pub(crate) fn of(filled: Filled, note: Option<&Note>) -> Self {
        match (filled, note.map(|note| (note.state, note.new))) {
            (Filled::Neither, _) => Self::Empty,
            (Filled::One(_), None) => Self::AtRest,
            (Filled::One(slot), Some((State::Given, new))) if new == slot => Self::Revoked,
            (Filled::One(slot), Some((State::Returned, new))) if new != slot => Self::Returned,
            (Filled::One(slot), Some((State::Writing | State::Replacing, new))) if new != slot => {
                Self::Begun
            }
            (Filled::One(_), Some(_)) => Self::Replaced,
            (Filled::Both, None) => Self::Unclear,
            (Filled::Both, Some((state, _))) => match state {
                State::Writing => Self::Written,
                State::Giving => Self::HandingOver,
                State::Given => Self::Waiting,
                State::Returning => Self::HandingBack,
                State::Returned => Self::WaitingToAbort,
                State::Replacing => Self::Replacing,
            },
        }
    }

    /// What `rotate` does now.
    pub(crate) fn next(self, facts: &Facts) -> Result<Step, Blocked> {
        let (old, new) = (facts.new.other(), facts.new);
        match self {
            Self::Empty => Err(Blocked::Empty),
            // The value of a replacement that was cut off is lost: it is the old one of a rotation like any other
            Self::AtRest | Self::Begun | Self::Written | Self::Replaced => Ok(Step::Write(new)),
            Self::HandingOver => interrupted(facts),
            Self::Waiting => Ok(Step::Retire(old)),
            Self::Revoked | Self::Returned => Ok(Step::Close(old)),
            Self::HandingBack | Self::WaitingToAbort => Err(Blocked::Undoing),
            Self::Replacing => Err(Blocked::Replacing),
            Self::Unclear => Err(Blocked::Unclear),
        }
    }

    /// What `rotate --abort` does now.
    pub(crate) fn undo(self, facts: &Facts) -> Result<Step, Blocked> {
        let (old, new) = (facts.new.other(), facts.new);
        match self {
            Self::Empty | Self::AtRest | Self::Revoked | Self::Replaced => Err(Blocked::NotOpen),
            Self::Begun | Self::Returned => Ok(Step::Close(old)),
            Self::Written => Ok(Step::Revoke(new)),
            Self::HandingOver if facts.handed().begun == 0 => Ok(Step::Revoke(new)),
            Self::HandingOver | Self::Waiting | Self::HandingBack => match facts.evidence {
                _ if facts.held.contains(&old) => Ok(Step::HandOver(old)),
                // Somebody says that no sender needs the new value
                Evidence::Waived => Ok(Step::Revoke(new)),
                _ => Err(Blocked::OldValueUnknown),
            },
            Self::WaitingToAbort => Ok(Step::Retire(new)),
            Self::Replacing => Err(Blocked::Replacing),
            Self::Unclear => Err(Blocked::Unclear),
        }
    }

    /// What `rotate --compromised` does now: one step, after which no earlier value is accepted. `new` is the slot of the new value.
    pub(crate) fn compromise(self, new: Slot) -> Result<Step, Blocked> {
        match self {
            Self::Empty => Err(Blocked::Empty),
            // Every sender has the new value already
            Self::Waiting => Ok(Step::Revoke(new.other())),
            Self::Revoked => Ok(Step::Close(new.other())),
            // Which of two unclear ones leaked is not known: neither survives
            _ => Ok(Step::Replace(new)),
        }
    }

    /// What `rotate` with its options can do now; `None` where no rotation is open.
    pub(crate) fn ways_on(self, environment: &str) -> Option<String> {
        let rotate = format!("edge-broadcast secrets rotate {environment}");
        Some(match self {
            Self::Empty | Self::AtRest => return None,
            Self::Begun => {
                format!("`{rotate}` goes on, `--abort` leaves it at that")
            }
            Self::Written | Self::HandingOver | Self::Waiting => format!(
                "`{rotate}` goes on, `--finish` revokes the old value without waiting, `--abort` goes back"
            ),
            Self::Revoked => format!("`{rotate}` proves it and ends it"),
            Self::HandingBack | Self::WaitingToAbort | Self::Returned => {
                format!("`{rotate} --abort` goes on with going back")
            }
            Self::Replacing => format!("`{rotate} --compromised` goes on"),
            Self::Replaced => format!("`{rotate}` hands a fresh value to every sender"),
            Self::Unclear => format!(
                "`edge-broadcast secrets remove {environment} SLOT` removes the value that nobody uses; `{rotate} --compromised` ends both"
            ),
        })
    }
}

/// A handover that was begun. A value that is lost may be written anew only while no sender lives on it, and the old one may be revoked
/// only when every sender lives on the new one.
fn interrupted(facts: &Facts) -> Result<Step, Blocked> {
    let new = facts.new;
    let Handed { begun, of } = facts.handed();
    match (facts.seen, facts.evidence) {
        _ if facts.held.contains(&new) => Ok(Step::HandOver(new)),
        _ if begun == 0 => Ok(Step::Write(new)),
        // The only sender there is has it. Of several, the others may be silent, and never told
        (Seen::NewOnly, _) if of == 1 && facts.senders == 1 => Ok(Step::Retire(new.other())),
        (Seen::Nobody, _) | (Seen::Unknown, Evidence::Waived) => Ok(Step::Write(new)),
        (seen, _) => Err(Blocked::Torn(new, seen)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::law::{STATES, note};
    use strum::IntoEnumIterator;

    use super::*;
    use Slot::{Alternate as A, Primary as P};

    fn handed(begun: usize, of: usize) -> Handed {
        Handed { begun, of }
    }

    fn facts(filled: Filled, note: Option<Note>, held: &[Slot]) -> Facts {
        Facts {
            new: filled.new_slot(note.as_ref()),
            note,
            held: held.to_vec(),
            seen: Seen::Unknown,
            senders: 1,
            evidence: Evidence::Counters,
        }
    }

    /// What is live, how many senders were begun, and the slots whose value this run knows.
    type Place = (Filled, Option<(State, Slot)>, usize, &'static [Slot]);

    /// Every position, in the order of a rotation, an abort and a replacement.
    const PLACES: [Place; 24] = [
        (Filled::One(P), None, 0, &[P]),
        (Filled::One(P), Some((State::Writing, A)), 0, &[P]),
        (Filled::Both, Some((State::Writing, A)), 0, &[P]),
        (Filled::Both, Some((State::Giving, A)), 0, &[]),
        (Filled::Both, Some((State::Giving, A)), 0, &[A]),
        (Filled::Both, Some((State::Giving, A)), 1, &[]),
        (Filled::Both, Some((State::Giving, A)), 1, &[P]),
        (Filled::Both, Some((State::Giving, A)), 1, &[A]),
        (Filled::Both, Some((State::Given, A)), 1, &[P]),
        (Filled::Both, Some((State::Given, A)), 1, &[A]),
        (Filled::One(A), Some((State::Given, A)), 1, &[A]),
        (Filled::Both, Some((State::Returning, A)), 1, &[]),
        (Filled::Both, Some((State::Returning, A)), 1, &[P]),
        (Filled::Both, Some((State::Returned, A)), 1, &[P]),
        (Filled::One(P), Some((State::Returned, A)), 1, &[P]),
        (Filled::One(P), Some((State::Replacing, A)), 0, &[P]),
        (Filled::Both, Some((State::Replacing, A)), 0, &[P]),
        (Filled::One(A), Some((State::Replacing, A)), 0, &[]),
        (Filled::Neither, None, 0, &[]),
        (Filled::Neither, Some((State::Given, A)), 0, &[]),
        (Filled::One(P), Some((State::Given, A)), 1, &[P]),
        (Filled::One(A), Some((State::Writing, A)), 0, &[]),
        (Filled::One(A), Some((State::Returned, A)), 1, &[A]),
        (Filled::Both, None, 0, &[P]),
    ];

    /// A row of the picture.
    fn drawn(place: &Place) -> String {
        let (filled, noted, begun, held) = *place;
        let note = noted.map(|(state, new)| note(state, new, handed(begun, 1)));
        let position = Position::of(filled, note.as_ref());
        let facts = facts(filled, note, held);
        let letter = |slot| if slot == P { "P" } else { "A" };
        let filled = match filled {
            Filled::Neither => "none",
            Filled::One(slot) => letter(slot),
            Filled::Both => "both",
        };
        let noted = match noted {
            None => "none".to_owned(),
            Some((State::Giving, new)) => {
                let begun = if begun == 0 { "no" } else { "a" };
                format!("`giving` {}, {begun} sender begun", letter(new))
            }
            Some((state, new)) => {
                format!("`{}` {}", format!("{state:?}").to_lowercase(), letter(new))
            }
        };
        let held = held.first().map_or("", |slot| letter(*slot));
        let way = |result: Result<Step, Blocked>| match result {
            Ok(Step::Write(slot)) => format!("write {}", letter(slot)),
            Ok(Step::HandOver(slot)) => format!("hand over {}", letter(slot)),
            Ok(Step::Retire(slot)) => format!("wait, empty {}", letter(slot)),
            Ok(Step::Revoke(slot)) => format!("empty {}", letter(slot)),
            Ok(Step::Close(slot)) => format!("end with {}", letter(slot)),
            Ok(Step::Replace(slot)) => format!("replace by {}", letter(slot)),
            Err(Blocked::Torn(..)) => "`Torn`".to_owned(),
            Err(blocked) => format!("`{blocked:?}`"),
        };
        format!(
            "//! | `{position:?}` | {filled} | {noted} | {held} | {} | {} | {} |",
            way(position.next(&facts)),
            way(position.undo(&facts)),
            way(position.compromise(facts.new)),
        )
    }

    #[test]
    fn the_picture_in_the_door_shows_every_position_and_what_follows_from_it() {
        let rows: Vec<String> = PLACES.iter().map(drawn).collect();
        let picture = include_str!("mod.rs").lines();
        let picture: Vec<&str> = picture.filter(|line| line.starts_with("//! | `")).collect();
        assert_eq!(picture, rows, "the rows are now:\n{}", rows.join("\n"));

        let shown: Vec<Position> = PLACES
            .iter()
            .map(|(filled, noted, ..)| {
                let note = noted.map(|(state, new)| note(state, new, handed(1, 1)));
                Position::of(*filled, note.as_ref())
            })
            .collect();
        for filled in [
            Filled::Neither,
            Filled::One(P),
            Filled::One(A),
            Filled::Both,
        ] {
            assert!(shown.contains(&Position::of(filled, None)));
            for state in STATES {
                for new in Slot::ALL {
                    let note = note(state, new, handed(1, 1));
                    assert!(shown.contains(&Position::of(filled, Some(&note))));
                }
            }
        }
    }

    #[test]
    fn a_handover_that_was_cut_off_is_judged_by_how_far_it_came() {
        let on = |handed, senders, seen, evidence| {
            let note = note(State::Giving, A, handed);
            let facts = facts(Filled::Both, Some(note), &[P]);
            Position::HandingOver.next(&Facts {
                seen,
                senders,
                evidence,
                ..facts
            })
        };
        let torn = |seen| Err(Blocked::Torn(A, seen));
        let [counters, waived] = [Evidence::Counters, Evidence::Waived];
        // The only sender uses it, or none does
        assert_eq!(
            on(handed(1, 1), 1, Seen::NewOnly, counters),
            Ok(Step::Retire(P))
        );
        assert_eq!(
            on(handed(1, 1), 1, Seen::Nobody, counters),
            Ok(Step::Write(A))
        );
        // A sender may live on either value
        for seen in [Seen::Unknown, Seen::Earlier, Seen::Both] {
            assert_eq!(on(handed(1, 1), 1, seen, counters), torn(seen));
            assert_eq!(on(handed(1, 1), 1, seen, Evidence::TimeAlone), torn(seen));
        }
        // None was handed it
        for seen in [Seen::Unknown, Seen::Both] {
            assert_eq!(on(handed(0, 2), 2, seen, counters), Ok(Step::Write(A)));
        }
        // One of two uses it: the other one may be silent, and not have it, whether it was begun or not
        for handed in [handed(1, 2), handed(2, 2)] {
            for senders in [1, 2] {
                for evidence in [waived, counters] {
                    assert_eq!(
                        on(handed, senders, Seen::NewOnly, evidence),
                        torn(Seen::NewOnly)
                    );
                }
            }
        }
        // The manifest has one more than the run that was cut off
        assert_eq!(
            on(handed(1, 1), 2, Seen::NewOnly, counters),
            torn(Seen::NewOnly)
        );
        // Somebody's word stands for evidence that there is none of, not against what is seen
        assert_eq!(
            on(handed(1, 1), 1, Seen::Unknown, waived),
            Ok(Step::Write(A))
        );
        for seen in [Seen::Earlier, Seen::Both] {
            assert_eq!(on(handed(1, 1), 1, seen, waived), torn(seen));
        }
    }

    #[test]
    fn a_new_value_is_revoked_on_somebodys_word_when_the_old_one_cannot_be_handed_back() {
        for state in [State::Giving, State::Given, State::Returning] {
            let note = note(state, A, handed(1, 1));
            let position = Position::of(Filled::Both, Some(&note));
            let mut facts = facts(Filled::Both, Some(note), &[A]);
            for (evidence, wanted) in [
                (Evidence::Counters, Err(Blocked::OldValueUnknown)),
                (Evidence::TimeAlone, Err(Blocked::OldValueUnknown)),
                (Evidence::Waived, Ok(Step::Revoke(A))),
            ] {
                facts.evidence = evidence;
                assert_eq!(position.undo(&facts), wanted);
            }
            facts.held = vec![P];
            assert_eq!(position.undo(&facts), Ok(Step::HandOver(P)));
        }
    }

    #[test]
    fn people_and_programs_are_told_where_it_is_and_every_way_on() {
        let told = Position::iter().map(|position| {
            let word = serde_json::to_string(&position).unwrap();
            let ways = position.ways_on("staging").unwrap_or("-".to_owned());
            format!("{word}: {position}\n  {ways}")
        });
        let told: Vec<String> = told.collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
"empty": has no value
  -
"at_rest": no rotation is open
  -
"begun": a rotation is open: nothing is written yet
  `edge-broadcast secrets rotate staging` goes on, `--abort` leaves it at that
"written": a rotation is open: the new value is written, and nobody has it
  `edge-broadcast secrets rotate staging` goes on, `--finish` revokes the old value without waiting, `--abort` goes back
"handing_over": a rotation is open: the new value is being handed to the senders
  `edge-broadcast secrets rotate staging` goes on, `--finish` revokes the old value without waiting, `--abort` goes back
"waiting": a rotation is open: the senders have the new value, the old one is not revoked yet
  `edge-broadcast secrets rotate staging` goes on, `--finish` revokes the old value without waiting, `--abort` goes back
"revoked": a rotation is open: the old value is revoked
  `edge-broadcast secrets rotate staging` proves it and ends it
"handing_back": an abort is open: the old value is being handed back to the senders
  `edge-broadcast secrets rotate staging --abort` goes on with going back
"waiting_to_abort": an abort is open: the senders have the old value again, the new one is not revoked yet
  `edge-broadcast secrets rotate staging --abort` goes on with going back
"returned": an abort is open: the new value is revoked
  `edge-broadcast secrets rotate staging --abort` goes on with going back
"replacing": a replacement of every value at once is open: it is not done yet
  `edge-broadcast secrets rotate staging --compromised` goes on
"replaced": a replacement is open: every earlier value is revoked, and perhaps the senders do not have the new one
  `edge-broadcast secrets rotate staging` hands a fresh value to every sender
"unclear": both slots are filled, and not by a rotation of this tool
  `edge-broadcast secrets remove staging SLOT` removes the value that nobody uses; `edge-broadcast secrets rotate staging --compromised` ends both
"#);
    }
}
