//! Conflicts: what is live and stands in the way of a plan.

use std::fmt;

use edge_broadcast_protocol::contract::binding;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::desired::{Desired, Wanted};
use super::observed::{Live, Observed};
use super::obstacle::Obstacle;
use super::ownership::{self, Foreign, Unadoptable};
use super::split::Split;
use super::step::Step;
use super::upload::unfinished_rollout;
use crate::environment::Served;
use crate::environment::script::Binding;
use crate::terminal::advice::Advice;

/// Something live that a deployment would have to destroy or take over, or that would defeat it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(test, derive(strum::EnumDiscriminants))]
#[cfg_attr(test, strum_discriminants(derive(strum::EnumIter)))]
pub enum Conflict {
    /// A live script that is not this project's and is not adopted.
    Foreign(Foreign),
    /// What is adopted and is none of the environment's scripts.
    Unadoptable(Unadoptable),
    /// A script, its environment, and its gradual deployment of another version than the wanted one.
    GradualDeployment(String, String, Split),
    /// A script and its migration.
    UnknownMigration(String, String),
    /// A script and its Durable Object class.
    UnknownClass(String, String),
    /// A wanted zone route, and the script that has it; none switches Workers off for it.
    RouteTaken(String, Option<String>, Whose),
    /// A wanted custom domain, and the script that has it.
    DomainTaken(String, String, Whose),
    /// The host of a wanted zone route, and the script that has it as a custom domain, which would get no request any more.
    DomainCovered(String, String, Whose),
    /// What keeps every request from the gateway.
    Obstacle(Obstacle),
    /// An environment, its main host, and the script of ours that answers there while the stages of a rollout are checked.
    StagesBeforeMove(String, String, String),
    /// An environment whose stages of a rollout would have different rooms: the jurisdiction of the live ones, and the wanted one.
    StagesApart(String, Option<String>, Option<String>),
}

impl Conflict {
    /// What is in the way, and the way out.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Foreign(foreign) => foreign.advice(),
            Self::Unadoptable(script) => script.advice(),
            Self::GradualDeployment(script, environment, split) => {
                gradual(script, environment, split)
            }
            Self::UnknownMigration(script, tag) => Advice::new(
                format!(
                    "`{script}` is at the Durable Object migration `{tag}`, which this project does not know"
                ),
                "replaying migrations over it could delete rooms: use another `worker.name`, or the version of this project that made it",
            ),
            Self::UnknownClass(script, class) => Advice::new(
                format!(
                    "`{script}` has a Durable Object class `{class}`, which this project would delete with all its data"
                ),
                "use another `worker.name`, or delete the class with a migration of its own project",
            ),
            Self::RouteTaken(pattern, Some(owner), Whose::Kin(environment)) => {
                moved(&format!("the route `{pattern}`"), owner, environment)
            }
            Self::DomainTaken(hostname, owner, Whose::Kin(environment)) => moved(
                &format!("the custom domain `{hostname}`"),
                owner,
                environment,
            ),
            Self::RouteTaken(pattern, owner, _) => Advice::new(
                match owner {
                    Some(owner) => format!("the route `{pattern}` belongs to the script `{owner}`"),
                    None => format!("the route `{pattern}` is set to run no Worker"),
                },
                "remove that route in the dashboard, or use another host in the manifest",
            ),
            Self::DomainTaken(hostname, owner, Whose::Theirs) => Advice::new(
                format!("the custom domain `{hostname}` belongs to the script `{owner}`"),
                "remove it from that script first, or use another host in the manifest",
            ),
            Self::DomainCovered(hostname, owner, whose) => covered(hostname, owner, whose),
            Self::Obstacle(obstacle) => obstacle.advice(),
            Self::StagesBeforeMove(environment, host, owner) => Advice::new(
                format!(
                    "`--rollout` checks its stages at `{host}`, where `{owner}` answers: the host moves when the new code has all traffic"
                ),
                format!(
                    "first `edge-broadcast deploy {environment} --take-route-from {owner}` without `--rollout`, which moves it; later changes can go in stages"
                ),
            ),
            Self::StagesApart(environment, live, wanted) => Advice::new(
                format!(
                    "the jurisdiction changes, from {} to {}, and with it every room: while `--rollout` shares the traffic, clients of one room would be in two",
                    named(live.as_deref()),
                    named(wanted.as_deref())
                ),
                format!(
                    "`edge-broadcast deploy {environment}` without `--rollout` changes it at once"
                ),
            ),
        }
    }
}

fn named(jurisdiction: Option<&str>) -> String {
    jurisdiction.map_or_else(|| "none".to_owned(), |name| format!("`{name}`"))
}

/// Whose a script is that has a wanted host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    Theirs,
    /// One of this tool's own; the environment that wants the host.
    Kin(String),
}

fn gradual(script: &str, environment: &str, split: &Split) -> Advice {
    let parts = split
        .iter()
        .map(|share| format!("`{}` at {} %", share.version_id, share.percentage));
    let parts = parts.collect::<Vec<_>>().join(", ");
    Advice::new(
        format!("`{script}` has a gradual deployment running: {parts}"),
        format!(
            "it is not of what is to be deployed now; `edge-broadcast rollback {environment}` ends it"
        ),
    )
}

fn moved(what: &str, owner: &str, environment: &str) -> Advice {
    Advice::new(
        format!("{what} belongs to the script `{owner}`, which this tool has deployed too"),
        format!(
            "`edge-broadcast deploy {environment} --take-route-from {owner}` moves it without a gap, or use another host in the manifest"
        ),
    )
}

fn covered(hostname: &str, owner: &str, whose: &Whose) -> Advice {
    Advice::new(
        format!(
            "`{hostname}` is a custom domain of the script `{owner}`, which would lose every request to a zone route: routes go before custom domains"
        ),
        match whose {
            Whose::Theirs => {
                "remove it from that script first, or use another host in the manifest".to_owned()
            }
            Whose::Kin(environment) => format!(
                "serve it as a custom domain (`custom_domain = true`): `edge-broadcast deploy {environment} --take-route-from {owner}` moves that without a gap"
            ),
        },
    )
}

impl Serialize for Conflict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Advice { what, fix } = self.advice();
        json!({ "problem": what, "way_out": fix }).serialize(serializer)
    }
}

/// Conflicts as an error: nothing was written.
#[derive(Debug)]
pub struct Conflicts(pub Vec<Conflict>);

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("nothing was changed, because of what is live:")?;
        for conflict in &self.0 {
            let Advice { what, fix } = conflict.advice();
            write!(f, "\n  - {what}\n    help: {}", fix.unwrap_or_default())?;
        }
        Ok(())
    }
}

impl std::error::Error for Conflicts {}

/// The conflicts about whose the live scripts are.
pub(super) fn of_owners(desired: &Desired, observed: &Observed) -> Vec<Conflict> {
    let (foreign, unadoptable) = ownership::found(desired, observed);
    let foreign = foreign.into_iter().map(Conflict::Foreign);
    foreign
        .chain(unadoptable.into_iter().map(Conflict::Unadoptable))
        .collect()
}

/// What defeats the stages of a rollout, where the steps of the `code` have any.
pub(super) fn of_stages(
    desired: &Desired,
    observed: &Observed,
    code: &[Step],
    moves: &[Step],
) -> Vec<Conflict> {
    if !code.iter().any(Step::is_stage) {
        return Vec::new();
    }
    let environment = || desired.environment.clone();
    let main = desired.hosts.first().map(Served::pattern);
    let early = moves.iter().filter_map(|step| match step {
        Step::MoveRoute {
            pattern: host,
            from,
            ..
        }
        | Step::MoveDomain {
            hostname: host,
            from,
            ..
        } if Some(host) == main.as_ref() => Some((host.clone(), from.clone())),
        _ => None,
    });
    let early = early.map(|(host, from)| Conflict::StagesBeforeMove(environment(), host, from));
    // Both scripts have it; where only one of them does, a run was interrupted
    let mut scripts = desired.scripts.iter();
    let apart = scripts.find_map(|Wanted { script, .. }| {
        let live = observed.scripts.get(&script.name)?;
        let live = live.active.jurisdiction();
        let wanted = match script.bindings.get(binding::JURISDICTION) {
            Some(Binding::PlainText { text }) => Some(text.as_str()),
            _ => None,
        };
        let [live, wanted] = [live, wanted].map(|name| name.map(str::to_owned));
        (live != wanted).then(|| Conflict::StagesApart(environment(), live, wanted))
    });
    early.chain(apart).collect()
}

/// The conflicts with what is live of a script.
pub(super) fn of_script(
    wanted: &Wanted,
    live: Option<&Live>,
    observed: &Observed,
) -> Vec<Conflict> {
    let script = &wanted.script;
    let name = &script.name;
    let mut conflicts = Vec::new();
    let Some(live) = live else { return conflicts };
    if live.split.len() > 1 && unfinished_rollout(wanted, live).is_none() {
        let (environment, split) = (script.environment.clone(), live.split.clone());
        conflicts.push(Conflict::GradualDeployment(
            name.clone(),
            environment,
            split,
        ));
    }
    let known = &script.migrations;
    if let Some(tag) = &live.active.migration_tag
        && !known.iter().any(|migration| migration.tag == *tag)
    {
        conflicts.push(Conflict::UnknownMigration(name.clone(), tag.clone()));
    }
    let classes = observed.classes.get(name).into_iter().flatten();
    let is_known = |class: &&String| {
        let mut migrations = known.iter();
        migrations.any(|migration| migration.new_sqlite_classes.contains(class))
    };
    let unknown = classes.filter(|class| !is_known(class));
    conflicts.extend(unknown.map(|class| Conflict::UnknownClass(name.clone(), class.clone())));
    conflicts
}
