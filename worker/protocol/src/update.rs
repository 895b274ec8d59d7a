//! What a publisher sends, and the text that subscribers get.

use crate::refusal::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Most items of one `POST /broadcast`.
pub const MAX_ITEMS: usize = 100;
/// The largest body of `POST /broadcast`, in bytes, unless one message may be larger still.
pub const MAX_BATCH_BYTES: u32 = 1 << 20;

/// What a room needs to know of a published object. The rest of it is nobody's business but the subscribers'.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Head {
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    #[serde(default)]
    pub token: Option<String>,
    /// The publisher's own clock (Solana's slot): a lower one than the room's is stale.
    #[serde(default)]
    pub slot: Option<u64>,
    /// Delivers even a stale update.
    #[serde(default)]
    pub force: Option<bool>,
}

/// Reads one published object.
///
/// # Errors
/// 400 for what is not one JSON object, or has a `type`, `token`, `slot` or `force` of another kind.
pub fn head(body: &str) -> Result<Head, Refusal> {
    if !body.trim_start_matches(JSON_SPACE).starts_with('{') {
        return Err(not_an_object());
    }
    serde_json::from_str(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Refusal::new(
            400,
            "invalid_update",
            "`type` and `token` must be strings, `slot` a whole number, `force` true or false, each at most once",
        ),
        _ => not_an_object(),
    })
}

/// Checks that an update is for the room it was sent to: a signature covers the body, not the path.
///
/// # Errors
/// 400 when the body names another token.
pub fn check_token(head: &Head, token: &str) -> Result<(), Refusal> {
    match &head.token {
        Some(named) if named != token => Err(Refusal::new(
            400,
            "token_mismatch",
            "the body's `token` is not the path's",
        )),
        _ => Ok(()),
    }
}

/// Checks that a body claims to be JSON. One that claims nothing is taken at its bytes.
///
/// # Errors
/// 415 for any other type.
pub fn check_content_type(header: Option<&str>) -> Result<(), Refusal> {
    let kind = header.map(|header| {
        header
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    });
    match kind.as_deref() {
        None | Some("application/json") => Ok(()),
        Some(kind) if kind.starts_with("application/") && kind.ends_with("+json") => Ok(()),
        Some(_) => Err(Refusal::new(
            415,
            "unsupported_media_type",
            "the body must be `application/json`",
        )),
    }
}

/// The items of `POST /broadcast`, each as it came.
///
/// # Errors
/// 400 for what is not a JSON array of 1 to 100 items.
pub fn items(body: &str) -> Result<Vec<&str>, Refusal> {
    let items: Vec<&RawValue> = serde_json::from_str(body).map_err(|_| {
        Refusal::new(
            400,
            "invalid_json",
            "the body must be a JSON array of objects with a `token`",
        )
    })?;
    if items.is_empty() || items.len() > MAX_ITEMS {
        return Err(Refusal::new(
            400,
            "invalid_count",
            "one request publishes 1 to 100 items",
        ));
    }
    Ok(items.into_iter().map(RawValue::get).collect())
}

/// One numbered update, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    pub seq: u64,
    /// The publisher's `type`, or nothing: conflation keeps one update of each.
    pub kind: String,
    /// The publisher's object with `seq` and `epoch` added.
    pub text: String,
}

impl Update {
    /// Numbers a valid published object. The text stays as it came but for the two members at its end: readers that
    /// take the last of two equal names, as JavaScript does, always see ours.
    pub fn new(seq: u64, epoch: &str, kind: Option<String>, body: &str) -> Self {
        let open = body
            .trim_matches(JSON_SPACE)
            .strip_suffix('}')
            .unwrap_or("{")
            .trim_end_matches(JSON_SPACE);
        let comma = if open == "{" { "" } else { "," };
        Self {
            seq,
            kind: kind.unwrap_or_default(),
            text: format!(r#"{open}{comma}"seq":{seq},"epoch":"{epoch}"}}"#),
        }
    }
}

/// The frame that carries `updates`: one as it is, several as a `BATCH_UPDATE`. None makes no frame.
pub fn frame<'update>(updates: impl IntoIterator<Item = &'update Update>) -> Option<String> {
    let texts: Vec<&str> = updates
        .into_iter()
        .map(|update| update.text.as_str())
        .collect();
    match texts.as_slice() {
        [] => None,
        [one] => Some((*one).to_owned()),
        several => Some(format!(
            r#"{{"type":"BATCH_UPDATE","updates":[{}]}}"#,
            several.join(",")
        )),
    }
}

const JSON_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

const fn not_an_object() -> Refusal {
    Refusal::new(400, "invalid_json", "the body must be one JSON object")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn text(body: &str) -> String {
        Update::new(7, "e1", None, body).text
    }

    #[test]
    fn seq_and_epoch_are_spliced_into_the_text_as_it_came() {
        assert_eq!(
            text("{\"type\":\"PRICE_UPDATE\",\"price\":125.450}\n"),
            r#"{"type":"PRICE_UPDATE","price":125.450,"seq":7,"epoch":"e1"}"#
        );
        assert_eq!(text(" { } "), r#"{"seq":7,"epoch":"e1"}"#);
    }

    #[test]
    fn the_rooms_number_wins_over_a_publishers() {
        let value: Value = serde_json::from_str(&text(r#"{"seq":99,"epoch":"x"}"#)).unwrap();
        assert_eq!(value, serde_json::json!({"seq": 7, "epoch": "e1"}));
    }

    #[test]
    fn one_update_is_its_own_frame_and_several_are_a_batch() {
        let updates = [
            Update::new(1, "e", None, r#"{"a":1}"#),
            Update::new(2, "e", None, r#"{"a":2}"#),
        ];
        assert_eq!(frame(&updates[..0]), None);
        assert_eq!(
            frame(&updates[..1]).unwrap(),
            r#"{"a":1,"seq":1,"epoch":"e"}"#
        );
        assert_eq!(
            frame(&updates).unwrap(),
            r#"{"type":"BATCH_UPDATE","updates":[{"a":1,"seq":1,"epoch":"e"},{"a":2,"seq":2,"epoch":"e"}]}"#
        );
    }

    #[test]
    fn only_one_json_object_is_an_update() {
        for body in [
            "", "null", "[]", "[1,2]", "\"a\"", "{", "{}{}", "{\"a\":}", "{'a':1}",
        ] {
            assert_eq!(head(body).unwrap_err().code, "invalid_json", "{body}");
        }
    }

    #[test]
    fn a_body_must_be_json_where_it_says_what_it_is() {
        for header in [
            None,
            Some("application/json"),
            Some("Application/JSON; charset=utf-8"),
            Some("application/cloudevents+json"),
        ] {
            assert!(check_content_type(header).is_ok(), "{header:?}");
        }
        for header in [
            "text/plain",
            "",
            "application/x-www-form-urlencoded",
            "application/jsonx",
        ] {
            assert_eq!(
                check_content_type(Some(header)).unwrap_err().status,
                415,
                "{header}"
            );
        }
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(head(&deep), Ok(Head::default()));
    }

    #[test]
    fn the_members_that_mean_something_must_have_their_kind() {
        for body in [
            r#"{"slot":"12"}"#,
            r#"{"slot":-1}"#,
            r#"{"slot":1.5}"#,
            r#"{"type":7}"#,
            r#"{"force":"yes"}"#,
            r#"{"slot":1,"slot":2}"#,
        ] {
            assert_eq!(head(body).unwrap_err().code, "invalid_update", "{body}");
        }
        let known = head(r#"{"type":"A","token":"SOL","slot":12,"force":true,"x":[{}]}"#).unwrap();
        assert_eq!(known.kind.as_deref(), Some("A"));
        assert_eq!((known.slot, known.force), (Some(12), Some(true)));
        assert!(check_token(&known, "SOL").is_ok());
        assert_eq!(
            check_token(&known, "BONK").unwrap_err().code,
            "token_mismatch"
        );
    }

    #[test]
    fn an_array_has_one_to_a_hundred_items() {
        assert_eq!(items(r#"[{"a":1}, 2]"#).unwrap(), [r#"{"a":1}"#, "2"]);
        assert_eq!(items("[]").unwrap_err().code, "invalid_count");
        assert_eq!(items("{}").unwrap_err().code, "invalid_json");
        let many = format!("[{}0]", "0,".repeat(MAX_ITEMS));
        assert_eq!(items(&many).unwrap_err().code, "invalid_count");
    }

    proptest! {
        #[test]
        fn no_body_panics(body in ".*") {
            let _ = (head(&body), items(&body));
        }

        #[test]
        fn every_valid_object_stays_valid_with_its_members_and_ours(
            members in proptest::collection::btree_map("[a-z]{1,6}", any::<i64>(), 0..5), space in "[ \t\n\r]{0,3}",
        ) {
            let members: serde_json::Map<String, Value> =
                members.into_iter().filter(|(name, _)| !["seq", "epoch", "slot", "type", "token", "force"].contains(&name.as_str()))
                    .map(|(name, value)| (name, value.into())).collect();
            let body = format!("{space}{}{space}", Value::Object(members.clone()));
            prop_assert!(head(&body).is_ok());
            let mut value: serde_json::Map<String, Value> = serde_json::from_str(&text(&body)).unwrap();
            prop_assert_eq!(value.remove("seq"), Some(7.into()));
            prop_assert_eq!(value.remove("epoch"), Some("e1".into()));
            prop_assert_eq!(value, members);
        }
    }
}
