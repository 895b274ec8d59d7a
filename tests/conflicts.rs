//! What belongs to others is neither taken nor deleted: a deployment stops before its first write, or keeps to its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::response::IntoResponse;
use edge_broadcast::cloudflare::Cloudflare;
use edge_broadcast::cloudflare::error::advice;
use edge_broadcast::cloudflare::observe::observe;
use edge_broadcast::deploy::apply::{Probe, Report, apply};
use edge_broadcast::environment::name::Stages;
use edge_broadcast::plan::Plan;
use edge_broadcast::secret::Value;
use serde_json::json;

use crate::support::rig::Wanted;
use crate::support::{Project, Run, Sandbox, api, built, manifest};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1jb25mbGljdC10ZXN0czE=";
const GATEWAY: &str = "glow-broadcast-staging";
const HOST: &str = "broadcast-staging.glow.trade";

fn deploy(sandbox: &Sandbox, project: &Project) -> Run {
    Run::new(["deploy", "staging"])
        .inside(project)
        .against(sandbox)
        .env("WEBHOOK_SECRET", SECRET)
}

/// A manifest that says whose the scripts are, so that all its hosts may change.
const OWNED: &str = "[worker]\nowner = \"glow\"\n";

fn owned(host: &str) -> Project {
    let project = Project::new();
    let text = manifest("staging").replace("[worker]\n", OWNED);
    project.write("environments/staging.toml", &text.replace(HOST, host));
    project
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_or_domain_of_another_script_stops_the_deployment_before_any_write() {
    built();
    let sandbox = Sandbox::start();
    api::foreign_script(&sandbox, "somebody-elses").await;
    let path = format!("/zones/{}/workers/routes", api::zone(&sandbox).await);
    let route = json!({ "pattern": format!("{HOST}/*"), "script": "somebody-elses" });
    assert_eq!(
        api::call(&sandbox, "POST", &path, Some(route)).await["success"],
        true
    );
    api::remove_records(&sandbox, HOST).await;
    let domain = json!({ "hostname": HOST, "service": "somebody-elses", "environment": "production", "zone_id": api::zone(&sandbox).await });
    let path = api::of_account(&sandbox, "workers/domains");
    assert_eq!(
        api::call(&sandbox, "PUT", &path, Some(domain)).await["success"],
        true
    );
    api::call(&sandbox, "DELETE", "/sandbox/requests", None).await;
    let printed = deploy(&sandbox, &Project::with_all()).fails();
    assert_eq!(
        printed.stderr.split("error: ").nth(1),
        Some(
            "nothing was changed, because of what is live:\n  - the route `broadcast-staging.glow.trade/*` belongs to the script `somebody-elses`\n    help: remove that route in the dashboard, or use another host in the manifest\n"
        )
    );
    let printed = deploy(&sandbox, &custom_domain()).fails();
    assert!(
        printed.stderr.contains(&format!(
            "  - the custom domain `{HOST}` belongs to the script `somebody-elses`\n"
        )),
        "{}",
        printed.stderr
    );
    assert_eq!(api::writes(&sandbox).await, [""; 0]);
}

fn custom_domain() -> Project {
    Project::with_staging(
        &format!("host = \"{HOST}\""),
        &format!("host = \"{HOST}\"\ncustom_domain = true"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dns_record_in_the_way_must_be_deleted_whatever_the_manifest_says() {
    built();
    let sandbox = Sandbox::start();
    // The record that a zone route needs is one that a custom domain cannot have beside it
    let overriding = Project::with_staging(
        &format!("host = \"{HOST}\""),
        &format!("host = \"{HOST}\"\ncustom_domain = true\noverride_dns = true"),
    );
    for project in [custom_domain(), overriding] {
        let printed = deploy(&sandbox, &project).fails();
        assert_eq!(
            printed.stderr.split("error: ").nth(1),
            Some(
                "nothing was changed, because of what is live:\n  - the DNS record `AAAA 100::` of `broadcast-staging.glow.trade` stands in the way of its custom domain, which makes its own\n    help: delete it in the zone's DNS settings: Cloudflare does not replace a record that somebody made, whatever `override_dns` says\n"
            )
        );
    }
    assert_eq!(api::writes(&sandbox).await, [""; 0]);
    // A token that may not read records meets it where the domain is attached
    let unreadable = json!({ "method": "GET", "path": "/dns_records", "nth": 1, "times": 99, "kind": "status", "status": 403 });
    api::fault(&sandbox, unreadable).await;
    let plan = Run::new(["plan", "staging"])
        .inside(&custom_domain())
        .against(&sandbox)
        .succeeds();
    let unseen = format!(
        "note   the API token may not read the DNS records of `glow.trade`: whether those of `{HOST}` are as they must be was not looked at\n"
    );
    assert!(plan.stdout.contains(&unseen), "{}", plan.stdout);
    let printed = deploy(&sandbox, &custom_domain()).fails();
    assert!(printed.stderr.contains("(code 100117)\nhelp: a DNS record for this host is in the way: delete it in the zone's DNS settings, then deploy again"), "{}", printed.stderr);
    let live = format!(
        "\n  failed:         attach the custom domain `{HOST}` to `{GATEWAY}`\n  live and unverified: `{GATEWAY}`, as far as it is known\n  live and unverified: `{GATEWAY}-room`, as far as it is known\n"
    );
    assert!(printed.stderr.contains(&live), "{}", printed.stderr);
    api::call(&sandbox, "DELETE", "/sandbox/faults", None).await;
    api::remove_records(&sandbox, HOST).await;
    deploy(&sandbox, &custom_domain()).succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_zone_route_is_removed_when_it_left_the_manifest_and_workers_dev_stays_off() {
    built();
    let sandbox = Sandbox::start();
    deploy(&sandbox, &Project::with_all()).succeeds();
    // A route's record stands in a custom domain's way: its owner takes it away first
    api::remove_records(&sandbox, HOST).await;
    deploy(&sandbox, &custom_domain()).succeeds();
    let path = format!("/zones/{}/workers/routes", api::zone(&sandbox).await);
    assert_eq!(
        api::call(&sandbox, "GET", &path, None).await["result"],
        json!([])
    );
    let subdomain = api::read(&sandbox, &format!("workers/scripts/{GATEWAY}/subdomain")).await;
    assert_eq!(subdomain["enabled"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_lost_its_bindings_gets_them_back() {
    built();
    let sandbox = Sandbox::start();
    deploy(&sandbox, &Project::with_all()).succeeds();
    let foreign = api::foreign_version(&sandbox, GATEWAY).await;
    api::split(&sandbox, GATEWAY, &[(&foreign, 100)]).await;
    deploy(&sandbox, &Project::with_all()).succeeds();
    let plan = Run::new(["plan", "staging"]).against(&sandbox).succeeds();
    assert_eq!(plan.stdout, "staging: nothing to change\n");
}

/// A proxy that lets nothing but GETs through, and counts the rest.
async fn reads_only(api: &str) -> (String, Arc<AtomicUsize>) {
    crate::support::cryptography();
    let refused = Arc::new(AtomicUsize::new(0));
    let (target, count) = (api.to_owned(), Arc::clone(&refused));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let proxy = axum::Router::new().fallback(move |request: axum::extract::Request| {
        let (target, count, client) = (target.clone(), Arc::clone(&count), client.clone());
        async move {
            if request.method() != "GET" {
                count.fetch_add(1, Ordering::Relaxed);
                return http::StatusCode::METHOD_NOT_ALLOWED.into_response();
            }
            let url = format!("{target}{}", request.uri());
            let mut forwarded = client.get(url);
            if let Some(token) = request.headers().get("authorization") {
                forwarded = forwarded.header("authorization", token);
            }
            let answer = forwarded.send().await.unwrap();
            // Modules come as multipart, whose boundary is in the header
            let kind = answer.headers()["content-type"].clone();
            let (status, body) = (answer.status(), answer.bytes().await.unwrap());
            (status, [("content-type", kind)], body).into_response()
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, proxy).await });
    (address, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_and_a_status_send_nothing_but_gets() {
    built();
    let sandbox = Sandbox::start();
    for deployed in [false, true] {
        if deployed {
            deploy(&sandbox, &Project::with_all()).succeeds();
            // Its version has no tag of ours, so that the modules are read back
            let secret = json!({ "name": "THEIRS", "text": "a value", "type": "secret_text" });
            let path = api::of_account(&sandbox, &format!("workers/scripts/{GATEWAY}/secrets"));
            let answer = api::call(&sandbox, "PUT", &path, Some(secret)).await;
            assert_eq!(answer["success"], true, "{answer}");
        }
        let (address, refused) = reads_only(&sandbox.api).await;
        for command in ["plan", "status"] {
            let printed = Run::new([command, "staging"])
                .against(&sandbox)
                .env("CLOUDFLARE_API_BASE_URL", &address)
                .succeeds();
            if deployed && command == "plan" {
                let theirs =
                    format!("staging: nothing to change\n  secret THEIRS of {GATEWAY}: extra, ");
                assert!(printed.stdout.starts_with(&theirs), "{}", printed.stdout);
            }
        }
        assert_eq!(refused.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_plan_is_applied_as_it_was_and_refused_when_the_live_state_moved() {
    built();
    let sandbox = Sandbox::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let file = file.to_str().unwrap();
    Run::new(["plan", "staging", "--out", file])
        .against(&sandbox)
        .succeeds();
    let apply = || {
        Run::new(["deploy", "staging", "--plan", file])
            .against(&sandbox)
            .env("WEBHOOK_SECRET", SECRET)
    };
    apply().succeeds();
    let printed = apply().fails();
    assert_eq!(
        printed.stderr,
        "error: what is live of `staging` moved since the plan was made\nhelp: plan again\n"
    );
    Run::new(["plan", "staging", "--out", file])
        .against(&sandbox)
        .succeeds();
    let other = Project::with_staging("history = 64", "history = 32");
    let printed = apply().inside(&other).fails();
    assert!(printed.stderr.ends_with("error: the manifest or the code of `staging` changed since the plan was made\nhelp: plan again\n"), "{}", printed.stderr);
    let kept = std::fs::read_to_string(file).unwrap();
    assert!(!kept.contains(SECRET) && !kept.contains(&sandbox.token));
}

#[test]
fn a_step_of_github_actions_gets_a_summary() {
    built();
    let sandbox = Sandbox::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("summary.md");
    let run = |command| {
        Run::new([command, "staging"])
            .against(&sandbox)
            .env("WEBHOOK_SECRET", SECRET)
            .env("GITHUB_STEP_SUMMARY", file.to_str().unwrap())
    };
    run("plan").succeeds();
    run("deploy").succeeds();
    let summary = std::fs::read_to_string(&file).unwrap();
    assert!(
        summary.starts_with("### plan for staging\n\n````\nstaging: 7 steps\n"),
        "{summary}"
    );
    assert!(summary.contains("### deployment of staging\n"), "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_in_the_middle_tells_what_is_half_done_and_the_next_run_finishes() {
    built();
    let sandbox = Sandbox::start();
    let fault = json!({ "method": "POST", "path": "/workers/routes", "kind": "hang" });
    api::call(&sandbox, "POST", "/sandbox/faults", Some(fault)).await;
    let project = Project::with_all();
    let mut child = deploy(&sandbox, &project)
        .command()
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap());
    while !told.contains("route `broadcast-staging.glow.trade/*` to") {
        assert_ne!(
            std::io::BufRead::read_line(&mut lines, &mut told).unwrap(),
            0,
            "{told}"
        );
    }
    while api::call(&sandbox, "GET", "/sandbox/faults", None).await["result"] != json!([]) {
        tokio::task::yield_now().await;
    }
    crate::support::interrupt(&child);
    std::io::Read::read_to_string(&mut lines, &mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{told}");
    assert!(
        told.contains("\n  done:           keep `glow-broadcast-staging` off workers.dev\n"),
        "{told}"
    );
    assert!(told.contains("\n  failed:         route `broadcast-staging.glow.trade/*` to `glow-broadcast-staging`\n"), "{told}");
    assert!(told.contains("\n  live and unverified: `glow-broadcast-staging`, as far as it is known\n  live and unverified: `glow-broadcast-staging-room`, as far as it is known\n"), "{told}");
    assert!(
        told.ends_with(
            "the failed step was interrupted: it may have been carried out all the same\n"
        ),
        "{told}"
    );
    deploy(&sandbox, &Project::with_all()).succeeds();
    let plan = Run::new(["plan", "staging"]).against(&sandbox).succeeds();
    assert_eq!(plan.stdout, "staging: nothing to change\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_moves_keeps_its_old_route_until_the_new_one_is_proved() {
    built();
    let sandbox = Sandbox::start();
    deploy(&sandbox, &owned(HOST)).succeeds();
    let text = manifest("staging")
        .replace("[worker]\n", OWNED)
        .replace(HOST, "broadcast-next.glow.trade")
        .replace("max_message_bytes = 16384", "max_message_bytes = 64");
    let project = Project::new();
    project.write("environments/staging.toml", &text);
    api::record(&sandbox, "broadcast-next.glow.trade").await;
    let printed = deploy(&sandbox, &project).arg("--json").fails();
    let applied = &printed.json()["applied"];
    assert_eq!(applied["failed"], "verify what is live");
    assert_eq!(
        applied["not_attempted"],
        json!([format!("remove the route `{HOST}/*` of `{GATEWAY}`")])
    );
    let path = format!("/zones/{}/workers/routes", api::zone(&sandbox).await);
    let routes = api::call(&sandbox, "GET", &path, None).await["result"].clone();
    let ours = |route: &&serde_json::Value| route["pattern"] == format!("{HOST}/*");
    assert_eq!(routes.as_array().unwrap().iter().filter(ours).count(), 1);
    Run::new(["verify", "staging"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
}

/// Plans the repository's staging over what `before` left, lets `meanwhile` happen, and applies.
async fn after_the_plan(
    sandbox: &Sandbox,
    project: &Project,
    meanwhile: impl AsyncFnOnce(),
) -> (Report, anyhow::Result<()>) {
    crate::support::cryptography();
    let token = Value::new(sandbox.token.clone());
    let cloudflare = Cloudflare::new(&sandbox.api, sandbox.account_id.clone(), token).unwrap();
    let project =
        edge_broadcast::environment::project::Project::load(project.path().to_owned()).unwrap();
    let environment = project.environment("staging").unwrap();
    let wanted = Wanted::release("one");
    let desired = wanted.desired(&environment);
    let observed = observe(&cloudflare, &environment).await.unwrap();
    let plan = Plan::between(&desired, &observed, &Stages::at_once()).unwrap();
    meanwhile().await;
    let mut report = Report::default();
    let inputs = wanted.inputs(&desired);
    let check = async |_: Probe<'_>| Ok(());
    let result = apply(&cloudflare, &plan, &inputs, &mut report, |_| {}, check).await;
    (report, result)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_went_to_another_script_since_the_plan_is_not_removed() {
    let sandbox = Sandbox::start();
    after_the_plan(&sandbox, &owned(HOST), async || {})
        .await
        .1
        .unwrap();
    api::foreign_script(&sandbox, "somebody-elses").await;
    let path = format!("/zones/{}/workers/routes", api::zone(&sandbox).await);
    api::record(&sandbox, "broadcast-next.glow.trade").await;
    let moved = owned("broadcast-next.glow.trade");
    let (report, result) = after_the_plan(&sandbox, &moved, async || {
        let routes = api::call(&sandbox, "GET", &path, None).await["result"].clone();
        let route = format!("{path}/{}", routes[0]["id"].as_str().unwrap());
        let body = json!({ "pattern": format!("{HOST}/*"), "script": "somebody-elses" });
        let answer = api::call(&sandbox, "PUT", &route, Some(body)).await;
        assert_eq!(answer["success"], true, "{answer}");
    })
    .await;
    assert_eq!(
        format!("{:#}", advice(&result.unwrap_err())),
        format!(
            "failed to remove the route `{HOST}/*` of `{GATEWAY}`: the route `{HOST}/*` belongs to the script `somebody-elses` since the plan was made\nhelp: plan again"
        )
    );
    assert_eq!(report.done.len(), 1);
    let routes = api::call(&sandbox, "GET", &path, None).await["result"].clone();
    assert_eq!(routes.as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_or_domain_that_another_script_took_since_the_plan_is_not_taken_over() {
    let route = json!({ "pattern": format!("{HOST}/*"), "script": "somebody-elses" });
    for (project, what) in [
        (Project::with_all(), format!("the route `{HOST}/*`")),
        (custom_domain(), format!("the custom domain `{HOST}`")),
    ] {
        let sandbox = Sandbox::start();
        api::foreign_script(&sandbox, "somebody-elses").await;
        if what.starts_with("the custom domain") {
            api::remove_records(&sandbox, HOST).await;
        }
        let zone = api::zone(&sandbox).await;
        let (_, result) = after_the_plan(&sandbox, &project, async || {
            let domain = json!({ "hostname": HOST, "service": "somebody-elses", "environment": "production", "zone_id": zone });
            let (method, path, body) = match what.starts_with("the route") {
                true => ("POST", format!("/zones/{zone}/workers/routes"), route.clone()),
                false => ("PUT", api::of_account(&sandbox, "workers/domains"), domain),
            };
            let answer = api::call(&sandbox, method, &path, Some(body)).await;
            assert_eq!(answer["success"], true, "{answer}");
        })
        .await;
        let error = format!("{:#}", advice(&result.unwrap_err()));
        assert!(
            error.ends_with(&format!(
                "{what} belongs to the script `somebody-elses` since the plan was made\nhelp: plan again"
            )),
            "{error}"
        );
        let domains = api::read(&sandbox, "workers/domains").await;
        assert!(!domains.to_string().contains(GATEWAY), "{domains}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_sampling_that_came_since_the_plan_are_kept() {
    let sandbox = Sandbox::start();
    after_the_plan(&sandbox, &Project::with_all(), async || {})
        .await
        .1
        .unwrap();
    let settings = format!("workers/scripts/{GATEWAY}/script-settings");
    let path = api::of_account(&sandbox, &settings);
    let patch = async |body| {
        let answer = api::call(&sandbox, "PATCH", &path, Some(body)).await;
        assert_eq!(answer["success"], true, "{answer}");
    };
    let mark = "edge-broadcast:rotation=giving:alternate:0a1b2c3d:77";
    let sampled = json!({ "enabled": true, "head_sampling_rate": 0.1 });
    let (_, result) = after_the_plan(&sandbox, &owned(HOST), async || {
        patch(json!({ "tags": [mark], "observability": sampled })).await;
    })
    .await;
    result.unwrap();
    let live = api::read(&sandbox, &settings).await;
    let mut tags: Vec<&str> = live["tags"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(serde_json::Value::as_str)
        .collect();
    tags.sort_unstable();
    assert_eq!(
        tags,
        [
            "cf:environment=staging",
            "cf:service=glow-broadcast",
            "edge-broadcast:owner=glow",
            mark
        ]
    );
    // Cloudflare answers with everything that was not said, some of it null
    assert_eq!(
        live["observability"],
        json!({
            "enabled": true, "head_sampling_rate": 0.1,
            "logs": { "enabled": true, "head_sampling_rate": null, "persist": null, "invocation_logs": true },
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_get_conflicts_as_json_and_a_step_summary_tells_them() {
    built();
    let sandbox = Sandbox::start();
    api::foreign_class(&sandbox, "glow-broadcast-staging-room").await;
    api::call(&sandbox, "DELETE", "/sandbox/requests", None).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("summary.md");
    let run = |command| {
        Run::new([command, "staging", "--json"])
            .against(&sandbox)
            .env("WEBHOOK_SECRET", SECRET)
            .env("GITHUB_STEP_SUMMARY", file.to_str().unwrap())
    };
    for command in ["plan", "deploy"] {
        assert_eq!(
            run(command).fails().json(),
            json!({
                "environment": "staging",
                "conflicts": [
                    {
                        "problem": "`glow-broadcast-staging-room` exists, and has no tag that says that this project deployed it",
                        "way_out": "use another `worker.name`; `edge-broadcast deploy staging --adopt glow-broadcast-staging-room` takes it over"
                    },
                    {
                        "problem": "`glow-broadcast-staging-room` is at the Durable Object migration `their-1`, which this project does not know",
                        "way_out": "replaying migrations over it could delete rooms: use another `worker.name`, or the version of this project that made it"
                    },
                    {
                        "problem": "`glow-broadcast-staging-room` has a Durable Object class `Theirs`, which this project would delete with all its data",
                        "way_out": "use another `worker.name`, or delete the class with a migration of its own project"
                    }
                ],
                "findings": []
            })
        );
    }
    assert_eq!(api::writes(&sandbox).await, [""; 0]);
    let summary = std::fs::read_to_string(&file).unwrap();
    for title in ["plan for staging", "deployment of staging"] {
        let told = format!(
            "### {title}\n\n````\nnothing was changed, because of what is live:\n  - `glow-broadcast-staging-room` exists"
        );
        assert!(summary.contains(&told), "{summary}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_get_a_failed_deployment_as_json_and_a_step_summary_tells_it() {
    built();
    let sandbox = Sandbox::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("summary.md");
    api::fault(&sandbox, json!({ "method": "POST", "path": "/workers/routes", "times": 9, "kind": "status", "status": 500 })).await;
    let printed = deploy(&sandbox, &Project::with_all())
        .arg("--json")
        .env("GITHUB_STEP_SUMMARY", file.to_str().unwrap())
        .fails();
    let answer = printed.json();
    assert_eq!(answer["environment"], "staging");
    assert_eq!(answer["applied"]["done"].as_array().unwrap().len(), 6);
    assert_eq!(
        answer["applied"]["failed"],
        format!("route `{HOST}/*` to `{GATEWAY}`")
    );
    assert_eq!(answer["applied"]["not_attempted"], json!([]));
    let both = json!([GATEWAY, "glow-broadcast-staging-room"]);
    assert_eq!(answer["applied"]["unverified"], both);
    assert_eq!(answer["verified"], json!(null));
    let failure = answer["failure"].as_str().unwrap();
    assert!(printed.stderr.ends_with(&format!("error: {failure}\n")));
    let summary = std::fs::read_to_string(&file).unwrap();
    assert!(summary.contains(failure), "{summary}");
}

/// What the API answers to a token that lacks a right.
fn forbidden(method: &str, path: &str, nth: u32) -> serde_json::Value {
    json!({ "method": method, "path": path, "nth": nth, "kind": "status", "status": 403 })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_named_and_leaves_nothing_live_that_was_not_verified() {
    const ROOM: &str = "glow-broadcast-staging-room";
    built();
    let sandbox = Sandbox::start();
    deploy(&sandbox, &Project::with_all()).succeeds();
    let before = [
        api::shares(&sandbox, ROOM).await,
        api::shares(&sandbox, GATEWAY).await,
    ];
    let text = manifest("staging")
        .replace("history = 64", "history = 32")
        .replace("max_message_bytes = 16384", "max_message_bytes = 8192");
    let routed = text.replace(
        &format!("host = \"{HOST}\""),
        &format!("host = \"{HOST}\"\n\n[[routes]]\nhost = \"second.glow.trade\""),
    );
    assert_ne!(text, routed);
    let project = Project::new();
    project.write("environments/staging.toml", &routed);
    api::record(&sandbox, "second.glow.trade").await;
    // To routes: no code was touched
    api::fault(&sandbox, forbidden("POST", "/workers/routes", 1)).await;
    let printed = deploy(&sandbox, &project).arg("--json").fails();
    let answer = printed.json();
    let applied = &answer["applied"];
    assert_eq!(applied["done"], json!([]), "{answer}");
    let failed = format!("route `second.glow.trade/*` to `{GATEWAY}`");
    assert_eq!(applied["failed"], failed);
    assert_eq!(applied["unverified"], json!([]));
    let help = answer["help"].as_str().unwrap();
    assert!(help.contains("`Workers Routes Write`"), "{help}");
    let told = printed.stderr;
    assert!(
        told.contains("\n`deploy` goes on from here once the cause is mended\n"),
        "{told}"
    );
    let now = [
        api::shares(&sandbox, ROOM).await,
        api::shares(&sandbox, GATEWAY).await,
    ];
    assert_eq!(now, before);
    // To the second upload: the first one's script is live, and was looked at
    project.write("environments/staging.toml", &text);
    api::fault(&sandbox, forbidden("POST", "/versions", 2)).await;
    let printed = deploy(&sandbox, &project).arg("--json").fails();
    let answer = printed.json();
    let applied = &answer["applied"];
    assert_eq!(
        applied["failed"],
        format!("upload a version of `{GATEWAY}`")
    );
    assert_eq!(applied["unverified"], json!([]), "{}", printed.stderr);
    assert_eq!(applied["returned"], json!([]), "{}", printed.stderr);
    let help = answer["help"].as_str().unwrap();
    assert!(help.contains("`Workers Scripts Write`"), "{help}");
    assert!(
        printed
            .stderr
            .contains("\nthe run ends here: verify what is live\n"),
        "{}",
        printed.stderr
    );
    assert_ne!(api::shares(&sandbox, ROOM).await, before[0]);
    deploy(&sandbox, &project).succeeds();
}

#[test]
fn a_step_summary_that_cannot_be_written_is_a_warning_after_the_answer() {
    built();
    let sandbox = Sandbox::start();
    let printed = deploy(&sandbox, &Project::with_all())
        .env("GITHUB_STEP_SUMMARY", "/proc/no-such-folder/summary.md")
        .succeeds();
    assert!(printed.stdout.contains("\nverified "), "{}", printed.stdout);
    assert!(
        printed.stderr.ends_with("warning: there is no step summary: opening the step summary `/proc/no-such-folder/summary.md`: No such file or directory (os error 2)\n"),
        "{}",
        printed.stderr
    );
    // A link would lead to somebody else's file
    let folder = tempfile::tempdir().unwrap();
    let [file, link] = ["theirs", "summary.md"].map(|name| folder.path().join(name));
    std::fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let link = link.to_str().unwrap();
    let printed = Run::new(["plan", "staging"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .env("GITHUB_STEP_SUMMARY", link)
        .succeeds();
    let warning =
        format!("\nwarning: there is no step summary: opening the step summary `{link}`: ");
    let said = format!("\n{}", printed.stderr);
    assert!(said.contains(&warning), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "");
}
