//! The edge: takes a request, picks the script and version, and passes it on to the runtime, WebSockets included.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use http::header::{CONNECTION, HOST, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::sync::watch;

use super::arriving::Arriving;
use super::edge;
use super::gate::{Gate, Pass};
use super::link::Link;
use super::table::{Backend, Choice, Table, overridden, share};

/// What is behind the ingress at one time: a table, and connections to the one process whose ports the table names.
#[derive(Debug)]
pub(super) struct Upstream {
    table: Table,
    link: Link,
}

impl Upstream {
    /// A table over a process's connections.
    pub(super) fn new(table: Table, link: Link) -> Self {
        Self { table, link }
    }
}

/// Answers one request.
pub(super) async fn answer(
    gate: Arc<Gate<Upstream>>,
    request: Request<Arriving>,
    peer: SocketAddr,
) -> Response<Body> {
    let Some(pass) = gate.pass().await else {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({"error": "the sandbox's runtime is restarting; try again"}),
        );
    };
    let host = host(&request);
    let path = request.uri().path();
    let table = &pass.there.table;
    let (script, backends) = match table.pick(&host, path) {
        Choice::Script(script, backends) => (script, backends),
        Choice::NoScript => {
            let error = format!("no Worker answers for `{host}{path}`");
            return refuse(
                StatusCode::NOT_FOUND,
                &json!({"error": error, "known": table.known}),
            );
        }
        // A name that DNS does not lead to the edge: what a client gets from Cloudflare for a name without an origin has this status
        Choice::NoRecord => {
            let error = format!(
                "no proxied DNS record for `{host}`: nothing reaches a Worker there, whatever its routes are"
            );
            return refuse(nowhere(), &json!({"error": error, "known": table.known}));
        }
    };
    let Some(port) = choose(&request, script, backends).map(|backend| backend.port) else {
        return refuse(
            StatusCode::NOT_FOUND,
            &json!({"error": format!("the Worker `{script}` has no running version")}),
        );
    };
    forward(pass, request, peer, port).await
}

fn choose<'a>(
    request: &Request<Arriving>,
    script: &str,
    backends: &'a [Backend],
) -> Option<&'a Backend> {
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let named = header("cloudflare-workers-version-overrides")
        .and_then(|value| overridden(value, script, backends));
    named.or_else(|| match backends {
        [only] => Some(only),
        several => share(several, edge::lot(header("cloudflare-workers-version-key"))),
    })
}

async fn forward(
    pass: Pass<Upstream>,
    mut request: Request<Arriving>,
    peer: SocketAddr,
    port: u16,
) -> Response<Body> {
    let link = pass.there.link.clone();
    let upgrade = request
        .headers()
        .contains_key(UPGRADE)
        .then(|| hyper::upgrade::on(&mut request));
    edge::add_headers(request.headers_mut(), peer);
    if upgrade.is_none() {
        request.headers_mut().remove(CONNECTION);
    }
    *request.uri_mut() = local(request.uri(), port);
    *request.version_mut() = http::Version::HTTP_11;
    let mut response = match link.client.request(request).await {
        Ok(response) => response,
        Err(error) => {
            let error = format!("the runtime did not answer: {error}; see the sandbox's log");
            return refuse(StatusCode::BAD_GATEWAY, &json!({"error": error}));
        }
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(client) = upgrade
    {
        let server = hyper::upgrade::on(&mut response);
        tokio::spawn(tunnel(client, server, link.cut));
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
fn host(request: &Request<Arriving>) -> String {
    let header = request
        .headers()
        .get(HOST)
        .and_then(|value| value.to_str().ok());
    let host = header.or_else(|| request.uri().host()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.to_ascii_lowercase()
}

fn local(uri: &Uri, port: u16) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Authority::try_from(format!("127.0.0.1:{port}")).ok();
    parts.path_and_query = uri
        .path_and_query()
        .cloned()
        .or_else(|| Some(PathAndQuery::from_static("/")));
    Uri::from_parts(parts).unwrap_or_default()
}

fn refuse(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
