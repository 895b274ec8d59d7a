//! `bench`: what it measures, of what it is careful, and that nothing is left of it.

use serde_json::{Value, json};

use crate::support::going::Going;
use crate::support::{Project, Run, api, changed, manifest};
use crate::workers::{Deployed, HOST, SECRET};

const LOAD: &[&str] = &[
    "--sockets",
    "40",
    "--tokens",
    "4",
    "--connect-rate",
    "400",
    "--rate",
    "40",
    "--duration",
    "1s",
    "--warm-up",
    "200ms",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_load_reaches_every_socket_and_is_compared_with_an_earlier_one() {
    let deployed = Deployed::new();
    let project = Project::new();
    project.write("environments/staging.toml", &manifest("staging"));
    let run = |args: &[&str]| {
        Run::new(["bench"].iter().chain(args).copied())
            .inside(&project)
            .against(&deployed.sandbox)
            .env("WEBHOOK_SECRET", SECRET)
    };
    let staging: Vec<&str> = ["staging"].iter().chain(LOAD).copied().collect();
    let once = run(&staging).arg("--json").succeeds();
    let result = once.json();
    assert_eq!(result["sockets"]["connected"], 40, "{result}");
    assert_eq!(result["reach"], 1.0, "{result}");
    let updates = &result["updates"];
    assert_eq!(
        (
            &updates["published"],
            &updates["expected"],
            &updates["lost"]
        ),
        (&json!(40), &json!(400), &json!(0)),
        "{result}"
    );
    let sum = updates["delivered"].as_u64().unwrap() + updates["conflated"].as_u64().unwrap();
    assert_eq!(sum, 400, "{result}");
    for script in ["gateway", "room"] {
        assert!(result["versions"][script].is_string(), "{result}");
    }
    project.write("before.json", &once.stdout);

    let told = run(&staging)
        .arg("--against")
        .arg("before.json")
        .succeeds()
        .stdout;
    for text in [
        "staging\n  sockets     40 of 40, p50 ",
        "\n  reach       100 %\n",
        "\nagainst the result of ",
        "\n  reach                       1.000 ->       1.000  x   1.00  within noise\n",
    ] {
        assert!(told.contains(text), "no `{text}` in:\n{told}");
    }
    assert!(
        told.lines().all(|line| line.chars().count() <= 80),
        "{told}"
    );

    // By its address: what is refused is told by its kind, and what is open is measured all the same
    let url = format!("http://{HOST}:{}", deployed.sandbox.ingress.port());
    let mut load = LOAD.to_vec();
    load[1] = "8";
    load.insert(0, &url);
    let by_url = run(&load).arg("--json").succeeds().json();
    assert_eq!(by_url["reach"], 1.0, "{by_url}");
    load.extend(["--origin", "https://elsewhere.example"]);
    let foreign = run(&load).arg("--json").succeeds().json();
    assert_eq!(
        foreign["sockets"]["refused"],
        json!({ "4003 origin_not_allowed": 8 }),
        "{foreign}"
    );
    assert_eq!(foreign["reach"], Value::Null);
    let wrong = run(&staging)
        .env("WEBHOOK_SECRET", "whsec_b3RoZXI=")
        .arg("--json");
    let failed = wrong.succeeds().json()["updates"]["failed"].take();
    assert_eq!(failed, json!({ "403 wrong_credentials": 40 }));

    // Ctrl-C: the result so far, and no socket
    let long = [
        "staging",
        "--duration",
        "1h",
        "--token",
        "SOL",
        "--sockets",
        "5",
    ];
    let going = Going::start(run(&long));
    going.says("5 of 5 sockets are open: publishing");
    let (code, rest) = going.interrupted();
    assert_eq!(code, Some(130));
    let rest = rest.join("\n");
    assert!(
        rest.contains("staging (interrupted: the result so far)"),
        "{rest}"
    );
    let room = |report: &Value| report["sockets"].as_u64();
    while room(&deployed.inspect("/rooms/SOL").await) != Some(0) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }

    project.write("before.json", "{}");
    let refused = run(&["staging", "--against", "before.json"]).fails().stderr;
    let told = "error: `before.json` is no result of `bench`: missing field `target`";
    assert!(refused.contains(told), "{refused}");
    let protected = changed(
        manifest("staging"),
        &[(
            "zone = \"glow.trade\"",
            "zone = \"glow.trade\"\nprotected = true",
        )],
    );
    project.write("environments/staging.toml", &protected);
    let before = api::call(&deployed.sandbox, "GET", "/sandbox/requests", None).await;
    let refused = run(&["staging", "--sockets", "600"]).fails().stderr;
    for told in [
        "\nabove a limit: `connections_per_ip` is 500 in one object, and 600 sockets come to a token from this address\n",
        "\nerror: `staging` is protected and can be confirmed on a terminal only\nhelp: look at `edge-broadcast status staging`, then run with `--yes`\n",
    ] {
        assert!(refused.contains(told), "no `{told}` in:\n{refused}");
    }
    let after = api::call(&deployed.sandbox, "GET", "/sandbox/requests", None).await;
    assert_eq!(before, after, "nothing was asked");
    let refused = run(&["http://localhost"]).fails().stderr;
    let told = "error: `http://localhost` cannot be loaded: it has no port\nhelp: write `https://HOST`, or `http://HOST:PORT` for a host of a sandbox on this machine\n";
    assert!(refused.ends_with(told), "{refused}");
}

/// A room that is full gives the place of whoever was silent for `idle_timeout` to a newcomer, and closes who has pinged and then was.
/// The fifth socket comes when the first one is older than that.
#[tokio::test(flavor = "multi_thread")]
async fn sockets_of_a_run_that_is_longer_than_the_idle_time_are_kept() {
    let short = [
        ("max_connections = 32000", "max_connections = 4"),
        ("max_shards = 8", "max_shards = 1"),
        ("idle_timeout = \"90s\"", "idle_timeout = \"10s\""),
    ];
    let deployed = Deployed::with(&short);
    let project = Project::new();
    project.write(
        "environments/staging.toml",
        &changed(manifest("staging"), &short),
    );
    let load = [
        "bench",
        "staging",
        "--json",
        "--sockets",
        "5",
        "--connect-rate",
        "0.36",
        "--rate",
        "10",
        "--duration",
        "1s",
        "--warm-up",
        "0s",
    ];
    let run = Run::new(load)
        .inside(&project)
        .against(&deployed.sandbox)
        .env("WEBHOOK_SECRET", SECRET);
    let result = run.succeeds().json();
    let sockets = &result["sockets"];
    assert_eq!(
        (&sockets["connected"], &sockets["closed"]),
        (&json!(4), &json!({})),
        "{result}"
    );
    assert_eq!(sockets["refused"].as_object().unwrap().len(), 1, "{result}");
    assert_eq!(result["reach"], 1.0, "{result}");
}
