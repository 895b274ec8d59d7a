//! How far a rotation is, noted on the gateway script itself as one of its tags. Pure.
//!
//! Which slots are filled is not enough to go on after a kill: it does not say whether anybody but the killed run ever had the new
//! value. Tags are no part of a version, so a note restarts nothing, and whoever runs the tool next reads it from Cloudflare.

use std::collections::BTreeSet;
use std::fmt;

use edge_broadcast_protocol::contract::slot::Slot;
use serde::de::value::{self, StrDeserializer};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::run_id::{RunId, hash};
use crate::plan::script_tags;
use crate::secret::Value;

const PREFIX: &str = script_tags::ROTATION;

/// What was begun or done last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// A value is being written to the new slot; no sender has it.
    Writing,
    /// It is proved to work and is being handed to the senders.
    Giving,
    /// Every sender has it.
    Given,
    /// The rotation is being undone: the senders are being handed the old value.
    Returning,
    /// Every sender has the old value again.
    Returned,
    /// A new value replaces every other one at once, and is handed to the senders after that.
    Replacing,
}

/// The note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub state: State,
    /// The slot of the new value.
    pub new: Slot,
    /// Recognises the new value, which is random, without telling anything of use about it.
    pub print: Print,
    /// Who wrote it: a run that finds another one's stops.
    pub run_id: RunId,
    /// How far the handover is that the state speaks of.
    pub handed: Handed,
    /// Uses of the new slot before anybody was handed its value, as far as the counters could be read.
    pub uses: Option<u64>,
}

/// How far a handover is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handed {
    /// Senders that were handed the value; the last of them perhaps only in part.
    pub begun: usize,
    /// All senders.
    pub of: usize,
}

/// Eight hexadecimal digits of a value's SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Print(String);

impl Print {
    pub(crate) fn of(value: &Value) -> Self {
        Self(hash(value.expose()))
    }
}

/// The variant that serde knows by `word`.
fn named<T: DeserializeOwned>(word: &str) -> Option<T> {
    T::deserialize(StrDeserializer::<value::Error>::new(word)).ok()
}

impl Note {
    /// The note among a script's tags; one that cannot be read is none.
    pub(crate) fn among(tags: &BTreeSet<String>) -> Option<Self> {
        tags.iter().find_map(|tag| Self::read(tag))
    }

    /// Whether there is a note, be it of another version of this tool and unreadable.
    pub(crate) fn is_among(tags: &BTreeSet<String>) -> bool {
        tags.iter().any(|tag| tag.starts_with(PREFIX))
    }

    fn read(tag: &str) -> Option<Self> {
        let parts: Vec<&str> = tag.strip_prefix(PREFIX)?.split(':').collect();
        let &[state, slot, print, id, at, machine, process, handed, uses] = parts.as_slice() else {
            return None;
        };
        let (begun, of) = handed.split_once('/')?;
        Some(Self {
            state: named(state)?,
            new: named(slot)?,
            print: Print(print.to_owned()),
            run_id: RunId {
                id: id.to_owned(),
                at: at.parse().ok()?,
                machine: machine.to_owned(),
                process: process.parse().ok()?,
            },
            handed: Handed {
                begun: begun.parse().ok()?,
                of: of.parse().ok()?,
            },
            uses: match uses {
                "" => None,
                uses => Some(uses.parse().ok()?),
            },
        })
    }

    /// `tags` with this note instead of any earlier one.
    pub(crate) fn noted(note: Option<&Self>, tags: &BTreeSet<String>) -> BTreeSet<String> {
        script_tags::with(tags, PREFIX, note.map(ToString::to_string).as_deref())
    }
}

/// What stands behind the prefix of the tag.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self {
            state,
            new,
            print: Print(print),
            run_id: run,
            handed: Handed { begun, of },
            uses,
        } = self;
        state.serialize(&mut *f)?;
        f.write_str(":")?;
        new.serialize(&mut *f)?;
        write!(
            f,
            ":{print}:{}:{}:{}:{}",
            run.id, run.at, run.machine, run.process
        )?;
        write!(f, ":{begun}/{of}:")?;
        uses.map_or(Ok(()), |uses| write!(f, "{uses}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::law::STATES;
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_and_leaves_other_tags_alone() {
        let tags: BTreeSet<String> = [
            "cf:environment=staging".to_owned(),
            format!("{PREFIX}nonsense"),
        ]
        .into();
        assert_eq!(Note::among(&tags), None);
        assert!(Note::is_among(&tags));
        for state in STATES {
            for (new, machine, uses) in [
                (Slot::Primary, "", None),
                (Slot::Alternate, "a1b2c3d4", Some(12)),
            ] {
                let note = Note {
                    state,
                    new,
                    print: Print("0a1b2c3d".to_owned()),
                    run_id: RunId {
                        id: "77".to_owned(),
                        at: 1_764_043_139,
                        machine: machine.to_owned(),
                        process: 4711,
                    },
                    handed: Handed { begun: 1, of: 2 },
                    uses,
                };
                let noted = Note::noted(Some(&note), &tags);
                assert_eq!(noted.len(), 2);
                assert_eq!(Note::among(&noted), Some(note));
                assert_eq!(
                    Note::noted(None, &noted),
                    ["cf:environment=staging".to_owned()].into()
                );
            }
        }
    }

    #[test]
    fn a_print_recognises_a_value_and_shows_nothing_of_it() {
        let print = Print::of(&Value::new("marker".to_owned()));
        assert_eq!(print, Print::of(&Value::new("marker".to_owned())));
        assert_ne!(print, Print::of(&Value::new("other".to_owned())));
        assert_eq!(format!("{print:?}"), r#"Print("ed5b8120")"#);
    }
}
