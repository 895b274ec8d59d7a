//! The real wrangler with the generated files.

use std::process::Command;

use crate::npm;
use crate::support::{Run, Sandbox, built, repository};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS13cmFuZ2xlci10ZXN0cw==";

fn wrangler(args: &[&str]) -> Command {
    built();
    let mut command = npm::wrangler();
    command
        .args(args)
        .current_dir(repository())
        .env_remove("CLOUDFLARE_API_TOKEN");
    command
}

/// An unknown field, a rule without effect, an environment that lost something: wrangler only warns, and exits with 0.
#[track_caller]
fn succeeds_without_a_warning(command: Command) {
    let printed = succeeds(command);
    assert!(!printed.contains("WARNING"), "{printed}");
}

/// What it printed.
#[track_caller]
fn succeeds(mut command: Command) -> String {
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    printed.into_owned()
}

fn against(mut command: Command, sandbox: &Sandbox) -> Command {
    command
        .env("CLOUDFLARE_API_BASE_URL", &sandbox.api)
        .env("CLOUDFLARE_API_TOKEN", &sandbox.token)
        .env("CLOUDFLARE_ACCOUNT_ID", &sandbox.account_id);
    command
}

#[test]
fn every_generated_wrangler_toml_passes_a_dry_run_without_a_warning() {
    for worker in ["room", "gateway"] {
        for environment in ["local", "staging", "production"] {
            let config = format!("generated/{worker}/wrangler.toml");
            succeeds_without_a_warning(wrangler(&[
                "deploy",
                "--dry-run",
                "-c",
                &config,
                "--env",
                environment,
            ]));
        }
    }
}

#[test]
fn a_deployment_by_wrangler_is_one_that_this_tool_would_have_made() {
    let sandbox = Sandbox::start();
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets.json");
    std::fs::write(&secrets, format!("{{\"WEBHOOK_SECRET\":\"{SECRET}\"}}")).unwrap();
    let room = [
        "deploy",
        "-c",
        "generated/room/wrangler.toml",
        "--env",
        "staging",
    ];
    succeeds_without_a_warning(against(wrangler(&room), &sandbox));
    let gateway = [
        "deploy",
        "-c",
        "generated/gateway/wrangler.toml",
        "--env",
        "staging",
        "--secrets-file",
        secrets.to_str().unwrap(),
    ];
    succeeds_without_a_warning(against(wrangler(&gateway), &sandbox));
    let plan = Run::new(["plan", "staging"]).against(&sandbox).succeeds();
    assert_eq!(plan.stdout, "staging: nothing to change\n");
    Run::new(["verify", "staging"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
}

#[test]
fn wrangler_over_our_deployment_leaves_nothing_to_change() {
    let sandbox = Sandbox::start();
    built();
    Run::new(["deploy", "staging"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
    for worker in ["room", "gateway"] {
        let config = format!("generated/{worker}/wrangler.toml");
        succeeds(against(
            wrangler(&["deploy", "-c", &config, "--env", "staging"]),
            &sandbox,
        ));
    }
    let plan = Run::new(["plan", "staging"]).against(&sandbox).succeeds();
    assert_eq!(plan.stdout, "staging: nothing to change\n");
    Run::new(["verify", "staging"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
}
