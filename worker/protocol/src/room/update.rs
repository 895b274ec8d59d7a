//! A numbered update, and the frame that subscribers get.

use crate::contract::head::JSON_SPACE;
use serde::{Deserialize, Serialize};

/// Most bytes of a frame of several updates: clients refuse what is above 1 MiB (Python's `websockets`, by default), and
/// what a slow one has not taken waits in memory whole. An update that is larger is a frame alone.
pub const MAX_FRAME_BYTES: usize = 256 * 1024;

/// One numbered update, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    pub seq: u64,
    /// What conflation and the newest values keep one update of, as [`crate::contract::head::Head`] has it; empty where
    /// there is none.
    // The name that it has among shards and records of the version before.
    #[serde(rename = "kind", alias = "key")]
    pub key: String,
    /// The publisher's object with `seq` and `epoch` added.
    pub text: String,
}

impl Update {
    /// Numbers a valid published object. The text stays as it came but for the two members at its end: readers that
    /// take the last of two equal names, as JavaScript does, always see ours.
    pub(crate) fn new(seq: u64, epoch: &str, key: String, body: &str) -> Self {
        let open = body
            .trim_matches(JSON_SPACE)
            .strip_suffix('}')
            .unwrap_or("{")
            .trim_end_matches(JSON_SPACE);
        let comma = if open == "{" { "" } else { "," };
        Self {
            seq,
            key,
            text: format!(r#"{open}{comma}"seq":{seq},"epoch":"{epoch}"}}"#),
        }
    }
}

const BATCH_START: &str = r#"{"type":"BATCH_UPDATE","updates":["#;
const BATCH_END: &str = "]}";

/// The frame that carries `updates`: one as it is, several as a `BATCH_UPDATE`. None makes no frame.
fn frame(updates: &[Update]) -> Option<String> {
    let texts: Vec<&str> = updates.iter().map(|update| update.text.as_str()).collect();
    match texts.as_slice() {
        [] => None,
        [one] => Some((*one).to_owned()),
        several => Some([BATCH_START, &several.join(","), BATCH_END].concat()),
    }
}

/// The frames that carry `updates`, in order: as few as [`MAX_FRAME_BYTES`] allows.
pub fn frames(updates: &[Update]) -> Vec<String> {
    let around = BATCH_START.len() + BATCH_END.len();
    let (mut frames, mut start, mut bytes) = (Vec::new(), 0, around);
    for (at, update) in updates.iter().enumerate() {
        // A comma with each, of which the last is not there
        let more = update.text.len() + 1;
        if bytes + more > MAX_FRAME_BYTES + 1 && at > start {
            frames.extend(frame(&updates[start..at]));
            (start, bytes) = (at, around);
        }
        bytes += more;
    }
    frames.extend(frame(&updates[start..]));
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::head;
    use proptest::prelude::*;
    use serde_json::Value;

    fn text(body: &str) -> String {
        Update::new(7, "e1", String::new(), body).text
    }

    #[test]
    fn seq_and_epoch_are_spliced_into_the_text_as_it_came() {
        assert_eq!(
            text("{\"type\":\"PRICE_UPDATE\",\"price\":125.450}\n"),
            r#"{"type":"PRICE_UPDATE","price":125.450,"seq":7,"epoch":"e1"}"#
        );
        assert_eq!(text(" { } "), r#"{"seq":7,"epoch":"e1"}"#);
    }

    /// None is accepted any more; what was stored before may have them.
    #[test]
    fn the_rooms_number_wins_over_a_publishers() {
        let value: Value = serde_json::from_str(&text(r#"{"seq":99,"epoch":"x"}"#)).unwrap();
        assert_eq!(value, serde_json::json!({"seq": 7, "epoch": "e1"}));
    }

    #[test]
    fn a_frame_of_several_has_at_most_256_kib_and_a_larger_update_one_of_its_own() {
        let sized = |seq: u64, bytes: usize| {
            let empty = Update::new(seq, "e", String::new(), r#"{"a":""}"#)
                .text
                .len();
            let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - empty));
            Update::new(seq, "e", String::new(), &body)
        };
        let half = (MAX_FRAME_BYTES - BATCH_START.len() - BATCH_END.len() - 1) / 2;
        let lengths = |sizes: &[usize]| -> Vec<usize> {
            let updates: Vec<Update> = (1..)
                .zip(sizes)
                .map(|(seq, size)| sized(seq, *size))
                .collect();
            frames(&updates).iter().map(String::len).collect()
        };
        assert_eq!(frames(&[]), Vec::<String>::new());
        assert_eq!(lengths(&[half, half + 1]), [MAX_FRAME_BYTES]);
        assert_eq!(lengths(&[half + 1, half + 1]), [half + 1, half + 1]);
        assert_eq!(
            lengths(&[100, MAX_FRAME_BYTES, 100, 100, 300_000, 300_000, 100]),
            [
                100,
                MAX_FRAME_BYTES,
                201 + BATCH_START.len() + BATCH_END.len(),
                300_000,
                300_000,
                100
            ]
        );
    }

    #[test]
    fn one_update_is_its_own_frame_and_several_are_a_batch() {
        let updates = [
            Update::new(1, "e", String::new(), r#"{"a":1}"#),
            Update::new(2, "e", String::new(), r#"{"a":2}"#),
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
        fn frames_carry_every_update_once_and_in_order(sizes in proptest::collection::vec(0usize..150_000, 0..12)) {
            let updates: Vec<Update> = (1..).zip(&sizes)
                .map(|(seq, size)| Update::new(seq, "e", String::new(), &format!(r#"{{"a":"{}"}}"#, "x".repeat(*size))))
                .collect();
            let mut seen = Vec::new();
            for frame in frames(&updates) {
                let value: Value = serde_json::from_str(&frame).unwrap();
                let several = value["updates"].as_array().cloned();
                prop_assert!(several.is_none() || frame.len() <= MAX_FRAME_BYTES);
                seen.extend(several.unwrap_or_else(|| vec![value]).iter().map(|update| update["seq"].as_u64().unwrap()));
            }
            prop_assert_eq!(seen, (1..=updates.len() as u64).collect::<Vec<_>>());
        }

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
