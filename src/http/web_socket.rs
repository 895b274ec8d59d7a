//! A WebSocket as a request of the one connector: an HTTP/1.1 request like every other one, until it is answered (RFC 6455, 4.1).

use anyhow::{Context, ensure};
use reqwest::{RequestBuilder, Response, Upgraded};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// An open WebSocket.
pub(crate) type Socket = WebSocketStream<Upgraded>;

/// The client's half of an opening handshake.
pub(crate) struct Handshake {
    key: String,
}

impl Handshake {
    pub(crate) fn new() -> Self {
        let key = generate_key();
        Self { key }
    }

    /// The request that asks for the socket.
    pub(crate) fn ask(&self, request: RequestBuilder) -> RequestBuilder {
        request
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", &self.key)
    }

    /// The socket behind an answer of 101, which must be that to this handshake.
    pub(crate) async fn accept(self, response: Response) -> anyhow::Result<Socket> {
        let accepted = response.headers().get("sec-websocket-accept");
        ensure!(
            accepted.is_some_and(|accepted| *accepted == *derive_accept_key(self.key.as_bytes())),
            "the answer belongs to another handshake"
        );
        let upgraded = response.upgrade().await;
        let upgraded = upgraded.context("the connection did not become a socket")?;
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await)
    }
}
