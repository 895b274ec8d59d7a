//! How long deployments take beside wrangler's, on the same local server, with the same bundles. Printed, never asserted:
//! `cargo test --test suite pace -- --nocapture`, or with `EDGE_BROADCAST_BIN` naming a release build.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::npm;
use crate::support::{Project, Sandbox, built, manifest, repository};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1wYWNlLXRlc3RzLTAwMDE=";
const ROUNDS: usize = 5;

/// The generated configuration without its `[build]`: the bundles are there, and compiling is not what is compared.
fn configuration(worker: &str, folder: &std::path::Path, change: Option<usize>) -> String {
    let text =
        std::fs::read_to_string(repository().join(format!("generated/{worker}/wrangler.toml")))
            .unwrap();
    let build = repository().join(format!("worker/{worker}/build"));
    let text = text
        .replace(
            "command = \"cargo run --quiet -- build\"",
            "command = \"true\"",
        )
        .replace(
            &format!("../../worker/{worker}/build"),
            build.to_str().unwrap(),
        );
    let text = match change {
        Some(number) => text.replace(
            "max_message_bytes = 16384",
            &format!("max_message_bytes = {}", 10_000 + number),
        ),
        None => text,
    };
    let path = folder.join(format!("{worker}.toml"));
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn took(mut command: Command) -> Duration {
    let began = Instant::now();
    let output = command.output().unwrap();
    let took = began.elapsed();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ours(sandbox: &Sandbox, project: &Project) -> Duration {
    let binary = std::env::var("EDGE_BROADCAST_BIN")
        .unwrap_or_else(|_| env!("CARGO_BIN_EXE_edge-broadcast").to_owned());
    let mut command = Command::new(binary);
    command
        .args(["deploy", "staging"])
        .current_dir(project.path())
        .env("CLOUDFLARE_API_BASE_URL", &sandbox.api)
        .env("CLOUDFLARE_API_TOKEN", &sandbox.token)
        .env("CLOUDFLARE_ACCOUNT_ID", &sandbox.account_id)
        .env("WEBHOOK_SECRET", SECRET);
    took(command)
}

fn wranglers(sandbox: &Sandbox, configurations: &[String]) -> Duration {
    let each = configurations.iter().map(|configuration| {
        let mut command = npm::wrangler();
        command
            .args(["deploy", "-c", configuration, "--env", "staging"])
            .env("CLOUDFLARE_API_BASE_URL", &sandbox.api)
            .env("CLOUDFLARE_API_TOKEN", &sandbox.token)
            .env("CLOUDFLARE_ACCOUNT_ID", &sandbox.account_id);
        took(command)
    });
    each.sum()
}

fn changed(number: usize) -> Project {
    let project = Project::new();
    let text = manifest("staging").replace(
        "max_message_bytes = 16384",
        &format!("max_message_bytes = {}", 10_000 + number),
    );
    project.write("environments/staging.toml", &text);
    project
}

#[test]
fn the_time_of_a_deployment_is_printed_beside_wranglers() {
    built();
    let sandbox = Sandbox::start();
    let folder = tempfile::tempdir().unwrap();
    let same = Project::with_all();
    ours(&sandbox, &same);
    let both = |change| {
        [
            configuration("room", folder.path(), None),
            configuration("gateway", folder.path(), change),
        ]
    };
    wranglers(&sandbox, &both(None));
    let mut unchanged = (Vec::new(), Vec::new());
    let mut gateway = (Vec::new(), Vec::new());
    // In pairs, so that a change of the machine's pace meets both
    for round in 0..ROUNDS {
        ours(&sandbox, &same);
        unchanged.0.push(ours(&sandbox, &same));
        unchanged.1.push(wranglers(&sandbox, &both(None)));
        gateway.0.push(ours(&sandbox, &changed(2 * round)));
        gateway
            .1
            .push(wranglers(&sandbox, &both(Some(2 * round + 1))[1..]));
    }
    for (what, (ours, wranglers)) in [
        ("unchanged environment", unchanged),
        ("changed gateway", gateway),
    ] {
        let (ours, wranglers) = (median(ours), median(wranglers));
        let ratio = wranglers.as_secs_f64() / ours.as_secs_f64();
        println!(
            "deploy, {what}: {ours:.2?} with verification, wrangler {wranglers:.2?}: {ratio:.1} times as fast"
        );
    }
}
