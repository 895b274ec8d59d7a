//! Carries a rotation out: reads what is live, asks [`Phase`] or [`Undo`] what comes next, does that one thing, and looks again.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use edge_broadcast_protocol::binding::{ADMIN_SECRET, WEBHOOK_SECRET};
use edge_broadcast_protocol::slot::Slot;
use serde::Serialize;

use super::mark::{Mark, Print, State, other};
use super::phase::{Compromise, Facts, Filled, Phase, Seen, Undo};
use super::probe::{self, Answer};
use super::quiet::{Verdict, Watched, settling};
use super::uses::{self, Counters};
use crate::cloudflare::Cloudflare;
use crate::cloudflare::secrets::{self, Holding};
use crate::environment::{Environment, Secret};
use crate::secret::{Source, Value};
use crate::sender::give;
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
    run: String,
    /// Whether this run has written a mark, so that another run's mark means that it was taken over.
    noted: Noted,
    /// Values that this run knows: the source's, when the gateway accepts it, and the one it wrote.
    held: Vec<Value>,
    did: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Noted {
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
            let (live, facts) = self.look().await?;
            match Phase::of(&facts) {
                Phase::Empty => bail!(self.nothing_to_rotate()),
                Phase::Write { new } => self.write(&live, new).await?,
                Phase::Give { new } => {
                    self.give(&live, &facts, new, State::Given).await?;
                }
                Phase::Wait { new } => self.retire(live, &facts, other(new), State::Given).await?,
                Phase::Close { kept } => {
                    self.close(&live, &facts, kept).await?;
                    return Ok(self.report(Outcome::Rotated, kept));
                }
                Phase::Undoing => bail!(
                    "an abort of this rotation is under way: `edge-broadcast secrets rotate {} --abort` goes on with it",
                    self.environment.name
                ),
                Phase::Torn { new } => bail!(self.torn(new)),
                Phase::Unclear => bail!(self.unclear()),
            }
        }
    }

    /// Back to the old value.
    pub async fn abort(mut self) -> anyhow::Result<Report> {
        self.preflight().await?;
        loop {
            let (live, facts) = self.look().await?;
            match Undo::of(&facts) {
                Undo::NotOpen => bail!(
                    "no rotation of `{}` is open: there is nothing to abort",
                    self.environment.name
                ),
                Undo::Unclear => bail!(self.unclear()),
                Undo::Revoke { new } => {
                    let mark = facts.mark.as_ref().context("an open rotation has a mark")?;
                    let live = self
                        .note(&live, State::Returned, new, mark.print.clone())
                        .await?;
                    self.revoke(&live, new).await?;
                }
                Undo::Return { new } => self.give(&live, &facts, new, State::Returned).await?,
                Undo::Wait { new } => self.retire(live, &facts, new, State::Returned).await?,
                Undo::Close { kept } => {
                    self.close(&live, &facts, kept).await?;
                    return Ok(self.report(Outcome::Aborted, kept));
                }
                Undo::Unknown { new } if matches!(self.evidence, Evidence::Told) => {
                    self.retire(live, &facts, new, State::Returned).await?
                }
                Undo::Unknown { .. } => bail!(
                    "senders may have the new value already, and `{}` does not give the old one, so it cannot be handed back; nothing was changed; let the rotation go on (without `--abort`), or give the senders the old value yourself and then add `--finish`",
                    self.secret().source
                ),
            }
        }
    }

    /// Ends every earlier value with one version, then hands the new one over.
    pub async fn replace(mut self) -> anyhow::Result<Report> {
        self.preflight().await?;
        let (live, facts) = self.look().await?;
        match Compromise::of(&facts) {
            Compromise::Empty => bail!(self.nothing_to_rotate()),
            Compromise::Drop { new } => {
                self.revoke(&live, other(new)).await?;
                let (live, facts) = self.look().await?;
                self.close(&live, &facts, new).await?;
                Ok(self.report(Outcome::Replaced, new))
            }
            Compromise::Replace { new } => {
                let fresh = Value::generate();
                let live = self
                    .note(&live, State::Writing, new, Print::of(&fresh))
                    .await?;
                let mut changes = secrets::Changes::from([(new.binding(), Some(&fresh))]);
                if live.secrets.contains(other(new).binding()) {
                    changes.insert(other(new).binding(), None);
                }
                let live = self.change(&live, &changes).await?;
                self.did(format!(
                    "revoked: one version put a new value into `{}` and emptied `{}`",
                    new.binding(),
                    other(new).binding()
                ));
                self.prove_refused_except(&fresh).await?;
                let live = self
                    .note(&live, State::Giving, new, Print::of(&fresh))
                    .await?;
                self.hand_over(&fresh).await.with_context(|| {
                    format!("the old value is revoked, and nobody can publish until the senders have the new one: repair the sender and run `edge-broadcast secrets rotate {}`", self.environment.name)
                })?;
                self.unmark(&live).await?;
                Ok(self.report(Outcome::Replaced, new))
            }
        }
    }

    /// What must be good before the first write.
    async fn preflight(&mut self) -> anyhow::Result<()> {
        let name = &self.environment.name;
        if self.secret().senders.is_empty() {
            bail!(
                "nobody would learn the new value: the secret `{WEBHOOK_SECRET}` of `{name}` has no `senders`; add one to the manifest, for example `senders = [{{ kind = \"file\", path = \"secrets.env\" }}]`"
            );
        }
        let live = self.live().await?;
        settled(self.environment, &self.environment.gateway_script(), &live)?;
        if let Evidence::Counters(counters) = &self.evidence {
            counters.read().await?;
        }
        // A source is not needed; when it gives the live value, the proofs can say more
        if self.secret().source != Source::Prompt
            && let Ok(value) =
                crate::secret::read(WEBHOOK_SECRET, &self.secret().source, self.folder)
        {
            match probe::ask(&self.site, self.environment, &value).await? {
                Answer::Accepted => self.held.push(value),
                Answer::Refused => (self.tell)(&format!(
                    "note: the gateway refuses the value of `{}`: only the new value can be probed",
                    self.secret().source
                )),
            }
        }
        let senders: Vec<&str> = self
            .secret()
            .senders
            .iter()
            .map(|sender| sender.title.as_str())
            .collect();
        self.did(format!(
            "checked: `{}` serves its newest version; a new value goes to {}",
            self.environment.gateway_script(),
            senders.join(", ")
        ));
        Ok(())
    }

    async fn live(&self) -> anyhow::Result<Holding> {
        let script = self.environment.gateway_script();
        secrets::read(self.cloudflare, &script)
            .await?
            .with_context(|| format!("`{script}` does not exist: deploy the environment first"))
    }

    async fn look(&self) -> anyhow::Result<(Holding, Facts)> {
        let live = self.live().await?;
        let mark = Mark::among(&live.tags);
        if self.noted == Noted::Ours && mark.as_ref().is_none_or(|mark| mark.run != self.run) {
            bail!(
                "another run took this rotation over; this one stops and changes nothing more; `edge-broadcast secrets rotate {} --status` shows how far it is",
                self.environment.name
            );
        }
        let filled = filled(&live);
        let known: Vec<Slot> = self
            .held
            .iter()
            .filter_map(|value| slot_of(value, filled, mark.as_ref()))
            .collect();
        let seen = match (&mark, &self.counters, filled) {
            (
                Some(Mark {
                    state: State::Giving,
                    new,
                    ..
                }),
                Some(counters),
                Filled::Both,
            ) if !known.contains(new) => {
                (self.tell)(
                    "an earlier run was cut off while it handed the value over: looking at who uses which slot",
                );
                counters.look().await?
            }
            _ => Seen::Unknown,
        };
        Ok((
            live,
            Facts {
                filled,
                mark,
                known,
                seen,
            },
        ))
    }

    async fn write(&mut self, live: &Holding, new: Slot) -> anyhow::Result<()> {
        let fresh = Value::generate();
        let print = Print::of(&fresh);
        let live = self.note(live, State::Writing, new, print.clone()).await?;
        let changes = BTreeMap::from([(new.binding(), Some(&fresh))]);
        let live = self.change(&live, &changes).await?;
        self.did(format!(
            "written: a new value is in the idle slot `{}`, and nothing else changed",
            new.binding()
        ));
        let proving = || {
            format!(
                "the new value is in `{}` and nobody has it; the old value stays valid",
                new.binding()
            )
        };
        probe::prove(&self.site, self.environment, &fresh, Answer::Accepted)
            .await
            .with_context(proving)?;
        let mut proved = "probed: the new value is accepted";
        if let Some(old) = self.held.first() {
            probe::prove(&self.site, self.environment, old, Answer::Accepted)
                .await
                .with_context(proving)?;
            proved = "probed: the new and the old value are accepted";
        }
        tokio::time::sleep(settling(self.secret().retry_horizon)).await;
        self.did(proved.to_owned());
        self.note(&live, State::Giving, new, print).await?;
        self.held.push(fresh);
        Ok(())
    }

    /// Hands the value of the slot that is to stay to every sender; `then` says which one that is.
    async fn give(
        &mut self,
        live: &Holding,
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
        let live = self.note(live, before, new, mark.print.clone()).await?;
        self.hand_over(&value).await.with_context(|| {
            format!(
                "nothing was revoked: both values are accepted; repair the sender, then run `edge-broadcast secrets rotate {0}` to go on or `edge-broadcast secrets rotate {0} --abort` to go back",
                self.environment.name
            )
        })?;
        self.note(&live, then, new, mark.print.clone()).await?;
        Ok(())
    }

    async fn hand_over(&mut self, value: &Value) -> anyhow::Result<()> {
        for sender in self.secret().senders.clone() {
            let (given, value, folder) = (sender.clone(), value.clone(), self.folder.to_owned());
            tokio::task::spawn_blocking(move || give(&given, &value, &folder))
                .await
                .context("handing the value over")??;
            self.did(format!("handed over: {sender} has the value"));
        }
        Ok(())
    }

    /// Waits until nobody uses `leaving`, then empties it.
    async fn retire(
        &mut self,
        live: Holding,
        facts: &Facts,
        leaving: Slot,
        state: State,
    ) -> anyhow::Result<()> {
        let mark = facts.mark.as_ref().context("an open rotation has a mark")?;
        self.note(&live, state, mark.new, mark.print.clone())
            .await?;
        self.wait(leaving).await?;
        let (live, facts) = self.look().await?;
        if facts.filled != Filled::Both {
            bail!("somebody emptied a slot meanwhile; run again to see what is left to do");
        }
        for value in &self.held {
            if slot_of(value, facts.filled, facts.mark.as_ref()) == Some(other(leaving)) {
                probe::prove(&self.site, self.environment, value, Answer::Accepted).await?;
            }
        }
        self.revoke(&live, leaving).await
    }

    async fn wait(&mut self, slot: Slot) -> anyhow::Result<()> {
        let horizon = self.secret().retry_horizon;
        let shown = humantime::format_duration(horizon);
        let counters = match &self.evidence {
            Evidence::Told => return Ok(()),
            Evidence::TimeAlone => {
                (self.tell)(&format!(
                    "waiting {shown}; nobody can tell whether `{}` is still used",
                    slot.binding()
                ));
                tokio::time::sleep(horizon).await;
                self.did(format!(
                    "waited: {shown}, without evidence that `{}` is unused",
                    slot.binding()
                ));
                return Ok(());
            }
            Evidence::Counters(counters) => counters.clone(),
        };
        (self.tell)(&format!(
            "waiting until `{}` has not been used for {shown}",
            slot.binding()
        ));
        let began = Instant::now();
        let first = counters.read().await?;
        let (mut last, mut moved) = (uses::of(&first, slot), began);
        loop {
            let watched = Watched {
                waited: began.elapsed(),
                quiet: moved.elapsed(),
                horizon,
            };
            match Verdict::of(watched) {
                Verdict::Unused => break,
                Verdict::Wait(pause) => tokio::time::sleep(pause).await,
                Verdict::StillUsed => {
                    let now = counters.read().await?;
                    let used = |slot| uses::of(&now, slot) - uses::of(&first, slot);
                    bail!(self.still_used(slot, used(slot), used(other(slot)), began));
                }
            }
            let now = uses::of(&counters.read().await?, slot);
            if now != last {
                (last, moved) = (now, Instant::now());
            }
        }
        self.did(format!(
            "waited: `{}` has not been used for {shown}",
            slot.binding()
        ));
        Ok(())
    }

    async fn revoke(&mut self, live: &Holding, slot: Slot) -> anyhow::Result<()> {
        self.change(live, &BTreeMap::from([(slot.binding(), None)]))
            .await?;
        self.did(format!(
            "revoked: the slot `{}` is empty, and nothing else changed",
            slot.binding()
        ));
        Ok(())
    }

    /// The last proof: what is kept is accepted, what went is refused.
    async fn close(&mut self, live: &Holding, facts: &Facts, kept: Slot) -> anyhow::Result<()> {
        let mut proved = Vec::new();
        for value in &self.held {
            // One slot is filled: a value is the kept one, or the one that went
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
        self.unmark(live).await
    }

    async fn prove_refused_except(&mut self, fresh: &Value) -> anyhow::Result<()> {
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

    /// Removes the mark: the rotation is over.
    async fn unmark(&mut self, live: &Holding) -> anyhow::Result<()> {
        let script = self.environment.gateway_script();
        let kept = Mark::among(&live.tags);
        secrets::tag(self.cloudflare, &script, &Mark::noted(None, &live.tags)).await?;
        let source = &self.secret().source;
        let given = crate::secret::read(WEBHOOK_SECRET, source, self.folder).ok();
        let is_live = given.is_some_and(|value| {
            kept.is_some_and(|mark| match mark.state {
                State::Returned | State::Returning => Print::of(&value) != mark.print,
                _ => Print::of(&value) == mark.print,
            })
        });
        if !is_live {
            (self.tell)(&format!(
                "note: `deploy` and `verify` read the value from `{source}`, which does not give the one that is live: put it there too"
            ));
        }
        Ok(())
    }

    async fn note(
        &mut self,
        live: &Holding,
        state: State,
        new: Slot,
        print: Print,
    ) -> anyhow::Result<Holding> {
        let mark = Mark {
            state,
            new,
            print,
            run: self.run.clone(),
        };
        let tags = Mark::noted(Some(&mark), &live.tags);
        secrets::tag(self.cloudflare, &self.environment.gateway_script(), &tags).await?;
        self.noted = Noted::Ours;
        Ok(Holding {
            tags,
            ..live.clone()
        })
    }

    async fn change(
        &self,
        live: &Holding,
        changes: &secrets::Changes<'_>,
    ) -> anyhow::Result<Holding> {
        let script = self.environment.gateway_script();
        settled(self.environment, &script, live)?;
        secrets::change(self.cloudflare, &script, live, changes).await
    }

    fn secret(&self) -> &'a Secret {
        &self.environment.secrets[WEBHOOK_SECRET]
    }

    fn did(&mut self, what: String) {
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

    fn nothing_to_rotate(&self) -> String {
        format!(
            "`{}` has no `{WEBHOOK_SECRET}`: set one with `edge-broadcast secrets set {} {WEBHOOK_SECRET}`",
            self.environment.gateway_script(),
            self.environment.name
        )
    }

    fn unclear(&self) -> String {
        format!(
            "both slots of `{WEBHOOK_SECRET}` are filled, and not by a rotation of this tool, so it cannot know which value the senders have; nothing was changed; remove the one that nobody uses with `edge-broadcast secrets remove {} SLOT` (the counters tell: `--status`), or end both with `--compromised`",
            self.environment.name
        )
    }

    fn torn(&self, new: Slot) -> String {
        format!(
            "an earlier run was cut off between senders: some publish with the new value (`{}`), some with the old one (`{}`), and the new one cannot be read back to finish the handover; nothing was changed and both are accepted; if every sender has it by now, run again; else `edge-broadcast secrets rotate {} --abort` hands the old value back to all, and a new rotation can begin",
            new.binding(),
            other(new).binding(),
            self.environment.name
        )
    }

    fn still_used(&self, slot: Slot, uses: u64, others: u64, began: Instant) -> String {
        let senders: Vec<&str> = self
            .secret()
            .senders
            .iter()
            .map(|sender| sender.title.as_str())
            .collect();
        format!(
            "`{}` is still used: {uses} publishes with its value in the last {}, and {others} with that of `{}`; nothing was revoked, and both values are accepted; the new value was handed to {}: whoever reads it there has not switched (an SST function does with its next deployment); then run again, or add `--finish` to revoke it now, or `--abort` to go back",
            slot.binding(),
            crate::progress::seconds(began.elapsed()),
            other(slot).binding(),
            senders.join(", ")
        )
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
fn slot_of(value: &Value, filled: Filled, mark: Option<&Mark>) -> Option<Slot> {
    match (mark, filled) {
        (Some(mark), _) if mark.print == Print::of(value) => Some(mark.new),
        (Some(mark), _) => Some(other(mark.new)),
        (None, Filled::One(slot)) => Some(slot),
        (None, _) => None,
    }
}

/// Refuses to change a secret while that would deploy something else too.
pub fn settled(environment: &Environment, script: &str, live: &Holding) -> anyhow::Result<()> {
    if live.settled().is_some() {
        return Ok(());
    }
    let name = &environment.name;
    let deployed = live.live.first().map_or("", String::as_str);
    if live.live.len() > 1 {
        bail!(
            "`{script}` has a gradual deployment running, and a change of a secret would end it; finish it with `edge-broadcast deploy {name}`, or put one version at 100 % with `edge-broadcast rollback {name} --to {deployed}`"
        );
    }
    bail!(
        "the newest version of `{script}`, `{}`, is not the deployed one, `{deployed}`, and a change of a secret would deploy it; `edge-broadcast deploy {name}` makes what the manifest says the newest and deployed version",
        live.latest.as_deref().unwrap_or_default()
    )
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
            let admin = crate::secret::read(ADMIN_SECRET, &secret.source, folder)?;
            Ok(Some(Counters::new(site.clone(), admin)))
        }
        _ => Ok(None),
    }
}
