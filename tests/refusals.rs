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
            "error: there is no environment `stagign`; `environments/` has `local`, `production`, `staging`\nhelp: did you mean `staging`?\n"
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
        "error: the secret `WEBHOOK_SECRET` has no value: its source `env:WEBHOOK_SECRET` names an environment variable that is not set\nhelp: set `WEBHOOK_SECRET` and run again\n"
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
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    for command in ["plan", "deploy", "verify"] {
        let printed = refused(
            Run::new([command, "staging"])
                .env("WEBHOOK_SECRET", "a-long-enough-secret-for-this-test")
                .env("HOME", home)
                .env("XDG_CONFIG_HOME", home)
                .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT),
        );
        assert_eq!(
            printed.stderr,
            "error: there is no API token\nhelp: set `CLOUDFLARE_API_TOKEN` (dashboard: My Profile, API Tokens), or rehearse with `--sandbox`\n"
        );
    }
}

#[test]
fn wranglers_login_is_said_not_to_be_used_and_is_not_read() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".wrangler/config");
    std::fs::create_dir_all(&folder).unwrap();
    let login = folder.join("default.toml");
    std::fs::write(&login, "oauth_token = \"marker\"\n").unwrap();
    let printed = refused(
        Run::new(["plan", "staging"])
            .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
            .env("HOME", home.path().to_str().unwrap())
            .env("XDG_CONFIG_HOME", home.path().to_str().unwrap()),
    );
    assert_eq!(
        printed.stderr,
        format!(
            "error: there is no API token; wrangler is logged in (`{}`), but only wrangler can use that login: its token ends after an hour\nhelp: set `CLOUDFLARE_API_TOKEN` (dashboard: My Profile, API Tokens), or rehearse with `--sandbox`\n",
            login.display()
        )
    );
}

#[test]
fn what_cannot_be_a_credential_is_refused_without_its_value() {
    for variables in [
        &[("CLOUDFLARE_API_TOKEN", "Bearer hunter2")][..],
        &[("CLOUDFLARE_API_TOKEN", "hun ter2")],
        &[("CLOUDFLARE_API_TOKEN", "hun\nter2")],
        &[("CLOUDFLARE_API_TOKEN", "hunter2\u{2026}")],
        &[("CLOUDFLARE_API_KEY", "hunter2")],
        &[
            ("CLOUDFLARE_API_KEY", "hun\"ter2"),
            ("CLOUDFLARE_EMAIL", "someone@example.com"),
        ],
    ] {
        let run = Run::new(["plan", "staging"]).env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT);
        let run = variables
            .iter()
            .fold(run, |run, (name, value)| run.env(name, value));
        let printed = refused(run);
        let name = variables[0].0;
        assert!(
            printed.stderr.starts_with(&format!("error: `{name}` ")),
            "{}",
            printed.stderr
        );
        assert!(!printed.stderr.contains("hun"), "{}", printed.stderr);
    }
}

#[test]
fn a_key_and_its_users_address_open_the_api_as_a_token_does() {
    let sandbox = crate::support::Sandbox::start();
    let status = |key: &str| {
        Run::new(["status", "staging"])
            .against(&sandbox)
            .env("CLOUDFLARE_API_TOKEN", "")
            .env("CLOUDFLARE_API_KEY", key)
            .env("CLOUDFLARE_EMAIL", " someone@example.com\n")
    };
    let printed = status(&format!("\"{}\"\n", sandbox.token)).succeeds();
    assert!(
        printed.stdout.contains("not deployed"),
        "{}",
        printed.stdout
    );
    let printed = status("another").fails();
    assert!(
        printed
            .stdout
            .contains("(code 9103)\n  help: check `CLOUDFLARE_API_KEY` and `CLOUDFLARE_EMAIL`"),
        "{}",
        printed.stdout
    );
}

#[test]
fn a_credential_of_another_region_or_in_clear_text_goes_nowhere() {
    let plan = || {
        Run::new(["plan", "staging"])
            .env("CLOUDFLARE_API_TOKEN", "marker")
            .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
    };
    let printed = plan()
        .env("CLOUDFLARE_COMPLIANCE_REGION", "fedramp_high")
        .fails();
    assert_eq!(
        printed.stderr,
        "error: `CLOUDFLARE_COMPLIANCE_REGION` is `fedramp_high`, whose API is another host than `api.cloudflare.com`: nothing is sent there\nhelp: set `CLOUDFLARE_API_BASE_URL` to the address of that region's API, or unset `CLOUDFLARE_COMPLIANCE_REGION`\n"
    );
    let printed = plan()
        .env("CLOUDFLARE_API_BASE_URL", "http://api.example.com")
        .fails();
    assert_eq!(
        printed.stderr,
        "error: `CLOUDFLARE_API_BASE_URL`: `api.example.com` is not this machine, and plain HTTP would show the credential and every secret to whoever is on the way: use `https`\n"
    );
}

#[test]
fn a_missing_account_id_stops_a_plan() {
    let printed = refused(Run::new(["plan", "staging"]).env("CLOUDFLARE_API_TOKEN", "t"));
    assert_eq!(
        printed.stderr,
        "error: there is no account id for `staging`\nhelp: set `CLOUDFLARE_ACCOUNT_ID`, or `account_id` under `[cloudflare]` in the manifest\n"
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
        "error: `CLOUDFLARE_ACCOUNT_ID` is not a Cloudflare account id\nhelp: it has 32 hexadecimal digits: see Account details on the Workers page of the dashboard\n"
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
            "error: the manifest of `staging` names the account `{ACCOUNT}`, but `CLOUDFLARE_ACCOUNT_ID` is `ffffffffffffffffffffffffffffffff`\nhelp: unset the variable or correct the manifest\n"
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
        "error: `production` is protected and can be confirmed on a terminal only\nhelp: look at `edge-broadcast plan production`, then run with `--yes`\n"
    );
}
