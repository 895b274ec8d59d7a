//! The law of plans: once applied, planning again finds nothing to do. For any manifest and any live state.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::drift::{HOSTS, drift};
use super::world::carried_out;
use crate::environment::Environment;
use crate::environment::name::Stages;
use crate::plan::{Conflict, Conflicts, Desired, Observed, Plan, Step};

fn environment(
    hosts: &[(usize, bool)],
    history: u32,
    bytes: u32,
    workers_dev: bool,
    cpu_ms: Option<u32>,
    owner: Option<&str>,
) -> Environment {
    let mut source = format!(
        "[worker]\nname = \"w\"\ncompatibility_date = \"2026-10-01\"\n{}[cloudflare]\nzone = \"glow.trade\"\nworkers_dev = {workers_dev}\n[room]\nhistory = {history}\n[access]\nmax_message_bytes = {bytes}\n[secrets.WEBHOOK_SECRET]\nsource = \"env:X\"\n",
        [
            cpu_ms.map(|ms| format!("cpu_ms = {ms}\n")),
            owner.map(|owner| format!("owner = \"{owner}\"\n")),
        ]
        .into_iter()
        .flatten()
        .collect::<String>()
    );
    for (host, custom) in hosts {
        source += &format!(
            "[[routes]]\nhost = \"{}\"\ncustom_domain = {custom}\n",
            HOSTS[*host]
        );
    }
    Environment::resolve(&"e".parse().unwrap(), "e.toml", &source).unwrap()
}

prop_compose! {
    fn desired(owner: Option<&'static str>)(
        first in 0..3_usize, custom in any::<bool>(), second in any::<bool>(),
        history in 0..3_u32, bytes in 64..67_u32, workers_dev in any::<bool>(),
        cpu_ms in prop::option::of(10..12_u32), gateway in 0..3_u8, room in 0..3_u8,
    ) -> Desired {
        let mut hosts = vec![(first, custom)];
        if second {
            hosts.push(((first + 1) % 3, !custom));
        }
        let environment = environment(&hosts, history, bytes, workers_dev, cpu_ms, owner);
        let code = |number: u8| format!("{number:016x}");
        Desired::new(&environment, code(gateway), code(room))
    }
}

/// The scripts that the conflicts are about, which are all of this kind.
fn foreign_scripts(conflicts: &[Conflict]) -> Vec<String> {
    let names = conflicts.iter().map(|conflict| match conflict {
        Conflict::Foreign(foreign) => foreign.script.clone(),
        other => panic!("{other:?}"),
    });
    names.collect()
}

proptest! {
    /// What another project has is adopted by name, as a person does after the conflict.
    #[test]
    fn a_plan_that_was_applied_leaves_nothing_to_plan(
        before in prop::option::of(prop_oneof![desired(None), desired(Some("us"))]),
        drifts in prop::collection::vec(drift(), 0..5),
        wanted in desired(Some("us")),
        gradual in any::<bool>(),
    ) {
        let mut live = Observed::default();
        if let Some(before) = &before {
            let plan = Plan::between(before, &live, &Stages::at_once()).unwrap();
            live = carried_out(&live, before, &plan);
            for drift in &drifts {
                drift.happen(&mut live);
            }
        }
        let rollout = if gradual { "10,100".parse().unwrap() } else { Stages::at_once() };
        let adopting = match Plan::between(&wanted, &live, &rollout) {
            Ok(_) => wanted.clone(),
            Err(Conflicts(conflicts)) => wanted.clone().adopting(&foreign_scripts(&conflicts)),
        };
        let plan = Plan::between(&adopting, &live, &rollout).unwrap();
        // A script that is there gets code only when nothing else is left that could fail, and nothing is taken away before that
        let place = |step: &Step| match step {
            Step::Upload(_) | Step::Shift(_) => 1,
            Step::RemoveRoute { .. } | Step::RemoveDomain { .. } => 2,
            _ => 0,
        };
        // What is adopted has somebody else's code until then: it gets nothing of ours before
        let of_adopted = |step: &&Step| matches!(
            step, Step::Settings { script, .. } | Step::WorkersDev { script, .. } if adopting.adopted.contains(script)
        );
        if live.scripts.len() == 2 && !adopting.adopted.contains("w-e") {
            let steps = plan.steps.iter().filter(|step| !of_adopted(step));
            prop_assert!(steps.is_sorted_by_key(place), "{plan}");
        }
        for (at, step) in plan.steps.iter().enumerate().filter(|(_, step)| of_adopted(step)) {
            let (Step::Settings { script: own, .. } | Step::WorkersDev { script: own, .. }) = step else {
                unreachable!()
            };
            let is_code = |step: &Step| match step {
                Step::Upload(upload) => upload.script == *own,
                Step::Shift(shift) => shift.script == *own,
                _ => false,
            };
            prop_assert!(!plan.steps[at..].iter().any(is_code), "{plan}");
        }
        let reached = carried_out(&live, &wanted, &plan);
        let again = Plan::between(&wanted, &reached, &rollout).unwrap();
        prop_assert!(again.is_empty(), "{again}");
        // What is not ours is as it was
        let foreign = |observed: &Observed| observed.routes.iter().filter(|route| route.script.as_deref() == Some("other")).count();
        prop_assert_eq!(foreign(&reached), foreign(&live));
        let secrets = |observed: &Observed| observed.scripts.get("w-e").map(|live| live.active.secrets.clone()).unwrap_or_default();
        let before: BTreeSet<String> = secrets(&live);
        prop_assert!(secrets(&reached).is_superset(&before), "a secret was lost");
        for (name, script) in &live.scripts {
            prop_assert_eq!(&reached.scripts[name].kept, &script.kept);
        }
    }
}
