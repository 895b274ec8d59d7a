//! A deployed environment as its clients reach it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::{Stream, StreamExt};
use reqwest::{Method, StatusCode, Upgraded};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::http::body;
use crate::http::connector::{Connector, Offer};
use crate::http::web_socket;
use crate::live::elsewhere;
use crate::live::header::Headers;
use crate::terminal::advice::Advice;
use crate::terminal::escape;

/// An open WebSocket.
pub type Socket = WebSocketStream<Upgraded>;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A host, and the sandbox's ingress when it is not on the internet.
#[derive(Clone, Debug)]
#[must_use]
pub struct Site {
    host: String,
    via: Option<SocketAddr>,
    http: Connector,
    /// The value of the version-override header.
    version: Option<String>,
    /// What opens the hosts.
    headers: Headers,
}

/// Chooses a version that has no traffic (docs: Workers, Gradual deployments, "Version overrides").
const VERSION_OVERRIDES: &str = "cloudflare-workers-version-overrides";

/// How a WebSocket handshake ended.
pub enum Handshake {
    Open(Box<Socket>),
    /// The HTTP status of the refusal.
    Refused(u16),
}

impl Site {
    /// `https://host` and `wss://host`; or, through `via`, plain HTTP to that address with `host` in the `Host` header.
    pub fn new(host: &str, via: Option<SocketAddr>) -> anyhow::Result<Self> {
        let http = match via {
            Some(address) => Connector::at(address)?,
            None => Connector::to(&format!("https://{host}"), Offer::Http1)?,
        };
        Ok(Self {
            host: host.to_owned(),
            via,
            http,
            version: None,
            headers: Headers::default(),
        })
    }

    /// The same hosts, asked with `headers` in every request and handshake.
    pub(crate) fn with(self, headers: Headers) -> Self {
        Self { headers, ..self }
    }

    /// The same hosts, answered by one version of `script` whatever its share of the traffic.
    pub fn at_version(&self, script: &str, version: &str) -> Self {
        Self {
            version: Some(format!("{script}=\"{version}\"")),
            ..self.clone()
        }
    }

    /// Another host, reached the same way.
    pub fn at_host(&self, host: &str) -> Self {
        Self {
            host: host.to_owned(),
            ..self.clone()
        }
    }

    /// The proxy on the way to it.
    pub(crate) fn proxy(&self) -> Option<String> {
        self.http.proxy(&self.url("/"))
    }

    /// Whether it is a sandbox's, where a new version is everywhere at once.
    pub fn is_sandboxed(&self) -> bool {
        self.via.is_some()
    }

    /// The address of `path`, as a client writes it.
    pub fn url(&self, path: &str) -> String {
        match self.via {
            Some(via) => format!("http://{}:{}{path}", self.host, via.port()),
            None => format!("https://{}{path}", self.host),
        }
    }

    /// GETs `path`; the status and the body.
    pub async fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        self.get_with::<&str>(path, &[]).await
    }

    /// GETs `path` with further headers; the status and the body.
    pub async fn get_with<V: AsRef<str>>(
        &self,
        path: &str,
        headers: &[(&str, V)],
    ) -> anyhow::Result<(u16, String)> {
        let url = self.url(path);
        let request = self.request(Method::GET, &url, headers);
        let sent = request.send().await;
        answer(
            &url,
            sent.map_err(|error| self.lost("asking", &url, &error))?,
        )
        .await
    }

    /// POSTs a JSON text with further headers; the status and the body.
    pub async fn post<V: AsRef<str>>(
        &self,
        path: &str,
        headers: &[(&str, V)],
        body: String,
    ) -> anyhow::Result<(u16, String)> {
        let url = self.url(path);
        let request = self.request(Method::POST, &url, headers).body(body);
        let request = request.header("content-type", "application/json");
        let sent = request.send().await;
        answer(
            &url,
            sent.map_err(|error| self.lost("posting to", &url, &error))?,
        )
        .await
    }

    fn request<V: AsRef<str>>(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, V)],
    ) -> reqwest::RequestBuilder {
        let mut request = self.http.request(method, url).timeout(TIMEOUT);
        request = request.headers(self.headers.0.clone());
        if let Some(version) = &self.version {
            request = request.header(VERSION_OVERRIDES, version);
        }
        for (name, value) in headers {
            request = request.header(*name, value.as_ref());
        }
        request
    }

    /// Why nothing came, with the proxy on the way.
    fn lost(&self, doing: &str, url: &str, error: &reqwest::Error) -> anyhow::Error {
        let mut lost = self.http.lost(url, error);
        if error.is_timeout() {
            lost.cause = format!("nothing came within {} seconds", TIMEOUT.as_secs());
        }
        Advice {
            what: format!("{doing} `{url}`{}: {}", lost.way(), lost.cause),
            fix: lost.fix,
        }
        .into()
    }

    /// Opens a WebSocket at `path`, as a page of `origin` would.
    pub async fn socket(&self, path: &str, origin: Option<&str>) -> anyhow::Result<Handshake> {
        let url = self.url(path);
        let shown = url.replacen("http", "ws", 1);
        let headers: Vec<_> = origin
            .map(|origin| ("origin", origin))
            .into_iter()
            .collect();
        let handshake = web_socket::Handshake::new();
        let request = handshake.ask(self.request(Method::GET, &url, &headers));
        let sent = request.send().await;
        let response = sent.map_err(|error| self.lost("opening", &shown, &error))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (status, body) = answer(&url, response).await?;
            elsewhere::refusal(&url, status, &body)?;
            return Ok(Handshake::Refused(status));
        }
        let opened = handshake.accept(response).await;
        let socket = opened.with_context(|| format!("opening `{shown}`"))?;
        Ok(Handshake::Open(Box::new(socket)))
    }
}

/// The status and the body of an answer that may be the gateway's.
async fn answer(url: &str, response: reqwest::Response) -> anyhow::Result<(u16, String)> {
    let status = response.status();
    elsewhere::by_headers(url, status, response.headers())?;
    let body = body::read(response, body::JSON)
        .await
        .with_context(|| format!("reading the answer of `{url}`"))?
        .with_context(|| {
            let most = body::shown(body::JSON);
            format!("`{url}` was answered with more than {most}, which is no answer of the workers")
        })?;
    elsewhere::by_body(url, status, &body)?;
    let body = escape::answer(body);
    Ok((status.as_u16(), String::from_utf8_lossy(&body).into_owned()))
}

/// The next text frame as JSON, within ten seconds.
pub async fn next_frame<S>(socket: &mut S) -> anyhow::Result<serde_json::Value>
where
    S: Stream<Item = Result<Message, tungstenite::Error>> + Unpin,
{
    let next = async {
        while let Some(message) = socket.next().await {
            match message.context("reading from the socket")? {
                Message::Text(text) => {
                    return serde_json::from_str(&text).context("the frame is no JSON");
                }
                Message::Close(frame) => bail!(
                    "the socket was closed{}",
                    frame.map_or(String::new(), |frame| format!(
                        " with {}: {}",
                        frame.code,
                        escape::line(&frame.reason)
                    ))
                ),
                _ => {}
            }
        }
        bail!("the socket ended")
    };
    tokio::time::timeout(TIMEOUT, next)
        .await
        .map_err(|_| Silence)?
}

/// A socket stayed open, and nothing came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence;

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "no frame came within {} seconds", TIMEOUT.as_secs())
    }
}

impl std::error::Error for Silence {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::response::{IntoResponse, Response};

    use super::*;

    /// A server on this machine, and how often it was asked.
    async fn answering(
        answer: impl Fn() -> Response + Clone + Send + Sync + 'static,
    ) -> (SocketAddr, Arc<AtomicUsize>) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let server = axum::Router::new().fallback(async move || {
            count.fetch_add(1, Ordering::SeqCst);
            answer()
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, server).await });
        (address, asked)
    }

    #[tokio::test]
    async fn a_secret_does_not_follow_a_redirect() {
        let (other, reached) = answering(|| "stolen".into_response()).await;
        let (via, _) = answering(move || {
            let location = format!("http://{other}/broadcast/SOL");
            (StatusCode::TEMPORARY_REDIRECT, [("location", location)]).into_response()
        })
        .await;
        let site = Site::new("w.glow.trade", Some(via)).unwrap();
        let headers = [("authorization", "Bearer secret")];
        let posted = site.post("/broadcast/SOL", &headers, "{}".to_owned()).await;
        let url = site.url("/broadcast/SOL");
        assert_eq!(
            Advice::of(&posted.unwrap_err()).line(),
            format!(
                "`{url}` answered 307: a redirect to `127.0.0.1`, which is not followed, because what is sent may be a secret; look at the zone's redirect rules and at what else answers for this host"
            )
        );
        site.get_with("/secrets/uses", &headers).await.unwrap_err();
        assert_eq!(reached.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_not_read_to_its_end() {
        let (via, _) = answering(|| {
            let part = || Ok::<_, std::convert::Infallible>(vec![b' '; 64 * 1024]);
            let endless = futures_util::stream::repeat_with(part);
            axum::body::Body::from_stream(endless).into_response()
        })
        .await;
        let site = Site::new("w.glow.trade", Some(via)).unwrap();
        let error = site.get("/health").await.unwrap_err();
        let url = site.url("/health");
        assert_eq!(
            error.to_string(),
            format!(
                "`{url}` was answered with more than 16 MiB, which is no answer of the workers"
            )
        );
    }
}
