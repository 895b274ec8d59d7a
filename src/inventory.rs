//! Which secrets an environment should have and which it has: the matrix of `secrets list`. Pure.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime};

use comfy_table::{Table, presets};
use edge_broadcast_protocol::binding::WEBHOOK_SECRET;
use edge_broadcast_protocol::slot::Slot;
use serde::Serialize;

use crate::cloudflare::secrets::{End, History, Past};
use crate::environment::Environment;
use crate::set_time;

/// What is live of one environment.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Names of the gateway's secrets; `None` when it is not deployed.
    pub gateway: Option<BTreeSet<String>>,
    /// Names of the room's secrets, which should be none.
    pub room: BTreeSet<String>,
    /// The gateway's tags, which say when this tool set a value.
    pub tags: BTreeSet<String>,
    /// The gateway's past, for what the tags do not say.
    pub history: History,
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
    /// Seconds since its value was set, as far as it is known.
    pub age_seconds: Option<u64>,
    /// What the age is: Cloudflare does not say when a secret got its value.
    pub age: Option<Bound>,
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

/// On which side of the truth an age is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Since this tool set the value, or since the secret is there: another tool may have given it a newer value since.
    AtMost,
    /// It was there already in the oldest version that was read.
    AtLeast,
}

/// Whether `rotate_every` has passed; where the age says too little, it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    Due,
    Fresh,
}

impl Cell {
    /// Whether its value is older than the manifest wants, or may be.
    pub fn is_due(&self) -> bool {
        self.rotation == Some(Rotation::Due)
    }
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
                    let since = since(name, live);
                    // A version of a clock that is ahead was made just now
                    since.map(|(since, bound)| {
                        (now.duration_since(since).unwrap_or_default(), bound)
                    })
                }
                State::Missing | State::IdleSlot => None,
            };
            let rotation = every.zip(age).map(|(every, (age, bound))| match bound {
                Bound::AtMost if age < every => Rotation::Fresh,
                Bound::AtMost | Bound::AtLeast => Rotation::Due,
            });
            secrets.push(Cell {
                name: name.to_owned(),
                script: environment.gateway_script(),
                state,
                age_seconds: age.map(|(age, _)| age.as_secs()),
                age: age.map(|(_, bound)| bound),
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
                age: None,
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

/// Since when a secret has its value.
fn since(name: &str, live: &Live) -> Option<(SystemTime, Bound)> {
    if let Some(time) = set_time::among(&live.tags, name) {
        return Some((time, Bound::AtMost));
    }
    let versions = &live.history.versions;
    let there = versions
        .iter()
        .take_while(|version| version.secrets.contains(name));
    let bound = match live.history.end {
        End::CutOff if !is_found(name, versions) => Bound::AtLeast,
        End::CutOff | End::Beginning => Bound::AtMost,
    };
    there.last().map(|version| (version.created_on, bound))
}

/// Whether a history that holds `versions` says since when `name` is there.
fn is_found(name: &str, versions: &[Past]) -> bool {
    versions
        .iter()
        .any(|version| !version.secrets.contains(name))
}

/// Whether a history that holds `versions` says enough of the secrets of `there`.
pub fn is_enough(there: &BTreeSet<String>, tags: &BTreeSet<String>, versions: &[Past]) -> bool {
    let is_known =
        |name: &&String| set_time::among(tags, name).is_some() || is_found(name, versions);
    there.iter().all(|name| is_known(&name))
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
            let over = match self.age {
                Some(Bound::AtLeast) => "over ",
                Some(Bound::AtMost) | None => "",
            };
            write!(f, ", {over}{}", age_words(age))?;
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

    fn past(days: u64, secrets: &[&str]) -> Past {
        Past {
            created_on: at(days),
            secrets: secrets.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    fn live(versions: &[Past], end: End) -> Live {
        Live {
            history: History {
                versions: versions.to_vec(),
                end,
            },
            ..Live::default()
        }
    }

    #[test]
    fn a_value_is_as_old_as_its_secret_unless_it_is_noted_when_it_was_set() {
        let versions = [
            past(4, &["A", "B"]),
            past(3, &["A", "B"]),
            past(2, &["A"]),
            past(1, &["A"]),
        ];
        let mut all = live(&versions, End::Beginning);
        assert_eq!(since("A", &all), Some((at(1), Bound::AtMost)));
        assert_eq!(since("B", &all), Some((at(3), Bound::AtMost)));
        assert_eq!(since("C", &all), None);
        all.tags = set_time::with(&all.tags, "A", at(5));
        assert_eq!(since("A", &all), Some((at(5), Bound::AtMost)));
        assert_eq!(since("B", &all), Some((at(3), Bound::AtMost)));
    }

    #[test]
    fn a_history_that_was_not_read_to_its_end_gives_the_least_age() {
        let versions = [past(4, &["A", "B"]), past(3, &["A"])];
        let cut_off = live(&versions, End::CutOff);
        assert_eq!(since("A", &cut_off), Some((at(3), Bound::AtLeast)));
        assert_eq!(since("B", &cut_off), Some((at(4), Bound::AtMost)));
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let noted = set_time::with(&BTreeSet::new(), "A", at(1));
        let none = BTreeSet::new();
        assert!(is_enough(&names(&["B"]), &none, &versions));
        assert!(!is_enough(&names(&["A", "B"]), &none, &versions));
        assert!(is_enough(&names(&["A", "B"]), &noted, &versions));
        assert!(!is_enough(&names(&["B"]), &none, &[]));
    }

    fn cells(live: &Live, now: u64) -> Vec<String> {
        let manifest = include_str!("../environments/staging.toml").replace(
            "senders = [\"sst\"]",
            "\n[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"",
        );
        let environment = crate::environment::understand(crate::environment::Written {
            name: &"staging".parse().unwrap(),
            path: "staging.toml",
            source: &manifest,
            manifest: crate::manifest::parse("staging.toml", &manifest).unwrap(),
        })
        .unwrap();
        let column = Column::of(&environment, live, at(now));
        let cells = column.secrets.iter();
        cells
            .map(|cell| format!("{} of {}: {cell}", cell.name, cell.script))
            .collect()
    }

    #[test]
    fn a_rotation_is_due_when_it_is_or_may_be_and_what_is_of_the_room_is_extra() {
        let of = |versions: &[Past], end| Live {
            gateway: Some(versions[0].secrets.clone()),
            room: ["STRAY".to_owned()].into(),
            ..live(versions, end)
        };
        let names = ["ADMIN_SECRET", "WEBHOOK_SECRET"];
        let first = past(10, &names);
        let daily: Vec<Past> = (10..35).rev().map(|day| past(day, &names)).collect();
        let stray = "STRAY of glow-broadcast-staging-room: extra";
        let idle = "WEBHOOK_SECRET_ALTERNATE of glow-broadcast-staging: idle slot";
        let all = |admin: &str, webhook: &str| {
            [
                format!("ADMIN_SECRET of glow-broadcast-staging: {admin}"),
                format!("WEBHOOK_SECRET of glow-broadcast-staging: {webhook}"),
                idle.to_owned(),
                stray.to_owned(),
            ]
        };
        let one = of(&[first], End::Beginning);
        assert_eq!(cells(&one, 99), all("present, 89 d", "present, 89 d"));
        assert_eq!(
            cells(&one, 100),
            all("present, 90 d", "present, 90 d, rotation due")
        );
        // A deployment a day: the value may be as old as the script
        assert_eq!(
            cells(&of(&daily, End::CutOff), 35),
            all("present, over 25 d", "present, over 25 d, rotation due")
        );
        assert_eq!(
            cells(&of(&daily, End::Beginning), 35),
            all("present, 25 d", "present, 25 d")
        );
        // Another secret that was set does not make this one younger
        let mut set = of(&daily, End::Beginning);
        set.tags = set_time::with(&set.tags, "ADMIN_SECRET", at(100));
        assert_eq!(
            cells(&set, 100),
            all("present, 0 min", "present, 90 d, rotation due")
        );
    }

    #[test]
    fn both_slots_filled_are_an_open_rotation() {
        let names = ["ADMIN_SECRET", "WEBHOOK_SECRET", "WEBHOOK_SECRET_ALTERNATE"];
        let both = past(20, &names);
        let open = Live {
            gateway: Some(both.secrets.clone()),
            ..live(&[both, past(10, &names[..2])], End::Beginning)
        };
        assert_eq!(
            cells(&open, 21),
            [
                "ADMIN_SECRET of glow-broadcast-staging: present, 11 d",
                "WEBHOOK_SECRET of glow-broadcast-staging: rotation open, 11 d",
                "WEBHOOK_SECRET_ALTERNATE of glow-broadcast-staging: rotation open, 24 h",
            ]
        );
    }
}
