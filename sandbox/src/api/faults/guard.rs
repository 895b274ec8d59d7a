//! What stands before a host on request, as Cloudflare's own products do: it answers in the Workers' place.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::IntoResponse;
use http::header::{CONTENT_TYPE, HeaderName, LOCATION};
use http::{HeaderMap, Response, StatusCode};
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::account::value::SecretValue;

/// A host and what stands before it.
#[derive(Deserialize)]
pub(crate) struct Placed {
    host: String,
    #[serde(flatten)]
    guard: Guard,
}

/// What stands before a host.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Guard {
    /// Cloudflare Access with one service token, whose two halves a request has as headers (docs: Cloudflare One, Service tokens).
    Access {
        client_id: String,
        #[serde(deserialize_with = "hidden")]
        client_secret: SecretValue,
    },
    /// A challenge page, which only a browser passes.
    Challenge,
}

fn hidden<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretValue, D::Error> {
    String::deserialize(deserializer).map(SecretValue::new)
}

impl Guard {
    fn name(&self) -> &'static str {
        match self {
            Self::Access { .. } => "access",
            Self::Challenge => "challenge",
        }
    }
}

/// Every host that something stands before.
#[derive(Debug, Default)]
pub(crate) struct Guards(Mutex<BTreeMap<String, Guard>>);

impl Guards {
    /// Puts something before a host, in the place of what stood there.
    pub(super) fn place(&self, Placed { host, guard }: Placed) {
        self.0.lock().insert(host.to_ascii_lowercase(), guard);
    }

    /// Opens every host.
    pub(super) fn remove(&self) {
        self.0.lock().clear();
    }

    /// The hosts and the kinds; no values.
    pub(super) fn shown(&self) -> Value {
        let guards = self.0.lock();
        let shown = guards
            .iter()
            .map(|(host, guard)| json!({ "host": host, "kind": guard.name() }));
        shown.collect()
    }

    /// What a request to `host` gets in place of an answer; nothing where it is let in.
    pub(crate) fn refuse(
        &self,
        host: &str,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Response<Body>> {
        match self.0.lock().get(host)? {
            Guard::Access {
                client_id,
                client_secret,
            } => {
                let is = |name, wanted: &str| {
                    headers
                        .get(name)
                        .is_some_and(|value| value.as_bytes() == wanted.as_bytes())
                };
                let is_known = is("cf-access-client-id", client_id)
                    && is("cf-access-client-secret", client_secret.expose());
                (!is_known).then(|| login(host, path))
            }
            Guard::Challenge => Some(challenge()),
        }
    }
}

/// The way to the login page, which every request without a session or a token is shown.
fn login(host: &str, path: &str) -> Response<Body> {
    let path = path.replace('/', "%2F");
    let page = format!(
        "https://glow.cloudflareaccess.com/cdn-cgi/access/login/{host}?kid=c0ffee&redirect_url={path}"
    );
    (StatusCode::FOUND, [(LOCATION, page)]).into_response()
}

/// The page of a challenge, as a proxy of Cloudflare's sends it.
pub(super) fn challenge() -> Response<Body> {
    let headers = [
        (HeaderName::from_static("cf-mitigated"), "challenge"),
        (CONTENT_TYPE, "text/html; charset=UTF-8"),
    ];
    let page = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>blocked</body></html>";
    (StatusCode::FORBIDDEN, headers, page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(guard: Value) -> Guards {
        let guards = Guards::default();
        guards.place(serde_json::from_value(guard).unwrap());
        guards
    }

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let list = list.iter();
        list.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn access_lets_in_who_has_both_halves_of_its_token_and_shows_others_the_way_to_the_login() {
        let guards = placed(
            json!({ "host": "A.glow.trade", "kind": "access", "client_id": "id", "client_secret": "hunter2" }),
        );
        let refused = |host, list: &[_]| guards.refuse(host, "/health", &headers(list));
        let right = [
            ("cf-access-client-id", "id"),
            ("cf-access-client-secret", "hunter2"),
        ];
        assert!(refused("a.glow.trade", &right).is_none());
        assert!(refused("b.glow.trade", &[]).is_none());
        for list in [&right[..1], &right[1..], &[]] {
            let refused = refused("a.glow.trade", list).unwrap();
            assert_eq!(refused.status(), 302);
            assert_eq!(
                refused.headers()["location"],
                "https://glow.cloudflareaccess.com/cdn-cgi/access/login/a.glow.trade?kid=c0ffee&redirect_url=%2Fhealth"
            );
        }
        let shown = guards.shown();
        assert_eq!(shown, json!([{ "host": "a.glow.trade", "kind": "access" }]));
        assert!(!format!("{guards:?}").contains("hunter2"));
    }

    #[test]
    fn a_challenge_lets_nobody_in() {
        let guards = placed(json!({ "host": "a.glow.trade", "kind": "challenge" }));
        let refused = guards.refuse("a.glow.trade", "/", &headers(&[])).unwrap();
        assert_eq!(refused.status(), 403);
        assert_eq!(refused.headers()["cf-mitigated"], "challenge");
        guards.remove();
        assert!(guards.refuse("a.glow.trade", "/", &headers(&[])).is_none());
    }
}
