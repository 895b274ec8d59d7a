//! `environment new`: a manifest like another one's.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Project, Run, manifest};

#[test]
fn a_new_environment_differs_only_where_it_must_and_is_good() {
    let project = Project::with_all();
    let new = ["environment", "new", "qa", "--from", "staging"];
    let printed = Run::new(new).inside(&project).succeeds();
    assert_snapshot!(printed.stdout, @r"
    wrote `environments/qa.toml`, like `staging`
      routes.host: broadcast-staging.glow.trade -> broadcast-qa.glow.trade
      analytics.dataset: edge_broadcast_staging -> edge_broadcast_qa
      sst.stage: staging -> qa

    look at
      its comments, which are those of `staging`
      the secret WEBHOOK_SECRET from env:WEBHOOK_SECRET: the same source

    then `edge-broadcast generate` and `edge-broadcast plan qa`
    ");
    assert_eq!(printed.stderr, "");
    let written = std::fs::read_to_string(project.path().join("environments/qa.toml")).unwrap();
    let expected = manifest("staging")
        .replace("broadcast-staging.glow", "broadcast-qa.glow")
        .replace("edge_broadcast_staging", "edge_broadcast_qa")
        .replace("stage = \"staging\"", "stage = \"qa\"");
    assert_eq!(written, expected);
    Run::new(["check"]).inside(&project).succeeds();
    // Of one whose hosts do not name it
    let new = [
        "environment",
        "new",
        "blue",
        "--from",
        "production",
        "--json",
    ];
    let answer = Run::new(new).inside(&project).succeeds().json();
    assert_eq!(answer["path"], "environments/blue.toml");
    assert_eq!(
        answer["changes"][0],
        json!({"key": "routes.host", "before": "broadcast.glow.trade", "after": "broadcast-blue.glow.trade"})
    );
    Run::new(["check"]).inside(&project).succeeds();
}

#[test]
fn what_would_not_be_good_is_not_written() {
    let project = Project::with_all();
    let run = |name: &str, from: &str| {
        Run::new(["environment", "new", name, "--from", from])
            .inside(&project)
            .fails()
            .stderr
    };
    assert_snapshot!(run("staging", "production"), @r"
    error: `environments/staging.toml` is there already
    help: choose another name, or edit that file
    ");
    assert_snapshot!(run("Not a name", "staging"), @r"
    error: `Not a name` is not a valid environment name
    help: use at most 20 lower-case letters, digits and dashes, beginning with a letter, like `glow-broadcast`
    ");
    assert_snapshot!(run("qa", "stagign"), @r"
    error: there is no environment `stagign`; `environments/` has `local`, `production`, `staging`
    help: did you mean `staging`?
    ");
    // The host that it would get is another one's
    let taken =
        manifest("local").replace("broadcast.glow.localhost", "broadcast-qa.glow.localhost");
    project.write("environments/other.toml", &taken);
    assert_snapshot!(run("qa", "local"), @r#"
    error: `broadcast-qa.glow.localhost` is a host of `other` too
      --> environments/qa.toml:12:8
       |
    12 | host = "broadcast-qa.glow.localhost"
       |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: a host leads to one environment: remove it from one of the two
    "#);
    assert!(!project.path().join("environments/qa.toml").exists());
}
