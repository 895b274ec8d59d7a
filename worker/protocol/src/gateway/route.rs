//! The routes of the gateway, by method and path.

use crate::contract::refusal::{self, Refusal};
use crate::contract::token::Token;

/// A request that the gateway serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `GET /health`
    Health,
    /// `GET /ws/:token`
    Connect(Token),
    /// `POST /broadcast/:token`
    Publish(Token),
    /// `POST /broadcast`
    PublishMany,
    /// `GET /snapshot/:token`
    Snapshot(Token),
    /// `OPTIONS /snapshot/:token`: a browser asks whether a page of another origin may send `If-None-Match`
    SnapshotPreflight(Token),
    /// `GET /rooms/:token`
    Room(Token),
    /// `GET /secrets/uses`
    SecretUses,
}

impl Route {
    /// The route of `method` and `path`. The path is the raw one: nothing in it is percent-decoded, since no token needs it.
    ///
    /// # Errors
    /// 404 for an unknown path, 405 for a known one with another method, 400 for a token that cannot be one.
    pub fn of(method: &str, path: &str) -> Result<Self, Refusal> {
        let mut segments = path.strip_prefix('/').unwrap_or(path).splitn(3, '/');
        let resource = segments.next().unwrap_or_default();
        let argument = segments.next();
        if segments.next().is_some() {
            return Err(refusal::NOT_FOUND);
        }
        let only = |allow: &'static str| match allow.split(',').any(|name| name.trim() == method) {
            true => Ok(()),
            false => Err(Refusal::method(allow)),
        };
        let room = |token, allow, route: fn(Token) -> Self| {
            only(allow).and_then(|()| Token::try_from(token).map(route))
        };
        let snapshot = match method {
            "OPTIONS" => Self::SnapshotPreflight,
            _ => Self::Snapshot,
        };
        match (resource, argument) {
            ("health", None) => only("GET, HEAD").map(|()| Self::Health),
            ("ws", Some(token)) => room(token, "GET", Self::Connect),
            ("broadcast", None) => only("POST").map(|()| Self::PublishMany),
            ("broadcast", Some(token)) => room(token, "POST", Self::Publish),
            ("snapshot", Some(token)) => room(token, "GET, HEAD, OPTIONS", snapshot),
            ("rooms", Some(token)) => room(token, "GET, HEAD", Self::Room),
            ("secrets", Some("uses")) => only("GET, HEAD").map(|()| Self::SecretUses),
            _ => Err(refusal::NOT_FOUND),
        }
    }
}

/// The raw value of `key` in a URL's query. No parameter of ours needs percent-decoding.
pub fn parameter<'url>(url: &'url str, key: &str) -> Option<&'url str> {
    let (_, query) = url.split_once('?')?;
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

/// The path of an absolute URL as the runtime writes it: `https://host/path?query`.
pub fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |start| &rest[start..]);
    &path[..path.find(['?', '#']).unwrap_or(path.len())]
}

/// The host of an absolute URL, without its port.
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(text: &str) -> Token {
        Token::try_from(text).unwrap()
    }

    #[test]
    fn every_route_is_found_by_its_method_and_path() {
        for (method, path, route) in [
            ("GET", "/health", Route::Health),
            ("HEAD", "/health", Route::Health),
            ("GET", "/ws/SOL", Route::Connect(token("SOL"))),
            ("POST", "/broadcast/SOL", Route::Publish(token("SOL"))),
            ("POST", "/broadcast", Route::PublishMany),
            ("GET", "/snapshot/SOL", Route::Snapshot(token("SOL"))),
            (
                "OPTIONS",
                "/snapshot/SOL",
                Route::SnapshotPreflight(token("SOL")),
            ),
            ("GET", "/rooms/SOL", Route::Room(token("SOL"))),
            ("GET", "/secrets/uses", Route::SecretUses),
        ] {
            assert_eq!(Route::of(method, path), Ok(route), "{method} {path}");
        }
    }

    #[test]
    fn what_is_not_a_route_is_refused_by_what_is_wrong_with_it() {
        for (method, path, status, allow) in [
            ("GET", "/", 404, None),
            ("GET", "/ws", 404, None),
            ("GET", "/ws/SOL/more", 404, None),
            ("GET", "/ws/", 400, None),
            ("GET", "/ws/a%2fb", 400, None),
            ("GET", "/ws/__proto__", 400, None),
            ("POST", "/ws/SOL", 405, Some("GET")),
            ("GET", "/broadcast/SOL", 405, Some("POST")),
            ("PUT", "/broadcast", 405, Some("POST")),
            ("DELETE", "/health", 405, Some("GET, HEAD")),
            ("GET", "/secrets/values", 404, None),
        ] {
            let refusal = Route::of(method, path).unwrap_err();
            assert_eq!(
                (refusal.status, refusal.allow),
                (status, allow),
                "{method} {path}"
            );
        }
    }

    #[test]
    fn the_parts_of_a_url_are_found_without_decoding() {
        let url = "https://broadcast.glow.trade:8443/ws/a%2fb?since=7&epoch=ab&since=8#x=1";
        assert_eq!(host(url), "broadcast.glow.trade");
        assert_eq!(path(url), "/ws/a%2fb");
        assert_eq!(parameter(url, "since"), Some("7"));
        assert_eq!(parameter(url, "epoch"), Some("ab"));
        assert_eq!(parameter(url, "x"), None);
        assert_eq!(path("https://host"), "/");
        assert_eq!(host("https://[::1]:80/"), "[::1]");
    }

    proptest! {
        #[test]
        fn no_path_and_no_method_panics(method in ".*", path in ".*") {
            let _ = Route::of(&method, &path);
        }

        #[test]
        fn no_url_panics(url in ".*", key in ".*") {
            let _ = (path(&url), host(&url), parameter(&url, &key));
        }
    }
}
