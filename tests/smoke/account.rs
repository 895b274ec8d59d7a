//! The account that a smoke test is given: a sandbox with one zone, and everything that was said to it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use futures_util::stream;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;

use crate::support::{Project, Sandbox, api, cryptography, manifest};

pub(crate) const ZONE: &str = "zone-of-somebody.dev";

/// A sandbox, and what stands before it and reads every body.
pub(crate) struct Account {
    pub(crate) sandbox: Sandbox,
    /// The base URL at which calls are read.
    pub(crate) api: String,
    spy: Arc<Spy>,
}

struct Spy {
    http: reqwest::Client,
    base: String,
    texts: Mutex<BTreeSet<String>>,
}

impl Account {
    pub(crate) async fn new() -> Self {
        cryptography();
        let project = Project::new();
        let zone = manifest("staging").replace("glow.trade", ZONE);
        project.write("environments/zone.toml", &zone);
        let sandbox = Sandbox::start_in(&project);
        let spy = Arc::new(Spy {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            base: sandbox.api.trim_end_matches("/client/v4").to_owned(),
            texts: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}/client/v4", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(Arc::clone(&spy));
        let router = router.layer(axum::extract::DefaultBodyLimit::disable());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { sandbox, api, spy }
    }

    /// Every text that was in a body, of a call or of its answer.
    pub(crate) fn texts(&self) -> BTreeSet<String> {
        self.spy.texts.lock().unwrap().clone()
    }

    /// Everything that a run could have made.
    pub(crate) async fn everything(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let lists = ["scripts", "domains", "durable_objects/namespaces"];
        for list in lists {
            let found = api::read(&self.sandbox, &format!("workers/{list}")).await;
            all.extend(found.as_array().unwrap().clone());
        }
        let zone = format!("/zones?name={ZONE}");
        let zones = api::call(&self.sandbox, "GET", &zone, None).await;
        let zone = zones["result"][0]["id"].as_str().unwrap();
        for list in ["workers/routes", "dns_records?per_page=100"] {
            let found = format!("/zones/{zone}/{list}");
            let found = api::call(&self.sandbox, "GET", &found, None).await;
            let found = found["result"].as_array().unwrap().clone();
            // A zone has records of its own
            let is_ours = |item: &Value| {
                let name = item["name"].as_str();
                name.is_none_or(|name| name.starts_with("eb-live-"))
            };
            all.extend(found.into_iter().filter(is_ours));
        }
        all
    }
}

async fn pass(
    State(spy): State<Arc<Spy>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    spy.read(&metadata(&headers, &body).await);
    let mut request = spy
        .http
        .request(method, format!("{}{uri}", spy.base))
        .body(body);
    for name in ["authorization", "content-type", "user-agent"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let Ok(answer) = request.send().await else {
        return (StatusCode::BAD_GATEWAY, HeaderMap::new(), Bytes::new());
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove("content-length");
    headers.remove("transfer-encoding");
    let body = answer.bytes().await.unwrap_or_default();
    spy.read(&body);
    (status, headers, body)
}

/// The JSON of an upload, or the body itself.
async fn metadata(headers: &HeaderMap, body: &Bytes) -> Bytes {
    let kind = headers
        .get("content-type")
        .and_then(|kind| kind.to_str().ok());
    let Ok(boundary) = multer::parse_boundary(kind.unwrap_or_default()) else {
        return body.clone();
    };
    let whole = stream::iter([Ok::<_, std::io::Error>(body.clone())]);
    let mut form = multer::Multipart::new(whole, boundary);
    match form.next_field().await {
        Ok(Some(field)) => field.bytes().await.unwrap_or_default(),
        _ => Bytes::new(),
    }
}

impl Spy {
    fn read(&self, body: &[u8]) {
        let mut open = vec![serde_json::from_slice::<Value>(body).unwrap_or_default()];
        while let Some(value) = open.pop() {
            match value {
                Value::String(text) => {
                    self.texts.lock().unwrap().insert(text);
                }
                Value::Array(items) => open.extend(items),
                Value::Object(fields) => open.extend(fields.into_iter().map(|(_, value)| value)),
                _ => {}
            }
        }
    }
}
