//! Proves that a deployed environment works: health, a message that arrives, and everything that must be refused.

use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use edge_broadcast_protocol::contract::signature::signature;
use edge_broadcast_protocol::contract::token::PROBE_PREFIX;
use serde::Serialize;
use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use crate::environment::Environment;
use crate::live::site::{Handshake, Site, Socket, next_frame};
use crate::secret::Value;
use crate::terminal::advice::Advice;

/// No page of this origin exists: the name can never be registered (RFC 2606).
const FOREIGN_ORIGIN: &str = "https://edge-broadcast-verify.invalid";

/// The checks in the order in which they were made.
#[derive(Debug, Serialize)]
pub struct Report {
    pub host: String,
    pub checks: Vec<Check>,
    /// Milliseconds from sending the publish to receiving its own message; absent when it did not arrive.
    pub latency_ms: Option<f64>,
}

/// One check.
#[derive(Debug, Serialize)]
pub struct Check {
    pub name: &'static str,
    /// Why it failed; absent when it passed.
    pub failure: Option<String>,
    /// What to do about the failure, where that is known.
    pub help: Option<String>,
    /// Why it was not made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

impl Check {
    fn of(name: &'static str, made: anyhow::Result<()>) -> Self {
        let advice = made.err().map(|error| Advice::of(&error));
        let (failure, fix) = advice.map(|Advice { what, fix }| (what, fix)).unzip();
        Self {
            name,
            failure,
            help: fix.flatten(),
            skipped: None,
        }
    }
}

/// Facts that a verification knows beforehand.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub publisher: Publisher<'a>,
    /// The version of the gateway that must answer.
    pub version: Option<&'a str>,
    /// How long a fresh deployment may take to answer as it must at all.
    pub patience: Duration,
}

/// Means of an authorised publish.
#[derive(Clone, Copy, Debug)]
pub enum Publisher<'a> {
    Secret(&'a Value),
    /// None, and why.
    Absent(&'a str),
}

/// The name of the check that needs the webhook secret.
const PUBLISH: &str = "an authorised publish is received";
/// Why it fails when the gateway knows another secret.
const OTHER_SECRET: &str = "the publish was answered with 403: the deployed secret is another one than the manifest's source gives";

impl Report {
    /// Whether no check failed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.failure.is_none())
    }

    /// Whether nothing failed but that the gateway knows another secret than the one that was used.
    pub fn only_the_secret_differs(&self) -> bool {
        let mut failed = self.checks.iter().filter(|check| check.failure.is_some());
        let is_it = |check: &Check| check.failure.as_deref() == Some(OTHER_SECRET);
        failed.next().is_some_and(is_it) && failed.next().is_none()
    }

    /// Adds a check that was made elsewhere.
    pub fn add(&mut self, name: &'static str, made: anyhow::Result<()>) {
        self.checks.push(Check::of(name, made));
    }

    async fn check<T>(
        &mut self,
        name: &'static str,
        made: impl Future<Output = anyhow::Result<T>>,
    ) -> Option<T> {
        let (value, made) = match made.await {
            Ok(value) => (Some(value), Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.add(name, made);
        value
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.host)?;
        for check in &self.checks {
            match (&check.failure, &check.skipped) {
                (Some(why), _) => write!(f, "\n  FAILED  {}: {why}", check.name)?,
                (None, Some(why)) => write!(f, "\n  skipped {}: {why}", check.name)?,
                (None, None) => write!(f, "\n  ok      {}", check.name)?,
            }
            if let Some(help) = &check.help {
                write!(f, "\n          help: {help}")?;
            }
        }
        match self.latency_ms {
            Some(latency) => write!(f, "\n  publish to receive: {latency:.1} ms"),
            None => Ok(()),
        }
    }
}

/// Runs every check against `site`.
pub async fn verify(site: &Site, environment: &Environment, expected: Expected<'_>) -> Report {
    // A room of its own: no client sees the test's message, and two verifications do not see each other's
    let token = room();
    let mut report = Report {
        host: environment.main_host().to_string(),
        checks: Vec::new(),
        latency_ms: None,
    };
    let healthy = health(site, expected.version, expected.patience);
    if report.check("health answers", healthy).await.is_none() {
        return report;
    }
    let connected = connect(site, environment, &token);
    let socket = report
        .check("an allowed origin gets a socket", connected)
        .await;
    match (socket, expected.publisher) {
        (None, _) => {}
        (Some(_), Publisher::Absent(why)) => report.checks.push(Check {
            skipped: Some(why.to_owned()),
            ..Check::of(PUBLISH, Ok(()))
        }),
        (Some(mut socket), Publisher::Secret(secret)) => {
            let received = own_message(site, environment, secret, &token, &mut socket);
            report.latency_ms = report.check(PUBLISH, received).await;
        }
    }
    let wrong = Value::generate();
    let refused = [
        (
            "a publish with a wrong secret is refused",
            Some(&wrong),
            403,
        ),
        ("a publish without a secret is refused", None, 401),
    ];
    for (name, secret, status) in refused {
        let refused = async {
            let answered = publish(site, environment, &token, secret, None).await?;
            ensure!(
                answered == status,
                "it was answered with {answered}, not with {status}"
            );
            Ok(())
        };
        report.check(name, refused).await;
    }
    // Where every page may connect there is no foreign one
    let mut origins = environment.gateway.allowed_origins.iter();
    if !origins.any(|origin| origin == "*") {
        let refused = refused_origin(site, &token);
        report.check("a foreign origin is refused", refused).await;
    }
    report
}

/// The token of a room that no client has, and that stores nothing.
pub(super) fn room() -> String {
    format!("{PROBE_PREFIX}-{:016x}", rand::random::<u64>())
}

/// A new route, certificate or version takes a while to reach every place, so the first answers may be errors, or another version's.
async fn health(site: &Site, version: Option<&str>, patience: Duration) -> anyhow::Result<()> {
    let until = Instant::now() + patience;
    loop {
        let failure = match site.get("/health").await {
            Ok((200, body)) => match answered_by(&body, version) {
                Ok(()) => return Ok(()),
                Err(error) => error.context(format!("`{}`", site.url("/health"))),
            },
            // Nothing leads to the edge: routes and Workers do not matter
            Ok((530, _)) => {
                let url = site.url("/health");
                let what = format!("`{url}` answered 530: no proxied DNS record leads there");
                Advice::new(what, "a zone route needs one for its host").into()
            }
            Ok((status, _)) => anyhow::anyhow!("`{}` answered {status}", site.url("/health")),
            Err(error) => error,
        };
        if Instant::now() >= until {
            return Err(failure);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn answered_by(health: &str, version: Option<&str>) -> anyhow::Result<()> {
    let Some(wanted) = version else { return Ok(()) };
    let health: Json = serde_json::from_str(health).context("the answer is no JSON")?;
    match health["version"].as_str() {
        Some(answered) if answered == wanted => Ok(()),
        Some(other) => bail!("the version `{other}` answers, not `{wanted}`"),
        None => bail!("the answer names no version, so it may not be `{wanted}` that answers"),
    }
}

async fn connect(
    site: &Site,
    environment: &Environment,
    token: &str,
) -> anyhow::Result<Box<Socket>> {
    let origin = environment
        .gateway
        .allowed_origins
        .first()
        .map(|origin| match origin.as_str() {
            "*" => format!("https://{}", environment.main_host()),
            origin => origin.replacen("*.", "verify.", 1),
        });
    let path = format!("/ws/{token}");
    let mut socket = match site.socket(&path, origin.as_deref()).await? {
        Handshake::Open(socket) => socket,
        Handshake::Refused(status) => bail!("the handshake was answered with {status}"),
    };
    let hello = next_frame(&mut socket)
        .await
        .context("waiting for the first frame")?;
    ensure!(
        hello["type"] == "connected" && hello["connectionId"].is_string(),
        "the first frame is not `connected` with a `connectionId`"
    );
    Ok(socket)
}

async fn own_message(
    site: &Site,
    environment: &Environment,
    secret: &Value,
    token: &str,
    socket: &mut Socket,
) -> anyhow::Result<f64> {
    let nonce = format!("{:016x}", rand::random::<u64>());
    let began = Instant::now();
    match publish(site, environment, token, Some(secret), Some(&nonce)).await? {
        200 => {}
        403 => bail!(OTHER_SECRET),
        status => bail!("the publish was answered with {status}"),
    }
    let frame = next_frame(socket)
        .await
        .context("waiting for the message")?;
    let latency = began.elapsed().as_secs_f64() * 1000.0;
    ensure!(
        frame["nonce"] == nonce,
        "another message than the published one arrived"
    );
    Ok(latency)
}

/// Publishes an update that no client takes for a real one, as the environment's publishers must: with a signature where one is
/// required, with the secret itself elsewhere. The status of the answer.
pub(super) async fn publish(
    site: &Site,
    environment: &Environment,
    token: &str,
    secret: Option<&Value>,
    nonce: Option<&str>,
) -> anyhow::Result<u16> {
    let mut update = json!({ "type": "EDGE_BROADCAST_VERIFY", "token": token });
    if let Some(nonce) = nonce {
        update["nonce"] = json!(nonce);
    }
    let body = update.to_string();
    let headers = match secret {
        None => Vec::new(),
        Some(secret) if environment.gateway.require_signature => {
            let id = format!("msg_{:016x}", rand::random::<u64>());
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .context("the clock is before 1970")?
                .as_secs();
            let signature = signature(secret.expose(), &id, now, body.as_bytes());
            vec![
                ("webhook-id", Zeroizing::new(id)),
                ("webhook-timestamp", Zeroizing::new(now.to_string())),
                ("webhook-signature", Zeroizing::new(signature)),
            ]
        }
        Some(secret) => vec![("authorization", secret.bearer())],
    };
    let path = format!("/broadcast/{token}");
    let (status, _) = site.post(&path, &headers, body).await?;
    Ok(status)
}

async fn refused_origin(site: &Site, token: &str) -> anyhow::Result<()> {
    let path = format!("/ws/{token}");
    match site.socket(&path, Some(FOREIGN_ORIGIN)).await? {
        Handshake::Refused(403) => Ok(()),
        Handshake::Refused(status) => bail!("it was answered with {status}, not with 403"),
        Handshake::Open(_) => bail!("it got a socket"),
    }
}
