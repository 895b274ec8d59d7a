//! Carries a rotation out: looks at what is live, takes the one step that the position asks for, and looks again.

use std::fmt;

use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;
use edge_broadcast_protocol::contract::slot::Slot;
use serde::Serialize;

use super::blocked::Blocked;
use super::note::{Note, Print};
use super::position::{Facts, Filled, Position, Step};
use super::run::Rotation;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Rotated,
    Aborted,
    /// Revoked at once, before the senders had the new value.
    Replaced,
}

/// What was done.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub environment: String,
    pub secret: &'static str,
    pub outcome: Outcome,
    /// The one slot that is filled.
    pub slot: &'static str,
    /// Every step, in order, with what it proved.
    pub did: Vec<String>,
}

impl Rotation<'_> {
    /// From wherever it is to its end.
    pub(crate) async fn rotate(self) -> anyhow::Result<Report> {
        self.follow(Position::next).await
    }

    /// Back to the old value.
    pub(crate) async fn abort(self) -> anyhow::Result<Report> {
        self.follow(Position::undo).await
    }

    async fn follow(
        mut self,
        choose: fn(Position, &Facts) -> Result<Step, Blocked>,
    ) -> anyhow::Result<Report> {
        self.preflight().await?;
        loop {
            let (position, facts) = self.look().await?;
            let step = choose(position, &facts).map_err(|why| self.advice(why))?;
            let new = facts.note.as_ref().map(|note| note.new);
            self.take(step, facts.note).await?;
            match step {
                Step::Close(kept) if new == Some(kept) => {
                    return Ok(self.report(Outcome::Rotated, kept));
                }
                Step::Close(kept) => return Ok(self.report(Outcome::Aborted, kept)),
                _ => {}
            }
        }
    }

    /// Ends every earlier value with one version, then hands the new one over. Rests on nothing but the slots and the note, so that
    /// nothing else can stand in its way; what can be proved is proved at the end.
    pub(crate) async fn replace(mut self) -> anyhow::Result<Report> {
        let live = self.live().await?;
        self.changeable(&live).await?;
        let note = Note::among(&live.tags);
        let filled = Filled::of(&live.secrets);
        let new = filled.new_slot(note.as_ref());
        let step = Position::of(filled, note.as_ref()).compromise(new);
        let step = match step.map_err(|why| self.advice(why))? {
            // What the senders have, this run does not know: whoever wants a value gets a new one
            Step::Revoke(_) | Step::Close(_) if self.to_file.is_some() => Step::Replace(new),
            step => step,
        };
        let given = note.as_ref().map(|note| note.print.clone());
        if let Step::Close(kept) = step {
            (self.tell)(&format!(
                "note: an earlier run revoked the old value already, and every sender has the one that is left; if that one leaked too, run `edge-broadcast secrets rotate {} --compromised` once more",
                self.environment.name
            ));
            self.take(step, note).await?;
            return Ok(self.report(Outcome::Replaced, kept));
        }
        self.take(step, note).await?;
        // The value that this run wrote, or the one that the senders had already
        let written = self.held.first().map(|held| Print::of(&held.value));
        let proof = match written.or(given) {
            Some(print) => self.prove_replaced(&print).await,
            None => Ok(()),
        };
        self.remove_note(new).await?;
        proof?;
        Ok(self.report(Outcome::Replaced, new))
    }

    fn report(self, outcome: Outcome, slot: Slot) -> Report {
        Report {
            environment: self.environment.name.to_string(),
            secret: WEBHOOK_SECRET,
            outcome,
            slot: slot.binding(),
            did: self.did,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { secret, slot, .. } = self;
        write!(f, "{}: ", self.environment)?;
        match self.outcome {
            Outcome::Rotated => write!(f, "`{secret}` is rotated; the gateway keeps it in"),
            Outcome::Aborted => write!(
                f,
                "the rotation of `{secret}` is undone; the old value stays in"
            ),
            Outcome::Replaced => write!(
                f,
                "every earlier value of `{secret}` is revoked; the new one is in"
            ),
        }?;
        write!(f, " the slot `{slot}`")
    }
}
