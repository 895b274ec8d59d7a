//! What is live of a rotation, read anew before every step, and the writes that are part of it.

use std::path::Path;

use anyhow::{Context, bail};
use edge_broadcast_protocol::binding::ADMIN_SECRET;
use edge_broadcast_protocol::slot::Slot;

use super::mark::{Mark, Print, State, other};
use super::phase::{Facts, Filled, Seen};
use super::refusal;
use super::run::{Noted, Rotation};
use super::uses::Counters;
use crate::cloudflare::secrets::{self, Changes, Holding};
use crate::environment::Environment;
use crate::secret::{Value, read};
use crate::site::Site;

impl Rotation<'_> {
    pub(super) async fn live(&self) -> anyhow::Result<Holding> {
        let script = self.environment.gateway_script();
        secrets::read(self.cloudflare, &script)
            .await?
            .with_context(|| format!("`{script}` does not exist: deploy the environment first"))
    }

    /// What is live, which must not be another run's work.
    async fn own(&self) -> anyhow::Result<(Holding, Option<Mark>)> {
        let live = self.live().await?;
        let mark = Mark::among(&live.tags);
        if self.noted == Noted::Ours && mark.as_ref().is_none_or(|mark| mark.run != self.run) {
            bail!(refusal::taken_over(self.environment));
        }
        Ok((live, mark))
    }

    pub(super) async fn look(&self) -> anyhow::Result<Facts> {
        let (live, mark) = self.own().await?;
        let filled = filled(&live);
        let known: Vec<Slot> = self
            .held
            .iter()
            .filter_map(|value| slot_of(value, filled, mark.as_ref()))
            .collect();
        let interrupted = mark.as_ref().is_some_and(|mark| {
            mark.state == State::Giving && filled == Filled::Both && !known.contains(&mark.new)
        });
        let seen = match &self.counters {
            Some(counters) if interrupted => {
                (self.tell)(
                    "an earlier run was cut off while it handed the value over: looking at who uses which slot",
                );
                counters.look().await?
            }
            _ => Seen::Unknown,
        };
        Ok(Facts {
            filled,
            mark,
            known,
            seen,
        })
    }

    /// Notes how far the rotation is, unless it is another run's by now.
    pub(super) async fn note(
        &mut self,
        state: State,
        new: Slot,
        print: Print,
    ) -> anyhow::Result<Holding> {
        // The first note of a run takes an open rotation over
        let (live, _) = self.own().await?;
        let run = self.run.clone();
        let mark = Mark {
            state,
            new,
            print,
            run,
        };
        let tags = Mark::noted(Some(&mark), &live.tags);
        secrets::tag(self.cloudflare, &self.environment.gateway_script(), &tags).await?;
        self.noted = Noted::Ours;
        Ok(Holding { tags, ..live })
    }

    /// Removes the note, and returns it.
    pub(super) async fn forget(&mut self) -> anyhow::Result<Option<Mark>> {
        let (live, mark) = self.own().await?;
        let tags = Mark::noted(None, &live.tags);
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

/// The slot of a value that the gateway accepts or accepted: the mark recognises the new value; another one is the old one.
pub(super) fn slot_of(value: &Value, filled: Filled, mark: Option<&Mark>) -> Option<Slot> {
    match (mark, filled) {
        (Some(mark), _) if mark.print == Print::of(value) => Some(mark.new),
        (Some(mark), _) => Some(other(mark.new)),
        (None, Filled::One(slot)) => Some(slot),
        (None, _) => None,
    }
}

/// Refuses to change a secret while that would deploy something else too.
pub fn settled(environment: &Environment, script: &str, live: &Holding) -> anyhow::Result<()> {
    match live.settled() {
        Some(_) => Ok(()),
        None => bail!(refusal::unsettled(environment, script, live)),
    }
}

/// The counters of an environment that has an admin secret.
pub fn counters(
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
