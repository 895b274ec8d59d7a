//! The API, or whatever answers in its place, is not trusted: what it says is bounded and shown harmlessly.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use serde_json::{Value, json};

use crate::support::{Run, built};

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
        "script-settings" => json!({ "tags": [HOSTILE], "observability": { "enabled": false } }),
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
    for address in [names, errors, planned] {
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
        printed.stderr.ends_with("was answered with 307: a redirect to `127.0.0.1`, which is not followed, because the credential and every secret would go there; correct `CLOUDFLARE_API_BASE_URL`\n"),
        "{}",
        printed.stderr
    );
    assert!(stolen.lock().unwrap().is_empty());
}
