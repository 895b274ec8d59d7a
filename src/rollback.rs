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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    pub script: String,
    pub from: String,
    pub to: String,
}

impl History {
    fn current(&self) -> anyhow::Result<&str> {
        let newest = self
            .deployments
            .first()
            .and_then(|newest| newest.shares.first());
        newest
            .map(|(id, _)| id.as_str())
            .with_context(|| format!("`{}` was never deployed", self.script))
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

    /// The version that had all traffic before the present one came; in a gradual deployment, before it began.
    fn before(&self) -> anyhow::Result<&str> {
        let split = self
            .deployments
            .first()
            .is_some_and(|newest| newest.shares.len() > 1);
        let current = self.current()?;
        self.deployments
            .iter()
            .filter_map(|deployed| match deployed.shares.as_slice() {
                [(id, _)] => Some(id.as_str()),
                _ => None,
            })
            .find(|id| split || *id != current)
            .with_context(|| format!("`{}` has no version before `{current}`", self.script))
    }

    /// The version that had the most traffic at a time.
    fn at(&self, time: &str) -> Option<&str> {
        let deployed = self
            .deployments
            .iter()
            .find(|deployed| deployed.created_on.as_str() <= time)?;
        deployed.shares.first().map(|(id, _)| id.as_str())
    }

    fn target(&self, to: &str) -> anyhow::Result<Option<Target>> {
        let newest = self
            .deployments
            .first()
            .map(|newest| newest.shares.as_slice());
        let from = match newest {
            Some([(only, _)]) if only == to => return Ok(None),
            // Of a gradual deployment the other version loses its traffic
            Some(shares) => shares
                .iter()
                .find(|(id, _)| id != to)
                .map(|(id, _)| id.clone()),
            None => None,
        };
        let from = from.with_context(|| format!("`{}` was never deployed", self.script))?;
        Ok(Some(Target {
            script: self.script.clone(),
            from,
            to: to.to_owned(),
        }))
    }
}

/// One release back: the scripts that the newest release changed go to what they had before; the others stay.
pub fn previous(histories: &[History]) -> anyhow::Result<Vec<Target>> {
    let time = |history: &History| {
        history
            .deployments
            .first()
            .map(|newest| newest.created_on.clone())
    };
    let newest = histories
        .iter()
        .max_by_key(|history| time(history))
        .context("there is no script")?;
    let release = newest.release(newest.current()?);
    let mut targets = Vec::new();
    for history in histories {
        let split = history
            .deployments
            .first()
            .is_some_and(|deployed| deployed.shares.len() > 1);
        let same = release.is_some() && history.release(history.current()?) == release;
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
        let scripts: Vec<&str> = histories
            .iter()
            .map(|history| history.script.as_str())
            .collect();
        bail!(
            "neither of `{}` has a version `{version}`; `edge-broadcast status` lists them",
            scripts.join("`, `")
        );
    };
    let release = named.release(version);
    let deployed = named
        .deployments
        .iter()
        .find(|deployed| deployed.shares.iter().any(|(id, _)| id == version))
        .with_context(|| format!("the version `{version}` of `{}` was never deployed, so it is nothing to go back to", named.script))?;
    let mut targets = Vec::new();
    for history in histories {
        if history.script == named.script {
            targets.extend(history.target(version)?);
            continue;
        }
        let same = history
            .versions
            .iter()
            .find(|listed| release.is_some() && history.release(&listed.id) == release)
            .map(|listed| listed.id.as_str());
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
            "neither of `g`, `r` has a version `x`; `edge-broadcast status` lists them"
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
}
