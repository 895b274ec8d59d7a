//! One run of the tool at a rotation: what it knows, what it reads before each step, and what it notes.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use edge_broadcast_protocol::contract::binding::{ADMIN_SECRET, WEBHOOK_SECRET};
use edge_broadcast_protocol::contract::slot::{Slot, Uses};

use super::age;
use super::blocked::{Blocked, undivided};
use super::idle::{self, Evidence, Seen};
use super::note::{Note, Print, State};
use super::position::{Facts, Filled, Position};
use super::run_id::{RunId, Standing};
use super::uses::Counters;
use crate::cloudflare::Cloudflare;
use crate::cloudflare::secrets::{self, Holding};
use crate::environment::{Environment, Secret, script};
use crate::live::site::Site;
use crate::plan::ownership;
use crate::secret::sender::LIMIT;
use crate::secret::{Secrets, Source, Value};
use crate::terminal::advice::Advice;

/// A rotation of one environment's webhook secret.
pub(crate) struct Rotation<'a> {
    cloudflare: &'a Cloudflare,
    pub(super) site: Site,
    pub(super) environment: &'a Environment,
    pub(super) secrets: &'a Secrets<'a>,
    /// The project's folder: where senders begin.
    pub(super) folder: &'a Path,
    pub evidence: Evidence,
    /// Whether somebody said that no other run is at work any more.
    pub take_over: bool,
    /// Where a value that replaces every other one goes too.
    pub to_file: Option<&'a Path>,
    /// Hears each step as it is done.
    pub(super) tell: &'a (dyn Fn(&str) + Sync),
    pub(super) run_id: RunId,
    /// Whether this run has written a note, so that another run's note means that it was taken over.
    noted: bool,
    /// Once they were needed.
    pub(super) counters: Option<Counters>,
    /// Values that this run knows: the source's, when the gateway accepts it, and the one it wrote.
    pub(super) held: Vec<Held>,
    pub(super) did: Vec<String>,
}

/// A value that the gateway accepted when this run learned it.
pub(super) struct Held {
    pub(super) value: Value,
    /// Where it is; `None` when that cannot be told.
    pub(super) slot: Option<Slot>,
}

impl<'a> Rotation<'a> {
    /// Nothing is read or written yet.
    pub(crate) fn new(
        cloudflare: &'a Cloudflare,
        site: Site,
        environment: &'a Environment,
        secrets: &'a Secrets<'a>,
        folder: &'a Path,
        tell: &'a (dyn Fn(&str) + Sync),
    ) -> Self {
        Self {
            cloudflare,
            site,
            environment,
            secrets,
            folder,
            evidence: Evidence::Counters,
            take_over: false,
            to_file: None,
            tell,
            run_id: RunId::this(),
            noted: false,
            counters: None,
            held: Vec::new(),
            did: Vec::new(),
        }
    }

    pub(super) fn secret(&self) -> &'a Secret {
        &self.environment.secrets[WEBHOOK_SECRET]
    }

    /// The value of the source, if it gives one. A rotation does not need it; with it, the proofs can say more.
    pub(super) fn source(&self) -> Option<&'a Value> {
        match self.secret().source {
            Source::Prompt => None,
            _ => self.secrets.value(WEBHOOK_SECRET).ok(),
        }
    }

    pub(super) fn did(&mut self, what: String) {
        (self.tell)(&what);
        self.did.push(what);
    }

    pub(super) fn advice(&self, why: Blocked) -> Advice {
        why.advice(self.environment)
    }

    pub(super) async fn live(&self) -> anyhow::Result<Holding> {
        live(self.cloudflare, self.environment).await
    }

    /// What is live, which must not be another run's work.
    pub(super) async fn own(&self) -> anyhow::Result<(Holding, Option<Note>)> {
        let live = self.live().await?;
        let note = Note::among(&live.tags);
        let ours = |note: &Note| note.run_id.id == self.run_id.id;
        if self.noted && !note.as_ref().is_some_and(ours) {
            bail!(self.advice(Blocked::TakenOver));
        }
        Ok((live, note))
    }

    /// Refuses to go on with what another run is at work on: the sender that it runs cannot be stopped from here.
    pub(super) fn let_others_work(&self, note: &Note) -> anyhow::Result<()> {
        if self.take_over {
            return Ok(());
        }
        let handing = matches!(
            note.state,
            State::Giving | State::Returning | State::Replacing
        ) && note.handed.begun > 0;
        match self.run_id.sees(&note.run_id) {
            Standing::Alive(process) => bail!(self.advice(Blocked::AtWork(process))),
            Standing::Elsewhere(age) if handing && age < LIMIT => {
                bail!(self.advice(Blocked::PerhapsAtWork(age)))
            }
            Standing::Gone | Standing::Elsewhere(_) => Ok(()),
        }
    }

    /// Reads what the next step rests on. After a handover that was cut off and whose value is lost, this watches who uses which slot.
    pub(super) async fn look(&mut self) -> anyhow::Result<(Position, Facts)> {
        let (live, note) = self.own().await?;
        let filled = Filled::of(&live.secrets);
        let position = Position::of(filled, note.as_ref());
        let mut facts = Facts {
            new: filled.new_slot(note.as_ref()),
            held: self.held.iter().filter_map(|held| held.slot).collect(),
            seen: Seen::Unknown,
            senders: self.secret().senders.len(),
            evidence: self.evidence,
            note,
        };
        let is_lost = !facts.held.contains(&facts.new) && facts.handed().begun > 0;
        if let (Position::HandingOver, true, Some(note)) = (position, is_lost, &facts.note) {
            facts.seen = self.seen(&live, note).await?;
        }
        Ok((position, facts))
    }

    async fn seen(&mut self, live: &Holding, note: &Note) -> anyhow::Result<Seen> {
        let must_see = self.evidence == Evidence::Counters;
        // When the wait does not rest on the counters, an admin secret that cannot be read does not stop the rotation
        let counters = match self.counters(live) {
            Err(_) if !must_see => None,
            counters => counters?,
        };
        let Some(counters) = counters else {
            return Ok(Seen::Unknown);
        };
        let patience = match self.evidence {
            Evidence::Waived => Duration::ZERO,
            Evidence::Counters | Evidence::TimeAlone => idle::patience(self.secret().retry_horizon),
        };
        (self.tell)(
            "an earlier run was cut off while it handed the value over: looking at who uses which slot",
        );
        let looked = counters.look(self.tell, note.new, note.uses, patience);
        match looked.await {
            Err(_) if !must_see => Ok(Seen::Unknown),
            seen => seen,
        }
    }

    /// The counters, if the gateway has an admin secret; its source is read when they are first asked for.
    pub(super) fn counters(&mut self, live: &Holding) -> anyhow::Result<Option<Counters>> {
        if self.counters.is_none() {
            self.counters = counters(live, &self.site, self.secrets)?;
        }
        Ok(self.counters.clone())
    }

    /// Notes how far the rotation is, unless it is another run's by now. The first note of a run takes an open rotation over.
    pub(super) async fn note(&mut self, note: Note) -> anyhow::Result<Holding> {
        let (live, _) = self.own().await?;
        let note = Note {
            run_id: self.run_id.again(),
            ..note
        };
        let tags = Note::noted(Some(&note), &live.tags);
        secrets::tag(self.cloudflare, &self.environment.gateway_script(), &tags).await?;
        self.noted = true;
        Ok(Holding { tags, ..live })
    }

    /// Removes the note, since the rotation is over. A new value that stays counts as set now. Says so when the source does not give the
    /// value of `kept`.
    pub(super) async fn remove_note(&mut self, kept: Slot) -> anyhow::Result<()> {
        let (live, note) = self.own().await?;
        let is_new = note.as_ref().is_some_and(|note| note.new == kept);
        let mut tags = Note::noted(None, &live.tags);
        if is_new {
            tags = age::with(&tags, kept.binding(), SystemTime::now());
        }
        tags = age::without(&tags, kept.other().binding());
        secrets::tag(self.cloudflare, &self.environment.gateway_script(), &tags).await?;
        self.noted = false;
        let given = self.source().map(Print::of);
        let is_given = |(note, given): (Note, Print)| (note.print == given) == is_new;
        if !note.zip(given).is_some_and(is_given) {
            (self.tell)(&format!(
                "note: `deploy` and `verify` read the value from `{}`, which does not give the one that is live: put it there too",
                self.secret().source
            ));
        }
        Ok(())
    }

    /// Changes secrets in one version, and nothing else.
    pub(super) async fn change(&self, changes: &[(Slot, Option<&Value>)]) -> anyhow::Result<()> {
        let live = self.undivided().await?;
        self.change_live(&live, changes).await
    }

    /// What is live, which nothing forbids to change at first sight.
    pub(super) async fn undivided(&self) -> anyhow::Result<Holding> {
        let (live, _) = self.own().await?;
        undivided(self.environment, &self.environment.gateway_script(), &live)?;
        Ok(live)
    }

    /// Refuses whatever a change of `live` would be refused for: a run that ends so must not have left its note.
    pub(super) async fn changeable(&self, live: &Holding) -> anyhow::Result<()> {
        let script = self.environment.gateway_script();
        undivided(self.environment, &script, live)?;
        secrets::changeable(self.cloudflare, self.environment, &script, live).await
    }

    /// As [`Self::change`], where `live` is.
    pub(super) async fn change_live(
        &self,
        live: &Holding,
        changes: &[(Slot, Option<&Value>)],
    ) -> anyhow::Result<()> {
        let changes = changes.iter().map(|&(slot, value)| (slot.binding(), value));
        secrets::change(
            self.cloudflare,
            self.environment,
            &self.environment.gateway_script(),
            live,
            &changes.collect(),
        )
        .await
        .map(drop)
    }
}

/// The slot of a value that the gateway accepts; `None` where that cannot be told. The note recognises the new value. Any other one is
/// the old one, unless the old one is revoked: then it is a revoked value, which one of Cloudflare's places that has not heard of the
/// revocation still accepts, or one that was set by other means since.
pub(super) fn slot_of(value: &Value, filled: Filled, note: Option<&Note>) -> Option<Slot> {
    match (note, filled) {
        (Some(note), Filled::Both | Filled::One(_)) if note.print == Print::of(value) => {
            Some(note.new)
        }
        (Some(note), Filled::Both) => Some(note.new.other()),
        (Some(note), Filled::One(slot)) => match note.state {
            State::Given | State::Replacing if note.new == slot => None,
            _ => Some(slot),
        },
        (None, Filled::One(slot)) => Some(slot),
        (None, Filled::Both) | (_, Filled::Neither) => None,
    }
}

/// What the gateway of `environment` holds, which is an error where it is not deployed, or not this project's.
pub(crate) async fn live(
    cloudflare: &Cloudflare,
    environment: &Environment,
) -> anyhow::Result<Holding> {
    let script = environment.gateway_script();
    let live = secrets::read(cloudflare, &script).await?;
    let live = live.with_context(|| {
        let deploy = format!("edge-broadcast deploy {}", environment.name);
        Advice::new(
            format!("`{script}` does not exist"),
            format!("`{deploy}` deploys it with its secrets"),
        )
    })?;
    ownership::ours(&script::gateway(environment), &live.tags)?;
    Ok(live)
}

/// The counters of a gateway that has an admin secret which the manifest names.
fn counters(
    live: &Holding,
    site: &Site,
    secrets: &Secrets<'_>,
) -> anyhow::Result<Option<Counters>> {
    if !live.secrets.contains(ADMIN_SECRET) || !secrets.has(ADMIN_SECRET) {
        return Ok(None);
    }
    let admin = secrets.value(ADMIN_SECRET)?.clone();
    Ok(Some(Counters::new(site.clone(), admin)))
}

/// The uses of both slots while both are filled, where they can be read: at rest they say nothing, and nobody is asked for a secret, nor
/// for what the `site` needs.
pub(crate) async fn uses(
    live: &Holding,
    site: impl FnOnce() -> anyhow::Result<Site>,
    secrets: &Secrets<'_>,
) -> Option<Uses> {
    if Filled::of(&live.secrets) != Filled::Both {
        return None;
    }
    let counters = counters(live, &site().ok()?, secrets).ok()??;
    counters.read().await.ok()
}
