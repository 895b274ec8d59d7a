//! Where a rotation is, for people. Sends nothing but GETs.

use std::fmt;

use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;
use edge_broadcast_protocol::contract::slot::{Slot, Uses};
use serde::Serialize;

use super::note::Note;
use super::position::{Filled, Position};
use crate::cloudflare::secrets::Holding;
use crate::environment::Environment;

/// The two slots and what is open.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    pub environment: String,
    pub secret: &'static str,
    pub stage: Position,
    pub slots: Vec<SlotStatus>,
    /// What `secrets rotate` can do now; absent where nothing is open.
    pub next: Option<String>,
}

/// One slot.
#[derive(Debug, Serialize)]
pub(crate) struct SlotStatus {
    pub name: &'static str,
    /// `filled` or `idle`.
    pub filled: &'static str,
    /// Publishes with its value so far, where the counters can be read.
    pub uses: Option<u64>,
    /// Unix milliseconds.
    pub last_used: Option<u64>,
}

impl Status {
    pub(crate) fn of(environment: &Environment, live: &Holding, uses: Option<&Uses>) -> Self {
        let note = Note::among(&live.tags);
        let stage = Position::of(Filled::of(&live.secrets), note.as_ref());
        let slot = |slot: Slot| {
            let used = uses.map(|uses| uses.of(slot));
            SlotStatus {
                name: slot.binding(),
                filled: if live.secrets.contains(slot.binding()) {
                    "filled"
                } else {
                    "idle"
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
            next: stage.ways_on(environment.name.as_str()),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: `{}`: {}", self.environment, self.secret, self.stage)?;
        for slot in &self.slots {
            write!(f, "\n  {:<24}  {}", slot.name, slot.filled)?;
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
