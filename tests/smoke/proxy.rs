//! What stands between the tool and the API changes nothing and forgets nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use futures_util::FutureExt;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::live::proxy::{Proxy, Target};
use crate::live::report::Report;
use crate::support::cryptography;

/// An API on this machine, and what it was asked.
#[derive(Default)]
struct Api {
    asked: Mutex<Vec<String>>,
    /// A call to `/slow` is answered after this.
    go_on: Notify,
}

async fn api() -> (Arc<Api>, String) {
    cryptography();
    let api = Arc::new(Api::default());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&api));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/client/v4", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (api, base)
}

async fn answer(
    State(api): State<Arc<Api>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> axum::response::Response {
    if uri.path().ends_with("/slow") {
        api.go_on.notified().await;
    }
    let token = headers
        .get("authorization")
        .map_or("no token", |value| value.to_str().unwrap());
    let asked = format!("{method} {uri} {token} {body}");
    api.asked.lock().unwrap().push(asked);
    if uri.path().ends_with("/moved") {
        let there = [("location", "http://127.0.0.1:1/elsewhere")];
        return (StatusCode::TEMPORARY_REDIRECT, there).into_response();
    }
    let limit = [("ratelimit", "\"default\";r=1199;t=1")];
    (
        StatusCode::CREATED,
        limit,
        axum::Json(json!({ "success": true })),
    )
        .into_response()
}

fn client() -> reqwest::Client {
    let never = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().no_proxy().redirect(never);
    client.build().unwrap()
}

#[tokio::test]
async fn a_call_is_passed_on_as_it_came_and_so_is_its_answer() {
    let (api, base) = api().await;
    let proxy = Proxy::start(&base, Target::Cloudflare, Report::default());
    let proxy = proxy.await.unwrap();
    let put = client()
        .put(format!("{}/zones/z?a=b%2Fc", proxy.base()))
        .bearer_auth("token")
        .json(&json!({ "name": "glow" }));
    let answer = put.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()["ratelimit"], "\"default\";r=1199;t=1");
    assert_eq!(
        answer.json::<Value>().await.unwrap(),
        json!({ "success": true })
    );

    let moved = client().get(format!("{}/moved", proxy.base())).send();
    let moved = moved.await.unwrap();
    assert_eq!(moved.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(moved.headers()["location"], "http://127.0.0.1:1/elsewhere");
    assert_eq!(
        *api.asked.lock().unwrap(),
        [
            "PUT /client/v4/zones/z?a=b%2Fc Bearer token {\"name\":\"glow\"}",
            "GET /client/v4/moved no token ",
        ]
    );
    assert_eq!(
        proxy.report().text(),
        concat!(
            r#"{"m":"PUT","p":"/zones/text-1","q":"a=text-2","status":201,"headers":{"Ratelimit":"\"default\";r=1199;t=1"},"body":{"success":true},"sent":{"name":"text-3"}}"#,
            "\n",
            r#"{"m":"GET","p":"/text-4","status":307,"headers":{},"body":null}"#,
            "\n"
        )
    );
}

#[tokio::test]
async fn only_a_sandbox_is_asked_where_its_hosts_are() {
    let (api, base) = api().await;
    for (target, status) in [(Target::Cloudflare, 404), (Target::Sandbox, 201)] {
        let proxy = Proxy::start(&base, target, Report::default());
        let proxy = proxy.await.unwrap();
        let asked = client().get(format!("{}/sandbox", proxy.base())).send();
        assert_eq!(asked.await.unwrap().status(), status);
        assert_eq!(proxy.report().text(), "");
    }
    let asked = api.asked.lock().unwrap();
    assert_eq!(*asked, ["GET /client/v4/sandbox no token "]);
}

#[tokio::test]
async fn a_call_whose_caller_went_away_is_waited_for() {
    let (api, base) = api().await;
    let proxy = Proxy::start(&base, Target::Cloudflare, Report::default());
    let proxy = proxy.await.unwrap();
    let call = client()
        .delete(format!("{}/slow", proxy.base()))
        .timeout(Duration::from_millis(200));
    assert!(call.send().await.unwrap_err().is_timeout());
    assert!(
        proxy.quiet().now_or_never().is_none(),
        "it is still under way"
    );
    api.go_on.notify_one();
    proxy.quiet().await;
    assert_eq!(
        *api.asked.lock().unwrap(),
        ["DELETE /client/v4/slow no token "]
    );
    assert_eq!(proxy.report().size(), (1, 1));
}

#[tokio::test]
async fn an_api_that_does_not_answer_is_in_the_report_without_a_status() {
    cryptography();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let proxy = Proxy::start(&base, Target::Cloudflare, Report::default());
    let proxy = proxy.await.unwrap();
    let call = client().get(format!("{}/zones", proxy.base())).send();
    assert_eq!(call.await.unwrap().status(), StatusCode::BAD_GATEWAY);
    assert_eq!(
        proxy.report().text(),
        "{\"m\":\"GET\",\"p\":\"/zones\",\"status\":0,\"headers\":{},\"body\":null}\n"
    );
    assert_eq!(proxy.report().take_refusals().len(), 1);
}
