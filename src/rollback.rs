//! Which versions a rollback goes back to. Pure.

use anyhow::{Context, bail};
use serde::Serialize;

use crate::cloudflare::observe::{Deployed, Listed};

/// What became of a script, the newest first.
#[derive(Clone, Debug)]
pub struct History {
    pub script: String,
    pub deployments: Vec<Deployed>,
    pub versions: Vec<Listed>,
}

/// A script and where its traffic goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    pub script: String,
    /// The version that loses its traffic; of a gradual deployment, the other one than `to`.
    pub from: String,
    pub to: String,
    /// The split as it is now: version ids and percentages.
    #[serde(skip)]
    pub before: Vec<(String, f64)>,
}

impl History {
    /// The newest split.
    fn now(&self) -> anyhow::Result<&[(String, f64)]> {
        self.deployments
            .first()
            .map(|newest| newest.shares.as_slice())
            .filter(|shares| !shares.is_empty())
            .with_context(|| format!("`{}` was never deployed", self.script))
    }

    /// The version that has all traffic.
    pub fn live(&self) -> Option<&str> {
        alone(self.deployments.first()?)
    }

    /// The release that made a version: the last word of its message, when the message is ours.
    fn release(&self, version: &str) -> Option<&str> {
        let listed = self.versions.iter().find(|listed| listed.id == version)?;
        listed
            .message
            .as_deref()?
            .strip_prefix("edge-broadcast ")?
            .rsplit(' ')
            .next()
    }

    /// The deployments older than the oldest one that gave `version` all traffic; all, when none did.
    fn older_than(&self, version: &str) -> &[Deployed] {
        let oldest = self
            .deployments
            .iter()
            .rposition(|deployed| alone(deployed) == Some(version));
        &self.deployments[oldest.map_or(0, |oldest| oldest + 1)..]
    }

    /// The version that had all traffic before the present one came, not before it came back; in a gradual deployment, before that
    /// began.
    fn before(&self) -> anyhow::Result<&str> {
        let (older, current) = match self.now()? {
            [(only, _)] => (self.older_than(only), only),
            shares => (self.deployments.as_slice(), &shares[0].0),
        };
        older
            .iter()
            .find_map(alone)
            .with_context(|| format!("`{}` has no version before `{current}`", self.script))
    }

    /// The version that a rollback takes away: the present one; of a gradual deployment, the one that came with it.
    fn subject(&self) -> anyhow::Result<&str> {
        let shares = self.now()?;
        let before = self.before().ok();
        let came = shares.iter().find(|(id, _)| Some(id.as_str()) != before);
        Ok(came.map_or(&shares[0].0, |(id, _)| id))
    }

    /// When `version` got traffic first.
    fn since(&self, version: &str) -> &str {
        let first = self
            .deployments
            .iter()
            .rfind(|deployed| deployed.shares.iter().any(|(id, _)| id == version));
        first.map_or("", |first| &first.created_on)
    }

    /// The version that had the most traffic at a time.
    fn at(&self, time: &str) -> Option<&str> {
        let deployed = self
            .deployments
            .iter()
            .find(|deployed| deployed.created_on.as_str() <= time)?;
        deployed.shares.first().map(|(id, _)| id.as_str())
    }

    /// The versions that had all traffic once, the newest first.
    fn settled(&self) -> Vec<&str> {
        let mut settled: Vec<&str> = Vec::new();
        for id in self.deployments.iter().filter_map(alone) {
            if !settled.contains(&id) {
                settled.push(id);
            }
        }
        settled
    }

    fn target(&self, to: &str) -> anyhow::Result<Option<Target>> {
        let shares = self.now()?;
        let Some((from, _)) = shares.iter().find(|(id, _)| id != to) else {
            return Ok(None);
        };
        Ok(Some(Target {
            script: self.script.clone(),
            from: from.clone(),
            to: to.to_owned(),
            before: shares.to_vec(),
        }))
    }
}

/// The version that a deployment gave all traffic.
fn alone(deployed: &Deployed) -> Option<&str> {
    match deployed.shares.as_slice() {
        [(id, _)] => Some(id),
        _ => None,
    }
}

/// One release back: the scripts that the newest live release changed go to what they had before; the others stay. Of two live
/// releases, as a rollback or a deployment that was interrupted leaves them, the newer one is what goes.
pub fn previous(histories: &[History]) -> anyhow::Result<Vec<Target>> {
    let mut newest: Option<(&History, &str)> = None;
    for history in histories {
        let subject = history.subject()?;
        let newer = |(other, its): (&History, &str)| history.since(subject) > other.since(its);
        if newest.is_none_or(newer) {
            newest = Some((history, subject));
        }
    }
    let (newest, subject) = newest.context("there is no script")?;
    let release = newest.release(subject);
    let mut targets = Vec::new();
    for history in histories {
        let split = history.now()?.len() > 1;
        let same = release.is_some() && history.release(history.subject()?) == release;
        if split || same || history.script == newest.script {
            targets.extend(history.target(history.before()?)?);
        }
    }
    Ok(targets)
}

/// Back to `version`, and the other script to what belongs to it: of the same release, or live at the same time.
pub fn to(histories: &[History], version: &str) -> anyhow::Result<Vec<Target>> {
    let named = histories
        .iter()
        .find(|history| history.versions.iter().any(|listed| listed.id == version));
    let Some(named) = named else {
        let known: Vec<String> = histories
            .iter()
            .map(|history| {
                format!(
                    "`{}` had all traffic at `{}`",
                    history.script,
                    history.settled().join("`, `")
                )
            })
            .collect();
        bail!(
            "there is no version `{version}`; the newest first, {}",
            known.join("; ")
        );
    };
    let release = named.release(version);
    // The oldest time: later it may have come back beside another version of the other script
    let deployed = named
        .deployments
        .iter()
        .rfind(|deployed| alone(deployed) == Some(version))
        .or_else(|| {
            let has = |deployed: &&Deployed| deployed.shares.iter().any(|(id, _)| id == version);
            named.deployments.iter().rfind(has)
        })
        .with_context(|| {
            format!(
                "the version `{version}` of `{}` was never deployed, so it is nothing to go back to",
                named.script
            )
        })?;
    let mut targets = Vec::new();
    for history in histories {
        if history.script == named.script {
            targets.extend(history.target(version)?);
            continue;
        }
        let same = history
            .settled()
            .into_iter()
            .find(|id| release.is_some() && history.release(id) == release);
        let other = same
            .or_else(|| history.at(&deployed.created_on))
            .with_context(|| {
                format!("no version of `{}` belongs to `{version}`", history.script)
            })?;
        targets.extend(history.target(other)?);
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Versions `name:release`, and deployments of `name` at growing times, the oldest first.
    fn history(script: &str, versions: &[&str], deployments: &[(&str, &str)]) -> History {
        let listed = |text: &&str| {
            let (id, release) = text.split_once(':').unwrap();
            let message =
                (!release.is_empty()).then(|| format!("edge-broadcast staging {release}"));
            Listed {
                id: id.to_owned(),
                tag: None,
                message,
                created_on: String::new(),
            }
        };
        let deployed = |(time, shares): &(&str, &str)| Deployed {
            created_on: (*time).to_owned(),
            shares: shares
                .split('+')
                .map(|id| (id.to_owned(), 100.0 / shares.split('+').count() as f64))
                .collect(),
        };
        History {
            script: script.to_owned(),
            versions: versions.iter().rev().map(listed).collect(),
            deployments: deployments.iter().rev().map(deployed).collect(),
        }
    }

    fn shown(targets: anyhow::Result<Vec<Target>>) -> String {
        match targets {
            Ok(targets) => targets
                .iter()
                .map(|t| format!("{}: {} -> {}", t.script, t.from, t.to))
                .collect::<Vec<_>>()
                .join(", "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_release_of_the_gateway_alone_takes_only_the_gateway_back() {
        let gateway = history("g", &["g1:a", "g2:b"], &[("1", "g1"), ("3", "g2")]);
        let room = history("r", &["r1:a"], &[("0", "r1")]);
        assert_eq!(shown(previous(&[gateway, room])), "g: g2 -> g1");
    }

    #[test]
    fn a_release_of_both_takes_both_back() {
        let gateway = history("g", &["g1:a", "g2:b"], &[("1", "g1"), ("3", "g2")]);
        let room = history("r", &["r1:a", "r2:b"], &[("0", "r1"), ("2", "r2")]);
        assert_eq!(
            shown(previous(&[gateway, room])),
            "g: g2 -> g1, r: r2 -> r1"
        );
    }

    #[test]
    fn a_gradual_deployment_goes_back_to_what_was_there_before_it_began() {
        let gateway = history("g", &["g1:a", "g2:b"], &[("1", "g1"), ("2", "g2+g1")]);
        let room = history("r", &["r1:a"], &[("0", "r1")]);
        assert_eq!(shown(previous(&[gateway, room])), "g: g2 -> g1");
    }

    #[test]
    fn the_first_version_has_nothing_before_it() {
        let gateway = history("g", &["g1:a"], &[("1", "g1")]);
        let room = history("r", &["r1:a"], &[("0", "r1")]);
        assert_eq!(
            shown(previous(&[gateway, room])),
            "`g` has no version before `g1`"
        );
    }

    #[test]
    fn a_named_version_takes_the_other_script_to_the_same_release() {
        let gateway = history(
            "g",
            &["g1:a", "g2:b", "g3:c"],
            &[("1", "g1"), ("3", "g2"), ("5", "g3")],
        );
        let room = history(
            "r",
            &["r1:a", "r2:b", "r3:c"],
            &[("0", "r1"), ("2", "r2"), ("4", "r3")],
        );
        let both = [gateway, room];
        assert_eq!(shown(to(&both, "g1")), "g: g3 -> g1, r: r3 -> r1");
        assert_eq!(shown(to(&both, "r2")), "g: g3 -> g2, r: r3 -> r2");
        assert_eq!(
            shown(to(&both, "x")),
            "there is no version `x`; the newest first, `g` had all traffic at `g3`, `g2`, `g1`; `r` had all traffic at `r3`, `r2`, `r1`"
        );
    }

    #[test]
    fn a_version_that_another_tool_made_takes_the_other_script_to_the_same_time() {
        let gateway = history("g", &["g1:", "g2:"], &[("1", "g1"), ("5", "g2")]);
        let room = history("r", &["r1:", "r2:"], &[("0", "r1"), ("4", "r2")]);
        assert_eq!(
            shown(to(&[gateway, room], "g1")),
            "g: g2 -> g1, r: r2 -> r1"
        );
    }

    /// The targets done: what a rollback leaves when it ends, or when it ends after the first of them.
    fn after(mut histories: [History; 2], done: &[Target], time: &str) -> [History; 2] {
        for target in done {
            let history = histories
                .iter_mut()
                .find(|history| history.script == target.script)
                .unwrap();
            let back = Deployed {
                created_on: time.to_owned(),
                shares: vec![(target.to.clone(), 100.0)],
            };
            history.deployments.insert(0, back);
        }
        histories
    }

    /// Release a has both scripts, b only the gateway, c both.
    fn three() -> [History; 2] {
        [
            history(
                "g",
                &["g1:a", "g2:b", "g3:c"],
                &[("1", "g1"), ("3", "g2"), ("5", "g3")],
            ),
            history("r", &["r1:a", "r3:c"], &[("0", "r1"), ("4", "r3")]),
        ]
    }

    #[test]
    fn a_second_rollback_goes_further_back_and_never_forward() {
        let first = previous(&three()).unwrap();
        assert_eq!(shown(Ok(first.clone())), "g: g3 -> g2, r: r3 -> r1");
        let once = after(three(), &first, "6");
        let second = previous(&once).unwrap();
        assert_eq!(shown(Ok(second.clone())), "g: g2 -> g1");
        let twice = after(once, &second, "7");
        assert_eq!(shown(previous(&twice)), "`g` has no version before `g1`");
    }

    #[test]
    fn a_rollback_that_stopped_between_the_scripts_is_finished_by_the_next() {
        let first = previous(&three()).unwrap();
        let half = after(three(), &first[..1], "6");
        assert_eq!(shown(previous(&half)), "r: r3 -> r1");
    }

    #[test]
    fn a_deployment_that_stopped_between_the_scripts_is_taken_back() {
        let [mut gateway, room] = three();
        gateway.deployments.remove(0);
        assert_eq!(shown(previous(&[gateway, room])), "r: r3 -> r1");
    }

    #[test]
    fn what_came_back_by_itself_after_a_failed_verification_is_what_a_rollback_leaves() {
        let gateway = history(
            "g",
            &["g1:a", "g2:b", "g3:c"],
            &[("1", "g1"), ("3", "g2"), ("5", "g3"), ("6", "g2")],
        );
        let room = history("r", &["r1:a"], &[("0", "r1")]);
        assert_eq!(shown(previous(&[gateway, room])), "g: g2 -> g1");
    }

    #[test]
    fn a_version_that_was_deployed_again_goes_back_to_what_it_first_replaced() {
        let gateway = history(
            "g",
            &["g1:a", "g2:b", "g3:c"],
            &[
                ("1", "g1"),
                ("2", "g2"),
                ("3", "g3"),
                ("4", "g2"),
                ("5", "g3"),
            ],
        );
        let room = history("r", &["r1:a"], &[("0", "r1")]);
        assert_eq!(shown(previous(&[gateway, room])), "g: g3 -> g2");
    }

    #[test]
    fn a_gradual_deployment_takes_the_room_of_its_release_with_it() {
        let gateway = history(
            "g",
            &["g1:a", "g2:b"],
            &[("1", "g1"), ("3", "g2+g1"), ("4", "g1+g2")],
        );
        let room = history("r", &["r1:a", "r2:b"], &[("0", "r1"), ("2", "r2")]);
        // Whichever has the larger share
        for newest in 0..2 {
            let mut gateway = gateway.clone();
            gateway.deployments.drain(..newest);
            let both = [gateway, room.clone()];
            assert_eq!(shown(previous(&both)), "g: g2 -> g1, r: r2 -> r1");
        }
    }

    #[test]
    fn the_partner_of_a_named_version_is_of_the_time_when_it_had_all_traffic_first() {
        // Later, g1 was the losing share of a rollout beside another room
        let gateway = history(
            "g",
            &["g1:", "g2:", "g3:"],
            &[
                ("1", "g1"),
                ("3", "g2"),
                ("6", "g1"),
                ("8", "g3+g1"),
                ("9", "g3"),
            ],
        );
        let room = history(
            "r",
            &["r1:", "r2:", "r3:"],
            &[("0", "r1"), ("2", "r2"), ("7", "r3")],
        );
        assert_eq!(
            shown(to(&[gateway, room], "g1")),
            "g: g3 -> g1, r: r3 -> r1"
        );
    }

    #[test]
    fn a_named_version_may_be_a_third_one_while_two_share_the_traffic() {
        let gateway = history(
            "g",
            &["g1:a", "g2:b", "g3:c"],
            &[("1", "g1"), ("2", "g2"), ("3", "g3+g2")],
        );
        let room = history("r", &["r1:a"], &[("0", "r1")]);
        let targets = to(&[gateway, room], "g1").unwrap();
        assert_eq!(targets[0].to, "g1");
        assert_eq!(
            targets[0].before,
            [("g3".to_owned(), 50.0), ("g2".to_owned(), 50.0)]
        );
    }
}
