//! Whose the live scripts are: nothing is written on one that is not this project's, unless a person adopts it by name.

use std::collections::BTreeSet;

use anyhow::bail;
use edge_broadcast_sandbox::Pattern;

use super::desired::{Desired, Wanted};
use super::observed::{Live, LiveDomain, LiveRoute, Observed};
use super::script_tags::{self, Belonging};
use crate::build::Worker;
use crate::environment::Served;
use crate::environment::script::Script;
use crate::terminal::advice::Advice;
use crate::terminal::escape;

/// A live script that has a wanted one's name and is not this project's.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    pub(super) script: String,
    environment: String,
    /// This project's owner.
    owner: Option<String>,
    whose: Whose,
}

/// Why it is not this project's.
#[derive(Clone, Debug, PartialEq)]
enum Whose {
    /// The owner that its tag names.
    Owned(String),
    /// Its tags, which are those of another script.
    Other(Vec<String>),
    Untagged,
    /// The hosts that it serves, none of which the manifest has. No owner says whether it is this project's all the same.
    Serving(BTreeSet<String>),
}

/// What `--adopt` named and the environment does not have.
#[derive(Clone, Debug, PartialEq)]
pub struct Unadoptable {
    script: String,
    environment: String,
    /// The environment's scripts.
    scripts: [String; 2],
}

/// Refuses a live script with `tags` that is not the one that `script` describes.
pub(crate) fn ours(script: &Script, tags: &BTreeSet<String>) -> anyhow::Result<()> {
    match foreign(script, tags) {
        Some(whose) => bail!(Foreign::new(script, whose).advice()),
        None => Ok(()),
    }
}

/// The live scripts that are somebody else's and not adopted, and what is adopted that is none of the environment's scripts.
pub(super) fn found(desired: &Desired, observed: &Observed) -> (Vec<Foreign>, Vec<Unadoptable>) {
    let mut found = Vec::new();
    for wanted in &desired.scripts {
        let Some(whose) = whose(wanted, desired, observed) else {
            continue;
        };
        let name = &wanted.script.name;
        // Without an owner of its own, what it adopts would stay the other one's
        let is_possible = wanted.script.owner.is_some() || !matches!(whose, Whose::Owned(_));
        if !(is_possible && desired.adopted.contains(name)) {
            found.push(Foreign::new(&wanted.script, whose));
        }
    }
    let names = desired.scripts.each_ref().map(|it| it.script.name.clone());
    let unknown = desired.adopted.iter().filter(|name| !names.contains(name));
    let unknown = unknown.map(|name| Unadoptable {
        script: name.clone(),
        environment: desired.environment.clone(),
        scripts: names.clone(),
    });
    (found, unknown.collect())
}

/// The adopted scripts that are this project's already, or not there: an earlier run came as far.
pub(crate) fn needless<'a>(desired: &'a Desired, observed: &Observed) -> Vec<&'a str> {
    let scripts = desired.scripts.iter();
    let adopted = scripts.filter(|wanted| desired.adopted.contains(&wanted.script.name));
    let needless = adopted.filter(|wanted| whose(wanted, desired, observed).is_none());
    needless.map(|wanted| wanted.script.name.as_str()).collect()
}

/// Whose the live script in the place of a wanted one is, unless it is this project's or there is none.
fn whose(wanted: &Wanted, desired: &Desired, observed: &Observed) -> Option<Whose> {
    let live = observed.scripts.get(&wanted.script.name)?;
    foreign(&wanted.script, &live.tags).or_else(|| serving(wanted, live, desired, observed))
}

fn foreign(script: &Script, tags: &BTreeSet<String>) -> Option<Whose> {
    match script_tags::belonging(tags, script) {
        Belonging::Ours | Belonging::Unowned => None,
        // Tags are read as they are, because they are written back
        Belonging::Owned(owner) => Some(Whose::Owned(escape::line(&owner).into_owned())),
        Belonging::Other(tags) => {
            let shown = tags.iter().map(|tag| escape::line(tag).into_owned());
            Some(Whose::Other(shown.collect()))
        }
        Belonging::Untagged => Some(Whose::Untagged),
    }
}

/// The hosts of a gateway without an owner, when the manifest has none of them: two projects without owners can have one
/// `worker.name`.
fn serving(wanted: &Wanted, live: &Live, desired: &Desired, observed: &Observed) -> Option<Whose> {
    let script = &wanted.script;
    if script.role != Worker::Gateway
        || script_tags::belonging(&live.tags, script) == Belonging::Ours
    {
        return None;
    }
    let others = others(
        &script.name,
        &desired.hosts,
        &observed.routes,
        &observed.domains,
    );
    others.map(Whose::Serving)
}

/// The hosts that a gateway serves, when none of them is among `hosts`. One that serves nothing yet is what an interrupted deployment
/// left.
pub(super) fn others<'a>(
    gateway: &str,
    hosts: &[Served],
    routes: impl IntoIterator<Item = &'a LiveRoute>,
    domains: &'a [LiveDomain],
) -> Option<BTreeSet<String>> {
    let routes = routes.into_iter();
    let routed = routes.filter(|route| route.script.as_deref() == Some(gateway));
    let routed = routed.map(|route| Pattern::parse(&route.pattern));
    let attached = domains.iter().filter(|domain| domain.script == gateway);
    // A whole host, as a pattern of it
    let attached = attached.map(|domain| Pattern::parse(&domain.hostname));
    let served: Vec<Pattern> = routed.chain(attached).collect();
    let is_wanted = |served: &Pattern| {
        let mut hosts = hosts.iter();
        hosts.any(|it| served.covers_host(it.host.as_str()))
    };
    if served.is_empty() || served.iter().any(is_wanted) {
        return None;
    }
    Some(served.iter().map(Pattern::host).collect())
}

impl Foreign {
    fn new(script: &Script, whose: Whose) -> Self {
        Self {
            script: script.name.clone(),
            environment: script.environment.clone(),
            owner: script.owner.as_ref().map(ToString::to_string),
            whose,
        }
    }

    /// Whose it is, and the ways out.
    pub(super) fn advice(&self) -> Advice {
        let Self {
            script,
            environment,
            owner,
            whose,
        } = self;
        let adopt = format!("`edge-broadcast deploy {environment} --adopt {script}`");
        match (whose, owner) {
            (Whose::Owned(theirs), Some(ours)) => Advice::new(
                format!("`{script}` belongs to `{theirs}`, and this project is `{ours}`"),
                format!(
                    "use another `worker.name`; {adopt} takes it over; where both are one project, give it one `worker.owner`"
                ),
            ),
            (Whose::Owned(theirs), None) => Advice::new(
                format!("`{script}` belongs to `{theirs}`, and this project has no owner"),
                format!(
                    "use another `worker.name`; where it is this project's, say so with `worker.owner = \"{theirs}\"` in the manifest"
                ),
            ),
            (Whose::Other(tags), _) => Advice::new(
                format!(
                    "`{script}` is another script's name: it has the tags `{}`",
                    tags.join("`, `")
                ),
                format!("use another `worker.name` or environment; {adopt} takes it over"),
            ),
            (Whose::Untagged, _) => Advice::new(
                format!(
                    "`{script}` exists, and has no tag that says that this project deployed it"
                ),
                format!("use another `worker.name`; {adopt} takes it over"),
            ),
            (Whose::Serving(hosts), _) => {
                let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
                Advice::new(
                    format!(
                        "`{script}` serves `{}` and no host of this manifest: it may be another project's",
                        hosts.join("`, `")
                    ),
                    format!(
                        "use another `worker.name`; where it is this project's, {adopt} moves it to the hosts of the manifest"
                    ),
                )
            }
        }
    }
}

impl Unadoptable {
    /// Why there is nothing to adopt, and what to type.
    pub(super) fn advice(&self) -> Advice {
        let Self {
            script,
            environment,
            scripts,
        } = self;
        Advice::new(
            format!("`--adopt {script}`: `{environment}` has no script of that name"),
            format!("its scripts are `{}`", scripts.join("` and `")),
        )
    }
}
