//! Loopback HTTP: a server whose handler may also cut the connection instead of answering, and what it needs. Whoever answers, and what, is
//! unknown here.
//!
//! Imports: nothing

pub(crate) mod arriving;
mod resettable;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::server::arriving::Arriving;
use crate::server::resettable::Resettable;

/// What a handler does: answer, or cut the connection with a reset.
pub(crate) enum Reply {
    /// An answer.
    Answer(Response<Body>),
    /// No answer: the peer sees a connection reset.
    Reset,
}

/// Binds a loopback port; 0 is any free one.
pub(crate) async fn bind(port: u16) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listening on `{address}`; choose another port"))
}

/// Serves every connection until the task is aborted; the connections end with it.
pub(crate) async fn serve<H, F>(listener: TcpListener, handler: H)
where
    H: Fn(Request<Arriving>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
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
    F: Future<Output = Reply> + Send + 'static,
{
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let io = TokioIo::new(Resettable::new(stream, reset.clone()));
    let service = service_fn(move |request: Request<Incoming>| {
        let reply = handler(request.map(Arriving::from), peer);
        let reset = reset.clone();
        async move {
            match reply.await {
                Reply::Answer(response) => Ok(response),
                Reply::Reset => {
                    reset.store(true, Ordering::SeqCst);
                    Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
                }
            }
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(io, service)
        .with_upgrades();
    let _ = served.await;
}
