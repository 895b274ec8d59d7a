//! Proves from outside which values the gateway accepts: publishes through the real route, into a room that no client sees.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::future::try_join_all;

use crate::environment::Environment;
use crate::live::elsewhere;
use crate::live::site::Site;
use crate::live::verify::{publish, room};
use crate::secret::Value;
use crate::terminal::advice::Advice;

/// How long a change may take to reach the place that answers us.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for a sandbox, which is one place, on a machine that may be slow.
const PATIENCE_WITH_SANDBOX: Duration = Duration::from_secs(20);
/// How long a host that nobody has to publish to may be out of reach.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(10);
/// How long a new version may take to reach every place of the network, also those that no probe of ours meets.
const PROPAGATION: Duration = Duration::from_secs(30);
/// Answers in a row that make a proof: versions change over place by place, and one place may answer with both for a moment.
const PROOF: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);

/// What the gateway makes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepted,
    Refused,
}

/// The gateway goes on doing the contrary of what was to be proved.
#[derive(Debug)]
pub(crate) struct Disproved {
    host: String,
    wanted: Answer,
    after: Duration,
}

impl fmt::Display for Disproved {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let does = match self.wanted {
            Answer::Accepted => "refuses",
            Answer::Refused => "accepts",
        };
        let after = humantime::format_duration(self.after);
        write!(
            f,
            "the gateway at `{}` still {does} it after {after}",
            self.host
        )
    }
}

impl std::error::Error for Disproved {}

/// How long to wait until a new version serves everywhere.
pub(crate) fn propagation(site: &Site) -> Duration {
    match site.is_sandboxed() {
        true => Duration::ZERO,
        false => PROPAGATION,
    }
}

/// How long the wrong answer is borne with.
fn patience(site: &Site) -> Duration {
    match site.is_sandboxed() {
        true => PATIENCE_WITH_SANDBOX,
        false => PATIENCE,
    }
}

/// How long [`prove`] may take: the main host comes first, and then all others at once.
pub(crate) fn longest_proof(site: &Site, environment: &Environment) -> Duration {
    match environment.hosts.len() {
        0 | 1 => patience(site),
        _ => patience(site) * 2,
    }
}

/// Asks at the main host, again where the answer is neither and waiting may change it.
pub(crate) async fn ask(
    site: &Site,
    environment: &Environment,
    value: &Value,
) -> anyhow::Result<Answer> {
    let until = Instant::now() + patience(site);
    loop {
        match once(site, environment, value).await {
            Ok(answer) => return Ok(answer),
            Err(error) if elsewhere::is_lasting(&error) || Instant::now() > until => {
                return Err(error);
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Waits until the gateway answers `value` with `wanted` at the main host, which is `site`, and then at every other one, several
/// times in a row. Returns what is to be said of other hosts that nobody could ask. The error that disproves is a [`Disproved`].
pub(crate) async fn prove(
    site: &Site,
    environment: &Environment,
    value: &Value,
    wanted: Answer,
) -> anyhow::Result<Vec<String>> {
    let main = environment.main_host();
    let unanswered = patience(site);
    prove_at(site, main.as_str(), environment, value, wanted, unanswered).await?;
    let hosts = environment.hosts.iter();
    let others = hosts.filter(|served| served.host != *main);
    let others = others.map(async |served| {
        let host = served.host.as_str();
        let there = site.at_host(host);
        let unanswered = PATIENCE_WITH_OTHERS;
        match prove_at(&there, host, environment, value, wanted, unanswered).await {
            Err(error) if !error.is::<Disproved>() => Ok(Some(format!(
                "note: `{host}` could not be asked: {}",
                Advice::of(&error).line()
            ))),
            result => result.map(|()| None),
        }
    });
    let notes: Vec<Option<String>> = try_join_all(others).await?;
    Ok(notes.into_iter().flatten().collect())
}

/// `unanswered` is the patience with answers that are neither and may change, and with none.
async fn prove_at(
    site: &Site,
    host: &str,
    environment: &Environment,
    value: &Value,
    wanted: Answer,
    unanswered: Duration,
) -> anyhow::Result<()> {
    let after = patience(site);
    let began = Instant::now();
    let mut in_a_row = 0;
    loop {
        match once(site, environment, value).await {
            Ok(answer) if answer == wanted => in_a_row += 1,
            Ok(_) if began.elapsed() > after => bail!(Disproved {
                host: host.to_owned(),
                wanted,
                after,
            }),
            Err(error) if elsewhere::is_lasting(&error) || began.elapsed() > unanswered => {
                return Err(error);
            }
            Ok(_) | Err(_) => in_a_row = 0,
        }
        match in_a_row {
            PROOF => return Ok(()),
            0 => tokio::time::sleep(PAUSE).await,
            _ => {}
        }
    }
}

/// Publishes once.
pub(crate) async fn once(
    site: &Site,
    environment: &Environment,
    value: &Value,
) -> anyhow::Result<Answer> {
    match publish(site, environment, &room(), Some(value), None)
        .await
        .context("publishing as a sender would")?
    {
        200 => Ok(Answer::Accepted),
        403 => Ok(Answer::Refused),
        status => bail!("a publish was answered with {status}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::http::StatusCode;

    use super::*;

    #[tokio::test]
    async fn a_proof_at_more_than_one_host_may_take_twice_as_long() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let source = include_str!("../../environments/staging.toml");
        let more = "[[routes]]\nhost = \"more.glow.trade\"\n\n[room]";
        let via = Some("127.0.0.1:1".parse().unwrap());
        for (manifest, longest) in [
            (source.to_owned(), PATIENCE_WITH_SANDBOX),
            (source.replace("[room]", more), PATIENCE_WITH_SANDBOX * 2),
        ] {
            let name = "staging".parse().unwrap();
            let environment = Environment::resolve(&name, "staging.toml", &manifest).unwrap();
            let site = Site::new(environment.main_host().as_str(), via).unwrap();
            assert_eq!(longest_proof(&site, &environment), longest);
        }
    }

    /// A rotation waits for as long as a change may take to spread, and none makes Access or a challenge go away.
    #[tokio::test]
    async fn what_no_waiting_changes_is_asked_once() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let source = include_str!("../../environments/staging.toml");
        let name = "staging".parse().unwrap();
        let environment = Environment::resolve(&name, "staging.toml", source).unwrap();
        let main = environment.main_host().as_str();
        let login = "https://glow.cloudflareaccess.com/cdn-cgi/access/login/w.glow.trade";
        for (status, header, told) in [
            (StatusCode::FOUND, ("location", login), "Cloudflare Access"),
            (
                StatusCode::FORBIDDEN,
                ("cf-mitigated", "challenge"),
                "a challenge",
            ),
        ] {
            let asked = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&asked);
            let server = axum::Router::new().fallback(async move || {
                count.fetch_add(1, Ordering::SeqCst);
                (status, [header], "")
            });
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let via = listener.local_addr().unwrap();
            tokio::spawn(async move { axum::serve(listener, server).await });
            let site = Site::new(main, Some(via)).unwrap();
            let value = Value::generate();
            let answer = ask(&site, &environment, &value).await.unwrap_err();
            let proof = prove(&site, &environment, &value, Answer::Refused).await;
            for error in [answer, proof.unwrap_err()] {
                let line = Advice::of(&error).line();
                assert!(line.contains(told), "{line}");
            }
            assert_eq!(asked.load(Ordering::SeqCst), 2, "{told}");
        }
    }
}
