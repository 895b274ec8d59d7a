//! A numbered update, and the frame that subscribers get.

use crate::contract::head::JSON_SPACE;
use serde::{Deserialize, Serialize};

/// Most bytes of the updates of one frame, unless one alone is larger: clients refuse what is above 1 MiB (Python's
/// `websockets`, by default).
pub const MAX_FRAME_BYTES: usize = 256 * 1024;

/// One numbered update, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    pub seq: u64,
    /// What conflation keeps one update of: the publisher's `type`, or nothing.
    // The name that it has among shards and records of the version before.
    #[serde(rename = "kind", alias = "key")]
    pub key: String,
    /// The publisher's object with `seq` and `epoch` added.
    pub text: String,
}

impl Update {
    /// Numbers a valid published object. The text stays as it came but for the two members at its end: readers that
    /// take the last of two equal names, as JavaScript does, always see ours.
    pub(crate) fn new(seq: u64, epoch: &str, key: Option<String>, body: &str) -> Self {
        let open = body
            .trim_matches(JSON_SPACE)
            .strip_suffix('}')
            .unwrap_or("{")
            .trim_end_matches(JSON_SPACE);
        let comma = if open == "{" { "" } else { "," };
        Self {
            seq,
            key: key.unwrap_or_default(),
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

/// The frames that carry `updates`, each as many as [`MAX_FRAME_BYTES`] allow.
pub fn frames(updates: &[Update]) -> Vec<String> {
    let mut frames = Vec::new();
    let mut rest = updates;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take_while(|update| {
            bytes += update.text.len() + 1;
            bytes <= MAX_FRAME_BYTES
        });
        let (now, later) = rest.split_at(fits.count().max(1));
        frames.extend(frame(now));
        rest = later;
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::head;
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

    proptest! {
        #[test]
        fn every_valid_object_stays_valid_with_its_members_and_ours(
            members in proptest::collection::btree_map("[a-z]{1,6}", any::<i64>(), 0..5), space in "[ \t\n\r]{0,3}",
        ) {
            let members: serde_json::Map<String, Value> =
                members.into_iter().filter(|(name, _)| !["seq", "epoch", "slot", "type", "token", "force"].contains(&name.as_str()))
                    .map(|(name, value)| (name, value.into())).collect();
            let body = format!("{space}{}{space}", Value::Object(members.clone()));
            prop_assert!(head::read(&body).is_ok());
            let mut value: serde_json::Map<String, Value> = serde_json::from_str(&text(&body)).unwrap();
            prop_assert_eq!(value.remove("seq"), Some(7.into()));
            prop_assert_eq!(value.remove("epoch"), Some("e1".into()));
            prop_assert_eq!(value, members);
        }
    }
}
