//! Proves that a deployed environment works: health, a message that arrives, and everything that must be refused.

use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use edge_broadcast_protocol::contract::token::PROBE_PREFIX;
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::json;

use crate::environment::Environment;
use crate::live::credential::Credential;
use crate::live::elsewhere::{self, Elsewhere};
use crate::live::site::{Handshake, Site, Socket, next_frame};
use crate::secret::Value;
use crate::terminal::advice::Advice;

/// No page of this origin exists: the name can never be registered (RFC 2606).
const FOREIGN_ORIGIN: &str = "https://edge-broadcast-verify.invalid";

/// What was found at every host of an environment.
#[derive(Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    main: Checked,
    /// Every other host, the regions' own too.
    hosts: Vec<Checked>,
}

/// The checks of one host in the order in which they were made.
#[derive(Debug, Serialize)]
struct Checked {
    host: String,
    checks: Vec<Check>,
    /// Milliseconds from sending the publish to receiving its own message; absent when it did not arrive.
    latency_ms: Option<f64>,
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
    /// Who answered instead of the gateway, where that is why it failed.
    #[serde(skip)]
    elsewhere: Option<Elsewhere>,
}

impl Check {
    fn of(name: &'static str, made: anyhow::Result<()>) -> Self {
        let error = made.as_ref().err();
        let elsewhere = error.and_then(|error| error.downcast_ref().cloned());
        let advice = made.err().map(|error| Advice::of(&error));
        let (failure, fix) = advice.map(|Advice { what, fix }| (what, fix)).unzip();
        Self {
            name,
            failure,
            help: fix.flatten(),
            skipped: None,
            elsewhere,
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
    fn failed(&self) -> impl Iterator<Item = &Check> {
        let hosts = std::iter::once(&self.main).chain(&self.hosts);
        let checks = hosts.flat_map(|checked| &checked.checks);
        checks.filter(|check| check.failure.is_some())
    }

    /// Whether no check failed.
    pub fn passed(&self) -> bool {
        self.failed().next().is_none()
    }

    /// Whether nothing failed but that the gateway knows another secret than the one that was used.
    pub fn only_the_secret_differs(&self) -> bool {
        let is_it = |check: &Check| check.failure.as_deref() == Some(OTHER_SECRET);
        !self.passed() && self.failed().all(is_it)
    }

    /// Whether all that failed did so because somebody else answered in the gateway's place: that says nothing of its code.
    pub(crate) fn only_others_answered(&self) -> bool {
        let is_other = |check: &Check| check.elsewhere.as_ref().is_some_and(Elsewhere::is_certain);
        !self.passed() && self.failed().all(is_other)
    }

    /// Says of answers whose giver is unknown which route of others took the request; `taken` tells it of a host and a path.
    pub(crate) fn attribute(&mut self, taken: impl Fn(&str, &str) -> Option<Advice>) {
        let hosts = std::iter::once(&mut self.main).chain(&mut self.hosts);
        for check in hosts.flat_map(|checked| &mut checked.checks) {
            let of_route = |elsewhere: &Elsewhere| elsewhere.of_route(&taken);
            if let Some(error) = check.elsewhere.as_ref().and_then(of_route) {
                *check = Check::of(check.name, Err(error));
            }
        }
    }

    /// Adds a check that was made elsewhere.
    pub fn add(&mut self, name: &'static str, made: anyhow::Result<()>) {
        self.main.checks.push(Check::of(name, made));
    }
}

impl Checked {
    fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            checks: Vec::new(),
            latency_ms: None,
        }
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
        self.checks.push(Check::of(name, made));
        value
    }

    /// That the environment's gateway answers, gives a socket, and brings a message to it. Whether it answers at all.
    async fn reach(
        &mut self,
        site: &Site,
        environment: &Environment,
        expected: Expected<'_>,
        token: &str,
    ) -> bool {
        let healthy = health(site, environment, expected.version, expected.patience);
        if self.check("health answers", healthy).await.is_none() {
            return false;
        }
        let connected = connect(site, environment, token);
        let socket = self
            .check("an allowed origin gets a socket", connected)
            .await;
        match (socket, expected.publisher) {
            (None, _) => {}
            (Some(_), Publisher::Absent(why)) => self.checks.push(Check {
                skipped: Some(why.to_owned()),
                ..Check::of(PUBLISH, Ok(()))
            }),
            (Some(mut socket), Publisher::Secret(secret)) => {
                let received = own_message(site, environment, secret, token, &mut socket);
                self.latency_ms = self.check(PUBLISH, received).await;
            }
        }
        true
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.main.fmt(f)?;
        self.hosts
            .iter()
            .try_for_each(|other| write!(f, "\n{other}"))
    }
}

impl fmt::Display for Checked {
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

/// Runs every check at the main host, which is `site`, and at the same time at every other one those that it could fail alone.
pub async fn verify(site: &Site, environment: &Environment, expected: Expected<'_>) -> Report {
    let main = environment.main_host();
    let hosts = environment.hosts.iter();
    let others = hosts.filter(|served| served.host != *main);
    let others = others.map(async |served| {
        let host = served.host.as_str();
        let mut checked = Checked::new(host);
        let there = site.at_host(host);
        checked.reach(&there, environment, expected, &room()).await;
        checked
    });
    let (mut report, hosts) =
        tokio::join!(verify_main(site, environment, expected), join_all(others));
    report.hosts = hosts;
    report
}

/// Runs every check at the main host, which is `site`.
pub(crate) async fn verify_main(
    site: &Site,
    environment: &Environment,
    expected: Expected<'_>,
) -> Report {
    // A room of its own: no client sees the test's message, and two verifications do not see each other's
    let token = room();
    let mut checked = Checked::new(environment.main_host().as_str());
    if checked.reach(site, environment, expected, &token).await {
        refusals(&mut checked, site, environment, &token).await;
    }
    Report {
        main: checked,
        hosts: Vec::new(),
    }
}

/// What must be refused.
async fn refusals(report: &mut Checked, site: &Site, environment: &Environment, token: &str) {
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
            let answered = publish(site, environment, token, secret, None).await?;
            ensure!(
                answered == status,
                "it was answered with {answered}, not with {status}"
            );
            Ok(())
        };
        report.check(name, refused).await;
    }
    if names_origins(environment) {
        let refused = refused_origin(site, token);
        report.check("a foreign origin is refused", refused).await;
    }
}

/// Whether there is a foreign origin: where every page may connect there is none.
fn names_origins(environment: &Environment) -> bool {
    let mut origins = environment.gateway.allowed_origins.iter();
    !origins.any(|origin| origin == "*")
}

/// Whether a page of a foreign origin is refused; `None` where there is none.
pub(crate) async fn foreign_origin(
    site: &Site,
    environment: &Environment,
) -> Option<anyhow::Result<()>> {
    match names_origins(environment) {
        true => Some(refused_origin(site, &room()).await),
        false => None,
    }
}

/// Publishes once into a room of its own, and waits for the message there; milliseconds from the one to the other.
pub(crate) async fn published(
    site: &Site,
    environment: &Environment,
    secret: &Value,
) -> anyhow::Result<f64> {
    let token = room();
    let mut socket = connect(site, environment, &token).await?;
    own_message(site, environment, secret, &token, &mut socket).await
}

/// Whether a publish failed because the gateway knows another secret.
pub(crate) fn is_other_secret(why: &str) -> bool {
    why == OTHER_SECRET
}

/// The token of a room that no client has, and that stores nothing.
pub(super) fn room() -> String {
    format!("{PROBE_PREFIX}-{:016x}", rand::random::<u64>())
}

/// A new route, certificate or version takes a while to reach every place, so the first answers may be errors, or another version's.
async fn health(
    site: &Site,
    environment: &Environment,
    version: Option<&str>,
    patience: Duration,
) -> anyhow::Result<()> {
    let until = Instant::now() + patience;
    let wanted = version.map(|version| [version]);
    loop {
        let asked = ask_health(site, environment, wanted.as_ref().map_or(&[], |one| one)).await;
        match asked {
            Ok(()) => return Ok(()),
            Err(error) if elsewhere::is_lasting(&error) || Instant::now() >= until => {
                return Err(error);
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }
}

/// Asks once whether the environment's gateway answers, with one of the versions; with any where none is named.
pub(crate) async fn ask_health(
    site: &Site,
    environment: &Environment,
    versions: &[&str],
) -> anyhow::Result<()> {
    let url = site.url("/health");
    let (status, body) = site.get("/health").await?;
    let answered = elsewhere::health(&url, environment, (status, &body))?;
    if versions.is_empty() {
        return Ok(());
    }
    elsewhere::is_version(answered.as_deref(), versions).with_context(|| format!("`{url}`"))
}

/// Asks each host of the environment once; why one does not answer as it must, by its host.
pub(crate) async fn ask_hosts(
    site: &Site,
    environment: &Environment,
    versions: &[&str],
) -> Vec<(String, anyhow::Result<()>)> {
    let hosts = environment.hosts.iter().map(async |served| {
        let there = site.at_host(served.host.as_str());
        let asked = async {
            ask_health(&there, environment, versions).await?;
            connect(&there, environment, &room()).await.map(drop)
        };
        (served.host.to_string(), asked.await)
    });
    join_all(hosts).await
}

/// The origin of a page that may connect; `None` where none may.
pub(crate) fn allowed_origin(environment: &Environment) -> Option<String> {
    let origins = &environment.gateway.allowed_origins;
    origins.first().map(|origin| match origin.as_str() {
        "*" => format!("https://{}", environment.main_host()),
        origin => origin.replacen("*.", "verify.", 1),
    })
}

pub(super) async fn connect(
    site: &Site,
    environment: &Environment,
    token: &str,
) -> anyhow::Result<Box<Socket>> {
    let origin = allowed_origin(environment);
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

pub(super) async fn own_message(
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
        Some(secret) => Credential::of(environment).headers(secret, &body)?,
    };
    let path = format!("/broadcast/{token}");
    let (status, answer) = site.post(&path, &headers, body).await?;
    if status != 200 {
        elsewhere::refusal(&site.url(&path), status, &answer)?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A host's route may lead to another version of the gateway, or to none of its sockets.
    #[tokio::test]
    async fn each_host_is_asked_for_its_version_and_then_for_a_socket() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let source = include_str!("../../environments/staging.toml");
        let name = "staging".parse().unwrap();
        let environment = Environment::resolve(&name, "staging.toml", source).unwrap();
        let server = axum::Router::new().route(
            "/health",
            axum::routing::get(async || r#"{"status":"ok","version":"old"}"#),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let via = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, server).await });
        let main = environment.main_host().as_str();
        let site = Site::new(main, Some(via)).unwrap();
        let asked = async |version| {
            let asked = ask_hosts(&site, &environment, &[version]).await;
            let told = asked.into_iter().map(|(host, answered)| {
                let what = Advice::of(&answered.unwrap_err()).what;
                (host, what.replace(&via.port().to_string(), "PORT"))
            });
            told.collect::<Vec<_>>()
        };
        let hosts = environment
            .hosts
            .iter()
            .map(|served| served.host.to_string());
        let hosts: Vec<String> = hosts.collect();
        let version = |host: &String| {
            let url = format!("http://{host}:PORT/health");
            let what = format!("`{url}`: the version `old` answers, not `new`");
            (host.clone(), what)
        };
        assert_eq!(
            asked("new").await,
            hosts.iter().map(version).collect::<Vec<_>>()
        );
        for ((asked, what), host) in asked("old").await.iter().zip(&hosts) {
            assert_eq!(asked, host);
            let socket = format!("`http://{host}:PORT/ws/");
            assert!(what.starts_with(&socket), "{what}");
        }
        server.abort();
    }
}
