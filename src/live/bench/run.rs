//! Opens the sockets, publishes, and tells the tally. All of it is one future: who drops it has closed every socket.

use std::borrow::Cow;
use std::cell::RefCell;
use std::future::pending;
use std::time::Duration;

use edge_broadcast_protocol::contract::receipt::Receipt;
use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt, StreamExt, stream};
use serde::Deserialize;
use serde_json::Value as Json;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, sleep_until};
use tokio_tungstenite::tungstenite::Message;

use super::load::Load;
use super::tally::Tally;
use crate::live::credential::Credential;
use crate::live::site::{Handshake, Site, Socket};
use crate::secret::Value;
use crate::terminal::advice::Advice;
use crate::terminal::escape;

/// Publishes under way at the same time. One that is due later waits, and its time runs meanwhile.
pub(crate) const AT_ONCE: usize = 256;
/// Without a frame for so long after the last publish, nothing more is waited for.
const QUIET: Duration = Duration::from_secs(2);
/// Between two looks at whether it is over.
const LOOK: Duration = Duration::from_millis(20);
/// After which a client counts anew what it acknowledges (`docs/protocol.md`, Keeping a socket).
const ACK_WINDOW: Duration = Duration::from_secs(30);

/// The one text that the runtime answers by itself, so that no room wakes of it (`docs/protocol.md`, Keeping a socket).
const PING: &str = r#"{"type":"ping"}"#;

/// Where the load goes, and what opens it.
pub(crate) struct Target<'a> {
    pub(crate) site: &'a Site,
    pub(crate) secret: &'a Value,
    pub(crate) credential: Credential,
    pub(crate) origin: Option<String>,
    /// Time between two pings of a socket.
    pub(crate) ping: Duration,
}

/// A run that goes on.
struct Run<'a> {
    target: &'a Target<'a>,
    load: &'a Load,
    tally: &'a RefCell<Tally>,
    /// Tells its updates from those of others.
    id: String,
    began: Instant,
}

/// What is read of a frame.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    ack: Option<usize>,
    #[serde(borrow)]
    updates: Option<Vec<Update<'a>>>,
    #[serde(borrow, flatten)]
    update: Update<'a>,
}

#[derive(Deserialize)]
struct Update<'a> {
    #[serde(borrow)]
    run: Option<Cow<'a, str>>,
    n: Option<usize>,
    seq: Option<u64>,
    #[serde(borrow)]
    epoch: Option<Cow<'a, str>>,
}

/// Loads the target, and tells `tally` what comes of it.
pub(crate) async fn run(
    target: &Target<'_>,
    load: &Load,
    tally: &RefCell<Tally>,
    tell: &dyn Fn(&str),
) {
    let run = Run {
        target,
        load,
        tally,
        id: format!("{:08x}", rand::random::<u32>()),
        began: Instant::now(),
    };
    let mut clients: FuturesUnordered<_> = (0..load.sockets).map(|n| run.client(n)).collect();
    let listening = async {
        while clients.next().await.is_some() {}
        pending::<()>().await;
    };
    tokio::select! {
        () = listening => {}
        () = run.publishing(tell) => {}
    }
}

impl Run<'_> {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits for the sockets, publishes, and waits for what is under way.
    async fn publishing(&self, tell: &dyn Fn(&str)) {
        while self.tally.borrow().settled() < u64::from(self.load.sockets) {
            sleep(LOOK).await;
        }
        let connected = self.tally.borrow().connected;
        tell(&format!(
            "{connected} of {} sockets are open: publishing",
            self.load.sockets
        ));
        let first = self.now();
        let updates = stream::iter(0..self.load.updates());
        let sent = updates.map(|n| self.publish(n, first + self.load.due(n)));
        sent.buffer_unordered(AT_ONCE).for_each(async |()| {}).await;
        let published = self.now();
        loop {
            sleep(LOOK).await;
            let tally = self.tally.borrow();
            let quiet = self.now().saturating_sub(tally.last().max(published));
            if tally.is_complete() || quiet > QUIET {
                return;
            }
        }
    }

    async fn publish(&self, n: usize, due: Duration) {
        sleep_until(self.began + due).await;
        self.tally.borrow_mut().sent(n, due, self.now());
        match self.post(n).await {
            Ok(receipt) => self
                .tally
                .borrow_mut()
                .taken(n, receipt.seq, receipt.batched),
            Err(kind) => self.tally.borrow_mut().failed(n, kind),
        }
    }

    /// The receipt of the update `n`, or the kind of its failure.
    async fn post(&self, n: usize) -> Result<Receipt, String> {
        let Target {
            site,
            secret,
            credential,
            ..
        } = self.target;
        let body = self.load.update(&self.id, n);
        let headers = credential
            .headers(secret, &body)
            .map_err(|error| error.to_string())?;
        let path = format!("/broadcast/{}", self.load.tokens[self.load.token(n)]);
        let answered = site.post(&path, &headers, body).await;
        let (status, answer) = answered.map_err(|error| self.kind(&error, &path))?;
        if status != 200 {
            let answer: Json = serde_json::from_str(&answer).unwrap_or_default();
            let code = answer["error"]["code"].as_str().unwrap_or_default();
            return Err(format!("{status} {code}").trim_end().to_owned());
        }
        serde_json::from_str(&answer).map_err(|_| "200 without a receipt".to_owned())
    }

    /// A failure without the address, which is another one for each token.
    fn kind(&self, error: &anyhow::Error, path: &str) -> String {
        let Advice { what, .. } = Advice::of(error);
        let url = self.target.site.url(path);
        let shown = what.replace(&url, "…");
        shown.replace(&url.replacen("http", "ws", 1), "…")
    }

    /// One client, from its handshake to its end.
    async fn client(&self, n: u32) {
        let due = self.load.connect_due(n);
        sleep_until(self.began + due).await;
        let token = self.load.token(n as usize);
        let (mut socket, ack) = match self.open(token).await {
            Ok(open) => open,
            Err(kind) => return self.tally.borrow_mut().refused(kind),
        };
        let took = self.now().saturating_sub(due);
        self.tally.borrow_mut().opened(token, took);
        let first = Instant::now() + self.load.first_ping(n, self.target.ping);
        let mut pings = interval_at(first, self.target.ping);
        // A machine that was late does not ping twice for it
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = self.listen(&mut socket, ack, &mut pings).await;
        self.tally.borrow_mut().closed(token, end);
    }

    /// A socket after its first frame and the bytes after which it acknowledges, or why there is none.
    async fn open(&self, token: usize) -> Result<(Box<Socket>, usize), String> {
        let path = format!("/ws/{}?errors=close", self.load.tokens[token]);
        let Target { site, origin, .. } = self.target;
        let opened = site.socket(&path, origin.as_deref()).await;
        let mut socket = match opened.map_err(|error| self.kind(&error, &path))? {
            Handshake::Refused(status) => return Err(status.to_string()),
            Handshake::Open(socket) => socket,
        };
        loop {
            if let Some(ack) = greeting(&next(&mut socket).await?) {
                return Ok((socket, ack));
            }
        }
    }

    /// Hears updates and pings until the socket ends; why it did.
    async fn listen(&self, socket: &mut Socket, ack: usize, pings: &mut Interval) -> String {
        let (mut seen, mut epoch) = (0, String::new());
        let (mut bytes, mut since) = (0, Instant::now());
        loop {
            let text = match heard(socket, pings).await {
                Ok(text) => text,
                Err(end) => return end,
            };
            let now = self.now();
            let Ok(frame) = serde_json::from_str::<Frame>(&text) else {
                return "a frame was no JSON".to_owned();
            };
            let alone = frame.updates.is_none().then_some(frame.update);
            for update in frame.updates.into_iter().flatten().chain(alone) {
                let (Some(n), Some(seq)) = (update.n, update.seq) else {
                    continue;
                };
                let of = update.epoch.unwrap_or_default();
                if of != epoch {
                    (seen, epoch) = (0, of.into_owned());
                }
                let is_new = seq > seen;
                seen = seq.max(seen);
                if update.run.as_deref() != Some(&self.id) {
                    continue;
                }
                let mut tally = self.tally.borrow_mut();
                match is_new {
                    true => tally.heard(n, seq, now),
                    false => tally.repeated += 1,
                }
            }
            bytes += text.len();
            if since.elapsed() > ACK_WINDOW {
                (bytes, since) = (0, Instant::now());
            } else if bytes >= ack {
                (bytes, since) = (0, Instant::now());
                let ack = format!(r#"{{"type":"ack","seq":{seen}}}"#);
                if socket.send(Message::text(ack)).await.is_err() {
                    return "an acknowledgement could not be sent".to_owned();
                }
            }
        }
    }
}

/// What the first frame of a socket says of acknowledgements; `None` of any other frame.
fn greeting(text: &str) -> Option<usize> {
    let frame = serde_json::from_str::<Frame>(text).ok()?;
    let is_first = frame.kind.as_deref() == Some("connected");
    is_first.then_some(frame.ack.unwrap_or(usize::MAX))
}

/// The next text, with a ping whenever one is due until it comes, or how the socket ended.
async fn heard(socket: &mut Socket, pings: &mut Interval) -> Result<String, String> {
    loop {
        tokio::select! {
            biased;
            _ = pings.tick() => {}
            text = next(socket) => return text,
        }
        if socket.send(Message::text(PING)).await.is_err() {
            return Err("a ping could not be sent".to_owned());
        }
    }
}

/// The next text, or how the socket ended.
async fn next(socket: &mut Socket) -> Result<String, String> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Close(Some(frame)))) => {
                let reason = frame.reason.split(';').next().unwrap_or_default();
                let told = format!("{} {}", u16::from(frame.code), escape::line(reason));
                return Err(told.trim_end().to_owned());
            }
            Some(Ok(Message::Close(None))) | None => return Err("1005".to_owned()),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(escape::line(&error.to_string()).into_owned()),
        }
    }
}
