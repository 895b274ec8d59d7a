//! Connections from the ingress to one process of the runtime, and what cuts them.
//!
//! The runtime answers early and closes when a Worker does not want a request's body (after 64 KiB and a second of grace). Its answer has
//! arrived by then, so that a failed write is no reason to stop reading: what is written to a peer that is gone goes nowhere.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::util::MapResponse;

use crate::server::arriving::Arriving;

/// Connections to one process. They, and every open WebSocket, end when the last [`Cut`] of the process is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// Sends requests.
    pub client: Client<Connector, Arriving>,
    /// Changes when the connections are to end.
    pub cut: watch::Receiver<()>,
}

/// Ends every open WebSocket of a [`Link`] when it is dropped.
pub(crate) type Cut = watch::Sender<()>;

impl Link {
    /// New connections, and what cuts them.
    pub(crate) fn new() -> (Link, Cut) {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let (sender, cut) = watch::channel(());
        let connector: Connector = MapResponse::new(connector, Wire::new);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        (Link { client, cut }, sender)
    }
}

/// Makes connections.
type Connector = MapResponse<HttpConnector, fn(TokioIo<TcpStream>) -> Wire>;

/// A connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TokioIo<TcpStream>,
    peer: Peer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Listens,
    Gone,
}

impl Wire {
    fn new(stream: TokioIo<TcpStream>) -> Self {
        let peer = Peer::Listens;
        Self { stream, peer }
    }

    /// Gives `instead` where the peer does not listen any more.
    fn forgiving<T>(&mut self, written: Poll<io::Result<T>>, instead: T) -> Poll<io::Result<T>> {
        match written {
            Poll::Ready(Err(error))
                if matches!(
                    error.kind(),
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                ) =>
            {
                self.peer = Peer::Gone;
                Poll::Ready(Ok(instead))
            }
            other => other,
        }
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.peer == Peer::Gone {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.forgiving(written, bytes.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.forgiving(flushed, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.forgiving(shut, ())
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}
