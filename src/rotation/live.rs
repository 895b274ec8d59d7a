//! What is live of a rotation, read anew before every step, and the writes that are part of it.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, bail};
use edge_broadcast_protocol::contract::binding::ADMIN_SECRET;
use edge_broadcast_protocol::contract::slot::{Slot, Uses};

use super::author::Standing;
use super::mark::{Mark, Print, State, other};
use super::phase::{Facts, Filled, Seen, Word};
use super::quiet;
use super::refusal;
use super::run::{Evidence, Noted, Rotation, TakeOver};
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
    pub(super) async fn own(&self) -> anyhow::Result<(Holding, Option<Mark>)> {
        let live = self.live().await?;
        let mark = Mark::among(&live.tags);
        let ours = |mark: &Mark| mark.author.run == self.author.run;
        if self.noted == Noted::Ours && !mark.as_ref().is_some_and(ours) {
            bail!(refusal::taken_over(self.environment));
        }
        Ok((live, mark))
    }

    /// Refuses to go on with what another run is at work on: the sender that it runs cannot be stopped from here.
    pub(super) fn let_others_work(&self, mark: &Mark) -> anyhow::Result<()> {
        if self.take_over == TakeOver::Told {
            return Ok(());
        }
        let handing = matches!(
            mark.state,
            State::Giving | State::Returning | State::Replacing
        ) && mark.handed.begun > 0;
        match self.author.sees(&mark.author) {
            Standing::Alive(process) => bail!(refusal::at_work(self.environment, process)),
            Standing::Elsewhere(age) if handing && age < LIMIT => {
                bail!(refusal::perhaps_at_work(self.environment, age))
            }
            Standing::Gone | Standing::Elsewhere(_) => Ok(()),
        }
    }

    pub(super) async fn look(&mut self) -> anyhow::Result<Facts> {
        let (live, mark) = self.own().await?;
        let filled = filled(&live);
        let known: Vec<Slot> = self.held.iter().filter_map(|held| held.slot).collect();
        let word = match self.evidence {
            Evidence::Told => Word::Told,
            Evidence::Counters | Evidence::TimeAlone => Word::None,
        };
        let interrupted = mark.as_ref().filter(|mark| {
            mark.state == State::Giving
                && mark.handed.begun > 0
                && filled == Filled::Both
                && !known.contains(&mark.new)
        });
        let seen = match interrupted {
            Some(mark) => self.seen(&live, mark, word).await?,
            None => Seen::Unknown,
        };
        Ok(Facts {
            filled,
            mark,
            known,
            seen,
            senders: self.secret().senders.len(),
            word,
        })
    }

    async fn seen(&mut self, live: &Holding, mark: &Mark, word: Word) -> anyhow::Result<Seen> {
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
            Word::None => quiet::untaken(self.secret().retry_horizon),
        };
        (self.tell)(
            "an earlier run was cut off while it handed the value over: looking at who uses which slot",
        );
        match counters.look(mark.new, mark.uses, patience).await {
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
    pub(super) async fn note(&mut self, mark: Mark) -> anyhow::Result<Holding> {
        // The first note of a run takes an open rotation over
        let (live, _) = self.own().await?;
        let mark = Mark {
            author: self.author.again(),
            ..mark
        };
        let tags = Mark::noted(Some(&mark), &live.tags);
        secrets::tag(self.cloudflare, &self.environment.gateway_script(), &tags).await?;
        self.noted = Noted::Ours;
        Ok(Holding { tags, ..live })
    }

    /// Removes the note, and returns it. Instead of it stands since when the value of `kept` is set.
    pub(super) async fn forget(&mut self, kept: Slot) -> anyhow::Result<Option<Mark>> {
        let (live, mark) = self.own().await?;
        let is_new = mark.as_ref().is_some_and(|mark| mark.new == kept);
        let mut tags = Mark::noted(None, &live.tags);
        if is_new {
            tags = age::with(&tags, kept.binding(), SystemTime::now());
        }
        tags = age::without(&tags, other(kept).binding());
        secrets::tag(self.cloudflare, &self.environment.gateway_script(), &tags).await?;
        self.noted = Noted::NotYet;
        Ok(mark)
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

/// The slot of a value that the gateway accepts: the mark recognises the new value. `None` where that does not tell, as after a
/// revocation, when a place that has not heard of it yet accepts the old value, or somebody has set another one since.
pub(super) fn slot_of(value: &Value, filled: Filled, mark: Option<&Mark>) -> Option<Slot> {
    match (mark, filled) {
        (Some(mark), Filled::Both | Filled::One(_)) if mark.print == Print::of(value) => {
            Some(mark.new)
        }
        (Some(mark), Filled::Both) => Some(other(mark.new)),
        (Some(mark), Filled::One(slot)) => match mark.state {
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
