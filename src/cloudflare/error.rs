//! What the API answered instead of a result.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

/// One entry of the envelope's `errors`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Entry {
    #[serde(default)]
    pub code: Option<u32>,
    #[serde(default)]
    pub message: String,
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
}

impl ApiError {
    /// Whether the API gave one of `codes`.
    pub fn is(&self, codes: &[u32]) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.code.is_some_and(|code| codes.contains(&code)))
    }

    /// Whether the call may or may not have been carried out: no answer, or one from something on the way.
    pub fn leaves_open(&self) -> bool {
        self.status == 0 || self.status >= 500
    }

    /// Whether the API says that what was asked for does not exist. A page that a proxy could not find says nothing.
    pub fn is_absent(&self) -> bool {
        (self.status == 404 && !self.entries.is_empty()) || self.is(&[10007, 10090, 10092])
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
        for entry in &self.entries {
            match entry.code {
                Some(code) => write!(f, ": {} (code {code})", entry.message.trim_end_matches('.'))?,
                None => write!(f, ": {}", entry.message.trim_end_matches('.'))?,
            }
        }
        let hint = self
            .entries
            .iter()
            .filter_map(|entry| entry.code)
            .find_map(hint);
        if let Some(hint) = hint {
            write!(f, "; {hint}")?;
        }
        match self.wait {
            Some(wait) => {
                let wait = humantime::format_duration(wait);
                write!(f, "; the API asks to wait {wait}: run again after that")
            }
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}

/// What to do about an error code.
pub fn hint(code: u32) -> Option<&'static str> {
    Some(match code {
        9109 | 10000 => {
            "check `CLOUDFLARE_API_TOKEN`: it needs Workers Scripts Write on the account, and Workers Routes Write and Zone Read on the zone"
        }
        10007 | 10090 | 10092 => "deploy the environment first, or check the account id",
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
        10063 => {
            "the account has no workers.dev subdomain: open the Workers page of the dashboard once to make one"
        }
        10074 => "a migration would delete a Durable Object class that is still in use",
        10079 => "the live migration tag is not the one that the plan saw: plan again",
        10211 => "a migration cannot be part of a version: it takes the lifecycle lane",
        10214 | 10215 => "the newest version is not the deployed one: deploy or roll back first",
        10220 => "a secret changed since that version: it would come back with the old one",
        10222 => "the Worker has no version yet: deploy it first",
        100_117 => {
            "a DNS record for this host exists: remove it, or set `override_dns = true` on the route"
        }
        100_402 | 100_405 => {
            "the Durable Object exports of the versions differ: finish the running deployment first"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_call_the_account_the_code_and_the_way_out() {
        let error = ApiError {
            method: "PUT".into(),
            path: "/accounts/acc0/workers/scripts/glow-broadcast-staging".into(),
            account: "acc0".into(),
            status: 403,
            entries: vec![Entry {
                code: Some(10000),
                message: "Authentication error".into(),
            }],
            detail: String::new(),
            wait: None,
        };
        assert_eq!(
            error.to_string(),
            "`PUT /accounts/acc0/workers/scripts/glow-broadcast-staging` in the account `acc0` was answered with 403: Authentication error (code 10000); check `CLOUDFLARE_API_TOKEN`: it needs Workers Scripts Write on the account, and Workers Routes Write and Zone Read on the zone"
        );
    }
}
