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

/// Of so many versions at most, all are looked at for since when exactly a secret is there: two calls, as the active one is known.
const SHORT: usize = 3;

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

    /// The facts of what was observed. Reads only how old what has no note is: in a history that is not short, only whether it is to
    /// be rotated.
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
                if live.versions_read == Extent::All && live.versions.len() <= SHORT {
                    secrets::since(cloudflare, &script, live, unnoted(live)).await?
                } else {
                    older::than(cloudflare, &script, live, &due(environment, live)).await?
                }
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
    use std::time::Duration;

    use super::*;
    use crate::cloudflare::account;
    use crate::cloudflare::lists::Lists;
    use crate::cloudflare::observe::observe;
    use crate::cloudflare::paged::{Account, Made, Paging, Story, instant};

    const ENVIRONMENTS: [&str; 3] = ["qa", "staging", "production"];
    /// The last one is of somebody else.
    const NAMES: [&str; 3] = ["WEBHOOK_SECRET", "ADMIN_SECRET", "THEIRS"];

    /// An environment whose secrets are due when they are older than a half and than three quarters of `count` versions.
    fn environment(name: &str, count: u64) -> Environment {
        let mut manifest = "[worker]\nname = \"w\"\ncompatibility_date = \"2026-10-01\"\n[cloudflare]\nzone = \"glow.trade\"\n[[routes]]\nhost = \"w.glow.trade\"\n".to_owned();
        for (secret, quarters) in NAMES.iter().zip([2, 3]) {
            let every = instant(quarters * count / 4).elapsed().unwrap_or_default();
            let every = every.max(Duration::from_secs(3600)).as_secs();
            manifest +=
                &format!("[secrets.{secret}]\nsource = \"env:X\"\nrotate_every = \"{every}s\"\n");
        }
        Environment::resolve(&name.parse().unwrap(), "e.toml", &manifest).unwrap()
    }

    /// `count` versions of a gateway, a secret more after each quarter of them. The newest one was made by a change of secrets: it has no
    /// tag of ours, so that its modules are read back.
    fn gateway(count: u64) -> Story {
        let mut story = Story::default();
        for minute in 0..count {
            let there = (4 * minute / count).min(3) as usize;
            let secrets = NAMES[..there].iter().map(|name| (*name).to_owned());
            let is_ours = minute + 1 < count;
            let made = Made {
                tag: is_ours.then(|| "0123456789abcdef-01234567".to_owned()),
                secrets: secrets.collect(),
                ..Made::default()
            };
            let id = story.make(minute, made);
            story.deploy(minute, &[(&id, 100.0)]);
        }
        story
    }

    /// As many of a room.
    fn room(count: u64) -> Story {
        let mut story = Story::default();
        for minute in 0..count {
            let tag = Some("0123456789abcdef-01234567".to_owned());
            let made = Made {
                tag,
                ..Made::default()
            };
            let id = story.make(minute, made);
            story.deploy(minute, &[(&id, 100.0)]);
        }
        story
    }

    /// All that `plan`, `status` and `doctor` read of an environment; how many of its secrets have an age.
    async fn read(cloudflare: &Cloudflare, environment: &Environment) -> usize {
        let observed = observe(cloudflare, environment).await.unwrap();
        let facts = Facts::observed(cloudflare, environment, &observed).await;
        let cells = facts.unwrap().inventory.into_iter();
        cells.filter(|cell| cell.age_seconds.is_some()).count()
    }

    #[tokio::test]
    async fn three_environments_are_read_in_few_calls_however_long_their_history_is() {
        // In a long history, how old a secret is that need not be rotated is not looked for
        for (count, ages) in [(3, 2), (8, 2), (3000, 2)] {
            let environments = ENVIRONMENTS.map(|name| environment(name, count));
            let scripts = environments.iter().flat_map(|it| {
                [
                    (it.gateway_script(), gateway(count)),
                    (it.room_script(), room(count)),
                ]
            });
            let account = Account::start(scripts.collect(), Paging::LIVE).await;
            for environment in &environments {
                // A process each, which knows nothing of the others
                let cloudflare = account.anew().sharing(&Lists::default());
                assert_eq!(read(&cloudflare, environment).await, ages);
            }
            let plans = account.calls().len();
            let lists = Lists::default();
            for environment in &environments {
                let cloudflare = account.anew().sharing(&lists);
                assert_eq!(read(&cloudflare, environment).await, ages);
            }
            // Only `status` looks for scripts that no manifest names
            let scripts = account::scripts(&account.anew().sharing(&lists)).await;
            assert_eq!(scripts.unwrap().len(), 6);
            let status = account.calls().len();
            let told = format!(
                "{count} versions each: {plans} calls for three plans, {status} for a status of all three\n"
            );
            std::io::Write::write_all(&mut std::io::stdout(), told.as_bytes()).unwrap();
            assert!(plans < 60, "{plans} calls with {count} versions");
            assert!(status < 60, "{status} calls with {count} versions");
        }
    }
}
