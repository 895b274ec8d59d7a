//! What the page at `/console` may ask of a sandbox that is for developers, and no Cloudflare has: its publishes and looks get the
//! deployed secrets, which the page never sees; the runtime is killed; the objects of a room are ended.
//!
//! Only a page of the same host may. Browsers say so in `Sec-Fetch-Site`, which no page can set, and the header [`HEADER`] could not be
//! sent by a page of another origin without a preflight, which nobody answers.
//!
//! Imports: `account`, `edge`, `engine`, `server`

use std::sync::Arc;

use axum::body::Body;
use axum::response::IntoResponse;
use http::header::{ALLOW, AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use crate::account::value::SecretValue;
use crate::edge::table::Choice;
use crate::edge::{headers, ingress};
use crate::engine::Engine;
use crate::server::arriving::Arriving;

/// Whether a sandbox helps the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// It gets secrets and may make faults.
    Helped,
    /// Its requests are for a Worker, like all others.
    Alone,
}

/// With the value `1` in each request of the page for which it wants help.
const HEADER: &str = "x-edge-broadcast-console";
/// Where the sandbox answers instead of a Worker. Cloudflare keeps `/cdn-cgi/` for itself on every host.
const PLACE: &str = "/cdn-cgi/sandbox/";

/// Answers what is for the sandbox, and gives a request of the page for a Worker the secret that it needs.
pub(crate) async fn answer(
    engine: &Arc<Engine>,
    request: &mut Request<Arriving>,
) -> Option<Response<Body>> {
    if let Some(what) = request.uri().path().strip_prefix(PLACE) {
        return Some(done(engine, request, what).await.into_response());
    }
    if is_the_page(request.headers())
        && !request.headers().contains_key(AUTHORIZATION)
        && let Some(name) = secret_name(request.method(), request.uri().path())
        && let Some(secret) = secret(engine, request, name).await
        && let Ok(mut bearer) = HeaderValue::try_from(format!("Bearer {}", secret.expose()))
    {
        bearer.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, bearer);
    }
    None
}

async fn done(
    engine: &Arc<Engine>,
    request: &Request<Arriving>,
    what: &str,
) -> Result<StatusCode, Response<Body>> {
    let refuse = |status: StatusCode| status.into_response();
    if request.method() != Method::POST {
        return Err((StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST")]).into_response());
    }
    if !is_the_page(request.headers()) {
        return Err(refuse(StatusCode::FORBIDDEN));
    }
    match what.split_once('/') {
        None if what == "restart" => engine.crash().await,
        Some(("evict", token)) if is_token(token) => {
            let ended = engine.evict(token).await;
            ended
                .map_err(|error| (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response())?;
        }
        Some(("evict", _)) => return Err(refuse(StatusCode::BAD_REQUEST)),
        _ => return Err(refuse(StatusCode::NOT_FOUND)),
    }
    Ok(StatusCode::NO_CONTENT)
}

fn is_the_page(all: &HeaderMap) -> bool {
    headers::text(all, "sec-fetch-site") == Some("same-origin")
        && headers::text(all, HEADER) == Some("1")
}

/// As the Workers have it: 1 to 96 letters, digits, `-`, `_`, `.` and `:`, the first a letter or a digit.
fn is_token(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (1..=96).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text.bytes().all(known)
}

/// The secret that a request of the page needs.
fn secret_name(method: &Method, path: &str) -> Option<&'static str> {
    let (_, resource) = path.split_once('/')?;
    match (method.as_str(), resource.split('/').next()?) {
        ("POST", "broadcast") => Some("WEBHOOK_SECRET"),
        ("GET", "rooms") => Some("ADMIN_SECRET"),
        _ => None,
    }
}

/// The value that the Worker which would answer the request has under that name, or, where a rotation has moved it, in the other slot.
async fn secret(
    engine: &Arc<Engine>,
    request: &Request<Arriving>,
    name: &str,
) -> Option<SecretValue> {
    let pass = engine.gate().pass().await?;
    let choice = pass
        .there
        .table
        .pick(&ingress::host(request), request.uri().path());
    let Choice::Script(script, _) = choice else {
        return None;
    };
    let state = engine.state();
    let mut scripts = state.scripts().filter(|known| known.name == script);
    let secrets = &scripts.next()?.primary()?.secrets;
    let slot = secrets.iter().find(|(slot, _)| slot.starts_with(name));
    let found = secrets.get(name).or(slot.map(|(_, value)| value));
    found.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_a_page_of_the_same_origin_that_says_so_is_the_page() {
        let both = |site| headers(&[("sec-fetch-site", site), (HEADER, "1")]);
        assert!(is_the_page(&both("same-origin")));
        for site in ["same-site", "cross-site", "none", ""] {
            assert!(!is_the_page(&both(site)), "{site}");
        }
        assert!(!is_the_page(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(!is_the_page(&headers(&[(HEADER, "1")])));
    }

    #[test]
    fn publishes_and_looks_at_rooms_need_a_secret_and_nothing_else_gets_one() {
        for (method, path, name) in [
            ("POST", "/broadcast/SOL", Some("WEBHOOK_SECRET")),
            ("POST", "/broadcast", Some("WEBHOOK_SECRET")),
            ("GET", "/rooms/SOL", Some("ADMIN_SECRET")),
            ("GET", "/broadcast/SOL", None),
            ("GET", "/secrets/uses", None),
            ("GET", "/", None),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(secret_name(&method, path), name, "{method} {path}");
        }
    }

    #[test]
    fn what_is_no_token_ends_no_room() {
        assert!(is_token("SOL") && is_token("binance:BTC-1.x_y"));
        for text in ["", "-a", "a/b", "a%2f", "ä"] {
            assert!(!is_token(text), "{text}");
        }
    }
}
