//! The steps of a rotation: each does one thing, proves it, and says so.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;
use edge_broadcast_protocol::contract::slot::Slot;

use super::idle::LAG;
use super::live::{filled, settled, slot_of};
use super::note::{Handed, Note, Print, State, other};
use super::phase::{Facts, Filled};
use super::run::{Evidence, Held, Rotation};
use super::{refusal, uses};
use crate::cloudflare::secrets::Changes;
use crate::live::acceptance::{self, Answer, Disproved};
use crate::secret::sender::give;
use crate::secret::{Source, Value, read};

impl Rotation<'_> {
    /// What must be good before the first write.
    pub(super) async fn preflight(&mut self) -> anyhow::Result<()> {
        if self.secret().senders.is_empty() {
            bail!(refusal::no_senders(self.environment));
        }
        let live = self.live().await?;
        settled(self.environment, &self.environment.gateway_script(), &live)?;
        let note = Note::among(&live.tags);
        if let Some(note) = &note {
            self.let_others_work(note)?;
        }
        if self.evidence == Evidence::Counters {
            let counters = self.counters(&live)?;
            let counters = counters.with_context(|| refusal::no_counters(self.environment))?;
            counters.read().await?;
        }
        if let Some(note) = note.clone() {
            // From here on, an earlier run that is still alive stops
            self.note(note).await?;
        }
        if let Some(value) = self.source() {
            match acceptance::ask(&self.site, self.environment, &value).await? {
                Answer::Accepted => {
                    let slot = slot_of(&value, filled(&live), note.as_ref());
                    self.held.push(Held { value, slot });
                }
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
    fn source(&mut self) -> Option<Value> {
        if self.given.is_none() {
            self.given = Some(match &self.secret().source {
                Source::Prompt => None,
                source => read(WEBHOOK_SECRET, source, self.folder).ok(),
            });
        }
        self.given.clone().flatten()
    }

    async fn prove(&self, value: &Value, wanted: Answer) -> anyhow::Result<()> {
        for note in acceptance::prove(&self.site, self.environment, value, wanted).await? {
            (self.tell)(&note);
        }
        Ok(())
    }

    fn new_note(&self, state: State, new: Slot, fresh: &Value) -> Note {
        Note {
            state,
            new,
            print: Print::of(fresh),
            run_id: self.run_id.again(),
            handed: Handed {
                begun: 0,
                of: self.secret().senders.len(),
            },
            uses: None,
        }
    }

    /// Writes a fresh value to the slot that nobody depends on, and proves it.
    pub(super) async fn write(&mut self, new: Slot) -> anyhow::Result<()> {
        let fresh = Value::generate();
        let note = self.new_note(State::Writing, new, &fresh);
        self.note(note.clone()).await?;
        self.held.retain(|held| held.slot != Some(new));
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
                self.held.first().map(|held| &held.value),
                "probed: the new and the old value are accepted",
            ),
        ] {
            if let Some(value) = value {
                self.prove(value, Answer::Accepted)
                    .await
                    .with_context(|| refusal::nobody_has_it(new))?;
                proved = words;
            }
        }
        tokio::time::sleep(acceptance::propagation(&self.site)).await;
        self.did(proved.to_owned());
        let uses = self.uses_of(new).await;
        let state = State::Giving;
        self.note(Note {
            state,
            uses,
            ..note
        })
        .await?;
        self.held.push(Held {
            value: fresh,
            slot: Some(new),
        });
        Ok(())
    }

    /// How often a slot was used by now, our own probes included, where that is known without asking for a secret.
    async fn uses_of(&self, slot: Slot) -> Option<u64> {
        let counters = self.counters.as_ref()?;
        tokio::time::sleep(LAG).await;
        let read = counters.read().await.ok()?;
        Some(uses::of(&read, slot))
    }

    /// Hands the value that is to stay to every sender: the new one, or with [`State::Returned`] the old one.
    pub(super) async fn give(
        &mut self,
        facts: &Facts,
        new: Slot,
        then: State,
    ) -> anyhow::Result<()> {
        let note = facts.note.clone().context("an open rotation has a note")?;
        let (kept, state) = match then {
            State::Returned => (other(new), State::Returning),
            _ => (new, State::Giving),
        };
        let held = self.held.iter().find(|held| held.slot == Some(kept));
        let value = held.context("the value to hand over is not known")?;
        let value = value.value.clone();
        let note = Note { state, ..note };
        let both_stay = || refusal::both_stay(self.environment);
        let handed = self
            .hand_over(&value, &note)
            .await
            .with_context(both_stay)?;
        self.note(Note {
            state: then,
            handed,
            ..note
        })
        .await?;
        Ok(())
    }

    /// Hands `value` to the senders in turn and stops at the first that does not take it. Each is noted before it is begun: after that,
    /// nobody can know whether it has the value, unless it ends well.
    pub(super) async fn hand_over(&mut self, value: &Value, note: &Note) -> anyhow::Result<Handed> {
        let senders = &self.secret().senders;
        let mut handed = Handed {
            begun: 0,
            of: senders.len(),
        };
        for sender in senders {
            handed.begun += 1;
            let note = note.clone();
            self.note(Note { handed, ..note }).await?;
            let (say, mut said) = tokio::sync::mpsc::unbounded_channel();
            let (given, value, folder) = (sender.clone(), value.clone(), self.folder.to_owned());
            let mut giving = tokio::task::spawn_blocking(move || {
                give(&given, &value, &folder, move |line| {
                    let _ = say.send(line.to_owned());
                })
            });
            let tell = |line: String| (self.tell)(&format!("  {sender}: {line}"));
            let taken = loop {
                tokio::select! {
                    biased;
                    Some(line) = said.recv() => tell(line),
                    taken = &mut giving => break taken.context("handing the value over")?,
                }
            };
            while let Ok(line) = said.try_recv() {
                tell(line);
            }
            taken?;
            self.did(format!("handed over: {sender} has the value"));
        }
        Ok(handed)
    }

    /// Waits until nobody uses `leaving`, then empties it.
    pub(super) async fn retire(
        &mut self,
        facts: &Facts,
        leaving: Slot,
        state: State,
    ) -> anyhow::Result<()> {
        let note = facts.note.clone().context("an open rotation has a note")?;
        self.note(Note { state, ..note }).await?;
        self.wait(leaving).await?;
        let facts = self.look().await?;
        if facts.filled != Filled::Both {
            bail!("somebody emptied a slot meanwhile; run again to see what is left to do");
        }
        for held in &self.held {
            if held.slot == Some(other(leaving)) {
                self.prove(&held.value, Answer::Accepted).await?;
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
    pub(super) async fn close(&mut self, kept: Slot) -> anyhow::Result<()> {
        let mut proved = Vec::new();
        for held in &self.held {
            let accepted = "the value that stays is accepted";
            proved.push(match held.slot {
                Some(slot) if slot == kept => {
                    self.prove(&held.value, Answer::Accepted).await?;
                    accepted
                }
                slot => match (self.prove(&held.value, Answer::Refused).await, slot) {
                    // One slot is filled, so this is what somebody has set there meanwhile
                    (Err(error), None) if error.is::<Disproved>() => accepted,
                    (result, _) => {
                        result?;
                        "the revoked one is refused"
                    }
                },
            });
        }
        proved.sort_unstable_by_key(|words| words.contains("revoked"));
        if !proved.is_empty() {
            self.did(format!("proved: {}", proved.join(", ")));
        }
        self.remove_note(kept).await
    }

    /// One version with a fresh value in `new` and nothing in the other slot; then the senders get it.
    pub(super) async fn put_in_place_of_all(&mut self, new: Slot) -> anyhow::Result<Print> {
        let fresh = Value::generate();
        let note = self.new_note(State::Replacing, new, &fresh);
        let live = self.note(note.clone()).await?;
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
        if self.secret().senders.is_empty() {
            (self.tell)(&refusal::nobody_was_told(self.environment));
        }
        // Before any proof: until they have it, nobody can publish
        let cut_off = || refusal::nobody_can_publish(self.environment);
        self.hand_over(&fresh, &note).await.with_context(cut_off)?;
        self.held.push(Held {
            value: fresh,
            slot: Some(new),
        });
        Ok(note.print)
    }

    /// The proof after every earlier value was revoked, and the value of `print` is the only one. A gateway that cannot be asked is worth
    /// a note, and one that does the contrary an error.
    pub(super) async fn prove_replaced(&mut self, print: &Print) -> anyhow::Result<()> {
        let mut values: Vec<Value> = self.held.iter().map(|held| held.value.clone()).collect();
        values.extend(self.source());
        let mut proved = Vec::new();
        for value in &values {
            let (wanted, words) = if Print::of(value) == *print {
                (Answer::Accepted, "the new value is accepted")
            } else {
                (Answer::Refused, "the revoked one is refused")
            };
            match self.prove(value, wanted).await {
                Ok(()) => proved.push(words),
                Err(error) if error.is::<Disproved>() => {
                    return Err(error.context(refusal::not_replaced(self.environment)));
                }
                Err(error) => (self.tell)(&format!("note: not proved that {words}: {error:#}")),
            }
        }
        if !proved.is_empty() {
            self.did(format!("proved: {}", proved.join(", ")));
        }
        Ok(())
    }

    /// Removes the note, since the rotation is over; says so when the source does not give the value that is live.
    pub(super) async fn remove_note(&mut self, kept: Slot) -> anyhow::Result<()> {
        let note = self.forget(kept).await?;
        let given = self.source().map(|value| Print::of(&value));
        let is_live = note
            .zip(given)
            .is_some_and(|(note, given)| (note.print == given) == (note.new == kept));
        if !is_live {
            (self.tell)(&format!(
                "note: `deploy` and `verify` read the value from `{}`, which does not give the one that is live: put it there too",
                self.secret().source
            ));
        }
        Ok(())
    }
}
