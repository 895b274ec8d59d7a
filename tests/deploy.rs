use std::time::{Duration, Instant};

use edge_broadcast::live::site::{Handshake, next_frame};
use serde_json::{Value, json};

use crate::support::runtime::{ends, runtime_of};
use crate::support::{Printed, Project, Run, Sandbox, api, built, interrupt, manifest};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1kZXBsb3ktdGVzdHM=";
const GATEWAY: &str = "glow-broadcast-staging";
const HOST: &str = "broadcast-staging.glow.trade";

fn deploy(sandbox: &Sandbox, environment: &str) -> Printed {
    Run::new(["deploy", environment, "--yes", "--json"])
        .against(sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds()
}

#[test]
fn the_first_deployment_uploads_everything_and_is_verified() {
    built();
    let sandbox = Sandbox::start();
    let answer = deploy(&sandbox, "staging").json();
    let titles: Vec<&str> = answer["applied"]["done"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(
        titles,
        [
            "upload `glow-broadcast-staging-room` and deploy it",
            "set the tags of `glow-broadcast-staging-room`",
            "keep `glow-broadcast-staging-room` off workers.dev",
            "upload `glow-broadcast-staging` and deploy it",
            "set the tags of `glow-broadcast-staging`",
            "keep `glow-broadcast-staging` off workers.dev",
            "route `broadcast-staging.glow.trade/*` to `glow-broadcast-staging`",
        ]
    );
    let checks = answer["verified"]["checks"].as_array().unwrap();
    let names: Vec<&str> = checks
        .iter()
        .filter_map(|check| check["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "health answers",
            "an allowed origin gets a socket",
            "an authorised publish is received",
            "a publish with a wrong secret is refused",
            "a publish without a secret is refused",
            "a foreign origin is refused",
        ]
    );
    assert!(
        checks.iter().all(|check| check["failure"].is_null()),
        "{answer:#}"
    );
    assert!(answer["verified"]["latency_ms"].as_f64().unwrap() > 0.0);
}

#[test]
fn the_second_deployment_has_nothing_to_do_and_uploads_nothing() {
    built();
    let sandbox = Sandbox::start();
    for environment in ["staging", "production"] {
        deploy(&sandbox, environment);
        let plan = Run::new(["plan", environment, "--detailed-exitcode"])
            .against(&sandbox)
            .succeeds();
        assert_eq!(plan.stdout, format!("{environment}: nothing to change\n"));
        let answer = deploy(&sandbox, environment).json();
        assert_eq!(answer["plan"]["steps"], json!([]));
        assert_eq!(answer["applied"]["done"], json!([]));
    }
}

#[test]
fn a_plan_before_the_first_deployment_exits_with_2_and_names_every_change() {
    built();
    let sandbox = Sandbox::start();
    let plan = Run::new(["plan", "staging", "--detailed-exitcode"])
        .against(&sandbox)
        .printed();
    assert_eq!(plan.code, 2, "{}", plan.stderr);
    for line in [
        "1. upload `glow-broadcast-staging-room` and deploy it",
        "   lane: lifecycle, because the Worker is new",
        "   + migration: v1",
        "   + secret WEBHOOK_SECRET: set",
        "7. route `broadcast-staging.glow.trade/*` to `glow-broadcast-staging`",
        "socket impact: none",
        "4 to add, 0 to change, 0 to remove",
    ] {
        assert!(
            plan.stdout.lines().any(|printed| printed == line),
            "no line `{line}` in:\n{}",
            plan.stdout
        );
    }
}

#[test]
fn a_changed_limit_of_the_gateway_takes_the_code_lane_and_touches_no_socket() {
    built();
    let sandbox = Sandbox::start();
    deploy(&sandbox, "staging");
    let project = Project::with_staging("max_message_bytes = 16384", "max_message_bytes = 8192");
    let plan = Run::new(["plan", "staging"])
        .inside(&project)
        .against(&sandbox)
        .succeeds();
    insta::assert_snapshot!(plan.stdout, @r"
staging: 2 steps

1. upload a version of `glow-broadcast-staging`
   lane: code
   ~ binding SETTINGS.max_message_bytes: 16384 -> 8192

2. give all traffic of `glow-broadcast-staging` to the new version

socket impact: none

0 to add, 1 to change, 0 to remove
");
    Run::new(["deploy", "staging"])
        .inside(&project)
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
    let plan = Run::new(["plan", "staging"])
        .inside(&project)
        .against(&sandbox)
        .succeeds();
    assert_eq!(plan.stdout, "staging: nothing to change\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_left_the_manifest_loses_its_route_and_no_other_route_is_touched() {
    built();
    let sandbox = Sandbox::start();
    api::record(&sandbox, "broadcast-next.glow.trade").await;
    deploy(&sandbox, "production");
    deploy(&sandbox, "staging");
    let project =
        Project::with_staging("broadcast-staging.glow.trade", "broadcast-next.glow.trade");
    let answer = Run::new("deploy staging --json --adopt glow-broadcast-staging".split(' '))
        .inside(&project)
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds()
        .json();
    assert_eq!(
        answer["applied"]["done"],
        json!([
            "route `broadcast-next.glow.trade/*` to `glow-broadcast-staging`",
            "remove the route `broadcast-staging.glow.trade/*` of `glow-broadcast-staging`",
        ])
    );
    let plan = Run::new(["plan", "production"])
        .against(&sandbox)
        .succeeds();
    assert_eq!(plan.stdout, "production: nothing to change\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_update_reaches_every_client_of_its_token_and_no_other() {
    built();
    let sandbox = Sandbox::start();
    deploy(&sandbox, "staging");
    let site = sandbox.site(HOST);
    let token = "So11111111111111111111111111111111111111112";
    let mut sockets = Vec::new();
    for path in [
        format!("/ws/{token}"),
        format!("/ws/{token}"),
        "/ws/BONK".to_owned(),
    ] {
        let Handshake::Open(mut socket) = site
            .socket(&path, Some("https://app.glow.trade"))
            .await
            .unwrap()
        else {
            panic!("`{path}` was refused");
        };
        let hello = next_frame(&mut socket).await.unwrap();
        assert_eq!(hello["type"], "connected");
        sockets.push(socket);
    }
    let update = json!({
        "type": "PRICE_UPDATE",
        "token": token,
        "price": 125.45,
        "timestamp": 1_700_000_000_000_u64,
        "slot": 250_000_000,
        "signature": "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW",
    });
    let authorization = [("authorization", format!("Bearer {SECRET}"))];
    let (status, receipt) = site
        .post(
            &format!("/broadcast/{token}"),
            &authorization,
            update.to_string(),
        )
        .await
        .unwrap();
    assert_eq!(status, 200, "{receipt}");
    let receipt: Value = serde_json::from_str(&receipt).unwrap();
    assert_eq!(receipt["sockets"], 2, "{receipt}");
    for socket in &mut sockets[..2] {
        let frame = next_frame(socket).await.unwrap();
        for (key, value) in update.as_object().unwrap() {
            assert_eq!(frame[key], *value, "{frame}");
        }
    }
    let other = tokio::time::timeout(Duration::from_millis(300), next_frame(&mut sockets[2])).await;
    assert!(other.is_err(), "a client of another token got {other:?}");
}

#[test]
fn a_rehearsal_needs_no_account_no_token_and_no_secret() {
    built();
    let printed = Run::new(["deploy", "staging", "--sandbox"]).succeeds();
    assert!(
        printed
            .stdout
            .contains("ok      an authorised publish is received"),
        "{}",
        printed.stdout
    );
    assert!(
        printed.stdout.contains("publish to receive: "),
        "{}",
        printed.stdout
    );
}

#[test]
fn verification_with_another_secret_than_the_deployed_one_fails() {
    built();
    let sandbox = Sandbox::start();
    deploy(&sandbox, "staging");
    let printed = Run::new(["verify", "staging"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", "another-secret-than-the-deployed-one")
        .fails();
    assert!(
        printed.stdout.contains("FAILED  an authorised publish is received: the publish was answered with 403: the deployed secret is another one than the manifest's source gives"),
        "{}",
        printed.stdout
    );
    assert_eq!(
        printed.stderr,
        "error: `staging` does not work as it must: see the failed checks\n"
    );
    let printed = Run::new(["verify", "staging"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
    assert!(!printed.stdout.contains("FAILED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_whose_secret_was_rotated_away_is_not_taken_back() {
    built();
    let sandbox = Sandbox::start();
    deploy(&sandbox, "staging");
    let path = api::of_account(&sandbox, &format!("workers/scripts/{GATEWAY}/secrets"));
    let rotated = json!({ "name": "WEBHOOK_SECRET", "text": "whsec_YW5vdGhlci1zZWNyZXQtb2YtdGhlLXRlc3RzLTAwMQ==", "type": "secret_text" });
    api::call(&sandbox, "PUT", &path, Some(rotated)).await;
    let before = api::shares(&sandbox, GATEWAY).await;
    let project = Project::with_staging("max_message_bytes = 16384", "max_message_bytes = 8192");
    let printed = Run::new(["deploy", "staging", "--rollout", "50,100", "--pause", "0s"])
        .inside(&project)
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .fails();
    assert!(
        printed.stdout.contains(
            "FAILED  an authorised publish is received: the publish was answered with 403"
        ),
        "{}",
        printed.stdout
    );
    assert!(
        printed.stderr.ends_with(
            "\nerror: `staging` is deployed and stays, but it could not be proved to deliver: the source `env:WEBHOOK_SECRET` gives another value of `WEBHOOK_SECRET` than the deployed one, which this deployment did not touch\nhelp: after a rotation, give the source the new value, then run `edge-broadcast verify staging`\n"
        ),
        "{}",
        printed.stderr
    );
    let after = api::shares(&sandbox, GATEWAY).await;
    assert!(after.len() == 1 && after != before, "{after:?}");
    let plan = Run::new(["plan", "staging"])
        .inside(&project)
        .against(&sandbox)
        .succeeds();
    assert_eq!(plan.stdout, "staging: nothing to change\n");
}

#[test]
fn a_deployment_that_changes_nothing_needs_no_secret() {
    built();
    let sandbox = Sandbox::start();
    deploy(&sandbox, "staging");
    let printed = Run::new(["deploy", "staging"]).against(&sandbox).succeeds();
    assert_eq!(
        printed.stdout,
        "staging: nothing to change\n\nverified broadcast-staging.glow.trade\n  ok      health answers\n  ok      an allowed origin gets a socket\n  skipped an authorised publish is received: nothing changed, so no secret was read; `verify` makes it\n  ok      a publish with a wrong secret is refused\n  ok      a publish without a secret is refused\n  ok      a foreign origin is refused\n"
    );
    // Its command would fail the deployment if it were run
    let project = Project::with_staging("env:WEBHOOK_SECRET", "command:false");
    Run::new(["deploy", "staging"])
        .inside(&project)
        .against(&sandbox)
        .succeeds();
}

#[test]
fn whoever_does_not_know_a_secret_that_is_set_already_deploys_without_the_check_that_needs_it() {
    built();
    let sandbox = Sandbox::start();
    let project = Project::with_staging("max_message_bytes = 16384", "max_message_bytes = 8192");
    let run = || {
        Run::new(["deploy", "staging"])
            .inside(&project)
            .against(&sandbox)
    };
    // A first deployment sets it
    let printed = run().fails();
    let unset = "the secret `WEBHOOK_SECRET` has no value: its source `env:WEBHOOK_SECRET` names an environment variable that is not set";
    assert_eq!(
        printed.stderr,
        format!("error: {unset}\nhelp: set `WEBHOOK_SECRET` and run again\n")
    );
    assert!(!project.path().join("generated").exists());
    deploy(&sandbox, "staging");

    let printed = run().succeeds();
    assert!(
        printed.stderr.contains(&format!(
            "if something has to change, one check of it will be skipped: {unset}\n"
        )),
        "{}",
        printed.stderr
    );
    let skipped = "; the live one stays, and `verify` makes this check where its value is known\n";
    assert!(
        printed.stdout.ends_with(&format!(
            "\nverified broadcast-staging.glow.trade\n  ok      health answers\n  ok      an allowed origin gets a socket\n  skipped an authorised publish is received: {unset}{skipped}  ok      a publish with a wrong secret is refused\n  ok      a publish without a secret is refused\n  ok      a foreign origin is refused\n"
        )),
        "{}",
        printed.stdout
    );
    // What a workflow has of a secret that is not its environment's; and a program that does not give it
    let broken = Project::with_staging("env:WEBHOOK_SECRET", "command:false");
    for (project, why) in [
        (
            None,
            "the secret `WEBHOOK_SECRET` is empty: its source `env:WEBHOOK_SECRET` names an environment variable that is set but empty",
        ),
        (
            Some(&broken),
            "the secret `WEBHOOK_SECRET` has no value: its source `command:false`: `false` failed (exit status: 1)",
        ),
    ] {
        let mut run = Run::new([
            "deploy",
            "staging",
            "--rollout",
            "50,100",
            "--pause",
            "0s",
            "--json",
        ])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", "");
        if let Some(project) = project {
            run = run.inside(project);
            project.write(
                "environments/staging.toml",
                &manifest("staging")
                    .replace("env:WEBHOOK_SECRET", "command:false")
                    .replace("max_message_bytes = 16384", "max_message_bytes = 4096"),
            );
        }
        let answer = run.succeeds().json();
        let checks = answer["verified"]["checks"].as_array().unwrap();
        let skipped = checks.iter().find_map(|check| check["skipped"].as_str());
        assert!(
            skipped.is_some_and(|said| said.starts_with(why)),
            "{answer}"
        );
    }
    // One that is there and weak is a mistake, not an absence
    let printed = run().env("WEBHOOK_SECRET", "hunter2").fails();
    assert!(
        printed.stderr.contains(
            "\nerror: the value of the secret `WEBHOOK_SECRET` has 7 characters, fewer than 24"
        ),
        "{}",
        printed.stderr
    );
}

#[test]
fn every_secret_that_will_be_sent_is_asked_for_before_anything_is_written() {
    built();
    let sandbox = Sandbox::start();
    let project = Project::with_staging(
        "\n[analytics]",
        "\n[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"\n\n[analytics]",
    );
    let printed = Run::new(["deploy", "staging"])
        .inside(&project)
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .fails();
    assert_eq!(
        printed.stderr,
        "error: the secret `ADMIN_SECRET` has no value: its source `env:ADMIN_SECRET` names an environment variable that is not set\nhelp: set `ADMIN_SECRET` and run again\n"
    );
    assert!(!project.path().join("generated").exists());
}

#[test]
fn a_rehearsal_makes_up_a_secret_only_where_there_is_none_and_says_so() {
    built();
    let printed = Run::new(["deploy", "staging", "--sandbox"]).succeeds();
    assert!(
        printed.stderr.lines().any(|line| line
            == "the source `env:WEBHOOK_SECRET` of `WEBHOOK_SECRET` has no value here: the rehearsal uses a random one"),
        "{}",
        printed.stderr
    );
    let project = Project::with_staging("env:WEBHOOK_SECRET", "file:all.json");
    project.write("all.json", "{}");
    let printed = Run::new(["deploy", "staging", "--sandbox"])
        .inside(&project)
        .fails();
    assert!(
        printed.stderr.ends_with("error: the secret `WEBHOOK_SECRET` has no value: its source `file:all.json`: the file has no key `WEBHOOK_SECRET`\n"),
        "{}",
        printed.stderr
    );
}

#[test]
fn a_protected_environment_is_changed_when_its_name_is_typed() {
    built();
    let sandbox = Sandbox::start();
    let run = || {
        Run::new(["deploy", "production"])
            .against(&sandbox)
            .env("WEBHOOK_SECRET", SECRET)
    };
    let prompt = "`production` is protected. Type its name to go on";
    let printed = run().asked(prompt, "prod\r");
    assert_eq!(printed.code, 1, "{}", printed.stdout);
    assert!(
        printed
            .stdout
            .contains("error: nothing was changed: `prod` is not `production`"),
        "{}",
        printed.stdout
    );
    let printed = run().asked(prompt, "production\r");
    assert_eq!(printed.code, 0, "{}", printed.stdout);
    assert!(printed.stdout.contains("\nverified "), "{}", printed.stdout);
}

/// The text of a plan's JSON without what the workers' code decides.
fn shape(plan: &Value, known: &[(&str, &str)]) -> String {
    let mut plan = plan.clone();
    for secret in plan["secrets"]["inventory"].as_array_mut().unwrap() {
        if secret["age_seconds"].is_number() {
            secret["age_seconds"] = json!("SECONDS");
        }
    }
    let mut text = serde_json::to_string_pretty(&plan).unwrap();
    for (value, name) in known {
        text = text.replace(value, name);
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_of_a_plan_has_the_documented_shape() {
    built();
    let sandbox = Sandbox::start();
    deploy(&sandbox, "staging");
    let live = api::shares(&sandbox, GATEWAY).await[0].0.clone();
    api::record(&sandbox, "broadcast-next.glow.trade").await;
    let text = manifest("staging")
        .replace(HOST, "broadcast-next.glow.trade")
        .replace("max_message_bytes = 16384", "max_message_bytes = 8192");
    let project = Project::new();
    project.write("environments/staging.toml", &text);
    let settings = api::of_account(
        &sandbox,
        &format!("workers/scripts/{GATEWAY}/script-settings"),
    );
    api::call(
        &sandbox,
        "PATCH",
        &settings,
        Some(json!({ "tags": ["ours"] })),
    )
    .await;
    let plan = "plan staging --rollout 25,100 --json --adopt glow-broadcast-staging";
    let plan = Run::new(plan.split(' '))
        .inside(&project)
        .against(&sandbox)
        .succeeds()
        .json();
    let mut steps = plan["steps"].as_array().unwrap().iter();
    let upload = steps.find(|step| step["step"] == "upload").unwrap();
    let last = plan["steps"].as_array().unwrap().last().unwrap();
    let known = [
        (upload["tag"].as_str().unwrap(), "TAG"),
        (upload["message"].as_str().unwrap(), "MESSAGE"),
        (last["id"].as_str().unwrap(), "ROUTE"),
        (live.as_str(), "LIVE"),
    ];
    insta::assert_snapshot!(shape(&plan, &known), @r#"
{
  "environment": "staging",
  "findings": [],
  "secrets": {
    "inventory": [
      {
        "age": "at_most",
        "age_seconds": "SECONDS",
        "name": "WEBHOOK_SECRET",
        "rotation": "fresh",
        "script": "glow-broadcast-staging",
        "state": "present"
      },
      {
        "age": null,
        "age_seconds": null,
        "name": "WEBHOOK_SECRET_ALTERNATE",
        "rotation": null,
        "script": "glow-broadcast-staging",
        "state": "idle_slot"
      }
    ],
    "rotation": {
      "environment": "staging",
      "next": null,
      "secret": "WEBHOOK_SECRET",
      "slots": [
        {
          "filled": "filled",
          "last_used": null,
          "name": "WEBHOOK_SECRET",
          "uses": null
        },
        {
          "filled": "idle",
          "last_used": null,
          "name": "WEBHOOK_SECRET_ALTERNATE",
          "uses": null
        }
      ],
      "stage": "at_rest"
    }
  },
  "socket_impact": "none",
  "steps": [
    {
      "pattern": "broadcast-next.glow.trade/*",
      "script": "glow-broadcast-staging",
      "step": "add_route"
    },
    {
      "changes": [
        {
          "after": 8192,
          "before": 16384,
          "what": "binding SETTINGS.max_message_bytes"
        }
      ],
      "inherit_from": null,
      "keeps": [
        "WEBHOOK_SECRET"
      ],
      "kept": {
        "logpush": false,
        "observability": {
          "head_sampling_rate": "hidden:6796cff2",
          "logs": "hidden:d42467a2"
        },
        "tail_consumers": []
      },
      "lane": {
        "adopt": null,
        "lane": "code",
        "latest": "LIVE"
      },
      "message": "MESSAGE",
      "role": "gateway",
      "script": "glow-broadcast-staging",
      "secrets": [],
      "step": "upload",
      "tag": "TAG"
    },
    {
      "from": "LIVE",
      "percent": 0,
      "reached": 0.0,
      "role": "gateway",
      "script": "glow-broadcast-staging",
      "step": "shift",
      "then": "check"
    },
    {
      "from": "LIVE",
      "percent": 25,
      "reached": 0.0,
      "role": "gateway",
      "script": "glow-broadcast-staging",
      "step": "shift",
      "then": "check"
    },
    {
      "from": "LIVE",
      "percent": 100,
      "reached": 0.0,
      "role": "gateway",
      "script": "glow-broadcast-staging",
      "step": "shift",
      "then": "go_on"
    },
    {
      "changes": [
        {
          "after": [
            "cf:environment=staging",
            "cf:service=glow-broadcast",
            "hidden:0ea25756"
          ],
          "before": [
            "hidden:0ea25756"
          ],
          "what": "tags"
        }
      ],
      "observability": true,
      "script": "glow-broadcast-staging",
      "step": "settings",
      "tags": [
        "cf:environment=staging",
        "cf:service=glow-broadcast"
      ]
    },
    {
      "id": "ROUTE",
      "pattern": "broadcast-staging.glow.trade/*",
      "script": "glow-broadcast-staging",
      "step": "remove_route"
    }
  ]
}
"#);
}

#[test]
fn the_json_of_a_first_plan_has_the_documented_shape() {
    built();
    let sandbox = Sandbox::start();
    let mut plan = Run::new(["plan", "staging", "--json"])
        .against(&sandbox)
        .succeeds()
        .json();
    // Which bindings there are is pinned elsewhere
    for step in plan["steps"].as_array_mut().unwrap() {
        if let Some(changes) = step.get_mut("changes").and_then(Value::as_array_mut) {
            changes.retain(|change| !change["what"].as_str().unwrap().starts_with("binding "));
        }
    }
    let mut known = Vec::new();
    for step in &plan["steps"].as_array().unwrap()[..4] {
        if step["step"] == "upload" {
            let code = step["changes"][0]["after"].as_str().unwrap();
            known.push((step["tag"].as_str().unwrap(), "TAG"));
            known.push((step["message"].as_str().unwrap(), "MESSAGE"));
            known.push((code, "CODE"));
        }
    }
    insta::assert_snapshot!(shape(&plan, &known), @r#"
{
  "environment": "staging",
  "findings": [],
  "secrets": {
    "inventory": [
      {
        "age": null,
        "age_seconds": null,
        "name": "WEBHOOK_SECRET",
        "rotation": null,
        "script": "glow-broadcast-staging",
        "state": "missing"
      },
      {
        "age": null,
        "age_seconds": null,
        "name": "WEBHOOK_SECRET_ALTERNATE",
        "rotation": null,
        "script": "glow-broadcast-staging",
        "state": "idle_slot"
      }
    ],
    "rotation": null
  },
  "socket_impact": "none",
  "steps": [
    {
      "changes": [
        {
          "after": "CODE",
          "before": null,
          "what": "code"
        },
        {
          "after": "v1",
          "before": null,
          "what": "migration"
        },
        {
          "after": "2026-10-01",
          "before": null,
          "what": "compatibility date"
        }
      ],
      "inherit_from": null,
      "keeps": [],
      "lane": {
        "lane": "lifecycle",
        "migrations": [
          "v1"
        ],
        "old_tag": null,
        "replaces": [],
        "why": "the Worker is new"
      },
      "message": "MESSAGE",
      "role": "room",
      "script": "glow-broadcast-staging-room",
      "secrets": [],
      "step": "upload",
      "tag": "TAG"
    },
    {
      "changes": [
        {
          "after": [
            "cf:environment=staging",
            "cf:service=glow-broadcast-room"
          ],
          "before": null,
          "what": "tags"
        }
      ],
      "observability": true,
      "script": "glow-broadcast-staging-room",
      "step": "settings",
      "tags": [
        "cf:environment=staging",
        "cf:service=glow-broadcast-room"
      ]
    },
    {
      "changes": [
        {
          "after": false,
          "before": null,
          "what": "workers.dev"
        }
      ],
      "enabled": false,
      "script": "glow-broadcast-staging-room",
      "step": "workers_dev"
    },
    {
      "changes": [
        {
          "after": "CODE",
          "before": null,
          "what": "code"
        },
        {
          "after": "2026-10-01",
          "before": null,
          "what": "compatibility date"
        },
        {
          "after": "set",
          "before": null,
          "what": "secret WEBHOOK_SECRET"
        }
      ],
      "inherit_from": null,
      "keeps": [],
      "lane": {
        "lane": "lifecycle",
        "migrations": [],
        "old_tag": null,
        "replaces": [],
        "why": "the Worker is new"
      },
      "message": "MESSAGE",
      "role": "gateway",
      "script": "glow-broadcast-staging",
      "secrets": [
        "WEBHOOK_SECRET"
      ],
      "step": "upload",
      "tag": "TAG"
    },
    {
      "changes": [
        {
          "after": [
            "cf:environment=staging",
            "cf:service=glow-broadcast"
          ],
          "before": null,
          "what": "tags"
        }
      ],
      "observability": true,
      "script": "glow-broadcast-staging",
      "step": "settings",
      "tags": [
        "cf:environment=staging",
        "cf:service=glow-broadcast"
      ]
    },
    {
      "changes": [
        {
          "after": false,
          "before": null,
          "what": "workers.dev"
        }
      ],
      "enabled": false,
      "script": "glow-broadcast-staging",
      "step": "workers_dev"
    },
    {
      "pattern": "broadcast-staging.glow.trade/*",
      "script": "glow-broadcast-staging",
      "step": "add_route"
    }
  ]
}
"#);
}

#[test]
fn a_wrong_token_is_named_as_such_and_nothing_is_deployed() {
    built();
    let sandbox = Sandbox::start();
    let printed = Run::new(["deploy", "staging"])
        .against(&sandbox)
        .env("CLOUDFLARE_API_TOKEN", "not-the-token")
        .env("WEBHOOK_SECRET", SECRET)
        .fails();
    assert!(
        printed.stderr.contains("check `CLOUDFLARE_API_TOKEN`"),
        "{}",
        printed.stderr
    );
    let plan = Run::new(["plan", "staging"]).against(&sandbox).succeeds();
    assert!(
        plan.stdout.starts_with("staging: 7 steps\n"),
        "{}",
        plan.stdout
    );
}

#[test]
fn ctrl_c_during_a_rehearsal_leaves_no_process() {
    built();
    let temporary = tempfile::tempdir().unwrap();
    let mut child = Run::new(["deploy", "staging", "--sandbox"])
        .env("TMPDIR", temporary.path().to_str().unwrap())
        .command()
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    let runtime = loop {
        let runtime = runtime_of(child.id());
        if !runtime.is_empty() {
            break runtime;
        }
        assert!(Instant::now() < until, "the runtime did not start");
        assert!(
            child.try_wait().unwrap().is_none(),
            "the command ended before it could be interrupted"
        );
    };
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    ends(&runtime);
    assert_eq!(
        std::fs::read_dir(temporary.path()).unwrap().count(),
        0,
        "temporary files were left"
    );
}
