//! What the API answered instead of a result.

use std::fmt;
use std::time::Duration;

use serde_json::Value as Json;

use super::hint::{self, Refusal};
use super::overtaken::Overtaken;
use crate::terminal::advice::Advice;

/// One entry of the envelope's `errors`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What it says in short: a number where the documents are right.
    pub code: Option<String>,
    pub message: String,
    /// `error_chain`: what is behind it.
    pub chain: Vec<Entry>,
}

impl Entry {
    /// The entries of an `errors` or `error_chain`. Whatever stands there is read: an error must never hide behind its shape.
    pub(super) fn list(errors: Json) -> Vec<Self> {
        match errors {
            Json::Null => Vec::new(),
            Json::Array(entries) => entries.into_iter().map(Self::of).collect(),
            entry => vec![Self::of(entry)],
        }
    }

    fn of(entry: Json) -> Self {
        let text = |json: Json| match json {
            Json::Null => String::new(),
            Json::String(text) => text,
            other => other.to_string(),
        };
        let Json::Object(mut fields) = entry else {
            return Self {
                message: text(entry),
                ..Self::default()
            };
        };
        Self {
            code: fields.remove("code").map(text),
            message: text(fields.remove("message").unwrap_or_default()),
            chain: Self::list(fields.remove("error_chain").unwrap_or_default()),
        }
    }

    /// The entry and all that is behind it.
    fn with_chain(&self) -> Vec<&Self> {
        let behind = self.chain.iter().flat_map(Self::with_chain);
        std::iter::once(self).chain(behind).collect()
    }

    fn number(&self) -> Option<u32> {
        self.code.as_ref()?.parse().ok()
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let message = self.message.trim_end_matches('.');
        match (&self.code, message) {
            (Some(code), "") => write!(f, "code {code}"),
            (Some(code), message) => write!(f, "{message} (code {code})"),
            (None, "") => f.write_str("no reason given"),
            (None, message) => f.write_str(message),
        }
    }
}

/// A refused or failed call. Its text names the account, what was called and what to do; it never holds a body that was sent.
#[derive(Debug)]
pub struct ApiError {
    pub method: String,
    pub path: String,
    pub account: String,
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    pub entries: Vec<Entry>,
    /// What to show when the answer had no envelope.
    pub detail: String,
    /// The pause that the API asked for, when it was too long to be waited for.
    pub wait: Option<Duration>,
    /// What to do, where the caller knows it and no code tells it.
    pub fix: Option<String>,
}

impl ApiError {
    /// Whether the API gave one of `codes`.
    pub fn is(&self, codes: &[u32]) -> bool {
        self.entries
            .iter()
            .filter_map(Entry::number)
            .any(|code| codes.contains(&code))
    }

    /// The codes that the API gave: each with what is behind it, in its order.
    fn codes(&self) -> impl Iterator<Item = u32> {
        let entries = self.entries.iter().flat_map(Entry::with_chain);
        entries.filter_map(Entry::number)
    }

    /// Whether the call may or may not have been carried out: no answer, one from something on the way, or one that says no more than
    /// that it took too long.
    pub fn leaves_open(&self) -> bool {
        matches!(self.status, 0 | 408 | 500..)
    }

    /// What was called, and how that ended, in short.
    pub(super) fn call(&self) -> String {
        let Self { method, path, .. } = self;
        match self.status {
            0 => format!("`{method} {path}` got no answer, and"),
            status => format!("`{method} {path}` was answered with {status}, and"),
        }
    }

    /// Whether the same call would be refused again: what was sent, or who sent it, is at fault.
    pub fn is_final(&self) -> bool {
        (400..500).contains(&self.status) && !matches!(self.status, 408 | 425 | 429)
    }

    /// What to do about it.
    pub fn fix(&self) -> Option<String> {
        let mut fixes = Vec::from_iter(self.fix.clone());
        let codes: Vec<u32> = self.codes().collect();
        fixes.extend(hint::of(Refusal {
            method: &self.method,
            path: &self.path,
            status: self.status,
            codes: &codes,
        }));
        fixes.extend(self.wait.map(|wait| {
            let wait = humantime::format_duration(wait);
            format!("the API asks to wait {wait}: run again after that")
        }));
        (!fixes.is_empty()).then(|| fixes.join("; "))
    }

    /// Whether the API says that what was asked for does not exist. A page that a proxy could not find says nothing.
    pub fn is_absent(&self) -> bool {
        // A path that leads nowhere is a wrong account or zone identifier: it says nothing about what was asked for
        let misrouted = self.is(&[7000, 7003]);
        let missing = self.status == 404 && !self.entries.is_empty();
        (missing && !misrouted) || self.is(&[10007, 10090, 10092, 10336, 100_146])
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "`{} {}` in the account `{}` ",
            self.method, self.path, self.account
        )?;
        if self.status == 0 {
            return write!(f, "got no answer: {}", self.detail);
        }
        write!(f, "was answered with {}", self.status)?;
        if self.entries.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        for entry in self.entries.iter().flat_map(Entry::with_chain) {
            write!(f, ": {entry}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}

/// Stands before the error of a change that may have been made all the same.
#[derive(Debug)]
pub(super) enum MayBeDone {
    /// An earlier try was left open.
    TriedBefore,
    /// The API took it, and what was read after that is another state: somebody else's since, or an older one than the truth.
    Accepted,
}

impl fmt::Display for MayBeDone {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::TriedBefore => {
                "an earlier try of it got no answer that tells, and may have been carried out"
            }
            Self::Accepted => "the API accepted it, and shows another state than that",
        })
    }
}

/// The error of a further try of what was left open: a refusal is told with [`MayBeDone`].
pub(super) fn after_open(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<ApiError>() {
        Some(refusal) if refusal.method != "GET" && !refusal.leaves_open() => {
            error.context(MayBeDone::TriedBefore)
        }
        _ => error,
    }
}

/// Whether a change failed and certainly was not made: the API refused it, or somebody else's was found before it was sent. What is
/// neither does not say so: a success that cannot be read, a page of something on the way, which may have carried it on, a redirection
/// that does not ask for the same request again (RFC 9110, section 15.4: 307 and 308 do).
pub(crate) fn was_not_made(error: &anyhow::Error) -> bool {
    let refuses = |error: &ApiError| {
        let is_refused = match error.status {
            307 | 308 | 425 | 429 => true,
            _ => error.is_final() && !error.entries.is_empty(),
        };
        error.method != "GET" && is_refused
    };
    let is_refused = error.downcast_ref().is_some_and(refuses);
    !error.is::<MayBeDone>() && (is_refused || error.is::<Overtaken>())
}

/// What a call found; `None` where the API says that it does not exist.
pub(super) fn found<T>(result: anyhow::Result<T>) -> anyhow::Result<Option<T>> {
    match result {
        Err(error) if error.downcast_ref().is_some_and(ApiError::is_absent) => Ok(None),
        result => result.map(Some),
    }
}

/// What an error says, and the way out that it or the API's answer below it names.
pub fn advice(error: &anyhow::Error) -> Advice {
    let mut advice = Advice::of(error);
    if advice.fix.is_none() {
        let overtaken = |error: &Overtaken| error.0.fix.clone();
        let refused = error.downcast_ref().and_then(ApiError::fix);
        advice.fix = refused.or_else(|| error.downcast_ref().and_then(overtaken));
    }
    advice
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(status: u16, codes: &[u32]) -> ApiError {
        let entry = |code: &u32| Entry {
            code: Some(code.to_string()),
            message: "Told".into(),
            ..Entry::default()
        };
        ApiError {
            method: "GET".into(),
            path: "/accounts/acc0/workers/scripts/s/settings".into(),
            account: "acc0".into(),
            status,
            entries: codes.iter().map(entry).collect(),
            detail: String::new(),
            wait: None,
            fix: None,
        }
    }

    #[test]
    fn only_a_refusal_of_a_change_says_that_it_was_not_made() {
        let told = |method: &str, status, codes: &[u32]| {
            let error = ApiError {
                method: method.to_owned(),
                ..refused(status, codes)
            };
            let error = anyhow::Error::from(error);
            let before = was_not_made(&error);
            let error = error.context("uploading");
            assert_eq!(was_not_made(&error), before, "{method} {status}");
            let again = was_not_made(&after_open(error));
            assert!(!again, "{method} {status}");
            before
        };
        for status in [400, 403, 404, 409, 412] {
            for method in ["PATCH", "POST", "PUT", "DELETE"] {
                assert!(told(method, status, &[10000]), "{method} {status}");
                // A page of something on the way
                assert!(!told(method, status, &[]), "{method} {status}");
            }
            assert!(!told("GET", status, &[10000]), "{status}");
        }
        for status in [307, 308, 425, 429] {
            assert!(told("POST", status, &[]), "{status}");
        }
        for status in [0, 200, 204, 301, 303, 408, 500, 502, 524] {
            assert!(!told("POST", status, &[10000]), "{status}");
        }
        assert!(!was_not_made(&anyhow::anyhow!("something else")));
    }

    #[test]
    fn what_somebody_else_did_says_so_only_where_it_was_found_before_the_change() {
        let overtaken = || anyhow::Error::from(Overtaken(Advice::new("theirs", "plan again")));
        assert!(was_not_made(&overtaken().context("shifting")));
        assert!(!was_not_made(&overtaken().context(MayBeDone::Accepted)));
    }

    #[test]
    fn a_wrong_account_is_not_taken_for_an_absent_worker() {
        for absent in [10007, 10090, 10092, 10336, 100_146, 100_114] {
            assert!(refused(404, &[absent]).is_absent(), "{absent}");
        }
        assert!(!refused(404, &[7003, 7000]).is_absent());
        assert!(
            !refused(404, &[]).is_absent(),
            "a page that a proxy could not find"
        );
    }

    #[test]
    fn an_error_names_the_call_the_account_the_code_and_the_way_out() {
        let error = ApiError {
            method: "PUT".into(),
            path: "/accounts/acc0/workers/scripts/glow-broadcast-staging".into(),
            account: "acc0".into(),
            status: 403,
            entries: vec![Entry {
                code: Some("10000".into()),
                message: "Authentication error".into(),
                chain: Vec::new(),
            }],
            detail: String::new(),
            wait: None,
            fix: None,
        };
        assert_eq!(
            format!("{:#}", advice(&error.into())),
            "`PUT /accounts/acc0/workers/scripts/glow-broadcast-staging` in the account `acc0` was answered with 403: Authentication error (code 10000)\nhelp: check that `CLOUDFLARE_API_TOKEN` is a whole token that has not expired, and that it has `Workers Scripts Write` on the account"
        );
    }

    #[test]
    fn an_entry_gives_its_message_whatever_its_code_is() {
        let said = |errors: Json| {
            let error = ApiError {
                method: "GET".into(),
                path: "/x".into(),
                account: "acc0".into(),
                status: 400,
                entries: Entry::list(errors),
                detail: String::new(),
                wait: None,
                fix: None,
            };
            advice(&error.into())
                .line()
                .split_once("with 400")
                .unwrap()
                .1
                .to_owned()
        };
        for (errors, wanted) in [
            (
                json!([{ "code": -1, "message": "Broken." }]),
                ": Broken (code -1)",
            ),
            (json!([{ "message": "Broken." }]), ": Broken"),
            (
                json!([{ "code": "workers.api.error", "message": "Broken." }]),
                ": Broken (code workers.api.error)",
            ),
            (
                json!([{ "code": "10222", "message": "None" }]),
                ": None (code 10222); the Worker has no version yet: deploy it first",
            ),
            (json!([{ "code": 7 }]), ": code 7"),
            (json!([{}]), ": no reason given"),
            (json!(["Broken."]), ": Broken"),
            (
                json!({ "code": 1.5, "message": ["a"] }),
                ": [\"a\"] (code 1.5)",
            ),
            (
                json!([{ "code": 6003, "message": "Invalid request headers", "error_chain": [{ "code": 6111, "message": "Invalid format for Authorization header" }] }]),
                ": Invalid request headers (code 6003): Invalid format for Authorization header (code 6111); check `CLOUDFLARE_API_TOKEN`: what it holds has not the form of an API token (a token is not its id, and not the global API key)",
            ),
            (
                json!([{ "code": 1, "message": "a", "error_chain": [{ "code": 10222, "message": "b" }] }]),
                ": a (code 1): b (code 10222); the Worker has no version yet: deploy it first",
            ),
        ] {
            assert_eq!(said(errors), wanted);
        }
    }
}
