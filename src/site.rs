//! A deployed environment as its clients reach it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use http::Request;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// An open WebSocket.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A host, and the sandbox's ingress when it is not on the internet.
#[derive(Clone, Debug)]
pub struct Site {
    host: String,
    via: Option<SocketAddr>,
    http: reqwest::Client,
    /// The value of the version-override header.
    version: Option<String>,
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
        let mut http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .user_agent(concat!("edge-broadcast/", env!("CARGO_PKG_VERSION")));
        if let Some(via) = via {
            http = http.no_proxy().resolve(host, via);
        }
        let http = http.build().context("preparing the HTTP client")?;
        Ok(Self {
            host: host.to_owned(),
            via,
            http,
            version: None,
        })
    }

    /// The same hosts, answered by one version of `script` whatever its share of the traffic.
    pub fn at_version(&self, script: &str, version: &str) -> Self {
        Self {
            version: Some(format!("{script}=\"{version}\"")),
            ..self.clone()
        }
    }

    /// Another host, reached the same way.
    pub fn at_host(&self, host: &str) -> anyhow::Result<Self> {
        Self::new(host, self.via)
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
        let mut request = self.versioned(self.http.get(&url));
        for (name, value) in headers {
            request = request.header(*name, value.as_ref());
        }
        let response = request
            .send()
            .await
            .with_context(|| format!("asking `{url}`"))?;
        let status = response.status().as_u16();
        let body = response
            .text()
            .await
            .with_context(|| format!("reading the answer of `{url}`"))?;
        Ok((status, body))
    }

    /// POSTs a JSON text with further headers; the status and the body.
    pub async fn post<V: AsRef<str>>(
        &self,
        path: &str,
        headers: &[(&str, V)],
        body: String,
    ) -> anyhow::Result<(u16, String)> {
        let url = self.url(path);
        let mut request = self
            .versioned(self.http.post(&url))
            .header("content-type", "application/json")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, value.as_ref());
        }
        let response = request
            .send()
            .await
            .with_context(|| format!("posting to `{url}`"))?;
        let status = response.status().as_u16();
        let body = response
            .text()
            .await
            .with_context(|| format!("reading the answer of `{url}`"))?;
        Ok((status, body))
    }

    fn versioned(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.version {
            Some(version) => request.header(VERSION_OVERRIDES, version),
            None => request,
        }
    }

    /// Opens a WebSocket at `path`, as a page of `origin` would.
    pub async fn socket(&self, path: &str, origin: Option<&str>) -> anyhow::Result<Handshake> {
        let url = self.url(path).replacen("http", "ws", 1);
        let mut request: Request<()> = url
            .as_str()
            .into_client_request()
            .with_context(|| format!("`{url}` is no WebSocket address"))?;
        if let Some(origin) = origin {
            request.headers_mut().insert(
                "origin",
                origin.parse().context("the origin is no header value")?,
            );
        }
        if let Some(version) = &self.version {
            let value = version.parse().context("the version is no header value")?;
            request.headers_mut().insert(VERSION_OVERRIDES, value);
        }
        let opening = async {
            match self.via {
                Some(via) => {
                    let stream = TcpStream::connect(via)
                        .await
                        .map_err(tungstenite::Error::Io)?;
                    stream.set_nodelay(true).map_err(tungstenite::Error::Io)?;
                    tokio_tungstenite::client_async(request, MaybeTlsStream::Plain(stream)).await
                }
                None => tokio_tungstenite::connect_async_with_config(request, None, true).await,
            }
        };
        match tokio::time::timeout(TIMEOUT, opening).await {
            Ok(Ok((socket, _))) => Ok(Handshake::Open(Box::new(socket))),
            Ok(Err(tungstenite::Error::Http(response))) => {
                Ok(Handshake::Refused(response.status().as_u16()))
            }
            Ok(Err(error)) => Err(error).with_context(|| format!("opening `{url}`")),
            Err(_) => bail!(
                "opening `{url}`: no answer within {} seconds",
                TIMEOUT.as_secs()
            ),
        }
    }
}

/// The next text frame as JSON, within ten seconds.
pub async fn next_frame(socket: &mut Socket) -> anyhow::Result<serde_json::Value> {
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
                        frame.code, frame.reason
                    ))
                ),
                _ => {}
            }
        }
        bail!("the socket ended")
    };
    tokio::time::timeout(TIMEOUT, next)
        .await
        .map_err(|_| anyhow::anyhow!("no frame came within {} seconds", TIMEOUT.as_secs()))?
}
