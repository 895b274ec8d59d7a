//! The API as a run itself uses it: what is there, and deletions. The tool's own client is what is tested, so this one is apart.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Method, StatusCode};
use serde_json::Value as Json;

use super::credentials::Credentials;
use super::report::codes;

/// Tries of a call that was not answered, or asked to come back later.
const TRIES: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(60);
/// Pages of a list that are read at most.
const PAGES: u32 = 50;

/// An account, with the right to change it.
pub(crate) struct Account {
    http: reqwest::Client,
    base: String,
    credentials: Credentials,
}

/// An answer that was given, whatever it says.
pub(crate) struct Answer {
    status: StatusCode,
    body: Json,
}

impl Account {
    /// Behind the API at `base`, or what stands before it on this machine.
    pub(crate) fn new(base: &str, credentials: Credentials) -> anyhow::Result<Self> {
        let mut http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("edge-broadcast-live/", env!("CARGO_PKG_VERSION")));
        if base.starts_with("http://") {
            http = http.no_proxy();
        }
        Ok(Self {
            http: http.build().context("preparing the HTTP client")?,
            base: base.trim_end_matches('/').to_owned(),
            credentials,
        })
    }

    pub(crate) fn zone(&self) -> &str {
        &self.credentials.zone
    }

    /// The path of something of the account.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/accounts/{}/{rest}", self.credentials.account)
    }

    /// Whether something is there. That the token may not look is no answer.
    pub(crate) async fn has(&self, path: &str) -> anyhow::Result<bool> {
        let answer = self.call(Method::GET, path).await?;
        match answer.status {
            // A call that does not exist is answered with 404 too
            StatusCode::NOT_FOUND if !answer.is_unknown() => Ok(false),
            status if status.is_success() => Ok(true),
            _ => bail!("`GET {path}` was answered with {}", answer.said()),
        }
    }

    /// All items of a list, or what the API said instead; `path` may have a query.
    pub(crate) async fn list(&self, path: &str) -> anyhow::Result<Result<Vec<Json>, String>> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let mut all: Vec<Json> = Vec::new();
        for page in 1..=PAGES {
            // Not every list knows pages; the first one is what is asked without a word of them
            let paged = match page {
                1 => path.to_owned(),
                page => format!("{path}{mark}page={page}"),
            };
            let answer = self.call(Method::GET, &paged).await?;
            if !answer.status.is_success() {
                return Ok(Err(answer.said()));
            }
            let items = answer.body["result"].as_array();
            let items = items.cloned().unwrap_or_default();
            let is_empty = items.is_empty();
            all.extend(items);
            let info = &answer.body["result_info"];
            let is_last = match (info["total_pages"].as_u64(), info["total_count"].as_u64()) {
                (Some(pages), _) => u64::from(page) >= pages,
                (None, Some(count)) => all.len() as u64 >= count,
                (None, None) => true,
            };
            if is_empty || is_last {
                break;
            }
        }
        Ok(Ok(all))
    }

    /// Deletes one thing; that it is gone already is what was wanted.
    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<()> {
        let answer = self.call(Method::DELETE, path).await?;
        let is_gone = answer.status == StatusCode::NOT_FOUND && !answer.is_unknown();
        if !answer.status.is_success() && !is_gone {
            bail!("`DELETE {path}` was answered with {}", answer.said());
        }
        Ok(())
    }

    async fn call(&self, method: Method, path: &str) -> anyhow::Result<Answer> {
        let mut pause = Duration::from_millis(500);
        for left in (0..TRIES).rev() {
            let request = self
                .http
                .request(method.clone(), format!("{}{path}", self.base))
                .bearer_auth(self.credentials.token.expose());
            let answered = async {
                let answer = request.send().await?;
                let (status, after) = (answer.status(), retry_after(&answer));
                Ok::<_, reqwest::Error>((status, after, answer.bytes().await?))
            };
            match answered.await {
                Ok((status, after, body)) => {
                    let is_later =
                        status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
                    if !is_later || left == 0 {
                        let body = serde_json::from_slice(&body).unwrap_or_default();
                        return Ok(Answer { status, body });
                    }
                    pause = pause.max(after);
                }
                Err(error) if left == 0 => {
                    return Err(error).with_context(|| format!("`{method} {path}`"));
                }
                Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        bail!("`{method} {path}` was not answered")
    }
}

impl Answer {
    /// Whether the API does not know the call at all.
    fn is_unknown(&self) -> bool {
        codes(&self.body)
            .iter()
            .any(|code| code == "7000" || code == "7003")
    }

    /// Status and codes.
    fn said(&self) -> String {
        let codes = codes(&self.body);
        match codes.is_empty() {
            true => self.status.as_u16().to_string(),
            false => format!("{} (code {})", self.status.as_u16(), codes.join(", ")),
        }
    }
}

/// At most a minute: a longer pause is no use to somebody who waits for the end.
fn retry_after(answer: &reqwest::Response) -> Duration {
    let after = answer.headers().get("retry-after");
    let seconds = after.and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0)).min(Duration::from_secs(60))
}
