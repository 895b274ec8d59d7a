//! What of a zone keeps requests from the gateway is told before anything is written, and named when a check fails.

use serde_json::json;

use crate::support::{Printed, Project, Sandbox, api, built, run};

const HOST: &str = "broadcast-staging.glow.trade";
const ROUTE: &str = "host = \"broadcast-staging.glow.trade\"";

/// The error of a command that stops before its first write.
async fn refused(sandbox: &Sandbox, project: &Project, command: &str) -> String {
    api::call(sandbox, "DELETE", "/sandbox/requests", None).await;
    let Printed { stderr, .. } = run(sandbox, project, &[command, "staging"]).fails();
    assert_eq!(api::writes(sandbox).await, [""; 0]);
    let (_, error) = stderr
        .split_once("error: nothing was changed, because of what is live:\n")
        .unwrap_or_else(|| panic!("{stderr}"));
    error.to_owned()
}

async fn remove(sandbox: &Sandbox, path: &str) {
    let gone = api::call(sandbox, "DELETE", path, None).await;
    assert_eq!(gone["success"], true, "{gone}");
}

/// Whether somebody else's Worker answers a visitor of a path.
async fn is_theirs(sandbox: &Sandbox, path: &str) -> bool {
    let (_, body) = sandbox.site(HOST).get(path).await.unwrap();
    body == "foreign"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_of_others_that_takes_our_requests_is_told_everywhere() {
    built();
    let sandbox = Sandbox::start();
    let project = Project::with_all();
    run(&sandbox, &project, &["deploy", "staging"]).succeeds();
    api::foreign_script(&sandbox, "somebody-elses").await;

    // No deployment can be found to work beside these
    for (pattern, script, what) in [
        (
            format!("https://{HOST}/*"),
            Some("somebody-elses"),
            "of the script `somebody-elses` takes every request",
        ),
        (
            format!("{HOST}/ws/*"),
            None,
            ", which runs no Worker, takes `/ws/:token`",
        ),
    ] {
        let route = api::add_route(&sandbox, &pattern, script).await;
        let gap = if script.is_some() { " " } else { "" };
        let told = format!("the route `{pattern}`{gap}{what} of `{HOST}`");
        assert_eq!(
            refused(&sandbox, &project, "deploy").await,
            format!(
                "  - {told}\n    help: remove that route in the dashboard, or use another host in the manifest\n"
            )
        );
        let doctor = run(&sandbox, &project, &["doctor", "staging"]).fails();
        assert!(
            doctor.stdout.contains(&format!("  WRONG  {told}\n")),
            "{}",
            doctor.stdout
        );
        let status = run(&sandbox, &project, &["status", "staging"]).succeeds();
        assert!(
            status.stdout.contains(&format!("in conflict: {told}\n")),
            "{}",
            status.stdout
        );
        remove(&sandbox, &route).await;
    }

    // Beside this one it can, as far as it is looked at
    assert!(!is_theirs(&sandbox, "/snapshot/SOL?x=1").await);
    api::add_route(
        &sandbox,
        &format!("{HOST}/snapshot/*"),
        Some("somebody-elses"),
    )
    .await;
    assert!(is_theirs(&sandbox, "/snapshot/SOL?x=1").await);
    let what = format!(
        "the route `{HOST}/snapshot/*` of the script `somebody-elses` takes `/snapshot/:token` of `{HOST}`"
    );
    let fix = "remove that route in the dashboard, or use another host in the manifest";
    for (command, fails) in [("plan", false), ("status", false), ("doctor", true)] {
        let run = run(&sandbox, &project, &[command, "staging"]);
        let printed = if fails { run.fails() } else { run.succeeds() };
        let told = format!("  WRONG  {what}\n         {fix}\n");
        assert!(
            printed.stdout.contains(&told),
            "{command}: {}",
            printed.stdout
        );
    }
    // And a check that fails names it, as what may be the cause
    let broken = Project::with_staging("max_message_bytes = 16384", "max_message_bytes = 64");
    let failed = run(&sandbox, &broken, &["deploy", "staging"]).fails();
    assert!(
        failed
            .stderr
            .contains(&format!("; before, it was seen that {what}\n")),
        "{}",
        failed.stderr
    );
    assert!(failed.stderr.contains(fix), "{}", failed.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn code_does_not_go_back_for_what_a_route_of_others_answers() {
    built();
    let sandbox = Sandbox::start();
    api::remove_records(&sandbox, HOST).await;
    let domain = format!("{ROUTE}\ncustom_domain = true");
    let project = Project::with_staging(ROUTE, &domain);
    run(&sandbox, &project, &["deploy", "staging"]).succeeds();
    api::foreign_script(&sandbox, "somebody-elses").await;
    // Its Worker might hand requests on to the domain, so this is no conflict
    let pattern = format!("{HOST}/ws/*");
    api::add_route(&sandbox, &pattern, Some("somebody-elses")).await;
    let before = api::shares(&sandbox, "glow-broadcast-staging").await;

    let manifest = project.path().join("environments/staging.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    let changed = manifest.replace("max_message_bytes = 16384", "max_message_bytes = 8192");
    project.write("environments/staging.toml", &changed);
    let Printed { stderr, .. } = run(&sandbox, &project, &["deploy", "staging"]).fails();
    let route = format!(
        "the route `{pattern}` of the script `somebody-elses` takes `/ws/:token` of `{HOST}`"
    );
    let (_, error) = stderr.split_once("error: ").unwrap();
    assert_eq!(
        error,
        format!(
            "`staging` is live and unverified: it was not the gateway that answered. That says nothing of its code, so nothing went back; before, it was seen that {route}\nhelp: see the failed checks; routes go before custom domains: remove that route in the dashboard, unless its Worker hands these requests on, then run `edge-broadcast verify staging`\n"
        )
    );
    let fix = "routes go before custom domains: remove that route in the dashboard, unless its Worker hands these requests on";
    let Printed { stdout, stderr, .. } = run(&sandbox, &project, &["verify", "staging"]).fails();
    let failed = format!(": {route}\n          help: {fix}\n");
    assert!(stdout.contains(&failed), "{stdout}");
    assert_eq!(
        stderr,
        format!(
            "error: `staging` does not work as it must: see the failed checks; it is seen that {route}\nhelp: {fix}\n"
        )
    );
    let after = api::shares(&sandbox, "glow-broadcast-staging").await;
    assert_eq!(after.len(), 1);
    assert_ne!(after[0].0, before[0].0);
    let Printed { stdout, .. } = run(&sandbox, &project, &["rollback", "staging"]).fails();
    assert!(stdout.contains(&failed), "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_is_not_ready_is_told_before_anything_is_written() {
    built();
    let sandbox = Sandbox::start();
    let project = Project::with_all();
    let zone = format!("/zones/{}", api::zone(&sandbox).await);

    let pause = async |paused: bool| {
        let answer = api::call(&sandbox, "PATCH", &zone, Some(json!({ "paused": paused }))).await;
        assert_eq!(answer["result"]["paused"], paused, "{answer}");
    };
    pause(true).await;
    let told = refused(&sandbox, &project, "deploy").await;
    assert!(
        told.starts_with("  - the zone `glow.trade` is paused: "),
        "{told}"
    );
    pause(false).await;

    // One label too many for the certificate that every zone has
    let deep = Project::with_staging(ROUTE, "host = \"a.b.glow.trade\"");
    api::record(&sandbox, "a.b.glow.trade").await;
    let told = refused(&sandbox, &deep, "plan").await;
    assert!(
        told.starts_with("  - the zone has no certificate for `a.b.glow.trade`: "),
        "{told}"
    );
    let order = json!({ "type": "advanced", "hosts": ["glow.trade", "*.b.glow.trade"], "validation_method": "txt", "validity_days": 90, "certificate_authority": "google" });
    let path = format!("{zone}/ssl/certificate_packs/order");
    let ordered = api::call(&sandbox, "POST", &path, Some(order)).await;
    assert_eq!(ordered["success"], true, "{ordered}");
    run(&sandbox, &deep, &["plan", "staging"]).succeeds();
    let domain = Project::with_staging(ROUTE, "host = \"c.d.glow.trade\"\ncustom_domain = true");
    run(&sandbox, &domain, &["plan", "staging"]).succeeds();

    // What may not be read is said, and stands in the way of nothing
    let unreadable = json!({ "method": "GET", "path": "/dns_records", "nth": 1, "times": 1, "kind": "status", "status": 403 });
    api::fault(&sandbox, unreadable).await;
    let plan = run(&sandbox, &project, &["plan", "staging"]).succeeds();
    assert!(
        plan.stdout
            .contains("\n  note   the API token may not read the DNS records of `glow.trade`: "),
        "{}",
        plan.stdout
    );

    api::remove_records(&sandbox, HOST).await;
    let told = refused(&sandbox, &project, "deploy").await;
    assert!(
        told.starts_with(&format!("  - `{HOST}` has no DNS record ")),
        "{told}"
    );
    let doctor = run(&sandbox, &project, &["doctor", "staging"]).fails();
    assert!(
        doctor
            .stdout
            .contains(&format!("  WRONG  `{HOST}` has no DNS record ")),
        "{}",
        doctor.stdout
    );
}
