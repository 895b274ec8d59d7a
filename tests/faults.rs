//! Every call of a deployment, a rollback, a change of a secret and a destruction in turn meets every fault. The run ends in a bounded
//! time with a true report, loses no host and no secret, and a second run ends with nothing left to change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use edge_broadcast::build::Worker;
use edge_broadcast::cloudflare::error::advice;
use edge_broadcast::deploy::apply::{Probe, Report};
use edge_broadcast::environment::Environment;
use edge_broadcast::plan::{Observed, Percent, Plan, Step};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::support::rig::{Call, Rig, Wanted, staging};
use crate::support::{Printed, Run};

/// How long a call may take that never gets an answer.
const TIMEOUT: Duration = Duration::from_secs(1);
/// More than any faulted run may take: its pauses, one call that hangs, and a slow machine.
const BOUND: Duration = Duration::from_secs(30);
/// Cases at the same time: most of a case is waiting.
const AT_ONCE: usize = 14;

const GATEWAY: &str = "glow-broadcast-staging";
const ROOM: &str = "glow-broadcast-staging-room";

const FAULTS: [&str; 7] = [
    r#"{"kind":"status","status":500}"#,
    r#"{"kind":"status","status":503}"#,
    r#"{"kind":"rate_limit","retry_after":0}"#,
    r#"{"kind":"html"}"#,
    r#"{"kind":"reset"}"#,
    r#"{"kind":"hang"}"#,
    r#"{"kind":"lost"}"#,
];
/// From one call on the network is away.
const AWAY: &str = r#"{"kind":"reset","times":1000000}"#;

/// Two routes; the gateway is on workers.dev.
const BEFORE: &str = r#"
[worker]
name = "glow-broadcast"
compatibility_date = "2026-10-01"
[cloudflare]
zone = "glow.trade"
workers_dev = true
[[routes]]
host = "broadcast-staging.glow.trade"
[[routes]]
host = "old.glow.trade"
[secrets.WEBHOOK_SECRET]
source = "env:WEBHOOK_SECRET"
"#;

/// One of the routes, a custom domain, another limit, nothing on workers.dev, and an owner.
const AFTER: &str = r#"
[worker]
name = "glow-broadcast"
owner = "github.com/glow/broadcast"
compatibility_date = "2026-10-01"
cpu_ms = 50
[cloudflare]
zone = "glow.trade"
[[routes]]
host = "broadcast-staging.glow.trade"
[[routes]]
host = "live.glow.trade"
custom_domain = true
[secrets.WEBHOOK_SECRET]
source = "env:WEBHOOK_SECRET"
"#;

/// One route, which stays.
const RESTING: &str = r#"
[worker]
name = "glow-broadcast"
compatibility_date = "2026-10-01"
[cloudflare]
zone = "glow.trade"
[[routes]]
host = "broadcast-staging.glow.trade"
[secrets.WEBHOOK_SECRET]
source = "env:WEBHOOK_SECRET"
"#;

/// A route and a custom domain, which move.
const MOVING: &str = r#"
[worker]
name = "glow-broadcast"
compatibility_date = "2026-10-01"
[cloudflare]
zone = "glow.trade"
[[routes]]
host = "moving.glow.trade"
[[routes]]
host = "live.glow.trade"
custom_domain = true
[secrets.WEBHOOK_SECRET]
source = "env:WEBHOOK_SECRET"
"#;

/// What is live before the faulted run, kept in a directory of which every case gets a copy.
struct Start(Option<tempfile::TempDir>);

impl Start {
    fn nothing() -> Self {
        Self(None)
    }

    /// A first release. Then somebody set a secret, so that the gateway's version has no tag of ours, and somebody switched the room's
    /// logs off.
    async fn drifted() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rig = Rig::kept(staging(BEFORE), folder.path()).await;
        rig.deploy(&Wanted::release("one")).await.1.unwrap();
        rig.set_secret(GATEWAY, "THEIRS", "a value of somebody else")
            .await;
        let settings = json!({ "observability": { "enabled": false } });
        rig.script("PATCH", ROOM, "script-settings", Some(settings))
            .await;
        rig.stop().await;
        Self(Some(folder))
    }

    /// Releases, one after the other.
    async fn released(releases: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rig = Rig::kept(staging(BEFORE), folder.path()).await;
        for release in releases {
            rig.deploy(&Wanted::release(release)).await.1.unwrap();
        }
        rig.stop().await;
        Self(Some(folder))
    }

    /// Another environment has the hosts that move, and this one is live without them.
    async fn beside_another() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let other = Environment::resolve(&"qa".parse().unwrap(), "qa.toml", MOVING).unwrap();
        for environment in [other, staging(RESTING)] {
            let rig = Rig::kept(environment, folder.path()).await;
            rig.deploy(&Wanted::release("one")).await.1.unwrap();
            rig.stop().await;
        }
        Self(Some(folder))
    }

    /// A sandbox in which this is live; what it writes is removed with the directory.
    async fn copy(&self, environment: Environment) -> (Rig, tempfile::TempDir) {
        let copy = tempfile::tempdir().unwrap();
        if let Some(folder) = &self.0 {
            copy_all(folder.path(), copy.path());
        }
        let rig = match &self.0 {
            Some(_) => Rig::kept(environment, copy.path()).await,
            None => Rig::new(environment).await,
        };
        rig.forget().await;
        (rig, copy)
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Which fault meets which call, counted from 1: every write meets every fault; a read has nothing to lose but its answer, so
/// each meets one, the next one another.
fn cases(calls: &[Call]) -> Vec<(usize, &'static str)> {
    let mut cases = Vec::new();
    let mut reads = 0;
    for (at, call) in calls.iter().enumerate() {
        if call.method == "GET" {
            cases.push((at + 1, FAULTS[reads % FAULTS.len()]));
            reads += 1;
        } else {
            cases.extend(FAULTS.map(|fault| (at + 1, fault)));
        }
    }
    assert!(reads >= FAULTS.len(), "a fault meets no read: {calls:?}");
    cases
}

/// Each call is the last one before the network goes away.
fn losses(calls: &[Call]) -> Vec<(usize, &'static str)> {
    (1..=calls.len()).map(|nth| (nth, AWAY)).collect()
}

/// Deploys `wanted` by `manifest` over `start` once for each case. Returns what the faulted runs report.
async fn deployments(
    start: Start,
    manifest: &str,
    wanted: Wanted,
    cases: impl Fn(&[Call]) -> Vec<(usize, &'static str)>,
) -> Vec<Report> {
    let (rig, _folder) = start.copy(staging(manifest)).await;
    rig.deploy(&wanted).await.1.unwrap();
    let calls = rig.calls().await;
    rig.stop().await;
    let (start, wanted) = (&start, &wanted);
    futures_util::stream::iter(cases(&calls))
        .map(|(nth, fault)| async move {
            let (rig, _folder) = start.copy(staging(manifest)).await;
            let report = one_deployment(&rig, wanted, nth, fault).await;
            rig.stop().await;
            report
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

async fn fault(rig: &Rig, nth: usize, fault: &str) {
    let mut fault: Value = serde_json::from_str(fault).unwrap();
    fault["nth"] = json!(nth);
    rig.fault(fault).await;
}

/// The fault was met; what is left of a lasting one is taken away.
async fn recovered(rig: &Rig, fault: &str, case: &str) {
    if fault != AWAY {
        assert_eq!(rig.faults().await, json!([]), "{case}: it was not met");
    }
    rig.forget().await;
}

async fn one_deployment(rig: &Rig, wanted: &Wanted, nth: usize, kind: &str) -> Report {
    let case = format!("call {nth} meets {kind}");
    let live_before = rig.observed().await;
    let plan = rig.plan(wanted).await;
    rig.forget().await;
    fault(rig, nth, kind).await;
    let cloudflare = match kind.contains("hang") {
        true => rig.client().patient_for(TIMEOUT),
        false => rig.client(),
    };
    let began = Instant::now();
    // Where the network is away for one it is for the other
    let (passed, refused) = (AtomicBool::new(false), AtomicBool::new(false));
    let check = async |_: Probe<'_>| {
        let away = kind == AWAY && rig.faults().await[0]["times"] != 1_000_000;
        passed.store(!away, Ordering::Relaxed);
        refused.fetch_or(away, Ordering::Relaxed);
        anyhow::ensure!(!away, "the network is away");
        Ok(())
    };
    let (report, result) = rig.deploy_checked(&cloudflare, wanted, check).await;
    assert!(
        began.elapsed() < BOUND,
        "{case}: took {:?}",
        began.elapsed()
    );
    recovered(rig, kind, &case).await;
    let live = rig.observed().await;
    nothing_is_lost(&live_before, &live, &plan, &case);
    for script in [GATEWAY, ROOM] {
        let served = |observed: &Observed| {
            let shares = observed.scripts.get(script).map(|live| live.split.clone());
            let mut shares = shares.map_or(Vec::new(), |split| split.to_vec());
            shares.retain(|share| share.percentage > Percent::default());
            shares
        };
        // What is live was verified, or is named as what was not
        let known = served(&live) == served(&live_before)
            || report.unverified.contains(script)
            || passed.load(Ordering::Relaxed);
        assert!(known, "{case}: {script}: {report:?}");
    }
    let titles: Vec<String> = plan.steps.iter().map(Step::title).collect();
    match &result {
        Ok(()) => {
            assert_eq!(report.done, titles, "{case}");
            assert!(report.unverified.is_empty(), "{case}: {report:?}");
            assert!(
                rig.plan(wanted).await.is_empty(),
                "{case}: it said that all is done"
            );
        }
        Err(error) if report.failed.is_some() => {
            let all = report
                .done
                .iter()
                .chain(&report.failed)
                .chain(&report.not_attempted)
                // What lies between the last step that adds and the first that removes, and is no step
                .filter(|title| *title != "verify what is live");
            assert!(all.eq(&titles), "{case}: {report:?}");
            assert!(
                format!("{error:#}").contains(report.failed.as_deref().unwrap()),
                "{case}: {error:#}"
            );
        }
        // It failed while it looked at what is live, before the first write
        Err(_) => assert_eq!(live, live_before, "{case}"),
    }
    is_true(&report, &plan, &live, &case);
    for host in moved(&plan.steps[..report.done.len()]) {
        // What did not pass its check goes back, or is told
        let told = report.moved_back.contains(host) || report.not_moved_back.contains_key(host);
        assert_eq!(told, refused.load(Ordering::Relaxed), "{case}: {report:?}");
    }
    let (_, again) = rig.deploy(wanted).await;
    again.unwrap_or_else(|error| panic!("{case}: the second run failed: {error:#}"));
    assert!(
        rig.plan(wanted).await.is_empty(),
        "{case}: the second run left something"
    );
    report
}

/// The hosts that these steps move.
fn moved(steps: &[Step]) -> impl Iterator<Item = &String> {
    steps.iter().filter_map(|step| match step {
        Step::MoveRoute { pattern: host, .. } | Step::MoveDomain { hostname: host, .. } => {
            Some(host)
        }
        _ => None,
    })
}

/// Only the hosts that the plan removes may be gone, whichever script has them, and no secret.
fn nothing_is_lost(before: &Observed, now: &Observed, plan: &Plan, case: &str) {
    let kept = hosts(now);
    let removed = |host: &str| {
        plan.steps.iter().any(|step| match step {
            Step::RemoveRoute { pattern: gone, .. } | Step::RemoveDomain { hostname: gone, .. } => {
                gone == host
            }
            _ => false,
        })
    };
    for host in hosts(before).keys() {
        let is_kept = kept.contains_key(host) || removed(host);
        assert!(is_kept, "{case}: `{host}` was lost");
    }
    let secrets = |live: &Observed| -> BTreeSet<String> {
        let gateway = live.scripts.get(GATEWAY);
        gateway
            .map(|live| live.active.secrets.clone())
            .unwrap_or_default()
    };
    assert!(
        secrets(now).is_superset(&secrets(before)),
        "{case}: a secret was lost"
    );
}

/// Whatever the report calls done is live.
fn is_true(report: &Report, plan: &Plan, live: &Observed, case: &str) {
    let done = &plan.steps[..report.done.len()];
    for (at, step) in done.iter().enumerate() {
        let is_so = match step {
            Step::Upload(upload) => {
                let latest = &live.scripts[&upload.script].latest;
                latest.as_ref().and_then(|(_, tag)| tag.as_ref()) == Some(&upload.tag)
            }
            Step::Shift(shift) => {
                let later = done[at + 1..].iter().any(
                    |later| matches!(later, Step::Shift(later) if later.script == shift.script),
                );
                // What failed next may have happened all the same
                let next = plan.steps.get(done.len());
                let next = matches!(next, Some(Step::Shift(next)) if next.script == shift.script);
                let version = &report.versions[&shift.script];
                later
                    || next
                    || live.scripts[&shift.script].split.iter().any(|share| {
                        share.version_id == *version
                            && share.percentage == Percent::from(shift.percent)
                    })
            }
            Step::Settings {
                script,
                tags,
                observability,
                ..
            } => {
                let live = &live.scripts[script];
                live.tags.is_superset(tags) && live.observability == *observability
            }
            Step::WorkersDev {
                script, enabled, ..
            } => live.scripts[script].workers_dev == *enabled,
            Step::AddRoute { pattern, .. } => routes(live).contains(pattern),
            Step::MoveRoute {
                pattern: host,
                from,
                ..
            }
            | Step::MoveDomain {
                hostname: host,
                from,
                ..
            } => {
                let has = hosts(live).remove(host);
                let is_at = |script: &str| has.as_deref() == Some(script);
                match report.moved_back.contains(host) {
                    true => is_at(from),
                    // The answer of a move back may be lost
                    false => {
                        is_at(GATEWAY) || report.not_moved_back.contains_key(host) && is_at(from)
                    }
                }
            }
            Step::RemoveRoute { pattern, .. } => !routes(live).contains(pattern),
            Step::AddDomain { hostname, .. } => domains(live).contains(hostname),
            Step::RemoveDomain { hostname, .. } => !domains(live).contains(hostname),
        };
        assert!(
            is_so,
            "{case}: `{}` is reported as done: {live:#?}",
            step.title()
        );
    }
}

/// The patterns of routes and the custom domains of all scripts, with the script that has each.
fn hosts(observed: &Observed) -> BTreeMap<String, String> {
    let routes = observed.routes.iter();
    let routes = routes.filter_map(|it| Some((it.pattern.clone(), it.script.clone()?)));
    let domains = observed.domains.iter();
    routes
        .chain(domains.map(|it| (it.hostname.clone(), it.script.clone())))
        .collect()
}

fn routes(observed: &Observed) -> BTreeSet<String> {
    let ours = observed
        .routes
        .iter()
        .filter(|route| route.script.as_deref() == Some(GATEWAY));
    ours.map(|route| route.pattern.clone()).collect()
}

fn domains(observed: &Observed) -> BTreeSet<String> {
    let ours = observed
        .domains
        .iter()
        .filter(|domain| domain.script == GATEWAY);
    ours.map(|domain| domain.hostname.clone()).collect()
}

fn rollout() -> Wanted {
    Wanted::release("two").in_stages("50,100")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_faulted_deployment_has_a_step_of_every_kind_that_a_redeployment_can_have() {
    let (rig, _folder) = Start::drifted().await.copy(staging(AFTER)).await;
    assert!(
        rig.observed().await.scripts[GATEWAY].active.tag.is_none(),
        "the gateway's version has a tag"
    );
    let plan = rig.plan(&rollout()).await;
    let titles: Vec<String> = plan.steps.iter().map(Step::title).collect();
    assert_eq!(
        titles,
        [
            "set the tags of `glow-broadcast-staging-room`",
            "set the tags of `glow-broadcast-staging`",
            "keep `glow-broadcast-staging` off workers.dev",
            "attach the custom domain `live.glow.trade` to `glow-broadcast-staging`",
            "upload a version of `glow-broadcast-staging-room`",
            "give 50 % of the traffic of `glow-broadcast-staging-room` to the new version, and check it",
            "give all traffic of `glow-broadcast-staging-room` to the new version",
            "upload a version of `glow-broadcast-staging`",
            "give 0 % of the traffic of `glow-broadcast-staging` to the new version, and check it",
            "give 50 % of the traffic of `glow-broadcast-staging` to the new version, and check it",
            "give all traffic of `glow-broadcast-staging` to the new version",
            "remove the route `old.glow.trade/*` of `glow-broadcast-staging`",
        ]
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_deployment_survives_every_fault_at_every_call() {
    deployments(Start::nothing(), AFTER, Wanted::release("one"), cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redeployment_survives_every_fault_at_every_call() {
    deployments(Start::drifted().await, AFTER, Wanted::release("two"), cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_survives_every_fault_at_every_call() {
    deployments(Start::released(&["one"]).await, BEFORE, rollout(), cases).await;
}

/// The one that stays, and those that move.
fn all_hosts() -> String {
    let (_, moving) = MOVING.split_once("[[routes]]").unwrap();
    let (moving, _) = moving.split_once("[secrets").unwrap();
    RESTING.replace("[secrets", &format!("[[routes]]{moving}[secrets"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_of_hosts_survives_every_fault_at_every_call() {
    let wanted = Wanted::release("one").taking_from("glow-broadcast-qa");
    let start = Start::beside_another().await;
    deployments(start, &all_hosts(), wanted, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_loses_the_network_at_any_call_is_finished_by_the_next_run() {
    deployments(Start::nothing(), AFTER, Wanted::release("one"), losses).await;
    deployments(Start::drifted().await, AFTER, rollout(), losses).await;
    // Of new code, so that there is something to check when the network is away
    let moving = Wanted::release("two").taking_from("glow-broadcast-qa");
    let start = Start::beside_another().await;
    let reports = deployments(start, &all_hosts(), moving, losses).await;
    assert!(
        reports
            .iter()
            .any(|report| !report.not_moved_back.is_empty()),
        "no move was to be taken back: {reports:?}"
    );
}

/// The two releases that there are: the versions of gateway and room, the newest first.
async fn releases(rig: &Rig) -> [[String; 2]; 2] {
    let mut releases = [const { [const { String::new() }; 2] }; 2];
    for (at, script) in [GATEWAY, ROOM].into_iter().enumerate() {
        let versions = rig.script("GET", script, "versions", None).await;
        for (release, versions_of_release) in releases.iter_mut().enumerate() {
            versions["items"][release]["id"]
                .as_str()
                .unwrap()
                .clone_into(&mut versions_of_release[at]);
        }
    }
    releases
}

/// What a command says, since that is what counts; each of its calls may take `timeout`.
async fn answered(rig: &Rig, run: Run, timeout: Duration) -> Printed {
    let run = run
        .env("CLOUDFLARE_API_BASE_URL", &rig.api())
        .env("CLOUDFLARE_API_TOKEN", rig.token())
        .env("CLOUDFLARE_ACCOUNT_ID", crate::support::rig::ACCOUNT)
        .env(
            "EDGE_BROADCAST_API_TIMEOUT",
            &format!("{}ms", timeout.as_millis()),
        );
    tokio::task::spawn_blocking(|| run.printed()).await.unwrap()
}

/// What a command says whose call `nth` meets the fault `kind`, after which the network is back.
async fn faulted(
    rig: &Rig,
    nth: usize,
    kind: &str,
    command: impl AsyncFnOnce(Duration) -> Printed,
) -> Printed {
    rig.forget().await;
    fault(rig, nth, kind).await;
    let began = Instant::now();
    let printed = command(match kind.contains("hang") {
        true => TIMEOUT,
        false => BOUND,
    })
    .await;
    let case = format!("call {nth} meets {kind}");
    assert!(
        began.elapsed() < BOUND,
        "{case}: took {:?}",
        began.elapsed()
    );
    recovered(rig, kind, &case).await;
    printed
}

/// It reads no secret, so it does not verify.
async fn rolled_back(rig: &Rig, to: &str, timeout: Duration) -> Printed {
    let run = Run::new(["rollback", "staging", "--to", to, "--json"]);
    answered(rig, run, timeout).await
}

fn live_versions(observed: &Observed) -> [String; 2] {
    [GATEWAY, ROOM].map(|script| {
        let split = &observed.scripts[script].split;
        assert_eq!(split.len(), 1, "{split:?}");
        split[0].version_id.clone()
    })
}

async fn rollbacks(cases: impl Fn(&[Call]) -> Vec<(usize, &'static str)>) {
    let start = Start::released(&["one", "two"]).await;
    let (rig, _folder) = start.copy(staging(BEFORE)).await;
    let [new, old] = releases(&rig).await;
    rig.forget().await;
    let printed = rolled_back(&rig, &old[0], BOUND).await;
    assert_eq!(printed.code, 0, "{}", printed.stdout);
    let calls = rig.calls().await;
    assert_eq!(live_versions(&rig.observed().await), old);
    rig.stop().await;
    let (start, new, old) = (&start, &new, &old);
    futures_util::stream::iter(cases(&calls))
        .for_each_concurrent(AT_ONCE, async |(nth, kind)| {
            let (rig, _folder) = start.copy(staging(BEFORE)).await;
            one_rollback(&rig, new, old, nth, kind).await;
            rig.stop().await;
        })
        .await;
}

async fn one_rollback(rig: &Rig, new: &[String; 2], old: &[String; 2], nth: usize, kind: &str) {
    let case = format!("call {nth} meets {kind}");
    let live_before = rig.observed().await;
    let printed = faulted(rig, nth, kind, async |timeout| {
        rolled_back(rig, &old[0], timeout).await
    })
    .await;
    let live = rig.observed().await;
    assert_eq!(routes(&live), routes(&live_before), "{case}");
    let versions = live_versions(&live);
    for script in 0..2 {
        assert!(
            versions[script] == new[script] || versions[script] == old[script],
            "{case}: {versions:?}"
        );
    }
    if printed.code == 0 {
        assert_eq!(&versions, old, "{case}: it said that all is done");
        assert_eq!(
            printed.json()["rolled_back"].as_array().unwrap().len(),
            2,
            "{case}"
        );
    } else {
        assert_eq!(printed.code, 1, "{case}: {}", printed.stderr);
        assert!(printed.stderr.contains("error: "), "{case}");
        // A script that it calls done is, and what was not attempted is as it was; without an answer nothing was begun
        let (done, open) = match printed.stdout.as_str() {
            "" => (Vec::new(), [GATEWAY, ROOM].to_vec()),
            _ => {
                let answer = printed.json();
                let named = |key: &str| -> Vec<&str> {
                    let of = |script: &&str| {
                        let list = answer[key].as_array().unwrap();
                        list.iter().any(|target| target["script"] == *script)
                    };
                    [GATEWAY, ROOM].into_iter().filter(of).collect()
                };
                (named("rolled_back"), named("not_rolled_back").split_off(1))
            }
        };
        for (at, script) in [GATEWAY, ROOM].into_iter().enumerate() {
            if done.contains(&script) {
                assert_eq!(versions[at], old[at], "{case}: {}", printed.stdout);
            }
            if open.contains(&script) {
                assert_eq!(versions[at], new[at], "{case}: {}", printed.stdout);
            }
        }
    }
    let again = rolled_back(rig, &old[0], BOUND).await;
    let nothing = again
        .stderr
        .contains("has that version live already; nothing was changed");
    assert!(again.code == 0 || nothing, "{case}: {}", again.stderr);
    assert_eq!(
        &live_versions(&rig.observed().await),
        old,
        "{case}: the second run left something"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_survives_every_fault_at_every_call() {
    rollbacks(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_loses_the_network_at_any_call_is_finished_by_the_next_run() {
    rollbacks(losses).await;
}

/// Sets the secret.
async fn set(rig: &Rig, timeout: Duration) -> Printed {
    let run = Run::new(["secrets", "set", "staging", "WEBHOOK_SECRET", "--json"]).env(
        "WEBHOOK_SECRET",
        "whsec_YW5vdGhlci1zZWNyZXQtb2YtdGhlLWZhdWx0LXRlc3Rz",
    );
    answered(rig, run, timeout).await
}

/// Sets a secret of a release that was rolled back to, once for each case.
async fn changes_after_a_rollback(cases: impl Fn(&[Call]) -> Vec<(usize, &'static str)>) {
    let start = Start::released(&["one", "two"]).await;
    let back = tempfile::tempdir().unwrap();
    copy_all(start.0.as_ref().unwrap().path(), back.path());
    let rig = Rig::kept(staging(BEFORE), back.path()).await;
    let [_, old] = releases(&rig).await;
    assert_eq!(rolled_back(&rig, &old[0], BOUND).await.code, 0);
    rig.stop().await;
    let start = &Start(Some(back));
    let (rig, _folder) = start.copy(staging(BEFORE)).await;
    assert_eq!(set(&rig, BOUND).await.code, 0);
    let calls = rig.calls().await;
    rig.stop().await;
    futures_util::stream::iter(cases(&calls))
        .for_each_concurrent(AT_ONCE, async |(nth, kind)| {
            let (rig, _folder) = start.copy(staging(BEFORE)).await;
            one_change(&rig, nth, kind).await;
            rig.stop().await;
        })
        .await;
}

async fn one_change(rig: &Rig, nth: usize, kind: &str) {
    let case = format!("call {nth} meets {kind}");
    let before = rig.observed().await;
    let printed = faulted(rig, nth, kind, async |timeout| set(rig, timeout).await).await;
    is_the_same_code(rig, &before, &case).await;
    let live = rig.observed().await;
    let is_settled = |live: &Observed| {
        let gateway = &live.scripts[GATEWAY];
        gateway.latest.as_ref().map(|(id, _)| id) == Some(&gateway.active.id)
    };
    match printed.code {
        0 => assert!(is_settled(&live), "{case}: it said that all is done"),
        code => {
            assert_eq!(code, 1, "{case}: {}", printed.stderr);
            assert!(printed.stderr.contains("error: "), "{case}");
        }
    }
    let again = set(rig, BOUND).await;
    assert_eq!(again.code, 0, "{case}: {}", again.stderr);
    is_the_same_code(rig, &before, &case).await;
    let live = rig.observed().await;
    assert!(is_settled(&live), "{case}: the second run left something");
    assert!(rig.plan(&Wanted::release("one")).await.is_empty(), "{case}");
}

/// Of each script all is live that was, but for the values of secrets, and one version has all traffic.
async fn is_the_same_code(rig: &Rig, before: &Observed, case: &str) {
    let now = rig.observed().await;
    live_versions(&now);
    for script in [GATEWAY, ROOM] {
        let of = |observed: &Observed| {
            let mut active = observed.scripts[script].active.clone();
            active.id.clear();
            active
        };
        // A change in place has no tag
        let (mut was, now) = (of(before), of(&now));
        was.tag.clone_from(&now.tag);
        assert_eq!(now, was, "{case}");
    }
    assert_eq!(routes(&now), routes(before), "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_secret_after_a_rollback_survives_every_fault_at_every_call() {
    changes_after_a_rollback(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_secret_after_a_rollback_that_loses_the_network_is_made_by_the_next_run() {
    changes_after_a_rollback(losses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_changes_of_a_secret_after_a_rollback_at_once_none_is_lost_in_silence() {
    let start = Start::released(&["one", "two"]).await;
    for round in 0..3 {
        let (rig, _folder) = start.copy(staging(BEFORE)).await;
        let [_, old] = releases(&rig).await;
        assert_eq!(rolled_back(&rig, &old[0], BOUND).await.code, 0);
        let before = rig.observed().await;
        let (a, b) = tokio::join!(set(&rig, BOUND), set(&rig, BOUND));
        let case = format!("round {round}: {} {}", a.stderr, b.stderr);
        is_the_same_code(&rig, &before, &case).await;
        let live = rig.observed().await.scripts[GATEWAY].active.id.clone();
        let winners = [&a, &b].into_iter().filter(|printed| printed.code == 0);
        let winners: Vec<String> = winners
            .map(|printed| {
                printed.json()["version"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect();
        assert!(
            winners
                .iter()
                .any(|version| *version == live || version.is_empty()),
            "{case}"
        );
        for loser in [&a, &b].into_iter().filter(|printed| printed.code != 0) {
            assert!(
                loser.stderr.contains("run the same command again"),
                "{case}"
            );
        }
        rig.stop().await;
    }
}

/// The command itself, as with [`rolled_back`].
async fn destroyed(rig: &Rig, timeout: Duration) -> Printed {
    let run = Run::new(["destroy", "staging", "--confirm", "staging", "--json"]);
    answered(rig, run, timeout).await
}

async fn destructions(cases: impl Fn(&[Call]) -> Vec<(usize, &'static str)>) {
    let start = Start::released(&["one"]).await;
    let (rig, _folder) = start.copy(staging(BEFORE)).await;
    let printed = destroyed(&rig, BOUND).await;
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    let titles: Vec<String> = printed.json()["destroyed"]["done"]
        .as_array()
        .unwrap()
        .iter()
        .map(|title| title.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        titles,
        [
            // What shows whose the rest is goes last, in whatever order they are listed
            format!("remove the route `old.glow.trade/*` of `{GATEWAY}`"),
            format!("remove the route `broadcast-staging.glow.trade/*` of `{GATEWAY}`"),
            format!("delete the script `{GATEWAY}`"),
            format!("delete the script `{ROOM}`"),
        ]
    );
    let calls = rig.calls().await;
    rig.stop().await;
    let (start, titles) = (&start, &titles);
    futures_util::stream::iter(cases(&calls))
        .for_each_concurrent(AT_ONCE, async |(nth, kind)| {
            let (rig, _folder) = start.copy(staging(BEFORE)).await;
            one_destruction(&rig, titles, nth, kind).await;
            rig.stop().await;
        })
        .await;
}

async fn one_destruction(rig: &Rig, titles: &[String], nth: usize, kind: &str) {
    let case = format!("call {nth} meets {kind}");
    rig.foreign_script("somebody-elses").await;
    let printed = faulted(rig, nth, kind, async |timeout| {
        destroyed(rig, timeout).await
    })
    .await;
    let live = rig.observed().await;
    let is_so = |title: &str| match title {
        _ if title == titles[0] => !routes(&live).contains("old.glow.trade/*"),
        _ if title == titles[1] => !routes(&live).contains("broadcast-staging.glow.trade/*"),
        _ if title == titles[2] => !live.scripts.contains_key(GATEWAY),
        _ => !live.scripts.contains_key(ROOM),
    };
    let list = |answer: &Value, key: &str| -> Vec<String> {
        serde_json::from_value(answer["destroyed"][key].clone()).unwrap_or_default()
    };
    // What it calls done is done, and what it did not attempt is as it was
    match (printed.code, printed.stdout.as_str()) {
        (1, "") => assert!(!titles.iter().any(|title| is_so(title)), "{case}"),
        (code, _) => {
            let answer = printed.json();
            let [done, open] = ["done", "not_attempted"].map(|key| list(&answer, key));
            assert!(done.iter().all(|title| is_so(title)), "{case}: {answer}");
            assert!(!open.iter().any(|title| is_so(title)), "{case}: {answer}");
            let failed: Vec<String> =
                serde_json::from_value(json!([answer["destroyed"]["failed"]])).unwrap_or_default();
            assert_eq!([done, failed, open].concat(), titles, "{case}");
            assert_eq!(code == 1, answer["failure"].is_string(), "{case}");
        }
    }
    let again = destroyed(rig, BOUND).await;
    assert_eq!(again.code, 0, "{case}: {}", again.stderr);
    let again = destroyed(rig, BOUND).await;
    assert_eq!(again.json()["steps"], json!([]), "{case}");
    let live = rig.observed().await;
    assert!(
        live.scripts.is_empty() && live.routes.is_empty(),
        "{case}: {live:#?}"
    );
    let path = format!("/accounts/{}/workers/scripts", crate::support::rig::ACCOUNT);
    let left = rig.call("GET", &path, None).await;
    assert_eq!(left.as_array().unwrap().len(), 1, "{case}: {left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destruction_survives_every_fault_at_every_call() {
    destructions(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destruction_that_loses_the_network_at_any_call_is_finished_by_the_next_run() {
    destructions(losses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_deployments_at_once_one_wins_and_the_other_says_so() {
    for first in [true, false] {
        for round in 0..5 {
            let rig = Rig::new(staging(BEFORE)).await;
            if !first {
                rig.deploy(&Wanted::release("zero")).await.1.unwrap();
            }
            let (one, two) = (Wanted::release("one"), Wanted::release("two"));
            let ((_, a), (_, b)) = tokio::join!(rig.deploy(&one), rig.deploy(&two));
            let said: Vec<String> = [&a, &b]
                .iter()
                .filter_map(|result| result.as_ref().err())
                .map(|error| advice(error).line())
                .collect();
            assert_eq!(said.len(), 1, "round {round}: {said:?}");
            assert!(said[0].contains("plan again"), "round {round}: {said:?}");
            let observed = rig.observed().await;
            let code = |script: &str| {
                observed
                    .scripts
                    .get(script)
                    .and_then(|live| live.active.code.clone())
            };
            let live = (code(GATEWAY), code(ROOM));
            let of = |wanted: &Wanted, worker| Some(wanted.bundle(worker).tag().to_owned());
            let winner = if a.is_ok() { &one } else { &two };
            assert_eq!(
                live,
                (of(winner, Worker::Gateway), of(winner, Worker::Room)),
                "round {round}: what is live is not the winner's"
            );
            rig.stop().await;
        }
    }
}
