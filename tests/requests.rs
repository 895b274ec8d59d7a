//! What every upload and every deployment carries, as the sandbox got it.

use serde_json::json;

use crate::support::manifest;
use crate::support::rig::{Rig, Wanted, staging};

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
