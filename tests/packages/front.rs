//! A server between a client and the sandbox: it names the deployed host, which not every runtime lets a program do, and refuses
//! what firewalls and proxies refuse.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::workers::HOST;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lets {
    Everything,
    /// No upgrades: a proxy that knows no WebSockets.
    Requests,
    Upgrades,
    Nothing,
}

/// It stops when it is dropped, with every connection.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    lets: watch::Sender<Lets>,
    heads: Arc<Mutex<Vec<String>>>,
    listening: AbortHandle,
}

impl Front {
    pub(crate) async fn before(ingress: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (lets, now) = watch::channel(Lets::Everything);
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (now, seen) = (now.clone(), Arc::clone(&seen));
                tokio::spawn(connection(stream, ingress, now, seen));
            }
        });
        Self {
            address,
            lets,
            heads,
            listening: listening.abort_handle(),
        }
    }

    /// Changes what is let through; what is open ends.
    pub(crate) fn lets(&self, what: Lets) {
        self.lets.send_replace(what);
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn connection(
    mut stream: TcpStream,
    ingress: SocketAddr,
    mut now: watch::Receiver<Lets>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let lets = *now.borrow_and_update();
    let Some(head) = head(&mut stream).await else {
        return;
    };
    let is_upgrade = head.to_ascii_lowercase().contains("\r\nupgrade:");
    seen.lock().unwrap().push(head.clone());
    match lets {
        Lets::Nothing => return,
        Lets::Upgrades if !is_upgrade => return,
        Lets::Requests if is_upgrade => {
            let refusal =
                "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(refusal.as_bytes()).await;
            return;
        }
        Lets::Everything | Lets::Requests | Lets::Upgrades => {}
    }
    let Ok(mut inner) = TcpStream::connect(ingress).await else {
        return;
    };
    if inner
        .write_all(named(&head, is_upgrade).as_bytes())
        .await
        .is_err()
    {
        return;
    }
    tokio::select! {
        _ = copy_bidirectional(&mut stream, &mut inner) => {}
        // Also when the front is gone
        _ = now.changed() => {}
    }
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// The head with the deployed host; each request has a connection of its own, so that every head is seen.
fn named(head: &str, is_upgrade: bool) -> String {
    let lines = head.trim_end().split("\r\n").filter(|line| {
        let name = line
            .split(':')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        name != "host" && (is_upgrade || name != "connection")
    });
    let mut lines: Vec<&str> = lines.collect();
    let host = format!("Host: {HOST}");
    lines.insert(1, &host);
    if !is_upgrade {
        lines.push("Connection: close");
    }
    format!("{}\r\n\r\n", lines.join("\r\n"))
}
