//! Where a redirect points. None is followed: what was sent, a secret often, would be sent again to whatever host it names.

use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::terminal::escape;

/// The host that the `Location` of an answer to a call of `url` names, for people. The rest of it is the server's own words.
pub(crate) fn target(url: &str, location: Option<&HeaderValue>) -> String {
    let location = location.and_then(|location| location.to_str().ok());
    let to = location.and_then(|location| Url::parse(url).ok()?.join(location).ok());
    match to.as_ref().and_then(Url::host_str) {
        Some(host) => format!("`{}`", escape::line(host)),
        None => "an address that cannot be read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_named_and_nothing_else() {
        let shown = |location: &[u8]| {
            let location = HeaderValue::from_bytes(location).unwrap();
            target("https://a.example/x", Some(&location))
        };
        assert_eq!(shown(b"https://b.example:1/?secret#x"), "`b.example`");
        assert_eq!(shown(b"//b.example/y"), "`b.example`");
        assert_eq!(shown(b"/y"), "`a.example`");
        assert_eq!(shown(b"https://u:p@b.example"), "`b.example`");
        assert_eq!(
            shown(b"http://b.example\xe2\x80\xae"),
            "an address that cannot be read"
        );
        assert_eq!(shown(b"data:x"), "an address that cannot be read");
        assert_eq!(
            target("https://a.example", None),
            "an address that cannot be read"
        );
    }
}
