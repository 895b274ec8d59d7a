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
        let lost = http.lost(&url, &error.without_url());
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

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, StatusCode};
    use axum::response::{IntoResponse, Response};
    use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    /// What is said of a server that answers so.
    async fn refused(answer: fn(&HeaderMap) -> Response) -> String {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = axum::Router::new().fallback(async move |asked: HeaderMap| answer(&asked));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, server).await });
        told(&format!("ws://{address}/{ID}")).await
    }

    async fn told(address: &str) -> String {
        let error = format!("{:#}", open(address).await.unwrap_err());
        assert!(
            !error.contains(ID),
            "who knows the address may read: {error}"
        );
        error
    }

    #[tokio::test]
    async fn what_is_no_socket_of_a_tail_is_told_without_its_address() {
        let doing = "opening the socket of a tail at `127.0.0.1`";
        let gone = refused(|_| StatusCode::NOT_FOUND.into_response());
        assert_eq!(gone.await, format!("{doing}: it answered 404"));
        let other = refused(|asked| {
            assert_eq!(asked["sec-websocket-protocol"], PROTOCOL);
            let key = derive_accept_key(asked["sec-websocket-key"].as_bytes());
            let upgrade = [("upgrade", "websocket"), ("connection", "Upgrade")];
            let accept = [("sec-websocket-accept", key)];
            (StatusCode::SWITCHING_PROTOCOLS, upgrade, accept).into_response()
        });
        assert_eq!(
            other.await,
            format!("{doing}: it does not speak `trace-v1`")
        );
        let closed = told(&format!("ws://127.0.0.1:1/{ID}")).await;
        assert!(closed.starts_with(&format!("{doing}: ")), "{closed}");
        let page = told(&format!("https://tail.example.com/{ID}")).await;
        assert_eq!(
            page,
            "opening the socket of a tail at `tail.example.com`: it is no WebSocket's address"
        );
    }
}
