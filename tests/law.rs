//! The law of plans through everything that carries it out: applied to a sandbox, a plan leaves nothing to plan; and where
//! something stands in the way, nothing is written. For generated manifests over generated live states.

use std::fmt::Write;

use edge_broadcast::environment::Environment;
use futures_util::StreamExt;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::rig::{ACCOUNT, Rig, Wanted, staging};

/// Each is a sandbox of its own with two deployments or three.
const CASES: usize = 48;
const AT_ONCE: usize = 4;

const GATEWAY: &str = "w-staging";
const ROOM: &str = "w-staging-room";
const HOSTS: [&str; 3] = ["a.glow.trade", "b.glow.trade", "c.glow.trade"];

/// A manifest, as far as it changes what is sent to the API.
#[derive(Clone, Debug)]
struct Manifest {
    /// The main host, and whether it is a custom domain.
    main: (usize, bool),
    second: Option<bool>,
    region: bool,
    dataset: bool,
    admin: bool,
    workers_dev: bool,
    observability: bool,
    cpu_ms: Option<u32>,
    date: &'static str,
    code_update: Option<&'static str>,
    history: u32,
    bytes: u32,
}

impl Manifest {
    fn environment(&self) -> Environment {
        let mut text = format!(
            "[worker]\nname = \"w\"\nowner = \"law\"\ncompatibility_date = \"{}\"\nobservability = {}\n",
            self.date, self.observability
        );
        if let Some(ms) = self.cpu_ms {
            let _ = writeln!(text, "cpu_ms = {ms}");
        }
        if let Some(update) = self.code_update {
            let _ = writeln!(text, "code_update = {update}");
        }
        let _ = writeln!(
            text,
            "[cloudflare]\nzone = \"glow.trade\"\nworkers_dev = {}\n[room]\nhistory = {}\n[access]\nmax_message_bytes = {}\n[secrets.WEBHOOK_SECRET]\nsource = \"env:X\"",
            self.workers_dev, self.history, self.bytes
        );
        if self.admin {
            text += "[secrets.ADMIN_SECRET]\nsource = \"env:Y\"\n";
        }
        if self.dataset {
            text += "[analytics]\ndataset = \"updates\"\n";
        }
        let (main, custom) = self.main;
        let second = self.second.map(|custom| ((main + 1) % 3, custom));
        for (host, custom) in [(main, custom)].into_iter().chain(second) {
            let _ = writeln!(
                text,
                "[[routes]]\nhost = \"{}\"\ncustom_domain = {custom}",
                HOSTS[host]
            );
        }
        if self.region {
            text += "[[regions]]\nname = \"eu\"\nhost = \"eu.glow.trade\"\nlocation_hint = \"weur\"\ncontinents = [\"EU\"]\n";
        }
        staging(&text)
    }
}

prop_compose! {
    fn manifests()(
        main in (0..3_usize, any::<bool>()),
        second in prop::option::of(any::<bool>()),
        (region, dataset, admin, workers_dev, observability) in any::<(bool, bool, bool, bool, bool)>(),
        cpu_ms in prop::option::of(10..12_u32),
        date in prop_oneof![Just("2026-09-01"), Just("2026-10-01")],
        code_update in prop::option::of(Just("{ mode = \"immediate\" }")),
        history in 1..3_u32,
        bytes in 64..66_u32,
    ) -> Manifest {
        Manifest { main, second, region, dataset, admin, workers_dev, observability, cpu_ms, date, code_update, history, bytes }
    }
}

/// What people and other tools did after the first deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drift {
    /// A version without a tag of ours.
    ASecretWasSet(&'static str),
    /// The newest version is not deployed.
    AVersionWasLeft,
    /// A rollout stopped half-way; of another code than what is wanted, it is a conflict.
    ARolloutWasBegun(&'static str),
    TheGatewayWasRemoved,
    BothWereRemoved,
    /// As an older version of this tool left them.
    TheOwnerWasForgotten(&'static str),
    /// A conflict: it may be anybody's.
    TheTagsWereEmptied(&'static str),
    SamplingWasSet,
    WorkersDevWasSwitched(&'static str),
    ARouteOfOursWasAdded,
    ARouteOfOthersWasAdded,
    /// A conflict, when the manifest wants that host.
    AHostWasTaken(usize),
}

fn drifts() -> impl Strategy<Value = Drift> {
    let script = prop_oneof![Just(GATEWAY), Just(ROOM)];
    prop_oneof![
        1 => script.clone().prop_map(Drift::ASecretWasSet),
        1 => Just(Drift::AVersionWasLeft),
        1 => prop_oneof![Just("one"), Just("two"), Just("three")].prop_map(Drift::ARolloutWasBegun),
        1 => Just(Drift::TheGatewayWasRemoved),
        1 => Just(Drift::BothWereRemoved),
        1 => script.clone().prop_map(Drift::TheOwnerWasForgotten),
        1 => script.clone().prop_map(Drift::TheTagsWereEmptied),
        1 => Just(Drift::SamplingWasSet),
        1 => script.prop_map(Drift::WorkersDevWasSwitched),
        1 => Just(Drift::ARouteOfOursWasAdded),
        1 => Just(Drift::ARouteOfOthersWasAdded),
        2 => (0..3_usize).prop_map(Drift::AHostWasTaken),
    ]
}

#[derive(Clone, Debug)]
struct Case {
    before: Option<Manifest>,
    drifts: Vec<Drift>,
    wanted: Manifest,
    /// Whether the code changes too.
    new_code: bool,
    gradual: bool,
}

prop_compose! {
    fn cases()(
        before in prop::option::weighted(0.85, manifests()),
        drifts in prop::collection::vec(drifts(), 0..4),
        wanted in manifests(),
        same in any::<bool>(),
        (new_code, gradual) in any::<(bool, bool)>(),
    ) -> Case {
        // A manifest that stayed as it was is as likely as one that changed
        let wanted = match &before {
            Some(before) if same => before.clone(),
            _ => wanted,
        };
        Case { before, drifts, wanted, new_code, gradual }
    }
}

/// Does it, where what it is about is there.
async fn drift(rig: &Rig, drift: Drift) {
    let observed = rig.observed().await;
    let there = |script: &str| observed.scripts.contains_key(script);
    // Secrets can be set only where all traffic has the newest version
    let settled = |script: &str| {
        observed.scripts.get(script).is_some_and(|live| {
            live.split.len() == 1
                && live.latest.as_ref().map(|(id, _)| id) == Some(&live.split[0].version_id)
        })
    };
    match drift {
        Drift::ASecretWasSet(script) if settled(script) => {
            rig.set_secret(script, "THEIRS", "a value of somebody else")
                .await;
        }
        Drift::AVersionWasLeft if there(GATEWAY) => {
            let path = format!("/accounts/{ACCOUNT}/workers/workers/{GATEWAY}/versions/latest");
            let secret = json!({ "env": { "LEFT": { "type": "secret_text", "text": "left" } } });
            rig.call("PATCH", &path, Some(secret)).await;
        }
        Drift::ARolloutWasBegun(code) if there(ROOM) => {
            let fault = json!({ "method": "POST", "path": "/deployments", "nth": 2, "times": 99, "kind": "status", "status": 500 });
            rig.fault(fault).await;
            let _ = rig.deploy(&Wanted::release(code).in_stages("40,100")).await;
            rig.forget().await;
        }
        Drift::TheGatewayWasRemoved => remove(rig, GATEWAY).await,
        Drift::BothWereRemoved => {
            remove(rig, GATEWAY).await;
            remove(rig, ROOM).await;
        }
        Drift::TheOwnerWasForgotten(script) if there(script) => {
            let tags = observed.scripts[script].tags.iter();
            let tags: Vec<_> = tags.filter(|tag| tag.starts_with("cf:")).collect();
            settings(rig, script, json!({ "tags": tags })).await;
        }
        Drift::TheTagsWereEmptied(script) if there(script) => {
            settings(rig, script, json!({ "tags": [] })).await;
        }
        Drift::SamplingWasSet if there(GATEWAY) => {
            let observability = json!({ "enabled": true, "head_sampling_rate": 0.5 });
            settings(rig, GATEWAY, json!({ "observability": observability })).await;
        }
        Drift::WorkersDevWasSwitched(script) if there(script) => {
            let enabled = !observed.scripts[script].workers_dev;
            let body = json!({ "enabled": enabled, "previews_enabled": enabled });
            rig.script("POST", script, "subdomain", Some(body)).await;
        }
        Drift::ARouteOfOursWasAdded if there(GATEWAY) => {
            route(rig, "unwanted.glow.trade/*", GATEWAY).await;
        }
        Drift::ARouteOfOthersWasAdded => route(rig, "shop.glow.trade/*", "theirs").await,
        Drift::AHostWasTaken(host) => {
            route(rig, &format!("{}/*", HOSTS[host]), "theirs").await;
        }
        _ => {}
    }
}

async fn remove(rig: &Rig, script: &str) {
    let path = format!("/accounts/{ACCOUNT}/workers/scripts/{script}?force=true");
    rig.call("DELETE", &path, None).await;
}

async fn settings(rig: &Rig, script: &str, settings: Value) {
    rig.script("PATCH", script, "script-settings", Some(settings))
        .await;
}

/// Gives a route to a script, whoever has it.
async fn route(rig: &Rig, pattern: &str, script: &str) {
    let zones = format!("/zones?name=glow.trade&account.id={ACCOUNT}");
    let zones = rig.call("GET", &zones, None).await;
    let routes = format!("/zones/{}/workers/routes", zones[0]["id"].as_str().unwrap());
    let observed = rig.observed().await.routes;
    if let Some(taken) = observed.iter().find(|route| route.pattern == pattern) {
        rig.call("DELETE", &format!("{routes}/{}", taken.id), None)
            .await;
    }
    let route = json!({ "pattern": pattern, "script": script });
    let answer = rig.call("POST", &routes, Some(route)).await;
    assert_ne!(answer["success"], false, "{answer}");
}

/// What became of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Applied,
    Conflict,
}

async fn one(case: &Case) -> Outcome {
    let code = if case.new_code { "two" } else { "one" };
    let mut wanted = Wanted::release(code);
    let environment = case.wanted.environment();
    let rig = Rig::new(environment.clone()).await;
    rig.foreign_script("theirs").await;
    let rig = match &case.before {
        Some(before) => {
            let mut rig = rig;
            rig.environment = before.environment();
            rig.deploy(&Wanted::release("one")).await.1.unwrap();
            rig.environment = environment;
            rig
        }
        None => rig,
    };
    for what in &case.drifts {
        drift(&rig, *what).await;
    }
    if case.gradual {
        wanted = wanted.in_stages("30,100");
    }
    let before = rig.observed().await;
    rig.forget().await;
    let planned = rig.try_plan(&wanted).await;
    let (report, result) = rig.deploy(&wanted).await;
    let Ok(plan) = planned else {
        result.unwrap_err();
        let calls = rig.calls().await;
        assert!(
            calls.iter().all(|call| call.method == "GET"),
            "{case:#?}: {calls:?}"
        );
        assert_eq!(rig.observed().await, before, "{case:#?}");
        rig.stop().await;
        return Outcome::Conflict;
    };
    result.unwrap_or_else(|error| panic!("{case:#?}\n{plan}\n{error:#}"));
    assert_eq!(report.done.len(), plan.steps.len(), "{case:#?}");
    let again = rig.plan(&wanted).await;
    assert!(
        again.is_empty(),
        "{case:#?}\napplied {plan}\n\nand then {again}"
    );
    let after = rig.observed().await;
    for (script, live) in &before.scripts {
        let now = &after.scripts[script];
        assert!(
            now.active.secrets.is_superset(&live.active.secrets),
            "{case:#?}: a secret was lost"
        );
        assert_eq!(now.kept, live.kept, "{case:#?}");
    }
    let theirs = |observed: &edge_broadcast::plan::Observed| {
        let routes = observed.routes.iter();
        routes
            .filter(|route| route.script.as_deref() == Some("theirs"))
            .count()
    };
    assert_eq!(theirs(&after), theirs(&before), "{case:#?}");
    rig.stop().await;
    Outcome::Applied
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_was_applied_to_any_live_state_leaves_nothing_to_plan_and_a_conflict_writes_nothing()
 {
    // The same cases in every run: a failure can be looked at again
    let mut runner = TestRunner::deterministic();
    let strategy = cases();
    let cases: Vec<Case> = (0..CASES)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect();
    let outcomes: Vec<Outcome> = futures_util::stream::iter(&cases)
        .map(one)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let count = |wanted| {
        outcomes
            .iter()
            .filter(|outcome| **outcome == wanted)
            .count()
    };
    assert!(
        count(Outcome::Conflict) >= 4 && count(Outcome::Applied) >= CASES / 2,
        "the cases are not spread: {outcomes:?}"
    );
}
