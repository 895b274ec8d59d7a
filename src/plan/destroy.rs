//! The end of an environment: what goes, in which order, and what must not.

use std::fmt;

use edge_broadcast_sandbox::Pattern;
use serde::Serialize;

use super::observed::{LiveDomain, LiveRoute};
use super::ownership;
use super::pair::{Pair, Tagged};
use super::script_tags::{Belonging, owner_of};
use crate::build::Worker;
use crate::environment::Served;
use crate::terminal::advice::Advice;
use crate::terminal::escape;

/// Everything that is there of an environment. Made by GETs only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// The scripts of its names, whosever they are.
    pub scripts: Vec<StandingScript>,
    /// The routes of the zones that were looked at, whosever they are.
    pub routes: Vec<StandingRoute>,
    /// The custom domains of the account, whosever they are.
    pub domains: Vec<LiveDomain>,
}

/// A route, and the zone that has it: two zones of an account may have one name.
#[derive(Clone, Debug, PartialEq)]
pub struct StandingRoute {
    pub zone: String,
    pub zone_id: String,
    pub route: LiveRoute,
}

/// A script that exists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StandingScript {
    pub tagged: Tagged,
    /// Its Durable Object classes.
    pub stored: Vec<Stored>,
    /// The scripts that bind its classes.
    pub used_by: Vec<String>,
}

/// The objects of a class that have stored something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stored {
    pub class: String,
    pub objects: usize,
    /// Whether there may be more than were counted.
    pub or_more: bool,
}

/// What the project that asks says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claim {
    pub owner: Option<String>,
    /// The hosts of the manifest; none where no manifest names the scripts.
    pub hosts: Option<Vec<Served>>,
}

impl Claim {
    /// Whether a route or custom domain is of a host of the manifest.
    fn wants(&self, way: &Removal) -> bool {
        let pattern = match way {
            Removal::RemoveRoute { pattern, .. } => pattern,
            Removal::RemoveDomain { hostname, .. } => hostname,
            Removal::DeleteScript { .. } => return false,
        };
        let served = Pattern::parse(pattern);
        let mut hosts = self.hosts.iter().flatten();
        hosts.any(|it| served.covers_host(it.host.as_str()))
    }
}

/// The writes that end an environment, in the order in which they must happen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Destruction {
    /// The environment, or the script that was named.
    pub target: String,
    pub steps: Vec<Removal>,
}

/// One write of a destruction.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Removal {
    RemoveRoute {
        zone: String,
        #[serde(skip)]
        zone_id: String,
        pattern: String,
        id: String,
        script: String,
    },
    RemoveDomain {
        hostname: String,
        id: String,
        script: String,
    },
    DeleteScript {
        script: String,
        role: Worker,
        /// What dies with it.
        stored: Vec<Stored>,
        /// Whose it was when it was confirmed.
        #[serde(skip)]
        was: Identity,
    },
}

/// Whose a script is by its tags: two of them with the same name and identity are one script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pair: Option<Pair>,
    owner: Option<String>,
}

impl Identity {
    /// What the tags of a script say.
    pub fn of(script: &Tagged) -> Self {
        Self {
            pair: Pair::of_tagged(&script.name, &script.tags),
            owner: owner_of(&script.tags).map(str::to_owned),
        }
    }

    /// The gateway of its environment.
    pub(crate) fn gateway(&self) -> Option<String> {
        self.pair.as_ref().map(Pair::gateway)
    }
}

/// Why nothing may be destroyed.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// A script of that name whose tags do not say that it is the environment's.
    NotOurs(String),
    /// A script, and the project that its tags name.
    OfProject(String, String),
    /// A gateway without an owner, its environment, and the hosts that it serves, none of which the manifest has.
    MayBeOthers(String, String, Vec<String>),
    /// A script whose tags say something else than when its end was confirmed.
    Changed(String),
    /// A script, and the others that bind its classes.
    InUse(String, Vec<String>),
}

/// Refusals as an error: nothing was written.
#[derive(Debug)]
pub struct Refused(pub Vec<Refusal>);

impl Destruction {
    /// Everything that goes of `pair`, or why nothing may; nothing goes of what is gone.
    pub fn of(
        target: &str,
        pair: Option<&Pair>,
        standing: &Standing,
        claim: &Claim,
    ) -> Result<Self, Refused> {
        let mut refusals = Vec::new();
        let (mut ways, mut scripts) = (Vec::new(), Vec::new());
        let named = pair.into_iter().flat_map(|pair| {
            let scripts = pair.scripts();
            scripts.map(|(role, name)| (pair, role, name))
        });
        for (pair, role, name) in named {
            let mut all = standing.scripts.iter();
            let Some(script) = all.find(|script| script.tagged.name == name) else {
                continue;
            };
            refusals.extend(refusal(script, pair, standing, claim));
            ways.extend(ways_to(&name, standing));
            scripts.push(Removal::DeleteScript {
                script: name,
                role,
                stored: script.stored.clone(),
                was: Identity::of(&script.tagged),
            });
        }
        if !refusals.is_empty() {
            return Err(Refused(refusals));
        }
        // A run that ends half-way leaves what shows that the rest is the manifest's
        ways.sort_by_key(|way| claim.wants(way));
        ways.extend(scripts);
        Ok(Self {
            target: target.to_owned(),
            steps: ways,
        })
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

fn refusal(
    script: &StandingScript,
    pair: &Pair,
    standing: &Standing,
    claim: &Claim,
) -> Option<Refusal> {
    let name = &script.tagged.name;
    let gateway = pair.gateway();
    match pair.belonging(&script.tagged, claim.owner.as_deref()) {
        Belonging::Owned(_) => return Refusal::of_others(&script.tagged, claim.owner.as_deref()),
        Belonging::Other(_) | Belonging::Untagged => return Some(Refusal::NotOurs(name.clone())),
        Belonging::Unowned if *name == gateway => {
            let routes = standing.routes.iter().map(|it| &it.route);
            let wanted = claim.hosts.as_deref();
            let others =
                wanted.and_then(|hosts| ownership::others(name, hosts, routes, &standing.domains));
            if let Some(hosts) = others {
                let hosts = hosts.into_iter().collect();
                let environment = pair.environment.clone();
                return Some(Refusal::MayBeOthers(name.clone(), environment, hosts));
            }
        }
        Belonging::Ours | Belonging::Unowned => {}
    }
    let others = script.used_by.iter().filter(|other| **other != gateway);
    let others: Vec<String> = others.cloned().collect();
    (!others.is_empty()).then(|| Refusal::InUse(name.clone(), others))
}

/// The routes and custom domains that lead to a script.
fn ways_to(script: &str, standing: &Standing) -> Vec<Removal> {
    let routes = standing.routes.iter();
    let routes = routes.filter(|it| it.route.script.as_deref() == Some(script));
    let routes = routes.map(|it| Removal::RemoveRoute {
        zone: it.zone.clone(),
        zone_id: it.zone_id.clone(),
        pattern: it.route.pattern.clone(),
        id: it.route.id.clone(),
        script: script.to_owned(),
    });
    let domains = standing.domains.iter();
    let domains = domains.filter(|domain| domain.script == script);
    let domains = domains.map(|domain| Removal::RemoveDomain {
        hostname: domain.hostname.clone(),
        id: domain.id.clone(),
        script: script.to_owned(),
    });
    routes.chain(domains).collect()
}

impl Removal {
    /// One line: what the step does, for progress and reports.
    pub fn title(&self) -> String {
        match self {
            Self::RemoveRoute {
                pattern, script, ..
            } => format!("remove the route `{pattern}` of `{script}`"),
            Self::RemoveDomain {
                hostname, script, ..
            } => format!("detach the custom domain `{hostname}` from `{script}`"),
            Self::DeleteScript { script, .. } => format!("delete the script `{script}`"),
        }
    }

    fn stored(&self) -> &[Stored] {
        match self {
            Self::DeleteScript { stored, .. } => stored,
            _ => &[],
        }
    }
}

impl Refusal {
    /// Why a script stays, seen from the project `owner`, where its tags say that it is another project's.
    pub(crate) fn of_others(script: &Tagged, owner: Option<&str>) -> Option<Self> {
        let other = owner_of(&script.tags).filter(|other| owner != Some(*other))?;
        let other = escape::line(other).into_owned();
        Some(Self::OfProject(script.name.clone(), other))
    }

    /// What is in the way, and the way out.
    pub fn advice(&self) -> Advice {
        match self {
            Self::NotOurs(script) => Advice::new(
                format!(
                    "the script `{script}` is not one that this tool has deployed: its tags do not name it and its environment"
                ),
                format!(
                    "`edge-broadcast status` shows what is this project's; if it shall go all the same: `wrangler delete --name {script}`"
                ),
            ),
            Self::OfProject(script, owner) => Advice::new(
                format!("the script `{script}` belongs to the project `{owner}`"),
                "destroy it from there",
            ),
            Self::MayBeOthers(script, environment, hosts) => Advice::new(
                format!(
                    "`{script}` serves `{}` and no host of this manifest: it may be another project's",
                    hosts.join("`, `")
                ),
                format!(
                    "where it is this project's, `edge-broadcast deploy {environment} --adopt {script}` says so, and it can be destroyed after that; else use another `worker.name`"
                ),
            ),
            Self::Changed(script) => Advice::new(
                format!(
                    "the script `{script}` is not the one that was confirmed: its tags say something else by now"
                ),
                "run the command again to see whose it is",
            ),
            Self::InUse(script, others) => Advice::new(
                format!(
                    "the Durable Objects of `{script}` are used by `{}`",
                    others.join("`, `")
                ),
                "deploy that without the binding first: it would stop working",
            ),
        }
    }
}

impl fmt::Display for Destruction {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.is_empty() {
            return write!(f, "{}: nothing to destroy", self.target);
        }
        let steps = match self.steps.len() {
            1 => "1 step".to_owned(),
            count => format!("{count} steps"),
        };
        write!(f, "{}: {steps}", self.target)?;
        for (number, step) in self.steps.iter().enumerate() {
            write!(f, "\n\n{}. {}", number + 1, step.title())?;
            if let Removal::DeleteScript { .. } = step {
                write!(f, "\n   - its versions, settings and secrets")?;
            }
            for stored in step.stored() {
                write!(f, "\n   - {stored}")?;
            }
        }
        write!(f, "\n\nnone of it can be brought back")
    }
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { class, objects, .. } = self;
        let what = match (objects, self.or_more) {
            (0, _) => "no stored object".to_owned(),
            (1, false) => "1 stored object".to_owned(),
            (count, false) => format!("{count} stored objects"),
            (count, true) => format!("{count} or more stored objects"),
        };
        write!(f, "{what} of the class `{class}`")
    }
}

impl Refused {
    /// All that is in the way on one line, and the ways out.
    pub(crate) fn advice(&self) -> Advice {
        let advice = self.0.iter().map(Refusal::advice);
        let (what, fixes): (Vec<_>, Vec<_>) = advice.map(|told| (told.what, told.fix)).unzip();
        let fixes: Vec<String> = fixes.into_iter().flatten().collect();
        Advice::new(
            format!("nothing was destroyed: {}", what.join("; ")),
            fixes.join("; "),
        )
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("nothing was destroyed:")?;
        for refusal in &self.0 {
            let Advice { what, fix } = refusal.advice();
            write!(f, "\n  - {what}\n    help: {}", fix.unwrap_or_default())?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::environment::ServedBy;

    fn pair() -> Pair {
        Pair {
            worker: "w".to_owned(),
            environment: "e".to_owned(),
        }
    }

    fn script(
        name: &str,
        tags: &[&str],
        stored: &[(&str, usize)],
        used_by: &[&str],
    ) -> StandingScript {
        let owned =
            |texts: &[&str]| -> Vec<String> { texts.iter().map(|it| (*it).to_owned()).collect() };
        StandingScript {
            tagged: Tagged {
                name: name.to_owned(),
                tags: owned(tags).into_iter().collect(),
            },
            stored: stored
                .iter()
                .map(|(class, objects)| Stored {
                    class: (*class).to_owned(),
                    objects: *objects,
                    or_more: *objects == 1000,
                })
                .collect(),
            used_by: owned(used_by),
        }
    }

    fn route(pattern: &str, script: Option<&str>) -> StandingRoute {
        let route = LiveRoute {
            id: "r".to_owned(),
            pattern: pattern.to_owned(),
            script: script.map(str::to_owned),
        };
        StandingRoute {
            zone: "glow.trade".to_owned(),
            zone_id: "z".to_owned(),
            route,
        }
    }

    fn standing() -> Standing {
        let domain = |hostname: &str, script: &str| LiveDomain {
            id: "d".to_owned(),
            hostname: hostname.to_owned(),
            script: script.to_owned(),
        };
        Standing {
            scripts: vec![
                script("w-e", &["cf:service=w", "cf:environment=e"], &[], &[]),
                script(
                    "w-e-room",
                    &["cf:service=w-room", "cf:environment=e", "others"],
                    &[("BroadcastRoom", 1000), ("Old", 1), ("Older", 0)],
                    &["w-e"],
                ),
            ],
            routes: vec![
                route("a.glow.trade/*", Some("w-e")),
                route("a.glow.trade/off", None),
                route("b.glow.trade/*", Some("w-staging")),
            ],
            domains: vec![
                domain("c.glow.trade", "w-e"),
                domain("d.glow.trade", "theirs"),
            ],
        }
    }

    fn claim(owner: Option<&str>, hosts: &[&str]) -> Claim {
        let served = |host: &&str| Served {
            host: (*host).to_owned().try_into().unwrap(),
            by: ServedBy::ZoneRoute,
        };
        Claim {
            owner: owner.map(str::to_owned),
            hosts: Some(hosts.iter().map(served).collect()),
        }
    }

    /// The same, whose scripts both have an owner.
    fn owned_by(owner: &str) -> Standing {
        let mut standing = standing();
        for script in &mut standing.scripts {
            let tags = &mut script.tagged.tags;
            tags.insert(format!("edge-broadcast:owner={owner}"));
        }
        standing
    }

    fn told(standing: &Standing, owner: Option<&str>) -> String {
        told_to(&claim(owner, &["a.glow.trade"]), standing)
    }

    fn told_to(claim: &Claim, standing: &Standing) -> String {
        match Destruction::of("e", Some(&pair()), standing, claim) {
            Ok(destruction) => destruction.to_string(),
            Err(refused) => refused.to_string(),
        }
    }

    #[test]
    fn the_ways_to_a_script_go_before_it_and_the_gateway_before_the_room() {
        assert_snapshot!(told(&standing(), None), @r"
e: 4 steps

1. detach the custom domain `c.glow.trade` from `w-e`

2. remove the route `a.glow.trade/*` of `w-e`

3. delete the script `w-e`
   - its versions, settings and secrets

4. delete the script `w-e-room`
   - its versions, settings and secrets
   - 1000 or more stored objects of the class `BroadcastRoom`
   - 1 stored object of the class `Old`
   - no stored object of the class `Older`

none of it can be brought back
");
    }

    #[test]
    fn what_is_gone_already_needs_nothing() {
        let mut half = standing();
        half.scripts.remove(0);
        half.routes.clear();
        half.domains.clear();
        assert_snapshot!(told(&half, None), @r"
e: 1 step

1. delete the script `w-e-room`
   - its versions, settings and secrets
   - 1000 or more stored objects of the class `BroadcastRoom`
   - 1 stored object of the class `Old`
   - no stored object of the class `Older`

none of it can be brought back
");
        half.scripts.clear();
        assert_snapshot!(told(&half, None), @"e: nothing to destroy");
    }

    #[test]
    fn what_is_not_ours_or_is_used_by_others_stays_and_all_of_it_is_told_at_once() {
        let mut theirs = standing();
        theirs.scripts[0].tagged.tags.clear();
        theirs.scripts[1].used_by.push("their-report".to_owned());
        assert_snapshot!(told(&theirs, None), @r"
nothing was destroyed:
  - the script `w-e` is not one that this tool has deployed: its tags do not name it and its environment
    help: `edge-broadcast status` shows what is this project's; if it shall go all the same: `wrangler delete --name w-e`
  - the Durable Objects of `w-e-room` are used by `their-report`
    help: deploy that without the binding first: it would stop working
");
        let owned = owned_by("github.com/we/prices");
        assert!(told(&owned, Some("github.com/we/prices")).starts_with("e: 4 steps"));
        assert_snapshot!(told(&owned, Some("github.com/they/prices")), @r"
nothing was destroyed:
  - the script `w-e` belongs to the project `github.com/we/prices`
    help: destroy it from there
  - the script `w-e-room` belongs to the project `github.com/we/prices`
    help: destroy it from there
");
    }

    /// Two repositories can have one `worker.name`.
    #[test]
    fn a_gateway_without_an_owner_that_serves_other_hosts_alone_may_be_another_projects() {
        let other = claim(Some("us"), &["b.glow.trade"]);
        assert_snapshot!(told_to(&other, &standing()), @r"
nothing was destroyed:
  - `w-e` serves `a.glow.trade`, `c.glow.trade` and no host of this manifest: it may be another project's
    help: where it is this project's, `edge-broadcast deploy e --adopt w-e` says so, and it can be destroyed after that; else use another `worker.name`
");
        let by_script = Claim {
            hosts: None,
            ..other.clone()
        };
        for claim in [
            by_script,
            claim(Some("us"), &["c.glow.trade", "b.glow.trade"]),
        ] {
            assert!(
                told_to(&claim, &standing()).starts_with("e: 4 steps"),
                "{claim:?}"
            );
        }
        // It serves nothing: an interrupted deployment or destruction left it
        let mut bare = standing();
        bare.routes.clear();
        bare.domains.clear();
        assert!(told_to(&other, &bare).starts_with("e: 2 steps"));
        assert!(told_to(&other, &owned_by("us")).starts_with("e: 4 steps"));
    }

    /// Only what names one of the two scripts is ever in a plan.
    #[test]
    fn every_step_is_of_one_of_the_two_scripts() {
        let destruction =
            Destruction::of("e", Some(&pair()), &standing(), &Claim::default()).unwrap();
        for step in &destruction.steps {
            let (Removal::RemoveRoute { script, .. }
            | Removal::RemoveDomain { script, .. }
            | Removal::DeleteScript { script, .. }) = step;
            assert!(["w-e", "w-e-room"].contains(&script.as_str()), "{step:?}");
        }
    }
}
