//! The value of a secret is searched for in everything that the tool shows or writes.

use crate::support::{Project, Run, Sandbox, built, manifest};

const MARKER: &str = "marker-7f3a91c2e85d4b60-never-to-be-seen";

#[test]
fn no_command_prints_a_secret_on_success_or_on_failure() {
    built();
    let sandbox = Sandbox::start();
    let mut seen = String::new();
    for args in [
        vec!["deploy", "staging", "--json"],
        vec!["deploy", "staging"],
        vec!["plan", "staging"],
        vec!["plan", "staging", "--json"],
        vec!["verify", "staging", "--json"],
        vec!["check"],
        vec!["generate", "--check"],
        vec!["build"],
    ] {
        let printed = Run::new(args)
            .against(&sandbox)
            .env("WEBHOOK_SECRET", MARKER)
            .succeeds();
        seen += &(printed.stdout + &printed.stderr);
    }
    // A deployment that fails half way, one that cannot begin, and one that fails its verification
    let wrong_zone = Project::new();
    wrong_zone.write(
        "environments/staging.toml",
        &manifest("staging").replace("glow.trade\"\n", "unknown.example\"\n"),
    );
    for (run, token) in [
        (
            Run::new(["deploy", "staging"]).inside(&wrong_zone),
            sandbox.token.as_str(),
        ),
        (Run::new(["deploy", "staging"]), "wrong"),
        (Run::new(["verify", "production"]), sandbox.token.as_str()),
    ] {
        let printed = run
            .against(&sandbox)
            .env("CLOUDFLARE_API_TOKEN", token)
            .env("WEBHOOK_SECRET", MARKER)
            .fails();
        seen += &(printed.stdout + &printed.stderr);
    }
    assert!(!seen.contains(MARKER), "{seen}");
    assert!(!seen.contains(&sandbox.token), "{seen}");
}

#[test]
fn no_generated_file_holds_a_secret() {
    let project = Project::with_all();
    Run::new(["generate"])
        .inside(&project)
        .env("WEBHOOK_SECRET", MARKER)
        .succeeds();
    let found = std::process::Command::new("grep")
        .args(["-r", MARKER, "."])
        .current_dir(project.path().join("generated"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}
