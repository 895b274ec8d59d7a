//! What Cloudflare's edge adds to a request before a Worker sees it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

const CLIENT: HeaderName = HeaderName::from_static("cf-connecting-ip");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const RAY: HeaderName = HeaderName::from_static("cf-ray");
const CONTINENT: HeaderName = HeaderName::from_static("cf-ipcontinent");
const COUNTRY: HeaderName = HeaderName::from_static("cf-ipcountry");
/// The header from which the runtime makes `request.cf`.
const CF: HeaderName = HeaderName::from_static("cf-blob");

/// Adds client address, protocol, ray id and `request.cf`. A test may send the first two itself, and say with `CF-IPContinent`
/// and `CF-IPCountry` where it is.
pub(crate) fn add_headers(headers: &mut HeaderMap, peer: SocketAddr) {
    if !headers.contains_key(CLIENT) {
        headers.insert(CLIENT, value(&peer.ip().to_string()));
    }
    if !headers.contains_key(PROTO) {
        headers.insert(PROTO, HeaderValue::from_static("http"));
    }
    let ray = format!("{:016x}-SBX", rand::random::<u64>());
    headers.insert(RAY, value(&ray));

    let mut cf = json!({"colo": "SBX", "httpProtocol": "HTTP/1.1"});
    for (key, name) in [("continent", CONTINENT), ("country", COUNTRY)] {
        if let Some(place) = text(headers, name.as_str()) {
            cf[key] = place.into();
        }
    }
    headers.insert(CF, value(&cf.to_string()));
}

/// A header's value, if there is one and it is text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A number from 0 to 100 that says which share a request falls into: the same for the same version key, else random.
pub(crate) fn lot(key: Option<&str>) -> f64 {
    let bits = match key {
        Some(key) => {
            let mut hasher = DefaultHasher::new();
            key.hash(&mut hasher);
            hasher.finish()
        }
        None => rand::random(),
    };
    f64::from((bits >> 32) as u32) / f64::from(u32::MAX) * 100.0
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_may_say_where_it_is() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTINENT, HeaderValue::from_static("EU"));
        headers.insert(CLIENT, HeaderValue::from_static("192.0.2.7"));
        add_headers(&mut headers, SocketAddr::from(([127, 0, 0, 1], 1)));
        assert_eq!(headers[CLIENT], "192.0.2.7");
        assert!(
            headers[CF]
                .to_str()
                .unwrap()
                .contains("\"continent\":\"EU\"")
        );
    }

    #[test]
    fn a_version_key_always_falls_into_the_same_share() {
        assert!((lot(Some("a")) - lot(Some("a"))).abs() < f64::EPSILON);
    }
}
