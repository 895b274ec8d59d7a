//! What `plan`, `status` and `doctor` show of an environment's secrets: the facts of `secrets list` and of `secrets rotate --status`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;
use edge_broadcast_protocol::contract::slot::Slot;
use serde::Serialize;

use crate::cloudflare::secrets::Since;
use crate::cloudflare::{Cloudflare, older, secrets};
use crate::environment::Environment;
use crate::plan::history::Extent;
use crate::plan::{Holding, Live, Observed};
use crate::rotation::age;
use crate::rotation::inventory::{Cell, Column, State};
use crate::rotation::status::Status;

/// The facts of one environment.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    /// Every secret that there is or should be.
    pub(crate) inventory: Vec<Cell>,
    /// How far a rotation is; absent where the gateway is not deployed.
    pub(crate) rotation: Option<Status>,
}

impl Facts {
    /// Reads what the scripts hold, and the facts. Sends nothing but GETs, and reads no value.
    pub(crate) async fn read(
        cloudflare: &Cloudflare,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        let (gateway, room) = (environment.gateway_script(), environment.room_script());
        let (gateway, room) = tokio::try_join!(
            secrets::read(cloudflare, &gateway),
            secrets::read(cloudflare, &room),
        )?;
        let since = match &gateway {
            Some(live) => {
                let names = unnoted(live);
                secrets::since(cloudflare, &environment.gateway_script(), live, names).await?
            }
            None => BTreeMap::new(),
        };
        Ok(Self::of(
            environment,
            gateway.as_ref(),
            room.as_ref(),
            &since,
        ))
    }

    /// The facts of what was observed. Reads only how old what has no note is: in a history that goes on beyond what was observed,
    /// only whether it is to be rotated.
    pub(crate) async fn observed(
        cloudflare: &Cloudflare,
        environment: &Environment,
        observed: &Observed,
    ) -> anyhow::Result<Self> {
        let held = |script: String| observed.scripts.get(&script).map(Live::holding);
        let script = environment.gateway_script();
        let (gateway, room) = (held(script.clone()), held(environment.room_script()));
        let since = match &gateway {
            Some(live) => {
                let due = due(environment, live);
                let mut since = older::than(cloudflare, &script, live, &due).await?;
                if live.versions_read == Extent::All {
                    let others = unnoted(live).filter(|name| !due.contains_key(*name));
                    since.extend(secrets::since(cloudflare, &script, live, others).await?);
                }
                since
            }
            None => BTreeMap::new(),
        };
        Ok(Self::of(
            environment,
            gateway.as_ref(),
            room.as_ref(),
            &since,
        ))
    }

    fn of(
        environment: &Environment,
        gateway: Option<&Holding>,
        room: Option<&Holding>,
        since: &BTreeMap<String, Since>,
    ) -> Self {
        let now = SystemTime::now();
        Self {
            inventory: Column::of(environment, gateway, room, since, now).secrets,
            rotation: gateway.map(|live| Status::of(environment, live, None)),
        }
    }

    /// The rotation, if there is something to do about it.
    pub(in super::super) fn open_rotation(&self) -> Option<&Status> {
        self.rotation
            .as_ref()
            .filter(|status| status.next.is_some())
    }

    /// The facts as a column of the matrix.
    pub(super) fn column(self, environment: &Environment) -> Column {
        Column {
            environment: environment.name.to_string(),
            secrets: self.inventory,
        }
    }
}

/// The secrets of a script of which it is not noted when they were set.
fn unnoted(live: &Holding) -> impl Iterator<Item = &String> {
    let is_noted = |name: &&String| age::among(&live.tags, name).is_some();
    live.secrets.iter().filter(move |name| !is_noted(name))
}

/// For each of them that is to be rotated, since when it must be there to be due.
fn due(environment: &Environment, live: &Holding) -> BTreeMap<String, SystemTime> {
    let now = SystemTime::now();
    let due = unnoted(live).filter_map(|name| {
        let is_slot = Slot::ALL.iter().any(|slot| slot.binding() == name);
        let declared = if is_slot { WEBHOOK_SECRET } else { name };
        let every = environment.secrets.get(declared)?.rotate_every?;
        Some((name.clone(), now.checked_sub(every)?))
    });
    due.collect()
}

/// A line for each fact that calls for something; nothing where all is well. What is missing, a deployment sets.
impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for cell in &self.inventory {
            if cell.state == State::Extra || cell.is_due() {
                write!(f, "\n  secret {} of {}: {cell}", cell.name, cell.script)?;
            }
        }
        match self.open_rotation() {
            Some(status) => write!(f, "\n  secret {}: {}", status.secret, status.stage),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudflare::observe::observe;
    use crate::cloudflare::paged::{Account, Made, Paging, Story};

    /// The last one is of somebody else.
    const NAMES: [&str; 3] = ["WEBHOOK_SECRET", "ADMIN_SECRET", "THEIRS"];

    fn environment(name: &str) -> Environment {
        let mut manifest = "[worker]\nname = \"w\"\ncompatibility_date = \"2026-10-01\"\n[cloudflare]\nzone = \"glow.trade\"\n[[routes]]\nhost = \"w.glow.trade\"\n".to_owned();
        for secret in &NAMES[..2] {
            manifest +=
                &format!("[secrets.{secret}]\nsource = \"env:X\"\nrotate_every = \"30d\"\n");
        }
        Environment::resolve(&name.parse().unwrap(), "e.toml", &manifest).unwrap()
    }

    /// `count` versions, a secret more after each quarter of them.
    fn story(count: u64) -> Story {
        let mut story = Story::default();
        for minute in 0..count {
            let there = (4 * minute / count).min(3) as usize;
            let secrets = NAMES[..there].iter().map(|name| (*name).to_owned());
            let made = Made {
                // A tag of ours: nobody has to read the modules back
                tag: Some("0123456789abcdef-01234567".to_owned()),
                secrets: secrets.collect(),
                ..Made::default()
            };
            let id = story.make(minute, made);
            story.deploy(minute, &[(&id, 100.0)]);
        }
        story
    }

    /// All that `plan` and `status` read, of three environments one after the other, each as a command of its own.
    #[tokio::test]
    async fn three_environments_are_read_in_few_calls_however_long_their_history_is() {
        for count in [8, 3000] {
            let mut calls = 0;
            for name in ["qa", "staging", "production"] {
                let environment = environment(name);
                let scripts = [environment.gateway_script(), environment.room_script()];
                let scripts = scripts.map(|script| (script, story(count)));
                let account = Account::start(scripts.into(), Paging::LIVE).await;
                let observed = observe(&account.cloudflare, &environment).await.unwrap();
                let facts = Facts::observed(&account.cloudflare, &environment, &observed);
                let facts = facts.await.unwrap();
                let known = facts
                    .inventory
                    .iter()
                    .filter(|cell| cell.age_seconds.is_some());
                // Those of the gateway that are there: all three
                assert_eq!(known.count(), 3);
                calls += account.calls().len();
            }
            let told = format!("{count} versions each: {calls} calls for three environments\n");
            std::io::Write::write_all(&mut std::io::stdout(), told.as_bytes()).unwrap();
            assert!(calls < 60, "{calls} calls with {count} versions");
        }
    }
}
