//! What is live of a rotation, read anew before every step, and the writes that are part of it.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, bail};
use edge_broadcast_protocol::contract::binding::ADMIN_SECRET;
use edge_broadcast_protocol::contract::slot::{Slot, Uses};

use super::idle;
use super::note::{Note, Print, State, other};
use super::phase::{Facts, Filled, Seen, Word};
use super::refusal;
use super::run::{Evidence, Noted, Rotation, TakeOver};
use super::run_id::Standing;
use super::uses::Counters;
use crate::cloudflare::secrets::{self, Changes, Holding};
use crate::environment::Environment;
use crate::live::site::Site;
use crate::rotation::age;
use crate::secret::sender::LIMIT;
use crate::secret::{Value, read};

impl Rotation<'_> {
    pub(super) async fn live(&self) -> anyhow::Result<Holding> {
        let script = self.environment.gateway_script();
        secrets::read(self.cloudflare, &script)
            .await?
            .with_context(|| format!("`{script}` does not exist: deploy the environment first"))
    }

    /// What is live, which must not be another run's work.
    pub(super) async fn own(&self) -> anyhow::Result<(Holding, Option<Note>)> {
        let live = self.live().await?;
        let note = Note::among(&live.tags);
        let ours = |note: &Note| note.run_id.id == self.run_id.id;
        if self.noted == Noted::Ours && !note.as_ref().is_some_and(ours) {
            bail!(refusal::taken_over(self.environment));
        }
        Ok((live, note))
    }

    /// Refuses to go on with what another run is at work on: the sender that it runs cannot be stopped from here.
    pub(super) fn let_others_work(&self, note: &Note) -> anyhow::Result<()> {
        if self.take_over == TakeOver::Told {
            return Ok(());
        }
        let handing = matches!(
            note.state,
            State::Giving | State::Returning | State::Replacing
        ) && note.handed.begun > 0;
        match self.run_id.sees(&note.run_id) {
            Standing::Alive(process) => bail!(refusal::at_work(self.environment, process)),
            Standing::Elsewhere(age) if handing && age < LIMIT => {
                bail!(refusal::perhaps_at_work(self.environment, age))
            }
            Standing::Gone | Standing::Elsewhere(_) => Ok(()),
        }
    }

    pub(super) async fn look(&mut self) -> anyhow::Result<Facts> {
        let (live, note) = self.own().await?;
        let filled = filled(&live);
        let known: Vec<Slot> = self.held.iter().filter_map(|held| held.slot).collect();
        let word = match self.evidence {
            Evidence::Told => Word::Told,
            Evidence::Counters | Evidence::TimeAlone => Word::None,
        };
        let interrupted = note.as_ref().filter(|note| {
            note.state == State::Giving
                && note.handed.begun > 0
                && filled == Filled::Both
                && !known.contains(&note.new)
        });
        let seen = match interrupted {
            Some(note) => self.seen(&live, note, word).await?,
            None => Seen::Unknown,
        };
        Ok(Facts {
            filled,
            note,
            known,
            seen,
            senders: self.secret().senders.len(),
            word,
        })
    }

    async fn seen(&mut self, live: &Holding, note: &Note, word: Word) -> anyhow::Result<Seen> {
        // Whoever says that there is no evidence, or that none is needed, need not have the admin secret
        let counters = match self.counters(live) {
            Err(_) if self.evidence != Evidence::Counters => None,
            counters => counters?,
        };
        let Some(counters) = counters else {
            return Ok(Seen::Unknown);
        };
        let patience = match word {
            Word::Told => std::time::Duration::ZERO,
            Word::None => idle::untaken(self.secret().retry_horizon),
        };
        (self.tell)(
            "an earlier run was cut off while it handed the value over: looking at who uses which slot",
        );
        match counters.look(note.new, note.uses, patience).await {
            Err(_) if self.evidence != Evidence::Counters => Ok(Seen::Unknown),
            seen => seen,
        }
    }

    /// The counters of an environment that has an admin secret; its source is read once, when they are first asked for.
    pub(super) fn counters(&mut self, live: &Holding) -> anyhow::Result<Option<Counters>> {
        if self.counters.is_none() {
            self.counters = counters(self.environment, live, &self.site, self.folder)?;
        }
        Ok(self.counters.clone())
    }

    /// Notes how far the rotation is, unless it is another run's by now.
    pub(super) async fn note(&mut self, note: Note) -> anyhow::Result<Holding> {
        // The first note of a run takes an open rotation over
        let (live, _) = self.own().await?;
        let note = Note {
            run_id: self.run_id.again(),
            ..note
        };
        let tags = Note::noted(Some(&note), &live.tags);
        secrets::tag(self.cloudflare, &self.environment.gateway_script(), &tags).await?;
        self.noted = Noted::Ours;
        Ok(Holding { tags, ..live })
    }

    /// Removes the note, and returns it. Instead of it stands since when the value of `kept` is set.
    pub(super) async fn forget(&mut self, kept: Slot) -> anyhow::Result<Option<Note>> {
        let (live, note) = self.own().await?;
        let is_new = note.as_ref().is_some_and(|note| note.new == kept);
        let mut tags = Note::noted(None, &live.tags);
        if is_new {
            tags = age::with(&tags, kept.binding(), SystemTime::now());
        }
        tags = age::without(&tags, other(kept).binding());
        secrets::tag(self.cloudflare, &self.environment.gateway_script(), &tags).await?;
        self.noted = Noted::NotYet;
        Ok(note)
    }

    /// Changes secrets in one version, and nothing else.
    pub(super) async fn change(&self, changes: &Changes<'_>) -> anyhow::Result<()> {
        let (live, _) = self.own().await?;
        let script = self.environment.gateway_script();
        settled(self.environment, &script, &live)?;
        secrets::change(self.cloudflare, &script, &live, changes)
            .await
            .map(drop)
    }
}

/// Which slots are filled.
pub fn filled(live: &Holding) -> Filled {
    let has = |slot: Slot| live.secrets.contains(slot.binding());
    match (has(Slot::Primary), has(Slot::Alternate)) {
        (false, false) => Filled::Neither,
        (true, false) => Filled::One(Slot::Primary),
        (false, true) => Filled::One(Slot::Alternate),
        (true, true) => Filled::Both,
    }
}

/// The slot of a value that the gateway accepts: the note recognises the new value. `None` where that does not tell, as after a
/// revocation, when a place that has not heard of it yet accepts the old value, or somebody has set another one since.
pub(super) fn slot_of(value: &Value, filled: Filled, note: Option<&Note>) -> Option<Slot> {
    match (note, filled) {
        (Some(note), Filled::Both | Filled::One(_)) if note.print == Print::of(value) => {
            Some(note.new)
        }
        (Some(note), Filled::Both) => Some(other(note.new)),
        (Some(note), Filled::One(slot)) => match note.state {
            State::Given | State::Replacing => None,
            State::Writing | State::Giving | State::Returning | State::Returned => Some(slot),
        },
        (None, Filled::One(slot)) => Some(slot),
        (None, Filled::Both) | (_, Filled::Neither) => None,
    }
}

/// Refuses to change a secret while that would deploy something else too.
pub fn settled(environment: &Environment, script: &str, live: &Holding) -> anyhow::Result<()> {
    match live.settled() {
        Some(_) => Ok(()),
        None => bail!(refusal::unsettled(environment, script, live)),
    }
}

fn counters(
    environment: &Environment,
    live: &Holding,
    site: &Site,
    folder: &Path,
) -> anyhow::Result<Option<Counters>> {
    match environment.secrets.get(ADMIN_SECRET) {
        Some(secret) if live.secrets.contains(ADMIN_SECRET) => {
            let admin = read(ADMIN_SECRET, &secret.source, folder)?;
            Ok(Some(Counters::new(site.clone(), admin)))
        }
        _ => Ok(None),
    }
}

/// The uses of both slots while both are filled, where they can be read: at rest they say nothing, and nobody is asked for a secret.
pub async fn uses(
    environment: &Environment,
    live: &Holding,
    site: &Site,
    folder: &Path,
) -> Option<Uses> {
    if filled(live) != Filled::Both {
        return None;
    }
    let counters = counters(environment, live, site, folder).ok()??;
    counters.read().await.ok()
}
