//! The steps of a rotation: each does one thing, proves it, and says so.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use edge_broadcast_protocol::binding::WEBHOOK_SECRET;
use edge_broadcast_protocol::slot::Slot;

use super::live::{settled, slot_of};
use super::mark::{Mark, Print, State, other};
use super::phase::{Facts, Filled};
use super::probe::{self, Answer};
use super::quiet::settling;
use super::refusal;
use super::run::{Evidence, Rotation};
use crate::secret::{Source, Value, read};
use crate::sender::give;

impl Rotation<'_> {
    /// What must be good before the first write.
    pub(super) async fn preflight(&mut self) -> anyhow::Result<()> {
        if self.secret().senders.is_empty() {
            bail!(refusal::no_senders(self.environment));
        }
        let live = self.live().await?;
        settled(self.environment, &self.environment.gateway_script(), &live)?;
        if let Evidence::Counters(counters) = &self.evidence {
            counters.read().await?;
        }
        if let Some(mark) = Mark::among(&live.tags) {
            // From here on, an earlier run that is still alive stops
            self.note(mark.state, mark.new, mark.print).await?;
        }
        if let Some(value) = self.source() {
            match probe::ask(&self.site, self.environment, &value).await? {
                Answer::Accepted => self.held.push(value),
                Answer::Refused => (self.tell)(&format!(
                    "note: the gateway refuses the value of `{}`: only the new value can be probed",
                    self.secret().source
                )),
            }
        }
        self.did(format!(
            "checked: `{}` serves its newest version; a new value goes to {}",
            self.environment.gateway_script(),
            self.senders()
        ));
        Ok(())
    }

    /// The value of the source, if it gives one. A rotation does not need it; with it, the proofs can say more.
    fn source(&self) -> Option<Value> {
        match &self.secret().source {
            Source::Prompt => None,
            source => read(WEBHOOK_SECRET, source, self.folder).ok(),
        }
    }

    /// Writes a fresh value to the slot that nobody depends on, and proves it.
    pub(super) async fn write(&mut self, new: Slot) -> anyhow::Result<()> {
        let fresh = Value::generate();
        let print = Print::of(&fresh);
        self.note(State::Writing, new, print.clone()).await?;
        self.change(&BTreeMap::from([(new.binding(), Some(&fresh))]))
            .await?;
        self.did(format!(
            "written: a new value is in the idle slot `{}`, and nothing else changed",
            new.binding()
        ));
        let mut proved = "probed: the new value is accepted";
        for (value, words) in [
            (Some(&fresh), proved),
            (
                self.held.first(),
                "probed: the new and the old value are accepted",
            ),
        ] {
            if let Some(value) = value {
                probe::prove(&self.site, self.environment, value, Answer::Accepted)
                    .await
                    .with_context(|| refusal::nobody_has_it(new))?;
                proved = words;
            }
        }
        tokio::time::sleep(settling(self.secret().retry_horizon)).await;
        self.did(proved.to_owned());
        self.note(State::Giving, new, print).await?;
        self.held.push(fresh);
        Ok(())
    }

    /// Hands the value that is to stay to every sender: the new one, or with [`State::Returned`] the old one.
    pub(super) async fn give(
        &mut self,
        facts: &Facts,
        new: Slot,
        then: State,
    ) -> anyhow::Result<()> {
        let mark = facts.mark.as_ref().context("an open rotation has a mark")?;
        let (kept, before) = match then {
            State::Returned => (other(new), State::Returning),
            _ => (new, State::Giving),
        };
        let value = self
            .held
            .iter()
            .find(|value| slot_of(value, facts.filled, Some(mark)) == Some(kept))
            .context("the value to hand over is not known")?
            .clone();
        self.note(before, new, mark.print.clone()).await?;
        let both_stay = || refusal::both_stay(self.environment);
        self.hand_over(&value).await.with_context(both_stay)?;
        self.note(then, new, mark.print.clone()).await?;
        Ok(())
    }

    /// Hands `value` to the senders in turn and stops at the first that does not take it.
    pub(super) async fn hand_over(&mut self, value: &Value) -> anyhow::Result<()> {
        for sender in &self.secret().senders {
            let (given, value, folder) = (sender.clone(), value.clone(), self.folder.to_owned());
            tokio::task::spawn_blocking(move || give(&given, &value, &folder))
                .await
                .context("handing the value over")??;
            self.did(format!("handed over: {sender} has the value"));
        }
        Ok(())
    }

    /// Waits until nobody uses `leaving`, then empties it.
    pub(super) async fn retire(
        &mut self,
        facts: &Facts,
        leaving: Slot,
        state: State,
    ) -> anyhow::Result<()> {
        let mark = facts.mark.as_ref().context("an open rotation has a mark")?;
        self.note(state, mark.new, mark.print.clone()).await?;
        self.wait(leaving).await?;
        let facts = self.look().await?;
        if facts.filled != Filled::Both {
            bail!("somebody emptied a slot meanwhile; run again to see what is left to do");
        }
        for value in &self.held {
            if slot_of(value, facts.filled, facts.mark.as_ref()) == Some(other(leaving)) {
                probe::prove(&self.site, self.environment, value, Answer::Accepted).await?;
            }
        }
        self.revoke(leaving).await
    }

    /// Empties `slot`.
    pub(super) async fn revoke(&mut self, slot: Slot) -> anyhow::Result<()> {
        self.change(&BTreeMap::from([(slot.binding(), None)]))
            .await?;
        self.did(format!(
            "revoked: the slot `{}` is empty, and nothing else changed",
            slot.binding()
        ));
        Ok(())
    }

    /// The last proof: what is kept is accepted, what went is refused.
    pub(super) async fn close(&mut self, facts: &Facts, kept: Slot) -> anyhow::Result<()> {
        let mut proved = Vec::new();
        for value in &self.held {
            // Until a moment ago both slots were filled: a value is the kept one, or the one that went
            let (wanted, words) = match slot_of(value, Filled::Both, facts.mark.as_ref()) {
                Some(slot) if slot == kept => {
                    (Answer::Accepted, "the value that stays is accepted")
                }
                _ => (Answer::Refused, "the revoked one is refused"),
            };
            probe::prove(&self.site, self.environment, value, wanted).await?;
            proved.push(words);
        }
        proved.sort_unstable_by_key(|words| words.contains("revoked"));
        if !proved.is_empty() {
            self.did(format!("proved: {}", proved.join(", ")));
        }
        self.unmark().await
    }

    /// The proof after every earlier value was revoked with the write of `fresh`.
    pub(super) async fn prove_replaced(&mut self, fresh: &Value) -> anyhow::Result<()> {
        probe::prove(&self.site, self.environment, fresh, Answer::Accepted).await?;
        for value in &self.held {
            probe::prove(&self.site, self.environment, value, Answer::Refused).await?;
        }
        self.did(match self.held.len() {
            0 => "proved: the new value is accepted".to_owned(),
            _ => "proved: the new value is accepted, the revoked one is refused".to_owned(),
        });
        Ok(())
    }

    /// Removes the mark, since the rotation is over; says so when the source does not give the value that is live.
    pub(super) async fn unmark(&mut self) -> anyhow::Result<()> {
        let mark = self.forget().await?;
        let given = self.source().map(|value| Print::of(&value));
        let is_live = mark.zip(given).is_some_and(|(mark, given)| {
            let is_new = mark.print == given;
            match mark.state {
                State::Returned | State::Returning => !is_new,
                State::Writing | State::Giving | State::Given => is_new,
            }
        });
        if !is_live {
            (self.tell)(&format!(
                "note: `deploy` and `verify` read the value from `{}`, which does not give the one that is live: put it there too",
                self.secret().source
            ));
        }
        Ok(())
    }
}
