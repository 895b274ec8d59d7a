//! A world to plan in: a manifest, the code of both Workers, and what is live.

use std::collections::BTreeMap;

use crate::build::Worker;
use crate::environment::Environment;
use crate::environment::name::Stages;
use crate::plan::finding::{self, Lines};
use crate::plan::{
    Conflicts, Desired, Lane, Live, LiveDomain, LiveRoute, LiveVersion, Observed, Plan, Share,
    Split, Step,
};

/// The smallest manifest.
pub(super) const MANIFEST: &str = r#"
[worker]
name = "w"
compatibility_date = "2026-10-01"
[cloudflare]
zone = "glow.trade"
[[routes]]
host = "a.glow.trade"
[secrets.WEBHOOK_SECRET]
source = "env:X"
"#;

/// [`MANIFEST`], whose scripts are `owner`'s.
pub(super) fn owned(owner: &str) -> String {
    let name = "name = \"w\"\n";
    MANIFEST.replace(name, &format!("{name}owner = \"{owner}\"\n"))
}

/// The environment `e` of the worker `w`.
#[derive(Clone)]
#[must_use]
pub(super) struct World {
    manifest: String,
    gateway_code: String,
    room_code: String,
    rollout: Stages,
    adopted: Vec<String>,
    taken_from: Vec<String>,
    live: Observed,
}

impl World {
    /// An account without the two scripts.
    pub(super) fn empty(manifest: &str) -> Self {
        Self {
            manifest: manifest.to_owned(),
            gateway_code: "1".repeat(16),
            room_code: "a".repeat(16),
            rollout: Stages::at_once(),
            adopted: Vec::new(),
            taken_from: Vec::new(),
            live: Observed::default(),
        }
    }

    /// The manifest is deployed, once.
    pub(super) fn deployed(manifest: &str) -> Self {
        let mut world = Self::empty(manifest);
        let plan = world.try_plan().unwrap();
        world.live = carried_out(&world.live, &world.desired(), &plan);
        world
    }

    /// Changes what is live.
    pub(super) fn edit(mut self, change: impl FnOnce(&mut Observed)) -> Self {
        change(&mut self.live);
        self
    }

    /// Changes what is live of the gateway.
    pub(super) fn gateway(self, change: impl FnOnce(&mut Live)) -> Self {
        self.edit(|live| change(live.scripts.get_mut("w-e").unwrap()))
    }

    /// Changes what is live of the room.
    pub(super) fn room(self, change: impl FnOnce(&mut Live)) -> Self {
        self.edit(|live| change(live.scripts.get_mut("w-e-room").unwrap()))
    }

    /// Writes `to` in the manifest, everywhere where `from` stands.
    pub(super) fn manifest(mut self, from: &str, to: &str) -> Self {
        assert!(self.manifest.contains(from), "no `{from}` in the manifest");
        self.manifest = self.manifest.replace(from, to);
        self
    }

    /// Changes the code of one Worker.
    pub(super) fn code(mut self, role: Worker) -> Self {
        match role {
            Worker::Gateway => self.gateway_code = "2".repeat(16),
            Worker::Room => self.room_code = "b".repeat(16),
        }
        self
    }

    /// Wanted hosts move over from this script.
    pub(super) fn taking_from(mut self, script: &str) -> Self {
        self.taken_from.push(script.to_owned());
        self
    }

    pub(super) fn rollout(mut self, stages: &str) -> Self {
        self.rollout = stages.parse().unwrap();
        self
    }

    /// Takes a script over.
    pub(super) fn adopting(mut self, script: &str) -> Self {
        self.adopted.push(script.to_owned());
        self
    }

    /// The version that is wanted of a Worker was uploaded, and nothing more.
    pub(super) fn uploaded(mut self, role: Worker) -> Self {
        let desired = self.desired();
        let mut scripts = desired.scripts.iter();
        let wanted = scripts.find(|wanted| wanted.script.role == role).unwrap();
        let live = self.live.scripts.get_mut(&wanted.script.name).unwrap();
        live.latest = Some((next(live.latest.as_ref()), Some(wanted.tag())));
        self
    }

    /// The newest version of a Worker has `percent` of the traffic, the one before it the rest.
    pub(super) fn split(self, role: Worker, percent: f64) -> Self {
        let change = |live: &mut Live| {
            let (newest, tag) = live.latest.clone().unwrap();
            let mut shares = vec![live.split[0].clone(), Share::new(&newest, percent)];
            shares[0].percentage = (100.0 - percent).into();
            shares[1].tag = tag;
            live.split = shares.into_iter().collect();
        };
        match role {
            Worker::Gateway => self.gateway(change),
            Worker::Room => self.room(change),
        }
    }

    fn environment(&self) -> Environment {
        let name = "e".parse().unwrap();
        Environment::resolve(&name, "e.toml", &self.manifest)
            .unwrap_or_else(|problems| panic!("{}", problems[0]))
    }

    /// What is live.
    pub(super) fn observed(&self) -> &Observed {
        &self.live
    }

    pub(super) fn desired(&self) -> Desired {
        Desired::new(
            &self.environment(),
            self.gateway_code.clone(),
            self.room_code.clone(),
        )
        .adopting(&self.adopted)
        .taking_from(&self.taken_from)
    }

    /// The findings as people see them, a line each.
    pub(super) fn findings(&self) -> String {
        Lines(&finding::of(&self.environment(), &self.live)).to_string()
    }

    /// The findings of a plan.
    pub(super) fn findings_of_change(&self) -> String {
        Lines(&finding::of_change(&self.environment(), &self.live)).to_string()
    }

    /// The findings where the workers are not built.
    pub(super) fn in_the_way(&self) -> String {
        Lines(&finding::in_the_way(&self.environment(), &self.live)).to_string()
    }

    pub(super) fn try_plan(&self) -> Result<Plan, Conflicts> {
        Plan::between(&self.desired(), &self.live, &self.rollout)
    }

    /// The plan as people see it, or the conflicts.
    pub(super) fn plan(&self) -> String {
        match self.try_plan() {
            Ok(plan) => plan.to_string(),
            Err(conflicts) => conflicts.to_string(),
        }
    }
}

/// The id of the version after the newest one.
pub(super) fn next(newest: Option<&(String, Option<String>)>) -> String {
    let newest = newest.map_or("v0", |(id, _)| id);
    let number: u32 = newest.trim_start_matches('v').parse().unwrap();
    format!("v{}", number + 1)
}

/// The live state after the plan was carried out: the meaning of the steps, told a second time and independently.
pub(super) fn carried_out(observed: &Observed, desired: &Desired, plan: &Plan) -> Observed {
    let mut live = observed.clone();
    let mut uploaded: BTreeMap<String, LiveVersion> = BTreeMap::new();
    for step in &plan.steps {
        match step {
            Step::Upload(upload) => {
                let wanted = desired
                    .scripts
                    .iter()
                    .find(|wanted| wanted.script.name == upload.script)
                    .unwrap();
                let entry = live
                    .scripts
                    .entry(upload.script.clone())
                    .or_insert_with(|| Live {
                        workers_dev: true,
                        ..Live::default()
                    });
                let bindings = wanted
                    .script
                    .bindings
                    .iter()
                    .map(|(name, binding)| (name.clone(), binding.to_json()));
                let version = LiveVersion {
                    id: next(entry.latest.as_ref()),
                    tag: Some(upload.tag.clone()),
                    code: Some(wanted.code.clone()),
                    bindings: bindings.collect(),
                    secrets: entry
                        .active
                        .secrets
                        .union(&upload.secrets)
                        .cloned()
                        .collect(),
                    compatibility_date: wanted.script.compatibility_date.clone(),
                    compatibility_flags: Vec::new(),
                    cpu_ms: wanted.script.cpu_ms,
                    placement: None,
                    migration_tag: match &upload.lane {
                        Lane::Lifecycle { migrations, .. } => migrations
                            .last()
                            .cloned()
                            .or(entry.active.migration_tag.clone()),
                        Lane::Code { .. } => entry.active.migration_tag.clone(),
                    },
                };
                entry.latest = Some((version.id.clone(), version.tag.clone()));
                if matches!(upload.lane, Lane::Lifecycle { .. }) {
                    entry.split = Split::all(&version.id).tagged([version.tag.clone()]);
                    entry.active = version.clone();
                    entry.observability = wanted.script.observability;
                    entry.kept.clone_from(&upload.unmanaged);
                }
                uploaded.insert(upload.script.clone(), version);
            }
            Step::Shift(shift) => {
                let entry = live.scripts.get_mut(&shift.script).unwrap();
                let version = uploaded[&shift.script].clone();
                if shift.percent == 100 {
                    entry.split = Split::all(&version.id).tagged([version.tag.clone()]);
                    entry.active = version;
                }
            }
            Step::Settings {
                script,
                tags,
                observability,
                ..
            } => {
                let entry = live.scripts.get_mut(script).unwrap();
                for tag in tags {
                    let (key, _) = tag.split_once('=').unwrap();
                    let is_other = |it: &String| !it.starts_with(&format!("{key}="));
                    entry.tags.retain(is_other);
                    entry.tags.insert(tag.clone());
                }
                entry.observability = *observability;
            }
            Step::WorkersDev {
                script, enabled, ..
            } => {
                let entry = live.scripts.get_mut(script).unwrap();
                entry.workers_dev = *enabled;
                entry.previews = false;
            }
            Step::AddRoute { pattern, script } => live.routes.push(LiveRoute {
                id: pattern.clone(),
                pattern: pattern.clone(),
                script: Some(script.clone()),
            }),
            Step::MoveRoute {
                id, from, script, ..
            } => {
                let mut routes = live.routes.iter_mut();
                let route = routes.find(|route| route.id == *id).unwrap();
                assert_eq!(route.script.replace(script.clone()).as_ref(), Some(from));
            }
            Step::MoveDomain {
                hostname,
                from,
                script,
            } => {
                let mut domains = live.domains.iter_mut();
                let domain = domains.find(|it| it.hostname == *hostname).unwrap();
                assert_eq!(std::mem::replace(&mut domain.script, script.clone()), *from);
            }
            Step::RemoveRoute { id, .. } => live.routes.retain(|route| route.id != *id),
            Step::AddDomain {
                hostname, script, ..
            } => live.domains.push(LiveDomain {
                id: hostname.clone(),
                hostname: hostname.clone(),
                script: script.clone(),
            }),
            Step::RemoveDomain { id, .. } => live.domains.retain(|domain| domain.id != *id),
        }
    }
    live
}
