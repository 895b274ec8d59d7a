//! Answers at our hosts that are not the gateway's: of what stands before it, or of what is there instead.
//!
//! - Cloudflare Access: a redirect to `TEAM.cloudflareaccess.com/cdn-cgi/access/login/…` (what wrangler looks for too:
//!   `domainUsesAccess` of workers-sdk), or 401 or 403 with `WWW-Authenticate: Cloudflare-Access`, where an application answers so.
//! - A challenge: `cf-mitigated: challenge`, whatever its kind (docs: Challenges, "Detect a Challenge Page response").
//! - 530: Cloudflare found no way from the host to anything (docs: Support, "Error 530").
//! - A web page with a status below 500. From there on it may be what Cloudflare says of a Worker that throws (error 1101).

use std::fmt;

use anyhow::{Context, ensure};
use edge_broadcast_protocol::contract::binding::DEVELOPMENT;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value as Json;

use crate::environment::Environment;
use crate::http::redirect;
use crate::terminal::advice::Advice;
use crate::terminal::escape;

/// Who answered instead of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Cloudflare Access wants to know who asks.
    Access,
    /// A challenge, which only a browser passes.
    Challenge,
    /// Nothing leads from the host to the edge's Workers.
    NoRecord,
    /// Something redirects: the Workers never do.
    Redirect,
    /// The gateway of another environment.
    Environment,
    /// What is behind a route that goes before ours, which was seen in the zone.
    Route,
    /// Whatever it is, it does not speak as the gateway does. A gateway that is broken might.
    Unknown,
}

impl By {
    /// Whether the gateway cannot have sent the answer, whatever its code is.
    fn is_certain(self) -> bool {
        self != Self::Unknown
    }
}

/// An answer that is not the gateway's. It stands before an [`Advice`] that says whose it is and what to do.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere {
    url: String,
    status: u16,
    pub(crate) by: By,
}

impl Elsewhere {
    /// Whether the gateway cannot have sent it.
    pub(super) fn is_certain(&self) -> bool {
        self.by.is_certain()
    }

    /// The same answer, where it does not say whose it is and a route of others takes its address: that is who gave it. `None` where
    /// something else is known of it.
    pub(crate) fn of_route(
        &self,
        taken: impl FnOnce(&str, &str) -> Option<Advice>,
    ) -> Option<anyhow::Error> {
        if self.by != By::Unknown {
            return None;
        }
        let url: reqwest::Url = self.url.parse().ok()?;
        let advice = taken(url.host_str()?, url.path())?;
        Some(error(&self.url, self.status, By::Route, advice))
    }
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "`{}` answered {}", self.url, self.status)
    }
}

/// Whether an error is an answer that the gateway cannot have sent.
pub(crate) fn is_certain(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(Elsewhere::is_certain)
}

/// Whether an error is an answer that no waiting changes: nothing that spreads through the network is the cause.
pub(super) fn is_lasting(error: &anyhow::Error) -> bool {
    error
        .downcast_ref()
        .is_some_and(|elsewhere: &Elsewhere| matches!(elsewhere.by, By::Access | By::Challenge))
}

/// Stands before the failure of a check in which only others answered: it says nothing of the gateway's code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unproved;

impl fmt::Display for Unproved {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("it was not the gateway that answered, which says nothing of its code")
    }
}

fn error(url: &str, status: u16, by: By, advice: Advice) -> anyhow::Error {
    let url = url.to_owned();
    anyhow::Error::new(advice).context(Elsewhere { url, status, by })
}

/// Refuses an answer that its status and headers show to be another's.
pub(super) fn by_headers(url: &str, status: StatusCode, headers: &HeaderMap) -> anyhow::Result<()> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let refuse = |by, advice| Err(error(url, status.as_u16(), by, advice));
    let login = text("location").unwrap_or_default();
    let wanted = text("www-authenticate").unwrap_or_default();
    let is_login = login.contains(".cloudflareaccess.com/") || login.contains("/cdn-cgi/access/");
    if (status.is_redirection() && is_login) || wanted.starts_with("Cloudflare-Access") {
        return refuse(By::Access, access());
    }
    if text("cf-mitigated") == Some("challenge") {
        let advice = Advice::new(
            "a challenge of Cloudflare's, which only a browser passes",
            "let the host's requests skip it with a WAF custom rule, for example those with a header of `[verify.headers]` (`docs/manifest.md`)",
        );
        return refuse(By::Challenge, advice);
    }
    if status.as_u16() == 530 {
        let advice = Advice::new(
            "no proxied DNS record leads there",
            "a zone route needs one for its host",
        );
        return refuse(By::NoRecord, advice);
    }
    if status.is_redirection() {
        let to = redirect::target(url, headers.get("location"));
        let advice = Advice::new(
            format!(
                "a redirect to {to}, which is not followed, because what is sent may be a secret"
            ),
            "look at the zone's redirect rules and at what else answers for this host",
        );
        return refuse(By::Redirect, advice);
    }
    Ok(())
}

/// Refuses a page: the gateway speaks JSON.
pub(super) fn by_body(url: &str, status: StatusCode, body: &[u8]) -> anyhow::Result<()> {
    let is_page = body.trim_ascii_start().starts_with(b"<");
    if !is_page || status.is_server_error() {
        return Ok(());
    }
    let page = String::from_utf8_lossy(body);
    let (by, advice) = match page.contains("cloudflareaccess.com") {
        true => (By::Access, access()),
        false => (
            By::Unknown,
            unknown("a web page, which is not the gateway's"),
        ),
    };
    Err(error(url, status.as_u16(), by, advice))
}

fn access() -> Advice {
    Advice::new(
        "Cloudflare Access stands before it and does not let this in",
        "give the verification a service token in `[verify.headers]` (`docs/manifest.md`), and the application a policy `Service Auth` that takes it",
    )
}

fn unknown(what: &str) -> Advice {
    Advice::new(
        what,
        "look at which route, Worker, page rule or origin answers for this host",
    )
}

/// Refuses a refusal that is not the gateway's, which says why as `{"error":{"code":…}}`. One from 500 on may be what Cloudflare says of
/// a Worker that throws.
pub(super) fn refusal(url: &str, status: u16, body: &str) -> anyhow::Result<()> {
    let json: Json = serde_json::from_str(body).unwrap_or_default();
    if status >= 500 || json["error"]["code"].is_string() {
        return Ok(());
    }
    let advice = unknown("it is not the gateway's answer");
    Err(error(url, status, By::Unknown, advice))
}

/// The version that an answer to `GET /health` names, where it is the environment's gateway that gave it.
pub(crate) fn health(
    url: &str,
    environment: &Environment,
    (status, body): (u16, &str),
) -> anyhow::Result<Option<String>> {
    let body: Json = serde_json::from_str(body).unwrap_or_default();
    let is_refusal = body["error"]["code"].is_string();
    ensure!(
        !is_refusal && status < 500,
        "`{url}` answered {status}{}",
        body["error"]["message"]
            .as_str()
            .map_or(String::new(), |message| {
                format!(": {}", escape::line(message))
            })
    );
    if status != 200 || !body["status"].is_string() {
        let advice = unknown("it is not the gateway's answer");
        return Err(error(url, status, By::Unknown, advice));
    }
    // Of `worker.debug` what is live may be older than the manifest
    if let Some(label) = body["environment"].as_str()
        && ![environment.name.as_str(), DEVELOPMENT].contains(&label)
    {
        let advice = unknown(&format!(
            "the gateway of `{}`, not of `{}`",
            escape::line(label),
            environment.name
        ));
        return Err(error(url, status, By::Environment, advice));
    }
    Ok(body["version"]
        .as_str()
        .map(escape::line)
        .map(|version| version.to_string()))
}

/// Refuses a version that is none of `wanted`.
pub(crate) fn is_version(answered: Option<&str>, wanted: &[&str]) -> anyhow::Result<()> {
    let shown = wanted.join("` or `");
    let answered = answered.with_context(|| {
        format!("the answer names no version, so it may not be `{shown}` that answers")
    })?;
    ensure!(
        wanted.contains(&answered),
        "the version `{answered}` answers, not `{shown}`"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        const MANIFEST: &str = "[worker]\nname = \"w\"\ncompatibility_date = \"2026-10-01\"\n[cloudflare]\nzone = \"glow.trade\"\n[[routes]]\nhost = \"w.glow.trade\"\n[secrets.WEBHOOK_SECRET]\nsource = \"env:X\"\n";
        Environment::resolve(&"e".parse().unwrap(), "e.toml", MANIFEST).unwrap()
    }

    #[test]
    fn the_gateway_of_another_environment_is_known_whether_this_ones_logs_for_debugging_or_not() {
        let answered = |label: &str| {
            let body = format!(r#"{{"status":"ok","environment":"{label}","version":"v1"}}"#);
            let answer = health("https://w.glow.trade/health", &environment(), (200, &body));
            answer.map_err(|error| error.downcast_ref::<Elsewhere>().unwrap().by)
        };
        assert_eq!(answered("e").unwrap().as_deref(), Some("v1"));
        // `worker.debug` was taken out of the manifest, or put in, and that is not deployed yet
        assert_eq!(answered(DEVELOPMENT).unwrap().as_deref(), Some("v1"));
        assert_eq!(answered("production"), Err(By::Environment));
    }

    /// Who it is that answers so, if it is certainly another.
    fn by(status: u16, headers: &[(&'static str, &str)], body: &str) -> Option<By> {
        let headers = headers
            .iter()
            .map(|(name, text)| (name.parse().unwrap(), text.parse().unwrap()));
        let status = StatusCode::from_u16(status).unwrap();
        let url = "https://w.glow.trade/health";
        let headers: HeaderMap = headers.collect();
        let refused =
            by_headers(url, status, &headers).and_then(|()| by_body(url, status, body.as_bytes()));
        let error = refused.err()?;
        // The way out is there too, below
        assert!(Advice::of(&error).fix.is_some());
        Some(error.downcast_ref::<Elsewhere>().unwrap().by)
    }

    #[test]
    fn who_stands_before_the_gateway_is_known_by_what_cloudflare_documents() {
        let login = "https://glow.cloudflareaccess.com/cdn-cgi/access/login/w.glow.trade?kid=1&redirect_url=%2Fhealth";
        assert_eq!(by(302, &[("location", login)], ""), Some(By::Access));
        let wanted = "Cloudflare-Access resource_metadata=\"https://w.glow.trade/.well-known/cloudflare-access-protected-resource/\"";
        assert_eq!(
            by(401, &[("www-authenticate", wanted)], ""),
            Some(By::Access)
        );
        assert_eq!(
            by(403, &[("www-authenticate", wanted)], ""),
            Some(By::Access)
        );
        let page = "<!DOCTYPE html><a href=\"https://glow.cloudflareaccess.com/\">Forbidden</a>";
        assert_eq!(by(403, &[], page), Some(By::Access));
        let challenge = [("cf-mitigated", "challenge")];
        assert_eq!(by(403, &challenge, "<html>"), Some(By::Challenge));
        assert_eq!(by(530, &[], "error code: 1016"), Some(By::NoRecord));
        let other = [("location", "https://www.glow.trade/")];
        assert_eq!(by(301, &other, ""), Some(By::Redirect));
        assert_eq!(by(404, &[], "\n<html>"), Some(By::Unknown));
    }

    #[test]
    fn what_the_gateway_or_its_failure_answers_is_nobody_elses() {
        assert_eq!(by(200, &[], "{\"status\":\"ok\"}"), None);
        assert_eq!(
            by(403, &[], "{\"error\":{\"code\":\"wrong_credentials\"}}"),
            None
        );
        // A Worker that throws, and one that takes too long
        assert_eq!(by(500, &[], "<title>Worker threw exception</title>"), None);
        assert_eq!(
            by(503, &[], "<title>Worker exceeded resource limits</title>"),
            None
        );
        let basic = [("www-authenticate", "Bearer")];
        assert_eq!(by(401, &basic, "{}"), None);
    }

    #[test]
    fn a_refusal_is_the_gateways_by_its_code() {
        let by = |status, body| {
            let refused = refusal("https://w.glow.trade/ws/SOL", status, body);
            let error = refused.err()?;
            Some(error.downcast_ref::<Elsewhere>().unwrap().by)
        };
        assert_eq!(by(403, "{\"error\":{\"code\":\"wrong_origin\"}}"), None);
        assert_eq!(by(503, "error code: 1102"), None);
        for (status, body) in [(200, "hello"), (404, "{\"error\":\"no\"}"), (403, "")] {
            assert_eq!(by(status, body), Some(By::Unknown), "{status} {body}");
        }
    }

    #[test]
    fn a_route_that_takes_an_address_gave_the_answer_that_nobody_else_is_known_to_have_given() {
        let at = |by| {
            let url = "http://w.glow.trade:8787/health".to_owned();
            Elsewhere {
                url,
                status: 200,
                by,
            }
        };
        let taken = |host: &str, path: &str| {
            let takes = (host, path) == ("w.glow.trade", "/health");
            takes.then(|| Advice::new("the route `*` takes it", "remove it"))
        };
        let error = at(By::Unknown).of_route(taken).unwrap();
        assert!(is_certain(&error) && !is_lasting(&error));
        assert_eq!(
            Advice::of(&error).line(),
            "`http://w.glow.trade:8787/health` answered 200: the route `*` takes it; remove it"
        );
        assert!(at(By::Access).of_route(taken).is_none());
        assert!(at(By::Unknown).of_route(|_, _| None).is_none());
    }
}
