//! How much a plan changes, in the resources that a person counts: scripts, routes, custom domains, secrets.

use std::collections::BTreeSet;

use super::Plan;
use super::step::{Lane, Shift, Step, Upload};

/// The resources that `plan` touches, for people. All steps of one script are one resource; a secret that comes with an upload is one
/// of its own.
pub(super) fn counts(plan: &Plan) -> String {
    let (mut add, mut remove, mut moved) = (0, 0, 0);
    let (mut new, mut old) = (BTreeSet::new(), BTreeSet::new());
    for step in &plan.steps {
        match step {
            Step::Upload(upload) => {
                add += upload.secrets.len();
                let scripts = if is_new(upload) { &mut new } else { &mut old };
                scripts.insert(&upload.script);
            }
            Step::Shift(Shift { script, .. })
            | Step::Settings { script, .. }
            | Step::WorkersDev { script, .. } => {
                old.insert(script);
            }
            Step::AddRoute { .. } | Step::AddDomain { .. } => add += 1,
            Step::MoveRoute { .. } | Step::MoveDomain { .. } => moved += 1,
            Step::RemoveRoute { .. } | Step::RemoveDomain { .. } => remove += 1,
        }
    }
    add += new.len();
    let change = moved + old.difference(&new).count();
    format!("{add} to add, {change} to change, {remove} to remove")
}

fn is_new(upload: &Upload) -> bool {
    matches!(&upload.lane, Lane::Lifecycle { replaces, .. } if replaces.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Worker;
    use crate::plan::{Change, OverrideDns, Percent, SocketImpact, Then};

    fn plan(steps: Vec<Step>) -> Plan {
        Plan {
            environment: "staging".to_owned(),
            socket_impact: SocketImpact::None,
            rooms_change_within_seconds: None,
            steps,
        }
    }

    fn upload(script: &str, lane: Lane, secrets: &[&str]) -> Step {
        Step::Upload(Upload {
            role: Worker::Gateway,
            script: script.to_owned(),
            tag: String::new(),
            message: String::new(),
            lane,
            secrets: secrets.iter().map(|name| (*name).to_owned()).collect(),
            unmanaged: Default::default(),
            inherited_secrets: BTreeSet::new(),
            inherit_from: None,
            changes: vec![Change {
                what: "code".to_owned(),
                before: None,
                after: Some("0a".into()),
            }],
        })
    }

    fn lifecycle(replaces: &[&str]) -> Lane {
        Lane::Lifecycle {
            why: "it is so".to_owned(),
            replaces: replaces.iter().map(|id| (*id).to_owned()).collect(),
            old_tag: None,
            migrations: Vec::new(),
        }
    }

    fn version() -> Lane {
        Lane::Code {
            latest: None,
            adopt: None,
        }
    }

    fn settings(script: &str) -> Step {
        Step::Settings {
            script: script.to_owned(),
            tags: BTreeSet::new(),
            observability: true,
            changes: Vec::new(),
        }
    }

    fn workers_dev(script: &str) -> Step {
        Step::WorkersDev {
            script: script.to_owned(),
            enabled: false,
            changes: Vec::new(),
        }
    }

    fn shift(script: &str, percent: u8) -> Step {
        Step::Shift(Shift {
            role: Worker::Gateway,
            script: script.to_owned(),
            percent,
            from: String::new(),
            reached: Percent::default(),
            then: Then::Check,
        })
    }

    fn hosts() -> Vec<Step> {
        let (script, id) = ("gateway".to_owned(), "id".to_owned());
        vec![
            Step::AddRoute {
                pattern: "new.example/*".to_owned(),
                script: script.clone(),
            },
            Step::AddDomain {
                hostname: "new.example".to_owned(),
                script: script.clone(),
                override_dns: OverrideDns::Never,
                changes: Vec::new(),
            },
            Step::MoveRoute {
                pattern: "their.example/*".to_owned(),
                id: id.clone(),
                from: "other".to_owned(),
                script: script.clone(),
            },
            Step::RemoveRoute {
                pattern: "old.example/*".to_owned(),
                id: id.clone(),
                script: script.clone(),
            },
            Step::RemoveDomain {
                hostname: "old.example".to_owned(),
                id,
                script,
            },
        ]
    }

    #[test]
    fn all_steps_of_a_script_are_one_resource_and_each_secret_and_host_is_another() {
        let first = vec![
            upload("room", lifecycle(&[]), &[]),
            settings("room"),
            workers_dev("room"),
            upload("gateway", lifecycle(&[]), &["WEBHOOK_SECRET"]),
            settings("gateway"),
        ];
        let release = vec![
            upload("room", lifecycle(&["before"]), &[]),
            upload("gateway", version(), &["ADMIN_SECRET"]),
            shift("gateway", 5),
            shift("gateway", 100),
        ];
        let shown = [
            (first, "3 to add, 0 to change, 0 to remove"),
            (release, "1 to add, 2 to change, 0 to remove"),
            (
                vec![settings("room"), workers_dev("room")],
                "0 to add, 1 to change, 0 to remove",
            ),
            (hosts(), "2 to add, 1 to change, 2 to remove"),
            (Vec::new(), "0 to add, 0 to change, 0 to remove"),
        ];
        for (steps, told) in shown {
            assert_eq!(counts(&plan(steps)), told);
        }
    }

    fn noted(plan: &Plan, notes: &str) -> String {
        std::fmt::from_fn(|f| plan.fmt_with(f, notes)).to_string()
    }

    #[test]
    fn counts_are_the_last_line_of_a_plan_whatever_else_is_told_and_absent_where_nothing_changes() {
        let all: Vec<Step> = [
            upload("gateway", version(), &["ADMIN_SECRET"]),
            shift("gateway", 100),
        ]
        .into_iter()
        .chain(hosts())
        .collect();
        let all = plan(all);
        insta::assert_snapshot!(noted(&all, "\n  secret THEIRS of gateway: extra"), @r"
        staging: 7 steps

        1. upload a version of `gateway`
           lane: code
           + code: 0a

        2. give all traffic of `gateway` to the new version

        3. route `new.example/*` to `gateway`

        4. attach the custom domain `new.example` to `gateway`

        5. move the route `their.example/*` from `other` to `gateway`

        6. remove the route `old.example/*` of `gateway`

        7. detach the custom domain `old.example` from `gateway`

        socket impact: none
          secret THEIRS of gateway: extra

        3 to add, 2 to change, 2 to remove
        ");
        assert_eq!(all.to_string(), noted(&all, ""), "nothing else told");
        assert_eq!(
            noted(&plan(Vec::new()), "\n  secret"),
            "staging: nothing to change\n  secret"
        );
    }
}
