//! What the API answered instead of a result.

use std::fmt;
use std::time::Duration;

use serde_json::Value as Json;

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

    /// Whether the call may or may not have been carried out: no answer, or one from something on the way.
    pub fn leaves_open(&self) -> bool {
        self.status == 0 || self.status >= 500
    }

    /// What to do about it.
    pub fn fix(&self) -> Option<String> {
        let entries = self.entries.iter().flat_map(Entry::with_chain);
        let mut fixes = Vec::from_iter(self.fix.clone());
        fixes.extend(
            entries
                .filter_map(Entry::number)
                .find_map(hint)
                .map(str::to_owned),
        );
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

/// What to do about an error code.
pub fn hint(code: u32) -> Option<&'static str> {
    Some(match code {
        6003 | 9106 => {
            "check `CLOUDFLARE_API_TOKEN`: what it holds has not the form of an API token"
        }
        7000 | 7003 => {
            "check the account id (`CLOUDFLARE_ACCOUNT_ID`, or `cloudflare.account_id`) and `CLOUDFLARE_API_BASE_URL`"
        }
        971 | 10429 => {
            "the API's rate limit is used up: 1200 calls in five minutes, those of other tools with this token included"
        }
        9109 | 10000 => {
            "check `CLOUDFLARE_API_TOKEN`: it needs Workers Scripts Write on the account, and Workers Routes Write and Zone Read on the zone"
        }
        9103 => {
            "check `CLOUDFLARE_API_KEY` and `CLOUDFLARE_EMAIL`: they are a user's global key and address"
        }
        10007 | 10090 | 10092 => "deploy the environment first, or check the account id",
        10019 => "the Worker that the route names is not there: deploy again",
        10021 => {
            "the runtime refused to start the code: `edge-broadcast deploy ENV --sandbox` shows the same error on this machine"
        }
        10027 => "the bundle is over the account's size limit",
        10053 => {
            "a binding of another kind has this name: remove it from the Worker, then deploy again"
        }
        10056 => "there is no secret of this name; `edge-broadcast plan` lists them",
        10057 => "a binding that should be inherited is not there: set the secret again",
        10061 | 10070 => {
            "the Worker's code does not export this Durable Object class: build again, and deploy the room before the gateway"
        }
        10064 | 10142 => "other Workers bind it: take their bindings away first",
        10063 => {
            "the account has no workers.dev subdomain: open the Workers page of the dashboard once to make one"
        }
        10074 => "a migration would delete a Durable Object class that is still in use",
        10079 => "the live migration tag is not the one that the plan saw: plan again",
        10211 => "a migration cannot be part of a version: it takes the lifecycle lane",
        10214 | 10215 => {
            "somebody uploaded or deployed another version in the same moment: run the same command again"
        }
        10220 => "a secret changed since that version: it would come back with the old one",
        10222 => "the Worker has no version yet: deploy it first",
        10336 | 100_146 => {
            "it was there when it was looked up: somebody removed it, or it belongs to another Worker; plan again"
        }
        100_116 => {
            "another Worker has this host as its custom domain: remove it from that Worker first, or use another host"
        }
        // Whether the manifest says `override_dns` or not: a record that somebody made is never replaced (workers-sdk issue 9878)
        100_117 => {
            "a DNS record for this host is in the way: delete it in the zone's DNS settings, then deploy again"
        }
        100_402 | 100_405 => {
            "the Durable Object exports of the versions differ: finish the running deployment first"
        }
        _ => return None,
    })
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
    fn every_code_that_has_a_way_out_says_it() {
        for (code, way_out) in [
            (
                100_116,
                "another Worker has this host as its custom domain: remove it from that Worker first",
            ),
            (
                100_117,
                "a DNS record for this host is in the way: delete it",
            ),
            (7003, "check the account id"),
            (9106, "check `CLOUDFLARE_API_TOKEN`"),
            (10019, "the Worker that the route names is not there"),
            (10142, "other Workers bind it"),
            (10429, "the API's rate limit is used up"),
            (100_146, "plan again"),
        ] {
            let told = refused(400, &[code]).fix().unwrap();
            assert!(told.contains(way_out), "{told}");
        }
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
            "`PUT /accounts/acc0/workers/scripts/glow-broadcast-staging` in the account `acc0` was answered with 403: Authentication error (code 10000)\nhelp: check `CLOUDFLARE_API_TOKEN`: it needs Workers Scripts Write on the account, and Workers Routes Write and Zone Read on the zone"
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
                ": Invalid request headers (code 6003): Invalid format for Authorization header (code 6111); check `CLOUDFLARE_API_TOKEN`: what it holds has not the form of an API token",
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
