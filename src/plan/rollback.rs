//! Which versions a rollback goes back to. Pure.

use anyhow::{Context, bail};
use serde::Serialize;

use super::history::{Extent, History, is_before};
use super::split::Split;
use crate::terminal::advice::Advice;

/// Versions that an error names.
const NAMED: usize = 10;

/// A script and where its traffic goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Target {
    pub(crate) script: String,
    /// The version that loses its traffic; of a gradual deployment, the other one than `to`.
    pub(crate) from: String,
    pub(crate) to: String,
    /// The split as it is now.
    #[serde(skip)]
    pub(crate) before: Split,
}

/// Everything of `history` to the version `to`; `None` when it has everything.
fn target(history: &History, to: &str) -> anyhow::Result<Option<Target>> {
    let before = history.now()?;
    let from = before.versions().find(|id| *id != to);
    Ok(from.map(|from| Target {
        script: history.script.clone(),
        from: from.to_owned(),
        to: to.to_owned(),
        before: before.clone(),
    }))
}

/// One release back: the scripts that the newest live release changed go to what they had before; the others stay. Of two live
/// releases, as a rollback or a deployment that was interrupted leaves them, the newer one is what goes. `Unread` when that
/// cannot be known yet.
pub(crate) fn previous(histories: &[History]) -> anyhow::Result<Vec<Target>> {
    let mut newest: Option<(&History, &str)> = None;
    for history in histories {
        let subject = history.subject()?;
        let newer = match newest {
            None => true,
            Some((other, its)) => is_before(other.since(its)?, history.since(subject)?),
        };
        if newer {
            newest = Some((history, subject));
        }
    }
    let (newest, subject) = newest.context("there is no script")?;
    let release = newest.release(subject)?;
    let mut targets = Vec::new();
    for history in histories {
        let split = history.now()?.len() > 1;
        let goes = split
            || history.script == newest.script
            || (release.is_some() && history.release(history.subject()?)? == release);
        if goes {
            let before = history.before()?.with_context(|| {
                let current = &history.deployments[0].split[0].version_id;
                format!("`{}` has no version before `{current}`", history.script)
            })?;
            targets.extend(target(history, before)?);
        }
    }
    Ok(targets)
}

/// Back to `version`, which the histories know if there is one, and the other script to what belongs to it: of the same release, or
/// live at the same time. `Unread` when that cannot be known yet.
pub(crate) fn to(histories: &[History], version: &str) -> anyhow::Result<Vec<Target>> {
    let named = histories
        .iter()
        .find(|history| history.versions.contains_key(version));
    let Some(named) = named else {
        let known: Vec<String> = histories.iter().map(settled_words).collect();
        bail!(Advice::new(
            format!("there is no version `{version}`"),
            format!("the newest first, {}", known.join("; "))
        ));
    };
    let release = named.release(version)?;
    let deployments = named.since_it_was_made(version)?;
    // The oldest time: later it may have come back beside another version of the other script
    let deployed = deployments
        .iter()
        .rfind(|deployed| deployed.split.only() == Some(version))
        .or_else(|| deployments.iter().rfind(|deployed| deployed.split.has(version)))
        .with_context(|| {
            format!(
                "the version `{version}` of `{}` was never deployed, so it is nothing to go back to",
                named.script
            )
        })?;
    let mut targets = Vec::new();
    for history in histories {
        if history.script == named.script {
            targets.extend(target(history, version)?);
            continue;
        }
        let same = match release {
            Some(release) => history.settled_of(release)?,
            None => None,
        };
        let other = match same {
            Some(same) => Some(same),
            None => history.at(&deployed.created_on)?,
        };
        let other = other.with_context(|| {
            format!("no version of `{}` belongs to `{version}`", history.script)
        })?;
        targets.extend(target(history, other)?);
    }
    Ok(targets)
}

/// The versions that could be gone back to, as far as they are known.
fn settled_words(history: &History) -> String {
    let settled = history.settled();
    let named = &settled[..settled.len().min(NAMED)];
    let older = if named.len() < settled.len() || history.deployments_read == Extent::Newest {
        " and older ones"
    } else {
        ""
    };
    format!(
        "`{}` had all traffic at `{}`{older}",
        history.script,
        named.join("`, `")
    )
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::super::history::{Deployed, Listed, Unread};
    use super::super::release;
    use super::super::split::Share;
    use super::*;

    /// Versions `name:release`, and deployments of `name` at growing times, the oldest first.
    fn history(script: &str, versions: &[&str], deployments: &[(&str, &str)]) -> History {
        let listed = |text: &&str| {
            let (id, release) = text.split_once(':').unwrap();
            let message = (!release.is_empty()).then(|| release::of_version("staging", release));
            let listed = Listed {
                id: id.to_owned(),
                tag: None,
                message,
                created_on: String::new(),
            };
            (id.to_owned(), listed)
        };
        let deployed = |(time, shares): &(&str, &str)| Deployed {
            created_on: (*time).to_owned(),
            split: shares
                .split('+')
                .map(|id| Share::new(id, 100.0 / shares.split('+').count() as f64))
                .collect(),
        };
        History {
            script: script.to_owned(),
            deployments: deployments.iter().rev().map(deployed).collect(),
            deployments_read: Extent::All,
            versions: versions.iter().map(listed).collect(),
            versions_read: Extent::All,
        }
    }

    fn shown(targets: anyhow::Result<Vec<Target>>) -> String {
        match targets {
            Ok(targets) => targets
                .iter()
                .map(|t| format!("{}: {} -> {}", t.script, t.from, t.to))
                .collect::<Vec<_>>()
                .join(", "),
            Err(error) => Advice::of(&error).line(),
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
                split: Split::all(&target.to),
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
        assert_eq!(targets[0].before, Split::between("g3", 50, "g2"));
    }

    /// What became of two scripts: at each time one of them gets a new version, alone or beside the one before, or goes back to an
    /// earlier one. Some versions are of another tool.
    fn stories() -> impl Strategy<Value = [History; 2]> {
        let event = (0..2_usize, 0..5_u8, 0..1000_usize, 0..4_u8);
        vec(event, 1..60).prop_map(|events| {
            let mut histories = ["g", "r"].map(|script| history(script, &[], &[]));
            let start = |script| (script, 0, 0, 0);
            let events = [start(0), start(1)].into_iter().chain(events);
            for (time, (script, what, which, release)) in events.enumerate() {
                let history = &mut histories[script];
                let made = |number: usize| format!("{}{number}", history.script);
                let count = history.versions.len();
                let created_on = format!("2026-10-01T00:{time:02}:00Z");
                let split = if what < 3 || count == 0 {
                    let message = release::of_version("e", &release.to_string());
                    let listed = Listed {
                        id: made(count),
                        tag: None,
                        message: (release > 0).then_some(message),
                        created_on: created_on.clone(),
                    };
                    let split = match what {
                        2 if count > 0 => Split::between(&made(count), 60, &made(count - 1)),
                        _ => Split::all(&made(count)),
                    };
                    history.versions.insert(listed.id.clone(), listed);
                    split
                } else {
                    Split::all(&made(which % count))
                };
                let deployed = Deployed { created_on, split };
                history.deployments.insert(0, deployed);
            }
            histories
        })
    }

    /// Decides as the command does: with a page of the newest at first, and a further one when it is asked for.
    fn by_pages(
        whole: &[History; 2],
        size: usize,
        decide: impl Fn(&[History]) -> anyhow::Result<Vec<Target>>,
    ) -> (String, usize) {
        let mut pages = [[1, 1], [1, 1]];
        let mut read = 2;
        loop {
            let part = |at: usize| {
                let History {
                    script,
                    deployments,
                    versions,
                    ..
                } = whole[at].clone();
                let extent = |count: usize, pages: usize| match size * pages >= count {
                    true => Extent::All,
                    false => Extent::Newest,
                };
                let [deployment_pages, version_pages] = pages[at];
                let deployments_read = extent(deployments.len(), deployment_pages);
                let versions_read = extent(versions.len(), version_pages);
                let mut newest: Vec<Listed> = versions.into_values().collect();
                newest.sort_by(|a, b| b.created_on.cmp(&a.created_on));
                let newest = newest.into_iter().take(size * version_pages);
                History {
                    script,
                    deployments: deployments
                        .into_iter()
                        .take(size * deployment_pages)
                        .collect(),
                    deployments_read,
                    versions: newest.map(|listed| (listed.id.clone(), listed)).collect(),
                    versions_read,
                }
            };
            let decided = decide(&[part(0), part(1)]);
            let unread = match decided.map_err(anyhow::Error::downcast::<Unread>) {
                Ok(targets) => return (shown(Ok(targets)), read),
                Err(Err(error)) => return (shown(Err(error)), read),
                Err(Ok(unread)) => unread,
            };
            read += 1;
            let at = |script: &str| usize::from(script == "r");
            match unread {
                Unread::Deployments(script) => pages[at(&script)][0] += 1,
                Unread::Versions(script) => pages[at(&script)][1] += 1,
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_decided_of_pages_is_what_is_decided_of_the_whole(stories in stories(), size in 1..20_usize) {
            let (decided, _) = by_pages(&stories, size, previous);
            prop_assert_eq!(decided, shown(previous(&stories)));
        }

        #[test]
        fn so_is_where_a_named_version_takes_both(stories in stories(), size in 1..20_usize, which in any::<Index>()) {
            let versions: Vec<&Listed> = stories.iter().flat_map(|history| history.versions.values()).collect();
            let named = versions[which.index(versions.len())];
            let at = usize::from(named.id.starts_with('r'));
            let decide = |histories: &[History]| {
                let mut histories = histories.to_vec();
                histories[at].versions.insert(named.id.clone(), named.clone());
                to(&histories, &named.id)
            };
            let (decided, _) = by_pages(&stories, size, decide);
            prop_assert_eq!(decided, shown(to(&stories, &named.id)));
        }
    }

    #[test]
    fn no_more_is_read_than_the_answer_needs() {
        let versions: Vec<String> = (0..90)
            .map(|number| format!("g{number}:{number}"))
            .collect();
        let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
        let mut gateway = history("g", &versions, &[]);
        for number in 0..90 {
            let created_on = format!("2026-10-01T{:02}:{:02}:00Z", number / 60, number % 60);
            let id = format!("g{number}");
            gateway
                .versions
                .get_mut(&id)
                .unwrap()
                .created_on
                .clone_from(&created_on);
            let split = Split::all(&id);
            gateway
                .deployments
                .insert(0, Deployed { created_on, split });
        }
        let mut room = gateway.clone();
        room.script = "r".to_owned();
        let both = [gateway, room];
        let (decided, read) = by_pages(&both, 10, previous);
        assert_eq!(decided, "g: g89 -> g88, r: g89 -> g88");
        assert_eq!(read, 2);
        // 40 deployments back, of the gateway and the room
        let (decided, read) = by_pages(&both, 10, |histories| {
            let mut histories = histories.to_vec();
            let named = both[0].versions["g49"].clone();
            histories[0].versions.insert("g49".to_owned(), named);
            to(&histories, "g49")
        });
        assert_eq!(decided, "g: g89 -> g49, r: g89 -> g49");
        assert!(read <= 16, "{read}");
    }

    #[test]
    fn times_are_compared_to_the_fraction_of_a_second() {
        assert!(is_before("2026-10-01T00:00:41Z", "2026-10-01T00:00:41.1Z"));
        assert!(is_before(
            "2026-10-01T00:00:41.1415Z",
            "2026-10-01T00:00:41.141552Z"
        ));
        assert!(!is_before(
            "2026-10-01T00:00:41.2Z",
            "2026-10-01T00:00:41.141552Z"
        ));
        assert!(!is_before("", "2026-10-01T00:00:41Z"));
    }

    #[test]
    fn of_many_versions_an_error_names_the_newest() {
        let versions: Vec<String> = (10..25).map(|number| format!("g{number}:a")).collect();
        let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
        let times: Vec<(String, String)> =
            (10..25).map(|n| (n.to_string(), format!("g{n}"))).collect();
        let times: Vec<(&str, &str)> = times
            .iter()
            .map(|(t, v)| (t.as_str(), v.as_str()))
            .collect();
        let gateway = history("g", &versions, &times);
        assert_eq!(
            shown(to(&[gateway], "x")),
            "there is no version `x`; the newest first, `g` had all traffic at `g24`, `g23`, `g22`, `g21`, `g20`, `g19`, `g18`, `g17`, `g16`, `g15` and older ones"
        );
    }
}
