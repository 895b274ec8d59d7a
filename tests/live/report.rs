//! The API's calls as they may be shown: one line a call, without anybody's values, and each shape once. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::redact::Redactor;
use super::shape;

/// Headers that tell how the API limits its callers, and what stood in the way.
const HEADERS: [&str; 4] = [
    "Ratelimit",
    "Ratelimit-Policy",
    "Retry-After",
    "Cf-Mitigated",
];

/// A call as it was on the wire.
pub(crate) struct Exchange {
    pub(crate) method: String,
    /// Below the API's base.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) sent: Sent,
    /// 0 when no answer came.
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// What a request carried.
pub(crate) enum Sent {
    Nothing,
    Json(Json),
    /// Multipart: names and types of the parts, and the one that is JSON.
    Parts {
        parts: Vec<(String, String)>,
        metadata: Json,
    },
    /// Something else: its content type.
    Other(String),
}

/// A line of the report; the keys are those of the recorded shapes (`m`, `p`, `status`, `headers`, `body`), with the query and what
/// was sent besides.
#[derive(Serialize)]
struct Line {
    m: String,
    p: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    q: String,
    status: u16,
    headers: BTreeMap<&'static str, String>,
    /// Null when the answer was not JSON.
    body: Json,
    #[serde(skip_serializing_if = "Json::is_null")]
    sent: Json,
}

/// A call that was refused, for the summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Method and path with stars, as `GET /accounts/*/workers/scripts/*`.
    pub(crate) call: String,
    pub(crate) status: u16,
    /// The envelope's codes, as they were written.
    pub(crate) codes: Vec<String>,
}

/// Everything that may be shown of a run's calls.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) redactor: Redactor,
    lines: Vec<String>,
    seen: BTreeSet<String>,
    calls: usize,
    refusals: Vec<Refusal>,
}

impl Report {
    /// Adds a call. Nothing of it is kept but its redacted form.
    pub(crate) fn add(&mut self, exchange: &Exchange) {
        self.calls += 1;
        let body: Json = serde_json::from_slice(&exchange.body).unwrap_or_default();
        let path = shape::of_path(&exchange.path);
        if exchange.status == 0 || exchange.status >= 400 {
            self.refusals.push(Refusal {
                call: format!("{} {path}", exchange.method),
                status: exchange.status,
                codes: codes(&body),
            });
        }
        let line = self.line(exchange, &body);
        let shape = format!(
            "{} {path} {} {} {}",
            line.m,
            line.status,
            shape::of_body(&line.body),
            shape::of_body(&line.sent)
        );
        if self.seen.insert(shape) {
            let line = serde_json::to_string(&line).expect("a line is plain data");
            self.lines.push(line);
        }
    }

    /// How many calls there were, of how many shapes.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.calls, self.lines.len())
    }

    /// The refused calls since the last time.
    pub(crate) fn take_refusals(&mut self) -> Vec<Refusal> {
        std::mem::take(&mut self.refusals)
    }

    /// JSON lines.
    pub(crate) fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn line(&mut self, exchange: &Exchange, body: &Json) -> Line {
        let redactor = &mut self.redactor;
        let p = redactor.path(&exchange.path);
        let q = redactor.query(exchange.query.iter().cloned());
        let sent = match &exchange.sent {
            Sent::Nothing => Json::Null,
            Sent::Json(body) => redactor.body(body),
            Sent::Parts { parts, metadata } => {
                let parts = parts
                    .iter()
                    .map(|(name, kind)| json!({ "module": name, "type": kind }));
                let parts = redactor.body(&parts.collect());
                json!({ "parts": parts, "metadata": redactor.body(metadata) })
            }
            Sent::Other(kind) => json!({ "type": media_type(kind) }),
        };
        let headers = HEADERS.iter().filter_map(|name| {
            let value = exchange.headers.get(&name.to_ascii_lowercase())?;
            let shown = if is_limit(value) {
                value.as_str()
            } else {
                "…"
            };
            Some((*name, shown.to_owned()))
        });
        let mut headers: BTreeMap<_, _> = headers.collect();
        if let Some(kind) = exchange.headers.get("content-type")
            && !kind.starts_with("application/json")
        {
            headers.insert("Content-Type", media_type(kind));
        }
        Line {
            m: exchange.method.clone(),
            p,
            q,
            status: exchange.status,
            headers,
            body: redactor.body(body),
            sent,
        }
    }
}

/// The codes of an envelope's errors.
pub(crate) fn codes(body: &Json) -> Vec<String> {
    let errors = body["errors"].as_array();
    errors.map_or(Vec::new(), |errors| {
        errors
            .iter()
            .map(|error| error["code"].to_string())
            .filter(|code| code.len() < 10)
            .collect()
    })
}

/// Without the boundary, which is random.
fn media_type(kind: &str) -> String {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let known = [
        "multipart/form-data",
        "text/html",
        "text/plain",
        "application/octet-stream",
    ];
    match known.contains(&kind) {
        true => kind.to_owned(),
        false => "…".to_owned(),
    }
}

/// Whether a header's value is numbers and names of limits: `"default";r=1199;t=1`, or seconds.
fn is_limit(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    let first = parts.next().unwrap_or_default();
    let is_number = |text: &str| text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    let name = first.trim_matches('"');
    let is_name = name.len() < 40 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    (is_number(first) || is_name)
        && parts.all(|part| {
            part.split_once('=')
                .is_some_and(|(key, value)| key.len() == 1 && is_number(value))
        })
}
