//! Where a rotation is, for people. Sends nothing but GETs.

use std::fmt;

use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;
use edge_broadcast_protocol::contract::slot::{Slot, Uses};
use serde::Serialize;

use super::live::filled;
use super::note::{Note, State};
use super::phase::Filled;
use crate::cloudflare::secrets::Holding;
use crate::environment::Environment;

/// The two slots and what is open.
#[derive(Debug, Serialize)]
pub struct Status {
    pub environment: String,
    pub secret: &'static str,
    pub stage: Stage,
    pub slots: Vec<SlotStatus>,
    /// What `secrets rotate` can do now; absent where nothing is open.
    pub next: Option<String>,
}

/// One slot.
#[derive(Debug, Serialize)]
pub struct SlotStatus {
    pub name: &'static str,
    pub filled: Occupied,
    /// Publishes with its value so far, where the counters can be read.
    pub uses: Option<u64>,
    /// Unix milliseconds.
    pub last_used: Option<u64>,
}

/// Whether a slot has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Occupied {
    Filled,
    Idle,
}

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Empty,
    AtRest,
    /// Noted, and nothing written yet.
    Begun,
    Written,
    HandingOver,
    Waiting,
    Revoked,
    HandingBack,
    WaitingToAbort,
    /// The new value is revoked again.
    Returned,
    /// Every value is to be replaced at once, and that is not done yet.
    Replacing,
    /// Every earlier value is revoked; perhaps the senders do not have the new one.
    Replaced,
    Unclear,
}

impl Status {
    pub fn of(environment: &Environment, live: &Holding, uses: Option<&Uses>) -> Self {
        let note = Note::among(&live.tags);
        let stage = stage(filled(live), note.as_ref());
        let slot = |slot: Slot| {
            let used = uses.map(|uses| match slot {
                Slot::Primary => uses.primary,
                Slot::Alternate => uses.alternate,
            });
            SlotStatus {
                name: slot.binding(),
                filled: if live.secrets.contains(slot.binding()) {
                    Occupied::Filled
                } else {
                    Occupied::Idle
                },
                uses: used.map(|used| used.uses),
                last_used: used.and_then(|used| used.last_used),
            }
        };
        Self {
            environment: environment.name.to_string(),
            secret: WEBHOOK_SECRET,
            stage,
            slots: Slot::ALL.map(slot).into(),
            next: next(environment, stage),
        }
    }
}

fn stage(filled: Filled, note: Option<&Note>) -> Stage {
    match (filled, note.map(|note| (note.state, note.new))) {
        (Filled::Neither, _) => Stage::Empty,
        (Filled::One(slot), Some((State::Given, new))) if slot == new => Stage::Revoked,
        (Filled::One(slot), Some((State::Replacing, new))) if slot == new => Stage::Replaced,
        (Filled::One(slot), Some((State::Returned, new))) if slot != new => Stage::Returned,
        (Filled::One(_), Some(_)) => Stage::Begun,
        (Filled::One(_), None) => Stage::AtRest,
        (Filled::Both, None) => Stage::Unclear,
        (Filled::Both, Some((State::Writing, _))) => Stage::Written,
        (Filled::Both, Some((State::Giving, _))) => Stage::HandingOver,
        (Filled::Both, Some((State::Given, _))) => Stage::Waiting,
        (Filled::Both, Some((State::Returning, _))) => Stage::HandingBack,
        (Filled::Both, Some((State::Returned, _))) => Stage::WaitingToAbort,
        (Filled::Both, Some((State::Replacing, _))) => Stage::Replacing,
    }
}

fn next(environment: &Environment, stage: Stage) -> Option<String> {
    let command = format!("edge-broadcast secrets rotate {}", environment.name);
    match stage {
        Stage::Empty | Stage::AtRest => None,
        Stage::Begun => Some(format!("`{command}` goes on, `--abort` leaves it at that")),
        Stage::Replacing => Some(format!("`{command} --compromised` goes on")),
        Stage::Replaced => Some(format!("`{command}` hands a fresh value to every sender")),
        Stage::Written | Stage::HandingOver | Stage::Waiting => Some(format!(
            "`{command}` goes on, `--finish` revokes the old value without waiting, `--abort` goes back"
        )),
        Stage::Revoked => Some(format!("`{command}` proves it and ends it")),
        Stage::HandingBack | Stage::WaitingToAbort | Stage::Returned => {
            Some(format!("`{command} --abort` goes on with going back"))
        }
        Stage::Unclear => Some(format!(
            "`edge-broadcast secrets remove {} SLOT` removes the value that nobody uses; `{command} --compromised` ends both",
            environment.name
        )),
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Stage::Empty => "has no value",
            Stage::AtRest => "no rotation is open",
            Stage::Begun => "a rotation is open: nothing is written yet",
            Stage::Written => "a rotation is open: the new value is written, and nobody has it",
            Stage::HandingOver => {
                "a rotation is open: the new value is being handed to the senders"
            }
            Stage::Waiting => {
                "a rotation is open: the senders have the new value, the old one is not revoked yet"
            }
            Stage::Revoked => "a rotation is open: the old value is revoked",
            Stage::HandingBack => {
                "an abort is open: the old value is being handed back to the senders"
            }
            Stage::WaitingToAbort => {
                "an abort is open: the senders have the old value again, the new one is not revoked yet"
            }
            Stage::Returned => "an abort is open: the new value is revoked",
            Stage::Replacing => "a replacement of every value at once is open: it is not done yet",
            Stage::Replaced => {
                "a replacement is open: every earlier value is revoked, and perhaps the senders do not have the new one"
            }
            Stage::Unclear => "both slots are filled, and not by a rotation of this tool",
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: `{}`: {}", self.environment, self.secret, self.stage)?;
        for slot in &self.slots {
            let state = match slot.filled {
                Occupied::Filled => "filled",
                Occupied::Idle => "idle",
            };
            write!(f, "\n  {:<24}  {state}", slot.name)?;
            if let Some(uses) = slot.uses {
                write!(f, ", used {uses} times")?;
            }
        }
        match &self.next {
            Some(next) => write!(f, "\n{next}"),
            None => Ok(()),
        }
    }
}
