//! Stands between the tool and the API on this machine and writes down every call.
//!
//! The tool is led here by `CLOUDFLARE_API_BASE_URL`, so that nothing in it changes. A call is passed on as it came, with its own
//! credentials: who can reach this port without them gets nowhere.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::IntoResponse;
use http::{HeaderMap, Response, StatusCode, Uri};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::remains;
use super::report::{Exchange, Report, Sent};

/// Below this path lies the API, here and there.
const BASE: &str = "/client/v4";
/// What the tool asks of every API that is not at Cloudflare's address: where its hosts are. Only a sandbox knows it.
const SANDBOX: &str = "/sandbox";
/// The API's own limit of a request.
const LARGEST: usize = 100 << 20;
/// Longer than the tool itself waits for a call.
const PATIENCE: Duration = Duration::from_secs(120);
/// Headers that belong to one connection, or that the client writes anew.
const OF_THE_CONNECTION: [&str; 8] = [
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Whether the API is a sandbox that tells where its hosts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Cloudflare,
    Sandbox,
}

impl Target {
    /// How long what is deleted may take to be gone.
    pub(crate) fn patience(self) -> Duration {
        match self {
            Self::Cloudflare => remains::PATIENCE,
            Self::Sandbox => Duration::from_secs(3),
        }
    }
}

/// A running proxy. Dropping it ends it.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    http: reqwest::Client,
    base: String,
    target: Target,
    report: Mutex<Report>,
    /// Calls that are under way.
    open: watch::Sender<usize>,
}

impl Proxy {
    /// Begins to pass calls on to the API at `base`.
    pub(crate) async fn start(base: &str, target: Target, report: Report) -> anyhow::Result<Self> {
        let mut http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE);
        if target == Target::Sandbox {
            http = http.no_proxy();
        }
        let shared = Arc::new(Shared {
            http: http.build().context("preparing the HTTP client")?,
            base: base.trim_end_matches('/').to_owned(),
            target,
            report: Mutex::new(report),
            open: watch::Sender::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("listening on `127.0.0.1`")?;
        let address = listener.local_addr().context("listening on `127.0.0.1`")?;
        let router = Router::new()
            .fallback(handle)
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // It ends with the task, and says nothing before
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            shared,
            server,
        })
    }

    /// The value for `CLOUDFLARE_API_BASE_URL`.
    pub(crate) fn base(&self) -> String {
        format!("http://{}{BASE}", self.address)
    }

    /// What was written down.
    pub(crate) fn report(&self) -> MutexGuard<'_, Report> {
        self.shared.report()
    }

    /// Ends when no call is under way any more: what a killed command has sent can still take effect until then.
    pub(crate) async fn quiet(&self) {
        let mut open = self.shared.open.subscribe();
        let _ = open.wait_for(|open| *open == 0).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn report(&self) -> MutexGuard<'_, Report> {
        // What a panic interrupts is still a list of whole lines
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Some(path) = parts.uri.path().strip_prefix(BASE).map(ToOwned::to_owned) else {
        return no_such_path();
    };
    // Answered here: the tool must look for the hosts on the internet
    if shared.target == Target::Cloudflare && path == SANDBOX {
        return no_such_path();
    }
    let Ok(body) = axum::body::to_bytes(body, LARGEST).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let call = Call {
        method: parts.method,
        path,
        uri: parts.uri,
        headers: parts.headers,
        body,
    };
    shared.open.send_modify(|open| *open += 1);
    // A task of its own: a caller that goes away does not take back what it asked for
    let passed = tokio::spawn(async move {
        let answer = pass(&shared, call).await;
        shared.open.send_modify(|open| *open -= 1);
        answer
    });
    match passed.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

fn no_such_path() -> Response<Body> {
    let error = json!({ "code": 7003, "message": "Could not route to it." });
    let body = json!({ "success": false, "errors": [error], "messages": [], "result": null });
    (StatusCode::NOT_FOUND, axum::Json(body)).into_response()
}

struct Call {
    method: http::Method,
    path: String,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

async fn pass(shared: &Shared, call: Call) -> anyhow::Result<Response<Body>> {
    let query = call
        .uri
        .query()
        .map_or(String::new(), |query| format!("?{query}"));
    let url = format!("{}{}{query}", shared.base, call.path);
    let url = reqwest::Url::parse(&url).context("reading the address")?;
    let pairs = url
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned()));
    let mut exchange = Exchange {
        method: call.method.to_string(),
        path: call.path,
        query: pairs.collect(),
        sent: sent(&call.headers, &call.body).await,
        status: 0,
        headers: BTreeMap::new(),
        body: Vec::new(),
    };
    let request = shared
        .http
        .request(call.method, url)
        .headers(end_to_end(&call.headers))
        .body(call.body);
    let answered = async {
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?))
    };
    let (status, headers, body) = match answered.await {
        Ok(answer) => answer,
        Err(error) => {
            // Said in the report as a call without a status
            shared.report().add(&exchange);
            return Err(error).context("passing a call on");
        }
    };
    exchange.status = status.as_u16();
    exchange.headers = headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    exchange.body = body.to_vec();
    // A sandbox's own call is no call of the API
    if exchange.path != SANDBOX {
        shared.report().add(&exchange);
    }
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    *answer.headers_mut() = end_to_end(&headers);
    Ok(answer)
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    headers
        .iter()
        .filter(|(name, _)| !OF_THE_CONNECTION.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

async fn sent(headers: &HeaderMap, body: &Bytes) -> Sent {
    if body.is_empty() {
        return Sent::Nothing;
    }
    if let Ok(json) = serde_json::from_slice(body) {
        return Sent::Json(json);
    }
    let kind = headers
        .get("content-type")
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let other = || Sent::Other(kind.to_owned());
    let Ok(boundary) = multer::parse_boundary(kind) else {
        return other();
    };
    let whole = futures_util::stream::iter([Ok::<_, std::io::Error>(body.clone())]);
    let mut form = multer::Multipart::new(whole, boundary);
    let (mut parts, mut metadata) = (Vec::new(), serde_json::Value::Null);
    while let Ok(Some(field)) = form.next_field().await {
        let name = field.name().unwrap_or_default().to_owned();
        let kind = field
            .content_type()
            .map_or(String::new(), ToString::to_string);
        if name == "metadata" {
            let Ok(text) = field.bytes().await else {
                return other();
            };
            metadata = serde_json::from_slice(&text).unwrap_or_default();
        } else {
            parts.push((name, kind));
        }
    }
    Sent::Parts { parts, metadata }
}
