//! The routes of the gateway, by method and path.

use crate::contract::refusal::{self, Refusal};
use crate::contract::token::{self, Token};
use percent_encoding::percent_decode_str;

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
    /// `OPTIONS /snapshot/:token`: a browser asks whether a page of another origin may poll; of no token in particular, so that
    /// the page sees what is wrong with one
    SnapshotPreflight,
    /// `GET /rooms/:token`
    Room(Token),
    /// `GET /secrets/uses`
    SecretUses,
    /// `GET /console`, which is there in development only
    Console,
}

/// The paths of all routes that every deployment has, each once. `:token` stands for any token.
pub const PATHS: [&str; 7] = [
    "/health",
    "/ws/:token",
    "/broadcast/:token",
    "/broadcast",
    "/snapshot/:token",
    "/rooms/:token",
    "/secrets/uses",
];

impl Route {
    /// The route of `method` and the raw `path`. One slash at its end is left out, and a token is percent-decoded once.
    ///
    /// # Errors
    /// 404 for an unknown path, 405 for a known one with another method, 400 for a token that cannot be one.
    pub fn of(method: &str, path: &str) -> Result<Self, Refusal> {
        let mut arguments = segments(path).skip(1);
        let argument = arguments.next();
        if arguments.next().is_some() {
            return Err(refusal::NOT_FOUND);
        }
        let only = |allow: &'static str| match allow.split(',').any(|name| name.trim() == method) {
            true => Ok(()),
            false => Err(Refusal::method(allow)),
        };
        let room = |token: &str, allow, route: fn(Token) -> Self| {
            only(allow)?;
            // RFC 3986, section 2.1. What is badly encoded stays as it is, and no token has a `%`
            let token = percent_decode_str(token).decode_utf8();
            let token = token.map_err(|_| refusal::INVALID_TOKEN)?;
            Token::try_from(&*token).map(route)
        };
        match (resource(path), argument) {
            ("health", None) => only("GET, HEAD").map(|()| Self::Health),
            ("ws", Some(token)) => room(token, "GET", Self::Connect),
            ("broadcast", None) => only("POST").map(|()| Self::PublishMany),
            ("broadcast", Some(token)) => room(token, "POST", Self::Publish),
            ("snapshot", Some(_)) if method == "OPTIONS" => Ok(Self::SnapshotPreflight),
            ("snapshot", Some(token)) => room(token, "GET, HEAD, OPTIONS", Self::Snapshot),
            ("rooms", Some(token)) => room(token, "GET, HEAD", Self::Room),
            ("secrets", Some("uses")) => only("GET, HEAD").map(|()| Self::SecretUses),
            // Another method says no more than that it is not there, which most often is so
            ("console", None) if matches!(method, "GET" | "HEAD") => Ok(Self::Console),
            _ => Err(refusal::NOT_FOUND),
        }
    }

    /// The token that a refusal of it is counted under: the room of a check, so that figures can leave checks out, and empty for
    /// everybody else. Tokens of refused requests are whatever anybody writes, and Analytics Engine samples by them.
    pub fn probe(&self) -> &str {
        match self {
            Self::Health => token::PROBE_PREFIX,
            Self::Connect(token)
            | Self::Publish(token)
            | Self::Snapshot(token)
            | Self::Room(token)
                if token::is_probe(token.as_str()) =>
            {
                token.as_str()
            }
            _ => "",
        }
    }
}

/// The first segment of a raw path: what is asked for, whether or not it is there.
pub fn resource(path: &str) -> &str {
    segments(path).next().unwrap_or_default()
}

/// The segments of a path without a slash at its end, the third one with all that follows.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path).splitn(3, '/')
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
            ("OPTIONS", "/snapshot/SOL", Route::SnapshotPreflight),
            ("OPTIONS", "/snapshot/%", Route::SnapshotPreflight),
            ("GET", "/rooms/SOL", Route::Room(token("SOL"))),
            ("GET", "/secrets/uses", Route::SecretUses),
            ("GET", "/console", Route::Console),
            ("HEAD", "/console/", Route::Console),
        ] {
            assert_eq!(Route::of(method, path), Ok(route), "{method} {path}");
        }
    }

    #[test]
    fn a_refusal_is_counted_under_the_token_of_a_check_and_of_nobody_else() {
        let check = "edge-broadcast-verify-0123456789abcdef";
        for (method, path, probe) in [
            ("GET", "/health", "edge-broadcast-verify"),
            ("GET", &*format!("/ws/{check}"), check),
            ("POST", &format!("/broadcast/{check}"), check),
            ("GET", "/ws/SOL", ""),
            ("POST", "/broadcast", ""),
            ("GET", "/secrets/uses", ""),
        ] {
            assert_eq!(Route::of(method, path).unwrap().probe(), probe, "{path}");
        }
    }

    #[test]
    fn a_path_may_end_with_one_slash_and_a_token_may_be_percent_encoded_once() {
        for (method, path, route) in [
            ("GET", "/health/", Route::Health),
            ("POST", "/broadcast/", Route::PublishMany),
            ("GET", "/secrets/uses/", Route::SecretUses),
            ("GET", "/ws/SOL/", Route::Connect(token("SOL"))),
            ("POST", "/broadcast/SOL/", Route::Publish(token("SOL"))),
            (
                "GET",
                "/ws/binance%3ABTC",
                Route::Connect(token("binance:BTC")),
            ),
            (
                "GET",
                "/snapshot/binance%3aBTC/",
                Route::Snapshot(token("binance:BTC")),
            ),
            ("GET", "/rooms/%53%4F%4C", Route::Room(token("SOL"))),
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
            ("GET", "/ws/", 404, None),
            ("GET", "/ws//", 400, None),
            ("GET", "/ws/SOL//", 404, None),
            ("GET", "/health//", 404, None),
            ("GET", "/ws/a%2fb", 400, None),
            ("GET", "/ws/a%252fb", 400, None),
            ("GET", "/ws/SOL%2F", 400, None),
            ("GET", "/ws/binance%253ABTC", 400, None),
            ("GET", "/ws/%2e%2e", 400, None),
            ("GET", "/ws/SOL%00", 400, None),
            ("GET", "/ws/SOL%", 400, None),
            ("GET", "/ws/SOL%4", 400, None),
            ("GET", "/ws/SOL%+4", 400, None),
            ("GET", "/ws/SOL%C3%A9", 400, None),
            ("GET", "/ws/SOL%é", 400, None),
            ("GET", "/ws/__proto__", 400, None),
            ("POST", "/ws/SOL", 405, Some("GET")),
            ("GET", "/broadcast/SOL", 405, Some("POST")),
            ("PUT", "/broadcast", 405, Some("POST")),
            ("DELETE", "/health", 405, Some("GET, HEAD")),
            ("GET", "/secrets/values", 404, None),
            ("POST", "/console", 404, None),
            ("GET", "/console/more", 404, None),
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
    fn a_resource_is_the_whole_first_segment() {
        for (path, resource_) in [
            ("/ws/SOL", "ws"),
            ("/ws/SOL/more", "ws"),
            ("/ws/", "ws"),
            ("/ws", "ws"),
            ("/wsx", "wsx"),
            ("/snapshots/SOL", "snapshots"),
            ("//ws", ""),
            ("/", ""),
            ("", ""),
        ] {
            assert_eq!(resource(path), resource_, "{path}");
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

    #[test]
    fn the_paths_are_those_of_all_routes() {
        let path = |route: &Route| match route {
            Route::Health => "/health",
            Route::Connect(_) => "/ws/:token",
            Route::Publish(_) => "/broadcast/:token",
            Route::PublishMany => "/broadcast",
            Route::Snapshot(_) | Route::SnapshotPreflight => "/snapshot/:token",
            Route::Room(_) => "/rooms/:token",
            Route::SecretUses => "/secrets/uses",
            Route::Console => "/console",
        };
        for listed in PATHS {
            let one = listed.replace(":token", "SOL");
            let routes = ["GET", "POST"].map(|method| Route::of(method, &one));
            let served: Vec<Route> = routes.into_iter().flatten().collect();
            assert_eq!(served.iter().map(path).collect::<Vec<_>>(), [listed]);
        }
    }

    proptest! {
        #[test]
        fn no_path_and_no_method_panics(method in ".*", path in ".*") {
            let _ = Route::of(&method, &path);
        }

        #[test]
        fn a_token_is_the_same_however_it_is_encoded_but_not_when_it_is_encoded_twice(
            bytes in "[a-zA-Z0-9][a-zA-Z0-9._:-]{0,95}",
            how in proptest::collection::vec(0..3, 96),
            slash in "/?",
        ) {
            let encode = |text: &str| -> String {
                text.bytes().zip(&how).map(|(byte, how)| match how {
                    0 => char::from(byte).to_string(),
                    1 => format!("%{byte:02x}"),
                    _ => format!("%{byte:02X}"),
                }).collect()
            };
            let once = encode(&bytes);
            let route = |text: &str| Route::of("GET", &format!("/ws/{text}{slash}"));
            prop_assert_eq!(route(&once), Ok(Route::Connect(token(&bytes))));
            if once != bytes {
                let twice = once.replace('%', "%25");
                prop_assert_eq!(route(&twice), Err(refusal::INVALID_TOKEN));
            }
        }

        #[test]
        fn no_url_panics(url in ".*", key in ".*") {
            let _ = (path(&url), host(&url), parameter(&url, &key));
        }
    }
}
