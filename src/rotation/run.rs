//! Carries a rotation out: reads what is live, asks [`Phase`], [`Undo`] or [`Compromise`] what comes next, does that one thing, and
//! looks again.

use std::fmt;
use std::path::Path;

use anyhow::{Context, bail};
use edge_broadcast_protocol::binding::WEBHOOK_SECRET;
use edge_broadcast_protocol::slot::Slot;
use serde::Serialize;

use super::mark::{Print, State, other};
use super::phase::{Compromise, Phase, Undo};
use super::refusal;
use super::uses::Counters;
use crate::cloudflare::Cloudflare;
use crate::cloudflare::secrets::Changes;
use crate::environment::{Environment, Secret};
use crate::secret::Value;
use crate::site::Site;

/// What the wait before a revocation rests on.
#[derive(Clone, Debug)]
pub enum Evidence {
    /// The gateway's counters: unused for the retry horizon.
    Counters(Counters),
    /// The retry horizon has passed, and nobody can tell whether the value is still used.
    TimeAlone,
    /// None: somebody said that it may go now.
    Told,
}

/// A rotation of one environment's webhook secret.
pub struct Rotation<'a> {
    pub cloudflare: &'a Cloudflare,
    pub site: Site,
    pub environment: &'a Environment,
    /// The project's folder: where sources and senders begin.
    pub folder: &'a Path,
    pub evidence: Evidence,
    /// The counters, also where the wait does without them.
    pub counters: Option<Counters>,
    /// Hears each step as it is done.
    pub tell: &'a (dyn Fn(&str) + Sync),
    /// This run's name in the mark.
    pub(super) run: String,
    pub(super) noted: Noted,
    /// Values that this run knows: the source's, when the gateway accepts it, and the one it wrote.
    pub(super) held: Vec<Value>,
    did: Vec<String>,
}

/// Whether this run has written a mark, so that another run's mark means that it was taken over.
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
            evidence: Evidence::Told,
            counters: None,
            tell,
            run: format!("{:08x}", rand::random::<u32>()),
            noted: Noted::NotYet,
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
                    self.close(&facts, kept).await?;
                    return Ok(self.report(Outcome::Rotated, kept));
                }
                Phase::Undoing => bail!(refusal::undoing(self.environment)),
                Phase::Torn { new } => bail!(refusal::torn(self.environment, new)),
                Phase::Unclear => bail!(refusal::unclear(self.environment)),
            }
        }
    }

    /// Back to the old value.
    pub async fn abort(mut self) -> anyhow::Result<Report> {
        self.preflight().await?;
        loop {
            let facts = self.look().await?;
            match (Undo::of(&facts), &self.evidence) {
                (Undo::NotOpen, _) => bail!(refusal::not_open(self.environment)),
                (Undo::Unclear, _) => bail!(refusal::unclear(self.environment)),
                (Undo::Return { new }, _) => self.give(&facts, new, State::Returned).await?,
                // Nobody has the new value, or somebody says that nobody needs it
                (Undo::Revoke { new }, _) | (Undo::Unknown { new }, Evidence::Told) => {
                    let mark = facts.mark.context("an open rotation has a mark")?;
                    self.note(State::Returned, new, mark.print).await?;
                    self.revoke(new).await?;
                }
                (Undo::Wait { new }, _) => self.retire(&facts, new, State::Returned).await?,
                (Undo::Close { kept }, _) => {
                    self.close(&facts, kept).await?;
                    return Ok(self.report(Outcome::Aborted, kept));
                }
                (Undo::Unknown { .. }, _) => bail!(refusal::old_value_unknown(self.secret())),
            }
        }
    }

    /// Ends every earlier value with one version, then hands the new one over.
    pub async fn replace(mut self) -> anyhow::Result<Report> {
        self.preflight().await?;
        let facts = self.look().await?;
        match Compromise::of(&facts) {
            Compromise::Empty => bail!(refusal::empty(self.environment)),
            Compromise::Drop { new } => {
                self.revoke(other(new)).await?;
                self.close(&facts, new).await?;
                Ok(self.report(Outcome::Replaced, new))
            }
            Compromise::Replace { new } => {
                let fresh = Value::generate();
                let live = self.note(State::Writing, new, Print::of(&fresh)).await?;
                let mut changes = Changes::from([(new.binding(), Some(&fresh))]);
                if live.secrets.contains(other(new).binding()) {
                    changes.insert(other(new).binding(), None);
                }
                self.change(&changes).await?;
                self.did(format!(
                    "revoked: one version put a new value into `{}` and emptied `{}`",
                    new.binding(),
                    other(new).binding()
                ));
                self.prove_replaced(&fresh).await?;
                self.note(State::Giving, new, Print::of(&fresh)).await?;
                let cut_off = || refusal::nobody_can_publish(self.environment);
                self.hand_over(&fresh).await.with_context(cut_off)?;
                self.unmark().await?;
                Ok(self.report(Outcome::Replaced, new))
            }
        }
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
