use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use edge_broadcast::cloudflare::Cloudflare;
use edge_broadcast::cloudflare::error::advice;
use edge_broadcast::cloudflare::observe::observe;
use edge_broadcast::deploy::apply::{Probe, Report, apply};
use edge_broadcast::environment::Environment;
use edge_broadcast::live::rooms::{self, Proof, Sought};
use edge_broadcast::live::site::{Handshake, Site};
use edge_broadcast::live::verify::{Expected, Publisher, verify};
use edge_broadcast::plan::Plan;
use edge_broadcast::secret::Value;
use serde_json::json;

use crate::support::rig::{Rig, Wanted};
use crate::support::{Project, Run, Sandbox, api, built, manifest};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1yb2xsb3V0LXRlc3RzLTE=";
const GATEWAY: &str = "glow-broadcast-staging";
const ROOM: &str = "glow-broadcast-staging-room";

fn deployed() -> Sandbox {
    built();
    let sandbox = Sandbox::start();
    deploy(&sandbox).succeeds();
    sandbox
}

fn deploy(sandbox: &Sandbox) -> Run {
    Run::new(["deploy", "staging"])
        .against(sandbox)
        .env("WEBHOOK_SECRET", SECRET)
}

fn roll_out(sandbox: &Sandbox, project: &Project, stages: &str) -> Run {
    Run::new(["deploy", "staging", "--rollout", stages, "--pause", "0s"])
        .inside(project)
        .against(sandbox)
        .env("WEBHOOK_SECRET", SECRET)
}

/// A change of the gateway that works.
fn good() -> Project {
    Project::with_staging("max_message_bytes = 16384", "max_message_bytes = 8192")
}

/// A change of the gateway that refuses even the verification's own message.
fn bad() -> Project {
    Project::with_staging("max_message_bytes = 16384", "max_message_bytes = 64")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_version_gets_its_shares_one_after_the_other() {
    let sandbox = deployed();
    let old = api::shares(&sandbox, GATEWAY).await[0].0.clone();
    let printed = roll_out(&sandbox, &good(), "5,25,100").succeeds();
    assert!(
        printed.stderr.contains(
            "give 0 % of the traffic of `glow-broadcast-staging` to the new version, and check it\n"
        ),
        "{}",
        printed.stderr
    );
    let deployments = api::deployments(&sandbox, GATEWAY).await;
    let new = api::shares_of(&deployments[0])[0].0.clone();
    let shares: Vec<_> = deployments[..4].iter().rev().map(api::shares_of).collect();
    let at = |percent: f64| vec![(new.clone(), percent), (old.clone(), 100.0 - percent)];
    assert_eq!(
        shares,
        [at(0.0), at(5.0), at(25.0), vec![(new.clone(), 100.0)]]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_its_probe_never_gets_traffic() {
    let sandbox = deployed();
    let before = api::shares(&sandbox, GATEWAY).await;
    let printed = roll_out(&sandbox, &bad(), "5,25,100").fails();
    assert!(
        printed
            .stderr
            .contains("taken back:     `glow-broadcast-staging` has the version before again\n"),
        "{}",
        printed.stderr
    );
    assert!(
        printed
            .stderr
            .contains("the check at 0 % of `glow-broadcast-staging` failed"),
        "{}",
        printed.stderr
    );
    assert_eq!(api::shares(&sandbox, GATEWAY).await, before);
    let highest = api::deployments(&sandbox, GATEWAY)
        .await
        .iter()
        .flat_map(api::shares_of)
        .filter(|(id, _)| *id != before[0].0)
        .map(|(_, share)| share)
        .fold(0.0, f64::max);
    assert!(highest < 1.0, "it had {highest} % of the traffic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_fails_its_verification_goes_back_by_itself() {
    let sandbox = deployed();
    let before = api::shares(&sandbox, GATEWAY).await;
    let printed = Run::new(["deploy", "staging"])
        .inside(&bad())
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .fails();
    assert!(
        printed.stderr.ends_with(
            "\nerror: `staging` did not work as it must; `glow-broadcast-staging` went back to the version before\nhelp: see the failed checks\n"
        ),
        "{}",
        printed.stderr
    );
    assert_eq!(api::shares(&sandbox, GATEWAY).await, before);
    Run::new(["verify", "staging"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_that_was_interrupted_is_finished_by_the_next_run() {
    let sandbox = deployed();
    let project = good();
    let old = api::shares(&sandbox, GATEWAY).await[0].0.clone();
    roll_out(&sandbox, &project, "25,100").succeeds();
    let new = api::shares(&sandbox, GATEWAY).await[0].0.clone();
    api::split(&sandbox, GATEWAY, &[(&new, 25), (&old, 75)]).await;
    roll_out(&sandbox, &project, "5,25,50,100").succeeds();
    assert_eq!(api::shares(&sandbox, GATEWAY).await, [(new, 100.0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failure_of_the_deployment_call_leaves_no_version_behind_undeployed() {
    let sandbox = deployed();
    let fault = serde_json::json!({ "method": "POST", "path": "/deployments", "kind": "status", "status": 503 });
    api::call(&sandbox, "POST", "/sandbox/faults", Some(fault)).await;
    Run::new(["deploy", "staging"])
        .inside(&good())
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
    let versions = api::read(&sandbox, &format!("workers/scripts/{GATEWAY}/versions")).await;
    assert_eq!(
        api::shares(&sandbox, GATEWAY).await,
        [(
            versions["items"][0]["id"].as_str().unwrap().to_owned(),
            100.0
        )]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_uploaded_and_never_deployed_is_taken_and_not_uploaded_again() {
    let sandbox = deployed();
    let project = good();
    // The answers of all calls that deploy are errors, until the run gives up
    let fault = serde_json::json!({ "method": "POST", "path": "/deployments", "times": 9, "kind": "status", "status": 500 });
    api::call(&sandbox, "POST", "/sandbox/faults", Some(fault)).await;
    let run = || {
        Run::new(["deploy", "staging"])
            .inside(&project)
            .against(&sandbox)
            .env("WEBHOOK_SECRET", SECRET)
    };
    let printed = run().fails();
    assert!(
        printed.stderr.contains(
            "  failed:         give all traffic of `glow-broadcast-staging` to the new version\n"
        ),
        "{}",
        printed.stderr
    );
    api::call(&sandbox, "DELETE", "/sandbox/faults", None).await;
    let versions = api::read(&sandbox, &format!("workers/scripts/{GATEWAY}/versions")).await;
    let newest = versions["items"][0]["id"].as_str().unwrap();
    run().succeeds();
    assert_eq!(
        api::shares(&sandbox, GATEWAY).await,
        [(newest.to_owned(), 100.0)]
    );
}

/// Rolls out a release of the small workers over another in stages; at each the rooms are asked, as `deploy` does, as many as
/// `share` percent need.
async fn rooms_asked_at_each_stage(rig: &Rig, share: u8) -> (Report, anyhow::Result<()>) {
    let (_, first) = rig.deploy(&Wanted::release("one")).await;
    first.unwrap();
    let wanted = Wanted::release("one")
        .with_room("two")
        .in_stages("5,50,100");
    let site = rig.site();
    rig.deploy_checked(&rig.cloudflare, &wanted, async |probe: Probe<'_>| {
        let Probe::Rooms { version, percent } = probe else {
            return Ok(());
        };
        let sought = Sought {
            version,
            percent: share,
            first: 0,
            patience: Duration::ZERO,
        };
        let proof = rooms::prove(&site, sought).await?;
        anyhow::ensure!(proof == Proof::Given, "{percent} %: {proof:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rooms_stage_passes_because_a_room_was_found_that_runs_the_new_version() {
    let rig = Rig::new(staging()).await;
    // All 256 if need be: chance is to play no part
    let (report, result) = rooms_asked_at_each_stage(&rig, 2).await;
    result.unwrap();
    // The first, one a stage, and the gateway as it was
    for (script, count) in [(ROOM, 4), (GATEWAY, 1)] {
        let made = rig.script("GET", script, "deployments", None).await;
        assert_eq!(made["deployments"].as_array().unwrap().len(), count);
    }
    let new = &report.versions[ROOM];
    let sought = Sought {
        version: new,
        percent: 100,
        first: 200,
        patience: Duration::ZERO,
    };
    assert_eq!(
        rooms::prove(&rig.site(), sought).await.unwrap(),
        Proof::Given
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_version_that_takes_no_room_fails_at_its_first_stage_and_goes_back() {
    // Here every room runs the version with the greatest share, so one with 5 % has none
    let rig = Rig::lenient(staging()).await;
    let (report, result) = rooms_asked_at_each_stage(&rig, 5).await;
    let split = rig.script("GET", ROOM, "deployments", None).await;
    let old = split["deployments"][0]["versions"][0]["version_id"]
        .as_str()
        .unwrap();
    let new = &report.versions[ROOM];
    assert_eq!(
        format!("{:#}", result.unwrap_err()),
        format!(
            "the check at 5 % of `{ROOM}` failed: none of 135 rooms that were asked runs `{new}`, although it has 5 % of them: 135 run `{old}`"
        )
    );
    assert_eq!(report.returned, [ROOM]);
    assert_ne!(old, new);
    assert_eq!(
        split["deployments"][0]["versions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_behind_a_gateway_that_lets_nobody_choose_are_not_taken_for_old_ones() {
    let answer =
        r#"{"status":"ok","version":"old","room":{"status":"ok","version":"old","took_ms":1}}"#;
    let server =
        axum::Router::new().route("/health", axum::routing::get(move || async move { answer }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, server).await });
    crate::support::cryptography();
    let site = Site::new("broadcast-staging.glow.trade", Some(address)).unwrap();
    let sought = Sought {
        version: "new",
        percent: 50,
        first: 250,
        patience: Duration::ZERO,
    };
    let proof = rooms::prove(&site, sought).await.unwrap();
    server.abort();
    assert_eq!(
        proof,
        Proof::Impossible(
            "the live gateway is of a release in which nobody can choose the room to ask"
                .to_owned()
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_how_many_sockets_of_a_room_would_reconnect() {
    const ADMIN: &str = "whsec_YWRtaW4tc2VjcmV0LW9mLXRoZS1yb2xsb3V0LTAwMDE=";
    built();
    let sandbox = Sandbox::start();
    let admin = "\n[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"\n\n[analytics]";
    let run = |project: &Project, args: &[&str]| {
        Run::new(args.iter().copied())
            .inside(project)
            .against(&sandbox)
            .env("WEBHOOK_SECRET", SECRET)
            .env("ADMIN_SECRET", ADMIN)
            .succeeds()
    };
    run(
        &Project::with_staging("\n[analytics]", admin),
        &["deploy", "staging"],
    );
    let site = sandbox.site("broadcast-staging.glow.trade");
    let mut sockets = Vec::new();
    for _ in 0..3 {
        match site
            .socket("/ws/SOL", Some("https://app.glow.trade"))
            .await
            .unwrap()
        {
            Handshake::Open(socket) => sockets.push(socket),
            Handshake::Refused(status) => panic!("refused with {status}"),
        }
    }
    let text = manifest("staging")
        .replace("\n[analytics]", admin)
        .replace("history = 64", "history = 32");
    let other = Project::new();
    other.write("environments/staging.toml", &text);
    let plan = run(
        &other,
        &["plan", "staging", "--room", "SOL", "--room", "BONK"],
    );
    assert!(
        plan.stdout
            .ends_with("change within 300 s)\n  3 of `SOL`\n  0 of `BONK`\n\n0 to add, 1 to change, 0 to remove\n"),
        "{}",
        plan.stdout
    );
}

#[test]
fn a_rollout_that_does_not_grow_to_100_is_refused_as_wrong_usage() {
    let printed = Run::new(["deploy", "staging", "--rollout", "25,5"]).printed();
    assert_eq!(printed.code, 2);
    assert!(printed.stderr.starts_with("error: invalid value '25,5' for '--rollout [<PERCENTAGES>]': write growing percentages that end with 100, like `5,25,100`\n"), "{}", printed.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_that_was_interrupted_at_0_percent_makes_its_probe_all_the_same() {
    for (percent, others) in [(0, 100), (5, 95)] {
        let sandbox = deployed();
        let old = api::shares(&sandbox, GATEWAY).await[0].0.clone();
        roll_out(&sandbox, &bad(), "5,25,100").fails();
        let versions = api::read(&sandbox, &format!("workers/scripts/{GATEWAY}/versions")).await;
        let new = versions["items"][0]["id"].as_str().unwrap();
        api::split(&sandbox, GATEWAY, &[(new, percent), (&old, others)]).await;
        let printed = roll_out(&sandbox, &bad(), "5,25,100").fails();
        let cause = format!("the check at {percent} % of `{GATEWAY}` failed");
        assert!(printed.stderr.contains(&cause), "{}", printed.stderr);
        assert_eq!(api::shares(&sandbox, GATEWAY).await, [(old, 100.0)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_override_that_takes_no_effect_is_found() {
    crate::support::cryptography();
    let answer = r#"{"status":"ok","version":"old"}"#;
    let server =
        axum::Router::new().route("/health", axum::routing::get(move || async move { answer }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, server).await });
    let site = Site::new("broadcast-staging.glow.trade", Some(address)).unwrap();
    let expected = Expected {
        publisher: Publisher::Absent("it does not come to that"),
        version: Some("new"),
        patience: Duration::ZERO,
    };
    let report = verify(&site.at_version(GATEWAY, "new"), &staging(), expected).await;
    server.abort();
    assert_eq!(
        report.to_string(),
        format!(
            "broadcast-staging.glow.trade\n  FAILED  health answers: `{}`: the version `old` answers, not `new`",
            site.url("/health")
        )
    );
}

fn staging() -> Environment {
    edge_broadcast::environment::project::Project::load(crate::support::repository())
        .unwrap()
        .environment("staging")
        .unwrap()
}

fn cloudflare(sandbox: &Sandbox) -> Cloudflare {
    crate::support::cryptography();
    let token = Value::new(sandbox.token.clone());
    Cloudflare::new(&sandbox.api, sandbox.account_id.clone(), token).unwrap()
}

/// Rolls out small workers over others, as `deploy` does, with a check of the test's own.
async fn small_rollout(
    sandbox: &Sandbox,
    rollout: &str,
    check: impl AsyncFn(Probe<'_>) -> anyhow::Result<()>,
) -> (Report, anyhow::Result<()>) {
    let (cloudflare, environment) = (cloudflare(sandbox), staging());
    let mut last = (Report::default(), Ok(()));
    for (release, stages) in [("one", "100"), ("two", rollout)] {
        let wanted = Wanted::release(release);
        let desired = wanted.desired(&environment);
        let observed = observe(&cloudflare, &environment).await.unwrap();
        let plan = Plan::between(&desired, &observed, &stages.parse().unwrap()).unwrap();
        let mut report = Report::default();
        let inputs = wanted.inputs(&desired);
        let result = match release {
            "one" => {
                apply(
                    &cloudflare,
                    &plan,
                    &inputs,
                    &mut report,
                    |_| {},
                    async |_: Probe<'_>| Ok(()),
                )
                .await
            }
            _ => apply(&cloudflare, &plan, &inputs, &mut report, |_| {}, &check).await,
        };
        last = (report, result);
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_fails_at_25_percent_gives_the_traffic_back() {
    let sandbox = Sandbox::start();
    let (report, result) = small_rollout(&sandbox, "5,25,100", async |_| {
        let shares = api::shares(&sandbox, GATEWAY).await;
        anyhow::ensure!(
            !shares.iter().any(|(_, share)| *share == 25.0),
            "too many errors"
        );
        Ok(())
    })
    .await;
    assert_eq!(
        format!("{:#}", result.unwrap_err()),
        format!("the check at 25 % of `{GATEWAY}` failed: too many errors")
    );
    // The room of the same release goes back with it
    assert_eq!(report.returned, [GATEWAY, ROOM]);
    for script in [GATEWAY, ROOM] {
        let deployments = api::deployments(&sandbox, script).await;
        assert_eq!(
            api::shares_of(&deployments[0]),
            api::shares_of(deployments.last().unwrap())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_rollback_in_the_middle_of_a_rollout_is_not_overridden() {
    let sandbox = Sandbox::start();
    let (_, result) = small_rollout(&sandbox, "25,100", async |probe| {
        if let Probe::Version { script, version } = probe {
            let shares = api::shares(&sandbox, script).await;
            if shares.contains(&(version.to_owned(), 25.0)) {
                let old = shares.iter().find(|(id, _)| id != version).unwrap();
                api::split(&sandbox, script, &[(version, 1), (&old.0, 99)]).await;
            }
        }
        Ok(())
    })
    .await;
    let error = format!("{:#}", advice(&result.unwrap_err()));
    assert!(
        error.ends_with("\nhelp: plan again when that is over"),
        "{error}"
    );
    let shares = api::shares(&sandbox, GATEWAY).await;
    let percentages: Vec<f64> = shares.iter().map(|(_, share)| *share).collect();
    assert_eq!(percentages, [1.0, 99.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_overtaken_at_the_gateway_takes_its_room_back() {
    let sandbox = Sandbox::start();
    let foreign = tokio::sync::OnceCell::new();
    let probes = AtomicUsize::new(0);
    let (report, result) = small_rollout(&sandbox, "50,100", async |_| {
        // The first probe is the room's, before the gateway is touched
        if probes.fetch_add(1, Ordering::Relaxed) == 0 {
            let id = api::foreign_version(&sandbox, GATEWAY).await;
            api::split(&sandbox, GATEWAY, &[(&id, 100)]).await;
            foreign.set(id).unwrap();
        }
        Ok(())
    })
    .await;
    let error = format!("{:#}", advice(&result.unwrap_err()));
    assert!(error.ends_with("\nhelp: plan again"), "{error}");
    assert_eq!(report.returned, [ROOM]);
    let room = api::deployments(&sandbox, ROOM).await;
    assert_eq!(
        api::shares_of(&room[0]),
        api::shares_of(room.last().unwrap())
    );
    let foreign = foreign.get().unwrap().clone();
    assert_eq!(api::shares(&sandbox, GATEWAY).await, [(foreign, 100.0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_not_lost_through_somebody_elses_version_that_was_never_deployed() {
    let sandbox = deployed();
    api::version_without_secrets(&sandbox, GATEWAY).await;
    // The live value stays, whatever the source gives: another value would be refused
    let path = format!("workers/scripts/{GATEWAY}/versions");
    Run::new(["deploy", "staging"])
        .inside(&good())
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
    let versions = api::read(&sandbox, &path).await;
    let newest = versions["items"][0]["id"].as_str().unwrap().to_owned();
    let version = api::read(&sandbox, &format!("{path}/{newest}")).await;
    let bindings = version["resources"]["bindings"].as_array().unwrap();
    let secrets: Vec<_> = bindings
        .iter()
        .filter(|binding| binding["type"] == "secret_text")
        .map(|binding| binding["name"].clone())
        .collect();
    assert_eq!(secrets, [json!("WEBHOOK_SECRET")]);
    assert_eq!(api::shares(&sandbox, GATEWAY).await, [(newest, 100.0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leftover_version_that_lost_a_secret_is_not_taken() {
    let sandbox = deployed();
    let plan = Run::new(["plan", "staging", "--json"])
        .inside(&good())
        .against(&sandbox)
        .succeeds()
        .json();
    let leftover = json!({
        "main_module": "index.js",
        "compatibility_date": "2026-10-01",
        "bindings": [],
        "keep_bindings": [],
        "annotations": { "workers/tag": plan["steps"][0]["tag"] },
    });
    let path = format!("workers/scripts/{GATEWAY}/versions");
    let code = "export default { fetch() { return new Response('leftover') } }";
    let answer = api::upload(&sandbox, "POST", &path, &leftover, code).await;
    let leftover = answer["result"]["id"].as_str().unwrap();
    let printed = Run::new(["deploy", "staging"])
        .inside(&good())
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
    let taken = format!("take the version `{leftover}` of `{GATEWAY}`");
    assert!(printed.stderr.contains(&taken), "{}", printed.stderr);
    assert_ne!(api::shares(&sandbox, GATEWAY).await[0].0, leftover);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_came_into_the_manifest_during_a_rollout_stops_it() {
    let sandbox = deployed();
    let old = api::shares(&sandbox, GATEWAY).await[0].0.clone();
    roll_out(&sandbox, &good(), "25,100").succeeds();
    let new = api::shares(&sandbox, GATEWAY).await[0].0.clone();
    api::split(&sandbox, GATEWAY, &[(&new, 25), (&old, 75)]).await;
    let text = manifest("staging")
        .replace("max_message_bytes = 16384", "max_message_bytes = 8192")
        .replace(
            "\n[analytics]",
            "\n[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"\n\n[analytics]",
        );
    let project = Project::new();
    project.write("environments/staging.toml", &text);
    let printed = roll_out(&sandbox, &project, "25,100")
        .env("ADMIN_SECRET", "admin-secret-of-the-rollout-tests-71c2")
        .fails();
    assert!(
        printed.stderr.ends_with(&format!(
            "the version `{new}` of `{GATEWAY}`, whose rollout is under way, lacks `ADMIN_SECRET`\nhelp: `edge-broadcast rollback staging` ends the rollout, then deploy again\n"
        )),
        "{}",
        printed.stderr
    );
    assert_eq!(
        api::shares(&sandbox, GATEWAY).await,
        [(new, 25.0), (old, 75.0)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_that_fails_hides_neither_the_failed_check_nor_itself() {
    let sandbox = deployed();
    api::fault(&sandbox, json!({ "method": "POST", "path": "/deployments", "nth": 2, "times": 9, "kind": "status", "status": 500 })).await;
    let printed = Run::new(["deploy", "staging"])
        .inside(&bad())
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .fails();
    assert!(
        printed.stdout.contains(
            "\n  FAILED  an authorised publish is received: the publish was answered with 413\n"
        ),
        "{}",
        printed.stdout
    );
    let said: Vec<&str> = printed.stderr.lines().rev().take(2).collect();
    assert_eq!(said[0], "help: see the failed checks");
    let said = said[1];
    assert!(said.starts_with(&format!("error: `staging` does not work as it must; `{GATEWAY}` could not go back to the version before: `POST ")), "{said}");
    // In a rollout too
    api::call(&sandbox, "DELETE", "/sandbox/faults", None).await;
    Run::new(["rollback", "staging"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
    api::fault(&sandbox, json!({ "method": "POST", "path": "/deployments", "nth": 2, "times": 9, "kind": "status", "status": 500 })).await;
    let printed = roll_out(&sandbox, &bad(), "5,100").fails();
    for part in [
        format!("\n  not taken back: `{GATEWAY}`: `POST "),
        format!("\ncause: the check at 0 % of `{GATEWAY}` failed: "),
        "  FAILED  an authorised publish is received: the publish was answered with 413\n"
            .to_owned(),
    ] {
        assert!(
            printed.stderr.contains(&part),
            "no `{part}` in:\n{}",
            printed.stderr
        );
    }
}
