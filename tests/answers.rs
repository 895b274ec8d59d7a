//! The API, or whatever answers in its place, is not trusted: what it says is bounded, shown harmlessly, and paced by.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, Uri};
use serde_json::{Value, json};

use crate::support::{Project, Run, built, manifest};

const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
const GATEWAY: &str = "glow-broadcast-staging";
/// Clears a screen, begins a line of its own, gives a command to a CI runner, goes back to the line's start, turns text around.
const HOSTILE: &str = "x\u{1b}[2J\n::set-output name=a::b\nFORGED\r\u{202e}\u{9b}1m##[error]y";

/// An API on this machine, for as long as the test's runtime.
async fn serve(answer: impl Fn(Uri) -> Response + Clone + Send + Sync + 'static) -> SocketAddr {
    let app = axum::Router::new().fallback(async move |uri: Uri| answer(uri));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn against(address: SocketAddr, args: &[&str]) -> Run {
    Run::new(args.iter().copied())
        .env("CLOUDFLARE_API_BASE_URL", &format!("http://{address}"))
        .env("CLOUDFLARE_API_TOKEN", "token")
        .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
        // The hosts are asked too: they are on the internet, and no test goes there
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
}

fn refusal(status: StatusCode, code: u32, message: &str) -> Response {
    let errors = json!([{ "code": code, "message": message }]);
    let envelope = json!({ "success": false, "errors": errors, "messages": [], "result": null });
    (status, Json(envelope)).into_response()
}

fn result(result: &Value) -> Response {
    Json(json!({ "success": true, "errors": null, "messages": null, "result": result }))
        .into_response()
}

/// An account in which everything that can have a name has the hostile one.
fn hostile(uri: &Uri) -> Response {
    let path = uri.path().rsplit('/').next().unwrap();
    result(&match path {
        "sandbox" => return StatusCode::NOT_FOUND.into_response(),
        "zones" => json!([{ "id": "zone0" }]),
        "routes" => json!([{ "id": "route0", "pattern": HOSTILE, "script": GATEWAY }]),
        "domains" => json!([
            { "id": "domain0", "hostname": HOSTILE, "service": GATEWAY },
            { "id": "domain1", "hostname": "broadcast-staging.glow.trade", "service": HOSTILE },
        ]),
        "namespaces" => json!([{ "id": "n0", "script": GATEWAY, "class": HOSTILE }]),
        "deployments" => {
            json!({ "deployments": [{ "id": "d0", "created_on": "2026-01-01T00:00:00Z",
            "versions": [{ "version_id": "v0", "percentage": 100 }] }] })
        }
        "versions" => {
            json!({ "items": [{ "id": "v0", "metadata": { "created_on": "2026-01-01T00:00:00Z" },
            "annotations": { "workers/tag": HOSTILE, "workers/message": HOSTILE } }] })
        }
        "v0" => json!({ "id": "v0", "resources": {
            "bindings": [
                { "name": HOSTILE, "type": "plain_text", "text": HOSTILE },
                { "name": format!("{HOSTILE}2"), "type": "secret_text" },
            ],
            "script": { "placement_mode": HOSTILE },
            "script_runtime": { "compatibility_date": HOSTILE, "compatibility_flags": [HOSTILE] },
        } }),
        "script-settings" => {
            let room = if uri.path().contains("-room/") {
                "-room"
            } else {
                ""
            };
            let own = format!("cf:service=glow-broadcast{room}");
            json!({ "tags": [HOSTILE, own, "cf:environment=staging"], "observability": { "enabled": false } })
        }
        "subdomain" => json!({ "enabled": true, "previews_enabled": true }),
        _ => return refusal(StatusCode::NOT_FOUND, 10007, HOSTILE),
    })
}

/// Nothing in a text steers a terminal or a CI runner, and no line of it was written by the API.
#[track_caller]
fn assert_harmless(what: &str, text: &str) {
    let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(raw), "{what}: {text:?}");
    for line in text.lines() {
        assert!(!line.trim_start().starts_with("::"), "{what}: {line:?}");
        assert!(!line.contains("##["), "{what}: {line:?}");
        assert!(!line.starts_with("FORGED"), "{what}: {line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_names_is_shown_harmlessly_wherever_it_is_shown() {
    built();
    let names = serve(|uri| hostile(&uri)).await;
    let owners = serve(|uri| match uri.path().rsplit('/').next() {
        Some("script-settings") if uri.path().contains("-room/") => {
            result(&json!({ "tags": [format!("cf:service={HOSTILE}")] }))
        }
        Some("script-settings") => {
            result(&json!({ "tags": [format!("edge-broadcast:owner={HOSTILE}")] }))
        }
        _ => hostile(&uri),
    })
    .await;
    let errors = serve(|_| refusal(StatusCode::FORBIDDEN, 10000, HOSTILE)).await;
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("summary.md");
    // Without the class and the domain that are in conflict there is a plan
    let planned = serve(|uri| match uri.path().rsplit('/').next() {
        Some("namespaces") => result(&json!([])),
        Some("domains") => {
            result(&json!([{ "id": "domain0", "hostname": HOSTILE, "service": GATEWAY }]))
        }
        _ => hostile(&uri),
    })
    .await;
    let mut shown = 0;
    for address in [names, owners, errors, planned] {
        for args in [
            &["plan", "staging"][..],
            &["status", "staging"],
            &["doctor", "staging"],
            &["secrets", "list", "staging"],
            &["rollback", "staging"],
        ] {
            for json in [&[][..], &["--json"]] {
                let args: Vec<&str> = args.iter().chain(json).copied().collect();
                let printed = against(address, &args)
                    .env("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())
                    .printed();
                let all = format!("{}{}", printed.stdout, printed.stderr);
                if json.is_empty() {
                    assert_harmless(&args.join(" "), &all);
                } else {
                    // Of JSON only the quotation marks matter; it begins no line with a text
                    assert!(
                        !all.contains(['\u{1b}', '\r', '\u{202e}', '\u{9b}']),
                        "{all:?}"
                    );
                }
                shown += all.matches("FORGED").count();
            }
        }
    }
    // The test would prove nothing if nothing were shown
    assert!(shown > 20, "{shown}");
    let summary = std::fs::read_to_string(&summary).unwrap();
    assert!(summary.contains("FORGED"), "{summary}");
    assert_harmless("summary", &summary);
}

/// An id goes into the path of the next call, which would be one to another place.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_leads_to_another_path_is_refused_with_the_call_and_the_field() {
    let account = format!("/accounts/{ACCOUNT}/workers");
    for (last, answer, call, field) in [
        (
            "zones",
            json!([{ "id": "../user" }]),
            format!("GET /zones?name=glow.trade&account.id={ACCOUNT}"),
            "result[0].id",
        ),
        (
            "routes",
            json!([{ "id": "../user", "pattern": "a/*" }]),
            "GET /zones/zone0/workers/routes".to_owned(),
            "result[0].id",
        ),
        (
            "domains",
            json!([{ "id": "../user", "hostname": "a", "service": "b" }]),
            format!("GET {account}/domains?zone_id=zone0"),
            "result[0].id",
        ),
    ] {
        let address = serve(move |uri| match uri.path().rsplit('/').next().unwrap() {
            name if name == last => result(&answer),
            // Nothing is deployed
            "deployments" => refusal(StatusCode::NOT_FOUND, 10007, "there is no such Worker"),
            "user" => panic!("it was asked for {uri}"),
            _ => hostile(&uri),
        })
        .await;
        let printed = against(address, &["status", "staging"]).fails();
        let why = format!(
            "the API's answer to `{call}` has another shape than documented: `{field}`: `../user` is no id: it may have letters, digits, `-` and `_`, and at most 64 of them"
        );
        assert!(printed.stdout.contains(&why), "{}", printed.stdout);
    }
}

/// A proxy would be a machine on the way, which reads the credential.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_this_machine_does_not_go_through_a_proxy() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let proxy = serve(move |uri| {
        hears.lock().unwrap().push(uri.to_string());
        StatusCode::BAD_GATEWAY.into_response()
    })
    .await;
    let address = serve(|uri| hostile(&uri)).await;
    let mut run = against(address, &["status", "staging"]);
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        run = run.env(name, &format!("http://{proxy}"));
    }
    run.succeeds();
    assert_eq!(*heard.lock().unwrap(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_answered_with_a_redirect_takes_the_token_nowhere() {
    let stolen = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&stolen);
    let thief = serve(move |uri| {
        heard.lock().unwrap().push(uri.to_string());
        result(&json!([]))
    })
    .await;
    let address = serve(move |uri| match uri.path() {
        "/sandbox" => StatusCode::NOT_FOUND.into_response(),
        path => {
            let location = format!("http://{thief}{path}");
            (StatusCode::TEMPORARY_REDIRECT, [("location", location)]).into_response()
        }
    })
    .await;
    let printed = against(address, &["secrets", "list", "staging"]).fails();
    assert!(
        printed.stderr.ends_with("was answered with 307: a redirect to `127.0.0.1`, which is not followed, because the credential and every secret would go there\nhelp: correct `CLOUDFLARE_API_BASE_URL`\n"),
        "{}",
        printed.stderr
    );
    assert!(stolen.lock().unwrap().is_empty());
}

/// Lets so many calls pass in any span of time, and says of that what the live API was recorded to say.
struct Limit {
    calls: usize,
    window: Duration,
    passed: VecDeque<Instant>,
    all: usize,
    refused: usize,
}

impl Limit {
    fn passes(&mut self) -> bool {
        let now = Instant::now();
        while self
            .passed
            .front()
            .is_some_and(|at| *at + self.window < now)
        {
            self.passed.pop_front();
        }
        self.all += 1;
        if self.passed.len() == self.calls {
            self.refused += 1;
            return false;
        }
        self.passed.push_back(now);
        true
    }
}

/// 1,200 calls in five minutes, scaled down: the machine may be slow, but not so slow that it keeps the limit without trying.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_over_hundreds_of_environments_is_never_refused_for_its_pace() {
    let limit = Arc::new(Mutex::new(Limit {
        calls: 250,
        window: Duration::from_secs(4),
        passed: VecDeque::new(),
        all: 0,
        refused: 0,
    }));
    let counted = Arc::clone(&limit);
    let address = serve(move |uri| {
        if uri.path() == "/sandbox" {
            return StatusCode::NOT_FOUND.into_response();
        }
        if !counted.lock().unwrap().passes() {
            return refusal(
                StatusCode::TOO_MANY_REQUESTS,
                10100,
                "more than 250 requests per 4 seconds",
            );
        }
        let mut response = match uri.path().rsplit('/').next().unwrap() {
            "zones" => result(&json!([{ "id": "zone0" }])),
            "routes" | "domains" | "namespaces" => result(&json!([])),
            _ => refusal(StatusCode::NOT_FOUND, 10007, "there is no such Worker"),
        };
        for (name, value) in [
            ("ratelimit", "\"default\";r=249;t=1"),
            ("ratelimit-policy", "\"default\";q=250;w=4"),
        ] {
            let headers = response.headers_mut();
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    })
    .await;
    let project = Project::new();
    for number in 0..200 {
        let path = format!("environments/e{number:03}.toml");
        project.write(&path, &manifest("staging"));
    }
    let printed = against(address, &["status", "--json"])
        .inside(&project)
        .succeeds();
    let answer = printed.json();
    assert_eq!(answer["environments"].as_array().unwrap().len(), 200);
    let limit = limit.lock().unwrap();
    assert!(limit.all > 2 * limit.calls, "{}", limit.all);
    assert_eq!(limit.refused, 0, "of {}", limit.all);
}
