//! What may stand in the address of a call. An answer could hold anything: whatever it names must not lead to another place.

use reqwest::Url;
use serde::{Deserialize, Deserializer};

use crate::terminal::escape;

/// Longer than any id of Cloudflare: they have 32 hexadecimal digits or are UUIDs.
const LONGEST: usize = 64;

/// Reads an id that will stand in a path: letters, digits, `-` and `_`. For `deserialize_with`.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_id(&text) {
        return Ok(text);
    }
    let start: String = text.chars().take(LONGEST).collect();
    Err(serde::de::Error::custom(format!(
        "`{}` is no id: it may have letters, digits, `-` and `_`, and at most {LONGEST} of them",
        escape::line(&start)
    )))
}

/// Whether a text is one segment of a path as it is.
pub(super) fn is_id(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && all(text, "-_")
}

/// Whether an address below the API's is a path of plain segments and a query of encoded pairs: nothing in it can be taken for
/// another path, another host, a fragment or a header.
pub(super) fn is_plain(address: &str) -> bool {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let is_segment = |segment: &str| {
        !segment.is_empty() && !matches!(segment, "." | "..") && all(segment, "-_.~")
    };
    let Some(segments) = path.strip_prefix('/') else {
        return false;
    };
    segments.split('/').all(is_segment) && all(query, "-_.~=&%+*")
}

/// A path with a query of encoded pairs.
pub(super) fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let url = Url::parse_with_params("query:/", pairs).expect("the base is an address");
    format!("{path}?{}", url.query().unwrap_or_default())
}

fn all(text: &str, others: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    text.chars().all(is_good)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Item {
        #[serde(deserialize_with = "id")]
        id: String,
    }

    #[test]
    fn an_id_that_cannot_stand_in_a_path_is_refused() {
        for good in [
            "a",
            "0123456789abcdef0123456789abcdef",
            "7f1f1d3c-0000-4000-8000-000000000001",
            "no_-x",
        ] {
            let item: Item = serde_json::from_value(serde_json::json!({ "id": good })).unwrap();
            assert_eq!(item.id, good);
        }
        for (bad, shown) in [
            ("", ""),
            ("..", ".."),
            ("../../user/tokens", "../../user/tokens"),
            ("a/b", "a/b"),
            ("a%2fb", "a%2fb"),
            ("a?b", "a?b"),
            ("a#b", "a#b"),
            ("a b", "a b"),
            ("\u{e4}", "\u{e4}"),
            ("a\r\nb\u{1b}[2J", r"a\r\nb\u{1b}[2J"),
            (&"a".repeat(65), &"a".repeat(64)),
        ] {
            let item = serde_json::from_value::<Item>(serde_json::json!({ "id": bad }));
            let error = item.unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "`{shown}` is no id: it may have letters, digits, `-` and `_`, and at most 64 of them"
                )
            );
        }
    }

    #[test]
    fn an_address_is_plain_segments_and_encoded_pairs() {
        for good in [
            "/zones?name=glow.trade&account.id=acc0",
            "/accounts/acc0/workers/scripts/glow-broadcast-staging-room/content/v2",
            "/a?b=c%20d",
        ] {
            assert!(is_plain(good), "{good}");
        }
        for bad in [
            "",
            "x",
            "//x",
            "/",
            "/a/../b",
            "/a/./b",
            "/a//b",
            "/a/%2e%2e/b",
            "/a b",
            "/a#b",
            "/a?b#c",
            "/a?b c",
            "/a\n",
            "/\u{e4}",
            "/a@b:c",
            "/a\\b",
            "/a?b=c?d",
        ] {
            assert!(!is_plain(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_query_holds_its_address_is_plain_and_gives_it_back(any in "\\PC{0,12}|.{0,12}") {
            let address = with_query("/zones", &[("name", &any), ("account.id", "acc0")]);
            prop_assert!(is_plain(&address), "{address}");
            let url = Url::parse(&format!("https://api.example.com{address}")).unwrap();
            let pairs: Vec<_> = url.query_pairs().into_owned().collect();
            prop_assert_eq!(&pairs[0].1, &any);
        }

        #[test]
        fn a_plain_address_is_sent_as_it_is_written(any in "/[a-z./%?#@:&=\\\\ -]{0,12}") {
            let base = "https://api.example.com/client/v4";
            if is_plain(&any) {
                let url = Url::parse(&format!("{base}{any}")).unwrap();
                prop_assert_eq!(url.as_str(), format!("{base}{any}"));
            }
        }
    }
}
