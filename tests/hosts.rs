//! Every host of a manifest is looked at, not only the first.

use crate::support::{Project, Run, Sandbox, api, built};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1ob3N0LXRlc3RzLTAwMDE=";

#[tokio::test(flavor = "multi_thread")]
async fn a_regions_host_that_leads_elsewhere_is_found_and_named() {
    built();
    let project = Project::with_staging(
        "[analytics]",
        "[[regions]]\nname = \"eu\"\nhost = \"broadcast-eu.glow.trade\"\nlocation_hint = \"weur\"\n\n[analytics]",
    );
    let sandbox = Sandbox::start_in(&project);
    let run = |args: &[&str]| {
        Run::new(args.iter().copied())
            .inside(&project)
            .against(&sandbox)
            .env("WEBHOOK_SECRET", SECRET)
    };
    let deployed = run(&["deploy", "staging", "--json"]).succeeds().json();
    let other = &deployed["verified"]["hosts"][0];
    assert_eq!(other["host"], "broadcast-eu.glow.trade");
    let names: Vec<_> = other["checks"].as_array().unwrap().iter().collect();
    let names: Vec<_> = names.iter().map(|check| &check["name"]).collect();
    assert_eq!(
        names,
        [
            "health answers",
            "an allowed origin gets a socket",
            "an authorised publish is received"
        ]
    );
    assert!(other["latency_ms"].as_f64().unwrap() > 0.0);

    let (main, eu) = ("broadcast-staging.glow.trade", "broadcast-eu.glow.trade");
    let arrives = |host: &str| {
        format!("  ok     what is published through `{host}` with the manifest's secret arrives\n")
    };
    let published = run(&["doctor", "staging", "--publish"]).succeeds().stdout;
    let told = arrives(main) + &arrives(eu);
    assert!(published.contains(&told), "{published}");

    // Somebody's script takes the paths of the region's host
    let site = sandbox.site("broadcast-eu.glow.trade");
    let (status, _) = site.get("/health").await.unwrap();
    assert_eq!(status, 200);
    api::foreign_script(&sandbox, "someone").await;
    // First those of its sockets: its health is the gateway's
    let publishes = api::route(&sandbox, "broadcast-eu.glow.trade/broadcast/*", "someone").await;
    let published = run(&["doctor", "staging", "--publish"]).fails().stdout;
    let wrong = format!("  WRONG  nothing can be published through `{eu}`: ");
    assert!(published.contains(&(arrives(main) + &wrong)), "{published}");
    let gone = api::call(&sandbox, "DELETE", &publishes, None).await;
    assert_eq!(gone["success"], true, "{gone}");
    let sockets = api::route(&sandbox, "broadcast-eu.glow.trade/ws/*", "someone").await;
    for command in ["doctor", "status"] {
        let told = run(&[command, "staging"]).printed().stdout;
        let (_, after) = told
            .split_once("`broadcast-eu.glow.trade` does not serve the gateway: ")
            .unwrap_or_else(|| panic!("{command}: {told}"));
        let socket = site.url("/ws/");
        assert!(after.starts_with(&format!("`{socket}")), "{after}");
    }
    let gone = api::call(&sandbox, "DELETE", &sockets, None).await;
    assert_eq!(gone["success"], true, "{gone}");
    api::route(&sandbox, "broadcast-eu.glow.trade/health*", "someone").await;

    let url = site.url("/health");
    let why = format!("`{url}` answered 200: it is not the gateway's answer");
    let help = "look at which route, Worker, page rule or origin answers for this host";
    let verified = run(&["verify", "staging"]).fails().stdout;
    let told = format!(
        "\nbroadcast-eu.glow.trade\n  FAILED  health answers: `{url}` answered 200: the route `broadcast-eu.glow.trade/health*` of the script `someone` takes `/health` of `broadcast-eu.glow.trade`\n          help: remove that route in the dashboard, or use another host in the manifest\n"
    );
    assert!(verified.ends_with(&told), "{verified}");
    let doctor = run(&["doctor", "staging"]).fails().stdout;
    assert!(
        doctor.contains("  ok     `broadcast-staging.glow.trade` answers\n"),
        "{doctor}"
    );
    let told = format!(
        "  WRONG  `broadcast-eu.glow.trade` does not serve the gateway: {why}\n         {help}\n"
    );
    assert!(doctor.contains(&told), "{doctor}");
    let status = run(&["status", "staging"]).succeeds().stdout;
    let told = format!(
        "\n  WRONG    `broadcast-eu.glow.trade` does not serve the gateway: {why}\n  help: {help}\n"
    );
    assert!(status.contains(&told), "{status}");
}
