//! A host moves between two of our scripts without a gap, and from nobody else's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::{Project, Sandbox, api, built, manifest, run};

const OLD: &str = "glow-broadcast-staging";
const HOSTS: [&str; 2] = ["broadcast-staging.glow.trade", "live-staging.glow.trade"];

/// The two hosts, a route and a custom domain, of the worker `name`.
fn staging(name: &str) -> String {
    let host = format!("host = \"{}\"", HOSTS[0]);
    let both = format!(
        "{host}\n[[routes]]\nhost = \"{}\"\ncustom_domain = true",
        HOSTS[1]
    );
    let text = manifest("staging").replace(&host, &both);
    text.replace("\"glow-broadcast\"", &format!("\"{name}\""))
}

/// Asks a host for its health, one request after the other, until it is told to stop: the versions that answered, in order.
async fn polled(sandbox: &Sandbox, host: &'static str, stop: Arc<AtomicBool>) -> Vec<String> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/health", sandbox.ingress);
    let mut versions: Vec<String> = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let answer = client.get(&url).header("host", host).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{host}: {status}: {text}");
        let health: Value = serde_json::from_str(&text).unwrap();
        let version = health["version"].as_str().unwrap().to_owned();
        if versions.last() != Some(&version) {
            versions.push(version);
        }
    }
    versions
}

/// Staging is live as `glow-broadcast`; the second host has no record that a custom domain would meet.
async fn deployed_under_its_old_name() -> (Sandbox, Project) {
    built();
    let sandbox = Sandbox::start();
    api::remove_records(&sandbox, HOSTS[1]).await;
    let project = Project::new();
    project.write("environments/staging.toml", &staging("glow-broadcast"));
    run(&sandbox, &project, &["deploy", "staging"]).succeeds();
    (sandbox, project)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_moves_to_the_new_name_of_its_worker_and_no_request_fails() {
    let (sandbox, project) = deployed_under_its_old_name().await;
    project.write("environments/staging.toml", &staging("prices"));
    let printed = run(&sandbox, &project, &["deploy", "staging"]).fails();
    assert_eq!(
        printed.stderr.split("error: ").nth(1),
        Some(
            "nothing was changed, because of what is live:
  - the route `broadcast-staging.glow.trade/*` belongs to the script `glow-broadcast-staging`, which this tool has deployed too
    help: `edge-broadcast deploy staging --take-route-from glow-broadcast-staging` moves it without a gap, or use another host in the manifest
  - the custom domain `live-staging.glow.trade` belongs to the script `glow-broadcast-staging`, which this tool has deployed too
    help: `edge-broadcast deploy staging --take-route-from glow-broadcast-staging` moves it without a gap, or use another host in the manifest
"
        )
    );
    let printed = run(
        &sandbox,
        &project,
        &["deploy", "staging", "--take-route-from", "staging"],
    )
    .fails();
    assert!(
        printed.stderr.ends_with("error: `--take-route-from staging` names what the hosts are to move to\nhelp: name the script that has them: `edge-broadcast plan staging` says which\n"),
        "{}",
        printed.stderr
    );

    let args = ["deploy", "staging", "--take-route-from", OLD];
    let stop = Arc::new(AtomicBool::new(false));
    let deploying = run(&sandbox, &project, &args);
    let deployed = async {
        let printed = tokio::task::spawn_blocking(|| deploying.printed()).await;
        stop.store(true, Ordering::SeqCst);
        printed.unwrap()
    };
    let (printed, route, domain) = tokio::join!(
        deployed,
        polled(&sandbox, HOSTS[0], Arc::clone(&stop)),
        polled(&sandbox, HOSTS[1], Arc::clone(&stop)),
    );
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    let version = async |script| api::shares(&sandbox, script).await[0].0.clone();
    let moved = [version(OLD).await, version("prices-staging").await];
    assert_eq!([route, domain], [moved.clone(), moved]);

    // Once more: there is nothing left to move
    let printed = run(&sandbox, &project, &args).succeeds();
    assert!(
        printed.stdout.starts_with("staging: nothing to change\n"),
        "{}",
        printed.stdout
    );
    assert!(
        printed.stderr.contains("`glow-broadcast-staging` is no script of this tool that has a host of the manifest: nothing moves from it"),
        "{}",
        printed.stderr
    );
    let old = ["destroy", "--script", OLD, "--confirm", OLD];
    let printed = run(&sandbox, &project, &old).succeeds();
    assert!(
        printed
            .stdout
            .starts_with("glow-broadcast-staging: 2 steps\n\n1. delete"),
        "{}",
        printed.stdout
    );
    run(&sandbox, &project, &["verify", "staging"]).succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_moved_goes_back_when_a_check_fails_and_none_is_taken_from_others() {
    let (sandbox, project) = deployed_under_its_old_name().await;
    let small = staging("prices").replace("max_message_bytes = 16384", "max_message_bytes = 64");
    project.write("environments/staging.toml", &small);
    let args = ["deploy", "staging", "--take-route-from", OLD];
    let printed = run(&sandbox, &project, &args).arg("--json").fails();
    let answer = printed.json();
    assert_eq!(
        answer["applied"]["moved_back"],
        json!([HOSTS[1], format!("{}/*", HOSTS[0])])
    );
    assert!(
        printed.stderr.contains("`live-staging.glow.trade`, `broadcast-staging.glow.trade/*` went back to the script before"),
        "{}",
        printed.stderr
    );
    project.write("environments/staging.toml", &staging("glow-broadcast"));
    let printed = run(&sandbox, &project, &["deploy", "staging"]).succeeds();
    assert!(
        printed.stdout.starts_with("staging: nothing to change\n"),
        "{}",
        printed.stdout
    );

    // An environment is named by its manifest, which the host has left
    let left = manifest("staging").replace(HOSTS[0], "left-staging.glow.trade");
    project.write("environments/staging.toml", &left);
    project.write("environments/qa.toml", &manifest("staging"));
    let args = ["plan", "qa", "--take-route-from", "staging", "--json"];
    let plan = run(&sandbox, &project, &args).succeeds().json();
    let mut steps = plan["steps"].as_array().unwrap().iter();
    let moved = steps.find(|step| step["step"] == "move_route").unwrap();
    assert_eq!(moved["from"], OLD);
    std::fs::remove_file(project.path().join("environments/qa.toml")).unwrap();

    // Tagged as wrangler does it for a project of somebody else
    let tags = ["cf:service=shop", "cf:environment=staging"];
    api::tagged_script(&sandbox, "shop-staging", &tags).await;
    api::route(&sandbox, "shop.glow.trade/*", "shop-staging").await;
    let shop = staging("glow-broadcast").replace(HOSTS[0], "shop.glow.trade");
    project.write("environments/staging.toml", &shop);
    let args = ["plan", "staging", "--take-route-from", "shop-staging"];
    let printed = run(&sandbox, &project, &args).fails();
    assert_eq!(
        printed.stderr.split("error: ").nth(1),
        Some(
            "nothing was changed, because of what is live:\n  - the route `shop.glow.trade/*` belongs to the script `shop-staging`\n    help: remove that route in the dashboard, or use another host in the manifest\n"
        )
    );
}
