//! Carries a rotation out: reads what is live, asks [`Phase`], [`Undo`] or [`Compromise`] what comes next, does that one thing, and
//! looks again.

use std::fmt;
use std::path::Path;

use anyhow::{Context, bail};
use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;
use edge_broadcast_protocol::contract::slot::Slot;
use serde::Serialize;

use super::live::filled;
use super::note::{Note, State, other};
use super::phase::{Compromise, Phase, Undo};
use super::refusal;
use super::run_id::RunId;
use super::uses::Counters;
use crate::cloudflare::Cloudflare;
use crate::environment::{Environment, Secret};
use crate::live::site::Site;
use crate::secret::Value;

/// What the wait before a revocation rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The gateway's counters: unused for the retry horizon.
    Counters,
    /// The retry horizon has passed, and nobody can tell whether the value is still used.
    TimeAlone,
    /// None: somebody said that it may go now.
    Told,
}

/// Whether somebody said that no other run is at work any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeOver {
    Told,
    WhenGone,
}

/// A rotation of one environment's webhook secret.
pub struct Rotation<'a> {
    pub cloudflare: &'a Cloudflare,
    pub site: Site,
    pub environment: &'a Environment,
    /// The project's folder: where sources and senders begin.
    pub folder: &'a Path,
    pub evidence: Evidence,
    pub take_over: TakeOver,
    /// Hears each step as it is done.
    pub tell: &'a (dyn Fn(&str) + Sync),
    /// This run, as the note names it.
    pub(super) run_id: RunId,
    pub(super) noted: Noted,
    /// Once they were needed.
    pub(super) counters: Option<Counters>,
    /// What the secret's source gives, once it was needed.
    pub(super) given: Option<Option<Value>>,
    /// Values that this run knows: the source's, when the gateway accepts it, and the one it wrote.
    pub(super) held: Vec<Held>,
    did: Vec<String>,
}

/// A value that the gateway accepted when this run learned it.
pub(super) struct Held {
    pub(super) value: Value,
    /// Where it is; `None` when that cannot be told.
    pub(super) slot: Option<Slot>,
}

/// Whether this run has written a note, so that another run's note means that it was taken over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Noted {
    NotYet,
    Ours,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Rotated,
    Aborted,
    /// Revoked at once, before the senders had the new value.
    Replaced,
}

/// What was done.
#[derive(Debug, Serialize)]
pub struct Report {
    pub environment: String,
    pub secret: &'static str,
    pub outcome: Outcome,
    /// The one slot that is filled.
    pub slot: &'static str,
    /// Every step, in order, with what it proved.
    pub did: Vec<String>,
}

impl<'a> Rotation<'a> {
    /// Nothing is read or written yet.
    pub fn new(
        cloudflare: &'a Cloudflare,
        site: Site,
        environment: &'a Environment,
        folder: &'a Path,
        tell: &'a (dyn Fn(&str) + Sync),
    ) -> Self {
        Self {
            cloudflare,
            site,
            environment,
            folder,
            evidence: Evidence::Counters,
            take_over: TakeOver::WhenGone,
            tell,
            run_id: RunId::this(),
            noted: Noted::NotYet,
            counters: None,
            given: None,
            held: Vec::new(),
            did: Vec::new(),
        }
    }

    /// From wherever it is to its end.
    pub async fn rotate(mut self) -> anyhow::Result<Report> {
        self.preflight().await?;
        loop {
            let facts = self.look().await?;
            match Phase::of(&facts) {
                Phase::Empty => bail!(refusal::empty(self.environment)),
                Phase::Write { new } => self.write(new).await?,
                Phase::Give { new } => self.give(&facts, new, State::Given).await?,
                Phase::Wait { new } => self.retire(&facts, other(new), State::Given).await?,
                Phase::Close { kept } => {
                    self.close(kept).await?;
                    let is_new = facts.note.is_some_and(|note| note.new == kept);
                    let outcome = if is_new {
                        Outcome::Rotated
                    } else {
                        Outcome::Aborted
                    };
                    return Ok(self.report(outcome, kept));
                }
                Phase::Undoing => bail!(refusal::undoing(self.environment)),
                Phase::Replacing => bail!(refusal::replacing(self.environment)),
                Phase::Torn { new } => bail!(refusal::torn(self.environment, new, facts.seen)),
                Phase::Unclear => bail!(refusal::unclear(self.environment)),
            }
        }
    }

    /// Back to the old value.
    pub async fn abort(mut self) -> anyhow::Result<Report> {
        self.preflight().await?;
        loop {
            let facts = self.look().await?;
            match (Undo::of(&facts), self.evidence) {
                (Undo::NotOpen, _) => bail!(refusal::not_open(self.environment)),
                (Undo::Unclear, _) => bail!(refusal::unclear(self.environment)),
                (Undo::Replacing, _) => bail!(refusal::replacing(self.environment)),
                (Undo::Return { new }, _) => self.give(&facts, new, State::Returned).await?,
                // Nobody has the new value, or somebody says that nobody needs it
                (Undo::Revoke { new }, _) | (Undo::Unknown { new }, Evidence::Told) => {
                    let note = facts.note.context("an open rotation has a note")?;
                    let state = State::Returned;
                    self.note(Note { state, ..note }).await?;
                    self.revoke(new).await?;
                }
                (Undo::Wait { new }, _) => self.retire(&facts, new, State::Returned).await?,
                (Undo::Close { kept }, _) => {
                    self.close(kept).await?;
                    return Ok(self.report(Outcome::Aborted, kept));
                }
                (Undo::Unknown { .. }, _) => bail!(refusal::old_value_unknown(self.secret())),
            }
        }
    }

    /// Ends every earlier value with one version, then hands the new one over. Rests on nothing but the slots and the note, so that
    /// nothing else can stand in its way; what can be proved is proved at the end.
    pub async fn replace(mut self) -> anyhow::Result<Report> {
        self.take_over = TakeOver::Told;
        self.evidence = Evidence::Told;
        let live = self.live().await?;
        let note = Note::among(&live.tags);
        let (kept, print) = match Compromise::of(filled(&live), note.as_ref()) {
            Compromise::Empty => bail!(refusal::empty(self.environment)),
            Compromise::Drop { new } => {
                let note = note.context("an open rotation has a note")?;
                let print = note.print.clone();
                self.note(note).await?;
                self.revoke(other(new)).await?;
                (new, Some(print))
            }
            Compromise::Done { kept } => {
                (self.tell)(&refusal::done_before(self.environment));
                (kept, None)
            }
            Compromise::Replace { new } => (new, Some(self.put_in_place_of_all(new).await?)),
        };
        let proof = match print {
            Some(print) => self.prove_replaced(&print).await,
            None => Ok(()),
        };
        self.remove_note(kept).await?;
        proof?;
        Ok(self.report(Outcome::Replaced, kept))
    }

    pub(super) fn secret(&self) -> &'a Secret {
        &self.environment.secrets[WEBHOOK_SECRET]
    }

    pub(super) fn senders(&self) -> String {
        let titles: Vec<&str> = self
            .secret()
            .senders
            .iter()
            .map(|sender| sender.title.as_str())
            .collect();
        titles.join(", ")
    }

    pub(super) fn did(&mut self, what: String) {
        (self.tell)(&what);
        self.did.push(what);
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
        let Self {
            environment,
            secret,
            slot,
            ..
        } = self;
        match self.outcome {
            Outcome::Rotated => write!(
                f,
                "{environment}: `{secret}` is rotated; the gateway keeps it in the slot `{slot}`"
            ),
            Outcome::Aborted => write!(
                f,
                "{environment}: the rotation of `{secret}` is undone; the old value stays in the slot `{slot}`"
            ),
            Outcome::Replaced => write!(
                f,
                "{environment}: every earlier value of `{secret}` is revoked; the new one is in the slot `{slot}`"
            ),
        }
    }
}
