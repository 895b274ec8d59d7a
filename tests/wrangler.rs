//! The real wrangler with the generated files.

use std::process::Command;

use edge_broadcast::cloudflare::Cloudflare;
use edge_broadcast::cloudflare::observe::observe;
use edge_broadcast::project::Project;
use edge_broadcast::secret::Value;

use crate::npm;
use crate::support::{Run, Sandbox, built, cryptography, repository};

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

/// What is live, without the ids, which differ by chance, and without what only says who deployed.
async fn state(sandbox: &Sandbox, environment: &str) -> String {
    cryptography();
    let environment = Project { root: repository() }
        .environment(environment)
        .unwrap();
    let token = Value::new(sandbox.token.clone());
    let cloudflare = Cloudflare::new(&sandbox.api, sandbox.account_id.clone(), token).unwrap();
    let mut observed = observe(&cloudflare, &environment).await.unwrap();
    for live in observed.scripts.values_mut() {
        live.split.iter_mut().for_each(|share| {
            share.version_id.clear();
            share.tag = None;
        });
        live.active.id.clear();
        live.active.tag = None;
        live.latest = None;
    }
    observed
        .routes
        .iter_mut()
        .for_each(|route| route.id.clear());
    observed.routes.sort_by(|a, b| a.pattern.cmp(&b.pattern));
    observed
        .domains
        .iter_mut()
        .for_each(|domain| domain.id.clear());
    format!("{observed:#?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn wranglers_deployment_and_ours_reach_the_same_state_in_every_environment() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets.json");
    std::fs::write(&secrets, format!("{{\"WEBHOOK_SECRET\":\"{SECRET}\"}}")).unwrap();
    for environment in ["local", "staging", "production"] {
        let (by_wrangler, by_us) = (Sandbox::start(), Sandbox::start());
        let room = [
            "deploy",
            "-c",
            "generated/room/wrangler.toml",
            "--env",
            environment,
        ];
        succeeds(against(wrangler(&room), &by_wrangler));
        let gateway = [
            "deploy",
            "-c",
            "generated/gateway/wrangler.toml",
            "--env",
            environment,
            "--secrets-file",
            secrets.to_str().unwrap(),
        ];
        succeeds(against(wrangler(&gateway), &by_wrangler));
        Run::new(["deploy", environment, "--yes"])
            .against(&by_us)
            .env("WEBHOOK_SECRET", SECRET)
            .succeeds();
        assert_eq!(
            state(&by_wrangler, environment).await,
            state(&by_us, environment).await,
            "{environment}"
        );
    }
}
