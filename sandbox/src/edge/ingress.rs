//! The edge: takes a request, picks the script and version, and passes it on to the runtime, WebSockets included.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::response::IntoResponse;
use http::header::{CONNECTION, HOST, UPGRADE};
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::edge::gate::{Gate, Pass};
use crate::edge::headers;
use crate::edge::link::Link;
use crate::edge::table::{Backend, Choice, Table, overridden, share};
use crate::server::arriving::Arriving;

/// How long the news of a process's end may take.
const NEWS: Duration = Duration::from_millis(200);

/// What is behind the ingress at one time: a table, and connections to the one process whose ports the table names.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub table: Table,
    pub link: Link,
    pub process: Standing,
}

/// What is known of the process.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// None is needed.
    Idle,
    /// It runs, or has ended just now, which comes here.
    Running(watch::Receiver<Option<String>>),
    /// There is none any more, and why.
    Down(String),
}

impl Upstream {
    /// Whether the process is no more. A connection may know it a moment earlier than who waits for the process.
    async fn has_ended(&self) -> bool {
        let Standing::Running(end) = &self.process else {
            return true;
        };
        let mut end = end.clone();
        let come = end.wait_for(Option::is_some);
        tokio::time::timeout(NEWS, come).await.is_ok()
    }
}

/// Answers one request. One without a body that finds the runtime gone is held until it is there again.
pub(crate) async fn answer(
    gate: Arc<Gate<Upstream>>,
    mut request: Request<Arriving>,
    peer: SocketAddr,
) -> Response<Body> {
    let upgrade = request
        .headers()
        .contains_key(UPGRADE)
        .then(|| hyper::upgrade::on(&mut request));
    let again = request.body().is_end_stream().then(|| twin(&request));
    let Some(pass) = gate.pass().await else {
        return away().into_response();
    };
    let there = pass.there.clone();
    let mut forwarded = forward(pass, request, peer).await;
    let is_gone = matches!(forwarded, Err(Failure::Gone(_)));
    if let Some(again) = again.filter(|_| is_gone)
        && there.has_ended().await
    {
        let Some(pass) = gate.pass_to_another(&there).await else {
            return away().into_response();
        };
        forwarded = forward(pass, again, peer).await;
    }
    match forwarded {
        Ok((pass, response)) => deliver(pass, response, upgrade),
        Err(Failure::Refused(refusal)) => refusal.into_response(),
        Err(Failure::Gone(error)) => no_answer(&error).into_response(),
    }
}

/// Why a request was not forwarded.
enum Failure {
    /// Nothing would answer it.
    Refused(Refusal),
    /// The process did not get it, or it does no harm to send it again.
    Gone(hyper_util::client::legacy::Error),
}

/// What the sandbox itself answers.
type Refusal = (StatusCode, Json<Value>);

fn refuse(status: StatusCode, error: &str) -> Refusal {
    (status, Json(json!({"error": error})))
}

fn no_answer(error: &hyper_util::client::legacy::Error) -> Refusal {
    let error = format!("the runtime did not answer: {error}; see the sandbox's log");
    refuse(StatusCode::BAD_GATEWAY, &error)
}

fn away() -> Refusal {
    let error = "the sandbox's runtime is restarting; try again";
    refuse(StatusCode::SERVICE_UNAVAILABLE, error)
}

/// The same request once more. It has no body.
fn twin(request: &Request<Arriving>) -> Request<Arriving> {
    let mut twin = Request::new(Arriving::default());
    twin.method_mut().clone_from(request.method());
    twin.uri_mut().clone_from(request.uri());
    twin.headers_mut().clone_from(request.headers());
    twin
}

/// The port of the version that answers.
fn target(there: &Upstream, request: &Request<Arriving>) -> Result<u16, Refusal> {
    if let Standing::Down(down) = &there.process {
        return Err(refuse(StatusCode::SERVICE_UNAVAILABLE, down));
    }
    let host = host(request);
    // A route without a `*` at its end does not match a URL with a query
    let uri = request.uri();
    let path = uri
        .path_and_query()
        .map_or(uri.path(), |path| path.as_str());
    let table = &there.table;
    let unknown = |status, error| {
        let answer = json!({"error": error, "known": table.known});
        Err((status, Json(answer)))
    };
    let (script, backends) = match table.pick(&host, path) {
        Choice::Script(script, backends) => (script, backends),
        Choice::NoScript => {
            let error = format!("no Worker answers for `{host}{path}`");
            return unknown(StatusCode::NOT_FOUND, error);
        }
        // A name that DNS does not lead to the edge: what a client gets from Cloudflare for a name without an origin has this status
        Choice::NoRecord => {
            let error = format!(
                "no proxied DNS record for `{host}`: nothing reaches a Worker there, whatever its routes are"
            );
            return unknown(nowhere(), error);
        }
    };
    let chosen = choose(request, script, backends);
    chosen.map(|backend| backend.port).ok_or_else(|| {
        let error = format!("the Worker `{script}` has no running version");
        refuse(StatusCode::NOT_FOUND, &error)
    })
}

fn choose<'a>(
    request: &Request<Arriving>,
    script: &str,
    backends: &'a [Backend],
) -> Option<&'a Backend> {
    let header = |name| headers::text(request.headers(), name);
    let named = header("cloudflare-workers-version-overrides");
    let named = named.and_then(|value| overridden(value, script, backends));
    named.or_else(|| match backends {
        [only] => Some(only),
        several => share(
            several,
            headers::lot(header("cloudflare-workers-version-key")),
        ),
    })
}

async fn forward(
    pass: Pass<Upstream>,
    mut request: Request<Arriving>,
    peer: SocketAddr,
) -> Result<(Pass<Upstream>, Response<Incoming>), Failure> {
    let port = target(&pass.there, &request).map_err(Failure::Refused)?;
    headers::add_headers(request.headers_mut(), peer);
    if !request.headers().contains_key(UPGRADE) {
        request.headers_mut().remove(CONNECTION);
    }
    let is_safe = request.method().is_safe();
    *request.uri_mut() = local(request.uri(), port);
    *request.version_mut() = http::Version::HTTP_11;
    match pass.there.link.client.request(request).await {
        Ok(response) => Ok((pass, response)),
        Err(error) if is_safe || error.is_connect() => Err(Failure::Gone(error)),
        Err(error) => Err(Failure::Refused(no_answer(&error))),
    }
}

fn deliver(
    pass: Pass<Upstream>,
    mut response: Response<Incoming>,
    upgrade: Option<hyper::upgrade::OnUpgrade>,
) -> Response<Body> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(client) = upgrade
    {
        let server = hyper::upgrade::on(&mut response);
        tokio::spawn(tunnel(client, server, pass.there.link.cut.clone()));
        return response.map(|_| Body::empty());
    }
    // The pass goes with the body: a restart waits for answers that are still being read
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &pass;
            frame
        }))
    })
}

async fn tunnel(
    client: hyper::upgrade::OnUpgrade,
    server: hyper::upgrade::OnUpgrade,
    mut cut: watch::Receiver<()>,
) {
    let (Ok(client), Ok(server)) = tokio::join!(client, server) else {
        return;
    };
    let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = cut.changed() => {}
    }
}

/// 530, which has no name.
fn nowhere() -> StatusCode {
    StatusCode::from_u16(530).unwrap_or(StatusCode::BAD_GATEWAY)
}

/// The host without its port, in lower case.
pub(crate) fn host(request: &Request<Arriving>) -> String {
    let header = headers::text(request.headers(), HOST.as_str());
    let host = header.or_else(|| request.uri().host()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.to_ascii_lowercase()
}

fn local(uri: &Uri, port: u16) -> Uri {
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let uri = Uri::builder().scheme(Scheme::HTTP).path_and_query(path);
    let uri = uri.authority(format!("127.0.0.1:{port}"));
    uri.build().unwrap_or_default()
}
