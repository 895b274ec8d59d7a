//! One request to the API: address, token, envelope, repeats.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::bail;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value as Json, json};

use super::credentials::{self, Access, BASE, Credentials, Surroundings};
use super::envelope::{Call, Envelope, decode};
use super::error::{ApiError, after_open, found};
use super::lists::{Lists, Page};
use super::path;
use super::rate_limit::{self, LONGEST_PAUSE};
use super::turn::Turns;
use super::wire::Zone;
use crate::environment::Environment;
use crate::environment::name::AccountId;
use crate::http::connector::{Connector, Offer};
use crate::http::{body, redirect};
use crate::terminal::advice::Advice;
use crate::terminal::escape;
use crate::terminal::progress::Progress;
use crate::terminal::wait::wait;

/// Longer than any call of a deployment takes; [`credentials::TIMEOUT`] replaces it.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Further tries of a call that may be repeated.
const REPEATS: usize = 4;
/// The first pause before a further try; each one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);

/// What is read here is sent back, so it is read as it is: whoever shows it has to mind what is in it.
const WRITTEN_BACK: &str = "/script-settings";

/// An account behind the API.
#[derive(Clone, Debug)]
#[must_use]
pub struct Cloudflare {
    http: Connector,
    base: String,
    account: String,
    credentials: Credentials,
    timeout: Duration,
    turns: Turns,
    progress: Progress,
    zones: Arc<Mutex<BTreeMap<String, Zone>>>,
    /// What was read already, where only reading is done.
    lists: Option<Lists>,
}

/// Whether a call may be sent again when its answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// A second time changes nothing more.
    Safe,
    /// A second time might do it twice.
    Never,
}

/// An answer, read to its end.
pub(super) struct Answer {
    status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Whether its status says so.
    pub(super) fn is_success(&self) -> bool {
        self.status.is_success()
    }
}

impl Cloudflare {
    /// The account of `environment`, from the manifest and the environment variables that wrangler reads too.
    pub fn from_env(environment: &Environment) -> anyhow::Result<Self> {
        Self::of_manifest(environment.account_id.as_ref(), environment.name.as_str())
    }

    /// The account that a manifest names, or the environment variables do; `whose` is what is done with it.
    pub(crate) fn of_manifest(account: Option<&AccountId>, whose: &str) -> anyhow::Result<Self> {
        let surroundings = Surroundings::of_process();
        let access = Access::read(&surroundings)?;
        let manifest = account.map(ToString::to_string);
        let account = match (manifest, access.account) {
            // The manifest's account is what was reviewed: a shell that is set up for another one must not win silently.
            (Some(manifest), Some(shell)) if manifest != shell => bail!(Advice::new(
                format!(
                    "the manifest of `{whose}` names the account `{manifest}`, but `{}` is `{shell}`",
                    credentials::ACCOUNT
                ),
                "unset the variable or correct the manifest"
            )),
            (Some(account), _) | (None, Some(account)) => account,
            (None, None) => bail!(Advice::new(
                format!("there is no account id for `{whose}`"),
                format!(
                    "set `{}`, or `account_id` under `[cloudflare]` in the manifest",
                    credentials::ACCOUNT
                )
            )),
        };
        let cloudflare = Self::new(&access.base, account, access.credentials)?;
        Ok(match surroundings.patience()? {
            Some(timeout) => cloudflare.patient_for(timeout),
            None => cloudflare,
        })
    }

    /// The account `account` at the API address `base`.
    pub fn new(
        base: &str,
        account: String,
        credentials: impl Into<Credentials>,
    ) -> anyhow::Result<Self> {
        let base = base.trim_end_matches('/');
        let credentials = credentials.into();
        Ok(Self {
            http: Connector::to(base, Offer::Http2)?,
            base: base.to_owned(),
            account,
            turns: Turns::of(base, &credentials),
            credentials,
            timeout: TIMEOUT,
            progress: Progress::hidden(),
            zones: Arc::default(),
            lists: None,
        })
    }

    /// The same account, whose long waits are told of.
    pub fn telling(self, progress: &Progress) -> Self {
        Self {
            progress: progress.clone(),
            ..self
        }
    }

    /// The same account, of which no list is read that is among `lists`, and whose lists are kept there: for what only reads.
    pub(crate) fn sharing(self, lists: &Lists) -> Self {
        Self {
            lists: Some(lists.clone()),
            ..self
        }
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

    /// The proxy on the way to the API.
    pub(crate) fn proxy(&self) -> Option<String> {
        self.http.proxy(&self.base)
    }

    /// Whether it is a token that opens the API, and not a user's global key.
    pub(super) fn has_token(&self) -> bool {
        matches!(self.credentials, Credentials::Token(_))
    }

    /// Says something to whoever watches.
    pub(super) fn say(&self, line: &str) {
        self.progress.say(line);
    }

    /// The zones that were looked for, by name.
    pub(super) fn known_zones(&self) -> MutexGuard<'_, BTreeMap<String, Zone>> {
        self.zones.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path of something of this account.
    pub(super) fn of_account(&self, rest: &str) -> String {
        format!("/accounts/{}/{rest}", self.account)
    }

    /// The path of something of a script.
    pub(super) fn of_script(&self, script: &str, rest: &str) -> String {
        self.of_account(&format!("workers/scripts/{script}/{rest}"))
    }

    /// GETs one thing; `None` when it does not exist.
    pub(super) async fn find<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Option<T>> {
        found(self.get(path).await)
    }

    /// GETs one thing.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.call_filled(Method::GET, path, Repeat::Safe, |request| request)
            .await
    }

    /// GETs one page of a list: its result, and what the API tells about the list.
    pub(super) async fn get_page(&self, path: &str) -> anyhow::Result<Page> {
        let known = self.lists.as_ref().and_then(|lists| lists.get(path));
        if let Some(page) = known {
            return Ok(page);
        }
        let page = self.call(Call::get(path), Repeat::Safe, |request| request);
        let page = page.await?;
        if let Some(lists) = &self.lists {
            lists.keep(path, &page);
        }
        Ok(page)
    }

    /// GETs something that is not in an envelope, of at most so many bytes.
    pub(super) async fn raw(
        &self,
        path: &str,
        repeat: Repeat,
        most: usize,
    ) -> anyhow::Result<Answer> {
        let is_good = |answer: &Answer| answer.status.is_success().then_some(());
        self.answered(Call::get(path), repeat, most, |request| request, is_good)
            .await
            .map(|((), answer)| answer)
    }

    /// Sends a write that changes nothing more when it is repeated.
    pub(super) async fn write(
        &self,
        method: Method,
        path: &str,
        body: &Json,
    ) -> anyhow::Result<()> {
        self.send(method, path, Repeat::Safe, |request| request.json(body))
            .await
    }

    /// POSTs what a second time might do twice.
    pub(super) async fn post_once(&self, path: &str, body: &Json) -> anyhow::Result<()> {
        let fill = |request: RequestBuilder| request.json(body);
        self.send(Method::POST, path, Repeat::Never, fill).await
    }

    /// Deletes something, which may be gone already: a repeat after a lost answer finds it so.
    pub(super) async fn delete(&self, path: &str) -> anyhow::Result<()> {
        found(self.write(Method::DELETE, path, &json!({})).await).map(drop)
    }

    /// Sends whatever `fill` puts into the request, again when that is safe.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        repeat: Repeat,
        fill: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> anyhow::Result<()> {
        self.call_filled(method, path, repeat, fill)
            .await
            .map(|IgnoredAny| ())
    }

    /// Sends whatever `fill` puts into the request, again when that is safe, and opens the envelope.
    pub(super) async fn call_filled<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        repeat: Repeat,
        fill: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> anyhow::Result<T> {
        let call = Call {
            method: &method,
            path,
        };
        let (result, _) = self.call(call, repeat, fill).await?;
        decode(call, "result", result)
    }

    async fn call(
        &self,
        call: Call<'_>,
        repeat: Repeat,
        fill: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> anyhow::Result<Page> {
        if let Some(lists) = &self.lists
            && *call.method != Method::GET
        {
            lists.forget();
        }
        let open = |answer: &Answer| {
            if answer.status == StatusCode::NO_CONTENT {
                return Some((Json::Null, None));
            }
            let envelope = Envelope::open(&answer.body)?;
            let is_good = envelope.success && answer.status.is_success();
            is_good.then_some((envelope.result, envelope.info))
        };
        let answered = self.answered(call, repeat, body::JSON, fill, open);
        answered.await.map(|(opened, _)| opened)
    }

    /// Sends until `open` finds something in an answer, a refusal is final, or the tries are used up.
    pub(super) async fn answered<T>(
        &self,
        call: Call<'_>,
        repeat: Repeat,
        most: usize,
        fill: impl Fn(RequestBuilder) -> RequestBuilder,
        open: impl Fn(&Answer) -> Option<T>,
    ) -> anyhow::Result<(T, Answer)> {
        if !path::is_plain(call.path) {
            bail!(
                "`{} {}` was not sent: it is no address of the API",
                call.method,
                escape::line(call.path)
            );
        }
        let mut left = REPEATS;
        let (mut pause, mut waited) = (PAUSE, Duration::ZERO);
        let mut is_open = false;
        loop {
            let (mut error, asked) = match self.once(call, most, &fill).await {
                Ok(answer) => match open(&answer) {
                    Some(opened) => return Ok((opened, answer)),
                    None => (self.refused(call, &answer), silence(&answer)),
                },
                Err(error) => (error, None),
            };
            let asked = asked.unwrap_or_default();
            if error.status == 429 {
                self.turns.block(asked);
            }
            waited += asked;
            if waited > LONGEST_PAUSE {
                error.wait = Some(asked);
            }
            // 429 means that nothing was done, whatever the call was
            let may = match error.status {
                429 => true,
                _ => repeat == Repeat::Safe && error.leaves_open(),
            };
            if !may || left == 0 || error.wait.is_some() {
                let error = error.into();
                return Err(if is_open { after_open(error) } else { error });
            }
            is_open |= *call.method != Method::GET && error.leaves_open();
            // The silence after 429 is everybody's: the next turn waits for it
            let own = if error.status == 429 {
                pause
            } else {
                asked.max(pause)
            };
            let why = format!("{} is tried again then", error.call());
            wait(|line| self.progress.say(line), own, &why).await;
            left -= 1;
            pause *= 2;
        }
    }

    async fn once(
        &self,
        call: Call<'_>,
        most: usize,
        fill: &impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Answer, ApiError> {
        let Call { method, path } = call;
        let kind = format!("{method} {}", path.split('?').next().unwrap_or(path));
        let turn = self.turns.wait(&kind, &self.progress).await;
        let turn = turn.map_err(|pause| {
            let why = "an earlier call was refused, so this one was not sent";
            ApiError {
                wait: Some(Duration::from_secs(pause.as_secs() + 1)),
                ..self.error(call, 429, why)
            }
        })?;
        let lost = |error: reqwest::Error| self.lost(call, &error);
        let request = self
            .http
            .request(method.clone(), &format!("{}{path}", self.base))
            .timeout(self.timeout);
        let request = fill(self.credentials.sign(request));
        let response = request.send().await.map_err(&lost)?;
        turn.answered(response.headers());
        let (status, headers) = (response.status(), response.headers().clone());
        let Some(mut body) = body::read(response, most).await.map_err(&lost)? else {
            let why = format!(
                "more than {}, which is no answer of the API's",
                body::shown(most)
            );
            return Err(self.error(call, status.as_u16(), &why));
        };
        // A refusal is only shown
        if !(path.ends_with(WRITTEN_BACK) && status.is_success()) {
            body = escape::answer(body);
        }
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    fn error(&self, call: Call<'_>, status: u16, detail: &str) -> ApiError {
        ApiError {
            method: call.method.to_string(),
            path: call.path.to_owned(),
            account: self.account.clone(),
            status,
            entries: Vec::new(),
            detail: detail.to_owned(),
            wait: None,
            fix: None,
        }
    }

    /// What an answer says that is no success.
    fn refused(&self, call: Call<'_>, answer: &Answer) -> ApiError {
        let status = answer.status.as_u16();
        if answer.status.is_redirection() {
            let to = redirect::target(&self.base, answer.headers.get("location"));
            let why = format!(
                "a redirect to {to}, which is not followed, because the credential and every secret would go there"
            );
            let fix = match self.is_elsewhere() {
                true => format!("correct `{}`", credentials::BASE_URL),
                false => "look at the proxy or firewall on the way: it answered".to_owned(),
            };
            return ApiError {
                fix: Some(fix),
                ..self.error(call, status, &why)
            };
        }
        let detail = if answer.body.trim_ascii_start().starts_with(b"<") {
            "a web page instead of the API's answer: a proxy or firewall on the way answered"
        } else {
            "an answer that is not the API's"
        };
        ApiError {
            entries: Envelope::open(&answer.body).unwrap_or_default().errors,
            ..self.error(call, status, detail)
        }
    }

    fn lost(&self, call: Call<'_>, error: &reqwest::Error) -> ApiError {
        let mut lost = self.http.lost(&self.base, error);
        if error.is_timeout() {
            lost.cause = format!("nothing came within {:?}", self.timeout);
        }
        ApiError {
            fix: lost.fix.clone(),
            ..self.error(call, 0, &format!("{lost} (`{}`)", self.base))
        }
    }
}

/// How long the server asks to wait: seconds, or a date (RFC 9110, 10.2.3), which is meant by the server's own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let after = text("retry-after")?.trim();
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(after).ok()?;
    let now = text("date").and_then(|date| httpdate::parse_http_date(date).ok());
    let now = now.unwrap_or_else(SystemTime::now);
    Some(until.duration_since(now).unwrap_or_default())
}

/// How long an answer asks to wait. After 429 the API refuses every call for a while, whether it says so or not.
fn silence(answer: &Answer) -> Option<Duration> {
    let asked = retry_after(&answer.headers);
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => asked
            .or_else(|| rate_limit::reset(&answer.headers))
            .or(Some(rate_limit::DOCUMENTED.window)),
        _ => asked,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use axum::http::Uri;
    use axum::response::{IntoResponse, Response};
    use serde_json::json;

    use super::super::error::advice;
    use super::super::paged;
    use super::*;

    /// A server on this machine that gives its n-th caller the n-th answer, counted from 0, and how often it was asked.
    async fn answering(
        answer: impl Fn(usize, Uri) -> Response + Clone + Send + Sync + 'static,
    ) -> (Cloudflare, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let cloudflare = paged::answering(move |_, uri, _| {
            answer(count.fetch_add(1, Ordering::SeqCst), uri.clone())
        })
        .await;
        (cloudflare, asked)
    }

    fn result(result: &Json, info: &Json) -> Response {
        axum::Json(json!({ "success": true, "result": result, "result_info": info }))
            .into_response()
    }

    fn later(after: &str) -> Response {
        let envelope =
            json!({ "success": false, "errors": [{ "code": 971, "message": "Slow down." }] });
        let headers = [("retry-after", after.to_owned())];
        (StatusCode::TOO_MANY_REQUESTS, headers, axum::Json(envelope)).into_response()
    }

    #[tokio::test]
    async fn a_read_outside_the_envelope_is_repeated_as_every_other_read_is() {
        let (cloudflare, asked) = answering(|number, _| match number {
            0 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            1 => later("0"),
            _ => "modules".into_response(),
        })
        .await;
        let answer = cloudflare.raw("/content", Repeat::Safe, 99).await.unwrap();
        assert_eq!(answer.body, b"modules");
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn the_pause_that_the_api_asks_for_is_kept() {
        let (cloudflare, asked) = answering(|number, _| match number {
            0 => later("1"),
            _ => result(&json!(7), &Json::Null),
        })
        .await;
        let began = Instant::now();
        assert_eq!(cloudflare.get::<u32>("/number").await.unwrap(), 7);
        assert!(began.elapsed() >= Duration::from_secs(1));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_pause_that_is_too_long_fails_at_once_and_is_named() {
        let (cloudflare, asked) = answering(|_, _| later("301")).await;
        let error = cloudflare.get::<u32>("/number").await.unwrap_err();
        assert_eq!(
            advice(&error).line(),
            "`GET /number` in the account `acc0` was answered with 429: Slow down (code 971); the API's rate limit is used up: 1200 calls in five minutes, those of other tools with this token included; the API asks to wait 5m 1s: run again after that"
        );
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_refusal_that_does_not_say_how_long_is_one_of_the_whole_window() {
        let waits = |headers: &[(&'static str, &str)]| {
            let headers = headers
                .iter()
                .map(|(name, text)| (name.parse().unwrap(), text.parse().unwrap()));
            silence(&Answer {
                status: StatusCode::TOO_MANY_REQUESTS,
                headers: headers.collect(),
                body: Vec::new(),
            })
        };
        assert_eq!(waits(&[]), Some(Duration::from_secs(300)));
        let told = [("ratelimit", "\"default\";r=0;t=90")];
        assert_eq!(waits(&told), Some(Duration::from_secs(90)));
        // Which is waited for
        assert!(LONGEST_PAUSE >= Duration::from_secs(300));
    }

    #[tokio::test]
    async fn all_that_one_call_waits_for_is_no_more_than_the_window() {
        let (cloudflare, asked) = answering(|number, _| match number {
            0 => later("1"),
            _ => later("300"),
        })
        .await;
        let error = cloudflare.get::<u32>("/number").await.unwrap_err();
        let error = error.downcast::<ApiError>().unwrap();
        assert_eq!(error.wait, Some(Duration::from_secs(300)));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn nothing_is_sent_while_the_api_asks_for_silence_whoever_wants_to() {
        let (cloudflare, asked) = answering(|_, _| later("301")).await;
        cloudflare.get::<u32>("/number").await.unwrap_err();
        // Another client of the same user at the same address, as the next environment has one
        let credentials = cloudflare.credentials.clone();
        let next = Cloudflare::new(&cloudflare.base, "acc1".to_owned(), credentials).unwrap();
        let error = next.get::<u32>("/other").await.unwrap_err();
        let error = error.downcast::<ApiError>().unwrap();
        assert_eq!(
            ApiError {
                wait: None,
                ..error
            }
            .to_string(),
            "`GET /other` in the account `acc1` was answered with 429: an earlier call was refused, so this one was not sent"
        );
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn one_user_does_not_wait_for_another_at_the_same_address() {
        let (refused, asked) = answering(|_, _| later("301")).await;
        refused.get::<u32>("/number").await.unwrap_err();
        let other = paged::account(&refused.base);
        other.get::<u32>("/number").await.unwrap_err();
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_redirect_is_an_error_and_takes_nothing_anywhere() {
        let (other, reached) = answering(|_, _| result(&json!(7), &Json::Null)).await;
        for status in [301, 302, 303, 307, 308] {
            let to = format!("{}/stolen\u{1b}", other.base);
            let (cloudflare, _) = answering(move |_, _| {
                let status = StatusCode::from_u16(status).unwrap();
                let location =
                    http::HeaderValue::from_bytes(to.replace('\u{1b}', "%1b").as_bytes());
                (status, [("location", location.unwrap())]).into_response()
            })
            .await;
            let secret = json!({ "text": "secret" });
            let error = cloudflare
                .write(Method::PUT, "/secrets", &secret)
                .await
                .unwrap_err();
            assert_eq!(
                advice(&error).line(),
                format!(
                    "`PUT /secrets` in the account `acc0` was answered with {status}: a redirect to `127.0.0.1`, which is not followed, because the credential and every secret would go there; correct `CLOUDFLARE_API_BASE_URL`"
                )
            );
        }
        assert_eq!(reached.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_not_read_to_its_end() {
        let (cloudflare, asked) = answering(|_, _| {
            let part = || Ok::<_, std::convert::Infallible>(vec![b' '; 64 * 1024]);
            let endless = futures_util::stream::repeat_with(part);
            axum::body::Body::from_stream(endless).into_response()
        })
        .await;
        let error = cloudflare.get::<u32>("/number").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "`GET /number` in the account `acc0` was answered with 200: more than 16 MiB, which is no answer of the API's"
        );
        let error = cloudflare.raw("/content", Repeat::Safe, 1000).await;
        assert_eq!(
            error.err().unwrap().to_string(),
            "`GET /content` in the account `acc0` was answered with 200: more than 1000 bytes, which is no answer of the API's"
        );
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn what_an_answer_names_cannot_steer_a_terminal_or_forge_a_line() {
        let (cloudflare, _) = answering(|number, _| {
            let text = "a\u{1b}[2J\n::set-output name=x::y\r\u{202e}";
            match number {
                2 => {
                    let errors = json!([{ "code": 10000, "message": text }]);
                    let envelope = json!({ "success": false, "errors": errors });
                    (StatusCode::FORBIDDEN, axum::Json(envelope)).into_response()
                }
                _ => result(&json!({ text: [text] }), &Json::Null),
            }
        })
        .await;
        let shown = r"a\u{1b}[2J\n::set-output name=x::y\r\u{202e}";
        let read: Json = cloudflare.get("/thing").await.unwrap();
        assert_eq!(read, json!({ shown: [shown] }));
        // What is sent back is not changed
        let path = "/script-settings";
        let read: Json = cloudflare.get(path).await.unwrap();
        assert!(read.to_string().contains(r"\u001b[2J\n"));
        let error = cloudflare.get::<Json>("/thing").await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("403: {shown} (code 10000)")),
            "{error}"
        );
    }

    #[tokio::test]
    async fn what_is_no_plain_address_is_not_sent() {
        let (cloudflare, asked) = answering(|_, _| result(&json!(7), &Json::Null)).await;
        for path in ["/a/../b", "/a\u{1b}", "@other.example/", "/a//b", "/a#b"] {
            let error = cloudflare.get::<u32>(path).await.unwrap_err().to_string();
            let shown = escape::line(path);
            assert_eq!(
                error,
                format!("`GET {shown}` was not sent: it is no address of the API")
            );
        }
        assert_eq!(asked.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_call_that_might_be_done_twice_is_repeated_only_when_it_was_not_done() {
        let (cloudflare, asked) = answering(|number, _| match number {
            0 => later("0"),
            _ => StatusCode::BAD_GATEWAY.into_response(),
        })
        .await;
        let error = cloudflare
            .post_once("/versions", &json!({}))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`POST /versions` in the account `acc0` was answered with 502: an answer that is not the API's"
        );
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn what_something_on_the_way_cannot_find_is_not_absent() {
        let (cloudflare, _) = answering(|_, _| {
            let page = axum::response::Html("<html>no such page</html>");
            (StatusCode::NOT_FOUND, page).into_response()
        })
        .await;
        let error = cloudflare.find::<Json>("/thing").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "`GET /thing` in the account `acc0` was answered with 404: a web page instead of the API's answer: a proxy or firewall on the way answered"
        );
        let (cloudflare, _) = answering(|_, _| {
            let envelope = json!({ "success": false, "errors": [{ "code": 10020, "message": "no such route" }] });
            (StatusCode::NOT_FOUND, axum::Json(envelope)).into_response()
        })
        .await;
        assert_eq!(cloudflare.find::<Json>("/thing").await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_recorded_answer_with_nulls_in_its_envelope_is_read() {
        let (cloudflare, _) = answering(|_, _| {
            let recorded = include_str!("../../tests/fixtures/live/shapes.jsonl");
            let versions = recorded.lines().next().unwrap();
            let call: Json = serde_json::from_str(versions).unwrap();
            assert_eq!(call["body"]["errors"], Json::Null);
            axum::Json(call["body"].clone()).into_response()
        })
        .await;
        let versions = super::super::observe::versions(&cloudflare, "S")
            .all()
            .await
            .unwrap();
        assert_eq!(versions.len(), 1);
        assert_eq!(versions[0].id, "7f1f1d3c-0000-4000-8000-000000000001");
    }

    #[tokio::test]
    async fn an_answer_that_does_not_say_that_it_is_a_success_is_none_and_its_call_is_named() {
        let (cloudflare, _) =
            answering(|_, _| axum::Json(json!({ "result": 7 })).into_response()).await;
        let error = cloudflare.get::<u32>("/number").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "`GET /number` in the account `acc0` was answered with 200: an answer that is not the API's"
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_of_the_servers_clock() {
        let waits = |headers: &[(&'static str, &str)]| {
            let headers = headers
                .iter()
                .map(|(name, text)| (name.parse().unwrap(), text.parse().unwrap()));
            retry_after(&headers.collect())
        };
        let date = ("date", "Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(waits(&[]), None);
        assert_eq!(waits(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(
            waits(&[("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT"), date]),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            waits(&[("retry-after", "Wed, 21 Oct 2026 07:27:00 GMT"), date]),
            Some(Duration::ZERO)
        );
        assert_eq!(waits(&[("retry-after", "soon"), date]), None);
    }
}
