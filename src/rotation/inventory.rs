//! Which secrets an environment should have and which it has: the matrix of `secrets list`. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, SystemTime};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;
use edge_broadcast_protocol::contract::slot::Slot;
use serde::Serialize;

use crate::cloudflare::secrets::{Bound, Holding, Since};
use crate::environment::Environment;
use crate::rotation::age;
use crate::rotation::position::Filled;

/// Several environments.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Inventory {
    pub environments: Vec<Column>,
    /// Those that hide no other one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<Unreadable>,
}

/// One environment that cannot be read.
#[derive(Debug, Serialize)]
pub(crate) struct Unreadable {
    /// Its name, or the path of a file that has none.
    pub environment: String,
    pub error: String,
    /// What to do about it, where that is known.
    pub help: Option<String>,
}

/// One environment.
#[derive(Debug, Serialize)]
pub(crate) struct Column {
    pub environment: String,
    pub secrets: Vec<Cell>,
}

/// One secret of one environment.
#[derive(Debug, Serialize)]
pub(crate) struct Cell {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "lowercase")]
pub(crate) enum State {
    Present,
    Missing,
    /// No manifest names it.
    Extra,
    /// The slot that the next rotation fills.
    #[strum(to_string = "idle slot")]
    IdleSlot,
    /// Both slots are filled.
    #[strum(to_string = "rotation open")]
    RotationOpen,
}

/// Whether `rotate_every` has passed; where the age says too little, it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rotation {
    Due,
    Fresh,
}

impl State {
    /// The state of a secret that a manifest names, or of a slot, where the gateway has these `secrets`.
    fn of(name: &str, secrets: &BTreeSet<String>) -> Self {
        let is_slot = Slot::ALL.iter().any(|slot| slot.binding() == name);
        match (secrets.contains(name), Filled::of(secrets)) {
            (true, Filled::Both) if is_slot => Self::RotationOpen,
            (true, _) => Self::Present,
            (false, Filled::Neither) if name == WEBHOOK_SECRET => Self::Missing,
            (false, _) if is_slot => Self::IdleSlot,
            (false, _) => Self::Missing,
        }
    }
}

impl Cell {
    fn new(name: &str, script: String, state: State) -> Self {
        Self {
            name: name.to_owned(),
            script,
            state,
            age_seconds: None,
            age: None,
            rotation: None,
        }
    }

    /// With what follows from how long its value was there at `now`. It is to be rotated after `every`.
    fn aged(self, since: Option<Since>, now: SystemTime, every: Option<Duration>) -> Self {
        let Some(Since { time, bound }) = since else {
            return self;
        };
        // A time in the future, by a clock that is ahead, is now
        let age = now.duration_since(time).unwrap_or_default();
        let rotation = |every| match bound {
            Bound::AtMost if age < every => Rotation::Fresh,
            Bound::AtMost | Bound::AtLeast => Rotation::Due,
        };
        Self {
            age_seconds: Some(age.as_secs()),
            age: Some(bound),
            rotation: every.map(rotation),
            ..self
        }
    }

    /// The row of the matrix that it stands in.
    fn row(&self) -> String {
        match self.script.ends_with("-room") {
            true => format!("{} (room)", self.name),
            false => self.name.clone(),
        }
    }

    /// Whether its value is older than the manifest wants, or may be.
    pub(crate) fn is_due(&self) -> bool {
        self.rotation == Some(Rotation::Due)
    }
}

impl Column {
    /// Compares what the manifest asks for with what is live at `now`: of the gateway, which may not be deployed, and of the room, which
    /// should have no secret. `since` says since when the gateway's secrets are there, for what its tags do not say.
    pub(crate) fn of(
        environment: &Environment,
        gateway: Option<&Holding>,
        room: Option<&Holding>,
        since: &BTreeMap<String, Since>,
        now: SystemTime,
    ) -> Self {
        let nothing = Holding::default();
        let gateway = gateway.unwrap_or(&nothing);
        let mut wanted: Vec<(&str, Option<Duration>)> = Vec::new();
        for (name, secret) in &environment.secrets {
            match name.as_str() {
                WEBHOOK_SECRET => {
                    let slots = Slot::ALL.map(|slot| (slot.binding(), secret.rotate_every));
                    wanted.extend(slots);
                }
                name => wanted.push((name, secret.rotate_every)),
            }
        }
        let secrets = &gateway.secrets;
        let cell = |name: &str, state, every| {
            let cell = Cell::new(name, environment.gateway_script(), state);
            if !secrets.contains(name) {
                return cell;
            }
            let noted = age::among(&gateway.tags, name).map(|time| Since {
                time,
                bound: Bound::AtMost,
            });
            cell.aged(noted.or(since.get(name).copied()), now, every)
        };
        let is_extra = |name: &&String| wanted.iter().all(|(wanted, _)| wanted != name);
        let of_gateway = wanted
            .iter()
            .map(|&(name, every)| cell(name, State::of(name, secrets), every));
        let extra = secrets.iter().filter(is_extra);
        let extra = extra.map(|name| cell(name, State::Extra, None));
        let of_room = room.iter().flat_map(|room| &room.secrets);
        let of_room = of_room.map(|name| Cell::new(name, environment.room_script(), State::Extra));
        Self {
            environment: environment.name.to_string(),
            secrets: of_gateway.chain(extra).chain(of_room).collect(),
        }
    }

    /// The secrets that no manifest names, with their scripts.
    pub(crate) fn extra(&self) -> impl Iterator<Item = &Cell> {
        self.secrets
            .iter()
            .filter(|cell| cell.state == State::Extra)
    }
}

impl Inventory {
    /// Whether every required secret is there.
    pub(crate) fn is_complete(&self) -> bool {
        let mut cells = self.environments.iter().flat_map(|column| &column.secrets);
        cells.all(|cell| cell.state != State::Missing)
    }
}

impl fmt::Display for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let columns = &self.environments;
        let names = columns.iter().map(|column| column.environment.clone());
        table.set_header(["secret".to_owned()].into_iter().chain(names));
        let mut rows: Vec<String> = Vec::new();
        for cell in columns.iter().flat_map(|column| &column.secrets) {
            if !rows.contains(&cell.row()) {
                rows.push(cell.row());
            }
        }
        for row in rows {
            let cells = columns.iter().map(|column| {
                let cell = column.secrets.iter().find(|cell| cell.row() == row);
                cell.map_or("-".to_owned(), ToString::to_string)
            });
            table.add_row([row.clone()].into_iter().chain(cells));
        }
        // A terminal's; names are not broken
        if let Some(columns) = f.width() {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(columns.try_into().unwrap_or(u16::MAX));
            if let Some(names) = table.column_mut(0) {
                names.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        if !columns.is_empty() {
            f.write_str(&table.trim_fmt())?;
        }
        for (index, unreadable) in self.unreadable.iter().enumerate() {
            if index > 0 || !columns.is_empty() {
                f.write_str("\n")?;
            }
            unreadable.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}\n  cannot be read: {}", self.environment, self.error)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.state)?;
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

    /// What is live of both scripts, and since when the gateway's secrets are there.
    #[derive(Default)]
    struct Live {
        gateway: Holding,
        room: Holding,
        since: BTreeMap<String, Since>,
    }

    fn live(since: &[(&str, u64, Bound)]) -> Live {
        Live {
            gateway: Holding {
                secrets: since
                    .iter()
                    .map(|(name, _, _)| (*name).to_owned())
                    .collect(),
                ..Holding::default()
            },
            since: since
                .iter()
                .map(|&(name, days, bound)| {
                    let time = at(days);
                    (name.to_owned(), Since { time, bound })
                })
                .collect(),
            ..Live::default()
        }
    }

    fn cells(live: &Live, now: u64) -> Vec<String> {
        let manifest = include_str!("../../environments/staging.toml").replace(
            "senders = [\"sst\"]",
            "\n[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"",
        );
        let name = "staging".parse().unwrap();
        let environment = Environment::resolve(&name, "staging.toml", &manifest).unwrap();
        let (gateway, room) = (Some(&live.gateway), Some(&live.room));
        let column = Column::of(&environment, gateway, room, &live.since, at(now));
        let cells = column.secrets.iter();
        cells
            .map(|cell| format!("{} of {}: {cell}", cell.name, cell.script))
            .collect()
    }

    #[test]
    fn a_rotation_is_due_when_it_is_or_may_be_and_what_is_of_the_room_is_extra() {
        let all = |admin: &str, webhook: &str| {
            [
                format!("ADMIN_SECRET of glow-broadcast-staging: {admin}"),
                format!("WEBHOOK_SECRET of glow-broadcast-staging: {webhook}"),
                "WEBHOOK_SECRET_ALTERNATE of glow-broadcast-staging: idle slot".to_owned(),
                "STRAY of glow-broadcast-staging-room: extra".to_owned(),
            ]
        };
        let mut live = live(&[
            ("ADMIN_SECRET", 10, Bound::AtMost),
            ("WEBHOOK_SECRET", 10, Bound::AtMost),
        ]);
        live.room.secrets.insert("STRAY".to_owned());
        assert_eq!(cells(&live, 99), all("present, 89 d", "present, 89 d"));
        assert_eq!(
            cells(&live, 100),
            all("present, 90 d", "present, 90 d, rotation due")
        );
        // Another secret that this tool sets does not make this one younger
        live.gateway.tags = age::with(&live.gateway.tags, "ADMIN_SECRET", at(99));
        assert_eq!(
            cells(&live, 100),
            all("present, 24 h", "present, 90 d, rotation due")
        );
        // Nor does a past that is too long to be read
        for since in live.since.values_mut() {
            since.bound = Bound::AtLeast;
        }
        assert_eq!(
            cells(&live, 35),
            all("present, 0 min", "present, over 25 d, rotation due")
        );
        live.gateway.tags = age::with(&live.gateway.tags, "WEBHOOK_SECRET", at(30));
        assert_eq!(cells(&live, 35), all("present, 0 min", "present, 5 d"));
    }

    #[test]
    fn both_slots_filled_are_an_open_rotation() {
        let open = live(&[
            ("ADMIN_SECRET", 10, Bound::AtMost),
            ("WEBHOOK_SECRET", 10, Bound::AtMost),
            ("WEBHOOK_SECRET_ALTERNATE", 20, Bound::AtMost),
        ]);
        assert_eq!(
            cells(&open, 21),
            [
                "ADMIN_SECRET of glow-broadcast-staging: present, 11 d",
                "WEBHOOK_SECRET of glow-broadcast-staging: rotation open, 11 d",
                "WEBHOOK_SECRET_ALTERNATE of glow-broadcast-staging: rotation open, 24 h",
            ]
        );
    }

    #[test]
    fn a_table_fits_into_a_terminal_and_is_as_wide_as_it_likes_elsewhere() {
        let cell = |name: &str, state, age_seconds| Cell {
            name: name.to_owned(),
            script: "glow".to_owned(),
            state,
            age_seconds,
            age: age_seconds.map(|_| Bound::AtLeast),
            rotation: age_seconds.map(|_| Rotation::Due),
        };
        let column = |environment: &str| Column {
            environment: environment.to_owned(),
            secrets: vec![
                cell("WEBHOOK_SECRET", State::Present, Some(90 * DAY)),
                cell("WEBHOOK_SECRET_ALTERNATE", State::IdleSlot, None),
            ],
        };
        let inventory = Inventory {
            environments: ["staging", "production"].map(column).into(),
            unreadable: Vec::new(),
        };
        insta::assert_snapshot!(inventory, @r"
        secret                    staging                           production
        WEBHOOK_SECRET            present, over 90 d, rotation due  present, over 90 d, rotation due
        WEBHOOK_SECRET_ALTERNATE  idle slot                         idle slot
        ");
        insta::assert_snapshot!(format!("{inventory:60}"), @r"
        secret                    staging          production
        WEBHOOK_SECRET            present, over    present, over
                                  90 d, rotation   90 d, rotation
                                  due              due
        WEBHOOK_SECRET_ALTERNATE  idle slot        idle slot
        ");
    }
}
