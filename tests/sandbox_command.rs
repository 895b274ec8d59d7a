use crate::support::runtime::{ends, runtime_of};
use crate::support::{Run, Sandbox, api, built};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1zYW5kYm94LXRlc3Q=";

#[test]
fn the_three_variables_alone_lead_to_the_api_and_to_the_deployed_hosts() {
    built();
    let sandbox = Sandbox::start();
    Run::new(["deploy", "staging", "--yes"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
    Run::new(["verify", "staging"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
}

#[test]
fn the_ports_are_the_ones_that_were_asked_for_and_a_taken_one_is_named() {
    let free = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port().to_string()
    };
    let (api, ingress) = (free(), free());
    let args = ["--api-port", &api, "--port", &ingress];
    let sandbox = Sandbox::start_with(&args);
    assert!(
        sandbox.api.starts_with(&format!("http://127.0.0.1:{api}/")),
        "{}",
        sandbox.api
    );
    assert_eq!(sandbox.ingress.to_string(), format!("127.0.0.1:{ingress}"));
    let printed = Run::new(["sandbox", "--api-port", &api]).fails();
    assert_eq!(
        printed.stderr,
        format!(
            "error: starting the sandbox: listening on `127.0.0.1:{api}`; choose another port: Address already in use (os error 98)\n"
        )
    );
}

#[test]
fn any_account_id_that_can_be_one_is_accepted() {
    built();
    let sandbox = Sandbox::start();
    for account in [
        "acc0acc0acc0acc0acc0acc0acc0acc0",
        "0123456789abcdef0123456789abcdef",
    ] {
        let plan = Run::new(["plan", "staging"])
            .against(&sandbox)
            .env("CLOUDFLARE_ACCOUNT_ID", account)
            .succeeds();
        assert!(
            plan.stdout.starts_with("staging: 7 steps\n"),
            "{}",
            plan.stdout
        );
    }
    let printed = Run::new(["plan", "staging"])
        .against(&sandbox)
        .env("CLOUDFLARE_ACCOUNT_ID", "acc0")
        .fails();
    let told = &printed.stderr;
    assert!(told.contains("CLOUDFLARE_ACCOUNT_ID"), "{told}");
}

#[test]
fn with_a_state_folder_a_deployment_is_still_there_after_a_restart() {
    built();
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("sandbox");
    let args = ["--state", folder.to_str().unwrap()];
    let account = {
        let sandbox = Sandbox::start_with(&args);
        Run::new(["deploy", "staging"])
            .against(&sandbox)
            .env("WEBHOOK_SECRET", SECRET)
            .succeeds();
        sandbox.account_id.clone()
    };
    let sandbox = Sandbox::start_with(&args);
    let run = |command| {
        Run::new([command, "staging"])
            .against(&sandbox)
            .env("CLOUDFLARE_ACCOUNT_ID", &account)
            .env("WEBHOOK_SECRET", SECRET)
    };
    assert_eq!(
        run("plan").succeeds().stdout,
        "staging: nothing to change\n"
    );
    run("verify").succeeds();
}

#[test]
fn ctrl_c_ends_it_and_its_runtime() {
    built();
    let sandbox = Sandbox::start();
    Run::new(["deploy", "staging"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
    let id = sandbox.process_id();
    let children = || {
        let text =
            std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        text.split_whitespace()
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    };
    // The runtime may have been started by any of the sandbox's threads
    let mut started = children();
    for task in std::fs::read_dir(format!("/proc/{id}/task"))
        .unwrap()
        .flatten()
    {
        let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        started.extend(text.split_whitespace().map(ToOwned::to_owned));
    }
    assert!(
        !started.is_empty(),
        "the sandbox runs the deployed scripts in a process of its own"
    );
    drop(sandbox);
    for child in started {
        ends(&child);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_whose_record_is_missing_is_told_so_and_a_lenient_sandbox_lets_it_answer() {
    built();
    for (args, answers) in [(&[][..], false), (&["--lenient"], true)] {
        let sandbox = Sandbox::start_with(args);
        Run::new(["deploy", "staging"])
            .against(&sandbox)
            .env("WEBHOOK_SECRET", SECRET)
            .succeeds();
        api::remove_records(&sandbox, "broadcast-staging.glow.trade").await;
        let verify = Run::new(["verify", "staging"])
            .against(&sandbox)
            .env("WEBHOOK_SECRET", SECRET);
        if answers {
            verify.succeeds();
        } else {
            let printed = verify.fails();
            let told = "/health` answered 530: no proxied DNS record leads there\n          help: a zone route needs one for its host";
            assert!(printed.stdout.contains(told), "{}", printed.stdout);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_aloud_how_the_runtime_ended_and_that_it_runs_again() {
    let sandbox = Sandbox::heard();
    let metadata = serde_json::json!({ "main_module": "index.js", "compatibility_date": "2026-10-01", "bindings": [] });
    let code = "export default { fetch() { return new Response('here') } }";
    api::upload(&sandbox, "PUT", "workers/scripts/any", &metadata, code).await;
    api::route(&sandbox, "broadcast-staging.glow.trade/*", "any").await;
    let site = sandbox.site("broadcast-staging.glow.trade");
    assert_eq!(site.get("/").await.unwrap(), (200, "here".into()));
    let runtime = runtime_of(sandbox.process_id());
    let killed = std::process::Command::new("kill")
        .args(["-9", &runtime])
        .status();
    assert!(killed.unwrap().success());
    while runtime_of(sandbox.process_id()) == runtime {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(site.get("/").await.unwrap(), (200, "here".into()));
    assert_eq!(
        sandbox.last_words(),
        "the runtime ended with signal 9 (SIGKILL: somebody, or the kernel for want of memory); it is started again\n"
    );
}
