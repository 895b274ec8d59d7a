//! How many calls a token has left: what Cloudflare tells in `Ratelimit` and `Ratelimit-Policy` with every answer.
//!
//! The recorded answers (`"default";r=1199;t=1` after one call of `q=1200;w=300`) are those of a bucket that drains evenly: `t` is how
//! long it takes until the whole quota is there again. The sandbox always counts and tells the truth; it refuses only after
//! `PUT /sandbox/limits`, since a test may make thousands of calls in a second. What it then does is what is documented
//! (<https://developers.cloudflare.com/fundamentals/api/reference/limits/>): every call is refused until a whole window has passed.

use std::collections::BTreeMap;

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::IntoResponse;
use http::header::RETRY_AFTER;
use http::{Response, StatusCode};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::account::error::refuse;

/// Calls of one kind are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bucket {
    /// Everything but uploads.
    Default,
    /// Uploads of scripts and versions.
    Upload,
}

impl Bucket {
    /// As the headers name it.
    fn name(self) -> &'static str {
        match self {
            Bucket::Default => "default",
            Bucket::Upload => "workers_script_upload",
        }
    }
}

/// So many calls in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// The quota.
    pub calls: u32,
    /// The window.
    pub seconds: u32,
}

impl Policy {
    /// Recorded from the live API.
    fn of(bucket: Bucket) -> Policy {
        let calls = match bucket {
            Bucket::Default => 1200,
            Bucket::Upload => 180_000,
        };
        Policy {
            calls,
            seconds: 300,
        }
    }

    fn window(self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

/// What has been spent of one quota.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    /// Calls that have not drained yet, at `at`.
    calls: f64,
    at: Option<Instant>,
    refused_until: Option<Instant>,
}

/// Where a token stands after a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The value of `Ratelimit`.
    pub left: String,
    /// The value of `Ratelimit-Policy`.
    pub policy: String,
    /// Seconds until the next call is answered, when this one is refused.
    pub wait: Option<u64>,
}

/// Whether a policy is one that refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Force {
    Told,
    Kept,
}

impl Spent {
    /// Counts a call.
    fn count(&mut self, bucket: Bucket, policy: Policy, force: Force, now: Instant) -> Standing {
        let quota = f64::from(policy.calls);
        let passed = self
            .at
            .map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        let drained = passed * quota / f64::from(policy.seconds);
        self.calls = (self.calls - drained).max(0.0);
        self.at = Some(now);
        self.refused_until = self.refused_until.filter(|until| *until > now);
        let over = self.calls + 1.0 > quota;
        if force == Force::Kept && over && self.refused_until.is_none() {
            self.refused_until = Some(now + policy.window());
        }
        let wait = self
            .refused_until
            .map(|until| (until - now).as_secs_f64().ceil());
        if wait.is_none() {
            self.calls = (self.calls + 1.0).min(quota);
        }
        let whole = self.calls * f64::from(policy.seconds) / quota;
        let (name, left) = (bucket.name(), (quota - self.calls).floor());
        let left = if wait.is_some() { 0.0 } else { left };
        Standing {
            left: format!("\"{name}\";r={left};t={}", wait.unwrap_or(whole).ceil()),
            policy: format!("\"{name}\";q={};w={}", policy.calls, policy.seconds),

            wait: wait.map(|wait| wait as u64),
        }
    }
}

/// 429. The Workers API numbers it otherwise than the API in general.
pub(super) fn throttled(path: &str, wait: u64) -> Response<Body> {
    let words = "Please wait and consider throttling your request speed";
    let (code, words) = match path.contains("/workers/") {
        true => (10429, format!("Rate limited. {words}")),
        false => (971, words.to_owned()),
    };
    let error = refuse(StatusCode::TOO_MANY_REQUESTS, code, words);
    ([(RETRY_AFTER, wait.to_string())], error).into_response()
}

/// The quotas of all tokens.
#[derive(Debug, Default)]
pub(crate) struct Quotas(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    spent: BTreeMap<(String, Bucket), Spent>,
    kept: Option<Policy>,
}

impl Quotas {
    /// Counts a call of a token, which is named by anything that is not the token itself.
    pub(crate) fn count(&self, token: String, bucket: Bucket) -> Standing {
        let mut counts = self.0.lock();
        let (policy, force) = match counts.kept {
            Some(policy) => (policy, Force::Kept),
            None => (Policy::of(bucket), Force::Told),
        };
        let spent = counts.spent.entry((token, bucket)).or_default();
        spent.count(bucket, policy, force, Instant::now())
    }

    /// The policy that is kept, if one is.
    #[cfg(feature = "faults")]
    pub(crate) fn kept(&self) -> Option<Policy> {
        self.0.lock().kept
    }

    /// From now on keeps a policy, or only tells Cloudflare's; everything spent is forgotten.
    #[cfg(feature = "faults")]
    pub(crate) fn keep(&self, policy: Option<Policy>) {
        *self.0.lock() = Counts {
            kept: policy,
            ..Counts::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(bucket: Bucket) -> Standing {
        Spent::default().count(bucket, Policy::of(bucket), Force::Told, Instant::now())
    }

    #[test]
    fn the_first_call_is_told_what_the_live_api_was_recorded_to_tell() {
        let default = first(Bucket::Default);
        assert_eq!(default.left, "\"default\";r=1199;t=1");
        assert_eq!(default.policy, "\"default\";q=1200;w=300");
        let upload = first(Bucket::Upload);
        assert_eq!(upload.left, "\"workers_script_upload\";r=179999;t=1");
        assert_eq!(upload.policy, "\"workers_script_upload\";q=180000;w=300");
    }

    #[test]
    fn a_kept_quota_refuses_for_a_window_and_then_answers_again() {
        let policy = Policy {
            calls: 2,
            seconds: 10,
        };
        let (mut spent, start) = (Spent::default(), Instant::now());
        let mut at = |seconds| {
            let now = start + Duration::from_secs(seconds);
            spent.count(Bucket::Default, policy, Force::Kept, now)
        };
        assert_eq!([at(0).wait, at(0).wait, at(0).wait], [None, None, Some(10)]);
        let refused = at(4);
        assert_eq!(refused.wait, Some(6));
        assert_eq!(refused.left, "\"default\";r=0;t=6");
        assert_eq!(at(10).wait, None);
    }

    #[test]
    fn a_quota_that_is_only_told_never_refuses() {
        let policy = Policy {
            calls: 2,
            seconds: 10,
        };
        let (mut spent, now) = (Spent::default(), Instant::now());
        let mut last = None;
        for _ in 0..5 {
            let standing = spent.count(Bucket::Default, policy, Force::Told, now);
            assert_eq!(standing.wait, None);
            last = Some(standing.left);
        }
        assert_eq!(last.unwrap(), "\"default\";r=0;t=10");
    }

    proptest! {
        #[test]
        fn no_window_answers_more_than_two_quotas(calls in 1_u32..20, seconds in 1_u32..20, pauses in prop::collection::vec(0_u64..3000, 1..300)) {
            let policy = Policy { calls, seconds };
            let (mut spent, mut now) = (Spent::default(), Instant::now());
            let mut answered = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause);
                if spent.count(Bucket::Default, policy, Force::Kept, now).wait.is_none() {
                    answered.push(now);
                }
                let recent = answered.iter().filter(|at| now - **at < policy.window()).count();
                prop_assert!(recent <= 2 * calls as usize);
            }
        }
    }
}
