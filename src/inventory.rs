//! Which secrets an environment should have and which it has: the matrix of `secrets list`. Pure.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime};

use comfy_table::{Table, presets};
use edge_broadcast_protocol::binding::WEBHOOK_SECRET;
use edge_broadcast_protocol::slot::Slot;
use serde::Serialize;

use crate::cloudflare::secrets::{MadeBy, Past};
use crate::environment::Environment;

/// What is live of one environment.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Names of the gateway's secrets; `None` when it is not deployed.
    pub gateway: Option<BTreeSet<String>>,
    /// Names of the room's secrets, which should be none.
    pub room: BTreeSet<String>,
    /// The gateway's versions, the newest first.
    pub history: Vec<Past>,
}

/// Several environments.
#[derive(Debug, Serialize)]
pub struct Inventory {
    pub environments: Vec<Column>,
}

/// One environment.
#[derive(Debug, Serialize)]
pub struct Column {
    pub environment: String,
    pub secrets: Vec<Cell>,
}

/// One secret of one environment.
#[derive(Debug, Serialize)]
pub struct Cell {
    pub name: String,
    pub script: String,
    pub state: State,
    /// Seconds since its value was set, at most: a later change of another secret counts too, since Cloudflare does not say which
    /// one changed.
    pub age_seconds: Option<u64>,
    pub rotation: Option<Rotation>,
}

/// Whether a secret is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Present,
    Missing,
    /// No manifest names it.
    Extra,
    /// The slot that the next rotation fills.
    IdleSlot,
    /// Both slots are filled.
    RotationOpen,
}

/// Whether `rotate_every` has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    Due,
    Fresh,
}

impl Column {
    /// Compares what the manifest asks for with what is live at `now`.
    pub fn of(environment: &Environment, live: &Live, now: SystemTime) -> Self {
        let nothing = BTreeSet::new();
        let there = live.gateway.as_ref().unwrap_or(&nothing);
        let slots = Slot::ALL.map(Slot::binding);
        let filled = slots.iter().filter(|slot| there.contains(**slot)).count();
        let mut secrets = Vec::new();
        let mut add = |name: &str, state: State, every: Option<Duration>| {
            let age = match state {
                State::Present | State::Extra | State::RotationOpen => {
                    since(name, &live.history).and_then(|since| now.duration_since(since).ok())
                }
                State::Missing | State::IdleSlot => None,
            };
            let rotation = every.zip(age).map(|(every, age)| {
                if age >= every {
                    Rotation::Due
                } else {
                    Rotation::Fresh
                }
            });
            secrets.push(Cell {
                name: name.to_owned(),
                script: environment.gateway_script(),
                state,
                age_seconds: age.map(|age| age.as_secs()),
                rotation,
            });
        };
        for (name, secret) in &environment.secrets {
            if name != WEBHOOK_SECRET {
                let state = if there.contains(name) {
                    State::Present
                } else {
                    State::Missing
                };
                add(name, state, secret.rotate_every);
                continue;
            }
            for slot in slots {
                let state = match (there.contains(slot), filled) {
                    (true, 1) => State::Present,
                    (true, _) => State::RotationOpen,
                    (false, 0) if slot == WEBHOOK_SECRET => State::Missing,
                    (false, _) => State::IdleSlot,
                };
                add(slot, state, secret.rotate_every);
            }
        }
        let named = |name: &String| {
            environment.secrets.contains_key(name) || slots.contains(&name.as_str())
        };
        for name in there.iter().filter(|name| !named(name)) {
            add(name, State::Extra, None);
        }
        for name in &live.room {
            secrets.push(Cell {
                name: name.clone(),
                script: environment.room_script(),
                state: State::Extra,
                age_seconds: None,
                rotation: None,
            });
        }
        Self {
            environment: environment.name.to_string(),
            secrets,
        }
    }

    /// The secrets that no manifest names, with their scripts.
    pub fn extra(&self) -> impl Iterator<Item = &Cell> {
        self.secrets
            .iter()
            .filter(|cell| cell.state == State::Extra)
    }
}

/// When a secret got its value, at the latest: in the version in which it appeared, or in a later one that a change of secrets made
/// without a name coming or going, which is a new value for one that is not told.
fn since(name: &str, history: &[Past]) -> Option<SystemTime> {
    for (at, version) in history.iter().enumerate() {
        if !version.secrets.contains(name) {
            return None;
        }
        let brought = match history.get(at + 1) {
            None => true,
            Some(before) => {
                let anonymous =
                    version.made_by == MadeBy::Secrets && version.secrets == before.secrets;
                !before.secrets.contains(name) || anonymous
            }
        };
        if brought {
            return Some(version.created_on);
        }
    }
    None
}

impl Inventory {
    /// Whether every required secret is there.
    pub fn is_complete(&self) -> bool {
        let mut cells = self.environments.iter().flat_map(|column| &column.secrets);
        cells.all(|cell| cell.state != State::Missing)
    }

    fn names(&self) -> Vec<(&str, bool)> {
        let mut names: Vec<(&str, bool)> = Vec::new();
        for column in &self.environments {
            for cell in &column.secrets {
                let row = (cell.name.as_str(), cell.script.ends_with("-room"));
                if !names.contains(&row) {
                    names.push(row);
                }
            }
        }
        names
    }
}

impl fmt::Display for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let environments = self
            .environments
            .iter()
            .map(|column| column.environment.clone());
        table.set_header(["secret".to_owned()].into_iter().chain(environments));
        for (name, of_room) in self.names() {
            let mut row = vec![if of_room {
                format!("{name} (room)")
            } else {
                name.to_owned()
            }];
            for column in &self.environments {
                let cell = column
                    .secrets
                    .iter()
                    .find(|cell| cell.name == name && cell.script.ends_with("-room") == of_room);
                row.push(cell.map_or("-".to_owned(), ToString::to_string));
            }
            table.add_row(row);
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim().to_owned()).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self.state {
            State::Present => "present",
            State::Missing => "missing",
            State::Extra => "extra",
            State::IdleSlot => "idle slot",
            State::RotationOpen => "rotation open",
        })?;
        if let Some(age) = self.age_seconds {
            write!(f, ", {}", age_words(age))?;
        }
        match self.rotation {
            Some(Rotation::Due) => f.write_str(", rotation due"),
            Some(Rotation::Fresh) | None => Ok(()),
        }
    }
}

fn age_words(seconds: u64) -> String {
    match seconds {
        0..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn at(days: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(days * DAY)
    }

    fn past(days: u64, secrets: &[&str], made_by: MadeBy) -> Past {
        Past {
            created_on: at(days),
            secrets: secrets.iter().map(|&name| name.to_owned()).collect(),
            made_by,
        }
    }

    #[test]
    fn a_value_is_as_old_as_the_version_that_brought_it_or_that_could_have_changed_it() {
        let first = past(1, &["A"], MadeBy::Upload);
        let upload = past(2, &["A"], MadeBy::Upload);
        let both = past(3, &["A", "B"], MadeBy::Secrets);
        let anonymous = past(4, &["A", "B"], MadeBy::Secrets);
        assert_eq!(since("A", &[upload.clone(), first.clone()]), Some(at(1)));
        let history = [both.clone(), upload.clone(), first.clone()];
        assert_eq!(
            (since("A", &history), since("B", &history)),
            (Some(at(1)), Some(at(3)))
        );
        assert_eq!(
            since("A", &[anonymous, both, upload, first.clone()]),
            Some(at(4))
        );
        assert_eq!(since("A", std::slice::from_ref(&first)), Some(at(1)));
        assert_eq!(since("C", &[first]), None);
    }
}
