//! The two scripts of an environment, recognised by what stands on them and not by what they are called alone.

use std::collections::{BTreeMap, BTreeSet};

use edge_broadcast_protocol::contract::binding::ROOM_CLASS;
use serde::Serialize;

use super::script_tags::{self, Belonging, ENVIRONMENT, SERVICE, among, owner_of};
use crate::build::Worker;
use crate::environment::{Environment, script_name};

/// A script of the account with its tags, as a list of all has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tagged {
    pub name: String,
    pub tags: BTreeSet<String>,
}

/// The two scripts of one environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The gateway's script name without the environment.
    pub worker: String,
    pub environment: String,
}

impl Pair {
    /// The scripts that a manifest names.
    pub fn of(environment: &Environment) -> Self {
        Self {
            worker: environment.worker.clone(),
            environment: environment.name.to_string(),
        }
    }

    /// The pair that a script is one of, by its own tags. Those of another script, which a copy of its settings would have, say nothing.
    pub fn of_tagged(name: &str, tags: &BTreeSet<String>) -> Option<Self> {
        let (service, environment) = (among(tags, SERVICE)?, among(tags, ENVIRONMENT)?);
        let of = |worker: &str| Self {
            worker: worker.to_owned(),
            environment: environment.to_owned(),
        };
        let room = service.strip_suffix(script_name::ROOM).map(of);
        room.filter(|pair| pair.room() == name)
            .or_else(|| Some(of(service)).filter(|pair| pair.gateway() == name))
    }

    /// Whose the script is, one of the two by its name, seen from the project `owner`.
    pub(crate) fn belonging(&self, script: &Tagged, owner: Option<&str>) -> Belonging {
        let service = match script.name == self.room() {
            true => script_name::room_service(&self.worker),
            false => self.worker.clone(),
        };
        let named = script_tags::named(&service, &self.environment);
        script_tags::whose(&script.tags, &named, owner)
    }

    /// The script that has the routes and the secrets.
    pub fn gateway(&self) -> String {
        script_name::gateway(&self.worker, &self.environment)
    }

    /// The script that defines the Durable Object.
    pub fn room(&self) -> String {
        script_name::room(&self.worker, &self.environment)
    }

    /// Both, in the order in which they can be deleted: what uses the objects first.
    pub fn scripts(&self) -> [(Worker, String); 2] {
        [
            (Worker::Gateway, self.gateway()),
            (Worker::Room, self.room()),
        ]
    }
}

/// The pairs that this tool has deployed, of all `scripts` of an account. wrangler tags the scripts of any project with environments
/// in the same way: only where the room's script has the rooms' class, in `classes` by script, it is one of this tool.
/// What belongs to another project than `owner` is left out.
pub fn deployed(
    scripts: &[Tagged],
    classes: &BTreeMap<String, BTreeSet<String>>,
    owner: Option<&str>,
) -> BTreeSet<Pair> {
    let has_rooms = |pair: &Pair| {
        let classes = classes.get(&pair.room());
        classes.is_some_and(|classes| classes.contains(ROOM_CLASS))
    };
    let ours = scripts.iter().filter_map(|script| {
        let pair = Pair::of_tagged(&script.name, &script.tags)?;
        match pair.belonging(script, owner) {
            Belonging::Ours | Belonging::Unowned => Some(pair),
            Belonging::Owned(_) | Belonging::Other(_) | Belonging::Untagged => None,
        }
    });
    ours.filter(has_rooms).collect()
}

/// Scripts of this tool that no manifest names: `worker.name` changed, or the manifest is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Orphan {
    pub environment: String,
    pub scripts: Vec<String>,
    /// Whether a tag of each says that it is this project's. Otherwise it may be another one's with the same `worker.name`.
    pub owned: bool,
    /// The command that retires them.
    pub fix: String,
}

/// The pairs of `deployed` that are not among `named`, as far as they are in `scripts`. Those of an environment in `unread`, whose
/// manifest could not be understood, may be named by it.
pub fn orphans(
    deployed: &BTreeSet<Pair>,
    scripts: &[Tagged],
    named: &BTreeSet<Pair>,
    unread: &BTreeSet<&str>,
) -> Vec<Orphan> {
    let left = deployed.difference(named);
    let left = left.filter(|pair| !unread.contains(pair.environment.as_str()));
    let orphan = |pair: &Pair| {
        let there = |(_, name)| scripts.iter().find(|script| script.name == name);
        let there: Vec<&Tagged> = pair.scripts().into_iter().filter_map(there).collect();
        let is_owned = |script: &&Tagged| owner_of(&script.tags).is_some();
        Some(Orphan {
            environment: pair.environment.clone(),
            fix: format!("edge-broadcast destroy --script {}", there.first()?.name),
            owned: there.iter().all(is_owned),
            scripts: there.iter().map(|script| script.name.clone()).collect(),
        })
    };
    left.filter_map(orphan).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(name: &str, service: &str, environment: &str) -> Tagged {
        let tags = [
            format!("cf:service={service}"),
            format!("cf:environment={environment}"),
        ];
        Tagged {
            name: name.to_owned(),
            tags: tags.into(),
        }
    }

    fn pair(script: &Tagged) -> Option<(String, String)> {
        let pair = Pair::of_tagged(&script.name, &script.tags)?;
        Some((pair.gateway(), pair.room()))
    }

    #[test]
    fn a_script_is_one_of_the_pair_that_its_tags_and_its_name_agree_on() {
        let of = |gateway: &str, room: &str| Some((gateway.to_owned(), room.to_owned()));
        for (script, wanted) in [
            (tagged("w-qa", "w", "qa"), of("w-qa", "w-qa-room")),
            (tagged("w-qa-room", "w-room", "qa"), of("w-qa", "w-qa-room")),
            // The gateway of an environment whose name ends as a room's script does
            (
                tagged("w-qa-room", "w", "qa-room"),
                of("w-qa-room", "w-qa-room-room"),
            ),
            // And of a worker whose name does
            (
                tagged("w-room-qa", "w-room", "qa"),
                of("w-room-qa", "w-room-qa-room"),
            ),
            (tagged("other-qa", "w", "qa"), None),
            (tagged("w-qa", "w", "staging"), None),
            (
                Tagged {
                    name: "w-qa".to_owned(),
                    ..Tagged::default()
                },
                None,
            ),
        ] {
            assert_eq!(pair(&script), wanted, "{script:?}");
        }
    }

    #[test]
    fn a_pair_is_ours_by_its_tags_and_one_without_an_owner_is_told_from_one_with_ours() {
        let owner = "edge-broadcast:owner=us".to_owned();
        let pair_of = |worker: &str, owner: Option<&String>| {
            let mut pair = [
                tagged(&format!("{worker}-qa"), worker, "qa"),
                tagged(
                    &format!("{worker}-qa-room"),
                    &format!("{worker}-room"),
                    "qa",
                ),
            ];
            for script in &mut pair {
                script.tags.extend(owner.cloned());
            }
            pair
        };
        let theirs = "edge-broadcast:owner=them".to_owned();
        let mut twice = pair_of("c", None);
        for script in &mut twice {
            script.tags.insert("cf:service=d".to_owned());
        }
        let scripts = [
            pair_of("a", Some(&owner)),
            pair_of("b", None),
            twice,
            pair_of("e", Some(&theirs)),
        ]
        .concat();
        let class = BTreeSet::from([ROOM_CLASS.to_owned()]);
        let rooms = ["a", "b", "c", "e"].map(|worker| (format!("{worker}-qa-room"), class.clone()));
        let deployed = deployed(&scripts, &rooms.into(), Some("us"));
        let orphans = orphans(&deployed, &scripts, &BTreeSet::new(), &BTreeSet::new());
        let told = orphans.iter().map(|it| (it.scripts[0].as_str(), it.owned));
        assert_eq!(told.collect::<Vec<_>>(), [("a-qa", true), ("b-qa", false)]);
    }

    #[test]
    fn a_project_of_somebody_else_with_the_same_tags_is_not_one_of_this_tool() {
        let scripts = [
            tagged("shop-qa", "shop", "qa"),
            tagged("w-qa", "w", "qa"),
            tagged("w-qa-room", "w-room", "qa"),
        ];
        let class = |name: &str| BTreeSet::from([name.to_owned()]);
        let classes = [
            ("shop-qa-room".to_owned(), class("Cart")),
            ("w-qa-room".to_owned(), class("BroadcastRoom")),
        ];
        let pairs: Vec<String> = deployed(&scripts, &classes.into(), None)
            .iter()
            .map(Pair::gateway)
            .collect();
        assert_eq!(pairs, ["w-qa"]);
    }
}
