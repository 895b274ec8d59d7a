use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{Project, Run, Sandbox, api, built, manifest};
use crate::workers::{ADMIN, Deployed};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1kb2N0b3ItdGVzdHMtMDE=";
const GATEWAY: &str = "glow-broadcast-staging";
const ORIGINS: &str = r#"allowed_origins = ["https://app.glow.trade", "http://localhost:3000"]"#;

fn deployed() -> Sandbox {
    built();
    let sandbox = Sandbox::start();
    Run::new(["deploy", "staging"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
    sandbox
}

#[test]
fn nothing_is_wrong_with_an_environment_that_was_just_deployed() {
    let sandbox = deployed();
    let printed = Run::new(["doctor", "staging"]).against(&sandbox).succeeds();
    insta::assert_snapshot!(printed.stdout, @r"
staging
  ok     the workers are built
  ok     the tools and the Rust compiler are those that the project needs
  ok     the generated files are as the manifests want them
  ok     this machine's clock is right
  ok     the API token reads the account and the zone `glow.trade`
  ok     what is live is what the manifest asks for
  ok     every secret is there and none is due
  ok     `broadcast-staging.glow.trade` answers
  ok     `broadcast-staging.glow.trade` refuses pages of foreign origins
");
    assert_eq!(printed.stderr, "");
}

#[test]
fn what_is_not_deployed_is_said_with_the_command_that_deploys_it() {
    built();
    let sandbox = Sandbox::start();
    let printed = Run::new(["doctor", "staging"]).against(&sandbox).fails();
    insta::assert_snapshot!(printed.stdout, @r"
staging
  ok     the workers are built
  ok     the tools and the Rust compiler are those that the project needs
  ok     the generated files are as the manifests want them
  ok     this machine's clock is right
  ok     the API token reads the account and the zone `glow.trade`
  WRONG  it is not deployed
         edge-broadcast deploy staging
  WRONG  secret WEBHOOK_SECRET of glow-broadcast-staging: missing
         edge-broadcast deploy staging
");
    assert_eq!(printed.stderr, "error: something is wrong with `staging`\n");
}

#[test]
fn a_token_that_reads_nothing_is_named_and_the_next_environment_is_looked_at_all_the_same() {
    let sandbox = deployed();
    let printed = Run::new(["doctor", "staging", "production"])
        .against(&sandbox)
        .env("CLOUDFLARE_API_TOKEN", "wrong")
        .fails();
    assert_eq!(
        printed
            .stdout
            .matches("check `CLOUDFLARE_API_TOKEN`")
            .count(),
        2,
        "{}",
        printed.stdout
    );
    assert_eq!(
        printed.stderr,
        "error: something is wrong with `staging`, `production`\n"
    );
}

/// One deployment, and all that can be wrong around it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_around_a_deployment_is_said_with_what_mends_it() {
    let sandbox = deployed();
    let doctor = |args: &[&'static str]| {
        let args = ["doctor", "staging"].iter().chain(args).copied();
        Run::new(args).against(&sandbox)
    };
    let has = |printed: &str, told: &str| assert!(printed.contains(told), "{told}\n\n{printed}");

    let published = doctor(&["--publish"]).env("WEBHOOK_SECRET", SECRET);
    has(
        &published.succeeds().stdout,
        "\n  ok     what is published through `broadcast-staging.glow.trade` with the manifest's secret arrives\n",
    );
    let other = "whsec_b3RoZXItc2VjcmV0LW9mLXRoZS1kb2N0b3ItdGVzdHM=";
    has(
        &doctor(&["--publish"])
            .env("WEBHOOK_SECRET", other)
            .fails()
            .stdout,
        "\n  WRONG  nothing can be published through `broadcast-staging.glow.trade`: the publish was answered with 403: the deployed secret is another one than the manifest's source gives\n         edge-broadcast secrets set staging WEBHOOK_SECRET\n",
    );

    // Rights that a deployment does not need are notes
    for path in ["/analytics_engine/sql", "/tails", "/dns_records"] {
        api::fault(
            &sandbox,
            json!({ "path": path, "kind": "status", "status": 403 }),
        )
        .await;
    }
    let printed = doctor(&[]).succeeds().stdout;
    for (right, needs) in [
        ("DNS Read` on the zone", "the look at its records needs"),
        (
            "Account Analytics Read` on the account",
            "`stats` and a rollout by evidence need",
        ),
        ("Workers Tail Read` on the account", "`tail` needs"),
    ] {
        let told = format!(
            "\n  note   the API token has not `{right}, which {needs}: add it in the dashboard (My Profile, API Tokens)\n"
        );
        has(&printed, &told);
    }

    let old = json!({ "path": "/user/tokens/verify", "kind": "old_date" });
    api::fault(&sandbox, old).await;
    let printed = doctor(&[]).fails().stdout;
    let (_, told) = printed
        .split_once("\n  WRONG  this machine's clock is ")
        .unwrap();
    let (seconds, told) = told.split_once(' ').unwrap();
    assert!(seconds.parse::<u64>().unwrap() > 300, "{seconds}");
    let mend = "s ahead of the API's: what it signs is refused, which allows 300 s\n         timedatectl set-ntp true\n";
    assert!(told.starts_with(mend), "{told}");

    let project = Project::with_all();
    let inside = || doctor(&[]).inside(&project);
    has(
        &inside().succeeds().stdout,
        "\n  note   nothing is generated yet: a deployment does it, or `edge-broadcast generate`\n",
    );
    Run::new(["generate"]).inside(&project).succeeds();
    project.write("generated/staging/routes.toml", "stale\n");
    let own = project.path().join("own");
    project.write("own", "#!/bin/sh\necho wasm-bindgen 0.0.1\n");
    std::fs::set_permissions(&own, Permissions::from_mode(0o755)).unwrap();
    let own = own.to_str().unwrap();
    let printed = inside()
        .env("WASM_BINDGEN_BIN", own)
        .env("ESBUILD_BIN", own);
    let printed = printed.fails().stdout;
    has(
        &printed,
        "\n  WRONG  the generated files are stale: `generated/staging/routes.toml`\n         edge-broadcast generate\n",
    );
    let told = format!(
        "\n  WRONG  `WASM_BINDGEN_BIN` names `{own}` of version 0.0.1, and `Cargo.lock` has "
    );
    has(&printed, &told);
    let told =
        format!("\n  note   `ESBUILD_BIN` names `{own}`, which is used in place of `esbuild` ");
    has(&printed, &told);

    // Whoever deployed before named no origin, so that every page may connect
    let open = Project::with_staging(ORIGINS, "");
    Run::new(["deploy", "staging"])
        .inside(&open)
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
    has(
        &doctor(&[]).fails().stdout,
        "\n  WRONG  a page of a foreign origin asked `broadcast-staging.glow.trade` for a socket: it got a socket\n         edge-broadcast deploy staging\n",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_and_the_plan_show_the_same_facts_about_secrets() {
    let sandbox = deployed();
    let secret = json!({ "name": "OLD_KEY", "text": "a value", "type": "secret_text" });
    let path = api::of_account(&sandbox, &format!("workers/scripts/{GATEWAY}/secrets"));
    let answer = api::call(&sandbox, "PUT", &path, Some(secret)).await;
    assert_eq!(answer["success"], true, "{answer}");
    let json = |command: &str| Run::new([command, "staging", "--json"]).against(&sandbox);
    let without_ages = |mut facts: Value| {
        for secret in facts["inventory"].as_array_mut().unwrap() {
            secret["age_seconds"] = Value::Null;
        }
        facts
    };
    let plan = without_ages(json("plan").succeeds().json()["secrets"].clone());
    let doctor = json("doctor").fails().json()["environments"][0].clone();
    assert_eq!(without_ages(doctor["secrets"].clone()), plan);
    let wrong: Vec<&Value> = doctor["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| !finding["mend"].is_null())
        .collect();
    assert_eq!(
        wrong,
        [&json!({
            "word": "WRONG",
            "what": format!("secret OLD_KEY of {GATEWAY}: extra, 0 min"),
            "mend": "edge-broadcast secrets list staging --prune",
        })]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_updates_are_dropped_for_their_slot_is_found() {
    let deployed = Deployed::new();
    let project = Project::new();
    let admin = "\n[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"\n\n[analytics]";
    let text = manifest("staging").replace("\n[analytics]", admin);
    project.write("environments/staging.toml", &text);
    let doctor = |room: &str| {
        Run::new(["doctor", "staging", "--room", room])
            .inside(&project)
            .against(&deployed.sandbox)
            .env("ADMIN_SECRET", ADMIN)
    };
    for slot in [300_000_000u64, 300_000_001, 300_000_000] {
        let update = json!({ "type": "PRICE_UPDATE", "slot": slot });
        deployed.publish("SOL", update).await;
    }
    let update = json!({ "type": "PRICE_UPDATE", "slot": 1_796_000_000_000u64 });
    let receipt = deployed.publish("BONK", update.clone()).await;
    assert_eq!(receipt["implausible_slot"], Value::Null);
    let wrong = doctor("SOL").fails();
    assert!(
        wrong.stdout.contains(
            "
  WRONG  room `SOL`: 1 of 3 updates were stale, 0 had a slot of another clock
         look at what its publishers send as `slot`: it must rise, and be of one clock, for the updates of each key"
        ),
        "{}",
        wrong.stdout
    );
    // A publisher that changes its clock costs one such slot, and is followed
    for slot in (300_000_000..300_000_006).chain(1_796_000_000_000u64..1_796_000_000_006) {
        let update = json!({ "type": "PRICE_UPDATE", "slot": slot });
        deployed.publish("WIF", update).await;
    }
    let well = doctor("WIF").succeeds();
    assert!(
        well.stdout.contains(
            "
  ok     room `WIF`: 0 of 12 updates were stale, 1 had a slot of another clock"
        ),
        "{}",
        well.stdout
    );
    // One of two clocks is not
    for slot in [300_000_000, 1_796_000_000_000u64].repeat(6) {
        let update = json!({ "type": "PRICE_UPDATE", "slot": slot });
        deployed.publish("POPCAT", update).await;
    }
    let wrong = doctor("POPCAT").fails();
    assert!(
        wrong.stdout.contains(
            "
  WRONG  room `POPCAT`: 0 of 12 updates were stale, 6 had a slot of another clock
"
        ),
        "{}",
        wrong.stdout
    );
    let well = doctor("BONK").succeeds();
    assert!(
        well.stdout.contains(
            "
  ok     room `BONK`: 0 of 1 updates were stale, 0 had a slot of another clock"
        ),
        "{}",
        well.stdout
    );
}

/// Nothing was built, so no plan says what would refuse it.
#[tokio::test(flavor = "multi_thread")]
async fn without_built_workers_what_is_in_the_way_is_a_finding_of_the_doctor_and_of_the_status() {
    let sandbox = Sandbox::start();
    api::foreign_script(&sandbox, GATEWAY).await;
    let bare = Project::new();
    let worker = bare.path().join("worker");
    std::fs::remove_file(&worker).unwrap();
    std::fs::create_dir(&worker).unwrap();
    bare.write("environments/staging.toml", &manifest("staging"));
    let printed = |command: &str| {
        let run = Run::new([command, "staging"]).inside(&bare);
        run.against(&sandbox).printed().stdout
    };
    let told = format!(
        "\n  WRONG  `{GATEWAY}` exists, and has no tag that says that this project deployed it\n         use another `worker.name`; `edge-broadcast deploy staging --adopt {GATEWAY}` takes it over\n"
    );
    for command in ["doctor", "status"] {
        let printed = printed(command);
        assert!(printed.contains(&told), "{command}: {printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_the_api_asks_for_is_told_with_its_reason() {
    let sandbox = Sandbox::start();
    let limited = json!({ "method": "GET", "path": "/workers/domains", "nth": 1, "kind": "rate_limit", "retry_after": 3 });
    api::fault(&sandbox, limited).await;
    let printed = Run::new(["status", "staging"])
        .inside(&Project::with_all())
        .against(&sandbox)
        .succeeds();
    // Some of the three seconds are over when it is told
    let (told, why) = printed.stderr.split_once(" s: ").unwrap();
    let seconds: f64 = told.strip_prefix("waiting ").unwrap().parse().unwrap();
    assert!(seconds > 2.0 && seconds <= 3.0, "{seconds}");
    assert_eq!(
        why,
        "the API allows this user no more calls before that (1200 in five minutes)\n"
    );
}
