//! Loopback HTTP: a server whose handler may also cut the connection instead of answering, and what it needs. Whoever answers, and what, is
//! unknown here.
//!
//! Imports: nothing

pub(crate) mod arriving;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt::set_socket_linger;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::server::arriving::Arriving;

/// Binds a loopback port; 0 is any free one.
pub(crate) async fn bind(port: u16) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listening on `{address}`; choose another port"))
}

/// Serves every connection until the task is aborted; the connections end with it. Where the handler gives no answer, the peer sees
/// a connection reset.
pub(crate) async fn serve<H, F>(listener: TcpListener, handler: H)
where
    H: Fn(Request<Arriving>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Option<Response<Body>>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(stream, peer, handler.clone()));
                }
                // Out of descriptors, most likely: go on when there are some again
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection<H, F>(stream: TcpStream, peer: SocketAddr, handler: H)
where
    H: Fn(Request<Arriving>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Option<Response<Body>>> + Send + 'static,
{
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = handler(request.map(Arriving::from), peer);
        async move {
            answer
                .await
                .ok_or(ErrorKind::ConnectionReset)
                .map_err(io::Error::from)
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let served = (&mut connection).await;
    if served.is_err_and(|error| error.is_user())
        && let Some(parts) = connection.into_parts()
    {
        // Closing a socket that does not linger discards what is queued and sends RST
        let _ = set_socket_linger(parts.io.inner(), Some(Duration::ZERO));
    }
}
