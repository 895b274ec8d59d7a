//! The steps of a rotation: each does one thing, proves it, and says so.

use std::path::Path;

use anyhow::{Context, bail};
use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;
use edge_broadcast_protocol::contract::slot::Slot;

use super::blocked::Blocked;
use super::idle::{Evidence, LAG};
use super::note::{Handed, Note, Print, State};
use super::position::{Filled, Step};
use super::run::{Held, Rotation, slot_of};
use crate::cloudflare::error::was_not_made;
use crate::live::acceptance::{self, Answer, Disproved};
use crate::plan::Way;
use crate::secret::sender::{LIMIT, give};
use crate::secret::{Value, Written};
use crate::terminal::advice::Advice;
use crate::terminal::wait::{until, wait};

impl Rotation<'_> {
    /// What must be good before the first write.
    pub(super) async fn preflight(&mut self) -> anyhow::Result<()> {
        if self.secret().senders.is_empty() {
            bail!(self.advice(Blocked::NoSenders));
        }
        let live = self.live().await?;
        self.changeable(&live).await?;
        let note = Note::among(&live.tags);
        if let Some(note) = &note {
            self.let_others_work(note)?;
        }
        if self.evidence == Evidence::Counters {
            let counters = self.counters(&live)?;
            let counters = counters.with_context(|| self.advice(Blocked::NoCounters))?;
            counters.read().await?;
        }
        if let Some(note) = note.clone() {
            // From here on, an earlier run that is still alive stops
            self.note(note).await?;
        }
        if let Some(value) = self.source() {
            match acceptance::ask(&self.site, self.environment, value).await? {
                Answer::Accepted => {
                    let slot = slot_of(value, Filled::of(&live.secrets), note.as_ref());
                    let value = value.clone();
                    self.held.push(Held { value, slot });
                }
                Answer::Refused => (self.tell)(&format!(
                    "note: the gateway refuses the value of `{}`: only the new value can be probed",
                    self.secret().source
                )),
            }
        }
        let senders = self.secret().senders.iter();
        let senders: Vec<&str> = senders.map(|sender| sender.title.as_str()).collect();
        let serves = match live.way() {
            Some(Way::Copy(deployed)) => {
                format!("`{deployed}`, whose code stays, though it is not the newest version")
            }
            _ => "its newest version".to_owned(),
        };
        self.did(format!(
            "checked: `{}` serves {serves}; a new value goes to {}",
            self.environment.gateway_script(),
            senders.join(", ")
        ));
        Ok(())
    }

    /// Takes one step. Those that go on with an open rotation need its note.
    pub(super) async fn take(&mut self, step: Step, note: Option<Note>) -> anyhow::Result<()> {
        let open = note.context("an open rotation has a note");
        match step {
            Step::Write(new) => self.write(new).await,
            Step::HandOver(kept) => self.hand_over_noted(kept, open?).await,
            Step::Retire(leaving) => {
                self.note_kept(leaving.other(), open?).await?;
                self.wait(leaving).await?;
                let (live, _) = self.own().await?;
                if Filled::of(&live.secrets) != Filled::Both {
                    bail!(self.advice(Blocked::Emptied));
                }
                for held in &self.held {
                    if held.slot == Some(leaving.other()) {
                        self.prove(&held.value, Answer::Accepted).await?;
                    }
                }
                self.revoke(leaving).await
            }
            Step::Revoke(leaving) => {
                self.note_kept(leaving.other(), open?).await?;
                self.revoke(leaving).await
            }
            Step::Close(kept) => self.close(kept).await,
            Step::Replace(new) => self.replace_all(new).await,
        }
    }

    /// Notes that every sender has the value of `kept`, or that none needs the other one.
    async fn note_kept(&mut self, kept: Slot, note: Note) -> anyhow::Result<()> {
        let state = if kept == note.new {
            State::Given
        } else {
            State::Returned
        };
        self.note(Note { state, ..note }).await.map(drop)
    }

    pub(super) async fn prove(&self, value: &Value, wanted: Answer) -> anyhow::Result<()> {
        let proved = acceptance::prove(&self.site, self.environment, value, wanted);
        let why = "a change of secrets takes a while to reach every place";
        let longest = acceptance::longest_proof(&self.site, self.environment);
        for note in until(self.tell, longest, why, proved).await? {
            (self.tell)(&note);
        }
        Ok(())
    }

    fn new_note(&self, state: State, new: Slot, fresh: &Value) -> Note {
        Note {
            state,
            new,
            print: Print::of(fresh),
            run_id: self.run_id.clone(),
            handed: Handed {
                begun: 0,
                of: self.secret().senders.len(),
            },
            uses: None,
        }
    }

    /// Writes a fresh value to the slot that no sender depends on, and proves it.
    async fn write(&mut self, new: Slot) -> anyhow::Result<()> {
        let fresh = Value::generate();
        let note = self.new_note(State::Writing, new, &fresh);
        self.note(note.clone()).await?;
        self.held.retain(|held| held.slot != Some(new));
        self.change(&[(new, Some(&fresh))]).await?;
        self.did(format!(
            "written: a new value is in the idle slot `{}`, and nothing else changed",
            new.binding()
        ));
        let old = self.held.first().map(|held| &held.value);
        for value in [Some(&fresh), old].into_iter().flatten() {
            self.prove(value, Answer::Accepted)
                .await
                .with_context(|| self.advice(Blocked::Unproved(new)))?;
        }
        let proved = match old {
            Some(_) => "probed: the new and the old value are accepted",
            None => "probed: the new value is accepted",
        };
        let why = "a new value takes as long to be accepted everywhere";
        wait(self.tell, acceptance::propagation(&self.site), why).await;
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
        Some(read.of(slot).uses)
    }

    /// Hands the value of `kept` to every sender, and notes that.
    async fn hand_over_noted(&mut self, kept: Slot, note: Note) -> anyhow::Result<()> {
        let held = self.held.iter().find(|held| held.slot == Some(kept));
        let value = held.context("the value to hand over is not known")?;
        let value = value.value.clone();
        let state = if kept == note.new {
            State::Giving
        } else {
            State::Returning
        };
        let note = Note { state, ..note };
        let handed = self
            .hand_over(&value, &note)
            .await
            .with_context(|| self.advice(Blocked::NotHandedOver))?;
        self.note_kept(kept, Note { handed, ..note }).await
    }

    /// Hands `value` to the senders in turn and stops at the first that does not take it. Each is noted before it is begun: after that,
    /// nobody can know whether it has the value, unless it ends well.
    async fn hand_over(&mut self, value: &Value, note: &Note) -> anyhow::Result<Handed> {
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
            let withheld = self.secrets.withheld().clone();
            let mut giving = tokio::task::spawn_blocking(move || {
                give(&given, &value, &folder, &withheld, move |line| {
                    let _ = say.send(line.to_owned());
                })
            });
            let tell = |line: String| (self.tell)(&format!("  {sender}: {line}"));
            let taken = async {
                loop {
                    tokio::select! {
                        biased;
                        Some(line) = said.recv() => tell(line),
                        taken = &mut giving => break taken.context("handing the value over"),
                    }
                }
            };
            // It need not say anything itself
            let why = format!("{sender} is still at work");
            let taken = until(self.tell, LIMIT, &why, taken).await?;
            while let Ok(line) = said.try_recv() {
                tell(line);
            }
            taken?;
            self.did(format!("handed over: {sender} has the value"));
        }
        Ok(handed)
    }

    /// Empties `slot`.
    async fn revoke(&mut self, slot: Slot) -> anyhow::Result<()> {
        self.change(&[(slot, None)]).await?;
        self.did(format!(
            "revoked: the slot `{}` is empty, and nothing else changed",
            slot.binding()
        ));
        Ok(())
    }

    /// The last proof: what is kept is accepted, what went is refused.
    async fn close(&mut self, kept: Slot) -> anyhow::Result<()> {
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
        self.did_prove(&proved);
        self.remove_note(kept).await
    }

    fn did_prove(&mut self, proved: &[&str]) {
        if !proved.is_empty() {
            self.did(format!("proved: {}", proved.join(", ")));
        }
    }

    /// One version with a fresh value in `new` and nothing in the other slot; then the senders get it.
    async fn replace_all(&mut self, new: Slot) -> anyhow::Result<()> {
        let fresh = Value::generate();
        // Before anything is written: a value that is live and in no file would be lost
        let written = |path| Written::new(path, WEBHOOK_SECRET, &fresh).map(|file| (file, path));
        let file = self.to_file.map(written).transpose()?;
        let note = self.new_note(State::Replacing, new, &fresh);
        let live = self.note(note.clone()).await?;
        let mut changes = vec![(new, Some(&fresh))];
        if live.secrets.contains(new.other().binding()) {
            changes.push((new.other(), None));
        }
        match file {
            Some((file, path)) => self.change_into(file, path, &changes).await?,
            None => self.change(&changes).await?,
        }
        self.did(format!(
            "revoked: one version put a new value into `{}` and emptied `{}`",
            new.binding(),
            new.other().binding()
        ));
        if let Some(path) = self.to_file {
            self.did(format!(
                "handed over: `{}` has the value, for its owner only",
                path.display()
            ));
        } else if self.secret().senders.is_empty() {
            (self.tell)(&format!(
                "note: the secret `{WEBHOOK_SECRET}` of `{0}` has no `senders`, so nobody learned the new value, and nobody can publish; `edge-broadcast secrets set {0} {WEBHOOK_SECRET}` sets one that you know, and `secrets rotate {0} --compromised --to-file PATH` a new one that it writes to a file",
                self.environment.name
            ));
        }
        // Before any proof: until they have it, nobody can publish
        self.hand_over(&fresh, &note)
            .await
            .with_context(|| self.advice(Blocked::CutOff))?;
        self.held.push(Held {
            value: fresh,
            slot: Some(new),
        });
        Ok(())
    }

    /// Makes the changes whose new value is in `file`. The file goes only where none of them was made for certain: whatever else ends
    /// the run, a signal too, the value may be live, and the file all that has it.
    async fn change_into(
        &self,
        mut file: Written,
        path: &Path,
        changes: &[(Slot, Option<&Value>)],
    ) -> anyhow::Result<()> {
        let live = self.undivided().await?;
        (self.tell)(&format!(
            "`{}` is written; from here on its value may be the one that is live",
            path.display()
        ));
        file.keep();
        let changed = self.change_live(&live, changes).await;
        changed.map_err(|error| {
            if was_not_made(&error) {
                file.remove();
                return error;
            }
            error.context(self.advice(Blocked::PerhapsLive(path.to_owned())))
        })
    }

    /// The proof after every earlier value was revoked, and the value of `print` is the only one. A gateway that cannot be asked is worth
    /// a note, and one that does the contrary an error.
    pub(super) async fn prove_replaced(&mut self, print: &Print) -> anyhow::Result<()> {
        let mut proved = Vec::new();
        for value in self
            .held
            .iter()
            .map(|held| &held.value)
            .chain(self.source())
        {
            let (wanted, words) = if Print::of(value) == *print {
                (Answer::Accepted, "the new value is accepted")
            } else {
                (Answer::Refused, "the revoked one is refused")
            };
            match self.prove(value, wanted).await {
                Ok(()) => proved.push(words),
                Err(error) if error.is::<Disproved>() => {
                    return Err(error.context(self.advice(Blocked::NotReplaced)));
                }
                Err(error) => (self.tell)(&format!(
                    "note: not proved that {words}: {}",
                    Advice::of(&error).line()
                )),
            }
        }
        self.did_prove(&proved);
        Ok(())
    }
}
