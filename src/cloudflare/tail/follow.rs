//! One tail after the other, until whoever asks has enough: renewed before it ends, opened again when its socket breaks, and closed
//! however this ends.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value as Json;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{self, Message};

use super::filter::Filters;
use super::overlap::{Overlap, Side};
use super::{schedule, socket};
use crate::cloudflare::client::{Cloudflare, Repeat};
use crate::cloudflare::error::ApiError;
use crate::cloudflare::path::id;
use crate::http::web_socket::Socket;
use crate::process::farewell;
use crate::terminal::advice::Advice;
use crate::terminal::escape;
use crate::terminal::progress::seconds;

/// As wrangler pings: what stands between closes a connection on which nothing moves.
const PING: Duration = Duration::from_secs(10);
/// How long a tail that was replaced may still give what it has.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// And for how long after that the new one may still give the same.
const ECHO: Duration = Duration::from_secs(10);
/// A socket that was open for so long was no failure.
const LASTED: Duration = Duration::from_secs(60);

/// `POST scripts/S/tails`
#[derive(Deserialize)]
struct Made {
    #[serde(deserialize_with = "id")]
    id: String,
    url: String,
    #[serde(default)]
    expires_at: String,
}

/// A tail that is open at the API. Dropping it closes it.
struct Tail {
    cloudflare: Cloudflare,
    script: String,
    made: Made,
}

impl Tail {
    /// Not asked for twice when the answer is lost: of the first one nobody would know the id.
    async fn open(
        cloudflare: &Cloudflare,
        script: &str,
        filters: &Filters,
    ) -> anyhow::Result<Self> {
        let path = cloudflare.of_script(script, "tails");
        let body = filters.body();
        let (cloudflare, script) = (cloudflare.clone(), script.to_owned());
        let what = format!("opening a tail of `{script}`");
        // Ctrl-C in the middle of the call would leave a tail that nobody can close
        let opening = farewell::begin(what, async move {
            let fill = |request: reqwest::RequestBuilder| request.json(&body);
            let made = cloudflare.call_filled(Method::POST, &path, Repeat::Never, fill);
            let made = made.await?;
            Ok(Self {
                cloudflare,
                script,
                made,
            })
        });
        opening.await.context("the tail was not opened")?
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let path = format!("tails/{}", self.made.id);
        let path = self.cloudflare.of_script(&self.script, &path);
        let cloudflare = self.cloudflare.clone();
        let what = format!("closing a tail of `{}`", self.script);
        drop(farewell::begin(what.clone(), async move {
            if let Err(error) = cloudflare.delete(&path).await {
                let why = Advice::of(&error).line();
                cloudflare.say(&format!("{what}: {why}; it ends by itself"));
            }
        }));
    }
}

/// A tail and its socket.
struct Live {
    tail: Tail,
    socket: Socket,
    opened_at: Instant,
    renew_at: Instant,
    /// About then it is silent.
    ends_at: Instant,
    /// What the tail before it gave, until it cannot give the same any more.
    overlap: Option<(Overlap, Instant)>,
}

impl Live {
    async fn open(
        cloudflare: &Cloudflare,
        script: &str,
        filters: &Filters,
    ) -> anyhow::Result<Self> {
        let tail = Tail::open(cloudflare, script, filters).await?;
        let expires_at = humantime::parse_rfc3339(&tail.made.expires_at).ok();
        let opened_at = Instant::now();
        let due = schedule::renewal(SystemTime::now(), expires_at);
        let renew_at = opened_at + due;
        let socket = socket::open(&tail.made.url).await?;
        Ok(Self {
            tail,
            socket,
            opened_at,
            renew_at,
            ends_at: renew_at + schedule::left(due),
            overlap: None,
        })
    }

    /// Tells an event, unless the tail before has given it.
    async fn tell(&mut self, message: &str, out: &Sender<Json>) {
        if self
            .overlap
            .as_ref()
            .is_some_and(|(_, until)| *until < Instant::now())
        {
            self.overlap = None;
        }
        let is_new = match &mut self.overlap {
            Some((overlap, _)) => overlap.is_new(Side::New, message),
            None => true,
        };
        if is_new {
            tell(message, out).await;
        }
    }
}

/// Why a socket is read no further.
enum End {
    /// The tail is to be renewed.
    Due,
    Broken(String),
}

/// Hands every event of `script` that passes the filters to `out`, until it is dropped.
///
/// # Errors
/// The first tail cannot be opened, or the API refuses a later one for good.
pub(crate) async fn follow(
    cloudflare: &Cloudflare,
    script: &str,
    filters: &Filters,
    out: &Sender<Json>,
) -> anyhow::Result<Infallible> {
    let mut live = Live::open(cloudflare, script, filters).await?;
    cloudflare.say(&format!("following `{script}`; Ctrl-C ends it"));
    let mut failures = 0;
    loop {
        let why = match listen(&mut live, out).await {
            End::Due => match Live::open(cloudflare, script, filters).await {
                Ok(next) => {
                    live = replace(live, next, out).await;
                    failures = 0;
                    continue;
                }
                Err(error) => {
                    let why = refused(error)?;
                    failures += 1;
                    live.renew_at = Instant::now() + schedule::pause(failures + 1);
                    if live.renew_at < live.ends_at {
                        continue;
                    }
                    format!("it could not be renewed: {why}")
                }
            },
            End::Broken(why) => why,
        };
        if live.opened_at.elapsed() > LASTED {
            failures = 0;
        }
        drop(live);
        live = again(cloudflare, script, filters, &mut failures, why).await?;
    }
}

/// Opens another tail after a pause, as often as it takes.
async fn again(
    cloudflare: &Cloudflare,
    script: &str,
    filters: &Filters,
    failures: &mut u32,
    mut why: String,
) -> anyhow::Result<Live> {
    loop {
        *failures += 1;
        let pause = schedule::pause(*failures);
        let next = match pause {
            Duration::ZERO => "at once".to_owned(),
            pause => format!("in {}", seconds(pause)),
        };
        cloudflare.say(&format!(
            "the tail of `{script}` broke: {why}; it is opened again {next}, and what happens meanwhile is lost"
        ));
        sleep(pause).await;
        match Live::open(cloudflare, script, filters).await {
            Ok(live) => {
                cloudflare.say(&format!("the tail of `{script}` is open again"));
                return Ok(live);
            }
            Err(error) => why = refused(error)?,
        }
    }
}

/// Why it may be tried again.
fn refused(error: anyhow::Error) -> anyhow::Result<String> {
    match error.downcast_ref().is_some_and(ApiError::is_final) {
        true => Err(error),
        false => Ok(Advice::of(&error).line()),
    }
}

/// Reads a socket until its tail is to be renewed, or it breaks.
async fn listen(live: &mut Live, out: &Sender<Json>) -> End {
    let mut ping = interval_at(Instant::now() + PING, PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_answered = true;
    loop {
        tokio::select! {
            () = sleep_until(live.renew_at) => return End::Due,
            _ = ping.tick() => {
                if !is_answered {
                    return End::Broken("a ping was not answered".to_owned());
                }
                is_answered = false;
                if let Err(error) = live.socket.send(Message::Ping("edge-broadcast tail".into())).await {
                    return End::Broken(error.to_string());
                }
            }
            received = live.socket.next() => match read(received) {
                Ok(Some(message)) => live.tell(&message, out).await,
                // Whatever comes shows that somebody is there
                Ok(None) => is_answered = true,
                Err(why) => return End::Broken(why),
            }
        }
    }
}

/// The event in what was received: none in what belongs to the protocol.
fn read(received: Option<Result<Message, tungstenite::Error>>) -> Result<Option<String>, String> {
    match received {
        Some(Ok(Message::Text(text))) => Ok(Some(text.to_string())),
        // wrangler reads both
        Some(Ok(Message::Binary(bytes))) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Some(Ok(Message::Close(frame))) => Err(frame.map_or_else(
            || "its socket was closed".to_owned(),
            |frame| {
                let reason = escape::line(&frame.reason);
                format!("its socket was closed with {}: {reason}", frame.code)
            },
        )),
        Some(Ok(_)) => Ok(None),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("its socket ended".to_owned()),
    }
}

/// Closes the old tail, and reads both until the old one has given what it has.
async fn replace(old: Live, mut next: Live, out: &Sender<Json>) -> Live {
    let Live {
        tail,
        socket: mut old,
        ..
    } = old;
    drop(tail);
    let mut overlap = Overlap::default();
    let both = async {
        loop {
            let (side, received) = tokio::select! {
                received = old.next() => (Side::Old, received),
                received = next.socket.next() => (Side::New, received),
            };
            match (side, read(received)) {
                (_, Ok(Some(message))) => {
                    if overlap.is_new(side, &message) {
                        tell(&message, out).await;
                    }
                }
                (_, Ok(None)) => {}
                // Of the new one it is found again where it is read alone
                (_, Err(_)) => return,
            }
        }
    };
    let _ = timeout(LAST_WORDS, both).await;
    next.overlap = Some((overlap, Instant::now() + ECHO));
    next
}

/// What is no JSON is no event.
async fn tell(message: &str, out: &Sender<Json>) {
    if let Ok(event) = serde_json::from_str(message) {
        // Whoever reads no more drops this too
        let _ = out.send(event).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_events_and_the_end_of_a_socket_is_told_in_words() {
        let close = tungstenite::protocol::CloseFrame {
            code: 1011.into(),
            reason: "too slow\u{1b}".into(),
        };
        for (received, expected) in [
            (Some(Message::text("{}")), Ok(Some("{}".to_owned()))),
            (Some(Message::binary("{}")), Ok(Some("{}".to_owned()))),
            (Some(Message::Pong("".into())), Ok(None)),
            (
                Some(Message::Close(Some(close))),
                Err(r"its socket was closed with 1011: too slow\u{1b}".to_owned()),
            ),
            (
                Some(Message::Close(None)),
                Err("its socket was closed".to_owned()),
            ),
            (None, Err("its socket ended".to_owned())),
        ] {
            assert_eq!(read(received.map(Ok)), expected);
        }
    }
}
