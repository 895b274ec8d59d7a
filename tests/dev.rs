use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use edge_broadcast::live::site::Site;
use serde_json::json;

use crate::support::going::Going;
use crate::support::runtime::{ends, runtime_of};
use crate::support::{Project, Run, built, cryptography, manifest};

const MANIFEST: &str = "environments/local.toml";
const CONSOLE: &str = "worker/console/index.html";
const GATEWAY: &str = "glow-broadcast-local";
const ROOM: &str = "glow-broadcast-local-room";
/// How long a Worker may take to be compiled while other tests go on.
const COMPILE: Duration = Duration::from_secs(300);

async fn page_at(url: &str, ingress: SocketAddr) -> reqwest::Response {
    let http = reqwest::Client::builder()
        .no_proxy()
        .resolve("broadcast.glow.localhost", ingress)
        .build();
    http.unwrap().get(url).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_deployed_again_a_mistake_is_told_and_ctrl_c_leaves_nothing() {
    built();
    cryptography();
    let project = Project::with_all();
    let source = project.with_own_workers().join("gateway/src/js.rs");
    let dev = Going::start(Run::new(["dev", "--json"]).inside(&project));
    let ready = dev.event();
    assert_eq!(ready["event"], "ready", "{ready}");
    let ingress = ready["ingress"].as_str().unwrap();
    let ingress: SocketAddr = ingress.trim_start_matches("http://").parse().unwrap();
    assert_eq!(
        ready["url"],
        format!("http://broadcast.glow.localhost:{}", ingress.port())
    );
    let deployed = dev.event();
    assert_eq!(deployed["event"], "deployed", "{deployed}");
    assert_eq!(deployed["because"], json!([]));
    assert_eq!(
        deployed["steps"][0],
        format!("upload `{ROOM}` and deploy it")
    );
    let site = Site::new("broadcast.glow.localhost", Some(ingress)).unwrap();
    assert_eq!(site.get("/health").await.unwrap().0, 200);

    // One setting: nothing is compiled, and the gateway stays as it is
    let local = manifest("local");
    let changed = local.replace("history = 64", "history = 65");
    project.write(MANIFEST, &changed);
    let mut redeployed = dev.event();
    assert!(redeployed["took_ms"].take().is_u64(), "{redeployed}");
    assert_eq!(
        redeployed,
        json!({
            "event": "deployed",
            "because": [MANIFEST],
            "steps": [
                format!("upload a version of `{ROOM}`"),
                format!("give all traffic of `{ROOM}` to the new version"),
            ],
            "socket_impact": "reconnect",
            "took_ms": null,
        })
    );

    // The page: the gateway alone, and nothing is compiled
    project.write(CONSOLE, "<p>another page</p>");
    let mut redeployed = dev.event();
    assert!(redeployed["took_ms"].take().is_u64(), "{redeployed}");
    assert_eq!(
        redeployed,
        json!({
            "event": "deployed",
            "because": [CONSOLE],
            "steps": [
                format!("upload a version of `{GATEWAY}`"),
                format!("give all traffic of `{GATEWAY}` to the new version"),
            ],
            "socket_impact": "none",
            "took_ms": null,
        })
    );
    let page = page_at(ready["console"].as_str().unwrap(), ingress).await;
    assert_eq!(page.text().await.unwrap(), "<p>another page</p>");

    // A source: its own Worker is compiled, and deployed alone
    let text = std::fs::read_to_string(&source).unwrap();
    let policy = r#""referrer-policy": "no-referrer""#;
    assert_eq!(text.matches(policy).count(), 1);
    let other = policy.replace("no-referrer", "origin");
    std::fs::write(&source, text.replace(policy, &other)).unwrap();
    let mut compiled = dev.event_within(COMPILE);
    compiled["took_ms"].take();
    redeployed["because"] = json!(["worker/gateway/src/js.rs"]);
    assert_eq!(compiled, redeployed);
    let page = page_at(ready["console"].as_str().unwrap(), ingress).await;
    assert_eq!(page.headers()["referrer-policy"], "origin");

    project.write(MANIFEST, &changed.replace("history", "histroy"));
    let failed = dev.event();
    assert_eq!(failed["event"], "failed", "{failed}");
    assert_eq!(failed["because"], json!([MANIFEST]));
    let told = failed["error"].as_str().unwrap();
    assert!(told.contains("unknown field `histroy`"), "{told}");
    assert_eq!(site.get("/health").await.unwrap().0, 200);

    let moved = changed.replace("broadcast.glow.localhost", "moved.glow.localhost");
    project.write(MANIFEST, &moved);
    assert_eq!(
        dev.event(),
        json!({
            "event": "failed",
            "because": [MANIFEST],
            "error": "the manifest names another zone or other hosts than when `dev` began",
            "help": "end `dev` with Ctrl-C and start it again",
        })
    );

    project.write(MANIFEST, &changed);
    let mended = dev.event();
    assert_eq!(mended["event"], "deployed", "{mended}");
    assert_eq!(mended["steps"], json!([]));

    let runtime = runtime_of(dev.process_id());
    assert_ne!(runtime, "");
    let (code, _) = dev.interrupted();
    assert_eq!(code, Some(130));
    assert!(TcpStream::connect(ingress).is_err());
    ends(&runtime);
}

#[test]
fn an_environment_that_is_not_for_development_is_refused() {
    let printed = Run::new(["dev", "staging"]).fails();
    assert_eq!(
        printed.stderr,
        "error: `dev` is for environments with `worker.debug = true`, and `staging` has not\nhelp: `edge-broadcast dev` takes `local`; `edge-broadcast deploy staging --sandbox` rehearses this one\n"
    );
}
