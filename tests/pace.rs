//! How long the release build takes: deployments beside wrangler's, on the same local server and with the same bundles, and
//! the commands of every day. Printed (`cargo test --test suite pace -- --nocapture`), and held to the bounds.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::npm;
use crate::support::{Project, Run, Sandbox, built, repository, without_cargos_own};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1wYWNlLXRlc3RzLTAwMDE=";
const ADMIN: &str = "whsec_YWRtaW4tc2VjcmV0LW9mLXRoZS1wYWNlLXRlc3RzLTE=";
const ROUNDS: usize = 7;

/// The release build, made once; `EDGE_BROADCAST_BIN` replaces it.
pub(crate) fn release() -> &'static Path {
    static RELEASE: OnceLock<PathBuf> = OnceLock::new();
    RELEASE.get_or_init(|| {
        built();
        if let Some(binary) = std::env::var_os("EDGE_BROADCAST_BIN") {
            return binary.into();
        }
        let began = Instant::now();
        let mut command = Command::new(env!("CARGO"));
        without_cargos_own(&mut command);
        let output = command
            .args(["build", "--release", "--locked", "--bin", "edge-broadcast"])
            .args(["--message-format", "json-render-diagnostics"])
            .current_dir(repository())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        println!("the release build took {:.1?}", began.elapsed());
        // Wherever cargo was told to put it
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .find_map(|message| message["executable"].as_str().map(PathBuf::from))
            .expect("cargo names the program that it built")
    })
}

fn run<'a>(args: impl IntoIterator<Item = &'a str>) -> Run {
    Run::by(release(), args)
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

/// The generated configuration without its `[build]`: the bundles are there, and compiling is not what is compared.
fn configuration(worker: &str, folder: &Path, bytes: usize) -> String {
    let text =
        std::fs::read_to_string(repository().join(format!("generated/{worker}/wrangler.toml")))
            .unwrap();
    let workers = repository().join("worker");
    let text = text
        .replace("cargo run --quiet -- build", "true")
        .replace("../../worker", workers.to_str().unwrap())
        .replace(
            "max_message_bytes = 16384",
            &format!("max_message_bytes = {bytes}"),
        );
    let path = folder.join(format!("{worker}.toml"));
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// With another limit of the gateway.
fn changed(bytes: usize) -> Project {
    Project::with_staging(
        "max_message_bytes = 16384",
        &format!("max_message_bytes = {bytes}"),
    )
}

fn ours(sandbox: &Sandbox, project: &Project) -> Duration {
    let run = run(["deploy", "staging"]).inside(project).against(sandbox);
    took(run.env("WEBHOOK_SECRET", SECRET).command())
}

fn wranglers(sandbox: &Sandbox, configuration: &str) -> Duration {
    let mut command = npm::wrangler();
    command
        .args(["deploy", "-c", configuration, "--env", "staging"])
        .env("CLOUDFLARE_API_BASE_URL", &sandbox.api)
        .env("CLOUDFLARE_API_TOKEN", &sandbox.token)
        .env("CLOUDFLARE_ACCOUNT_ID", &sandbox.account_id);
    took(command)
}

#[test]
fn an_unchanged_deployment_takes_a_tenth_of_wranglers_time_and_a_changed_one_a_fifth() {
    let sandbox = Sandbox::run(run(["sandbox"]));
    let folder = tempfile::tempdir().unwrap();
    let same = Project::with_all();
    ours(&sandbox, &same);
    let (mut unchanged, mut gateway) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    // In pairs, so that a change of the machine's pace meets both
    for round in 0..ROUNDS {
        ours(&sandbox, &same);
        unchanged.0.push(ours(&sandbox, &same));
        let both = ["room", "gateway"].map(|worker| {
            let configuration = configuration(worker, folder.path(), 16384);
            wranglers(&sandbox, &configuration)
        });
        unchanged.1.push(both.iter().sum());
        gateway.0.push(ours(&sandbox, &changed(10_000 + 2 * round)));
        // Only the script that changed, which wrangler's user would have to know
        let configuration = configuration("gateway", folder.path(), 10_001 + 2 * round);
        gateway.1.push(wranglers(&sandbox, &configuration));
    }
    for (what, (ours, wranglers), bound) in [
        ("unchanged environment", unchanged, 10.0),
        ("changed gateway", gateway, 5.0),
    ] {
        let (ours, wranglers) = (median(ours), median(wranglers));
        let ratio = wranglers.as_secs_f64() / ours.as_secs_f64();
        println!(
            "deploy, {what}: {ours:.1?} with verification, wrangler {wranglers:.1?} without: {ratio:.1} times as fast"
        );
        assert!(ratio >= bound, "{what}: {ratio:.1} times as fast");
    }
}

#[test]
fn the_commands_of_every_day_take_less_than_a_blink() {
    let sandbox = Sandbox::run(run(["sandbox"]));
    let project = Project::with_all();
    run(["generate"]).inside(&project).succeeds();
    for environment in ["local", "staging", "production"] {
        let deploy = run(["deploy", environment, "--yes"]).against(&sandbox);
        let deploy = deploy.env("WEBHOOK_SECRET", SECRET);
        deploy.env("ADMIN_SECRET", ADMIN).succeeds();
    }
    for (what, commands) in [
        ("check", vec![vec!["check"]]),
        ("build with nothing changed", vec![vec!["build"]]),
        ("generate", vec![vec!["generate"]]),
        (
            "plan of the three environments",
            ["local", "staging", "production"]
                .map(|environment| vec!["plan", environment])
                .into(),
        ),
    ] {
        let once = || -> Duration {
            let each = commands.iter().map(|args| {
                let run = run(args.iter().copied()).inside(&project).against(&sandbox);
                took(run.command())
            });
            each.max().unwrap()
        };
        let times: Vec<Duration> = (0..ROUNDS).map(|_| once()).collect();
        let fastest = *times.iter().min().unwrap();
        println!("{what}: {fastest:.1?}, median {:.1?}", median(times));
        // The fastest: what other tests do to the machine meanwhile is not the command's time
        assert!(fastest < Duration::from_millis(100), "{what}: {fastest:?}");
    }
}

#[test]
fn a_second_rehearsal_takes_less_than_six_seconds() {
    let rehearse = || took(run(["deploy", "staging", "--sandbox"]).command());
    rehearse();
    let second = rehearse();
    println!("deploy staging --sandbox, everything built: {second:.1?}");
    assert!(second < Duration::from_secs(6), "{second:?}");
}
