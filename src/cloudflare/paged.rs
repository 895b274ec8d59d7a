//! For tests: an account whose scripts have a long history, behind a server that chooses how it pages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value as Json, json};

use super::Cloudflare;
use crate::environment::Environment;
use crate::secret::Value;

/// How a server pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paging {
    /// Whatever is asked for; without it what is asked for, ten by default and a hundred at most, as Cloudflare.
    pub(crate) size: Option<usize>,
    pub(crate) tells: Tells,
}

/// What a server tells about a list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tells {
    Everything,
    /// As recorded of versions.
    TotalCount,
    Nothing,
}

impl Paging {
    /// As the live API.
    pub(crate) const LIVE: Self = Self {
        size: None,
        tells: Tells::TotalCount,
    };
}

/// An environment that the account's scripts may be of.
pub(crate) fn environment() -> Environment {
    const MANIFEST: &str = "[worker]\nname = \"w\"\ncompatibility_date = \"2026-10-01\"\n[cloudflare]\nzone = \"glow.trade\"\n[[routes]]\nhost = \"w.glow.trade\"\n[secrets.WEBHOOK_SECRET]\nsource = \"env:X\"\n";
    Environment::resolve(&"e".parse().unwrap(), "e.toml", MANIFEST).unwrap()
}

/// A version of a script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    pub(crate) tag: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) secrets: BTreeSet<String>,
}

/// What became of a script, the oldest first. The n-th event of an account happens in its n-th minute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    versions: Vec<(u64, Made)>,
    deployments: Vec<(u64, Vec<(String, f64)>)>,
}

impl Story {
    /// Each minute a version is deployed. `A` is in all of them, `B` came in the 1234th minute, or never in a short history.
    pub(crate) fn of_two_secrets(count: u64) -> Self {
        let mut story = Self::default();
        for minute in 0..count {
            let mut made = Made::default();
            made.secrets.insert("A".to_owned());
            if minute >= 1234 {
                made.secrets.insert("B".to_owned());
            }
            let id = story.make(minute, made);
            story.deploy(minute, &[(&id, 100.0)]);
        }
        story
    }

    /// A new version, which gets no traffic.
    pub(crate) fn make(&mut self, minute: u64, made: Made) -> String {
        self.versions.push((minute, made));
        id(minute)
    }

    pub(crate) fn deploy(&mut self, minute: u64, shares: &[(&str, f64)]) {
        let shares = shares.iter().map(|(id, share)| ((*id).to_owned(), *share));
        self.deployments.push((minute, shares.collect()));
    }
}

/// The id of the version that was made in a minute.
pub(crate) fn id(minute: u64) -> String {
    format!("00000000-0000-4000-8000-{minute:012}")
}

/// When that minute was.
pub(crate) fn instant(minute: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_780_000_000 + 60 * minute)
}

fn time(minute: u64) -> String {
    humantime::format_rfc3339(instant(minute)).to_string()
}

/// A server with scripts by name.
pub(crate) struct Account {
    pub(crate) cloudflare: Cloudflare,
    base: String,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Account {
    pub(crate) async fn start(scripts: BTreeMap<String, Story>, paging: Paging) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let got = Arc::clone(&calls);
        let scripts = Arc::new(Mutex::new(scripts));
        let base = listening(move |method: &Method, uri: &Uri, body: &[u8]| {
            let path = uri.path().trim_start_matches("/accounts/acc0/");
            got.lock().unwrap().push(format!("{method} {path}"));
            let mut scripts = scripts.lock().unwrap();
            answer(&mut scripts, paging, method, uri, body)
        })
        .await;
        Self {
            cloudflare: account(&base),
            base,
            calls,
        }
    }

    /// The account as another process finds it, which has read nothing yet.
    pub(crate) fn anew(&self) -> Cloudflare {
        account(&self.base)
    }

    /// The calls since the last time.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

/// An account behind a server that answers GETs with `answer`.
pub(crate) async fn served(
    answer: impl Fn(Uri) -> Response + Clone + Send + Sync + 'static,
) -> Cloudflare {
    answering(move |_: &Method, uri: &Uri, _: &[u8]| answer(uri.clone())).await
}

/// An account behind a server that answers with `answer`.
pub(crate) async fn answering(
    answer: impl Fn(&Method, &Uri, &[u8]) -> Response + Clone + Send + Sync + 'static,
) -> Cloudflare {
    account(&listening(answer).await)
}

/// The address of a server that answers with `answer`.
async fn listening(
    answer: impl Fn(&Method, &Uri, &[u8]) -> Response + Clone + Send + Sync + 'static,
) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = axum::Router::new()
        .fallback(async move |method: Method, uri: Uri, body: Bytes| answer(&method, &uri, &body));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, server).await });
    base
}

/// An account at `base` of a user of its own: a port is soon another test's, and who was refused at an address stays refused there.
pub(crate) fn account(base: &str) -> Cloudflare {
    static USERS: AtomicUsize = AtomicUsize::new(0);
    let user = USERS.fetch_add(1, Ordering::Relaxed);
    Cloudflare::new(base, "acc0".to_owned(), Value::new(format!("token{user}"))).unwrap()
}

fn answer(
    scripts: &mut BTreeMap<String, Story>,
    paging: Paging,
    method: &Method,
    uri: &Uri,
    body: &[u8],
) -> Response {
    let path: Vec<&str> = uri.path().split('/').skip(1).collect();
    let list = |items: Vec<Json>| paging.page(uri, &items, Json::clone, None);
    match path.as_slice() {
        ["zones"] => list(vec![json!({ "id": "zone0", "name": "glow.trade" })]),
        ["zones", _, "dns_records"] => list(vec![
            json!({ "id": "record0", "name": "w.glow.trade", "type": "AAAA", "content": "100::", "proxied": true }),
        ]),
        ["zones", _, "workers", "routes"] | [_, _, "workers", "domains"] => list(Vec::new()),
        [_, _, "workers", "durable_objects", "namespaces"] => list(Vec::new()),
        [_, _, "workers", "scripts"] => {
            list(scripts.keys().map(|id| json!({ "id": id })).collect())
        }
        // None has code of ours
        [_, _, "workers", "workers", _, "versions", id] => {
            success(&json!({ "id": id, "modules": [] }), &Json::Null)
        }
        [_, _, "workers", "scripts", script, rest @ ..] => {
            let Some(story) = scripts.get_mut(*script) else {
                return refused(10007, "This Worker does not exist on your account.");
            };
            match (method.as_str(), rest) {
                ("GET", ["versions"]) => paging.page(uri, &story.versions, summary, Some("items")),
                ("GET", ["deployments"]) => {
                    paging.page(uri, &story.deployments, deployed, Some("deployments"))
                }
                ("GET", ["versions", id]) => match story.version(id) {
                    Some(version) => success(&version, &Json::Null),
                    None => refused(100_146, "Version not found."),
                },
                ("PATCH", ["secrets-bulk"]) => {
                    story.change_secrets(&serde_json::from_slice(body).unwrap());
                    success(&json!({}), &Json::Null)
                }
                ("GET", ["script-settings" | "subdomain"]) => success(&json!({}), &Json::Null),
                _ => refused(7000, "No route for that URI"),
            }
        }
        _ => refused(7000, "No route for that URI"),
    }
}

fn success(result: &Json, info: &Json) -> Response {
    axum::Json(json!({ "success": true, "errors": null, "messages": null, "result": result, "result_info": info }))
        .into_response()
}

fn refused(code: u32, message: &str) -> Response {
    let envelope = json!({ "success": false, "errors": [{ "code": code, "message": message }] });
    (StatusCode::NOT_FOUND, axum::Json(envelope)).into_response()
}

impl Paging {
    /// The page that `uri` asks for of `items`, the last first, in the member `list` of the result or as the result.
    fn page<T>(
        self,
        uri: &Uri,
        items: &[T],
        shown: impl Fn(&T) -> Json,
        list: Option<&str>,
    ) -> Response {
        let asked = |name: &str| {
            let query = uri.query().unwrap_or_default();
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let (_, value) = pairs.find(|(key, _)| *key == name)?;
            value.parse::<usize>().ok()
        };
        let size = self
            .size
            .unwrap_or_else(|| asked("per_page").unwrap_or(10).min(100));
        let page = asked("page").unwrap_or(1);
        let part = items.iter().rev().skip((page - 1) * size).take(size);
        let part: Vec<Json> = part.map(shown).collect();
        let mut info = json!({ "page": page, "per_page": size, "count": part.len(), "total_count": items.len() });
        match self.tells {
            Tells::Everything => info["total_pages"] = json!(items.len().div_ceil(size)),
            Tells::TotalCount => {}
            Tells::Nothing => info = Json::Null,
        }
        match list {
            Some(list) => success(&json!({ list: part }), &info),
            None => success(&json!(part), &info),
        }
    }
}

impl Story {
    fn version(&self, wanted: &str) -> Option<Json> {
        let version = self
            .versions
            .iter()
            .find(|(minute, _)| id(*minute) == wanted)?;
        let (_, made) = version;
        let mut version = summary(version);
        let secrets = made
            .secrets
            .iter()
            .map(|name| json!({ "type": "secret_text", "name": name }));
        version["resources"] =
            json!({ "bindings": secrets.collect::<Vec<_>>(), "script": { "etag": "e" } });
        Some(version)
    }

    /// As Cloudflare: one version with the changes, and a deployment of it.
    fn change_secrets(&mut self, patch: &Json) {
        let (newest, made) = self.versions.last().unwrap();
        let (minute, mut made) = (newest + 1, made.clone());
        for (name, value) in patch["secrets"].as_object().unwrap() {
            match value {
                Json::Null => drop(made.secrets.remove(name)),
                _ => drop(made.secrets.insert(name.clone())),
            }
        }
        let id = self.make(minute, made);
        self.deploy(minute, &[(&id, 100.0)]);
    }
}

fn deployed((minute, shares): &(u64, Vec<(String, f64)>)) -> Json {
    let shares = shares
        .iter()
        .map(|(id, share)| json!({ "version_id": id, "percentage": share }));
    json!({ "id": id(*minute), "created_on": time(*minute), "versions": shares.collect::<Vec<_>>() })
}

fn summary((minute, made): &(u64, Made)) -> Json {
    json!({
        "id": id(*minute),
        "metadata": { "created_on": time(*minute) },
        "annotations": { "workers/tag": made.tag, "workers/message": made.message },
    })
}

/// Pagings of every kind, those of servers that say nothing with pages as long as any that Cloudflare has.
pub(crate) fn pagings() -> Vec<Paging> {
    let mut pagings = vec![Paging::LIVE];
    for size in [1, 3, 10, 64, 100] {
        for tells in [Tells::Everything, Tells::TotalCount, Tells::Nothing] {
            if size >= 10 || !matches!(tells, Tells::Nothing) {
                let size = Some(size);
                pagings.push(Paging { size, tells });
            }
        }
    }
    pagings
}
