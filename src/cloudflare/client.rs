//! One request to the API: address, token, envelope, repeats.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::error::{ApiError, Entry};
use crate::environment::Environment;
use crate::secret::Value;

/// The API's own address; `CLOUDFLARE_API_BASE_URL` replaces it, as it does for wrangler.
pub const BASE: &str = "https://api.cloudflare.com/client/v4";

/// Longer than any call of a deployment takes. `EDGE_BROADCAST_API_TIMEOUT` replaces it.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Further tries of a call that may be repeated.
const REPEATS: usize = 4;
/// The longest pause that a `retry-after` header is obeyed for; above it the call fails and says so.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// An account behind the API.
#[derive(Clone, Debug)]
pub struct Cloudflare {
    http: reqwest::Client,
    base: String,
    account: String,
    token: Value,
    timeout: Duration,
}

/// Whether a call may be sent again when its answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// A second time changes nothing more.
    Safe,
    /// A second time might do it twice.
    Never,
}

/// The envelope around every answer (docs: Cloudflare API, "Making API calls").
#[derive(Deserialize)]
struct Envelope {
    success: bool,
    #[serde(default)]
    errors: Vec<Entry>,
    #[serde(default)]
    result: Json,
    #[serde(default)]
    result_info: Option<ResultInfo>,
}

#[derive(Deserialize)]
struct ResultInfo {
    #[serde(default)]
    total_pages: Option<u32>,
}

impl Cloudflare {
    /// The account of `environment`, from the manifest and the three environment variables that wrangler reads too.
    pub fn from_env(environment: &Environment) -> anyhow::Result<Self> {
        let token = variable("CLOUDFLARE_API_TOKEN").context(
            "there is no API token: set `CLOUDFLARE_API_TOKEN` (dashboard: My Profile, API Tokens), or rehearse with `--sandbox`",
        )?;
        let manifest = environment.account_id.as_ref().map(ToString::to_string);
        let account = match (manifest, variable("CLOUDFLARE_ACCOUNT_ID")) {
            // The manifest's account is what was reviewed: a shell that is set up for another one must not win silently.
            (Some(manifest), Some(shell)) if manifest != shell => bail!(
                "the manifest of `{}` names the account `{manifest}`, but `CLOUDFLARE_ACCOUNT_ID` is `{shell}`; unset the variable or correct the manifest",
                environment.name
            ),
            (Some(account), _) => account,
            (None, Some(shell)) => {
                let checked: Result<crate::name::AccountId, String> = shell.parse();
                match checked {
                    Ok(account) => account.to_string(),
                    // Any id is good for a server that is not Cloudflare's
                    Err(_) if variable("CLOUDFLARE_API_BASE_URL").is_some() && plain(&shell) => {
                        shell
                    }
                    Err(error) => bail!("`CLOUDFLARE_ACCOUNT_ID`: {}", error.replace('\n', "; ")),
                }
            }
            (None, None) => bail!(
                "there is no account id for `{}`: set `CLOUDFLARE_ACCOUNT_ID`, or `account_id` under `[cloudflare]` in the manifest",
                environment.name
            ),
        };
        let base = variable("CLOUDFLARE_API_BASE_URL").unwrap_or_else(|| BASE.to_owned());
        let cloudflare = Self::new(&base, account, Value::new(token))?;
        match variable("EDGE_BROADCAST_API_TIMEOUT") {
            None => Ok(cloudflare),
            Some(text) => {
                let timeout = humantime::parse_duration(&text).map_err(|error| {
                    anyhow::anyhow!("`EDGE_BROADCAST_API_TIMEOUT` is `{text}`, which is no span of time like `60s`: {error}")
                })?;
                Ok(cloudflare.patient_for(timeout))
            }
        }
    }

    /// The account `account` at the API address `base`.
    pub fn new(base: &str, account: String, token: Value) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("edge-broadcast/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("preparing the HTTP client")?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            account,
            token,
            timeout: TIMEOUT,
        })
    }

    /// The same account, which gets `timeout` to answer each call.
    pub fn patient_for(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The account id.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Whether requests go somewhere else than to Cloudflare.
    pub fn is_elsewhere(&self) -> bool {
        self.base != BASE
    }

    /// The path of something of this account.
    pub(super) fn of_account(&self, rest: &str) -> String {
        format!("/accounts/{}/{rest}", self.account)
    }

    /// GETs one thing; `None` when it does not exist.
    pub(super) async fn find<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Option<T>> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.downcast_ref().is_some_and(ApiError::is_absent) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// GETs one thing.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let (result, _) = self
            .call(Method::GET, path, Repeat::Safe, |request| request)
            .await?;
        decode(path, result)
    }

    /// GETs a list, all its pages. `path` must already have a query.
    pub(super) async fn list<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Vec<T>> {
        let mut all = Vec::new();
        for page in 1.. {
            let paged = format!("{path}&page={page}");
            let (result, info) = self
                .call(Method::GET, &paged, Repeat::Safe, |request| request)
                .await?;
            let items: Vec<T> = decode(path, result)?;
            let last = items.is_empty();
            all.extend(items);
            let pages = info.and_then(|info| info.total_pages).unwrap_or(1);
            if last || page >= pages {
                break;
            }
        }
        Ok(all)
    }

    /// GETs something that is not in an envelope.
    pub(super) async fn raw(&self, path: &str) -> anyhow::Result<Response> {
        let response = self
            .request(Method::GET, path)
            .send()
            .await
            .map_err(|error| self.lost(&Method::GET, path, &error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.text().await.unwrap_or_default();
        Err(self.refused(&Method::GET, path, status, &body).into())
    }

    /// Sends a JSON body and reads the result.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        repeat: Repeat,
        body: &Json,
    ) -> anyhow::Result<T> {
        let (result, _) = self
            .call(method, path, repeat, |request| request.json(body))
            .await?;
        decode(path, result)
    }

    /// Sends whatever `fill` puts into the request, again when that is safe, and opens the envelope.
    pub(super) async fn call_filled<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        repeat: Repeat,
        fill: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> anyhow::Result<T> {
        let (result, _) = self.call(method, path, repeat, fill).await?;
        decode(path, result)
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        repeat: Repeat,
        fill: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> anyhow::Result<(Json, Option<ResultInfo>)> {
        let mut left = REPEATS;
        let mut pause = Duration::from_millis(200);
        loop {
            let (error, wait) = match fill(self.request(method.clone(), path)).send().await {
                Ok(response) => match self.open(&method, path, response).await {
                    Ok(opened) => return Ok(opened),
                    Err(failed) => failed,
                },
                Err(error) => (self.lost(&method, path, &error), Some(Duration::ZERO)),
            };
            // 429 means that nothing was done, whatever the call was
            let allowed = repeat == Repeat::Safe || error.status == 429;
            match wait.filter(|wait| allowed && left > 0 && *wait <= LONGEST_PAUSE) {
                Some(wait) => tokio::time::sleep(wait.max(pause)).await,
                None => return Err(error.into()),
            }
            left -= 1;
            pause *= 2;
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .timeout(self.timeout)
            .bearer_auth(self.token.expose())
    }

    /// Opens the envelope; a failure comes with how long to wait before it may be tried again, if ever.
    async fn open(
        &self,
        method: &Method,
        path: &str,
        response: Response,
    ) -> Result<(Json, Option<ResultInfo>), (ApiError, Option<Duration>)> {
        let status = response.status();
        let after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let again = match status {
            StatusCode::TOO_MANY_REQUESTS => Some(after.unwrap_or(Duration::from_secs(1))),
            status if status.is_server_error() => Some(after.unwrap_or_default()),
            _ => None,
        };
        let body = match response.text().await {
            Ok(body) => body,
            Err(error) => return Err((self.lost(method, path, &error), Some(Duration::ZERO))),
        };
        if status == StatusCode::NO_CONTENT {
            return Ok((Json::Null, None));
        }
        match serde_json::from_str::<Envelope>(&body) {
            Ok(envelope) if envelope.success && status.is_success() => {
                Ok((envelope.result, envelope.result_info))
            }
            _ => Err((self.refused(method, path, status, &body), again)),
        }
    }

    fn refused(&self, method: &Method, path: &str, status: StatusCode, body: &str) -> ApiError {
        let entries = serde_json::from_str::<Envelope>(body)
            .map(|envelope| envelope.errors)
            .unwrap_or_default();
        ApiError {
            method: method.to_string(),
            path: path.to_owned(),
            account: self.account.clone(),
            status: status.as_u16(),
            entries,
            detail: if body.trim_start().starts_with('<') {
                "a web page instead of the API's answer: a proxy or firewall on the way answered"
                    .to_owned()
            } else {
                "an answer that is not the API's".to_owned()
            },
        }
    }

    fn lost(&self, method: &Method, path: &str, error: &reqwest::Error) -> ApiError {
        let mut text = String::new();
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(inner) = cause {
            // reqwest's own layer repeats the address; what matters is below it
            if !inner.is::<reqwest::Error>() {
                text = inner.to_string();
            }
            cause = inner.source();
        }
        if error.is_timeout() {
            text = format!("nothing came within {:?}", self.timeout);
        }
        ApiError {
            method: method.to_string(),
            path: path.to_owned(),
            account: self.account.clone(),
            status: 0,
            entries: Vec::new(),
            detail: format!("{text} (`{}`)", self.base),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Whether a text can stand in a path as it is.
fn plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn decode<T: DeserializeOwned>(path: &str, result: Json) -> anyhow::Result<T> {
    serde_json::from_value(result)
        .with_context(|| format!("the API's answer to `{path}` has another shape than documented"))
}
