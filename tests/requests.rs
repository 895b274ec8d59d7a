//! What every upload and every deployment carries, and what a command reads, as the sandbox got it.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::rig::{Rig, Wanted, staging};
use crate::support::{Project, Run, Sandbox, api, built, manifest};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1yZXF1ZXN0cy10ZXN0czE=";
const SCRIPTS: [&str; 2] = ["glow-broadcast-staging-room", "glow-broadcast-staging"];

#[tokio::test(flavor = "multi_thread")]
async fn every_upload_refuses_to_lose_a_binding_that_it_inherits() {
    let rig = Rig::new(staging(&manifest("staging"))).await;
    rig.forget().await;
    rig.deploy(&Wanted::release("one")).await.1.unwrap();
    rig.deploy(&Wanted::release("two")).await.1.unwrap();
    let uploads: Vec<String> = rig
        .calls()
        .await
        .into_iter()
        .filter(|call| {
            SCRIPTS.iter().any(|script| call.path.ends_with(script))
                || (call.method == "POST" && call.path.ends_with("/versions"))
        })
        .map(|call| {
            let path = call.path.split("/scripts/").nth(1).unwrap();
            format!("{} {path}?{}", call.method, call.query)
        })
        .collect();
    assert_eq!(
        uploads,
        [
            "PUT glow-broadcast-staging-room?excludeScript=true&bindings_inherit=strict",
            "PUT glow-broadcast-staging?excludeScript=true&bindings_inherit=strict",
            "POST glow-broadcast-staging-room/versions?bindings_inherit=strict",
            "POST glow-broadcast-staging/versions?bindings_inherit=strict",
        ]
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifests_code_update_strategy_goes_with_every_deployment_of_either_lane() {
    let text = manifest("staging").replace(
        "[cloudflare]",
        "code_update = { mode = \"deferred\", max_delay = \"45s\" }\n[cloudflare]",
    );
    let rig = Rig::new(staging(&text)).await;
    rig.deploy(&Wanted::release("one")).await.1.unwrap();
    rig.deploy(&Wanted::release("two").in_stages("50,100"))
        .await
        .1
        .unwrap();
    for (script, count) in SCRIPTS.into_iter().zip([3, 4]) {
        let list = rig.script("GET", script, "deployments", None).await;
        let strategies: Vec<_> = list["deployments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|deployment| deployment["code_update_strategy"].clone())
            .collect();
        let wanted = json!({ "mode": "deferred", "max_delay": 45 });
        assert_eq!(strategies, vec![wanted; count], "{script}");
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_manifest_does_not_name_survives_an_upload_that_brings_another_one() {
    let mut rig = Rig::new(staging(&manifest("staging"))).await;
    rig.deploy(&Wanted::release("one")).await.1.unwrap();
    rig.set_secret(SCRIPTS[1], "THEIRS", "a value of somebody else")
        .await;
    let with_admin = format!(
        "{}\n[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"\n",
        manifest("staging")
    );
    rig.environment = staging(&with_admin);
    rig.deploy(&Wanted::release("one")).await.1.unwrap();
    let secrets = rig.observed().await.scripts[SCRIPTS[1]]
        .active
        .secrets
        .clone();
    assert!(
        secrets
            .iter()
            .eq(["ADMIN_SECRET", "THEIRS", "WEBHOOK_SECRET"]),
        "{secrets:?}"
    );
    rig.stop().await;
}

/// The GETs that a command sent more than once, each with how often.
async fn repeated(sandbox: &Sandbox, args: &[&str]) -> Vec<String> {
    api::call(sandbox, "DELETE", "/sandbox/requests", None).await;
    Run::new(args.iter().copied())
        .inside(&Project::with_all())
        .against(sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
    let calls = api::call(sandbox, "GET", "/sandbox/requests", None).await["result"].clone();
    let mut gets: BTreeMap<String, usize> = BTreeMap::new();
    for call in calls.as_array().unwrap() {
        if call["method"] == "GET" {
            let text = |name: &str| call[name].as_str().unwrap_or_default();
            let account = format!("/accounts/{}/workers/", sandbox.account_id);
            let path = text("path").trim_start_matches(&account);
            *gets.entry(format!("{path}?{}", text("query"))).or_default() += 1;
        }
    }
    assert!(gets.len() > 6, "{args:?} read nothing: {gets:?}");
    let repeated = gets.into_iter().filter(|(_, count)| *count > 1);
    repeated
        .map(|(path, count)| format!("{count} x {path}"))
        .collect()
}

/// Everything that is live is read once, and everything that is shown of it is a view of that. Whatever writes looks again, since
/// Cloudflare cannot be asked to change something only if it still is as it was read.
#[tokio::test(flavor = "multi_thread")]
async fn no_command_sends_a_get_twice_but_to_look_again_around_a_write() {
    built();
    let sandbox = Sandbox::start();
    let [room, gateway] = SCRIPTS;
    let zone = api::zone(&sandbox).await;
    assert_eq!(
        repeated(&sandbox, &["deploy", "staging"]).await,
        [
            // Before the route is added: nobody else has it
            format!("2 x /zones/{zone}/workers/routes?"),
            // Before its upload, before the gateway's, and at the end: nobody else deployed it
            format!("4 x scripts/{room}/deployments?"),
            // Before its upload, and at the end
            format!("3 x scripts/{gateway}/deployments?"),
        ]
    );
    let reading = [
        &["deploy", "staging"][..],
        &["plan", "staging"],
        &["status", "staging"],
        &["doctor", "staging"],
        &["secrets", "list", "staging"],
    ];
    for args in reading {
        assert_eq!(repeated(&sandbox, args).await, [""; 0], "{args:?}");
    }
    // More versions than the API gives when nothing else is asked for, so that how old a secret is, is looked for in their list
    let path = api::of_account(&sandbox, &format!("workers/scripts/{gateway}/secrets"));
    for _ in 0..11 {
        let secret = json!({ "name": "WEBHOOK_SECRET", "text": SECRET, "type": "secret_text" });
        let answer = api::call(&sandbox, "PUT", &path, Some(secret)).await;
        assert_eq!(answer["success"], true, "{answer}");
    }
    for args in &reading[1..] {
        assert_eq!(repeated(&sandbox, args).await, [""; 0], "{args:?}");
    }
    let foreign = api::foreign_version(&sandbox, gateway).await;
    api::split(&sandbox, gateway, &[(&foreign, 100)]).await;
    assert_eq!(
        repeated(&sandbox, &["rollback", "staging"]).await,
        // Before the write, that the split is the one that was decided about; after it, that it is the wanted one
        [format!("2 x scripts/{gateway}/deployments?")]
    );
}
