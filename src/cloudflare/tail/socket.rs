//! The WebSocket that a tail is read through: `trace-v1`, as wrangler's `src/tail/createTail.ts` opens it.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::SinkExt;
use reqwest::{Method, StatusCode, Url};
use tokio_tungstenite::tungstenite::Message;

use crate::http::connector::{Connector, Offer};
use crate::http::web_socket::{Handshake, Socket};
use crate::terminal::escape;

/// The subprotocol.
const PROTOCOL: &str = "trace-v1";
const TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the socket of a tail. Its address is what opens it, so no error has more of it than the host.
pub(super) async fn open(address: &str) -> anyhow::Result<Socket> {
    let url = Url::parse(address).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or("nowhere");
    let doing = format!("opening the socket of a tail at `{}`", escape::line(host));
    opened(address).await.context(doing)
}

async fn opened(address: &str) -> anyhow::Result<Socket> {
    let rest = address
        .strip_prefix("ws")
        .context("it is no WebSocket's address")?;
    let url = format!("http{rest}");
    let http = Connector::to(&url, Offer::Http1)?;
    let handshake = Handshake::new();
    let request = http.request(Method::GET, &url).timeout(TIMEOUT);
    let request = request.header("sec-websocket-protocol", PROTOCOL);
    let sent = handshake.ask(request).send().await;
    let response = sent.map_err(|error| {
        let lost = http.lost(&url, &error);
        anyhow::anyhow!("{lost}")
    })?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        bail!("it answered {}", response.status().as_u16());
    }
    let protocol = response.headers().get("sec-websocket-protocol");
    ensure!(
        protocol.is_some_and(|protocol| protocol == PROTOCOL),
        "it does not speak `{PROTOCOL}`"
    );
    let mut socket = handshake.accept(response).await?;
    let hello = Message::text(r#"{"debug":false}"#);
    socket.send(hello).await.context("saying the first word")?;
    Ok(socket)
}
