//! Findings: what is live, stands in the way of no deployment, and must be seen all the same.

use std::fmt;

use edge_broadcast_protocol::contract::binding;
use serde::Serialize;

use super::conflict::Conflict;
use super::desired::Desired;
use super::observed::{Live, Observed};
use super::obstacle;
use super::{Conflicts, Plan, monthly};
use crate::build::Bundles;
use crate::environment::Environment;
use crate::environment::name::Jurisdiction;
use crate::environment::name::Stages;
use crate::terminal::advice::Advice;

/// Something about what is live that people should know, whatever they came for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub what: String,
    /// What to do about it; absent where nothing is wrong.
    pub fix: Option<String>,
}

impl Finding {
    /// Something that explains what would surprise else.
    pub(crate) fn note(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            fix: None,
        }
    }
}

impl From<Advice> for Finding {
    fn from(Advice { what, fix }: Advice) -> Self {
        Self { what, fix }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.fix {
            None => write!(f, "note   {}", self.what),
            Some(fix) => write!(f, "WRONG  {}\n         {fix}", self.what),
        }
    }
}

/// Each finding on a line of its own, for people; begins with a line break.
pub(crate) struct Lines<'a>(pub &'a [Finding]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|finding| write!(f, "\n  {finding}"))
    }
}

/// Everything that must be seen of what is live of `environment`. It needs no built workers.
pub fn of(environment: &Environment, observed: &Observed) -> Vec<Finding> {
    let scripts = [environment.room_script(), environment.gateway_script()];
    let live = scripts
        .iter()
        .filter_map(|name| Some((name, observed.scripts.get(name)?)));
    live.flat_map(|(name, live)| {
        let readable = readable(environment, name, live);
        not_deployed(name, live).into_iter().chain(readable)
    })
    .chain(other_jurisdiction(environment, observed))
    .chain(doubtful(environment, observed))
    .collect()
}

/// The same of an environment that is about to be deployed, and what that does to the month's bill.
pub(crate) fn of_change(environment: &Environment, observed: &Observed) -> Vec<Finding> {
    let mut findings = of(environment, observed);
    findings.extend(monthly::change(environment, observed).map(Finding::note));
    findings
}

/// The same as [`of`], and where the workers are not built what is in the way of any deployment too: no plan is made there, which would say it.
pub(crate) fn of_built(
    environment: &Environment,
    bundles: &anyhow::Result<Bundles>,
    observed: &Observed,
) -> Vec<Finding> {
    let mut findings = of(environment, observed);
    if bundles.is_err() {
        findings.extend(in_the_way(environment, observed));
    }
    findings
}

/// What is in the way of any deployment, whatever its code is.
pub(super) fn in_the_way(environment: &Environment, observed: &Observed) -> Vec<Finding> {
    let desired = Desired::new(environment, String::new(), String::new());
    let plan = Plan::between(&desired, observed, &Stages::at_once());
    let mut conflicts = plan.err().map_or_else(Vec::new, |Conflicts(all)| all);
    // Whether it is of what is wanted only the code says
    conflicts.retain(|conflict| !matches!(conflict, Conflict::GradualDeployment(..)));
    let advice = conflicts.iter().map(Conflict::advice);
    advice.map(Finding::from).collect()
}

/// The secrets of the manifest that are plain variables, which everybody reads who may read the Worker.
fn readable(environment: &Environment, script: &str, live: &Live) -> Vec<Finding> {
    let alternate = [binding::WEBHOOK_SECRET_ALTERNATE];
    let names = environment
        .secrets
        .keys()
        .map(String::as_str)
        .chain(alternate);
    let plain = names.filter(|name| live.active.bindings.contains_key(*name));
    plain
        .map(|name| {
            let environment = &environment.name;
            let rotate = match name {
                binding::ADMIN_SECRET => format!(
                    "give its source a new value, then `edge-broadcast secrets set {environment} {name}`"
                ),
                _ => format!("`edge-broadcast secrets rotate {environment} --compromised`"),
            };
            Finding {
                what: format!(
                    "`{name}` of `{script}` was readable as a plain variable: treat it as leaked, rotate it"
                ),
                fix: Some(format!(
                    "`edge-broadcast deploy {environment}` takes the variable away; after that, {rotate}"
                )),
            }
        })
        .collect()
}

/// Objects are others in another jurisdiction, though they have the same names.
fn other_jurisdiction(environment: &Environment, observed: &Observed) -> Option<Finding> {
    let live = observed.scripts.get(&environment.room_script())?;
    let live = live.active.jurisdiction();
    let wanted = environment.jurisdiction.as_ref().map(Jurisdiction::as_str);
    let named = |jurisdiction: Option<&str>| match jurisdiction {
        Some(name) => format!("in the jurisdiction `{name}`"),
        None => "in no jurisdiction".to_owned(),
    };
    let closed = match environment.code_update.max_delay {
        Some(seconds) => {
            let delay = std::time::Duration::from_secs(seconds);
            format!("at most {} later", humantime::format_duration(delay))
        }
        None => "at once".to_owned(),
    };
    (live != wanted).then(|| {
        Finding::note(format!(
            "the rooms are {}, and the manifest has them {}: a deployment begins every room anew there, without its history; what is stored stays where it is, and a socket that is open gets no more updates until the old room closes it, {closed}",
            named(live),
            named(wanted),
        ))
    })
}

/// A newest version that gets no traffic: after a rollback, a failed deployment, or somebody's upload.
fn not_deployed(script: &str, live: &Live) -> Option<Finding> {
    let (newest, _) = live.latest.as_ref()?;
    (!live.split.has(newest)).then(|| {
        Finding::note(format!(
            "the newest version of `{script}`, `{newest}`, is not the deployed one, `{}`",
            live.active.id
        ))
    })
}

/// What may keep requests from the gateway. What does so for certain is a conflict.
fn doubtful(environment: &Environment, observed: &Observed) -> impl Iterator<Item = Finding> {
    let gateway = environment.gateway_script();
    let (zone, hosts) = (environment.zone.as_str(), &environment.hosts);
    let obstacles = obstacle::of(zone, hosts, &gateway, observed).into_iter();
    let doubtful = obstacles.filter(|obstacle| !obstacle.is_certain());
    doubtful.map(|obstacle| obstacle.advice().into())
}
