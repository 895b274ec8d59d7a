//! `POST /broadcast`: the items of a batch, and its answer, item by item.

use crate::contract::head::MAX_ITEMS;
use crate::contract::refusal::{self, Refusal};
use crate::contract::signature;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// The largest body of `POST /broadcast`, in bytes, unless one message may be larger still.
pub const MAX_BATCH_BYTES: u32 = 1 << 20;
/// The time in which items of a batch may begin. Items of one room follow each other, and each may wait for a shard that hangs:
/// without this, a hundred of them would take a quarter of an hour.
pub const TIME_LIMIT_MS: u64 = 10_000;

/// The items of `POST /broadcast`, each as it came.
///
/// # Errors
/// 400 for what is not a JSON array of 1 to 100 items.
pub fn items(body: &str) -> Result<Vec<&str>, Refusal> {
    let items: Vec<&RawValue> = serde_json::from_str(body).map_err(|_| refusal::NOT_AN_ARRAY)?;
    if items.is_empty() || items.len() > MAX_ITEMS {
        return Err(refusal::INVALID_COUNT);
    }
    Ok(items.into_iter().map(RawValue::get).collect())
}

/// Checks that an item may still begin.
///
/// # Errors
/// 503 when the batch has taken too long: this item was not published.
pub fn check_time(started_ms: u64, now_ms: u64) -> Result<(), Refusal> {
    if now_ms.saturating_sub(started_ms) < TIME_LIMIT_MS {
        return Ok(());
    }
    Err(refusal::BATCH_TIME)
}

/// The idempotency key of the item at `index`: its own `id`, or else one made of the batch's, of what the item is, and of how
/// many like it come before. So a repeat of the batch in another order, or of a part of it, is a repeat of each item. None
/// of the latter is the key of a single publish: a client's key has no space.
///
/// # Errors
/// 400 for an `id` that cannot be a key.
pub fn id(batch: Option<&str>, items: &[&str], index: usize) -> Result<Option<String>, Refusal> {
    let item = items[index];
    let own: Own = serde_json::from_str(item).map_err(|_| refusal::INVALID_UPDATE)?;
    if let Some(id) = own.id {
        let id: String = serde_json::from_str(id.get()).map_err(|_| refusal::INVALID_ID)?;
        return match signature::is_id(&id) {
            true => Ok(Some(id)),
            false => Err(refusal::INVALID_ID),
        };
    }
    Ok(batch.map(|batch| {
        let alike = items[..index].iter().filter(|other| **other == item);
        let digest = STANDARD.encode(&Sha256::digest(item)[..DIGEST_BYTES]);
        [batch, &digest, &alike.count().to_string()].join(" ")
    }))
}

/// What of an item's digest is in its key: enough that no two items of one batch ever share it.
const DIGEST_BYTES: usize = 18;

/// The member of an item that a single publish has as a header.
#[derive(Deserialize)]
struct Own<'item> {
    #[serde(borrow)]
    id: Option<&'item RawValue>,
}

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    status: u16,
    retry_after: Option<u32>,
    /// The members of what a single publish would have been answered
    members: String,
}

impl Outcome {
    /// Of an item that the room has answered. An item that the room accepted, sent or not (a repeat, a stale one), has 200.
    pub fn answered(status: u16, retry_after: Option<u32>, answer: &str) -> Self {
        match members(answer) {
            Some(members) => Self {
                status,
                retry_after,
                members: members.to_owned(),
            },
            None => Self::refused(&refusal::UNREADABLE_ANSWER),
        }
    }

    /// Of an item that is not published.
    pub fn refused(refusal: &Refusal) -> Self {
        Self::answered(refusal.status, refusal.retry_after, &refusal.body())
    }

    /// `status`, `retry_after` where there is one, and the members.
    fn write(&self, text: &mut String) {
        *text += r#"{"status":"#;
        *text += &self.status.to_string();
        if let Some(seconds) = self.retry_after {
            *text += r#","retry_after":"#;
            *text += &seconds.to_string();
        }
        if !self.members.is_empty() {
            text.push(',');
            *text += &self.members;
        }
        text.push('}');
    }
}

/// The whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200 when every item was accepted, 207 when some were; when none was, the highest of theirs: what to do about it is
    /// to be seen from outside.
    pub status: u16,
    /// Seconds, when none was accepted: then that a repeat of all may succeed.
    pub retry_after: Option<u32>,
    /// The same whatever the status; the results are in the order of the items.
    pub body: String,
}

/// The answer of a batch with these outcomes.
pub fn answer(outcomes: &[Outcome]) -> Answer {
    let accepted = outcomes.iter().filter(|one| one.status == 200).count();
    let highest = outcomes.iter().map(|one| one.status).max();
    let mut body = r#"{"results":["#.to_owned();
    for (index, outcome) in outcomes.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        outcome.write(&mut body);
    }
    body += "]}";
    Answer {
        status: match accepted {
            0 => highest.unwrap_or(200),
            _ if accepted == outcomes.len() => 200,
            _ => 207,
        },
        retry_after: match accepted {
            0 => outcomes.iter().filter_map(|one| one.retry_after).max(),
            _ => None,
        },
        body,
    }
}

/// The text between the braces of a JSON object.
fn members(answer: &str) -> Option<&str> {
    let object: &RawValue = serde_json::from_str(answer).ok()?;
    let inside = object.get().strip_prefix('{')?.strip_suffix('}')?;
    Some(inside.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn only(outcome: Outcome) -> Answer {
        answer(&[outcome])
    }

    #[test]
    fn a_result_is_the_answer_of_a_single_publish_with_its_status() {
        assert_eq!(
            only(Outcome::answered(200, None, r#" {"seq":7,"epoch":"e1"} "#)),
            Answer {
                status: 200,
                retry_after: None,
                body: r#"{"results":[{"status":200,"seq":7,"epoch":"e1"}]}"#.to_owned(),
            }
        );
        assert_eq!(
            only(Outcome::answered(200, None, "{ }")).body,
            r#"{"results":[{"status":200}]}"#
        );
        assert_eq!(
            only(Outcome::refused(&refusal::BROADCAST_RATE.retry_after(60))),
            Answer {
                status: 429,
                retry_after: Some(60),
                body: r#"{"results":[{"status":429,"retry_after":60,"error":{"code":"broadcast_rate","message":"this room is published to more often than this deployment accepts"}}]}"#.to_owned(),
            }
        );
    }

    #[test]
    fn the_status_says_whether_all_some_or_none_was_accepted_and_the_worst_of_none() {
        let of = |results: &[(u16, Option<u32>)]| {
            let outcomes = results
                .iter()
                .map(|(status, seconds)| Outcome::answered(*status, *seconds, "{}"));
            let answer = answer(&outcomes.collect::<Vec<_>>());
            (answer.status, answer.retry_after)
        };
        assert_eq!(of(&[(200, None), (200, None)]), (200, None));
        assert_eq!(of(&[(200, None), (503, Some(1))]), (207, None));
        assert_eq!(of(&[(400, None), (413, None)]), (413, None));
        assert_eq!(of(&[(429, Some(60)), (400, None)]), (429, Some(60)));
        assert_eq!(
            of(&[(429, Some(60)), (503, Some(1)), (403, None)]),
            (503, Some(60))
        );
    }

    #[test]
    fn an_answer_that_cannot_be_read_becomes_a_refusal_of_that_item_alone() {
        for unreadable in ["", "null", "[1]", "{", "}", "{\"seq\":}", "{}{}", "<html>"] {
            let results =
                [unreadable, "{\"seq\":1}"].map(|text| Outcome::answered(200, None, text));
            let answer = answer(&results);
            let value: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(value["results"][0]["error"]["code"], "unreadable_answer");
            assert_eq!(value["results"][1], json!({"status": 200, "seq": 1}));
            assert_eq!(answer.status, 207);
        }
    }

    #[test]
    fn an_item_has_its_own_key_or_one_that_no_client_can_send() {
        let items = [r#"{"id":"tx-1"}"#, r#"{"id":null}"#, "{}", "{}"];
        let of = |batch, index| id(batch, &items, index).unwrap();
        assert_eq!(of(Some("batch-1"), 0).as_deref(), Some("tx-1"));
        assert_eq!(of(None, 0).as_deref(), Some("tx-1"));
        assert_eq!(of(None, 1), None);
        assert_eq!(
            of(Some("batch-1"), 2).as_deref(),
            Some("batch-1 RBNvo1WzZ4oRRq0W9+hknpT7 0")
        );
        assert_eq!(
            of(Some("batch-1"), 3).as_deref(),
            Some("batch-1 RBNvo1WzZ4oRRq0W9+hknpT7 1")
        );
        for index in 1..4 {
            assert!(!signature::is_id(&of(Some("x"), index).unwrap()));
        }
        for own in [
            "7",
            r#""""#,
            r#""a b""#,
            r#""é""#,
            "true",
            "[]",
            r#"{"a":1}"#,
        ] {
            let item = format!(r#"{{"id":{own}}}"#);
            let refusal = id(Some("x"), &[&item], 0).unwrap_err();
            assert_eq!(refusal.code, "invalid_id", "{own}");
        }
        let longest = "x".repeat(signature::MAX_ID_BYTES);
        let item = |id: &str| format!(r#"{{"id":"{id}"}}"#);
        assert!(id(None, &[&item(&longest)], 0).is_ok());
        assert!(id(None, &[&item(&format!("{longest}x"))], 0).is_err());
        let twice = r#"{"id":"a","id":"b"}"#;
        assert_eq!(id(None, &[twice], 0).unwrap_err().code, "invalid_update");
    }

    #[test]
    fn items_begin_for_ten_seconds() {
        assert_eq!(check_time(1_000, 10_999), Ok(()));
        assert_eq!(check_time(1_000, 900), Ok(()), "the clock was set back");
        assert_eq!(check_time(1_000, 11_000).unwrap_err().code, "batch_time");
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
            let _ = items(&body);
        }

        #[test]
        fn a_batch_in_another_order_has_the_same_keys(
            (items, shuffled) in proptest::collection::vec("\\{\"n\":[1-3]\\}", 0..9)
                .prop_flat_map(|items| (Just(items.clone()), Just(items).prop_shuffle())),
        ) {
            let keys = |items: &[String]| {
                let items: Vec<&str> = items.iter().map(String::as_str).collect();
                let mut keys: Vec<_> = (0..items.len()).map(|index| id(Some("b"), &items, index).unwrap()).collect();
                keys.sort();
                keys
            };
            let (first, again) = (keys(&items), keys(&shuffled));
            prop_assert_eq!(&first, &again);
            let mut once = first.clone();
            once.dedup();
            prop_assert_eq!(once.len(), first.len(), "equal items have keys of their own");
        }

        #[test]
        fn every_answer_makes_a_json_object_with_a_status(
            answers in proptest::collection::vec((200u16..600, proptest::option::of(any::<u32>()), "[{}\\[\\]\",:a1 \\\\]{0,12}|.*"), 0..8),
        ) {
            let outcomes: Vec<Outcome> =
                answers.iter().map(|(status, seconds, text)| Outcome::answered(*status, *seconds, text)).collect();
            let answer = answer(&outcomes);
            let value: Value = serde_json::from_str(&answer.body).unwrap();
            let results = value["results"].as_array().unwrap();
            prop_assert_eq!(results.len(), answers.len());
            prop_assert!(results.iter().all(|result| result["status"].is_u64()));
            let all = results.iter().all(|result| result["status"] == 200);
            prop_assert_eq!(answer.status == 200, all);
        }
    }
}
