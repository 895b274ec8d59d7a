//! Bad input: one clear error, exit code 1, nothing sent.

use std::io::Read;
use std::net::TcpListener;

use crate::support::{Printed, Project, Run};

/// Runs against an API that must hear nothing.
#[track_caller]
fn refused(run: Run) -> Printed {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let printed = run.env("CLOUDFLARE_API_BASE_URL", &base).fails();
    if let Ok((mut stream, _)) = listener.accept() {
        let mut sent = String::new();
        let _ = stream.read_to_string(&mut sent);
        panic!("something was sent: {sent}");
    }
    assert_eq!(printed.stdout, "");
    printed
}

const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn an_unknown_environment_is_answered_with_the_known_and_the_nearest() {
    for command in ["plan", "deploy", "verify", "check"] {
        let printed = refused(Run::new([command, "stagign"]));
        assert_eq!(
            printed.stderr,
            "error: there is no environment `stagign`; `environments/` has `local`, `production`, `staging`; did you mean `staging`?\n"
        );
    }
}

#[test]
fn a_duplicate_route_stops_a_deployment() {
    let project = Project::with_staging(
        "[room]",
        "[[routes]]\nhost = \"broadcast-staging.glow.trade\"\n\n[room]",
    );
    let printed = refused(
        Run::new(["deploy", "staging"])
            .inside(&project)
            .env("WEBHOOK_SECRET", "x"),
    );
    assert!(
        printed
            .stderr
            .starts_with("error: `broadcast-staging.glow.trade` is routed twice\n"),
        "{}",
        printed.stderr
    );
}

/// A deployment to an empty account: what will be sent is known before anything is compiled or written.
#[track_caller]
fn refused_before_any_write(run: Run) -> Printed {
    let sandbox = crate::support::Sandbox::start();
    let project = Project::with_staging("[analytics]", "[analytics]");
    let printed = run.inside(&project).against(&sandbox).fails();
    assert!(!project.path().join("generated").exists());
    let requests = tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(crate::support::api::call(
            &sandbox,
            "GET",
            "/sandbox/requests",
            None,
        ));
    for request in requests["result"].as_array().unwrap() {
        assert_eq!(request["method"], "GET", "{request}");
    }
    printed
}

#[test]
fn a_missing_secret_stops_a_deployment() {
    let printed = refused_before_any_write(Run::new(["deploy", "staging"]));
    assert_eq!(
        printed.stderr,
        "error: the secret `WEBHOOK_SECRET` has no value: its source `env:WEBHOOK_SECRET` names an environment variable that is not set; set `WEBHOOK_SECRET` and run again\n"
    );
}

#[test]
fn an_empty_secret_stops_a_deployment() {
    let printed =
        refused_before_any_write(Run::new(["deploy", "staging"]).env("WEBHOOK_SECRET", ""));
    assert_eq!(
        printed.stderr,
        "error: the secret `WEBHOOK_SECRET` is empty: its source `env:WEBHOOK_SECRET` names an environment variable that is set but empty\n"
    );
}

#[test]
fn a_missing_token_stops_every_command_that_needs_it() {
    for command in ["plan", "deploy", "verify"] {
        let printed = refused(
            Run::new([command, "staging"])
                .env("WEBHOOK_SECRET", "a-long-enough-secret-for-this-test")
                .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT),
        );
        assert_eq!(
            printed.stderr,
            "error: there is no API token: set `CLOUDFLARE_API_TOKEN` (dashboard: My Profile, API Tokens), or rehearse with `--sandbox`\n"
        );
    }
}

#[test]
fn a_missing_account_id_stops_a_plan() {
    let printed = refused(Run::new(["plan", "staging"]).env("CLOUDFLARE_API_TOKEN", "t"));
    assert_eq!(
        printed.stderr,
        "error: there is no account id for `staging`: set `CLOUDFLARE_ACCOUNT_ID`, or `account_id` under `[cloudflare]` in the manifest\n"
    );
}

#[test]
fn a_bad_account_id_stops_a_plan() {
    let printed = Run::new(["plan", "staging"])
        .env("CLOUDFLARE_API_TOKEN", "t")
        .env("CLOUDFLARE_ACCOUNT_ID", "../x")
        .fails();
    assert_eq!(
        printed.stderr,
        "error: `CLOUDFLARE_ACCOUNT_ID`: `../x` is not a Cloudflare account id; it has 32 hexadecimal digits: see Account details on the Workers page of the dashboard, or leave it out and set `CLOUDFLARE_ACCOUNT_ID`\n"
    );
}

#[test]
fn the_manifests_account_and_the_shells_account_must_agree() {
    let project = Project::with_staging("zone = ", &format!("account_id = \"{ACCOUNT}\"\nzone = "));
    let printed = refused(
        Run::new(["plan", "staging"])
            .inside(&project)
            .env("CLOUDFLARE_API_TOKEN", "t")
            .env("CLOUDFLARE_ACCOUNT_ID", "ffffffffffffffffffffffffffffffff"),
    );
    assert_eq!(
        printed.stderr,
        format!(
            "error: the manifest of `staging` names the account `{ACCOUNT}`, but `CLOUDFLARE_ACCOUNT_ID` is `ffffffffffffffffffffffffffffffff`; unset the variable or correct the manifest\n"
        )
    );
}

#[test]
fn a_folder_that_is_no_project_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Run::new(["check"]).command();
    let output = command.current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("is not in an edge-broadcast project")
    );
}

#[test]
fn a_protected_environment_is_not_changed_without_an_answer() {
    let sandbox = crate::support::Sandbox::start();
    crate::support::built();
    let printed = Run::new(["deploy", "production"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", "a-long-enough-secret-for-this-test")
        .fails();
    assert_eq!(
        printed.stderr,
        "error: `production` is protected and nobody can be asked here; look at `edge-broadcast plan production`, then run with `--yes`\n"
    );
}
