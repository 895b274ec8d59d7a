use edge_broadcast::site::Handshake;

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
    assert_eq!(
        printed.stderr.lines().last(),
        Some(
            "error: `staging` did not work as it must: see the failed checks; `glow-broadcast-staging` went back to the version before"
        )
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
    let plan = Run::new(["plan", "staging"])
        .inside(&project)
        .against(&sandbox)
        .succeeds();
    assert!(
        plan.stdout
            .contains("   ~ share of traffic (%): 25.0 -> 100.0\n"),
        "{}",
        plan.stdout
    );
    assert!(!plan.stdout.contains("upload a version"), "{}", plan.stdout);
    roll_out(&sandbox, &project, "5,25,50,100").succeeds();
    assert_eq!(api::shares(&sandbox, GATEWAY).await, [(new, 100.0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_gradual_deployment_is_not_collapsed() {
    let sandbox = deployed();
    let old = api::shares(&sandbox, GATEWAY).await[0].0.clone();
    let foreign = api::foreign_version(&sandbox, GATEWAY).await;
    api::split(&sandbox, GATEWAY, &[(&foreign, 10), (&old, 90)]).await;
    let printed = deploy(&sandbox).fails();
    assert_eq!(
        printed.stderr,
        format!(
            "error: nothing was changed, because of what is live:\n  - `{GATEWAY}` has a gradual deployment running: `{old}` at 90 %, `{foreign}` at 10 %\n    it is not of what is to be deployed now; `edge-broadcast rollback staging` ends it\n"
        )
    );
    assert_eq!(
        api::shares(&sandbox, GATEWAY).await,
        [(foreign, 10.0), (old, 90.0)]
    );
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
    let plan = Run::new(["plan", "staging"])
        .inside(&project)
        .against(&sandbox)
        .succeeds();
    assert!(
        plan.stdout.contains(&format!(
            "1. take the version `{newest}` of `{GATEWAY}`, which an earlier run uploaded\n"
        )),
        "{}",
        plan.stdout
    );
    run().succeeds();
    assert_eq!(
        api::shares(&sandbox, GATEWAY).await,
        [(newest.to_owned(), 100.0)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_room_makes_every_socket_reconnect_and_the_plan_says_so() {
    let sandbox = deployed();
    let project = Project::with_staging("history = 64", "history = 32");
    let plan = Run::new(["plan", "staging"])
        .inside(&project)
        .against(&sandbox)
        .succeeds();
    assert!(
        plan.stdout
            .contains("   ~ binding SETTINGS.history: 64 -> 32\n"),
        "{}",
        plan.stdout
    );
    assert!(
        plan.stdout.ends_with(
            "socket impact: reconnect (a new version of the room restarts its objects)\n"
        ),
        "{}",
        plan.stdout
    );
    let before = api::shares(&sandbox, GATEWAY).await;
    roll_out(&sandbox, &project, "50,100").succeeds();
    assert_eq!(api::shares(&sandbox, GATEWAY).await, before);
    assert_eq!(api::deployments(&sandbox, ROOM).await.len(), 3);
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
            .ends_with("restarts its objects)\n  3 of `SOL`\n  0 of `BONK`\n"),
        "{}",
        plan.stdout
    );
}

#[test]
fn a_rollout_that_does_not_grow_to_100_is_refused_as_wrong_usage() {
    let printed = Run::new(["deploy", "staging", "--rollout", "25,5"]).printed();
    assert_eq!(printed.code, 2);
    assert!(printed.stderr.starts_with("error: invalid value '25,5' for '--rollout <PERCENTAGES>': write growing percentages that end with 100, like `5,25,100`\n"), "{}", printed.stderr);
}
